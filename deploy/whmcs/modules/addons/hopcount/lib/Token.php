<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * Seals and opens the token of a link, version 1 (proto/FORMATS.md "Token").  Pure: no clock, no
 * file, no request.  Needs PHP 7.2 with sodium, and nothing of WHMCS: it may be used alone.
 *
 *     $token = Token::seal(1, hex2bin($hex), 'acme', [
 *         'kind' => 2, 'object' => 1234, 'client' => 77, 'campaign' => 12,
 *         'issued_min' => Token::minutes(time()), 'ttl_code' => 9, 'channel' => 1,
 *     ]);
 *     $url = 'https://go.acme.example/' . $token;
 */
final class Token
{
    const EPOCH_S = 1704067200; // 2024-01-01T00:00Z
    const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
    /** Seconds of each ttl code; 0 = for ever. */
    const TTL_S = [0, 900, 3600, 21600, 86400, 172800, 259200, 604800, 1209600, 2592000, 3888000,
        5184000, 7776000, 10368000, 15552000, 31622400];
    /** What a token holds, and the largest value of each. */
    const LIMITS = ['kind' => 15, 'object' => 0xffffffff, 'client' => 0xffffffff, 'campaign' => 0xffff,
        'issued_min' => 0xffffff, 'ttl_code' => 15, 'channel' => 7, 'variant' => 7, 'silent' => 1,
        'once' => 1];

    /** Whether this PHP can seal and open. */
    public static function isAvailable(): bool
    {
        return function_exists('sodium_crypto_generichash');
    }

    /** Minutes since 2024-01-01T00:00Z of a Unix time. */
    public static function minutes(int $time): int
    {
        return (int) floor(($time - self::EPOCH_S) / 60);
    }

    /**
     * The token of `$fields`: those of LIMITS, and `arg`; what is left out is 0 or empty.  `$key` is
     * 32 bytes.  Throws \InvalidArgumentException, which names the field, when one is out of range.
     */
    public static function seal(int $kid, string $key, string $brand, array $fields): string
    {
        $f = [];
        foreach (self::LIMITS as $name => $max) {
            $f[$name] = (int) ($fields[$name] ?? 0);
            if ($f[$name] < ($name === 'kind' ? 1 : 0) || $f[$name] > $max) {
                throw new \InvalidArgumentException("$name {$f[$name]} is not in a link's range");
            }
        }
        $arg = $fields['arg'] ?? '';
        if (!preg_match('/^[A-Za-z0-9._~-]{0,48}$/D', $arg)) {
            throw new \InvalidArgumentException('the argument is not 0 to 48 of A-Z a-z 0-9 . _ ~ -');
        }
        self::check($kid, $key, $brand);
        $plain = chr($f['kind'] << 4 | $f['ttl_code'])
            . pack('NNn', $f['object'], $f['client'], $f['campaign'])
            . substr(pack('N', $f['issued_min']), 1)
            . chr($f['channel'] << 5 | $f['variant'] << 2 | $f['silent'] << 1 | $f['once']) . $arg;
        $tag = self::tag($kid, $key, $brand, $plain);
        return self::encode(chr($kid) . $tag . self::crypt($kid, $key, $brand, $tag, $plain));
    }

    /**
     * The fields of a token as seal() takes them, with `expires_s` (Unix time; null = never) and
     * `link` (16 hex digits); null when no key of `$keys`, [kid => 32 bytes], sealed it for `$brand`.
     * Whether it has expired is the caller's to say.
     */
    public static function open(array $keys, string $brand, string $text)
    {
        $bytes = self::decode($text);
        $kid = $bytes === null ? 0 : ord($bytes[0]);
        if (strlen((string) $bytes) < 28 || strlen($bytes) > 76 || !isset($keys[$kid])) {
            return null;
        }
        self::check($kid, $keys[$kid], $brand);
        $tag = substr($bytes, 1, 12);
        $plain = self::crypt($kid, $keys[$kid], $brand, $tag, substr($bytes, 13));
        if (!hash_equals(self::tag($kid, $keys[$kid], $brand, $plain), $tag)) {
            return null;
        }
        $head = ord($plain[0]);
        $fields = ['kind' => $head >> 4, 'ttl_code' => $head & 15]
            + unpack('Nobject/Nclient/ncampaign', substr($plain, 1, 10));
        $fields['issued_min'] = unpack('N', "\0" . substr($plain, 11, 3))[1];
        $bits = ord($plain[14]);
        $fields += ['channel' => $bits >> 5, 'variant' => $bits >> 2 & 7, 'silent' => $bits >> 1 & 1,
            'once' => $bits & 1, 'arg' => substr($plain, 15), 'link' => bin2hex(substr($tag, 0, 8))];
        $fields['expires_s'] = $fields['ttl_code'] === 0 ? null
            : self::EPOCH_S + $fields['issued_min'] * 60 + self::TTL_S[$fields['ttl_code']];
        return $fields['kind'] === 0 || !preg_match('/^[A-Za-z0-9._~-]*$/D', $fields['arg'])
            ? null : $fields;
    }

    private static function check(int $kid, string $key, string $brand)
    {
        if ($kid < 1 || $kid > 255 || strlen($key) !== 32 || $brand === '' || strlen($brand) > 63) {
            throw new \InvalidArgumentException('a kid is 1 to 255, a key 32 bytes, a brand 1 to 63');
        }
        if (!self::isAvailable()) {
            throw new \RuntimeException('PHP has no sodium extension');
        }
    }

    private static function tag(int $kid, string $key, string $brand, string $plain): string
    {
        $bound = "\x01" . chr($kid) . chr(strlen($brand)) . $brand;
        return substr(sodium_crypto_generichash($bound . $plain, $key, 32), 0, 12);
    }

    /** Encrypts and decrypts alike. */
    private static function crypt(int $kid, string $key, string $brand, string $tag, string $text): string
    {
        $bound = "\x02" . chr($kid) . chr(strlen($brand)) . $brand;
        return $text ^ substr(sodium_crypto_generichash($bound . $tag, $key, 64), 0, strlen($text));
    }

    /** Crockford base32, lower case, most significant bit first. */
    private static function encode(string $bytes): string
    {
        $text = '';
        $value = $bits = 0;
        foreach (str_split($bytes) as $byte) {
            $value = ($value << 8 | ord($byte)) & 0xfff;
            for ($bits += 8; $bits >= 5; $bits -= 5) {
                $text .= self::DIGITS[$value >> $bits - 5 & 31];
            }
        }
        return $bits ? $text . self::DIGITS[$value << 5 - $bits & 31] : $text;
    }

    /** The bytes of a text in either case, with o for 0 and i and l for 1; null for any other. */
    private static function decode(string $text)
    {
        $text = strtr(strtolower($text), 'oil', '011');
        if (!preg_match('/^[0-9a-hjkmnp-tv-z]{45,122}$/D', $text)) {
            return null;
        }
        $bytes = '';
        $value = $bits = 0;
        foreach (str_split($text) as $digit) {
            $value = ($value << 5 | strpos(self::DIGITS, $digit)) & 0xfff;
            if (($bits += 5) >= 8) {
                $bytes .= chr($value >> ($bits -= 8) & 255);
            }
        }
        return $bits >= 5 || ($value & (1 << $bits) - 1) !== 0 ? null : $bytes;
    }
}
