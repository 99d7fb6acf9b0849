<?php

namespace WHMCS\Module\Addon\Hopcount;

/** Clients who don't want to be counted: their mails have WHMCS's own links, and hopcount is told. */
final class OptOut
{
    /** Whether the settings say so of a client. */
    public static function isOut(Settings $settings, int $client): bool
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

    /** ClientEdit: what the client wants now holds for mails that were sent before, too. */
    public static function onClientEdit($vars)
    {
        $settings = Settings::load();
        $client = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        if ($client === 0 || (Whmcs::id($settings->text('opt_out_field')) === 0
            && !$settings->isOn('opt_out_marketing'))) {
            return;
        }
        Events::clientChose($settings, $client, self::isOut($settings, $client));
    }
}
