<?php

use WHMCS\Module\Addon\Hopcount\AdminPage;
use WHMCS\Module\Addon\Hopcount\Checks;
use WHMCS\Module\Addon\Hopcount\Links;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Store;
use WHMCS\Module\Addon\Hopcount\Text;

require_once __DIR__ . '/bed/BedCase.php';
require_once __DIR__ . '/bed/Service.php';

/** What staff look at: figures of the real service, escaped, kept, and never waited for over a second. */
final class AdminTest extends BedCase
{
    private const HOSTILE = '"><script>alert(1)</script>';

    /** @var int an invoice and a client that no other test has */
    private $id;

    protected function setUp(): void
    {
        static $n = 0;
        Bed::start(Service::settings());
        $this->id = 5000000 + getmypid() % 1000 * 1000 + $n++;
        Bed::$data['clients'][$this->id] = [];
        Bed::$data['invoices'][$this->id] = ['userid' => $this->id];
    }

    private static function html(array $get = [], array $post = []): string
    {
        return (new AdminPage(Settings::load(), Text::all(), $get, $post))->html();
    }

    /** The invoice page's fields. */
    private function controls(): array
    {
        return ['invoiceid' => $this->id, 'userid' => $this->id, 'subtotal' => 19.99, 'tax' => 0.0, 'tax2' => 0.0,
            'credit' => 0.0, 'total' => 19.99, 'balance' => 19.99, 'taxrate' => 0.0, 'taxrate2' => 0.0,
            'paymentmethod' => 'paypal'];
    }

    /** All tags in it are closed, and no text has become markup. */
    private function assertIsHtml(string $html): void
    {
        $document = new DOMDocument();
        libxml_use_internal_errors(true);
        $document->loadHTML('<?xml encoding="utf-8"?><!DOCTYPE html><html><body>' . $html . '</body></html>');
        $errors = array_filter(libxml_get_errors(), static function ($error) {
            return $error->code !== 801; // svg is no tag of HTML 4
        });
        libxml_clear_errors();
        $this->assertSame([], array_map(static function ($error) {
            return trim($error->message);
        }, $errors), $html);
        $this->assertSame(0, $document->getElementsByTagName('script')->length);
    }

    private static function sentences(array $settings = []): array
    {
        Bed::set($settings);
        return (new Checks(Settings::load(), Text::all()))->run();
    }

    private function assertSays(string $how, string $words, array $found): void
    {
        foreach ($found as $each) {
            if ($each[0] === $how && strpos($each[1], $words) !== false) {
                $this->addToAssertionCount(1);
                return;
            }
        }
        $this->fail("$how $words is not in " . json_encode($found, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES));
    }

    public function test_the_connection_test_says_what_works(): void
    {
        $found = self::sentences(['brands' => '']);
        $this->assertSame(['good'], array_values(array_unique(array_column($found, 0))), json_encode($found));
        $this->assertSays('good', 'answers and knows the API key', $found);
        $this->assertSays('good', 'opens links of acme made here; a view link leads to ' . Bed::SYSTEM . 'viewinvoice.php?id=1', $found);
        $this->assertSays('good', 'Login links of acme lead to this module', $found);
        $this->assertIsHtml(self::html());
    }

    public function test_kinds_that_are_not_tracked_are_learnt_from_the_service(): void
    {
        self::sentences();
        $plain = array_map([Links::class, 'plainKinds'], Settings::load()->brands());
        $this->assertSame(['' => [], 'umbrella inc' => [5]], $plain);
    }

    public function test_the_connection_test_says_in_words_what_is_missing(): void
    {
        $key = '1 mint ' . str_repeat('ab', 32);
        $cases = [
            [['api_url' => 'http://127.0.0.1:9'], 'bad', 'The service at http://127.0.0.1:9: '],
            [['api_url' => 'not an address'], 'bad', 'The service at not an address: '],
            [['api_url' => ''], 'hint', 'The address of the API is not set'],
            [['api_key' => 'x' . Service::get('api_key')], 'bad', 'The service at '],
            [['api_key' => ''], 'bad', 'the address of the API or its key is not set'],
            [['api_key' => Service::get('reader_key')], 'bad', 'lacks the scope events:write'],
            [['api_key' => Service::get('reader_key')], 'bad', 'lacks the scope links:write'],
            [['key' => $key], 'bad', 'does not open links of acme made here'],
            [['key' => ''], 'hint', 'Paste the line with "mint"'],
            [['key' => ''], 'bad', 'Login links need'],
            [['key' => '/nowhere'], 'bad', '/nowhere is not there'],
            [['brand' => ''], 'bad', 'set "Brand" and "Base URL"'],
            [['base_url' => 'go.acme.example'], 'bad', 'set "Brand" and "Base URL"'],
            [['brand' => 'initech'], 'bad', 'The service has no brand initech'],
            [['base_url' => 'https://other.example'], 'bad', 'Links of acme begin with https://other.example here, and with https://go.acme.example'],
        ];
        foreach ($cases as $case) {
            Bed::start(Service::settings());
            $this->assertSays($case[1], $case[2], self::sentences($case[0]));
        }
        $this->assertSays('bad', 'Login links of umbrella lead to https://billing.umbrella.example/clientarea.php',
            self::sentences(Service::settings(['brand' => 'umbrella', 'base_url' => 'https://go.umbrella.example', 'brands' => ''])));
        WHMCS\Database\Capsule::schema()->drop(Store::QUEUE);
        $this->assertSays('bad', 'tables can\'t be read', self::sentences());
    }

    public function test_clicks_and_state_of_an_invoice(): void
    {
        $link = Bed::mergeFields('Invoice Created', $this->id)['hopcount_view_url'];
        Service::follow($link);
        Service::waitFor(function () {
            return Service::api('GET', "/v1/objects/{$this->id}?brand=acme")[1]['clicks']['total'] === 1;
        }, 'a click');
        $html = Bed::fire('AdminInvoicesControlsOutput', $this->controls())[0];
        $this->assertStringContainsString('<strong>1</strong> clicks by people (view 1), 0 by machines', $html);
        $this->assertStringContainsString('nothing was told yet', $html);
        $this->assertStringNotContainsString('<form', $html, 'it stands within a form');
        $this->assertIsHtml($html);
        $client = Bed::fire('AdminAreaClientSummaryPage', ['userid' => $this->id])[0];
        $this->assertStringContainsString('acme: <strong>1</strong> clicks by people', $client);
        $this->assertStringContainsString('umbrella: <strong>0</strong>', $client);
        $this->assertIsHtml($client);
    }

    public function test_answers_are_kept_for_a_while(): void
    {
        $first = Bed::fire('AdminInvoicesControlsOutput', $this->controls())[0];
        Bed::set(['api_key' => 'wrong-key-that-is-long-enough']);
        $this->assertSame($first, Bed::fire('AdminInvoicesControlsOutput', $this->controls())[0]);
    }

    public function test_links_to_copy_and_revoking_them(): void
    {
        self::html(); // the test of the connection learns that there are balance links
        $html = self::html(['action' => 'invoice', 'id' => (string) $this->id]);
        $this->assertIsHtml($html);
        $this->assertSame(3, preg_match_all('#readonly value="(https://go\.acme\.example/[0-9a-z]{45})"#', $html, $links));
        $this->assertStringEndsWith("rp=/invoice/{$this->id}/pay", Service::follow($links[1][1])[1]);
        $this->assertSame([], array_filter(Bed::$calls, static function ($call) {
            return $call[0] === 'CreateSsoToken';
        }));
        $proof = $_SESSION[AdminPage::SESSION];
        foreach ([['do' => 'revoke'], ['do' => 'revoke', 'proof' => 'x'], ['do' => 'revoke', 'proof' => [$proof]]] as $forged) {
            $this->assertStringContainsString('too old', self::html(['action' => 'invoice', 'id' => $this->id], $forged));
        }
        $this->assertSame(302, Service::follow($links[1][0])[0], 'a forged request revokes nothing');
        $login = self::html(['action' => 'invoice', 'id' => $this->id], ['do' => 'login', 'proof' => $proof]);
        $this->assertStringContainsString('Log in and see the invoice, once', $login);
        $this->assertStringContainsString("staff made a login link for invoice {$this->id}", implode(Bed::$log));
        $done = self::html(['action' => 'invoice', 'id' => $this->id], ['do' => 'revoke', 'proof' => $proof]);
        $this->assertStringContainsString('All links that were made until now are void', $done);
        Service::waitFor(static function () use ($links) {
            return Service::follow($links[1][0])[0] !== 302;
        }, 'the revocation');
        $this->assertStringContainsString("all links of invoice {$this->id} are void", implode(Bed::$log));
    }

    public function test_links_of_a_client(): void
    {
        self::html();
        $html = self::html(['action' => 'client', 'id' => $this->id]);
        $this->assertSame(1, preg_match('#readonly value="(https://go\.acme\.example/[0-9a-z]{45})"#', $html, $link));
        $this->assertStringContainsString('action=masspay', Service::follow($link[1])[1]);
        $done = self::html(['action' => 'client', 'id' => $this->id], ['do' => 'revoke', 'proof' => $_SESSION[AdminPage::SESSION]]);
        $this->assertStringContainsString('are void', $done);
        Service::waitFor(static function () use ($link) {
            return Service::follow($link[1])[0] !== 302;
        }, 'the revocation');
    }

    public function test_odd_requests_of_the_page(): void
    {
        foreach (['0', '-1', self::HOSTILE, ['x'], '99999999999'] as $id) {
            foreach (['invoice', 'client', self::HOSTILE, ['a']] as $action) {
                $html = self::html(['action' => $action, 'id' => $id]);
                $this->assertStringNotContainsString('<script', $html);
            }
        }
        $this->assertStringContainsString('There is no such invoice', self::html(['action' => 'invoice', 'id' => '4242424']));
    }

    private function widget(): string
    {
        $widget = Bed::fire('AdminHomeWidgets')[0];
        $this->assertInstanceOf(WHMCS\Module\AbstractWidget::class, $widget);
        return $widget->generateOutput($widget->getData());
    }

    public function test_the_widget_shows_people_and_machines_of_each_reminder(): void
    {
        $name = 'Reminder ' . self::HOSTILE . $this->id;
        Bed::$data['templates'][$name] = 'invoice';
        $link = Bed::mergeFields($name, $this->id)['hopcount_pay_url'];
        Service::follow($link);
        Service::waitFor(function () {
            return Service::api('GET', "/v1/objects/{$this->id}?brand=acme")[1]['clicks']['total'] === 1;
        }, 'a click');
        $html = $this->widget();
        $this->assertIsHtml($html);
        $this->assertStringContainsString(htmlspecialchars($name, ENT_QUOTES), $html);
        $this->assertStringNotContainsString('<script', $html);
        $this->assertStringContainsString('reports.php?report=hopcount', $html);
    }

    private function report(array $get = []): array
    {
        $_GET = $get;
        $reportdata = [];
        require Bed::MODULE . '/../../reports/hopcount.php';
        return $reportdata;
    }

    public function test_the_report_and_its_csv(): void
    {
        $name = '=cmd|"x"!A1 ' . self::HOSTILE . $this->id;
        Bed::$data['templates'][$name] = 'invoice';
        Service::follow(Bed::mergeFields($name, $this->id)['hopcount_pay_url']);
        Service::waitFor(function () {
            return Service::api('GET', "/v1/objects/{$this->id}?brand=acme")[1]['clicks']['total'] === 1;
        }, 'a click');
        $report = $this->report(['days' => '7']);
        $this->assertSame('', $report['footertext']);
        $html = json_encode([$report], JSON_UNESCAPED_SLASHES);
        $this->assertStringNotContainsString('<script', $html);
        $this->assertNotSame([], $report['tablevalues']);
        foreach ($report['tablevalues'] as $row) {
            $this->assertCount(count($report['tableheadings']), $row);
        }
        $csv = (new AdminPage(Settings::load(), Text::all(), ['days' => '7'], []))->csv();
        $this->assertStringStartsWith("\xef\xbb\xbf\"number\",\"template\"", $csv);
        $this->assertStringContainsString('"\'=cmd|""x""!A1', $csv, 'no cell begins a formula');
        $file = fopen('php://memory', 'w+');
        fwrite($file, substr($csv, 3));
        rewind($file);
        while (($cells = fgetcsv($file, 0, ',', '"', '')) !== false) {
            $this->assertCount(7, $cells);
        }
    }

    public function test_payments_are_shown_where_the_service_knows_them(): void
    {
        $rows = [['id' => '1', 'name' => 'First', 'human' => 5, 'automated' => 2, 'sent' => 30, 'paid' => 12, 'amount' => ['EUR' => 23988]],
            ['id' => '0', 'name' => '', 'human' => 1, 'automated' => 0, 'sent' => null, 'paid' => null, 'amount' => null]];
        $html = WHMCS\Module\Addon\Hopcount\Panels::table($rows, Text::all());
        $this->assertStringContainsString('12 (40%)', $html);
        $this->assertStringContainsString('(no template)', $html);
        $this->assertIsHtml($html);
        $rows[0]['paid'] = null;
        $this->assertStringNotContainsString('Paid', WHMCS\Module\Addon\Hopcount\Panels::table($rows, Text::all()));
    }

    public function test_sent_mails_and_payments_are_those_of_the_service(): void
    {
        $name = "Reminder {$this->id}";
        Bed::$data['templates'][$name] = 'invoice';
        Bed::mergeFields($name, $this->id);
        Bed::fire('AfterCronJob');
        $row = Service::waitFor(static function () use ($name) {
            foreach (Service::api('GET', '/v1/funnel?brand=acme&group_by=campaign')[1]['rows'] as $row) {
                if (($row['name'] ?? '') === $name && $row['sent'] > 0) {
                    return $row;
                }
            }
            return null;
        }, 'the sent mail');
        $shown = array_column($this->report()['tablevalues'], null, 0)[$name];
        $this->assertSame([(string) $row['sent'], '0 (0%)', ''], array_slice($shown, 3));
        $this->assertStringContainsString('Paid', $this->widget());
    }

    public function test_a_dead_service_costs_a_page_a_second_at_most_and_is_said(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0'); // takes connections and answers nothing
        $pages = [
            'invoice' => function () {
                return Bed::fire('AdminInvoicesControlsOutput', $this->controls())[0];
            },
            'client' => function () {
                return Bed::fire('AdminAreaClientSummaryPage', ['userid' => $this->id])[0];
            },
            'widget' => function () {
                return $this->widget();
            },
            'report' => function () {
                return $this->report()['footertext'];
            },
            'module' => static function () {
                return self::html();
            },
            'links' => function () {
                return self::html(['action' => 'invoice', 'id' => $this->id]);
            },
        ];
        foreach (['http://' . stream_socket_get_name($silent, false), 'http://127.0.0.1:9'] as $address) {
            foreach ($pages as $name => $page) {
                Bed::start(Service::settings(['api_url' => $address]));
                Bed::$data['invoices'][$this->id] = ['userid' => $this->id];
                $started = microtime(true);
                $html = $page();
                $took = microtime(true) - $started;
                printf("%s with %s: %.0f ms\n", $name, $address, $took * 1000);
                $this->assertLessThan(3, $took, $name); // 1 s and the slowness of a loaded machine
                $this->assertMatchesRegularExpression('/No figures at the moment|The service at/', $html, $name);
                $this->assertIsHtml($html);
            }
        }
    }

    public function test_whmcs_json_names_the_module(): void
    {
        $json = json_decode(file_get_contents(Bed::MODULE . '/whmcs.json'), true);
        $this->assertSame(['1.0', 'whmcs-addons', 'hopcount'], [$json['schema'], $json['type'], $json['name']]);
        $this->assertSame([], array_diff(array_keys($json), ['schema', 'type', 'name', 'license', 'category', 'description',
            'logo', 'support', 'authors']));
    }

    /** What of a text is filled in: %s, %2$s, {$hopcount_variant}; in the order of the English one or any other. */
    private static function placeholders(string $text): array
    {
        preg_match_all('/%(?:\d\$)?s|%%|\{\$\w+\}/', $text, $found);
        sort($found[0]);
        return $found[0];
    }

    /** All that staff see of the module, in one text. */
    private function allPages(): string
    {
        $config = hopcount_config();
        $pages = [$config['description'], hopcount_activate()['description'], json_encode($this->report(), JSON_UNESCAPED_UNICODE)];
        foreach ($config['fields'] as $field) {
            $pages[] = $field['FriendlyName'] . ' ' . $field['Description'];
            $pages[] = is_array($field['Options'] ?? null) ? implode(' ', $field['Options']) : '';
        }
        foreach (['invoice', 'product', 'domain', 'support', 'general'] as $type) {
            $pages = array_merge($pages, Bed::fire('EmailTplMergeFields', ['type' => $type])[0]);
        }
        $pages[] = Bed::fire('AdminInvoicesControlsOutput', $this->controls())[0];
        $pages[] = Bed::fire('AdminAreaClientSummaryPage', ['userid' => $this->id])[0];
        $pages[] = $this->widget();
        $widget = Bed::fire('AdminHomeWidgets')[0];
        $pages[] = (new ReflectionProperty($widget, 'description'))->getValue($widget);
        foreach ([[], ['action' => 'invoice', 'id' => $this->id], ['action' => 'client', 'id' => $this->id]] as $_GET) {
            ob_start();
            hopcount_output([]);
            $pages[] = ob_get_clean();
        }
        return html_entity_decode(implode("\n", $pages), ENT_QUOTES, 'UTF-8');
    }

    public static function languages(): array
    {
        $languages = [];
        foreach (glob(Bed::MODULE . '/lang/*.php') as $path) {
            $languages[basename($path, '.php')] = [basename($path, '.php')];
        }
        return $languages;
    }

    /** @dataProvider languages */
    public function test_pages_for_staff_speak_their_language(string $language): void
    {
        Bed::staff($language);
        $_ADDONLANG = [];
        require Bed::MODULE . "/lang/$language.php";
        $pages = $this->allPages();
        Bed::set(['api_url' => '', 'login_links' => 'on', 'key' => '']);
        $pages .= $this->allPages();
        $shown = $foreign = 0;
        foreach (Text::all() as $name => $english) {
            $mine = preg_split('/%(?:\d\$)?s/', $_ADDONLANG[$name]);
            $shown += strlen($english) > 12 && strpos($pages, $mine[0]) !== false && strlen($mine[0]) > 8;
            foreach (preg_split('/%(?:\d\$)?s/', $english) as $part) {
                if (strlen($part) > 12 && strpos($_ADDONLANG[$name], trim($part)) === false) {
                    $this->assertStringNotContainsString($part, $pages, "$name is English");
                    $foreign++;
                }
            }
        }
        $this->assertGreaterThan(60, $shown);
        $this->assertTrue($language === 'english' || $foreign > 80, (string) $foreign);
    }

    public function test_numbers_and_dates_have_the_form_of_the_language(): void
    {
        $forms = ['english' => ['1,234,567', '40%', '28 Nov 2026', '1,234.50 EUR, 1,500 JPY'],
            'german' => ['1.234.567', "40\u{a0}%", '28.11.2026', '1.234,50 EUR, 1.500 JPY'],
            'french' => ["1\u{202f}234\u{202f}567", "40\u{a0}%", '28/11/2026', "1\u{202f}234,50 EUR, 1\u{202f}500 JPY"],
            'portuguese-pt' => ["1\u{a0}234\u{a0}567", '40%', '28/11/2026', "1\u{a0}234,50 EUR, 1\u{a0}500 JPY"],
            'dutch' => ['1.234.567', '40%', '28-11-2026', '1.234,50 EUR, 1.500 JPY']];
        foreach ($forms as $language => $wanted) {
            Bed::staff($language);
            $t = Text::staff();
            $this->assertSame($wanted, [Text::number($t, 1234567), Text::percent($t, 0.4), Text::date($t, '2026-11-28'),
                Text::money($t, ['EUR' => 123450, 'JPY' => 1500])], $language);
        }
        $rows = [['id' => '1', 'name' => 'A', 'human' => 12345, 'automated' => 2, 'sent' => 30000, 'paid' => 1234, 'amount' => []]];
        Bed::staff('german');
        $html = WHMCS\Module\Addon\Hopcount\Panels::table($rows, Text::staff());
        $this->assertStringContainsString('12.345', $html);
        $this->assertStringContainsString("1.234 (4\u{a0}%)", $html);
        $html = WHMCS\Module\Addon\Hopcount\Panels::widgetHtml(['days' => [['2026-11-28', 1500, 2]], 'reminders' => $rows]);
        $this->assertStringContainsString('28.11.2026: 1.500 Klicks von Menschen', $html);
    }

    public function test_a_language_that_the_module_lacks_is_english(): void
    {
        $english = Text::all();
        foreach (['turkish', '', '../../../configuration', "ger\0man", 'german;'] as $language) {
            Bed::staff($language);
            $this->assertTrue($english === Text::staff(), $language);
        }
        Bed::staff('german');
        Bed::$admin++;
        $this->assertTrue($english === Text::staff(), 'an unknown member of staff');
        WHMCS\Database\Capsule::schema()->drop('tbladmins');
        $this->assertTrue($english === Text::staff(), 'no such table');
    }

    public function test_texts_of_all_languages_have_the_same_names(): void
    {
        $names = array_keys(Text::all());
        foreach (glob(Bed::MODULE . '/lang/*.php') as $path) {
            $_ADDONLANG = [];
            require $path;
            $this->assertEqualsCanonicalizing($names, array_keys($_ADDONLANG), $path);
            foreach ($_ADDONLANG as $name => $text) {
                $this->assertTrue(is_string($text) && $text !== '' && mb_check_encoding($text, 'UTF-8'));
                $this->assertSame(self::placeholders(Text::all()[$name]), self::placeholders($text), "$path $name");
            }
        }
    }
}
