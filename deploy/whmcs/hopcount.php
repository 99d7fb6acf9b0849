<?php

/**
 * Counted links in WHMCS e-mails: {$hopcount_view}, {$hopcount_pay} and {$hopcount_login}.
 *
 * Copy it to WHMCS's includes/hooks/ and set the three constants below.  Links are minted here,
 * with the key alone: no request leaves the billing system.  Needs PHP 7.2 or later with sodium.
 *
 * The three fields are in every e-mail and never empty.  Where there is nothing to count, or a link
 * can't be minted, they are WHMCS's own addresses; why is said once in WHMCS's activity log.
 */

const HOPCOUNT_BASE_URL = 'https://go.acme.example';
const HOPCOUNT_BRAND = 'acme';
/** A copy of hopcount's key file, readable by PHP and nobody else. */
const HOPCOUNT_KEYS = '/etc/hopcount/keys';

/** Invoice templates that the statistics tell apart, and their campaigns. */
const HOPCOUNT_CAMPAIGNS = [
    'Invoice Created' => 1,
    'Invoice Payment Reminder' => 2,
    'First Invoice Overdue Notice' => 3,
    'Second Invoice Overdue Notice' => 4,
    'Third Invoice Overdue Notice' => 5,
    'Credit Card Invoice Created' => 6,
    'Invoice Payment Confirmation' => 7,
    'Credit Card Payment Confirmation' => 8,
    'Credit Card Payment Due' => 9,
    'Credit Card Payment Failed' => 10,
    'Credit Card Payment Pending' => 11,
    'Direct Debit Payment Confirmation' => 12,
    'Direct Debit Payment Failed' => 13,
    'Direct Debit Payment Pending' => 14,
    'Invoice Modified' => 15,
    'Invoice Refund Confirmation' => 16,
];

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

/** The kid and the key of the line that mints for the brand. */
function hopcount_key(string $path): array
{
    $lines = is_file($path) ? @file($path, FILE_IGNORE_NEW_LINES) : false;
    if ($lines === false) {
        throw new RuntimeException("$path is not there, or PHP may not read it");
    }
    $others = false;
    foreach ($lines as $i => $line) {
        $line = $i === 0 ? preg_replace('/^\xef\xbb\xbf/', '', $line) : $line;
        if (!preg_match('/^\s*(\d{1,3})\s+mint\s+([0-9a-fA-F]{64})(?:\s+(\S+))?\s*$/D', $line, $part)) {
            continue;
        }
        if ($part[1] < 1 || $part[1] > 255) {
            throw new RuntimeException("$path has a kid that is not 1 to 255");
        }
        if (isset($part[3]) && !in_array(HOPCOUNT_BRAND, explode(',', $part[3]), true)) {
            $others = true; // another brand's; there may be a key for each
            continue;
        }
        return [(int) $part[1], hex2bin($part[2])];
    }
    throw new RuntimeException($others
        ? "$path has a key that mints, but not for " . HOPCOUNT_BRAND
        : "$path has no line: KID mint KEY");
}

/**
 * The token of `$fields` (proto/FORMATS.md "Token"): kind, object, client, campaign, issued_min,
 * ttl_code, channel, variant, silent, once, arg.  What is left out is 0.
 */
function hopcount_token(int $kid, string $key, string $brand, array $fields): string
{
    $limits = ['kind' => 15, 'object' => 0xffffffff, 'client' => 0xffffffff, 'campaign' => 0xffff,
        'issued_min' => 0xffffff, 'ttl_code' => 15, 'channel' => 7, 'variant' => 7, 'silent' => 1,
        'once' => 1];
    $f = [];
    if (!function_exists('sodium_crypto_generichash')) {
        throw new RuntimeException('PHP has no sodium extension');
    }
    foreach ($limits as $name => $max) {
        $f[$name] = (int) ($fields[$name] ?? 0);
        if ($f[$name] < ($name === 'kind' ? 1 : 0) || $f[$name] > $max) {
            throw new RuntimeException("$name {$f[$name]} is not in a link's range");
        }
    }
    $arg = $fields['arg'] ?? '';
    if (!preg_match('/^[A-Za-z0-9._~-]{0,48}$/D', $arg)) {
        throw new RuntimeException('the argument is not 0 to 48 of A-Z a-z 0-9 . _ ~ -');
    }
    if ($brand === '' || strlen($brand) > 63) {
        throw new RuntimeException('the brand has not 1 to 63 characters');
    }
    $plain = chr($f['kind'] << 4 | $f['ttl_code'])
        . pack('NNn', $f['object'], $f['client'], $f['campaign'])
        . substr(pack('N', $f['issued_min']), 1)
        . chr($f['channel'] << 5 | $f['variant'] << 2 | $f['silent'] << 1 | $f['once']) . $arg;
    $bound = chr($kid) . chr(strlen($brand)) . $brand;
    $tag = substr(sodium_crypto_generichash("\x01" . $bound . $plain, $key, 32), 0, 12);
    $pad = sodium_crypto_generichash("\x02" . $bound . $tag, $key, 64);
    return hopcount_base32(chr($kid) . $tag . ($plain ^ substr($pad, 0, strlen($plain))));
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
    $token = hopcount_token($kid, $key, HOPCOUNT_BRAND, [
        'kind' => $kind,
        'object' => $object,
        'client' => $client,
        'campaign' => $campaign,
        'issued_min' => (int) floor((($issued ?? time()) - 1704067200) / 60),
        'ttl_code' => $ttl,
        'channel' => $channel,
    ]);
    return rtrim(HOPCOUNT_BASE_URL, '/') . '/' . $token;
}

/** A number as WHMCS gives it, 5 or "5"; 0 for all else. */
function hopcount_id($value): int
{
    $text = is_int($value) || is_string($value) ? trim((string) $value) : '';
    return preg_match('/^[0-9]{1,10}$/D', $text) && $text <= 0xffffffff ? (int) $text : 0;
}

/** Says in WHMCS's activity log what is wrong, once: a run of reminders is thousands of mails. */
function hopcount_log(string $text): void
{
    static $said = [];
    if (isset($said[$text]) || !function_exists('logActivity')) {
        return;
    }
    $said[$text] = true;
    try {
        logActivity("hopcount: $text");
    } catch (\Throwable $e) {
        return;
    }
}

/**
 * The type of a template, which says what relid is: invoice, product (a service), domain, support
 * (a ticket), affiliate or general (a client); '' when nothing tells.
 */
function hopcount_type(string $name, array $fields): string
{
    if (isset(HOPCOUNT_CAMPAIGNS[$name])) {
        return 'invoice';
    }
    try {
        $capsule = 'WHMCS\Database\Capsule';
        $type = $name !== '' && class_exists($capsule)
            ? $capsule::table('tblemailtemplates')->where('name', $name)->value('type') : null;
        if (is_string($type) && $type !== '') {
            return strtolower($type);
        }
    } catch (\Throwable $e) {
        hopcount_log('the type of the template cannot be looked up: ' . $e->getMessage());
    }
    $ids = ['ticket_id' => 'support', 'domain_id' => 'domain', 'service_id' => 'product',
        'invoice_id' => 'invoice'];
    foreach ($ids as $field => $type) {
        if (hopcount_id($fields[$field] ?? null) > 0) {
            return $type;
        }
    }
    return '';
}

/** WHMCS's own address of a page; '' when WHMCS's address is not known. */
function hopcount_own_url(array $fields, string $page): string
{
    $settings = is_array($GLOBALS['CONFIG'] ?? null) ? $GLOBALS['CONFIG'] : [];
    foreach ([$fields['whmcs_url'] ?? null, $settings['SystemURL'] ?? null] as $url) {
        if (is_string($url) && preg_match('#^https?://[^\s"<>]+$#iD', trim($url))) {
            return rtrim(trim($url), '/') . '/' . $page;
        }
    }
    return '';
}

/** The three fields with WHMCS's own addresses. */
function hopcount_own_fields(string $type, int $relid, int $invoice, array $fields): array
{
    $login = hopcount_own_url($fields, 'clientarea.php');
    /* The last resort: the brand's page at /, which leads home. */
    $login = $login !== '' ? $login : rtrim(HOPCOUNT_BASE_URL, '/') . '/';
    $view = '';
    $pay = hopcount_own_url($fields, 'clientarea.php?action=invoices');
    if ($invoice > 0) {
        $view = hopcount_own_url($fields, "viewinvoice.php?id=$invoice");
        $pay = hopcount_own_url($fields, "index.php?rp=/invoice/$invoice/pay");
        /* A bare address, or an anchor that holds it. */
        $link = is_string($fields['invoice_link'] ?? null) ? $fields['invoice_link'] : '';
        if ($view === '' && preg_match('#https?://[^\s"\'<>]+#i', $link, $found)) {
            $view = $pay = html_entity_decode($found[0]);
        }
    } elseif ($type === 'product' && $relid > 0) {
        $view = hopcount_own_url($fields, "clientarea.php?action=productdetails&id=$relid");
    } elseif ($type === 'domain' && $relid > 0) {
        $view = hopcount_own_url($fields, "clientarea.php?action=domaindetails&id=$relid");
    } elseif ($type === 'support') {
        $view = hopcount_own_url($fields, 'supporttickets.php');
    }
    return [
        'hopcount_view' => $view !== '' ? $view : $login,
        'hopcount_pay' => $pay !== '' ? $pay : $login,
        'hopcount_login' => $login,
    ];
}

/**
 * The merge fields of one e-mail, whatever it is about.  An e-mail about an invoice has three
 * counted links; any other has a counted way into the account, and beside it WHMCS's own pages.
 * Never throws: that would stop the e-mail.
 */
function hopcount_merge_fields($mail): array
{
    $mail = is_array($mail) ? $mail : [];
    $fields = is_array($mail['mergefields'] ?? null) ? $mail['mergefields'] : [];
    $name = is_string($mail['messagename'] ?? null) ? $mail['messagename'] : '';
    $relid = hopcount_id($mail['relid'] ?? null);
    $type = hopcount_type($name, $fields);
    $invoice = $type === 'invoice' && $relid > 0 ? $relid : hopcount_id($fields['invoice_id'] ?? null);
    $client = hopcount_id($fields['client_id'] ?? null);
    if ($client === 0 && $type === 'general' && strpos($name, 'Quote') === false) {
        $client = $relid;
    }
    $campaign = HOPCOUNT_CAMPAIGNS[$name] ?? 0;
    $out = hopcount_own_fields($type, $relid, $invoice, $fields);
    try {
        $minted = ['hopcount_login' => hopcount_link(3, $client, $client, $campaign)];
        if ($invoice > 0) {
            $minted['hopcount_view'] = hopcount_link(1, $invoice, $client, $campaign);
            $minted['hopcount_pay'] = hopcount_link(2, $invoice, $client, $campaign);
        }
        return array_merge($out, $minted);
    } catch (\Throwable $e) {
        hopcount_log($e->getMessage() . "; e-mails have WHMCS's own links, which are not counted");
        return $out;
    }
}

if (function_exists('add_hook')) {
    add_hook('EmailPreSend', 1, 'hopcount_merge_fields');
}
