<?php

/** Reports > hopcount: clicks and payments per mail template. */

use WHMCS\Module\Addon\Hopcount\AdminPage;
use WHMCS\Module\Addon\Hopcount\Figures;
use WHMCS\Module\Addon\Hopcount\Panels;
use WHMCS\Module\Addon\Hopcount\Settings;
use WHMCS\Module\Addon\Hopcount\Text;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/../addons/hopcount/lib/autoload.php';

$hopcountText = Text::staff();
$hopcountDays = AdminPage::daysAsked($_GET);
$reportdata['title'] = Text::html($hopcountText['report_title']);
$reportdata['description'] = Text::html($hopcountText['report_text']);
$reportdata['headertext'] = '';
foreach ([7, 30, 90, 365] as $hopcountChoice) {
    $reportdata['headertext'] .= '<a class="btn btn-' . ($hopcountChoice === $hopcountDays ? 'primary' : 'default')
        . " btn-sm\" href=\"reports.php?report=hopcount&amp;days=$hopcountChoice\">"
        . Text::html($hopcountChoice . ' ' . $hopcountText['days']) . '</a> ';
}
$reportdata['headertext'] .= '<a class="btn btn-default btn-sm" href="'
    . Text::html(Panels::LINK . "&action=csv&days=$hopcountDays") . '">CSV</a>';
$reportdata['tableheadings'] = $reportdata['tablevalues'] = [];
try {
    $hopcountFigures = new Figures(Settings::load());
    $hopcountRows = $hopcountFigures->reminders(Settings::load()->brand()->name, $hopcountDays);
    $hopcountHeads = ['template', 'people', 'machines'];
    if (Panels::hasPayments($hopcountRows ?? [])) {
        $hopcountHeads = array_merge($hopcountHeads, ['sent', 'paid', 'amount']);
    }
    foreach ($hopcountHeads as $hopcountHead) {
        $reportdata['tableheadings'][] = Text::html($hopcountText[$hopcountHead]);
    }
    foreach ($hopcountRows ?? [] as $hopcountRow) {
        $hopcountCells = [Panels::nameOf($hopcountRow, $hopcountText),
            Text::number($hopcountText, $hopcountRow['human']), Text::number($hopcountText, $hopcountRow['automated']),
            $hopcountRow['sent'] === null ? '' : Text::number($hopcountText, $hopcountRow['sent']),
            Panels::share($hopcountRow, $hopcountText), Text::money($hopcountText, $hopcountRow['amount'] ?? [])];
        $reportdata['tablevalues'][] = array_map([Text::class, 'html'],
            array_slice($hopcountCells, 0, count($hopcountHeads)));
    }
    $reportdata['footertext'] = $hopcountRows === null
        ? Text::html($hopcountText['no_figures'] . ': ' . $hopcountFigures->error()) : '';
} catch (\Throwable $e) {
    $reportdata['footertext'] = Text::html($hopcountText['no_figures'] . ': ' . $e->getMessage());
}
