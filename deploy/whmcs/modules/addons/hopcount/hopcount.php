<?php

/**
 * hopcount for WHMCS: counted links in e-mails, and what they led to.  README.md beside `modules` says
 * how to install it.
 */

use WHMCS\Module\Addon\Hopcount\AdminPage;
use WHMCS\Module\Addon\Hopcount\LoginPage;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Store;
use WHMCS\Module\Addon\Hopcount\Text;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

function hopcount_config()
{
    $t = Text::staff();
    $fields = [
        'base_url' => ['Type' => 'text', 'Size' => '40'],
        'brand' => ['Type' => 'text', 'Size' => '20'],
        'key' => ['Type' => 'password', 'Size' => '60'],
        'api_url' => ['Type' => 'text', 'Size' => '40'],
        'api_key' => ['Type' => 'password', 'Size' => '60'],
        'ttl' => ['Type' => 'dropdown', 'Options' => Settings::ttlOptions($t, 1, 15) + Settings::ttlOptions($t, 0, 0),
            'Default' => '30 days'],
        'login_links' => ['Type' => 'yesno'],
        'login_ttl' => ['Type' => 'dropdown', 'Options' => Settings::ttlOptions($t, 1, 9), 'Default' => '7 days'],
        'on_password' => ['Type' => 'dropdown', 'Options' => ['all links' => $t['all_links'],
            'login links only' => $t['login_links_only']], 'Default' => 'all links'],
        'override_invoice_link' => ['Type' => 'yesno'],
        'ab_variants' => ['Type' => 'dropdown', 'Options' => '1,2,3,4,5,6,7', 'Default' => '1'],
        'opt_out_field' => ['Type' => 'text', 'Size' => '6'],
        'opt_out_marketing' => ['Type' => 'yesno'],
        'send_events' => ['Type' => 'yesno', 'Default' => 'on'],
        'brands' => ['Type' => 'textarea', 'Rows' => '3', 'Cols' => '60', 'Default' => ''],
    ];
    foreach ($fields as $name => $field) {
        $fields[$name] = ['FriendlyName' => $t["set_$name"]] + $field + ['Description' => $t["set_{$name}_text"]];
    }
    return [
        'name' => 'hopcount',
        'description' => $t['module_text'],
        'version' => '1.1',
        'author' => 'hopcount',
        'language' => 'english',
        'fields' => $fields,
    ];
}

function hopcount_activate()
{
    $t = Text::staff();
    try {
        Store::create();
    } catch (\Throwable $e) {
        return ['status' => 'error', 'description' => sprintf($t['not_activated'], $e->getMessage())];
    }
    return ['status' => 'success', 'description' => $t['activated']];
}

function hopcount_deactivate()
{
    $t = Text::staff();
    try {
        Store::drop();
    } catch (\Throwable $e) {
        return ['status' => 'error', 'description' => sprintf($t['not_deactivated'], $e->getMessage())];
    }
    return ['status' => 'success', 'description' => $t['deactivated']];
}

function hopcount_upgrade($vars)
{
    Store::create();
}

function hopcount_output($vars)
{
    AdminPage::serve(is_array($vars) ? $vars : []);
}

function hopcount_clientarea($vars)
{
    return LoginPage::serve(is_array($vars) ? $vars : []);
}
