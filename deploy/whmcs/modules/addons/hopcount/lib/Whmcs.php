<?php

namespace WHMCS\Module\Addon\Hopcount;

use WHMCS\Database\Capsule;

/**
 * What the module asks of WHMCS: its internal API, by the parameters and fields that WHMCS's developer
 * documentation names, and nothing else.  No method throws.
 */
final class Whmcs
{
    const TYPES = ['invoice', 'product', 'domain', 'support', 'general', 'affiliate'];

    /** @var array of lines that were said */
    private static $said = [];
    /** @var string|null what systemUrl() found */
    private static $systemUrl;

    /** The answer of an API command, or null when WHMCS refuses it or can't be asked. */
    private static function call(string $command, array $values)
    {
        if (!function_exists('localAPI')) {
            return null;
        }
        try {
            $answer = localAPI($command, $values);
            return is_array($answer) && ($answer['result'] ?? '') === 'success' ? $answer : null;
        } catch (\Throwable $e) {
            return null;
        }
    }

    /** Says something in WHMCS's activity log, once a process: a run of reminders is many mails. */
    public static function log(string $text)
    {
        if (isset(self::$said[$text]) || !function_exists('logActivity')) {
            return;
        }
        self::$said[$text] = true;
        try {
            logActivity("hopcount: $text");
        } catch (\Throwable $e) {
            return;
        }
    }

    /** A number as WHMCS gives it, 5 or "5"; 0 for all else. */
    public static function id($value): int
    {
        $text = is_int($value) || is_string($value) ? trim((string) $value) : '';
        return preg_match('/^[0-9]{1,10}$/D', $text) && $text <= 0xffffffff ? (int) $text : 0;
    }

    /**
     * An invoice: client, due (a Unix time, 0 = none), status, total, credit, balance.  False when
     * there is no such invoice, null when WHMCS can't be asked.
     */
    public static function invoice(int $id)
    {
        if (!function_exists('localAPI')) {
            return null;
        }
        try {
            $r = localAPI('GetInvoice', ['invoiceid' => $id]);
        } catch (\Throwable $e) {
            return null;
        }
        if (!is_array($r) || ($r['result'] ?? '') !== 'success') {
            return is_array($r) && ($r['result'] ?? '') === 'error' ? false : null;
        }
        $due = preg_match('/^\d{4}-\d\d-\d\d$/D', (string) ($r['duedate'] ?? ''))
            ? strtotime($r['duedate'] . ' UTC') : false;
        return [
            'client' => self::id($r['userid'] ?? 0),
            'due' => $due === false || $due < 0 ? 0 : $due,
            'status' => (string) ($r['status'] ?? ''),
            'total' => (float) ($r['total'] ?? 0),
            'credit' => (float) ($r['credit'] ?? 0),
            'balance' => (float) ($r['balance'] ?? 0),
        ];
    }

    /** What was paid on an invoice: the number of the last transaction, 0 = none, and the sum; null when unknown. */
    public static function transactions(int $invoice)
    {
        $r = self::call('GetTransactions', ['invoiceid' => $invoice]);
        if ($r === null) {
            return null;
        }
        $found = ['last' => 0, 'paid' => 0.0];
        $list = is_array($r['transactions'] ?? null) ? $r['transactions'] : [];
        foreach (self::rows($list, 'transaction') as $row) {
            $found['last'] = max($found['last'], self::id($row['id'] ?? 0));
            $found['paid'] += (float) ($row['amountin'] ?? 0) - (float) ($row['amountout'] ?? 0);
        }
        return $found;
    }

    /**
     * A client: status, mayUseSso, owner (a user's number, 0 in WHMCS 7), currency (a code),
     * marketing (opted in), fields [number of a custom field => value]; null when there is none.
     */
    public static function client(int $id)
    {
        $answer = self::call('GetClientsDetails', ['clientid' => $id]);
        $r = is_array($answer['client'] ?? null) ? $answer['client'] : null;
        if ($r === null) {
            return null;
        }
        $fields = [];
        foreach (is_array($r['customfields'] ?? null) ? $r['customfields'] : [] as $row) {
            if (is_array($row) && isset($row['id'])) {
                $fields[self::id($row['id'])] = (string) ($row['value'] ?? '');
            }
        }
        return [
            'status' => (string) ($r['status'] ?? ''),
            'mayUseSso' => !empty($r['allowSingleSignOn']),
            'owner' => self::id($r['owner_user_id'] ?? 0),
            'currency' => (string) ($r['currency_code'] ?? ''),
            'marketing' => !empty($r['isOptedInToMarketingEmails']),
            'fields' => $fields,
        ];
    }

    /** The names of the mail templates, [name => type]. */
    public static function templates(): array
    {
        $types = [];
        foreach (self::TYPES as $type) {
            $r = self::call('GetEmailTemplates', ['type' => $type]);
            if ($r === null) {
                continue;
            }
            /* Nested, as the internal API gives lists, or flat, as the documentation shows it. */
            $nested = is_array($r['emailtemplates'] ?? null) ? $r['emailtemplates'] : [];
            foreach (self::rows($nested, 'emailtemplate') as $row) {
                $types[(string) ($row['name'] ?? '')] = $type;
            }
            foreach ($r as $key => $value) {
                if (is_string($value) && preg_match('/^emailtemplates\[emailtemplate\]\[\d+\]\[name\]$/D', $key)) {
                    $types[$value] = $type;
                }
            }
        }
        unset($types['']);
        return $types;
    }

    /** WHMCS's own address with a slash at its end; '' when it is not known. */
    public static function systemUrl(): string
    {
        if (self::$systemUrl === null) {
            $r = self::call('GetConfigurationValue', ['setting' => 'SystemURL']);
            $text = is_string($r['value'] ?? null) ? trim($r['value']) : '';
            self::$systemUrl = preg_match('#^https?://[^\s"\'<>]+$#iD', $text) ? rtrim($text, '/') . '/' : '';
        }
        return self::$systemUrl;
    }

    /** The clients that a user owns or belongs to. */
    public static function clientsOfUser(int $user): array
    {
        $clients = [];
        for ($start = 0; $start < 100000; $start += 500) {
            $r = self::call('GetUsers', ['limitstart' => $start, 'limitnum' => 500]);
            $users = is_array($r['users'] ?? null) ? $r['users'] : [];
            foreach ($users as $row) {
                if (self::id($row['id'] ?? 0) !== $user) {
                    continue;
                }
                foreach (is_array($row['clients'] ?? null) ? $row['clients'] : [] as $client) {
                    $clients[] = self::id($client['id'] ?? 0);
                }
                return $clients;
            }
            if ($users === [] || $start + count($users) >= self::id($r['totalresults'] ?? 0)) {
                break;
            }
        }
        return $clients;
    }

    /** A URL that logs the client in and leads to `$path`; '' when WHMCS refuses, and `$why` says why. */
    public static function ssoUrl(int $client, string $path, string &$why): string
    {
        try {
            $r = localAPI('CreateSsoToken', ['client_id' => $client, 'destination' => 'sso:custom_redirect',
                'sso_redirect_path' => $path]);
        } catch (\Throwable $e) {
            $why = $e->getMessage();
            return '';
        }
        $why = (string) ($r['message'] ?? '');
        return ($r['result'] ?? '') === 'success' ? (string) ($r['redirect_url'] ?? '') : '';
    }

    /** Sends a mail by its template about what has that number; '' or why not. */
    public static function sendMail(string $template, int $id): string
    {
        try {
            $r = localAPI('SendEmail', ['messagename' => $template, 'id' => $id]);
        } catch (\Throwable $e) {
            return $e->getMessage();
        }
        return ($r['result'] ?? '') === 'success' ? '' : (string) ($r['message'] ?? 'WHMCS does not say why');
    }

    /** What WHMCS has encrypted; '' when it can't be decrypted. */
    public static function decrypt(string $text): string
    {
        $r = self::call('DecryptPassword', ['password2' => $text]);
        return is_string($r['password'] ?? null) ? trim($r['password']) : '';
    }

    /**
     * Whether the client's owner has a second factor; null when it can't be found out.  No API tells
     * it, so the tables are looked at: users of WHMCS 8 and later, clients of WHMCS 7.
     */
    public static function hasSecondFactor(int $client, int $owner)
    {
        try {
            $value = $owner > 0
                ? Capsule::table('tblusers')->where('id', $owner)->first(['second_factor'])
                : Capsule::table('tblclients')->where('id', $client)->first(['authmodule']);
        } catch (\Throwable $e) {
            return null;
        }
        if ($value === null) {
            return null;
        }
        return trim((string) ($owner > 0 ? $value->second_factor : $value->authmodule)) !== '';
    }

    /**
     * The language of the member of staff who looks at a page, as WHMCS names it; '' when there is none.
     * No API tells it, so the table is looked at.
     */
    public static function staffLanguage(): string
    {
        try {
            $id = self::id($_SESSION['adminid'] ?? null); // WHMCS 7 has no CurrentUser
            if (class_exists('WHMCS\\Authentication\\CurrentUser')) {
                $admin = (new \WHMCS\Authentication\CurrentUser())->admin();
                $id = $admin === null ? 0 : self::id($admin->id);
            }
            $admin = $id > 0 ? Capsule::table('tbladmins')->where('id', $id)->first(['language']) : null;
            return $admin === null ? '' : strtolower(trim((string) $admin->language));
        } catch (\Throwable $e) {
            return '';
        }
    }

    /** The client whose account the reader is logged in to; 0 = none. */
    public static function currentClient(): int
    {
        try {
            if (class_exists('WHMCS\\Authentication\\CurrentUser')) {
                $client = (new \WHMCS\Authentication\CurrentUser())->client();
                return $client === null ? 0 : self::id($client->id);
            }
        } catch (\Throwable $e) {
            return 0;
        }
        return self::id($_SESSION['uid'] ?? null); // WHMCS 7 has no CurrentUser
    }

    private static function rows(array $list, string $name): array
    {
        $rows = is_array($list[$name] ?? null) ? $list[$name] : [];
        return array_filter($rows, 'is_array');
    }
}
