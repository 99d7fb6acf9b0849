<?php

use WHMCS\Database\Capsule;
use WHMCS\Module\Addon\Hopcount\Events;
use WHMCS\Module\Addon\Hopcount\Store;

require_once __DIR__ . '/bed/BedCase.php';
require_once __DIR__ . '/bed/Service.php';

/** Payments, passwords and mails become events, in order and once; the service is the real one. */
final class EventsTest extends BedCase
{
    /** @var int numbers that no other test uses: the service remembers events of all tests */
    private static $next = 10000;

    protected function setUp(): void
    {
        Bed::start(Service::settings());
    }

    /** A new invoice of a new client. */
    private static function invoice(array $more = []): int
    {
        $id = ++self::$next + getmypid() % 1000 * 1000;
        Bed::$data['clients'][$id] = [];
        Bed::$data['invoices'][$id] = $more + ['userid' => $id];
        return $id;
    }

    private static function rows(array $where): array
    {
        return Capsule::table(Store::QUEUE)->where($where)->orderBy('id')->get()->all();
    }

    private static function types(int $invoice): array
    {
        return array_map(static function ($row) {
            return json_decode($row->body, true)['type'];
        }, self::rows(['subject' => "invoice:$invoice"]));
    }

    /** What a link of an invoice leads to and the state that the service knows. */
    private static function state(int $invoice)
    {
        list(, $link) = Service::api('POST', '/v1/links', ['brand' => 'acme', 'kind' => 'pay', 'object' => $invoice,
            'client' => $invoice, 'silent' => true]);
        return Service::api('GET', '/v1/links/' . $link['token'])[1];
    }

    private static function paid(int $id): array
    {
        return ['invoiceid' => $id, 'invoice' => new WHMCS\Billing\Invoice()];
    }

    public function test_a_payment_is_known_at_the_service_at_once(): void
    {
        $id = self::invoice(['total' => '19.99']);
        Bed::$data['transactions'][$id] = [901];
        Bed::fire('AddInvoicePayment', ['invoiceid' => $id]); // InvoicePaid is about to tell it
        Bed::$data['invoices'][$id] = ['status' => 'Paid', 'balance' => '0.00'] + Bed::$data['invoices'][$id];
        foreach ([1, 2, 3] as $time) {
            Bed::fire('InvoicePaid', self::paid($id));
            Bed::newProcess();
        }
        $this->assertSame(['invoice.paid'], self::types($id), 'hooks fire more than once');
        $row = self::rows(['subject' => "invoice:$id"])[0];
        $this->assertSame('sent', $row->status);
        $body = json_decode($row->body, true);
        $this->assertSame(['acme', $id, $id, 1999, 'EUR'],
            [$body['brand'], $body['object'], $body['client'], $body['amount'], $body['currency']]);
        $link = Service::waitFor(static function () use ($id) {
            $link = self::state($id);
            return $link['state'] === 'paid' ? $link : null;
        }, 'the payment');
        $this->assertStringContainsString('viewinvoice.php', $link['target'], 'the receipt');
    }

    public function test_what_becomes_of_an_invoice_in_order(): void
    {
        $id = self::invoice(['total' => '100.50', 'balance' => '60.25']);
        Bed::$data['transactions'][$id] = [11];
        Bed::fire('AddInvoicePayment', ['invoiceid' => $id]);
        Bed::fire('AddInvoicePayment', ['invoiceid' => $id]);
        Bed::$data['transactions'][$id] = [11, 12];
        Bed::$data['invoices'][$id] = ['status' => 'Paid', 'balance' => 0] + Bed::$data['invoices'][$id];
        Bed::fire('InvoicePaid', self::paid($id));
        Bed::fire('InvoiceUnpaid', ['invoiceid' => $id]);
        Bed::fire('InvoicePaid', self::paid($id));
        Bed::fire('InvoiceRefunded', ['invoiceid' => $id]);
        Bed::fire('InvoiceRefunded', ['invoiceid' => $id]);
        Bed::fire('InvoiceCancelled', ['invoiceid' => $id]);
        $this->assertSame(['invoice.partly_paid', 'invoice.paid', 'invoice.unpaid', 'invoice.paid',
            'invoice.refunded', 'invoice.cancelled'], self::types($id));
        $rows = self::rows(['subject' => "invoice:$id"]);
        $amounts = array_map(static function ($row) {
            return json_decode($row->body, true)['amount'] ?? null;
        }, $rows);
        $this->assertSame([4025, 6025, null, 10050, null, null], $amounts, 'a part, the rest, and all of it again');
        $this->assertCount(6, array_unique(array_column($rows, 'event')));
        $this->assertSame(['sent'], array_values(array_unique(array_column($rows, 'status'))));
        Service::waitFor(static function () use ($id) {
            return self::state($id)['state'] === 'cancelled';
        }, 'the last state');
    }

    public function test_amounts_of_currencies_without_decimals_and_of_none(): void
    {
        $id = self::invoice(['total' => 1500, 'balance' => 0, 'status' => 'Paid']);
        Bed::$data['clients'][$id] = ['currency_code' => 'JPY'];
        Bed::fire('InvoicePaid', self::paid($id));
        $this->assertSame(1500, json_decode(self::rows(['subject' => "invoice:$id"])[0]->body, true)['amount']);
        $id = self::invoice(['userid' => 0]);
        Bed::fire('InvoicePaid', self::paid($id));
        $body = json_decode(self::rows(['subject' => "invoice:$id"])[0]->body, true);
        $this->assertSame([false, false], [isset($body['amount']), isset($body['client'])]);
    }

    public function test_hooks_of_a_deleted_invoice_and_odd_fields_tell_nothing(): void
    {
        Bed::fire('InvoicePaid', self::paid(4242424));
        Bed::fire('InvoiceUnpaid', ['invoiceid' => 'x']);
        Bed::fire('InvoiceCancelled', ['invoiceid' => null]);
        Bed::fire('ClientClose', ['userid' => []]);
        Bed::$broken = ['GetInvoice'];
        Bed::fire('InvoicePaid', self::paid(5));
        $this->assertSame([], self::rows([]));
        $this->assertSame([], Bed::$log);
    }

    public function test_while_the_service_is_away_events_wait_and_then_go_in_order_once(): void
    {
        $ids = [self::invoice(), self::invoice(), self::invoice()];
        Bed::set(['api_url' => 'http://127.0.0.1:9']); // nobody listens there
        foreach (['InvoicePaid', 'InvoiceUnpaid'] as $hook) {
            foreach ($ids as $id) {
                $started = microtime(true);
                Bed::fire($hook, $hook === 'InvoicePaid' ? self::paid($id) : ['invoiceid' => $id]);
                $this->assertLessThan(2, microtime(true) - $started);
                Bed::newProcess();
            }
        }
        $this->assertCount(6, self::rows(['status' => 'waiting']));
        Bed::fire('AfterCronJob');
        $this->assertCount(6, self::rows(['status' => 'waiting', 'kind' => 'event']));
        Bed::set(['api_url' => Service::get('admin')]);
        Bed::fire('AfterCronJob');
        $this->assertCount(6, self::rows(['status' => 'waiting', 'kind' => 'event']), 'it is asked again in a minute');
        WHMCS\Module\Addon\Hopcount\Api::endPause();
        Bed::fire('AfterCronJob');
        $this->assertSame([], self::rows(['status' => 'waiting']));
        foreach ($ids as $id) {
            Service::waitFor(static function () use ($id) {
                return self::state($id)['state'] === 'unpaid';
            }, "the last of both of $id");
        }
    }

    public function test_an_answer_that_was_lost_makes_no_second_event(): void
    {
        $id = self::invoice();
        Bed::fire('InvoicePaid', self::paid($id));
        Capsule::table(Store::QUEUE)->where('subject', "invoice:$id")->update(['status' => 'waiting']);
        $row = self::rows(['subject' => "invoice:$id"])[0];
        Service::waitFor(static function () use ($id) {
            return self::state($id)['state'] === 'paid';
        }, 'the payment is counted');
        $again = Service::api('POST', '/v1/events', [['id' => $row->event] + json_decode($row->body, true)])[1];
        $this->assertSame('duplicate', $again[0]['outcome'], 'the service knows it by its id');
        Bed::fire('AfterCronJob');
        $this->assertSame('sent', self::rows(['subject' => "invoice:$id"])[0]->status);
    }

    public function test_who_has_the_lock_sends_alone(): void
    {
        $this->assertTrue(Store::lock('flush', 60));
        $this->assertFalse(Store::lock('flush', 60));
        Bed::fire('InvoicePaid', self::paid(self::invoice()));
        $this->assertCount(1, self::rows(['status' => 'waiting']));
        Store::unlock('flush');
        Bed::fire('AfterCronJob');
        $this->assertSame([], self::rows(['status' => 'waiting']));
    }

    public function test_what_the_service_refuses_is_kept_with_its_reason_and_does_not_block(): void
    {
        $id = self::invoice();
        Bed::set(['brand' => 'nobody']);
        Bed::fire('InvoicePaid', self::paid($id));
        $this->assertSame('refused', self::rows(['subject' => "invoice:$id"])[0]->status);
        $this->assertStringContainsString('was refused', implode("\n", Bed::$log));
        Bed::set(['brand' => 'acme']);
        $id = self::invoice();
        Bed::fire('InvoicePaid', self::paid($id));
        $this->assertSame('sent', self::rows(['subject' => "invoice:$id"])[0]->status);
    }

    public function test_a_key_that_is_wrong_or_may_not_keeps_events_waiting(): void
    {
        foreach (['x' . Service::get('api_key'), Service::get('reader_key')] as $key) {
            Bed::start(Service::settings(['api_key' => $key]));
            $id = self::invoice();
            Bed::fire('InvoicePaid', self::paid($id));
            $this->assertSame('waiting', self::rows(['subject' => "invoice:$id"])[0]->status);
            $this->assertStringContainsString('events wait in a table', implode("\n", Bed::$log));
        }
    }

    public function test_a_new_password_and_a_closed_account_void_links(): void
    {
        foreach (['ClientChangePassword' => ['password' => 'x'], 'ClientClose' => []] as $hook => $more) {
            $id = self::invoice();
            $link = Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url'];
            $this->assertSame(302, Service::follow($link)[0]);
            Bed::fire($hook, ['userid' => $id] + $more);
            $this->assertSame([], self::rows(['kind' => 'revocation']), 'sent, so it is gone');
            Service::waitFor(static function () use ($link) {
                return Service::follow($link)[0] !== 302;
            }, "$hook voids links");
        }
    }

    public function test_a_new_password_voids_login_links_only_when_so_set(): void
    {
        Bed::set(['on_password' => 'login links only']);
        Bed::fire('ClientChangePassword', ['userid' => 77, 'password' => 'x']);
        $this->assertSame([], self::rows([]));
        $this->assertGreaterThan(time() - 60, Store::get('password:client:77'));
    }

    public function test_a_users_new_password_voids_the_links_of_its_clients(): void
    {
        $user = end(Bed::$data['users'])['id'];
        Bed::fire('UserChangePassword', ['userid' => $user, 'password' => 'x']);
        $this->assertCount(1, self::rows(['kind' => 'user']));
        Capsule::table(Store::QUEUE)->where('kind', 'user')->update(['body' => json_encode(['user' => $user,
            'at' => strtotime('2026-11-28T12:00:00Z')])]); // links of that minute are made before it
        $this->assertGreaterThan(time() - 60, Store::get("password:user:$user"));
        Bed::set(['api_url' => 'http://127.0.0.1:9']);
        Bed::fire('AfterCronJob');
        $rows = self::rows(['kind' => 'revocation']);
        $this->assertSame(['acme', 'umbrella'], array_map(static function ($row) {
            return json_decode($row->body, true)['brand'];
        }, $rows), 'at all brands');
        $this->assertSame("client:" . ($user - 500), $rows[0]->subject);
        $this->assertSame('2026-11-28T12:00:01.000Z', json_decode($rows[0]->body, true)['issued_before']);
        WHMCS\Module\Addon\Hopcount\Api::endPause();
        Bed::set(['api_url' => Service::get('admin')]);
        Bed::fire('AfterCronJob');
        $this->assertSame([], self::rows([]));
    }

    public function test_campaigns_are_named_by_their_templates(): void
    {
        Bed::mergeFields("Reminder \x01 with  <b> & \"quotes\"", 5, ['client_id' => 77]);
        Bed::fire('AfterCronJob');
        Bed::fire('AfterCronJob');
        $names = array_column(Service::api('GET', '/v1/campaigns?brand=acme')[1]['campaigns'], 'name', 'id');
        $this->assertSame('Invoice Created', $names[1]);
        $this->assertSame('Invoice Refund Confirmation', $names[16]);
        $this->assertContains('Reminder   with  <b> & "quotes"', $names);
        $this->assertSame([], self::rows([]), 'named once');
    }

    public function test_what_a_client_chose_is_told_and_holds_for_mails_sent_before(): void
    {
        Bed::set(['opt_out_marketing' => 'on']);
        $id = self::invoice();
        $link = Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url'];
        Bed::$data['clients'][$id]['isOptedInToMarketingEmails'] = false;
        $fields = array_fill_keys((require __DIR__ . '/bed/documented.php')['hooks']['ClientEdit'], '');
        Bed::fire('ClientEdit', ['userid' => $id] + $fields);
        Service::waitFor(static function () use ($link) {
            return Service::api('GET', '/v1/links/' . rawurlencode($link) . '?brand=acme')[1]['opted_out'];
        }, 'the opt-out');
        $this->assertSame(302, Service::follow($link)[0], 'the link leads there all the same');
        $this->assertStringNotContainsString('go.acme', Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url']);
    }

    public function test_who_opts_out_at_the_service_has_plain_links_until_opting_in(): void
    {
        $id = self::invoice();
        list(, $link) = Service::api('POST', '/v1/links', ['brand' => 'acme', 'kind' => 'opt_out', 'client' => $id]);
        $this->assertStringStartsWith('https://go.acme', Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url']);
        $this->assertSame(200, Service::press($link['url'])[0]);
        Service::waitFor(static function () use ($id) {
            Bed::fire('AfterCronJob');
            return strpos(Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url'], 'https://go.acme') !== 0;
        }, 'the opt-out');
        $fields = ['userid' => $id] + array_fill_keys((require __DIR__ . '/bed/documented.php')['hooks']['ClientEdit'], '');
        Bed::set(['opt_out_field' => '3']);
        Bed::fire('ClientEdit', $fields);
        $this->assertStringStartsWith(Bed::SYSTEM, Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url'],
            'another edit leaves it alone');
        foreach (['on', ''] as $value) {
            Bed::$data['clients'][$id]['customfields'] = [['id' => 3, 'value' => $value]];
            Bed::fire('ClientEdit', $fields);
        }
        Bed::fire('AfterCronJob');
        $this->assertStringStartsWith('https://go.acme', Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url']);
        $this->assertSame(['client.opted_out', 'client.opted_in'], array_values(array_unique(array_map(static function ($row) {
            return json_decode($row->body, true)['type'];
        }, self::rows(['subject' => "client:$id"])))), 'each choice is told once');
    }

    public function test_a_fresh_link_for_an_expired_one_is_the_mail_once_more(): void
    {
        $sent = static function (): array {
            return array_values(array_filter(Bed::$calls, static function ($call) {
                return $call[0] === 'SendEmail';
            }));
        };
        Bed::$data['templates'] += ['Invoice Payment Reminder' => 'invoice'];
        $key = hex2bin(substr(Service::get('key'), 7));
        $ask = static function (int $id, array $fields) use ($key): void {
            Service::press('https://go.acme.example/' . WHMCS\Module\Addon\Hopcount\Token::seal(1, $key, 'acme', $fields
                + ['object' => $id, 'client' => $id, 'kind' => 2, 'ttl_code' => 1, 'campaign' => 2, 'issued_min' => 1000000]));
        };
        $paid = self::invoice(['status' => 'Paid']);
        $other = self::invoice();
        $id = self::invoice();
        $ask($paid, []);
        $ask($other, ['campaign' => 60000]);
        $ask($id, []);
        Service::waitFor(static function () use ($sent) {
            Bed::fire('AfterCronJob');
            return count($sent()) > 0;
        }, 'the mail');
        Bed::newProcess();
        Bed::fire('AfterCronJob');
        Store::set('told', '0-0', 60);
        Bed::fire('AfterCronJob');
        $this->assertSame([['SendEmail', ['messagename' => 'Invoice Payment Reminder', 'id' => $id]]], $sent(), 'once');
        $log = implode("\n", Bed::$log);
        $this->assertStringContainsString("client $id asked for a fresh link: \"Invoice Payment Reminder\" was sent again", $log);
        $this->assertStringContainsString("client $paid asked for a fresh link, for which no mail", $log);
        $this->assertStringContainsString("client $other asked for a fresh link, for which no mail", $log);
    }

    /** WHMCS's cron an hour later. */
    private static function cronLater(): void
    {
        Capsule::table(Store::INVOICES)->update(['looked_at' => 0]);
        Bed::newProcess();
        Bed::fire('AfterCronJob');
    }

    private static function change(int $id, array $fields): void
    {
        Bed::$data['invoices'][$id] = $fields + Bed::$data['invoices'][$id];
    }

    /** [type, amount] of what was told of an invoice. */
    private static function told(int $invoice): array
    {
        return array_map(static function ($row) {
            $body = json_decode($row->body, true);
            return [substr($body['type'], 8), $body['amount'] ?? null];
        }, self::rows(['subject' => "invoice:$invoice"]));
    }

    /** [fields and transactions of an invoice, those of later, what is told]. */
    private static function changesWithoutAHook(): array
    {
        $paid = ['status' => 'Paid', 'balance' => '0.00'];
        $tx = [[31, '19.99', '0.00']];
        return [
            'nothing changes' => [[], [], [], [], []],
            'a part is paid, of which a hook tells' => [[], [], ['balance' => '9.99'], [[31, '10.00', '0.00']], []],
            'a credit note over all of it' => [[], [], ['balance' => '0.00'], [], [['credited', 1999]]],
            'one that the total shows' => [[], [], ['total' => '0.00', 'balance' => '0.00'], [], [['credited', 1999]]],
            'over a part of it: there is still something to pay' => [[], [], ['balance' => '9.99'], [], []],
            'the client\'s own credit is no note' => [[], [], ['balance' => '9.99', 'credit' => '10.00'], [], []],
            'nor where the total is without it' => [[], [], ['balance' => '9.99', 'credit' => '10.00', 'total' => '9.99'], [], []],
            'a late fee' => [[], [], ['balance' => '24.99', 'total' => '24.99'], [], []],
            'a credit note after the payment' => [$paid, $tx, ['balance' => '-5.00'], $tx, [['credited', 500]]],
            'after the payment, of which the total tells' => [$paid, $tx, ['total' => '14.99', 'balance' => '-5.00'], $tx, [['credited', 500]]],
            'a debit note after the payment' => [$paid, $tx, ['balance' => '5.00'], $tx, [['partly_paid', 0]]],
            'a refund of a part, which GetTransactions shows' => [$paid, $tx, ['balance' => '5.00'], [[31, '19.99', '0.00'], [32, '0.00', '5.00']], []],
            'paid, and no hook fired' => [[], [], $paid, $tx, [['paid', 1999]]],
            'cancelled' => [[], [], ['status' => 'Cancelled'], [], [['cancelled', null]]],
            'refunded' => [$paid, $tx, ['status' => 'Refunded'], $tx, [['refunded', null]]],
            'paid no more' => [$paid, $tx, ['status' => 'Unpaid', 'balance' => '19.99'], [], [['unpaid', null]]],
            'a draft that is published' => [['status' => 'Draft'], [], ['status' => 'Unpaid'], [], []],
            'a payment that waits' => [[], [], ['status' => 'Payment Pending'], [], []],
        ];
    }

    public function test_what_changes_without_a_hook_is_seen_by_cron(): void
    {
        foreach (self::changesWithoutAHook() as $name => list($before, $payments, $after, $morePayments, $told)) {
            $id = self::invoice($before);
            Bed::$data['transactions'][$id] = $payments;
            Bed::mergeFields('Invoice Created', $id);
            self::cronLater();
            $this->assertSame([], self::told($id), "$name: the first look only looks");
            self::change($id, $after);
            Bed::$data['transactions'][$id] = $morePayments;
            self::cronLater();
            self::cronLater();
            $this->assertSame($told, self::told($id), $name);
        }
        $this->assertSame(['sent'], array_values(array_unique(array_column(self::rows(['kind' => 'event']), 'status'))));
    }

    public function test_a_credited_invoice_is_one_at_the_service(): void
    {
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id);
        self::cronLater();
        self::change($id, ['balance' => '0.00']);
        self::cronLater();
        $link = Service::waitFor(static function () use ($id) {
            $link = self::state($id);
            return $link['state'] === 'credited' ? $link : null;
        }, 'the credit note');
        $this->assertStringContainsString("viewinvoice.php?id=$id", $link['target'], 'nothing is to be paid');
    }

    public function test_a_credit_note_over_a_part_is_no_part_of_the_payment(): void
    {
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id);
        self::cronLater();
        self::change($id, ['balance' => '14.99']);
        self::cronLater();
        self::change($id, ['balance' => '4.99']);
        Bed::$data['transactions'][$id] = [[51, '10.00', '0.00']];
        Bed::fire('AddInvoicePayment', ['invoiceid' => $id]);
        self::change($id, ['balance' => '0.00', 'status' => 'Paid']);
        Bed::$data['transactions'][$id][] = [52, '4.99', '0.00'];
        Bed::fire('InvoicePaid', self::paid($id));
        self::cronLater();
        $this->assertSame([['partly_paid', 1000], ['paid', 499]], self::told($id));
    }

    public function test_a_hook_and_the_cron_tell_a_change_once(): void
    {
        foreach (['the hook is first', 'the cron is first'] as $order) {
            $id = self::invoice();
            Bed::mergeFields('Invoice Created', $id);
            self::cronLater();
            self::change($id, ['balance' => '0.00', 'status' => 'Paid']);
            Bed::$data['transactions'][$id] = $order === 'the hook is first' ? [] : [61];
            foreach ($order === 'the hook is first' ? [1, 2] : [2, 1] as $step) {
                if ($step === 1) {
                    Bed::fire('InvoicePaid', self::paid($id));
                    Bed::$data['transactions'][$id] = [61];
                } else {
                    self::cronLater();
                }
            }
            $this->assertSame([['paid', 1999]], self::told($id), $order);
        }
    }

    public function test_invoices_are_looked_at_for_a_time_and_within_a_time(): void
    {
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id);
        Bed::mergeFields('Invoice Payment Reminder', $id);
        Bed::mergeFields('Client Signup Email', $id);
        $this->assertSame([$id], Capsule::table(Store::INVOICES)->pluck('id')->all());
        $asked = static function (): int {
            return count(array_filter(Bed::$calls, static function ($call) {
                return $call[0] === 'GetTransactions';
            }));
        };
        Bed::fire('AfterCronJob');
        Bed::fire('AfterCronJob');
        $this->assertSame(1, $asked(), 'once an hour');
        Bed::$broken = ['GetTransactions'];
        self::change($id, ['balance' => '0.00']);
        self::cronLater();
        Bed::$broken = [];
        self::cronLater();
        $this->assertSame([['credited', 1999]], self::told($id), 'what could not be asked is asked again');
        unset(Bed::$data['invoices'][$id]);
        self::cronLater();
        $this->assertSame(0, Capsule::table(Store::INVOICES)->count(), 'a deleted invoice is forgotten');
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id);
        Bed::fire('DailyCronJob');
        $this->assertSame(1, Capsule::table(Store::INVOICES)->count());
        Capsule::table(Store::INVOICES)->update(['mailed_at' => time() - WHMCS\Module\Addon\Hopcount\Notes::KEPT_S - 1]);
        Bed::fire('DailyCronJob');
        $this->assertSame(0, Capsule::table(Store::INVOICES)->count());
    }

    public function test_tables_of_an_older_version_are_completed_by_cron(): void
    {
        Capsule::schema()->drop(Store::INVOICES);
        $id = self::invoice();
        $this->assertStringStartsWith('https://go.acme', Bed::mergeFields('Invoice Created', $id)['hopcount_pay_url']);
        Bed::fire('AfterCronJob');
        Bed::mergeFields('Invoice Payment Reminder', $id);
        $this->assertSame(1, Capsule::table(Store::INVOICES)->count());
    }

    public function test_old_rows_go(): void
    {
        $id = self::invoice();
        Bed::fire('InvoicePaid', self::paid($id));
        Bed::fire('DailyCronJob');
        $this->assertCount(1, self::rows(['subject' => "invoice:$id"]));
        Capsule::table(Store::QUEUE)->update(['made_at' => time() - Events::KEPT_S - 1]);
        Bed::fire('DailyCronJob');
        $this->assertSame([], self::rows([]));
    }

    public function test_events_of_a_second_brand_go_to_it(): void
    {
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id, ['company_name' => 'Umbrella Inc']);
        Bed::fire('InvoicePaid', self::paid($id));
        $this->assertSame('umbrella', json_decode(self::rows(['subject' => "invoice:$id"])[0]->body, true)['brand']);
    }

    public function test_nothing_is_told_when_it_is_switched_off(): void
    {
        Bed::set(['send_events' => '']);
        $id = self::invoice();
        Bed::mergeFields('Invoice Created', $id);
        Bed::fire('InvoicePaid', self::paid($id));
        $this->assertSame([], self::rows([]));
    }
}
