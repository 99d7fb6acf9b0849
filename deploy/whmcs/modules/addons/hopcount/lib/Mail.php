<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * The merge fields of one e-mail, and what of it is kept in WHMCS's log.  A mail is never lost, held
 * up for more than BUDGET_S, or sent with a broken link because of this: whatever goes wrong, the
 * fields hold WHMCS's own addresses, and the activity log says once why.
 */
final class Mail
{
    const BUDGET_S = 0.2; // of 0.3 s that a mail may be held up; the rest is for the database
    const FIELDS = ['hopcount_view_url', 'hopcount_pay_url', 'hopcount_login_url', 'hopcount_balance_url'];
    /** The kind, of those that the service's preset names, of the page that relid is about. */
    const PAGES = ['product' => 'service', 'domain' => 'domain', 'support' => 'ticket'];
    /** The merge fields that tell what a mail is about where its template is not known. */
    const IDS = ['ticket_id' => 'support', 'domain_id' => 'domain', 'service_id' => 'product',
        'invoice_id' => 'invoice'];

    /** @var array of [URL of a login link => the plain way in], made by this process */
    private static $logins = [];

    /** What EmailPreSend gives back. */
    public static function onPreSend($vars): array
    {
        $vars = is_array($vars) ? $vars : [];
        $given = is_array($vars['mergefields'] ?? null) ? $vars['mergefields'] : [];
        $name = is_string($vars['messagename'] ?? null) ? $vars['messagename'] : '';
        $relid = Whmcs::id($vars['relid'] ?? null);
        $own = in_array($name, Store::BUILT_IN, true)
            ? self::own('invoice', $relid, ['invoice_id' => $relid] + $given)
            : self::own(self::typeByFields($given), $relid, $given);
        try {
            $made = self::counted($name, $relid, $given);
        } catch (\Throwable $e) {
            Whmcs::log($e->getMessage() . "; e-mails have WHMCS's own links, which are not counted");
            $made = $own;
        }
        $made += $own + ['hopcount_variant' => ''];
        /* As the names were before the module; templates that use them go on. */
        foreach (['hopcount_view', 'hopcount_pay', 'hopcount_login'] as $old) {
            $made[$old] = $made[$old . '_url'];
        }
        return $made;
    }

    /** The fields as the editor of templates lists them. */
    public static function onMergeFields($vars): array
    {
        $type = is_array($vars) && is_string($vars['type'] ?? null) ? $vars['type'] : '';
        $t = Text::staff();
        return [
            'hopcount_view_url' => $t["field_$type"] ?? $t['field_other'],
            'hopcount_pay_url' => $type === 'invoice' ? $t['field_pay'] : $t['field_invoices'],
            'hopcount_login_url' => $t['field_login'],
            'hopcount_balance_url' => $t['field_balance'],
            'hopcount_variant' => $t['field_variant'],
        ];
    }

    private static function counted(string $name, int $relid, array $given): array
    {
        $settings = Settings::load();
        $now = time();
        list($campaign, $type) = Store::campaign($name);
        $type = $type !== '' ? $type : self::typeByFields($given);
        $client = Whmcs::id($given['client_id'] ?? null);
        $client = $client === 0 && $type === 'general' ? $relid : $client;
        $id = $type === 'invoice' && $relid > 0 ? $relid : Whmcs::id($given['invoice_id'] ?? null);
        $invoice = $id > 0 ? Whmcs::invoice($id) : null;
        $isKnown = $invoice !== false; // a deleted one has no page that a link could lead to
        $client = $client === 0 && is_array($invoice) ? $invoice['client'] : $client;
        $own = self::own($type, $relid, $isKnown ? ['invoice_id' => $id] + $given
            : ['invoice_id' => 0] + $given);
        if ($settings->brand()->name === '') {
            return $own; // the module is active and not set up: nothing to say per mail
        }
        if ($client > 0 && OptOut::isOut($settings, $client)) {
            return $own;
        }
        $brand = $settings->brandOf($given);
        $variants = $settings->variants();
        $variant = $variants > 1 && $client > 0 ? 1 + $client % $variants : 0;
        $due = is_array($invoice) ? $invoice['due'] : 0;
        $fields = ['client' => $client, 'campaign' => $campaign, 'issued_min' => Token::minutes($now),
            'channel' => 1, 'variant' => $variant,
            'ttl_code' => $due > 0 ? Links::ttlForDue($due, $now) : $settings->ttlCode('ttl', 9)];
        $plain = Links::plainKinds($brand);
        $wanted = array_filter(self::wanted($type, $relid, $isKnown ? $id : 0, $fields, $settings, Links::kinds($brand)),
            static function ($link) use ($plain) {
                return !in_array($link['kind'], $plain, true);
            });
        if ($wanted === []) {
            return $own; // nothing of this brand is counted
        }
        $made = Links::make($brand, $wanted, new Api($settings, self::BUDGET_S));
        if (isset($made['hopcount_login_url'])) {
            self::$logins[$made['hopcount_login_url']] = $own['hopcount_login_url'];
        }
        $made['hopcount_variant'] = $variant > 0 ? chr(64 + $variant) : '';
        if ($settings->isOn('override_invoice_link') && $id > 0 && isset($made['hopcount_view_url'])) {
            $link = self::overridden($given['invoice_link'] ?? null, $made['hopcount_view_url']);
            $made += $link === null ? [] : ['invoice_link' => $link];
        }
        Events::mailSent($settings, $brand, $fields, $isKnown ? $id : 0, $type, $relid);
        return $made + $own;
    }

    /** The links of a mail, by merge field. */
    private static function wanted(
        string $type,
        int $relid,
        int $invoice,
        array $fields,
        Settings $settings,
        array $kinds
    ): array {
        $wanted = ['hopcount_login_url' => ['kind' => $kinds['login'], 'object' => $invoice,
            'ttl_code' => $settings->ttlCode('login_ttl', 7)] + $fields];
        if ($invoice > 0) {
            $wanted['hopcount_view_url'] = ['kind' => $kinds['view'], 'object' => $invoice] + $fields;
            $wanted['hopcount_pay_url'] = ['kind' => $kinds['pay'], 'object' => $invoice] + $fields;
        }
        $page = self::PAGES[$type] ?? '';
        if ($page !== '' && $relid > 0 && isset($kinds[$page])) {
            $wanted['hopcount_view_url'] = ['kind' => $kinds[$page], 'object' => $relid] + $fields;
        }
        if (isset($kinds['balance'])) {
            $wanted['hopcount_balance_url'] = ['kind' => $kinds['balance'], 'object' => $fields['client']]
                + $fields;
        }
        return $wanted;
    }

    private static function typeByFields(array $given): string
    {
        foreach (self::IDS as $field => $type) {
            if (Whmcs::id($given[$field] ?? null) > 0) {
                return $type;
            }
        }
        return '';
    }

    /** The four fields with WHMCS's own addresses.  None is empty, and nothing here throws. */
    private static function own(string $type, int $relid, array $given): array
    {
        $invoice = Whmcs::id($given['invoice_id'] ?? null);
        $login = self::ownUrl($given, 'clientarea.php');
        $pages = ['product' => "clientarea.php?action=productdetails&id=$relid",
            'domain' => "clientarea.php?action=domaindetails&id=$relid", 'support' => 'supporttickets.php'];
        $view = $login;
        $pay = self::ownUrl($given, 'clientarea.php?action=invoices');
        if ($invoice > 0 && !isset($pages[$type])) {
            $view = self::ownUrl($given, "viewinvoice.php?id=$invoice");
            $pay = self::ownUrl($given, "index.php?rp=/invoice/$invoice/pay");
        } elseif (isset($pages[$type]) && $relid > 0) {
            $view = self::ownUrl($given, $pages[$type]);
        }
        return [
            'hopcount_view_url' => $view,
            'hopcount_pay_url' => $pay,
            'hopcount_login_url' => $login,
            'hopcount_balance_url' => self::ownUrl($given, 'clientarea.php?action=masspay&all=true'),
        ];
    }

    /** An address of WHMCS's own; when nothing says where WHMCS is, that of links, which leads home. */
    private static function ownUrl(array $given, string $page): string
    {
        $settings = is_array($GLOBALS['CONFIG'] ?? null) ? $GLOBALS['CONFIG'] : [];
        foreach ([$given['whmcs_url'] ?? null, $settings['SystemURL'] ?? null] as $url) {
            if (is_string($url) && preg_match('#^https?://[^\s"\'<>]+$#iD', trim($url))) {
                return rtrim(trim($url), '/') . '/' . $page;
            }
        }
        if (Whmcs::systemUrl() !== '') {
            return Whmcs::systemUrl() . $page;
        }
        $link = is_string($given['invoice_link'] ?? null) ? $given['invoice_link'] : '';
        if (preg_match('#https?://[^\s"\'<>]+/(?=viewinvoice\.php)#i', $link, $found)) {
            return $found[0] . $page;
        }
        try {
            return Settings::load()->brand()->baseUrl . '/';
        } catch (\Throwable $e) {
            return '/' . $page;
        }
    }

    /**
     * WHMCS's invoice_link with another URL, in the shape it had: a bare URL, or an anchor with its
     * attributes.  A visible address is replaced too, or programs against phishing would see one host
     * shown and another one linked.  Null when there is no link in it.
     */
    private static function overridden($link, string $url)
    {
        if (!is_string($link)) {
            return null;
        }
        if (preg_match('#^\s*https?://\S+\s*$#iD', $link)) {
            return $url;
        }
        $html = htmlspecialchars($url, ENT_QUOTES, 'UTF-8');
        $count = 0;
        $link = preg_replace_callback('#(<a\b[^>]*\bhref\s*=\s*)(["\'])https?://.*?\2#is', function ($m) use ($html) {
            return $m[1] . $m[2] . $html . $m[2];
        }, $link, 1, $count);
        if ($count !== 1) {
            return null;
        }
        return preg_replace_callback('#(>\s*)https?://[^<\s]+(\s*</a)#i', function ($m) use ($html) {
            return $m[1] . $html . $m[2];
        }, $link, 1);
    }

    /** What EmailPreLog gives back: the stored copy, which staff can read, has no login links. */
    public static function onPreLog($vars): array
    {
        $message = is_array($vars) && is_string($vars['message'] ?? null) ? $vars['message'] : '';
        if ($message === '') {
            return [];
        }
        $plain = $message;
        foreach (self::$logins as $url => $own) {
            $plain = str_ireplace([$url, htmlspecialchars($url)], htmlspecialchars($own), $plain);
        }
        try {
            foreach (Settings::load()->brands() as $brand) {
                $plain = self::withoutLogins($brand, $plain);
            }
        } catch (\Throwable $e) {
            Whmcs::log('login links in stored e-mails cannot be looked for: ' . $e->getMessage());
        }
        return $plain === $message ? [] : ['message' => $plain];
    }

    private static function withoutLogins(Brand $brand, string $message): string
    {
        if ($brand->baseUrl === '') {
            return $message;
        }
        $form = '#' . preg_quote($brand->baseUrl, '#') . '/+([0-9a-z]{45,122})#i';
        return preg_replace_callback($form, function ($m) use ($brand) {
            $fields = Links::open($brand, $m[1]);
            return $fields !== null && $fields['kind'] === Links::kinds($brand)['login']
                ? htmlspecialchars(self::ownUrl([], 'clientarea.php')) : $m[0];
        }, $message);
    }
}
