<?php

/**
 * hopcount for WHMCS: counted links in e-mails, and what they led to.  README.md beside `modules` says
 * how to install it.
 */

use WHMCS\Module\Addon\Hopcount\AdminPage;
use WHMCS\Module\Addon\Hopcount\LoginPage;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Store;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

function hopcount_config()
{
    $ttls = implode(',', array_slice(Settings::TTLS, 1));
    return [
        'name' => 'hopcount',
        'description' => 'Counted links in e-mails: view, pay, log in. Shows who clicks and who pays.',
        'version' => '1.1',
        'author' => 'hopcount',
        'language' => 'english',
        'fields' => [
            'base_url' => ['FriendlyName' => 'Base URL', 'Type' => 'text', 'Size' => '40',
                'Description' => 'Where links begin, as https://go.acme.example'],
            'brand' => ['FriendlyName' => 'Brand', 'Type' => 'text', 'Size' => '20',
                'Description' => 'The name of the brand in the service\'s configuration'],
            'key' => ['FriendlyName' => 'Key', 'Type' => 'password', 'Size' => '60',
                'Description' => 'The line with "mint" of the service\'s key file, or the path of such a file'],
            'api_url' => ['FriendlyName' => 'API address', 'Type' => 'text', 'Size' => '40',
                'Description' => 'The service\'s admin address, as http://127.0.0.1:8081; may be empty'],
            'api_key' => ['FriendlyName' => 'API key', 'Type' => 'password', 'Size' => '60',
                'Description' => 'With the scopes stats:read, links:write and events:write'],
            'ttl' => ['FriendlyName' => 'Links are valid', 'Type' => 'dropdown', 'Options' => "$ttls,never ends",
                'Default' => '30 days', 'Description' => 'Of an invoice: until 30 days after it is due'],
            'login_links' => ['FriendlyName' => 'Login links', 'Type' => 'yesno',
                'Description' => 'Let {$hopcount_login_url} log clients in, once, behind a button'],
            'login_ttl' => ['FriendlyName' => 'Login links are valid', 'Type' => 'dropdown',
                'Options' => implode(',', array_slice(Settings::TTLS, 1, 9)), 'Default' => '7 days',
                'Description' => ''],
            'on_password' => ['FriendlyName' => 'A new password voids', 'Type' => 'dropdown',
                'Options' => 'all links,login links only', 'Default' => 'all links',
                'Description' => 'that were mailed to the client before'],
            'override_invoice_link' => ['FriendlyName' => 'Replace {$invoice_link}', 'Type' => 'yesno',
                'Description' => 'Count clicks without changing templates'],
            'ab_variants' => ['FriendlyName' => 'A/B variants', 'Type' => 'dropdown', 'Options' => '1,2,3,4,5,6,7',
                'Default' => '1', 'Description' => 'Clients are split by their number; {$hopcount_variant} says which'],
            'opt_out_field' => ['FriendlyName' => 'Opt-out field', 'Type' => 'text', 'Size' => '6',
                'Description' => 'The number of a client custom field: ticked means plain links'],
            'opt_out_marketing' => ['FriendlyName' => 'Only with consent', 'Type' => 'yesno',
                'Description' => 'Plain links for clients who did not opt in to marketing e-mails'],
            'send_events' => ['FriendlyName' => 'Tell payments', 'Type' => 'yesno', 'Default' => 'on',
                'Description' => 'Tell the service which invoices are paid and which mails were sent'],
            'brands' => ['FriendlyName' => 'More brands', 'Type' => 'textarea', 'Rows' => '3', 'Cols' => '60',
                'Default' => '', 'Description' => 'One per line: domain or company | brand | base URL | key'],
        ],
    ];
}

function hopcount_activate()
{
    try {
        Store::create();
    } catch (\Throwable $e) {
        return ['status' => 'error', 'description' => 'The tables can\'t be made: ' . $e->getMessage()];
    }
    return ['status' => 'success', 'description' => 'Now set the base URL, the brand and the key below, and look at '
        . 'Addons > hopcount for what is missing.'];
}

function hopcount_deactivate()
{
    try {
        Store::drop();
    } catch (\Throwable $e) {
        return ['status' => 'error', 'description' => 'The tables can\'t be dropped: ' . $e->getMessage()];
    }
    return ['status' => 'success', 'description' => 'Templates that use its fields have empty links from now on.'];
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
