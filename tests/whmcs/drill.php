<?php

/**
 * A run of mails in one process, as WHMCS's cron does it: drill.php MAILS.  In the middle it prints
 * "half" and waits for a line, in which time the test does something to the service; then it runs
 * WHMCS's cron each time that it reads a line, and says what waits.  Prints JSON lines.
 */

require __DIR__ . '/bed/Bed.php';
require __DIR__ . '/bed/Service.php';

$mails = (int) $argv[1];
Bed::start(Service::settings(['brands' => '']));
$base = 20000000 + getmypid() % 1000 * 20000;
$took = [];
$counts = ['counted' => 0, 'own' => 0, 'broken' => 0];
for ($i = 0; $i < $mails; $i++) {
    if ($i === intdiv($mails, 2)) {
        echo json_encode(['half' => true]), "\n";
        fgets(STDIN);
    }
    $id = $base + $i;
    Bed::$data['invoices'][$id] = ['userid' => $id];
    $own = ['client_id' => $id, 'invoice_id' => $id, 'invoice_link' => Bed::SYSTEM . "viewinvoice.php?id=$id"];
    $started = microtime(true);
    $fields = Bed::mergeFields('Invoice Payment Reminder', $id, $own);
    $took[] = microtime(true) - $started;
    $isCounted = preg_match('#^https://go\.acme\.example/[0-9a-z]{45}$#D', $fields['hopcount_pay_url']);
    $isOwn = $fields['hopcount_pay_url'] === Bed::SYSTEM . "index.php?rp=/invoice/$id/pay";
    $counts[$isCounted ? 'counted' : ($isOwn ? 'own' : 'broken')]++;
    unset(Bed::$data['invoices'][$id]);
    Bed::$calls = [];
}
sort($took);
echo json_encode($counts + ['mails' => count($took), 'added_ms' => round(array_sum($took) * 1000),
    'median_ms' => round($took[intdiv($mails, 2)] * 1000, 2), 'worst_ms' => round(end($took) * 1000),
    'second_worst_ms' => round($took[$mails - 2] * 1000), 'log' => Bed::$log]), "\n";
while (fgets(STDIN) !== false) {
    WHMCS\Module\Addon\Hopcount\Api::endPause();
    Bed::newProcess();
    Bed::$log = [];
    Bed::fire('AfterCronJob');
    echo json_encode(WHMCS\Module\Addon\Hopcount\Events::counts() + ['log' => Bed::$log]), "\n";
}
