<?php

namespace WHMCS\Module\Addon\Hopcount;

/** Makes links: with the key, without any request, or by hopcount's API where PHP has no sodium. */
final class Links
{
    const TTL_NAMES = ['never', '15m', '1h', '6h', '1d', '2d', '3d', '7d', '14d', '30d', '45d', '60d',
        '90d', '120d', '180d', '366d'];
    const CHANNELS = ['unknown', 'mail', 'sms', 'pdf', 'qr', 'portal', 'chat', 'other'];
    /** Kinds that every brand has; the others are known once the service was asked. */
    const KINDS = ['view' => 1, 'pay' => 2, 'login' => 3];
    const KINDS_KEPT_S = 2592000;
    const AFTER_DUE_S = 2592000;
    const AFTER_ISSUE_S = 864000;

    /**
     * URLs by the keys of `$wanted`, whose values are fields as Token::seal() takes them.  Throws
     * \RuntimeException, which says why none can be made: all or nothing.
     */
    public static function make(Brand $brand, array $wanted, Api $api): array
    {
        if ($brand->name === '' || !preg_match('#^https?://[^\s"\'<>]+$#iD', $brand->baseUrl)) {
            throw new \RuntimeException('the brand or the base URL of links is not set');
        }
        if ($brand->hasKey() && Token::isAvailable()) {
            $urls = [];
            foreach ($wanted as $name => $fields) {
                list($kid, $key) = $brand->mintKey();
                $urls[$name] = $brand->baseUrl . '/' . Token::seal($kid, $key, $brand->name, $fields);
            }
            return $urls;
        }
        return self::ask($brand, $wanted, $api);
    }

    private static function ask(Brand $brand, array $wanted, Api $api): array
    {
        $body = [];
        foreach ($wanted as $f) {
            $body[] = [
                'brand' => $brand->name,
                'kind' => $f['kind'],
                'object' => $f['object'],
                'client' => $f['client'],
                'campaign' => $f['campaign'] ?? 0,
                'ttl' => self::TTL_NAMES[$f['ttl_code']],
                'channel' => self::CHANNELS[$f['channel'] ?? 0],
                'variant' => ($f['variant'] ?? 0) > 0 ? chr(64 + $f['variant']) : null,
                'silent' => !empty($f['silent']),
                'issued_at' => gmdate('Y-m-d\TH:i:s\Z', Token::EPOCH_S + $f['issued_min'] * 60),
            ];
        }
        $answer = $api->ask('POST', '/v1/links:batch', $body);
        if ($answer['error'] !== '') {
            $why = $brand->hasKey() ? 'PHP has no sodium extension' : 'no key is set';
            throw new \RuntimeException("$why, and the API made no links: {$answer['error']}");
        }
        $urls = [];
        foreach (array_keys($wanted) as $i => $name) {
            $url = $answer['body'][$i]['url'] ?? null;
            if (!is_string($url) || !preg_match('#^https?://[^\s"\'<>]+$#iD', $url)) {
                throw new \RuntimeException('the API gave no URL');
            }
            $urls[$name] = $url;
        }
        return $urls;
    }

    /** What a link of the brand holds (Token::open()); null when it is none, or no key is there. */
    public static function open(Brand $brand, string $token)
    {
        return $brand->hasKey() && Token::isAvailable()
            ? Token::open($brand->openKeys(), $brand->name, $token) : null;
    }

    /**
     * The ttl code of a link about an invoice: it is valid until 30 days after the day on which it
     * is due, and at least 10 days from now, rounded up.
     */
    public static function ttlForDue(int $due, int $now): int
    {
        $seconds = max($due - $now + self::AFTER_DUE_S, self::AFTER_ISSUE_S);
        foreach (Token::TTL_S as $code => $ttl) {
            if ($ttl >= $seconds) {
                return $code;
            }
        }
        return 0; // longer than any: it never ends
    }

    /** The kinds of a brand, [name => number], as far as they are known.  Does not throw. */
    public static function kinds(Brand $brand): array
    {
        try {
            $known = Store::get('kinds:' . $brand->name);
        } catch (\Throwable $e) {
            $known = null;
        }
        return is_array($known) ? $known + self::KINDS : self::KINDS;
    }

    /** The numbers of the kinds that are to be WHMCS's own URLs (`tracking: off`), as far as known.  Does not throw. */
    public static function plainKinds(Brand $brand): array
    {
        try {
            $known = Store::get('plain:' . $brand->name);
        } catch (\Throwable $e) {
            $known = null;
        }
        return is_array($known) ? $known : [];
    }

    /** Asks the service for the kinds of all brands that the key sees; '' or what went wrong. */
    public static function learnKinds(Api $api): string
    {
        $answer = $api->get('/v1/brands');
        foreach ($answer['body']['brands'] ?? [] as $brand) {
            $kinds = $plain = [];
            foreach ($brand['kinds'] as $kind) {
                $kinds[(string) $kind['name']] = (int) $kind['number'];
                if (($kind['tracking'] ?? '') === 'off') {
                    $plain[] = (int) $kind['number'];
                }
            }
            Store::set('plain:' . $brand['name'], $plain, self::KINDS_KEPT_S);
            Store::set('kinds:' . $brand['name'], $kinds, self::KINDS_KEPT_S);
            Store::set('base:' . $brand['name'], (string) $brand['base_url'], self::KINDS_KEPT_S);
        }
        return $answer['error'];
    }
}
