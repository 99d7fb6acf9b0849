<?php

/* WHMCS loads classes of lib/ by itself, but not for reports; this does it alike everywhere. */
spl_autoload_register(static function (string $class) {
    $prefix = 'WHMCS\\Module\\Addon\\Hopcount\\';
    if (strncmp($class, $prefix, strlen($prefix)) === 0) {
        $path = __DIR__ . '/' . substr($class, strlen($prefix)) . '.php';
        if (is_file($path)) {
            require_once $path;
        }
    }
});
