<?php

/**
 * Counted links in WHMCS e-mails: {$hopcount_view}, {$hopcount_pay} and {$hopcount_login}.
 *
 * Copy it to WHMCS's includes/hooks/ and set the three constants below.  Links are minted here,
 * with the key alone: no request leaves the billing system.  Needs PHP 7.2 or later with sodium.
 */

const HOPCOUNT_BASE_URL = 'https://go.acme.example';
const HOPCOUNT_BRAND = 'acme';
/** A copy of hopcount's key file, readable by PHP and nobody else. */
const HOPCOUNT_KEYS = '/etc/hopcount/keys';

/** Crockford base32, lower case, most significant bit first. */
function hopcount_base32(string $bytes): string
{
    $text = '';
    $value = $bits = 0;
    foreach (str_split($bytes) as $byte) {
        $value = ($value << 8 | ord($byte)) & 0xfff;
        for ($bits += 8; $bits >= 5; $bits -= 5) {
            $text .= '0123456789abcdefghjkmnpqrstvwxyz'[$value >> $bits - 5 & 31];
        }
    }
    return $bits ? $text . '0123456789abcdefghjkmnpqrstvwxyz'[$value << 5 - $bits & 31] : $text;
}

/** The kid and the key of the line that mints. */
function hopcount_key(string $path): array
{
    $lines = is_file($path) ? @file($path, FILE_IGNORE_NEW_LINES) : false;
    if ($lines === false) {
        throw new RuntimeException("$path is not there, or PHP may not read it");
    }
    foreach ($lines as $line) {
        if (preg_match('/^(\d+)\s+mint\s+([0-9a-f]{64})\s*$/i', $line, $part)) {
            return [(int) $part[1], sodium_hex2bin($part[2])];
        }
    }
    throw new RuntimeException("$path has no line: KID mint KEY");
}

/**
 * A link.  $kind: 1 view, 2 pay, 3 login, 4 to 15 the brand's own.  $ttl is a code (9 = 30 days,
 * 0 = for ever), $issued a Unix time: the same values give the same link.
 */
function hopcount_link(
    int $kind,
    int $object,
    int $client = 0,
    int $campaign = 0,
    int $ttl = 9,
    int $channel = 1,
    ?int $issued = null
): string {
    [$kid, $key] = hopcount_key(HOPCOUNT_KEYS);
    $minutes = intdiv(($issued ?? time()) - 1704067200, 60);
    $plain = chr($kind << 4 | $ttl) . pack('NNn', $object, $client, $campaign)
        . substr(pack('N', $minutes), 1) . chr($channel << 5);
    $bound = chr($kid) . chr(strlen(HOPCOUNT_BRAND)) . HOPCOUNT_BRAND;
    $tag = substr(sodium_crypto_generichash("\x01" . $bound . $plain, $key, 32), 0, 12);
    $pad = sodium_crypto_generichash("\x02" . $bound . $tag, $key, 64);
    $token = chr($kid) . $tag . ($plain ^ substr($pad, 0, strlen($plain)));
    return HOPCOUNT_BASE_URL . '/' . hopcount_base32($token);
}

/** The merge fields of one e-mail; the campaign tells the reminders apart in the statistics. */
function hopcount_merge_fields(array $mail): array
{
    $campaigns = [
        'Invoice Created' => 1,
        'Invoice Payment Reminder' => 2,
        'First Invoice Overdue Notice' => 3,
        'Second Invoice Overdue Notice' => 4,
        'Third Invoice Overdue Notice' => 5,
    ];
    if (!isset($campaigns[$mail['messagename']])) {
        return [];
    }
    $client = (int) ($mail['mergefields']['client_id'] ?? 0);
    $campaign = $campaigns[$mail['messagename']];
    return [
        'hopcount_view' => hopcount_link(1, (int) $mail['relid'], $client, $campaign),
        'hopcount_pay' => hopcount_link(2, (int) $mail['relid'], $client, $campaign),
        'hopcount_login' => hopcount_link(3, $client, $client, $campaign),
    ];
}

if (function_exists('add_hook')) {
    add_hook('EmailPreSend', 1, 'hopcount_merge_fields');
}
