<?php

use WHMCS\Module\Addon\Hopcount\Links;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Store;
use WHMCS\Module\Addon\Hopcount\Token;

require_once __DIR__ . '/bed/BedCase.php';

/** The merge fields of mails: what they hold, and that nothing keeps a mail from going out. */
final class MailTest extends BedCase
{
    private const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
    private const SETTINGS = ['base_url' => 'https://go.acme.example', 'brand' => 'acme', 'key' => '1 mint ' . self::KEY];
    private const NAMES = ['hopcount_view_url', 'hopcount_pay_url', 'hopcount_login_url', 'hopcount_balance_url'];

    /** @var string[] files to remove */
    private $files = [];

    protected function setUp(): void
    {
        Bed::start(self::SETTINGS);
    }

    protected function tearDown(): void
    {
        array_map('unlink', array_filter($this->files, 'is_file'));
        parent::tearDown();
    }

    /** What is sealed in a link: [kind, object, client, campaign]. */
    private function opened(string $url, string $base = 'https://go.acme.example/', string $brand = 'acme'): array
    {
        $this->assertStringStartsWith($base, $url);
        $fields = Token::open([1 => hex2bin(self::KEY), 2 => hex2bin(self::KEY)], $brand, substr($url, strlen($base)));
        $this->assertNotNull($fields, $url);
        return [$fields['kind'], $fields['object'], $fields['client'], $fields['campaign']];
    }

    private function fields(string $url): array
    {
        return Token::open([1 => hex2bin(self::KEY)], 'acme', substr($url, strrpos($url, '/') + 1));
    }

    private static function knowKinds(): void
    {
        Store::set('kinds:acme', ['view' => 1, 'pay' => 2, 'login' => 3, 'balance' => 15,
            'service' => 14, 'domain' => 13, 'ticket' => 12], 3600);
    }

    public static function invoice_mails(): array
    {
        $ids = ['client_id' => 77, 'invoice_id' => 5];
        return [
            'a built-in template' => ['Invoice Created', 5, $ids, 1],
            'numbers as text' => ['Invoice Payment Reminder', '5', ['client_id' => '77'], 2],
            'no client in the fields: the invoice\'s' => ['Third Invoice Overdue Notice', 5, [], 5],
            'one of own making, by its type' => ['Zahlungserinnerung', 5, $ids, 17],
            'one of own making that WHMCS does not list, by its fields' => ['Mahnung', 5, $ids, 17],
            'a custom message, which has no name' => ['', 5, $ids, 0],
            'a service\'s mail that names an invoice' => ['Welcome', 9, $ids + ['service_id' => 9], 17],
            'no relid' => ['Invoice Created', null, $ids, 1],
        ];
    }

    /** @dataProvider invoice_mails */
    public function test_a_mail_about_an_invoice_has_counted_links($name, $relid, $fields, $campaign): void
    {
        $got = Bed::mergeFields($name, $relid, $fields);
        $this->assertSame([1, 5, 77, $campaign], $this->opened($got['hopcount_view_url']));
        $this->assertSame([2, 5, 77, $campaign], $this->opened($got['hopcount_pay_url']));
        $this->assertSame([3, 5, 77, $campaign], $this->opened($got['hopcount_login_url']));
        $this->assertSame([], Bed::$log);
        $this->assertSame($got['hopcount_pay_url'], $got['hopcount_pay'], 'the name before the module');
    }

    public static function other_mails(): array
    {
        $ids = ['client_id' => 77];
        return [
            'a service' => ['Hosting Account Welcome Email', 9, $ids + ['service_id' => 9], [14, 9], 77,
                'clientarea.php?action=productdetails&id=9'],
            'a domain' => ['Domain Renewal Confirmation', 9, $ids, [13, 9], 77, 'clientarea.php?action=domaindetails&id=9'],
            'a ticket' => ['Support Ticket Reply', 9, $ids, [12, 9], 77, 'supporttickets.php'],
            'a client' => ['Client Signup Email', 77, [], null, 77, 'clientarea.php'],
            'an affiliate' => ['Affiliate Monthly Referrals Report', 9, $ids, null, 77, 'clientarea.php'],
            'nothing that is known' => ['Other', 9, [], null, 0, 'clientarea.php'],
        ];
    }

    /** relid is no invoice there: no link may lead to one.
     * @dataProvider other_mails */
    public function test_other_mails_lead_to_what_relid_is($name, $relid, $fields, $view, $client, $page): void
    {
        $got = Bed::mergeFields($name, $relid, $fields);
        $this->assertSame(Bed::SYSTEM . $page, $got['hopcount_view_url'], 'as long as the service was not asked');
        $this->assertSame(Bed::SYSTEM . 'clientarea.php?action=invoices', $got['hopcount_pay_url']);
        $this->assertSame([3, 0, $client], array_slice($this->opened($got['hopcount_login_url']), 0, 3));
        $this->assertSame(Bed::SYSTEM . 'clientarea.php?action=masspay&all=true', $got['hopcount_balance_url']);
        self::knowKinds();
        $got = Bed::mergeFields($name, $relid, $fields);
        if ($view !== null) {
            $this->assertSame($view, array_slice($this->opened($got['hopcount_view_url']), 0, 2));
        }
        $this->assertSame([15, $client, $client], array_slice($this->opened($got['hopcount_balance_url']), 0, 3));
        $this->assertSame([], Bed::$log);
    }

    public function test_the_editor_of_templates_lists_the_fields(): void
    {
        foreach (['invoice', 'product', 'domain', 'support', 'general', 'affiliate', ''] as $type) {
            $listed = Bed::fire('EmailTplMergeFields', ['type' => $type])[0];
            $this->assertSame(array_merge(self::NAMES, ['hopcount_variant']), array_keys($listed));
            $this->assertNotContains('', $listed);
        }
    }

    public function test_a_link_lives_until_30_days_after_the_invoice_is_due(): void
    {
        $now = gmmktime(12, 0, 0, 11, 27, 2026);
        $day = 86400;
        $cases = [
            'due in a month: 60 days and a bit, so 90' => [$now + 30 * $day + 1, 12],
            'due today: 30 days' => [$now, 9],
            'overdue for 25 days: at least 10 days, so 14' => [$now - 25 * $day, 8],
            'overdue for years' => [$now - 900 * $day, 8],
            'due in a year: 366 days are too few, so it never ends' => [$now + 366 * $day, 0],
        ];
        foreach ($cases as $name => $case) {
            $this->assertSame($case[1], Links::ttlForDue($case[0], $now), $name);
        }
        Bed::$data['invoices'][5]['duedate'] = gmdate('Y-m-d', time() + 3 * $day);
        $got = Bed::mergeFields('Invoice Created', 5, []);
        $this->assertSame(10, $this->fields($got['hopcount_pay_url'])['ttl_code'], '33 days: 45');
        $this->assertSame(7, $this->fields($got['hopcount_login_url'])['ttl_code'], 'that of login links');
        Bed::set(['ttl' => '90 days', 'login_ttl' => '1 hour']);
        $got = Bed::mergeFields('Invoice Created', 6, []);
        $this->assertSame(12, $this->fields($got['hopcount_pay_url'])['ttl_code'], 'no due date');
        $this->assertSame(2, $this->fields($got['hopcount_login_url'])['ttl_code']);
    }

    public function test_variants_are_by_the_client(): void
    {
        $got = Bed::mergeFields('Invoice Created', 5, []);
        $this->assertSame(['', 0], [$got['hopcount_variant'], $this->fields($got['hopcount_pay_url'])['variant']]);
        Bed::set(['ab_variants' => '3']);
        foreach ([77 => 'C', 78 => 'A', 79 => 'B'] as $client => $letter) {
            Bed::$data['invoices'][5]['userid'] = $client;
            foreach ([1, 2] as $repeated) {
                $got = Bed::mergeFields('Invoice Created', 5, []);
                $this->assertSame($letter, $got['hopcount_variant']);
                $this->assertSame(ord($letter) - 64, $this->fields($got['hopcount_pay_url'])['variant']);
            }
        }
    }

    public function test_variants_in_a_template(): void
    {
        Bed::set(['ab_variants' => '2']);
        $mail = Bed::mail('{if $hopcount_variant == "B"}Please pay{else}Pay now{/if}', 'Invoice Created', 5,
            ['client_id' => 77]);
        $this->assertSame('Please pay', $mail);
    }

    public function test_invoice_link_is_replaced_only_when_asked_for_and_keeps_its_shape(): void
    {
        $old = Bed::SYSTEM . 'viewinvoice.php?id=5';
        $got = Bed::mergeFields('Invoice Created', 5, ['invoice_link' => $old]);
        $this->assertSame($old, $got['invoice_link']);
        Bed::set(['override_invoice_link' => 'on']);
        $cases = [
            'a bare URL' => [$old, '%s'],
            'an anchor that shows the URL' => ["<a href=\"$old\">$old</a>", '<a href="%s">%s</a>'],
            'with attributes and a text' => ["<a class='b' href='$old' target=\"_blank\">Your invoice</a>",
                "<a class='b' href='%s' target=\"_blank\">Your invoice</a>"],
            'in upper case' => ["<A HREF=\"$old\">$old</A>", '<A HREF="%s">%s</A>'],
            'nothing to replace' => ['see your account', 'see your account'],
            'empty' => ['', ''],
        ];
        foreach ($cases as $name => $case) {
            $got = Bed::mergeFields('Invoice Created', 5, ['invoice_link' => $case[0]]);
            $url = $got['hopcount_view_url'];
            $this->assertSame(str_replace('%s', $url, $case[1]), $got['invoice_link'], $name);
        }
        $got = Bed::mergeFields('Welcome', 9, ['client_id' => 77, 'service_id' => 9, 'invoice_link' => $old]);
        $this->assertSame($old, $got['invoice_link'], 'a mail about no invoice');
    }

    public function test_a_template_may_use_a_field_twice(): void
    {
        $mail = Bed::mail('<a href="{$hopcount_pay_url}">{$hopcount_pay_url}</a> {$hopcount_view_url}',
            'Invoice Created', 5, ['client_id' => 77]);
        $this->assertSame(1, preg_match('#^<a href="(\S+)">(\S+)</a> (\S+)$#', $mail, $found), $mail);
        $this->assertSame($found[1], $found[2]);
        $this->assertSame([2, 5, 77, 1], $this->opened($found[1]));
    }

    public function test_login_links_are_not_in_the_stored_copy(): void
    {
        $mail = Bed::mail('{$hopcount_login_url} {$hopcount_pay_url} <a href="{$hopcount_login_url}">x</a>',
            'Invoice Created', 5, ['client_id' => 77]);
        preg_match('#^(\S+) (\S+) #', $mail, $found);
        foreach (['the process that sent it' => false, 'another one' => true] as $name => $isOther) {
            if ($isOther) {
                Bed::newProcess();
            }
            $logged = Bed::logged($mail);
            $this->assertStringNotContainsString($found[1], $logged, $name);
            $this->assertStringContainsString($found[2], $logged, "$name: others stay");
            $this->assertSame(2, substr_count($logged, Bed::SYSTEM . 'clientarea.php'), $name);
        }
        $this->assertSame('no links', Bed::logged('no links'));
    }

    public function test_brands_by_company_and_domain(): void
    {
        Bed::set(['brands' => "umbrella inc | umbrella | https://go.umbrella.example/\r\n"
            . 'shop.initech.example | initech | https://go.initech.example | 2 mint ' . self::KEY . "\nnonsense\n| | |"]);
        $cases = [
            [['company_name' => 'Umbrella Inc'], 'umbrella'],
            [['whmcs_url' => 'https://shop.initech.example/members/'], 'initech'],
            [['company_domain' => 'https://shop.initech.example'], 'initech'],
            [['company_name' => 'Acme', 'whmcs_url' => Bed::SYSTEM], 'acme'],
            [['company_name' => ['Umbrella Inc']], 'acme'],
        ];
        foreach ($cases as $case) {
            $got = Bed::mergeFields('Invoice Created', 5, $case[0]);
            $this->assertSame([2, 5, 77, 1],
                $this->opened($got['hopcount_pay_url'], "https://go.{$case[1]}.example/", $case[1]));
        }
        $this->assertSame([], Bed::$log);
    }

    public function test_kinds_that_the_service_does_not_track_are_whmcs_own_addresses(): void
    {
        Bed::set(['send_events' => 'on', 'api_url' => 'http://127.0.0.1:9']);
        Store::set('plain:acme', [1, 3], 60);
        $fields = Bed::mergeFields('Invoice Created', 5);
        $this->assertSame([Bed::SYSTEM . 'viewinvoice.php?id=5', Bed::SYSTEM . 'clientarea.php'],
            [$fields['hopcount_view_url'], $fields['hopcount_login_url']]);
        $this->assertStringStartsWith('https://go.acme.example/', $fields['hopcount_pay_url']);
        $this->assertSame(1, WHMCS\Database\Capsule::table(Store::QUEUE)->where('kind', 'mail')->count());
        Store::set('plain:acme', range(1, 15), 60);
        $fields = Bed::mergeFields('Invoice Payment Reminder', 5);
        $this->assertStringStartsWith(Bed::SYSTEM, $fields['hopcount_pay_url']);
        $this->assertSame(1, WHMCS\Database\Capsule::table(Store::QUEUE)->where('kind', 'mail')->count(), 'and such a mail is not counted');
    }

    public function test_who_opted_out_has_plain_links(): void
    {
        Bed::set(['opt_out_field' => '3']);
        Bed::$data['clients'][77]['customfields'] = [['id' => 3, 'value' => 'on']];
        $got = Bed::mergeFields('Invoice Created', 5, ['client_id' => 77]);
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url']);
        $this->assertSame(Bed::SYSTEM . 'index.php?rp=/invoice/5/pay', $got['hopcount_pay_url']);
        $this->assertSame(Bed::SYSTEM . 'clientarea.php', $got['hopcount_login_url']);
        foreach (['', 'No', '0'] as $value) {
            Bed::$data['clients'][77]['customfields'] = [['id' => 3, 'value' => $value], ['id' => 4, 'value' => 'on']];
            $this->opened(Bed::mergeFields('Invoice Created', 5, ['client_id' => 77])['hopcount_view_url']);
        }
        Bed::set(['opt_out_marketing' => 'on']);
        Bed::$data['clients'][77]['isOptedInToMarketingEmails'] = false;
        $got = Bed::mergeFields('Invoice Created', 5, ['client_id' => 77]);
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url']);
        Bed::$broken = ['GetClientsDetails'];
        Bed::$data['clients'][77]['isOptedInToMarketingEmails'] = true;
        $got = Bed::mergeFields('Invoice Created', 5, ['client_id' => 77]);
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url'], 'who can\'t be asked');
    }

    public function test_a_deleted_invoice_has_no_links(): void
    {
        $got = Bed::mergeFields('Invoice Payment Reminder', 4242, ['client_id' => 77]);
        $this->assertSame(Bed::SYSTEM . 'clientarea.php', $got['hopcount_view_url']);
        $this->assertSame(Bed::SYSTEM . 'clientarea.php?action=invoices', $got['hopcount_pay_url']);
        $this->assertSame([3, 0, 77, 2], $this->opened($got['hopcount_login_url']));
    }

    public static function odd_variables(): array
    {
        $mail = static function ($name, $relid, $fields = []) {
            return ['messagename' => $name, 'relid' => $relid, 'mergefields' => $fields];
        };
        return [
            'fields that are null' => [$mail('Invoice Created', 5, null)],
            'a name that is a list' => [$mail(['a'], 5)],
            'a relid that is a list' => [$mail('Invoice Created', [5])],
            'a relid that is a text' => [$mail('Invoice Created', '5; drop')],
            'a negative relid' => [$mail('Invoice Created', -5)],
            'a relid over 32 bits' => [$mail('Invoice Created', 4294967296)],
            'a relid of many digits' => [$mail('Invoice Created', str_repeat('9', 400))],
            'a relid that is a fraction' => [$mail('Invoice Created', 5.5)],
            'ids that are lists' => [$mail('Other', 5, ['invoice_id' => [], 'client_id' => ['a' => 1]])],
            'an address that is none' => [$mail('Other', 5, ['whmcs_url' => 'javascript:alert(1)'])],
            'a name with quotes and signs' => [$mail('%s \'"; <b>$x {$hopcount_pay_url}', 5)],
            'a name of 300 characters' => [$mail(str_repeat('n', 300), 5)],
            'a client\'s name that is Smarty and SQL' => [$mail('Invoice Created', 5,
                ['client_name' => "{php}x{/php}'; DROP TABLE tblinvoices; --", 'client_id' => "77'"])],
        ];
    }

    /** @dataProvider odd_variables */
    public function test_odd_variables_make_no_empty_field_and_no_error(array $vars): void
    {
        foreach ([null, Bed::SYSTEM] as $url) {
            Bed::$systemUrl = $url;
            Bed::newProcess();
            $got = Bed::fire('EmailPreSend', $vars)[0];
            foreach (self::NAMES as $name) {
                $this->assertMatchesRegularExpression('#^https://(go|billing)\.acme\.example/#', $got[$name], $name);
            }
            $this->assertSame([], Bed::$log);
        }
    }

    public static function key_texts(): array
    {
        $key = self::KEY;
        return [
            'a path that is not there' => ['/nowhere/hopcount-keys', 'is not there, or PHP may not read it'],
            'of verifying keys' => ["1 verify $key", 'has no line: KID mint KEY'],
            'short' => ['1 mint abcd', 'has no line: KID mint KEY'],
            'a kid over 255' => ["256 mint $key", 'has a kid that is not 1 to 255'],
            'kid 0' => ["0 mint $key", 'has a kid that is not 1 to 255'],
            'for another brand' => ["1 mint $key umbrella", 'has a key that mints, but not for acme'],
            'an API key by mistake' => ['hc_abcdefghijklmnopqrstuvwxyz', 'has no line: KID mint KEY'],
        ];
    }

    /** @dataProvider key_texts */
    public function test_a_key_that_cannot_be_used_leaves_whmcs_own_links(string $text, string $says): void
    {
        Bed::set(['key' => $text]);
        foreach ([1, 2, 3] as $i) {
            $got = Bed::mergeFields('Invoice Created', 5, ['client_id' => 77]);
            $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url']);
            $this->assertSame(Bed::SYSTEM . 'index.php?rp=/invoice/5/pay', $got['hopcount_pay_url']);
        }
        $this->assertCount(1, Bed::$log, 'said once, not per mail');
        $this->assertStringContainsString($says, Bed::$log[0]);
        $this->assertStringNotContainsString(substr(self::KEY, 0, 16), Bed::$log[0]);
    }

    public function test_key_files_as_editors_save_them(): void
    {
        $key = self::KEY;
        $texts = ["\xef\xbb\xbf1 mint $key\r\n", "# keys\n\n2 verify " . str_repeat('cd', 32) . "\n\t1\tmint\t" . strtoupper($key),
            "1 mint $key umbrella,acme\n", '2 mint ' . str_repeat('ab', 32) . " umbrella\n1 mint $key acme\n"];
        foreach ($texts as $text) {
            $this->files[] = $path = tempnam(sys_get_temp_dir(), 'hopcount-keys-');
            file_put_contents($path, $text);
            Bed::set(['key' => $path]);
            $this->assertSame([2, 5, 77, 1], $this->opened(Bed::mergeFields('Invoice Created', 5)['hopcount_pay_url']));
        }
    }

    public function test_a_key_that_whmcs_stored_encrypted(): void
    {
        Bed::set(['key' => 'sealed:' . base64_encode('1 mint ' . self::KEY)]);
        $this->assertSame([2, 5, 77, 1], $this->opened(Bed::mergeFields('Invoice Created', 5)['hopcount_pay_url']));
    }

    public function test_a_broken_whmcs_still_sends_mails(): void
    {
        Bed::$broken = ['GetInvoice', 'GetEmailTemplates', 'GetConfigurationValue', 'logActivity'];
        $got = Bed::mergeFields('Invoice Created', 5, ['whmcs_url' => Bed::SYSTEM, 'client_id' => 77]);
        $this->assertSame([2, 5, 77, 1], $this->opened($got['hopcount_pay_url']));
        foreach (['mod_hopcount_campaigns', 'mod_hopcount_state', 'mod_hopcount_queue', 'tbladdonmodules'] as $table) {
            WHMCS\Database\Capsule::schema()->drop($table);
            Bed::newProcess();
            $got = Bed::mergeFields('Invoice Created', 5, ['whmcs_url' => Bed::SYSTEM, 'client_id' => 77]);
            foreach (self::NAMES as $name) {
                $this->assertMatchesRegularExpression('#^https://(go|billing)\.acme\.example/#', $got[$name], $table);
            }
        }
        $this->assertSame(Bed::SYSTEM . 'index.php?rp=/invoice/5/pay', $got['hopcount_pay_url']);
    }

    public function test_before_it_is_set_up_mails_have_whmcs_own_links(): void
    {
        Bed::start([], false);
        $got = Bed::mergeFields('Invoice Created', 5);
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url']);
        Bed::start([]);
        $got = Bed::mergeFields('Invoice Created', 5);
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', $got['hopcount_view_url']);
        $this->assertSame([], Bed::$log);
    }

    public function test_new_templates_get_numbers_of_their_own(): void
    {
        $numbers = [];
        foreach (['A', 'B', 'A', 'Ä', 'Invoice Created'] as $name) {
            $numbers[] = $this->opened(Bed::mergeFields($name, 5, ['invoice_id' => 5])['hopcount_pay_url'])[3];
            Bed::newProcess();
        }
        $this->assertSame([17, 18, 17, 19, 1], $numbers);
    }

    public function test_deactivation_leaves_nothing_and_activation_is_repeatable(): void
    {
        $this->assertSame('success', hopcount_activate()['status'], 'a second time');
        hopcount_upgrade(['version' => '1.0']);
        $this->assertSame('success', hopcount_deactivate()['status']);
        $this->assertFalse(WHMCS\Database\Capsule::schema()->hasTable('mod_hopcount_queue'));
        $this->assertSame(Bed::SYSTEM . 'viewinvoice.php?id=5', Bed::mergeFields('Invoice Created', 5)['hopcount_view_url']);
    }

    public function test_settings_have_names_types_and_no_odd_default(): void
    {
        $config = hopcount_config();
        $this->assertSame([], array_diff(['name', 'description', 'version', 'author', 'language', 'fields'], array_keys($config)));
        foreach ($config['fields'] as $name => $field) {
            $this->assertContains($field['Type'], ['text', 'password', 'yesno', 'dropdown', 'radio', 'textarea'], $name);
            if ($field['Type'] === 'dropdown') {
                $values = is_array($field['Options']) ? array_keys($field['Options']) : explode(',', $field['Options']);
                $this->assertContains($field['Default'], $values, $name);
            }
        }
        /* What is stored is the same in each language. */
        $this->assertEqualsCanonicalizing(Settings::TTLS, array_keys($config['fields']['ttl']['Options']));
        Bed::staff('german');
        $german = hopcount_config();
        $this->assertSame(array_keys($config['fields']['ttl']['Options']), array_keys($german['fields']['ttl']['Options']));
        $this->assertSame(['15 Minuten', '1 Stunde', '6 Stunden', '1 Tag', '2 Tage'],
            array_slice(array_values($german['fields']['ttl']['Options']), 0, 5));
        $this->assertSame('unbegrenzt', $german['fields']['ttl']['Options']['never ends']);
    }
}
