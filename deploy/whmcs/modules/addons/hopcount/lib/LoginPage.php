<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * index.php?m=hopcount&token=TOKEN, the target of login links.  Looking at it changes nothing, for mail
 * programs and gateways look at it too; the press of its button uses the link up, once, by hopcount's
 * API, and WHMCS logs the client in.  Every refusal offers WHMCS's own login.
 *
 * Who is logged in as another client is told so, and nothing of the link's client is shown.  The button of
 * that page leads through WHMCS's logout back to the link, which it does not use up.
 */
final class LoginPage
{
    const COOKIE = 'hopcount_view';
    const NEXT = 'hopcount_next'; // the cookie with the token to go on with after the logout
    const NEXT_S = 120;
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
     * What the page is: what (one word), view (the variables of templates/login.tpl), cookie and next (of
     * COOKIE and NEXT, '' = none to set) and redirect ('' = none).
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
        if ($isPost && ($this->request['post']['leave'] ?? '') === '1') {
            return $this->leave($token, $link);
        }
        if ($this->isOther($link)) {
            return $this->show('other', $token, $link);
        }
        return $isPost ? $this->press($token, $link) : $this->show('button', $token, $link);
    }

    /** Whether the reader is logged in as somebody else than the link's client. */
    private function isOther($link): bool
    {
        $client = Whmcs::currentClient();
        return $client > 0 && ($link === null || $client !== $link['client']);
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

    /** A page with a button: to log in, or for who is logged in as another client to log out. */
    private function show(string $what, string $token, array $link): array
    {
        $view = bin2hex(random_bytes(16));
        $form = ['hopcount_link' => $token, 'hopcount_view' => $view];
        if ($what === 'other') {
            $form += ['hopcount_leave' => '1', 'hopcount_button' => $this->text['login_leave'],
                'hopcount_plain' => $this->text['login_stay']];
        }
        return ['cookie' => $view] + $this->page($what, $what === 'other' ? $link : null, $form);
    }

    /** Whether the form is that of a page of ours, in this browser. */
    private function isOwnForm(): bool
    {
        $view = $this->request['post']['view'] ?? '';
        $cookie = $this->request['cookie'][self::COOKIE] ?? '';
        return is_string($view) && is_string($cookie) && preg_match('/^[0-9a-f]{32}$/D', $view)
            && hash_equals($view, $cookie);
    }

    private function leave(string $token, array $link): array
    {
        if (!$this->isOwnForm()) {
            return $this->refuse('cookie', $link);
        }
        return $this->isOther($link)
            ? ['redirect' => Whmcs::systemUrl() . 'logout.php', 'next' => $token] + $this->page('other', $link, [])
            : $this->show('button', $token, $link); // the logout has happened
    }

    private function press(string $token, array $link): array
    {
        $view = $this->request['post']['view'] ?? '';
        if (!$this->isOwnForm()) {
            return $this->refuse('cookie', $link);
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
        $path = $link === null || $this->isOther($link) ? 'clientarea.php' : $this->path($link);
        return ['redirect' => '', 'cookie' => '', 'next' => '', 'what' => $what, 'view' => $form + [
            'hopcount_link' => '',
            'hopcount_view' => '',
            'hopcount_leave' => '',
            'hopcount_title' => $this->text["login_{$what}_title"],
            'hopcount_message' => $this->text["login_{$what}"],
            'hopcount_button' => $this->text['login_press'],
            'hopcount_plain' => $this->text['login_plain'],
            /* WHMCS asks for the login itself where the page needs one. */
            'hopcount_plain_url' => Whmcs::systemUrl() . $path,
        ]];
    }

    private static function sendCookie(string $cookie)
    {
        $secure = strncasecmp(Whmcs::systemUrl(), 'https:', 6) === 0 ? '; Secure' : '';
        header("Set-Cookie: $cookie; HttpOnly; SameSite=Strict$secure", false);
    }

    /** ClientAreaPageLogout: who logged out to go on with a link goes on; where to, '' = nowhere. */
    public static function afterLogout(array $cookies): string
    {
        $token = $cookies[self::NEXT] ?? '';
        return is_string($token) && preg_match('/^[0-9a-zA-Z]{45,122}$/D', $token) && Whmcs::currentClient() === 0
            ? Whmcs::systemUrl() . "index.php?m=hopcount&token=$token" : '';
    }

    public static function onLogout()
    {
        $url = self::afterLogout($_COOKIE);
        if ($url !== '' && !headers_sent()) {
            self::sendCookie(self::NEXT . '=; Max-Age=0');
            header('Cache-Control: private, no-store');
            header('Location: ' . $url, true, 303);
            exit;
        }
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
                self::sendCookie(self::COOKIE . "={$answer['cookie']}");
            }
            if ($answer['next'] !== '') {
                self::sendCookie(self::NEXT . "={$answer['next']}; Max-Age=" . self::NEXT_S);
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
