<?php

use WHMCS\Module\Addon\Hopcount\Checks;
use WHMCS\Module\Addon\Hopcount\Events;
use WHMCS\Module\Addon\Hopcount\LoginPage;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Text;

require_once __DIR__ . '/bed/BedCase.php';
require_once __DIR__ . '/bed/Service.php';

/** One invoice from the mail to the receipt, on the real service; prints what happened. */
final class JourneyTest extends BedCase
{
    private const TEMPLATE = "Dear {\$client_name},\n\ninvoice #{\$invoice_num} is due on {\$invoice_date_due}.\n\n"
        . "  Pay:     {\$hopcount_pay_url}\n  Look:    {\$hopcount_view_url}\n  Log in:  {\$hopcount_login_url}\n"
        . "  All due: {\$hopcount_balance_url}\n";

    private static function say(string $who, string $what): void
    {
        printf("%-12s %s\n", $who, $what);
    }

    /** As an administrator does it: activate, paste, look at the connection test, write to everybody. */
    public function test_from_the_installation_to_a_mail_of_each_type(): void
    {
        Bed::start([], false);
        $this->assertSame('success', hopcount_activate()['status']);
        $settings = array_map(static function ($field) {
            return $field['Default'] ?? '';
        }, hopcount_config()['fields']); // what WHMCS stores when the page is saved
        Bed::set(['base_url' => ' https://go.acme.example/ ', 'brand' => "acme ", 'key' => Service::get('key') . "\r\n",
            'api_url' => Service::get('admin') . '/ ', 'api_key' => ' ' . Service::get('api_key') . "\n",
            'login_links' => 'on'] + $settings);
        foreach ((new Checks(Settings::load(), Text::all()))->run() as list($how, $sentence)) {
            self::say('test', "$how: $sentence");
            $this->assertSame('good', $how, $sentence);
        }
        $id = 7500000 + getmypid() % 1000;
        Bed::$data['clients'][$id] = [];
        Bed::$data['invoices'][$id] = ['userid' => $id];
        $pay = 'clientarea.php?action=invoices'; // not counted
        $mails = [
            'Invoice Created' => [$id, "viewinvoice.php?id=$id", "index.php?rp=/invoice/$id/pay"],
            'Hosting Account Welcome Email' => [31, 'clientarea.php?action=productdetails&id=31', $pay],
            'Domain Renewal Confirmation' => [32, 'clientarea.php?action=domaindetails&id=32', $pay],
            'Support Ticket Reply' => [33, 'supporttickets.php', $pay],
            'Client Signup Email' => [$id, 'clientarea.php', $pay],
            'Affiliate Monthly Referrals Report' => [34, 'clientarea.php', $pay],
        ];
        foreach ($mails as $name => list($relid, $view, $pay)) {
            $text = Bed::mail("{\$hopcount_view_url}\n{\$hopcount_pay_url}\n{\$hopcount_login_url}\n{\$hopcount_balance_url}",
                $name, $relid, ['client_id' => $id]);
            $leads = array_map(static function (string $url): string {
                return strpos($url, 'https://go.acme.example/') === 0 ? Service::follow($url)[1] : $url;
            }, explode("\n", $text));
            $leads[2] = substr($leads[2], 0, strpos($leads[2], '&token='));
            self::say('mail', $name . ': ' . str_replace(Bed::SYSTEM, '', implode('  ', $leads)));
            $this->assertSame([Bed::SYSTEM . $view, Bed::SYSTEM . $pay, Bed::SYSTEM . 'index.php?m=hopcount',
                Bed::SYSTEM . 'clientarea.php?action=masspay&all=true'], $leads, $name);
        }
        $this->assertSame([], Bed::$log);
        Bed::fire('AfterCronJob');
        $this->assertSame(0, Events::counts()['waiting']);
    }

    public function test_from_the_mail_to_the_receipt(): void
    {
        Bed::start(Service::settings(['brands' => '']));
        $id = 7000000 + getmypid() % 1000;
        Bed::$data['clients'][$id] = [];
        Bed::$data['invoices'][$id] = ['userid' => $id, 'duedate' => gmdate('Y-m-d', time() + 14 * 86400)];
        WHMCS\Database\Capsule::table('tblusers')->insert(['id' => 500 + $id, 'second_factor' => '']);
        Bed::fire('AfterCronJob');
        $mail = Bed::mail(self::TEMPLATE, 'Invoice Payment Reminder', $id, ['client_name' => 'Ada <b>Lovelace</b>',
            'client_id' => $id, 'invoice_id' => $id, 'invoice_num' => $id, 'invoice_date_due' => '11/12/2026']);
        self::say('mail', "\n" . preg_replace('/^/m', '    ', $mail));
        $this->assertSame(4, preg_match_all('#https://go\.acme\.example/[0-9a-z]{45}#', $mail, $found));
        list($pay, $view, $login, $balance) = $found[0];
        self::say('stored copy', preg_match('#Log in: +(\S+)#', Bed::logged($mail), $stored) ? "log in: {$stored[1]}" : '');
        $this->assertSame(Bed::SYSTEM . 'clientarea.php', $stored[1]);

        foreach (['pay' => $pay, 'look' => $view, 'all due' => $balance] as $name => $link) {
            list($status, $target) = Service::follow($link);
            self::say('client', "$name: $status $target");
            $this->assertSame(302, $status);
        }
        Bed::$data['transactions'][$id] = [31];
        Bed::$data['invoices'][$id] = ['status' => 'Paid', 'balance' => '0.00'] + Bed::$data['invoices'][$id];
        Bed::fire('InvoicePaid', ['invoiceid' => $id, 'invoice' => new WHMCS\Billing\Invoice()]);
        self::say('WHMCS', "InvoicePaid $id");
        $target = Service::waitFor(static function () use ($pay) {
            $target = Service::follow($pay)[1];
            return strpos($target, 'viewinvoice.php') !== false ? $target : null;
        }, 'the pay link leads to the receipt');
        self::say('client', "pay, again: 302 $target");
        $this->assertSame(Bed::SYSTEM . "viewinvoice.php?id=$id", $target);

        list($status, $target) = Service::follow($login);
        self::say('client', "log in: $status " . substr($target, 0, -35) . '…');
        parse_str(parse_url($target, PHP_URL_QUERY), $query);
        $page = static function (string $method, array $request) {
            return (new LoginPage(Settings::load(), Text::all(), $request + ['get' => [], 'post' => [], 'cookie' => [],
                'method' => $method]))->answer();
        };
        $look = $page('GET', ['get' => $query]);
        self::say('module', "page: {$look['view']['hopcount_title']}");
        $press = ['post' => ['link' => $query['token'], 'view' => $look['cookie']],
            'cookie' => [LoginPage::COOKIE => $look['cookie']]];
        $done = $page('POST', $press);
        self::say('module', 'press: 303 ' . $done['redirect']);
        $this->assertStringContainsString('singlesignon.php', $done['redirect']);
        $view = str_repeat('1', 32);
        $again = $page('POST', ['post' => ['view' => $view] + $press['post'], 'cookie' => [LoginPage::COOKIE => $view]]);
        self::say('module', "another press: {$again['view']['hopcount_title']}");
        $this->assertSame('used', $again['what']);
        $clicks = Service::waitFor(static function () use ($id) {
            $clicks = Service::api('GET', "/v1/objects/$id?brand=acme")[1]['clicks'];
            return $clicks['total'] >= 4 ? $clicks : null;
        }, 'the clicks');
        self::say('hopcount', "invoice $id: {$clicks['total']} clicks");
    }
}
