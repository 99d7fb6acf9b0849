<?php

/* What the WHMCS of the tests has in it. */
return [
    'invoices' => [
        5 => ['userid' => 77],
        6 => ['userid' => '78', 'duedate' => '0000-00-00', 'total' => 100.5, 'balance' => 60.25],
        7 => ['userid' => 79, 'status' => 'Paid', 'balance' => '0.00'],
    ],
    'transactions' => [],
    'clients' => [77 => [], 78 => ['currency_code' => 'JPY'], 79 => []],
    'users' => array_map(static function (int $id): array {
        return ['id' => $id, 'firstname' => 'A', 'lastname' => 'B', 'email' => "u$id@example.com",
            'clients' => [['id' => $id - 500, 'isOwner' => true]]];
    }, range(501, 1700)),
    'templates' => [
        'Invoice Created' => 'invoice', 'Zahlungserinnerung' => 'invoice', 'Welcome' => 'product',
        'Hosting Account Welcome Email' => 'product', 'Domain Renewal Confirmation' => 'domain',
        'Support Ticket Reply' => 'support', 'Client Signup Email' => 'general',
        'Affiliate Monthly Referrals Report' => 'affiliate', 'Quote Delivery with PDF' => 'general',
    ],
];
