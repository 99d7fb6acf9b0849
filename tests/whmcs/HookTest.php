<?php

use PHPUnit\Framework\TestCase;

/**
 * The WHMCS hook in a harness made from WHMCS's developer documentation; no live WHMCS is at hand.
 * EmailPreSend gives messagename, relid and mergefields, and takes key/value pairs.
 */
final class HookTest extends TestCase
{
    private const ROOT = __DIR__ . '/../..';
    private const SYSTEM = 'https://billing.acme.example/members/';
    private const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
    private const NAMES = ['hopcount_view', 'hopcount_pay', 'hopcount_login'];

    /** @var string */
    private $keys;

    protected function setUp(): void
    {
        $this->keys = tempnam(sys_get_temp_dir(), 'hopcount-keys-');
        file_put_contents($this->keys, '1 mint ' . self::KEY . "\n");
    }

    protected function tearDown(): void
    {
        @unlink($this->keys);
    }

    /** The outcome of a case (run_hook.php). */
    private function run_hook(array $case, array $php = []): array
    {
        $case['hook'] = self::ROOT . '/deploy/whmcs/hopcount.php';
        $case['constants'] = ($case['constants'] ?? []) + ['HOPCOUNT_KEYS' => $this->keys];
        $command = array_merge([PHP_BINARY, '-d', 'error_reporting=-1', '-d', 'display_errors=stderr'],
            $php, [__DIR__ . '/run_hook.php']);
        $pipes = [];
        $process = proc_open(implode(' ', array_map('escapeshellarg', $command)),
            [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
        fwrite($pipes[0], json_encode($case));
        fclose($pipes[0]);
        $out = stream_get_contents($pipes[1]);
        $errors = stream_get_contents($pipes[2]);
        $this->assertSame(0, proc_close($process), $out . $errors);
        $this->assertSame('', $errors);
        return json_decode($out, true);
    }

    private static function mail(string $name, $relid, array $fields = []): array
    {
        return ['messagename' => $name, 'relid' => $relid, 'mergefields' => $fields];
    }

    /** What is sealed in a link of the hook: [kind, object, client, campaign]. */
    private function opened(string $url, string $base = 'https://go.acme.example/'): array
    {
        $this->assertStringStartsWith($base, $url);
        $text = substr($url, strlen($base));
        $this->assertMatchesRegularExpression('/^[0-9a-hjkmnp-tv-z]{45}$/D', $text);
        $bits = '';
        foreach (str_split($text) as $digit) {
            $bits .= sprintf('%05b', strpos('0123456789abcdefghjkmnpqrstvwxyz', $digit));
        }
        $bytes = implode('', array_map('chr', array_map('bindec', str_split(substr($bits, 0, 224), 8))));
        $tag = substr($bytes, 1, 12);
        $pad = sodium_crypto_generichash("\x02\x01\x04acme" . $tag, hex2bin(self::KEY), 64);
        $plain = substr($bytes, 13) ^ substr($pad, 0, 15);
        $this->assertSame($tag,
            substr(sodium_crypto_generichash("\x01\x01\x04acme" . $plain, hex2bin(self::KEY), 32), 0, 12));
        $fields = unpack('Nobject/Nclient/ncampaign', substr($plain, 1));
        return [ord($plain) >> 4, $fields['object'], $fields['client'], $fields['campaign']];
    }

    /** WHMCS 8 may run on it; what came later is a parse error there, which stops WHMCS whole. */
    public function test_the_syntax_is_that_of_php_7_2(): void
    {
        $later = ['T_FN', 'T_COALESCE_EQUAL', 'T_MATCH', 'T_NULLSAFE_OBJECT_OPERATOR', 'T_ATTRIBUTE',
            'T_ENUM', 'T_READONLY'];
        $text = file_get_contents(self::ROOT . '/deploy/whmcs/hopcount.php');
        $last = '';
        foreach (token_get_all($text) as $token) {
            $name = is_array($token) ? token_name($token[0]) : $token;
            $this->assertNotContains($name, $later);
            if (is_array($token) && in_array($token[0], [T_LNUMBER, T_DNUMBER], true)) {
                $this->assertStringNotContainsString('_', $token[1]);
            }
            $this->assertFalse($name === ')' && $last === ',', 'a comma before a closing bracket');
            $last = in_array($name, ['T_WHITESPACE', 'T_COMMENT', 'T_DOC_COMMENT'], true) ? $last : $name;
        }
        $this->assertDoesNotMatchRegularExpression('/\b(mixed|never|static)\s+\$|\)\s*:\s*(mixed|never|static)\b/',
            preg_replace('/static \$said/', '', $text));
        $this->assertDoesNotMatchRegularExpression('/\b(str_contains|str_starts_with|array_is_list|array_key_first)\(/', $text);
    }

    public function test_the_vectors_hold(): void
    {
        $vectors = json_decode(file_get_contents(self::ROOT . '/proto/vectors/token.json'), true);
        $keys = array_column($vectors['keys'], 'key', 'kid');
        $tokens = [];
        foreach ($vectors['valid'] as $vector) {
            $tokens[] = [$vector['kid'], $keys[$vector['kid']], $vector['brand'], $vector['fields']];
        }
        $outcome = $this->run_hook(['tokens' => $tokens]);
        foreach ($vectors['valid'] as $i => $vector) {
            $this->assertSame($vector['token'], $outcome['tokens'][$i], $vector['name']);
        }
        $this->assertGreaterThan(20, count($tokens));
    }

    public function test_what_does_not_fit_into_a_token_is_refused(): void
    {
        $good = ['kind' => 2, 'object' => 5];
        $cases = [
            'kind 0' => ['kind' => 0] + $good,
            'kind 16' => ['kind' => 16] + $good,
            'a kind whose low bits are that of pay' => ['kind' => 4294967298] + $good,
            'an object over 32 bits' => ['object' => 4294967296] + $good,
            'a negative object' => ['object' => -1] + $good,
            'a client over 32 bits' => ['client' => 4294967296] + $good,
            'a campaign over 16 bits' => ['campaign' => 65536] + $good,
            'before 2024' => ['issued_min' => -1] + $good,
            'after 2055' => ['issued_min' => 16777216] + $good,
            'a ttl code over 15' => ['ttl_code' => 16] + $good,
            'a channel over 7' => ['channel' => 8] + $good,
            'variant 8' => ['variant' => 8] + $good,
            'an argument of 49 bytes' => ['arg' => str_repeat('a', 49)] + $good,
            'an argument with a slash' => ['arg' => 'a/b'] + $good,
            'an argument with a line feed behind it' => ['arg' => "a\n"] + $good,
        ];
        $tokens = [];
        foreach ($cases as $fields) {
            $tokens[] = [1, self::KEY, 'acme', $fields];
        }
        $outcome = $this->run_hook(['tokens' => $tokens]);
        foreach (array_keys($cases) as $i => $name) {
            $this->assertStringStartsWith('refused: ', $outcome['tokens'][$i], $name);
        }
    }

    public function invoice_mails(): array
    {
        $ids = ['client_id' => 77, 'invoice_id' => 5];
        return [
            'a built-in template' => ['Invoice Created', 5, $ids, [], 77, 1],
            'numbers as text' => ['Invoice Payment Reminder', '5', ['client_id' => '77'], [], 77, 2],
            'no client' => ['Third Invoice Overdue Notice', 5, [], [], 0, 5],
            'one of own making, by its type' => ['Zahlungserinnerung', 5, $ids, ['Zahlungserinnerung' => 'invoice'], 77, 0],
            'one of own making, by its fields' => ['Zahlungserinnerung', 5, $ids, [], 77, 0],
            'one of own making, and a broken database' => ['Zahlungserinnerung', 5, $ids, 'broken', 77, 0],
            'a custom message, which has no name' => ['', 5, $ids, [], 77, 0],
            'a service\'s mail that names an invoice' => ['Welcome', 9, $ids + ['service_id' => 9], ['Welcome' => 'product'], 77, 0],
            'no relid' => ['Invoice Created', null, $ids, [], 77, 1],
        ];
    }

    /** @dataProvider invoice_mails */
    public function test_a_mail_about_an_invoice_has_three_links($name, $relid, $fields, $types, $client, $campaign): void
    {
        $outcome = $this->run_hook(['types' => $types, 'calls' => [self::mail($name, $relid, $fields)],
            'system_url' => self::SYSTEM]);
        $this->assertSame(['EmailPreSend'], $outcome['hooks']);
        $got = $outcome['fields'][0];
        $this->assertSame(self::NAMES, array_keys($got));
        $this->assertSame([1, 5, $client, $campaign], $this->opened($got['hopcount_view']));
        $this->assertSame([2, 5, $client, $campaign], $this->opened($got['hopcount_pay']));
        $this->assertSame([3, $client, $client, $campaign], $this->opened($got['hopcount_login']));
        $this->assertCount($types === 'broken' ? 1 : 0, $outcome['log']);
    }

    public function other_mails(): array
    {
        $ids = ['client_id' => 77];
        return [
            'a service' => ['Hosting Account Welcome Email', 9, $ids, 'product', 77,
                'clientarea.php?action=productdetails&id=9'],
            'a domain' => ['Domain Renewal Confirmation', 9, $ids, 'domain', 77,
                'clientarea.php?action=domaindetails&id=9'],
            'a ticket' => ['Support Ticket Reply', 9, $ids, 'support', 77, 'supporttickets.php'],
            'a client' => ['Client Signup Email', 77, [], 'general', 77, null],
            'a quote' => ['Quote Delivery with PDF', 9, [], 'general', 0, null],
            'an affiliate' => ['Affiliate Monthly Referrals Report', 9, $ids, 'affiliate', 77, null],
            'nothing that is known' => ['Other', 9, [], null, 0, null],
            'a type to come' => ['Other', 9, [], 'parcel', 0, null],
        ];
    }

    /** relid is no invoice there: no link of it may lead to one.
     * @dataProvider other_mails */
    public function test_any_other_mail_has_fields_that_lead_somewhere($name, $relid, $fields, $type, $client, $page): void
    {
        $outcome = $this->run_hook(['types' => $type === null ? [] : [$name => $type],
            'calls' => [self::mail($name, $relid, $fields)], 'system_url' => self::SYSTEM]);
        $got = $outcome['fields'][0];
        $this->assertSame(self::NAMES, array_keys($got));
        $this->assertSame([3, $client, $client, 0], $this->opened($got['hopcount_login']));
        $this->assertSame(self::SYSTEM . ($page ?? 'clientarea.php'), $got['hopcount_view']);
        $this->assertSame(self::SYSTEM . 'clientarea.php?action=invoices', $got['hopcount_pay']);
        $this->assertSame([], $outcome['log']);
    }

    public function odd_variables(): array
    {
        return [
            'nothing' => [null],
            'a text' => ['Invoice Created'],
            'an empty list' => [[]],
            'fields that are null' => [['messagename' => 'Invoice Created', 'relid' => 5, 'mergefields' => null]],
            'a name that is a list' => [['messagename' => ['a'], 'relid' => 5, 'mergefields' => []]],
            'a relid that is a list' => [self::mail('Invoice Created', [5])],
            'a relid that is a text' => [self::mail('Invoice Created', '5; drop')],
            'a negative relid' => [self::mail('Invoice Created', -5)],
            'a relid over 32 bits' => [self::mail('Invoice Created', 4294967296)],
            'a relid of many digits' => [self::mail('Invoice Created', str_repeat('9', 400))],
            'a relid that is a fraction' => [self::mail('Invoice Created', 5.5)],
            'ids that are lists' => [self::mail('Other', 5, ['invoice_id' => [], 'client_id' => ['a' => 1]])],
            'an address that is none' => [self::mail('Other', 5, ['whmcs_url' => 'javascript:alert(1)'])],
            'a name with quotes and signs' => [self::mail('%s \'"; <b>$x', 5)],
        ];
    }

    /** @dataProvider odd_variables */
    public function test_odd_variables_make_no_empty_field_and_no_error($vars): void
    {
        foreach ([null, self::SYSTEM] as $system_url) {
            $outcome = $this->run_hook(['calls' => [$vars], 'system_url' => $system_url]);
            foreach (self::NAMES as $name) {
                $this->assertMatchesRegularExpression('#^https://(go|billing)\.acme\.example/#',
                    $outcome['fields'][0][$name]);
            }
        }
    }

    public function key_files(): array
    {
        $key = self::KEY;
        return [
            'not there' => [null, 'is not there, or PHP may not read it'],
            'empty' => ['', 'has no line: KID mint KEY'],
            'of verifying keys' => ["1 verify $key\n", 'has no line: KID mint KEY'],
            'with a short key' => ["1 mint abcd\n", 'has no line: KID mint KEY'],
            'with a kid over 255' => ["256 mint $key\n", 'has a kid that is not 1 to 255'],
            'with kid 0' => ["0 mint $key\n", 'has a kid that is not 1 to 255'],
            'for another brand' => ["1 mint $key umbrella\n", 'has a key that mints, but not for acme'],
            'no text' => ["\x00\xff\xfe\n", 'has no line: KID mint KEY'],
        ];
    }

    /** @dataProvider key_files */
    public function test_a_key_file_that_cannot_be_used_leaves_whmcs_own_links(?string $text, string $says): void
    {
        $mails = [self::mail('Invoice Created', 5), self::mail('Client Signup Email', 77)];
        unlink($this->keys);
        if ($text !== null) {
            file_put_contents($this->keys, $text);
        }
        $outcome = $this->run_hook(['calls' => $mails, 'system_url' => self::SYSTEM]);
        $this->assertSame([
            'hopcount_view' => self::SYSTEM . 'viewinvoice.php?id=5',
            'hopcount_pay' => self::SYSTEM . 'index.php?rp=/invoice/5/pay',
            'hopcount_login' => self::SYSTEM . 'clientarea.php',
        ], $outcome['fields'][0]);
        $this->assertSame(self::SYSTEM . 'clientarea.php', $outcome['fields'][1]['hopcount_login']);
        $this->assertCount(1, $outcome['log'], 'said once, not per mail');
        $this->assertStringContainsString($says, $outcome['log'][0]);
        $this->assertStringNotContainsString(substr(self::KEY, 0, 16), $outcome['log'][0]);
    }

    public function test_key_files_as_editors_save_them(): void
    {
        $key = self::KEY;
        $texts = ["\xef\xbb\xbf1 mint $key\r\n", "# keys\n\n2 verify $key\n\t1\tmint\t" . strtoupper($key),
            "1 mint $key umbrella,acme\n",
            "2 mint " . str_repeat('ab', 32) . " umbrella\n1 mint $key acme\n"];
        foreach ($texts as $text) {
            file_put_contents($this->keys, $text);
            $outcome = $this->run_hook(['calls' => [self::mail('Invoice Created', 5)]]);
            $this->assertSame([2, 5, 0, 1], $this->opened($outcome['fields'][0]['hopcount_pay']));
        }
    }

    public function test_without_sodium_mails_have_whmcs_own_links(): void
    {
        $outcome = $this->run_hook(['calls' => [self::mail('Invoice Created', 5)], 'system_url' => self::SYSTEM],
            ['-d', 'disable_functions=sodium_crypto_generichash']);
        $this->assertSame(self::SYSTEM . 'viewinvoice.php?id=5', $outcome['fields'][0]['hopcount_view']);
        $this->assertStringContainsString('no sodium extension', $outcome['log'][0]);
    }

    public function test_a_log_that_fails_stops_no_mail(): void
    {
        unlink($this->keys);
        $outcome = $this->run_hook(['calls' => [self::mail('Invoice Created', 5)], 'system_url' => self::SYSTEM,
            'log_fails' => true]);
        $this->assertSame(self::SYSTEM . 'viewinvoice.php?id=5', $outcome['fields'][0]['hopcount_view']);
    }

    public function own_addresses(): array
    {
        $link = 'https://other.example/viewinvoice.php?id=5';
        return [
            'WHMCS\'s setting' => [self::SYSTEM, [], self::SYSTEM . 'viewinvoice.php?id=5'],
            'without a slash at its end' => ['https://b.example', [], 'https://b.example/viewinvoice.php?id=5'],
            'the merge field comes first' => [self::SYSTEM, ['whmcs_url' => 'https://b.example/x/'],
                'https://b.example/x/viewinvoice.php?id=5'],
            'neither, but a link' => [null, ['invoice_link' => $link], $link],
            'neither, but an anchor' => [null, ['invoice_link' => "<a href=\"$link&amp;a=b\">$link</a>"], "$link&a=b"],
            'nothing' => [null, [], 'https://go.acme.example/'],
        ];
    }

    /** @dataProvider own_addresses */
    public function test_whmcs_address_is_found(?string $system_url, array $fields, string $want): void
    {
        unlink($this->keys);
        $outcome = $this->run_hook(['calls' => [self::mail('Invoice Created', 5, $fields)],
            'system_url' => $system_url]);
        $this->assertSame($want, $outcome['fields'][0]['hopcount_view']);
    }

    public function test_a_slash_at_the_end_of_the_base_url_is_not_doubled(): void
    {
        foreach (['https://go.acme.example', 'https://go.acme.example/', 'https://go.acme.example//'] as $base) {
            $outcome = $this->run_hook(['calls' => [self::mail('Invoice Created', 5)],
                'constants' => ['HOPCOUNT_BASE_URL' => $base]]);
            foreach (self::NAMES as $name) {
                $this->opened($outcome['fields'][0][$name]);
            }
        }
    }
}
