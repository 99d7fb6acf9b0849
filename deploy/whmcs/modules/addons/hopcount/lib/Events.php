<?php

namespace WHMCS\Module\Addon\Hopcount;

use WHMCS\Database\Capsule;

/**
 * What hopcount is told: what became of invoices, whose links are void, which mails went out, names of
 * campaigns.  Everything is put into a table first and sent from there, in order; what is about an
 * invoice or a client at once, if the service answers, the rest by WHMCS's cron.
 *
 * Hooks fire two or three times for one thing, before or after WHMCS has changed the status.  A change
 * of an invoice is noted once: the same hook and transaction as of the last noted change is a repetition.
 * The id of an event is made of them, of the invoice and of a running number, so that hopcount counts
 * once what is sent twice, and an invoice that is paid, unpaid and paid again is paid.
 */
final class Events
{
    const NOW_S = 0.3; // how long a hook may take to send
    const CRON_S = 20.0;
    const BATCH = 500; // events in a request
    const KEPT_S = 7776000; // changes of invoices are kept to tell repetitions
    const NOTE_MAX = 250;
    const APART_S = 0.07;

    // --- hooks ---

    /** InvoicePaid, InvoiceUnpaid, InvoiceCancelled, InvoiceRefunded: `$type` is the event's. */
    public static function onInvoice(string $type, $vars)
    {
        $id = Whmcs::id(is_array($vars) ? $vars['invoiceid'] ?? null : null);
        $invoice = $id > 0 ? Whmcs::invoice($id) : false;
        if (is_array($invoice)) {
            self::tellInvoice($type, $id, $invoice);
        }
    }

    /** AddInvoicePayment: a part of an invoice, or what InvoicePaid is about to tell as well. */
    public static function onPayment($vars)
    {
        $id = Whmcs::id(is_array($vars) ? $vars['invoiceid'] ?? null : null);
        $invoice = $id > 0 ? Whmcs::invoice($id) : false;
        if (is_array($invoice) && $invoice['status'] !== 'Paid' && $invoice['balance'] > 0
            && $invoice['balance'] < $invoice['total']) {
            self::tellInvoice('invoice.partly_paid', $id, $invoice);
        }
    }

    /** ClientChangePassword (a client), ClientClose (a client). */
    public static function onClient(string $why, $vars)
    {
        $client = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        if ($client > 0) {
            self::voidClient(Settings::load(), $why, $client, time());
            self::flushNow(Settings::load());
        }
    }

    /** UserChangePassword: a user of WHMCS 8, who may belong to several clients. */
    public static function onUserPassword($vars)
    {
        $user = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        if ($user > 0) {
            Store::set("password:user:$user", time(), self::KEPT_S * 5);
            self::put("user-$user-" . time(), 'user', "user:$user", ['user' => $user, 'at' => time()]);
        }
    }

    // --- what is told ---

    /**
     * A change of an invoice.  `$amount` is what it is about, in the client's currency; without one it is
     * worked out for payments.
     */
    public static function tellInvoice(string $type, int $id, array $invoice, $amount = null)
    {
        $settings = Settings::load();
        if (!$settings->isOn('send_events') || $settings->apiUrl() === '') {
            return;
        }
        $transactions = Whmcs::transactions($id);
        /* Of two notes without a payment between them the second is told by what is left to pay. */
        $seen = $type . ' ' . ($transactions['last'] ?? 0) . ($amount === null ? '' : " $amount {$invoice['balance']}");
        $last = null;
        $parts = 0; // what was told as paid, of which a payment of the rest is no part
        foreach (Capsule::table(Store::QUEUE)->where('subject', "invoice:$id")->orderBy('id')->get() as $last) {
            $body = json_decode($last->body, true);
            $parts = $body['type'] === 'invoice.unpaid' ? 0
                : $parts + ($body['type'] === 'invoice.partly_paid' ? $body['amount'] ?? 0 : 0);
        }
        if ($last !== null && $last->note === $seen) {
            return;
        }
        $number = 1 + ($last === null ? 0 : (int) substr(strrchr($last->event, '-'), 1));
        $event = ['type' => $type, 'brand' => self::brandOf("invoice:$id", $settings),
            'at' => self::at(self::after($last)), 'object' => $id];
        $event += $invoice['client'] > 0 ? ['client' => $invoice['client']] : [];
        $event += self::amountOf($type, $id, $invoice, $amount, $parts);
        $name = substr($type, 8) . "-$id-" . substr(sha1($seen), 0, 10) . "-$number";
        if (self::put($name, 'event', "invoice:$id", $event, $seen)) {
            self::flushNow($settings);
        }
    }

    /** amount and currency of a change, as far as they are known. */
    private static function amountOf(string $type, int $id, array $invoice, $amount, int $parts): array
    {
        $isPayment = in_array($type, ['invoice.paid', 'invoice.partly_paid'], true);
        $client = ($isPayment || $amount !== null) && $invoice['client'] > 0 ? Whmcs::client($invoice['client']) : null;
        if ($client === null || !preg_match('/^[A-Z]{3}$/D', $client['currency'])) {
            return [];
        }
        if ($amount === null) {
            $all = $invoice['total'] - Notes::hidden($id) - ($type === 'invoice.paid' ? 0 : $invoice['balance']);
            $minor = max(0, Money::minorUnits($all, $client['currency']) - $parts);
        } else {
            $minor = Money::minorUnits($amount, $client['currency']);
        }
        return ['amount' => $minor, 'currency' => $client['currency']];
    }

    /** The type of the last event of an invoice; '' = none. */
    public static function lastTold(int $invoice): string
    {
        $last = Capsule::table(Store::QUEUE)->where('subject', "invoice:$invoice")->orderBy('id', 'desc')->first();
        return $last === null ? '' : (string) (json_decode($last->body, true)['type'] ?? '');
    }

    /** Now, or a moment behind the change before it: of two within 1/32 s hopcount can't tell the later. */
    private static function after($last): float
    {
        $at = $last === null ? '' : (string) (json_decode($last->body, true)['at'] ?? '');
        $before = preg_match('/^(.{19})\.(\d{3})Z$/D', $at, $part)
            ? strtotime($part[1] . 'Z') + $part[2] / 1000 : 0;
        return max(microtime(true), $before + self::APART_S);
    }

    /** A mail went out; sent by cron, for a run has thousands. */
    public static function mailSent(
        Settings $settings,
        Brand $brand,
        array $fields,
        int $invoice,
        string $type,
        int $relid
    ) {
        try {
            if ($brand->name !== $settings->brand()->name && $invoice > 0) {
                self::remember("invoice:$invoice", $brand->name);
            }
            if ($settings->isOn('send_events') && $settings->apiUrl() !== '') {
                self::noteMail($brand, $fields, $invoice, $type, $relid);
            }
        } catch (\Throwable $e) { // the mail goes out with its links all the same
            Whmcs::log('a mail was not counted as sent: ' . $e->getMessage());
        }
    }

    private static function noteMail(Brand $brand, array $fields, int $invoice, string $type, int $relid)
    {
        $event = ['type' => 'mail.sent', 'brand' => $brand->name, 'at' => self::at(microtime(true)),
            'campaign' => $fields['campaign'], 'n' => 1];
        $event += $fields['variant'] > 0 ? ['variant' => chr(64 + $fields['variant'])] : [];
        $event += $invoice > 0 ? ['object' => $invoice] : [];
        $event += $invoice > 0 && $fields['client'] > 0 ? ['client' => $fields['client']] : [];
        $about = $invoice > 0 ? "i$invoice" : substr($type, 0, 1) . "$relid-{$fields['client']}";
        self::put("sent-{$fields['campaign']}-$about-{$fields['issued_min']}", 'mail', '', $event);
        if ($invoice > 0) {
            Notes::watch($invoice);
        }
    }

    /** All links of a client that were made before are void, at all brands. */
    private static function voidClient(Settings $settings, string $why, int $client, int $at)
    {
        Store::set("password:client:$client", $at, self::KEPT_S * 5);
        if ($settings->apiUrl() === '' || ($why === 'password' && !self::voidsAll($settings))) {
            return; // the login page looks at the time that was set above
        }
        foreach ($settings->brands() as $brand) {
            self::put("$why-$client-$at-" . substr(sha1($brand->name), 0, 8), 'revocation', "client:$client",
                ['scope' => 'client', 'brand' => $brand->name, 'id' => $client,
                    /* What was made in the second of the change was made before it: at the full minute, too. */
                    'issued_before' => self::at($at + 1)]);
        }
    }

    private static function voidsAll(Settings $settings): bool
    {
        return $settings->text('on_password') !== 'login links only';
    }

    public static function clientChose(Settings $settings, int $client, bool $isOut)
    {
        if ($settings->apiUrl() === '') {
            return;
        }
        $now = microtime(true);
        foreach ($settings->brands() as $brand) {
            self::put(($isOut ? 'out' : 'in') . "-$client-" . (int) $now . '-' . substr(sha1($brand->name), 0, 8),
                'event', "client:$client", ['type' => $isOut ? 'client.opted_out' : 'client.opted_in',
                    'brand' => $brand->name, 'at' => self::at($now), 'client' => $client]);
        }
        self::flushNow($settings);
    }

    /** Names of campaigns that hopcount doesn't know yet; by cron. */
    public static function nameCampaigns(Settings $settings)
    {
        foreach (Store::campaigns() as $id => $name) {
            foreach ($settings->brands() as $brand) {
                $known = "named:{$brand->name}:$id";
                if (Store::get($known) === null) {
                    self::put("name-$id-" . substr(sha1($brand->name), 0, 10), 'campaign', $known,
                        ['brand' => $brand->name, 'id' => $id, 'name' => self::campaignName($name)]);
                }
            }
        }
    }

    /** As hopcount takes it: 200 bytes, no control characters, no blank at an end. */
    private static function campaignName(string $name): string
    {
        $name = trim(preg_replace('/[\x00-\x1f\x7f]+/', ' ', $name));
        while (strlen($name) > 200) {
            $name = rtrim(preg_replace('/.$/us', '', $name) ?? substr($name, 0, 200));
        }
        return $name === '' ? 'unnamed' : $name;
    }

    // --- the table ---

    /** Puts a thing to tell into the table; false when it is there already. */
    private static function put(string $event, string $kind, string $subject, array $body, string $note = ''): bool
    {
        try {
            return Capsule::table(Store::QUEUE)->insert(['event' => $event, 'kind' => $kind,
                'subject' => $subject, 'status' => 'waiting', 'body' => json_encode($body),
                'note' => substr($note, 0, self::NOTE_MAX), 'made_at' => time()]);
        } catch (\Throwable $e) {
            if (Capsule::table(Store::QUEUE)->where('event', $event)->count() > 0) {
                return false;
            }
            throw $e;
        }
    }

    /** How many wait, and what was refused last: [waiting, refused, note]. */
    public static function counts(): array
    {
        $refused = Capsule::table(Store::QUEUE)->where('status', 'refused')->orderBy('id', 'desc')->first();
        return [
            'waiting' => (int) Capsule::table(Store::QUEUE)->where('status', 'waiting')->count(),
            'refused' => (int) Capsule::table(Store::QUEUE)->where('status', 'refused')->count(),
            'note' => $refused === null ? '' : "{$refused->event}: {$refused->note}",
        ];
    }

    private static function flushNow(Settings $settings)
    {
        self::flush(new Api($settings, self::NOW_S), ['event', 'revocation']);
    }

    /** AfterCronJob: everything that waits goes out, in order; and what is known of the service is renewed. */
    public static function onCron()
    {
        Store::create(); // the files may be newer than the tables, until staff open the module's page
        $settings = Settings::load();
        $api = new Api($settings, self::CRON_S);
        if (!$api->isSet() || $settings->brand()->name === '') {
            return;
        }
        if (Store::get('learnt') === null && Links::learnKinds($api) === '') {
            Store::set('learnt', 1, 3600);
        }
        self::findClientsOfUsers($settings);
        self::nameCampaigns($settings);
        Wishes::fetch($settings, $api);
        Notes::look($settings);
        self::flush($api, ['event', 'revocation', 'mail', 'campaign']);
    }

    /** DailyCronJob: what is old goes. */
    public static function onDay()
    {
        Capsule::table(Store::QUEUE)->where('status', '!=', 'waiting')
            ->where('made_at', '<', time() - self::KEPT_S)->delete();
        Capsule::table(Store::STATE)->where('until', '<', time() - 86400)->delete();
        Notes::forgetOld();
    }

    private static function findClientsOfUsers(Settings $settings)
    {
        $rows = Capsule::table(Store::QUEUE)->where('status', 'waiting')->where('kind', 'user')->orderBy('id')->get();
        foreach ($rows as $row) {
            $body = json_decode($row->body, true);
            foreach (Whmcs::clientsOfUser((int) $body['user']) as $client) {
                self::voidClient($settings, 'password', $client, (int) $body['at']);
            }
            Capsule::table(Store::QUEUE)->where('id', $row->id)->delete();
        }
    }

    /** Sends what waits, in order, until nothing does, the time is over or the service doesn't answer. */
    private static function flush(Api $api, array $kinds)
    {
        if (!$api->isSet() || !Store::lock('flush', 120)) {
            return; // who has the lock sends this too, or the cron will
        }
        try {
            do {
                $rows = [];
                foreach (Capsule::table(Store::QUEUE)->where('status', 'waiting')->whereIn('kind', $kinds)
                    ->orderBy('id')->limit(self::BATCH)->get() as $row) {
                    $rows[] = $row;
                }
            } while ($rows !== [] && self::sendAll($api, $rows) && count($rows) === self::BATCH);
        } finally {
            Store::unlock('flush');
        }
    }

    /** False when the rest has to wait. */
    private static function sendAll(Api $api, array $rows): bool
    {
        $events = [];
        foreach ($rows as $row) {
            $isEvent = in_array($row->kind, ['event', 'mail'], true);
            if (!$isEvent && (!self::sendEvents($api, $events) || !self::sendOne($api, $row))) {
                return false;
            }
            $events = $isEvent ? array_merge($events, [$row]) : [];
        }
        return self::sendEvents($api, $events);
    }

    private static function sendEvents(Api $api, array $rows): bool
    {
        if ($rows === []) {
            return true;
        }
        $bodies = [];
        foreach ($rows as $row) {
            $bodies[] = ['id' => $row->event] + json_decode($row->body, true);
        }
        $answer = $api->ask('POST', '/v1/events', $bodies);
        if ($answer['error'] === '' && count($answer['body'] ?? []) !== count($rows)) {
            $answer['error'] = 'it does not say what became of each';
        }
        if ($answer['error'] !== '') {
            return self::mustWait($answer);
        }
        foreach ($rows as $i => $row) {
            $outcome = $answer['body'][$i];
            self::settle($row, in_array($outcome['outcome'] ?? '', ['accepted', 'duplicate'], true)
                ? '' : (string) ($outcome['why'] ?? 'refused'));
        }
        return true;
    }

    private static function sendOne(Api $api, $row): bool
    {
        $body = json_decode($row->body, true);
        if ($row->kind === 'campaign') {
            $answer = $api->ask('PUT', "/v1/campaigns/{$body['id']}",
                ['name' => $body['name'], 'brand' => $body['brand']]);
        } else {
            $answer = $api->ask('POST', '/v1/revocations', $body);
        }
        if ($answer['status'] === 400 || $answer['status'] === 404) {
            self::settle($row, $answer['error']);
            return true;
        }
        if ($answer['error'] !== '') {
            return self::mustWait($answer);
        }
        self::settle($row, '');
        return true;
    }

    private static function mustWait(array $answer): bool
    {
        Whmcs::log("events wait in a table until the service takes them: {$answer['error']}");
        return false;
    }

    /** A change of an invoice stays, to tell repetitions by, and what was refused; the rest goes. */
    private static function settle($row, string $refused)
    {
        $table = Capsule::table(Store::QUEUE)->where('id', $row->id);
        if ($refused !== '') {
            Whmcs::log($row->kind === 'mail' ? "mail.sent was refused: $refused"
                : "{$row->event} was refused: $refused");
        }
        if ($row->kind === 'event') {
            $table->update(['status' => $refused === '' ? 'sent' : 'refused']);
        } elseif ($row->kind === 'revocation' && $refused !== '') {
            $table->update(['status' => 'refused', 'note' => substr($refused, 0, self::NOTE_MAX)]);
        } else {
            $table->delete();
        }
        if ($row->kind === 'campaign') {
            Store::set($row->subject, 1, self::KEPT_S);
        }
    }

    // --- small things ---

    private static function remember(string $subject, string $brand)
    {
        if (Store::get("brand:$subject") !== $brand) {
            Store::set("brand:$subject", $brand, self::KEPT_S * 5);
        }
    }

    /** The brand whose links a thing has; it is remembered where it isn't the first one. */
    public static function brandOf(string $subject, Settings $settings): string
    {
        $brand = Store::get("brand:$subject");
        return is_string($brand) ? $brand : $settings->brand()->name;
    }

    private static function at(float $time): string
    {
        return gmdate('Y-m-d\TH:i:s', (int) $time) . sprintf('.%03dZ', (int) (($time - floor($time)) * 1000));
    }
}
