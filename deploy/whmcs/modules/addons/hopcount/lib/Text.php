<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * What pages say, from lang/: in WHMCS's language of the reader, and where that lacks something in English.
 * Numbers and dates are in the form of the same language.
 */
final class Text
{
    /** All texts; `$given` is the `_lang` that WHMCS hands to some functions. */
    public static function all($given = null): array
    {
        return (is_array($given) ? array_filter($given, 'is_string') : []) + self::read('english');
    }

    /** All texts in the language of the member of staff who looks; hooks are handed none. */
    public static function staff(): array
    {
        $language = Whmcs::staffLanguage();
        return self::all(preg_match('/^[a-z]{2,20}(-[a-z]{2,20})?$/D', $language) ? self::read($language) : null);
    }

    private static function read(string $language): array
    {
        static $known = [];
        if (!isset($known[$language])) {
            $_ADDONLANG = [];
            $path = __DIR__ . "/../lang/$language.php";
            if (is_file($path)) {
                require $path;
            }
            $known[$language] = $_ADDONLANG;
        }
        return $known[$language];
    }

    /** Text for a page: nothing in it is markup. */
    public static function html($text): string
    {
        return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
    }

    public static function number(array $t, float $number, int $decimals = 0): string
    {
        return number_format($number, $decimals, $t['decimal_point'], $t['thousands']);
    }

    public static function percent(array $t, float $share): string
    {
        return sprintf($t['percent'], self::number($t, 100 * $share));
    }

    /** A day as the API gives it, 2026-11-28; what is no day stays as it is. */
    public static function date(array $t, string $day): string
    {
        $time = preg_match('/^\d{4}-\d\d-\d\d$/D', $day) ? strtotime("$day UTC") : false;
        return $time === false ? $day : gmdate($t['date'], $time);
    }

    /** Amounts, [currency => smallest units]. */
    public static function money(array $t, array $amounts): string
    {
        $texts = [];
        foreach ($amounts as $currency => $minor) {
            $decimals = Money::decimals((string) $currency);
            $texts[] = self::number($t, $minor / 10 ** $decimals, $decimals) . " $currency";
        }
        return implode(', ', $texts);
    }
}
