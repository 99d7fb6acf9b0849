<?php

/**
 * What the module does on WHMCS's hooks.  No hook of ours stops what WHMCS is doing: what goes wrong is
 * said in the activity log.
 */

use WHMCS\Module\Addon\Hopcount\Events;
use WHMCS\Module\Addon\Hopcount\LoginPage;
use WHMCS\Module\Addon\Hopcount\Mail;
use WHMCS\Module\Addon\Hopcount\OptOut;
use WHMCS\Module\Addon\Hopcount\Panels;
use WHMCS\Module\Addon\Hopcount\Whmcs;
use WHMCS\Module\Addon\Hopcount\Widget;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

/* A hook that returns nothing, or `$else` when it fails. */
$hopcountHook = static function (string $point, callable $do, $else = null) {
    add_hook($point, 1, static function ($vars = null) use ($point, $do, $else) {
        try {
            return $do($vars);
        } catch (\Throwable $e) {
            Whmcs::log("$point: " . $e->getMessage());
            return $else;
        }
    });
};

$hopcountHook('EmailPreSend', static function ($vars) {
    return Mail::onPreSend($vars);
}, []);
$hopcountHook('EmailTplMergeFields', static function ($vars) {
    return Mail::onMergeFields($vars);
}, []);
$hopcountHook('EmailPreLog', static function ($vars) {
    return Mail::onPreLog($vars);
}, []);

$hopcountHook('InvoicePaid', static function ($vars) {
    Events::onInvoice('invoice.paid', $vars);
});
$hopcountHook('InvoiceUnpaid', static function ($vars) {
    Events::onInvoice('invoice.unpaid', $vars);
});
$hopcountHook('InvoiceCancelled', static function ($vars) {
    Events::onInvoice('invoice.cancelled', $vars);
});
$hopcountHook('InvoiceRefunded', static function ($vars) {
    Events::onInvoice('invoice.refunded', $vars);
});
$hopcountHook('AddInvoicePayment', static function ($vars) {
    Events::onPayment($vars);
});
$hopcountHook('ClientChangePassword', static function ($vars) {
    Events::onClient('password', $vars);
});
$hopcountHook('UserChangePassword', static function ($vars) {
    Events::onUserPassword($vars);
});
$hopcountHook('ClientClose', static function ($vars) {
    Events::onClient('closed', $vars);
});
$hopcountHook('ClientEdit', static function ($vars) {
    OptOut::onClientEdit($vars);
});
$hopcountHook('ClientAreaPageLogout', static function () {
    LoginPage::onLogout();
});
$hopcountHook('AfterCronJob', static function () {
    Events::onCron();
});
$hopcountHook('DailyCronJob', static function () {
    Events::onDay();
});

$hopcountHook('AdminInvoicesControlsOutput', static function ($vars) {
    return Panels::invoice($vars);
}, '');
$hopcountHook('AdminAreaClientSummaryPage', static function ($vars) {
    return Panels::client($vars);
}, '');
$hopcountHook('AdminHomeWidgets', static function () {
    return Widget::make();
});
unset($hopcountHook);
