<?php

namespace WHMCS\Module\Addon\Hopcount;

/** Clients who don't want to be counted: their mails have WHMCS's own links, and hopcount is told. */
final class OptOut
{
    const KEPT_S = 315360000;

    /** Whether a client is out: by the settings, or by a page of hopcount's. */
    public static function isOut(Settings $settings, int $client): bool
    {
        return Store::get("out:$client") !== null || self::isOutInWhmcs($settings, $client);
    }

    private static function isOutInWhmcs(Settings $settings, int $client): bool
    {
        $field = Whmcs::id($settings->text('opt_out_field'));
        $byMarketing = $settings->isOn('opt_out_marketing');
        if ($field === 0 && !$byMarketing) {
            return false;
        }
        $known = Whmcs::client($client);
        if ($known === null) {
            return true; // who can't be asked isn't counted
        }
        return ($byMarketing && !$known['marketing'])
            || ($field > 0 && self::isYes($known['fields'][$field] ?? ''));
    }

    private static function isYes(string $value): bool
    {
        return !in_array(strtolower(trim($value)), ['', '0', 'no', 'off', 'false'], true);
    }

    /** hopcount says that a client has opted out, at a time. */
    public static function took(int $client, int $at)
    {
        if ($at > (int) Store::get("in:$client")) {
            Store::set("out:$client", $at, self::KEPT_S);
        }
    }

    /**
     * ClientEdit: what the client wants now holds for mails that were sent before, too.  It is told when it
     * has changed in WHMCS: any other edit leaves alone what the client chose on a page of hopcount's.
     */
    public static function onClientEdit($vars)
    {
        $settings = Settings::load();
        $client = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        if ($client === 0 || (Whmcs::id($settings->text('opt_out_field')) === 0
            && !$settings->isOn('opt_out_marketing'))) {
            return;
        }
        $isOut = self::isOutInWhmcs($settings, $client);
        if ($isOut === (Store::get("choice:$client") === 'out')) {
            return;
        }
        Store::set("choice:$client", $isOut ? 'out' : 'in', self::KEPT_S);
        if (!$isOut) {
            Store::set("in:$client", time(), self::KEPT_S);
            Store::set("out:$client", 0, -1);
        }
        Events::clientChose($settings, $client, $isOut);
    }
}
