<?php

use WHMCS\Module\Addon\Hopcount\LoginPage;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Store;
use WHMCS\Module\Addon\Hopcount\Text;
use WHMCS\Module\Addon\Hopcount\Token;

require_once __DIR__ . '/bed/BedCase.php';
require_once __DIR__ . '/bed/Service.php';

/** The page of login links: what a mail gateway may look at, what a person presses, who is refused. */
final class LoginTest extends BedCase
{
    protected function setUp(): void
    {
        Bed::start(Service::settings());
        foreach ([577, 578, 579] as $user) {
            WHMCS\Database\Capsule::table('tblusers')->insert(['id' => $user, 'second_factor' => '']);
        }
    }

    private static function page(string $method, array $request): array
    {
        return (new LoginPage(Settings::load(), Text::all(), $request
            + ['get' => [], 'post' => [], 'cookie' => [], 'method' => $method]))->answer();
    }

    private static function look(string $token): array
    {
        return self::page('GET', ['get' => ['token' => $token]]);
    }

    /** Looks and presses, as a browser that keeps the cookie. */
    private static function press(string $token, $view = null): array
    {
        $view = $view ?? self::look($token)['cookie'];
        return self::page('POST', ['post' => ['link' => $token, 'view' => $view],
            'cookie' => [LoginPage::COOKIE => $view]]);
    }

    private static function token(array $fields = [], string $brand = 'acme'): string
    {
        static $n = 0;
        /* A campaign of its own makes each link another one. */
        return Token::seal(1, hex2bin(substr(Service::get('key'), 7)), $brand, $fields + ['kind' => 3, 'object' => 5,
            'client' => 77, 'campaign' => 1000 + $n++, 'issued_min' => Token::minutes(time()), 'ttl_code' => 7]);
    }

    private function assertRefused(string $what, array $answer, string $page = 'viewinvoice.php?id=5'): void
    {
        $this->assertSame($what, $answer['what']);
        $this->assertSame('', $answer['redirect']);
        $this->assertSame('', $answer['cookie']);
        $this->assertSame(Bed::SYSTEM . $page, $answer['view']['hopcount_plain_url'], 'the normal way in');
        $this->assertStringNotContainsString('<form', Bed::render('file:' . Bed::MODULE . '/templates/login.tpl', $answer['view']));
    }

    private static function ssoCalls(): array
    {
        return array_values(array_filter(Bed::$calls, static function ($call) {
            return $call[0] === 'CreateSsoToken';
        }));
    }

    public function test_a_link_from_a_mail_logs_in_once_and_leads_to_the_invoice(): void
    {
        $url = Bed::mergeFields('Invoice Created', 5)['hopcount_login_url'];
        list($status, $target) = Service::follow($url);
        $this->assertSame(302, $status);
        $this->assertStringStartsWith(Bed::SYSTEM . 'index.php?m=hopcount&token=', $target);
        parse_str(parse_url($target, PHP_URL_QUERY), $query);
        $look = self::look($query['token']);
        $this->assertSame('button', $look['what']);
        $html = Bed::render('file:' . Bed::MODULE . '/templates/login.tpl', $look['view']);
        $this->assertSame(1, substr_count($html, '<form method="post"'));
        $this->assertStringContainsString($query['token'], $html);
        $this->assertSame([], self::ssoCalls());

        $done = self::press($query['token'], $look['cookie']);
        $this->assertStringStartsWith(Bed::SYSTEM . 'oauth/singlesignon.php?access_token=', $done['redirect']);
        $this->assertSame([['CreateSsoToken', ['client_id' => 77, 'destination' => 'sso:custom_redirect',
            'sso_redirect_path' => 'viewinvoice.php?id=5']]], self::ssoCalls());

        $this->assertNotSame('', self::press($query['token'], $look['cookie'])['redirect'], 'a double press');
        $this->assertRefused('used', self::press($query['token']));
        $this->assertRefused('used', self::press($query['token']));
        $this->assertCount(2, self::ssoCalls());
    }

    public function test_looking_changes_nothing_however_often(): void
    {
        $token = self::token();
        $views = [];
        for ($i = 0; $i < 20; $i++) {
            $views[] = self::look($token)['cookie'];
        }
        $this->assertCount(20, array_unique($views));
        $this->assertSame([], self::ssoCalls());
        $this->assertNotSame('', self::press($token)['redirect']);
    }

    public function test_a_press_without_the_cookie_of_the_page_uses_nothing(): void
    {
        $token = self::token();
        $view = self::look($token)['cookie'];
        foreach ([[], [LoginPage::COOKIE => str_repeat('0', 32)], [LoginPage::COOKIE => [$view]]] as $cookie) {
            $this->assertRefused('cookie', self::page('POST', ['post' => ['link' => $token, 'view' => $view], 'cookie' => $cookie]));
        }
        foreach (['', 'x', [$view], "$view\n"] as $sent) {
            $this->assertRefused('cookie', self::page('POST', ['post' => ['link' => $token, 'view' => $sent],
                'cookie' => [LoginPage::COOKIE => $view]]));
        }
        $this->assertNotSame('', self::press($token)['redirect']);
    }

    public static function bad_tokens(): array
    {
        return [
            'nothing' => [''],
            'a list' => [['a']],
            'no token' => ['../../etc/passwd'],
            'markup' => ['"><script>alert(1)</script>'],
            'forged' => [str_repeat('0', 45)],
        ];
    }

    /** @dataProvider bad_tokens */
    public function test_what_is_no_login_link_is_refused($token): void
    {
        $this->assertRefused('unknown', self::page('GET', ['get' => ['token' => $token]]), 'clientarea.php');
        $this->assertRefused('unknown', self::page('POST', ['post' => ['link' => $token]]), 'clientarea.php');
        $this->assertSame([], self::ssoCalls());
    }

    public function test_links_of_other_kinds_brands_and_times_are_refused(): void
    {
        $this->assertRefused('unknown', self::look(self::token(['kind' => 2])), 'clientarea.php');
        $this->assertRefused('unknown', self::look(self::token(['silent' => 1])), 'clientarea.php');
        $this->assertRefused('unknown', self::look(self::token([], 'initech')), 'clientarea.php');
        $this->assertRefused('unknown', self::look(self::token(['client' => 0])));
        $this->assertSame('button', self::look(self::token([], 'umbrella'))['what']);
        $old = self::token(['issued_min' => Token::minutes(time() - 8 * 86400)]);
        $this->assertRefused('expired', self::look($old));
        $this->assertRefused('expired', self::press($old, str_repeat('a', 32)));
    }

    public function test_who_may_not_be_logged_in_by_a_link(): void
    {
        $users = WHMCS\Database\Capsule::table('tblusers');
        $cases = [
            'a closed account' => ['closed', static function () {
                Bed::$data['clients'][77] = ['status' => 'Closed'];
            }],
            'an inactive account' => ['closed', static function () {
                Bed::$data['clients'][77] = ['status' => 'Inactive'];
            }],
            'no such client any more' => ['closed', static function () {
                unset(Bed::$data['clients'][77]);
            }],
            'single sign-on is off' => ['sso', static function () {
                Bed::$data['clients'][77] = ['allowSingleSignOn' => 0];
            }],
            'a second factor' => ['factor', static function () {
                WHMCS\Database\Capsule::table('tblusers')->where('id', 577)->update(['second_factor' => 'totp']);
            }],
            'nobody knows of a second factor' => ['factor', static function () {
                WHMCS\Database\Capsule::schema()->drop('tblusers');
            }],
            'the owner is not there' => ['factor', static function () {
                Bed::$data['clients'][77] = ['owner_user_id' => 9999];
            }],
            'a new password of the client' => ['password', static function () {
                Bed::fire('ClientChangePassword', ['userid' => 77, 'password' => 'x']);
            }],
            'a new password of its owner' => ['password', static function () {
                Bed::fire('UserChangePassword', ['userid' => 577, 'password' => 'x']);
            }],
        ];
        foreach ($cases as $name => $case) {
            $this->setUp();
            Bed::set(['on_password' => 'login links only']);
            $token = self::token();
            $case[1]();
            $this->assertRefused($case[0], self::press($token));
            $this->assertSame([], self::ssoCalls(), $name);
        }
        $this->setUp();
        $this->assertNotSame('', self::press($token)['redirect'], 'refusals have used nothing up');
    }

    public function test_who_is_logged_in_as_another_client_is_told_so_and_may_log_out_and_go_on(): void
    {
        $token = self::token();
        Bed::$client = 78;
        $page = self::look($token);
        $this->assertSame('other', $page['what']);
        $html = Bed::render('file:' . Bed::MODULE . '/templates/login.tpl', $page['view']);
        $this->assertStringContainsString('You are logged in as another client', $html);
        $this->assertStringContainsString('href="' . Bed::SYSTEM . 'clientarea.php"', $html, 'stay');
        $this->assertDoesNotMatchRegularExpression('/viewinvoice|77/', str_replace([$token, $page['cookie']], '', $html),
            'nothing of the other client');
        $this->assertStringContainsString('name="leave" value="1"', $html);
        $answer = self::page('POST', ['post' => ['link' => $token, 'view' => $page['cookie']],
            'cookie' => [LoginPage::COOKIE => $page['cookie']]]);
        $this->assertSame('other', $answer['what'], 'a press from an older page does not switch accounts');
        $this->assertSame('', $answer['redirect']);

        $press = ['post' => ['link' => $token, 'view' => $page['cookie'], 'leave' => '1'], 'cookie' => [LoginPage::COOKIE => $page['cookie']]];
        foreach ([['cookie' => []] + $press, ['cookie' => [LoginPage::COOKIE => str_repeat('0', 32)]] + $press] as $forged) {
            $answer = self::page('POST', $forged);
            $this->assertSame(['cookie', '', ''], [$answer['what'], $answer['redirect'], $answer['next']], 'no other page logs out');
        }
        $answer = self::page('POST', $press);
        $this->assertSame([Bed::SYSTEM . 'logout.php', $token], [$answer['redirect'], $answer['next']]);
        $this->assertSame('', LoginPage::afterLogout([LoginPage::NEXT => $token]), 'not while somebody is logged in');

        Bed::$client = 0;
        $this->assertSame(Bed::SYSTEM . "index.php?m=hopcount&token=$token", LoginPage::afterLogout([LoginPage::NEXT => $token]));
        $this->assertSame('button', self::page('POST', $press)['what'], 'the same button once more');
        foreach ([[], [LoginPage::NEXT => ''], [LoginPage::NEXT => [$token]], [LoginPage::NEXT => "$token\nx"],
            [LoginPage::NEXT => '//evil.example/' . $token]] as $cookies) {
            $this->assertSame('', LoginPage::afterLogout($cookies));
        }
        $_COOKIE = [];
        $fields = array_fill_keys((require __DIR__ . '/bed/documented.php')['hooks']['ClientAreaPageLogout'], '');
        $this->assertSame([null], Bed::fire('ClientAreaPageLogout', $fields), 'an ordinary logout');
        $this->assertSame([], self::ssoCalls());
        $this->assertNotSame('', self::press($token)['redirect'], 'the link was not used up');
    }

    public function test_refusals_lead_nobody_to_the_invoice_of_another_client(): void
    {
        Bed::$client = 78;
        $this->assertRefused('expired', self::look(self::token(['issued_min' => Token::minutes(time() - 8 * 86400)])), 'clientarea.php');
        Bed::set(['login_links' => '']);
        $this->assertRefused('off', self::look(self::token()), 'clientarea.php');
    }

    public function test_who_is_logged_in_as_the_links_client_sees_the_button(): void
    {
        Bed::$client = 77;
        $token = self::token();
        $this->assertSame('button', self::look($token)['what']);
        $this->assertNotSame('', self::press($token)['redirect']);
    }

    public function test_a_revoked_link_is_said_to_be_one(): void
    {
        $token = self::token(['client' => 79, 'object' => 7]);
        Service::api('POST', '/v1/revocations', ['scope' => 'link', 'brand' => 'acme', 'id' => $token]);
        Service::waitFor(static function () use ($token) {
            return Service::api('GET', "/v1/links/$token?brand=acme")[1]['revoked'];
        }, 'the revocation');
        $this->assertRefused('revoked', self::press($token), 'viewinvoice.php?id=7');
        $this->assertSame([], self::ssoCalls());
    }

    public function test_whmcs_7_has_the_second_factor_at_the_client(): void
    {
        Bed::$data['clients'][77] = ['owner_user_id' => 0];
        WHMCS\Database\Capsule::table('tblclients')->insert(['id' => 77, 'authmodule' => 'totp']);
        $this->assertRefused('factor', self::press(self::token()));
        WHMCS\Database\Capsule::table('tblclients')->where('id', 77)->update(['authmodule' => '']);
        $this->assertNotSame('', self::press(self::token())['redirect']);
    }

    public function test_whmcs_that_makes_no_session_is_said_and_logged(): void
    {
        Bed::$data['clients'][77] = ['ssoBlocked' => true];
        $this->assertRefused('sso', self::press(self::token()));
        $this->assertStringContainsString('SSO authentication blocked for client 77', implode(Bed::$log));
        Bed::$broken = ['CreateSsoToken'];
        $this->assertRefused('sso', self::press(self::token()));
    }

    public function test_without_the_service_nobody_is_logged_in(): void
    {
        foreach (['http://127.0.0.1:9', ''] as $address) {
            Bed::set(['api_url' => $address]);
            $this->assertRefused('away', self::press(self::token()));
        }
        $this->assertSame([], self::ssoCalls());
    }

    public function test_a_pause_for_mails_is_none_for_people(): void
    {
        Store::set('pause', 'it was away', 60);
        $this->assertNotSame('', self::press(self::token())['redirect']);
    }

    public function test_switched_off_it_only_offers_the_normal_login(): void
    {
        Bed::set(['login_links' => '']);
        $this->assertRefused('off', self::look(self::token()));
        $this->assertRefused('off', self::press(self::token(), str_repeat('a', 32)));
    }

    public function test_a_wrong_key_file_opens_nothing_and_is_logged(): void
    {
        Bed::set(['key' => '/nowhere/keys']);
        $this->assertRefused('unknown', self::look(self::token()), 'clientarea.php');
        $this->assertStringContainsString('is not there', implode(Bed::$log));
    }

    public function test_each_text_of_the_page_is_there_and_escaped(): void
    {
        $texts = Text::all();
        foreach (['button', 'off', 'unknown', 'expired', 'used', 'revoked', 'cookie', 'closed', 'factor', 'password', 'sso', 'away', 'other'] as $what) {
            $this->assertNotSame('', $texts["login_$what"] . $texts["login_{$what}_title"]);
        }
        $html = Bed::render('file:' . Bed::MODULE . '/templates/login.tpl', array_fill_keys(['hopcount_title',
            'hopcount_message', 'hopcount_link', 'hopcount_view', 'hopcount_leave', 'hopcount_button', 'hopcount_plain',
            'hopcount_plain_url'], '"><script>'));
        $this->assertStringNotContainsString('<script>', $html);
        $this->assertSame(9, substr_count($html, '&quot;&gt;&lt;script&gt;') + 2);
    }

    /** What hopcount_clientarea() gives WHMCS. */
    public function test_whmcs_gets_the_documented_fields(): void
    {
        $_GET = ['m' => 'hopcount', 'token' => self::token()];
        $page = hopcount_clientarea(['modulelink' => 'index.php?m=hopcount', 'version' => '1.0', '_lang' => []]);
        $this->assertSame(['pagetitle', 'breadcrumb', 'templatefile', 'requirelogin', 'forcessl', 'vars'], array_keys($page));
        $this->assertFileExists(Bed::MODULE . "/templates/{$page['templatefile']}.tpl");
        $this->assertFalse($page['requirelogin']);
    }
}
