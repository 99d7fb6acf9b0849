<?php

/* The functions and classes of WHMCS that a module uses, by their documented names. */

namespace WHMCS\Database {
    class Capsule extends \Illuminate\Database\Capsule\Manager
    {
    }
}

namespace WHMCS\Module {
    /** The documented properties and methods of a widget. */
    abstract class AbstractWidget
    {
        protected $title = '';
        protected $description = '';
        protected $weight = 100;
        protected $columns = 1;
        protected $cache = false;
        protected $cacheExpiry = 120;
        protected $requiredPermission = '';

        abstract public function getData();
        abstract public function generateOutput($data);
    }
}

namespace WHMCS\Authentication {
    /** Who looks at a page: staff and a client may be logged in at once. */
    class CurrentUser
    {
        public function admin()
        {
            return \Bed::$admin === 0 ? null : (object) ['id' => \Bed::$admin];
        }

        public function client()
        {
            return \Bed::$client === 0 ? null : (object) ['id' => \Bed::$client];
        }
    }
}

namespace WHMCS\Billing {
    class Invoice
    {
    }
}

namespace {
    define('WHMCS', true);

    function add_hook(string $point, int $priority, callable $call): void
    {
        Bed::addHook($point, $call);
    }

    function localAPI(string $command, array $values = [], string $admin = ''): array
    {
        return Bed::api($command, $values);
    }

    function logActivity(string $message, int $clientId = 0): void
    {
        Bed::log($message);
    }
}
