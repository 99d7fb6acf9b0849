<?php

namespace WHMCS\Module\Addon\Hopcount;

/** What pages say, from lang/: that of WHMCS's language, and where it lacks something, English. */
final class Text
{
    /** All texts; `$given` is the `_lang` that WHMCS hands to some functions. */
    public static function all($given = null): array
    {
        static $english = null;
        if ($english === null) {
            $_ADDONLANG = [];
            require __DIR__ . '/../lang/english.php';
            $english = $_ADDONLANG;
        }
        return (is_array($given) ? array_filter($given, 'is_string') : []) + $english;
    }

    /** Text for a page: nothing in it is markup. */
    public static function html($text): string
    {
        return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
    }
}
