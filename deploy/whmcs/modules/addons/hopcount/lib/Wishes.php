<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * What clients asked for on hopcount's own pages, fetched by WHMCS's cron: not to be counted, and a fresh
 * link in place of an expired one, which is the same mail once more.
 */
final class Wishes
{
    const CURSOR = 'told';
    const KEPT_S = 315360000;
    const PAGES_MAX = 20;
    const LIMIT = 1000;
    const FRESH_S = 86400; // an older wish for a link is none any more
    /** The kind of link whose object is what a mail of this type is about. */
    const KINDS = ['invoice' => ['view', 'pay', 'login'], 'product' => ['service'], 'domain' => ['domain'],
        'support' => ['ticket']];

    public static function fetch(Settings $settings, Api $api)
    {
        $names = array_map(static function ($brand) {
            return $brand->name;
        }, $settings->brands());
        for ($page = 0; $page < self::PAGES_MAX; $page++) {
            $answer = $api->get('/v1/events', ['after' => Store::get(self::CURSOR) ?? '0-0', 'limit' => self::LIMIT]);
            if ($answer['error'] !== '') {
                return; // the next run asks again; a service before this one answers 404
            }
            foreach ($answer['body']['events'] ?? [] as $event) {
                if (in_array($event['brand'] ?? '', $names, true)) {
                    self::take($event);
                }
            }
            Store::set(self::CURSOR, (string) ($answer['body']['next'] ?? '0-0'), self::KEPT_S);
            if (count($answer['body']['events'] ?? []) < self::LIMIT) {
                return;
            }
        }
    }

    private static function take(array $event)
    {
        $client = Whmcs::id($event['client'] ?? 0);
        $at = (int) strtotime((string) ($event['at'] ?? ''));
        if ($event['type'] === 'client.opted_out' && $client > 0) {
            OptOut::took($client, $at);
        } elseif ($event['type'] === 'link.renewal_requested' && $at > time() - self::FRESH_S) {
            self::renew($event, $client);
        }
    }

    /** Sends the mail of the expired link once more; its links are fresh ones. */
    private static function renew(array $event, int $client)
    {
        if (!Store::lock('renewed:' . $event['id'], self::FRESH_S * 2)) {
            return; // a run of the cron before this one has sent it
        }
        $campaign = Whmcs::id($event['campaign'] ?? 0);
        $object = Whmcs::id($event['object'] ?? 0);
        $name = Store::campaigns()[$campaign] ?? '';
        $type = Store::campaign($name)[1];
        $isAbout = in_array($event['kind'] ?? '', self::KINDS[$type] ?? [], true);
        $id = $type === 'general' ? $client : ($isAbout ? $object : 0);
        $invoice = $type === 'invoice' && $id > 0 ? Whmcs::invoice($id) : null;
        if ($id === 0 || ($type === 'invoice' && (!is_array($invoice) || $invoice['status'] !== 'Unpaid'))) {
            Whmcs::log("client $client asked for a fresh link, for which no mail is to be sent once more");
            return;
        }
        $why = Whmcs::sendMail($name, $id);
        Whmcs::log("client $client asked for a fresh link: \"$name\" was " . ($why === '' ? 'sent again' : "not sent: $why"));
    }
}
