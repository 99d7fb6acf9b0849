<?php

/**
 * One of several processes at one database: crowd.php NUMBER.  The first makes the tables and says
 * "ready"; each begins when it reads a line.  All send mails by the same new templates, tell of the same
 * payments, and run the cron.
 */

require __DIR__ . '/bed/Bed.php';
require __DIR__ . '/bed/Service.php';

$isFirst = $argv[1] === '0';
Bed::start(Service::settings(['brands' => '']), true, !$isFirst);
echo "ready\n";
fgets(STDIN);
$links = [];
for ($i = 0; $i < 40; $i++) {
    $id = 9000000 + $i % 10;
    Bed::$data['clients'][$id] = [];
    Bed::$data['invoices'][$id] = ['userid' => $id, 'status' => 'Paid', 'balance' => '0.00'];
    $fields = Bed::mergeFields('Template ' . $i % 8, $id, ['invoice_id' => $id]);
    $links[] = strncmp($fields['hopcount_pay_url'], 'https://go.acme.example/', 24) === 0;
    Bed::fire('InvoicePaid', ['invoiceid' => $id, 'invoice' => new WHMCS\Billing\Invoice()]);
    if ($i % 10 === 9) {
        Bed::fire('AfterCronJob');
    }
}
echo json_encode(['counted' => array_sum($links), 'log' => Bed::$log]), "\n";
fgets(STDIN);
if ($isFirst) {
    Bed::fire('AfterCronJob');
    $queue = WHMCS\Database\Capsule::table('mod_hopcount_queue')->orderBy('id')->get()->all();
    echo json_encode([
        'campaigns' => WHMCS\Database\Capsule::table('mod_hopcount_campaigns')->where('id', '>', 16)->orderBy('name')->pluck('name')->all(),
        'paid' => array_column(array_filter($queue, static function ($row) {
            return $row->kind === 'event';
        }), 'subject'),
        'status' => array_values(array_unique(array_column($queue, 'status'))),
    ]), "\n";
}
