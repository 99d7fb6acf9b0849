<?php

/**
 * As much of WHMCS as a module sees, made from its developer documentation (documented.php): hooks,
 * internal API, Laravel's Capsule on SQLite or MariaDB, Smarty for mails.  No WHMCS was at hand: what it does
 * beyond its documentation is not in here.
 *
 * Hooks and commands have exactly the documented fields: a hook that is fired with others, or a
 * command that is called with others, throws.
 */
final class Bed
{
    public const SYSTEM = 'https://billing.acme.example/members/';
    public const MODULE = __DIR__ . '/../../../deploy/whmcs/modules/addons/hopcount';

    /** @var array of WHMCS's data: invoices, clients, users, templates, transactions; by number or name.  A transaction is a
        number, of 19.99 paid, or [number, amountin, amountout]. */
    public static $data = [];
    /** @var string[] lines of the activity log */
    public static $log = [];
    /** @var array of [command, values] that were called */
    public static $calls = [];
    /** @var string[] commands that throw */
    public static $broken = [];
    /** @var int the member of staff who is logged in; 0 = nobody */
    public static $admin = 0;
    /** @var int the client who is logged in; 0 = nobody */
    public static $client = 0;
    /** @var string|null SystemURL */
    public static $systemUrl = self::SYSTEM;
    /** @var array [hook => calls] */
    private static $hooks = [];
    /** @var array */
    private static $documented;
    /** @var bool */
    private static $hasHandler = false;
    /** @var int what error_reporting() was */
    private static $reporting = 0;

    /** A WHMCS with the module in it, active and with these settings.  Who joins leaves the tables alone. */
    public static function start(array $settings = [], bool $isActive = true, bool $joins = false): void
    {
        if (!self::$hasHandler) {
            self::$hasHandler = true;
            self::$reporting = error_reporting(E_ALL); // Debian's php.ini leaves deprecations out
            set_error_handler(static function (int $level, string $text, string $file, int $line): bool {
                /* WHMCS may make exceptions of what PHP only warns of.  Of Debian's Laravel on a newer PHP: nothing. */
                if ((error_reporting() & $level) && strpos($file, '/deploy/whmcs/') !== false) {
                    throw new ErrorException($text, 0, $level, $file, $line);
                }
                return true;
            });
        }
        if (self::$documented === null) {
            self::$documented = require __DIR__ . '/documented.php';
            require_once '/usr/share/php/Illuminate/Database/autoload.php';
            require_once __DIR__ . '/whmcs.php';
            require_once self::MODULE . '/hopcount.php';
        }
        $capsule = new WHMCS\Database\Capsule();
        $socket = getenv('HOPCOUNT_MARIADB');
        $capsule->addConnection($socket === false || $socket === ''
            ? ['driver' => 'sqlite', 'database' => ':memory:', 'prefix' => '']
            : ['driver' => 'mysql', 'unix_socket' => $socket, 'host' => 'localhost', 'database' => 'whmcs', 'username' => 'root',
                'password' => '', 'charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci', 'prefix' => '', 'strict' => true]);
        $capsule->setAsGlobal();
        if (!$joins) {
            self::makeTables($isActive);
        }
        self::$data = require __DIR__ . '/data.php';
        self::$log = self::$calls = self::$broken = self::$hooks = [];
        self::$systemUrl = self::SYSTEM;
        self::$admin = self::$client = 0;
        $_GET = $_POST = $_COOKIE = $_SESSION = [];
        self::newProcess();
        if ($isActive && !$joins) {
            $done = hopcount_activate();
            if ($done['status'] !== 'success') {
                throw new RuntimeException($done['description']);
            }
        }
        if (!$joins) {
            self::set($settings);
        }
        require self::MODULE . '/hooks.php';
    }

    /** PHP's complaints are no more ours. */
    public static function end(): void
    {
        if (self::$hasHandler) {
            self::$hasHandler = false;
            restore_error_handler();
            error_reporting(self::$reporting);
        }
    }

    /** What a process keeps is gone, as at the next page or run of the cron. */
    public static function newProcess(): void
    {
        foreach (glob(self::MODULE . '/lib/*.php') as $path) {
            $name = basename($path, '.php');
            $class = 'WHMCS\\Module\\Addon\\Hopcount\\' . $name;
            if ($name === 'autoload' || !class_exists($class)) {
                continue;
            }
            $reflection = new ReflectionClass($class);
            foreach ($reflection->getStaticProperties() as $property => $value) {
                $handle = $reflection->getProperty($property);
                $handle->setValue(null, $reflection->getDefaultProperties()[$property] ?? null);
            }
        }
    }

    /** A member of staff whose language it is looks at pages. */
    public static function staff(string $language): void
    {
        self::$admin = (int) WHMCS\Database\Capsule::table('tbladmins')->insertGetId(['language' => $language]);
    }

    /** Stores settings of the module, and begins a new process. */
    public static function set(array $settings): void
    {
        foreach ($settings as $name => $value) {
            $row = ['module' => 'hopcount', 'setting' => $name];
            WHMCS\Database\Capsule::table('tbladdonmodules')->where($row)->delete();
            WHMCS\Database\Capsule::table('tbladdonmodules')->insert($row + ['value' => $value]);
        }
        self::newProcess();
    }

    /** WHMCS's tables, empty.  Of a MariaDB the module's are emptied too: making them anew is slow there. */
    private static function makeTables(bool $isActive): void
    {
        $schema = WHMCS\Database\Capsule::schema();
        $columns = ['tbladdonmodules' => ['module', 'setting', 'value'], 'tblusers' => ['second_factor'],
            'tblclients' => ['authmodule'], 'tbladmins' => ['language']];
        foreach ($columns as $name => $texts) {
            if ($schema->hasTable($name)) {
                WHMCS\Database\Capsule::table($name)->delete();
                continue;
            }
            $schema->create($name, static function ($table) use ($texts) {
                $table->increments('id');
                foreach ($texts as $text) {
                    $table->text($text);
                }
            });
        }
        foreach (['mod_hopcount_campaigns' => 16, 'mod_hopcount_queue' => 0, 'mod_hopcount_state' => null,
            'mod_hopcount_invoices' => null] as $name => $kept) {
            if (!$isActive) {
                $schema->dropIfExists($name);
            } elseif ($schema->hasTable($name)) {
                WHMCS\Database\Capsule::table($name)->where(str_ends_with($name, 'state') ? 'until' : 'id', '>', $kept ?? -1)->delete();
                if ($kept !== null) {
                    WHMCS\Database\Capsule::connection()->statement("ALTER TABLE $name AUTO_INCREMENT = " . ($kept + 1));
                }
            }
        }
    }

    // --- hooks ---

    public static function addHook(string $point, callable $call): void
    {
        if (!isset(self::$documented['hooks'][$point])) {
            throw new RuntimeException("the documentation has no hook $point");
        }
        self::$hooks[$point][] = $call;
    }

    public static function hookNames(): array
    {
        return array_keys(self::$hooks);
    }

    /** What each function on a hook returns. */
    public static function fire(string $point, array $vars = []): array
    {
        $wants = self::$documented['hooks'][$point];
        if (array_diff(array_keys($vars), $wants) !== [] || array_diff($wants, array_keys($vars)) !== []) {
            throw new RuntimeException("$point has the fields " . implode(' ', $wants));
        }
        return array_map(static function ($call) use ($vars) {
            return $call($vars);
        }, self::$hooks[$point] ?? []);
    }

    // --- API ---

    public static function api(string $command, array $values): array
    {
        self::$calls[] = [$command, $values];
        if (!isset(self::$documented['commands'][$command])) {
            throw new RuntimeException("the documentation has no command $command");
        }
        $takes = self::$documented['commands'][$command]['takes'];
        $names = str_replace('!', '', $takes);
        if (array_diff(array_keys($values), $names) !== []) {
            throw new RuntimeException("$command takes " . implode(' ', $names));
        }
        foreach ($takes as $name) {
            if ($name[0] === '!' && !isset($values[substr($name, 1)])) {
                throw new RuntimeException("$command needs $name");
            }
        }
        if (in_array($command, self::$broken, true)) {
            throw new RuntimeException('SQLSTATE[HY000] [2002] Connection refused');
        }
        $answer = self::{"answer$command"}($values);
        if (($answer['result'] ?? '') === 'success'
            && array_diff(array_keys($answer), self::$documented['commands'][$command]['gives']) !== []) {
            throw new RuntimeException("the harness gives $command fields that aren't documented");
        }
        return $answer;
    }

    private static function error(string $message): array
    {
        return ['result' => 'error', 'message' => $message];
    }

    private static function answerGetInvoice(array $values): array
    {
        $invoice = self::$data['invoices'][$values['invoiceid']] ?? null;
        return $invoice === null ? self::error('Invoice ID Not Found') : $invoice + [
            'result' => 'success', 'invoiceid' => (int) $values['invoiceid'], 'invoicenum' => '',
            'date' => '2026-11-01', 'duedate' => '2026-12-31', 'datepaid' => '0000-00-00 00:00:00',
            'lastcaptureattempt' => '0000-00-00 00:00:00', 'subtotal' => '19.99', 'credit' => '0.00',
            'tax' => '0.00', 'tax2' => '0.00', 'total' => '19.99', 'balance' => '19.99', 'taxrate' => '0.000',
            'taxrate2' => '0.000', 'status' => 'Unpaid', 'paymentmethod' => 'paypalcheckout', 'notes' => '',
            'ccgateway' => false, 'items' => ['item' => []], 'transactions' => '',
        ];
    }

    private static function answerGetTransactions(array $values): array
    {
        $rows = self::$data['transactions'][$values['invoiceid']] ?? [];
        return ['result' => 'success', 'totalresults' => count($rows), 'startnumber' => 0,
            'numreturned' => count($rows), 'transactions' => ['transaction' => array_map(static function ($row) {
                list($id, $in, $out) = is_array($row) ? $row : [$row, '19.99', '0.00'];
                return ['id' => (string) $id, 'transid' => "tx-$id", 'amountin' => $in, 'amountout' => $out];
            }, $rows)]];
    }

    private static function answerGetClientsDetails(array $values): array
    {
        $client = self::$data['clients'][$values['clientid']] ?? null;
        return $client === null ? self::error('Client Not Found')
            : ['result' => 'success', 'client' => $client + ['client_id' => $values['clientid'],
                'id' => $values['clientid'], 'owner_user_id' => 500 + $values['clientid'], 'status' => 'Active',
                'allowSingleSignOn' => 1, 'currency_code' => 'EUR', 'isOptedInToMarketingEmails' => true,
                'customfields' => [['id' => 3, 'value' => '']]]];
    }

    private static function answerGetEmailTemplates(array $values): array
    {
        $rows = [];
        foreach (self::$data['templates'] as $name => $type) {
            if ($type === $values['type']) {
                $rows[] = ['id' => (string) (count($rows) + 1), 'name' => $name, 'subject' => $name, 'custom' => '0'];
            }
        }
        return ['result' => 'success', 'totalresults' => (string) count($rows),
            'emailtemplates' => ['emailtemplate' => $rows]];
    }

    private static function answerGetConfigurationValue(array $values): array
    {
        return $values['setting'] !== 'SystemURL' || self::$systemUrl === null
            ? self::error('Invalid name for parameter setting')
            : ['result' => 'success', 'setting' => 'SystemURL', 'value' => self::$systemUrl];
    }

    private static function answerGetUsers(array $values): array
    {
        $page = array_slice(self::$data['users'], $values['limitstart'] ?? 0, $values['limitnum'] ?? 25);
        return ['result' => 'success', 'totalresults' => count(self::$data['users']),
            'startnumber' => $values['limitstart'] ?? 0, 'numreturned' => count($page), 'users' => $page];
    }

    private static function answerCreateSsoToken(array $values): array
    {
        if (!isset(self::$data['clients'][$values['client_id'] ?? 0])) {
            return self::error('Invalid client_id');
        }
        if (self::$data['clients'][$values['client_id']]['ssoBlocked'] ?? false) {
            return self::error("SSO authentication blocked for client {$values['client_id']}");
        }
        return ['result' => 'success', 'access_token' => str_repeat('a', 40),
            'redirect_url' => self::SYSTEM . 'oauth/singlesignon.php?access_token=' . str_repeat('a', 40)];
    }

    private static function answerSendEmail(array $values): array
    {
        return isset(self::$data['templates'][$values['messagename']]) ? ['result' => 'success']
            : self::error('Email Template not found');
    }

    private static function answerDecryptPassword(array $values): array
    {
        return strncmp($values['password2'], 'sealed:', 7) === 0
            ? ['result' => 'success', 'password' => base64_decode(substr($values['password2'], 7))]
            : ['result' => 'success', 'password' => ''];
    }

    public static function log(string $message): void
    {
        if (in_array('logActivity', self::$broken, true)) {
            throw new RuntimeException('the log is full');
        }
        self::$log[] = $message;
    }

    // --- mails ---

    /** The merge fields that a mail has in the end: WHMCS's, and over them those of the hooks. */
    public static function mergeFields(string $name, $relid, array $own = []): array
    {
        $fields = $own;
        foreach (self::fire('EmailPreSend', ['messagename' => $name, 'relid' => $relid, 'mergefields' => $own]) as $more) {
            $fields = array_merge($fields, $more);
        }
        return $fields;
    }

    /** A mail, rendered. */
    public static function mail(string $template, string $name, $relid, array $own = []): string
    {
        return self::render('string:' . $template, self::mergeFields($name, $relid, $own));
    }

    /** What is in WHMCS's log of a mail. */
    public static function logged(string $message, int $client = 77): string
    {
        foreach (self::fire('EmailPreLog', ['userid' => $client, 'date' => '2026-11-27 12:00:00',
            'to' => 'a@example.com', 'cc' => '', 'bcc' => '', 'subject' => 'Invoice', 'message' => $message,
            'attachments' => []]) as $changed) {
            $message = $changed['message'] ?? $message;
        }
        return $message;
    }

    public static function render(string $template, array $fields): string
    {
        require_once '/usr/share/php/smarty4/Smarty.class.php';
        $smarty = new Smarty();
        $smarty->setCompileDir(sys_get_temp_dir() . '/hopcount-smarty-' . getmypid());
        $smarty->assign($fields);
        return $smarty->fetch($template);
    }
}
