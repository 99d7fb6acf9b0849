<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * index.php?m=hopcount&token=TOKEN, the target of login links.  Looking at it changes nothing, for mail
 * programs and gateways look at it too; the press of its button uses the link up, once, by hopcount's
 * API, and WHMCS logs the client in.  Every refusal offers WHMCS's own login.
 */
final class LoginPage
{
    const COOKIE = 'hopcount_view';
    const ASK_S = 2.0; // a person waits for it, no mail

    /** @var Settings */
    private $settings;
    /** @var array texts */
    private $text;
    /** @var array request: get, post, cookie, method */
    private $request;

    public function __construct(Settings $settings, array $text, array $request)
    {
        $this->settings = $settings;
        $this->text = $text;
        $this->request = $request;
    }

    /**
     * What the page is: what (one word), view (the variables of templates/login.tpl), cookie (to set,
     * '' = none) and redirect ('' = none).
     */
    public function answer(): array
    {
        $isPost = $this->request['method'] === 'POST';
        /* A field `token` of a form is WHMCS's own, against forged requests. */
        $token = $isPost ? $this->request['post']['link'] ?? '' : $this->request['get']['token'] ?? '';
        $link = is_string($token) ? $this->open($token) : null;
        if (!$this->settings->isOn('login_links')) {
            return $this->refuse('off', $link);
        }
        if ($link === null) {
            return $this->refuse('unknown', null);
        }
        if ($link['expires_s'] !== null && time() >= $link['expires_s']) {
            return $this->refuse('expired', $link);
        }
        if ($link['client'] === 0) {
            return $this->refuse('unknown', $link);
        }
        return $isPost ? $this->press($token, $link) : $this->show($token);
    }

    private function open(string $token)
    {
        foreach ($this->settings->brands() as $brand) {
            try {
                $link = Links::open($brand, $token);
            } catch (\RuntimeException $e) {
                Whmcs::log('login links cannot be opened: ' . $e->getMessage());
                continue;
            }
            if ($link !== null && $link['kind'] === Links::kinds($brand)['login'] && !$link['silent']) {
                return $link + ['brand' => $brand->name];
            }
        }
        return null;
    }

    private function show(string $token): array
    {
        $view = bin2hex(random_bytes(16));
        return ['cookie' => $view]
            + $this->page('button', null, ['hopcount_link' => $token, 'hopcount_view' => $view]);
    }

    private function press(string $token, array $link): array
    {
        $view = $this->request['post']['view'] ?? '';
        $cookie = $this->request['cookie'][self::COOKIE] ?? '';
        if (!is_string($view) || !is_string($cookie) || !preg_match('/^[0-9a-f]{32}$/D', $view)
            || !hash_equals($view, $cookie)) {
            return $this->refuse('cookie', $link); // the form of another page, or no cookies here
        }
        $why = $this->whyNot($link);
        if ($why !== '') {
            return $this->refuse($why, $link);
        }
        $answer = (new Api($this->settings, self::ASK_S, true))
            ->ask('POST', '/v1/links/' . rawurlencode($token) . '/use?' . http_build_query(['brand' => $link['brand']]),
                ['view' => $view]);
        if ($answer['error'] !== '') {
            return $this->refuse($this->whyUnusable($answer), $link);
        }
        $why = '';
        $url = Whmcs::ssoUrl($link['client'], $this->path($link), $why);
        if (!preg_match('#^https?://#i', $url)) {
            Whmcs::log("WHMCS made no login for client {$link['client']}: $why");
            return $this->refuse('sso', $link);
        }
        return ['redirect' => $url] + $this->page('button', $link, []);
    }

    private function whyUnusable(array $answer): string
    {
        if ($answer['status'] === 410) { // of which the detail says what it is
            return strpos($answer['error'], 'revoked') !== false ? 'revoked'
                : (strpos($answer['error'], 'expired') !== false ? 'expired' : 'used');
        }
        return $answer['status'] === 404 ? 'unknown' : 'away';
    }

    /** Why this client may not be logged in by a link; '' = may. */
    private function whyNot(array $link): string
    {
        $client = Whmcs::client($link['client']);
        if ($client === null || $client['status'] !== 'Active') {
            return 'closed';
        }
        if (!$client['mayUseSso']) {
            return 'sso';
        }
        /* What can't be found out counts as on: a link must not get round a second factor. */
        if (Whmcs::hasSecondFactor($link['client'], $client['owner']) !== false) {
            return 'factor';
        }
        $issued = Token::EPOCH_S + $link['issued_min'] * 60;
        foreach (["password:client:{$link['client']}", "password:user:{$client['owner']}"] as $name) {
            if (Store::get($name) >= $issued) {
                return 'password';
            }
        }
        return '';
    }

    private function path(array $link): string
    {
        return $link['object'] > 0 ? "viewinvoice.php?id={$link['object']}" : 'clientarea.php';
    }

    private function refuse(string $why, $link): array
    {
        return $this->page($why, $link, []);
    }

    private function page(string $what, $link, array $form): array
    {
        return ['redirect' => '', 'cookie' => '', 'what' => $what, 'view' => $form + [
            'hopcount_link' => '',
            'hopcount_view' => '',
            'hopcount_title' => $this->text["login_{$what}_title"],
            'hopcount_message' => $this->text["login_{$what}"],
            'hopcount_button' => $this->text['login_press'],
            'hopcount_plain' => $this->text['login_plain'],
            /* WHMCS asks for the login itself where the page needs one. */
            'hopcount_plain_url' => Whmcs::systemUrl() . ($link === null ? 'clientarea.php' : $this->path($link)),
        ]];
    }

    /** hopcount_clientarea(): sends what the answer needs beside the page, and gives WHMCS the page. */
    public static function serve(array $vars): array
    {
        $text = Text::all($vars['_lang'] ?? null);
        $page = new self(Settings::load(), $text, ['get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE,
            'method' => $_SERVER['REQUEST_METHOD'] ?? 'GET']);
        $answer = $page->answer();
        if (!headers_sent()) {
            header('Cache-Control: private, no-store');
            header('Referrer-Policy: no-referrer');
            header('X-Robots-Tag: noindex, nofollow');
            header('X-Frame-Options: DENY');
            if ($answer['cookie'] !== '') {
                $secure = strncasecmp(Whmcs::systemUrl(), 'https:', 6) === 0 ? '; Secure' : '';
                header('Set-Cookie: ' . self::COOKIE . "={$answer['cookie']}; HttpOnly; SameSite=Strict$secure", false);
            }
        }
        if ($answer['redirect'] !== '') {
            header('Location: ' . $answer['redirect'], true, 303);
            exit;
        }
        return [
            'pagetitle' => $answer['view']['hopcount_title'],
            'breadcrumb' => ['index.php?m=hopcount' => $answer['view']['hopcount_title']],
            'templatefile' => 'login',
            'requirelogin' => false,
            'forcessl' => true,
            'vars' => $answer['view'],
        ];
    }
}
