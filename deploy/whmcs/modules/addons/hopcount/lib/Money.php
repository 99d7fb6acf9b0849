<?php

namespace WHMCS\Module\Addon\Hopcount;

/** Amounts in a currency's smallest unit, by ISO 4217. */
final class Money
{
    const NONE = ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
        'VUV', 'XAF', 'XOF', 'XPF'];
    const THREE = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'];

    public static function decimals(string $currency): int
    {
        return in_array($currency, self::NONE, true) ? 0 : (in_array($currency, self::THREE, true) ? 3 : 2);
    }

    public static function minorUnits(float $amount, string $currency): int
    {
        return (int) round(max(0, $amount) * 10 ** self::decimals($currency));
    }
}
