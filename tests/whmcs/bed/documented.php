<?php

/**
 * What WHMCS's developer documentation names: read in the repository WHMCS/developer-docs at
 * 2e75f454aa248b791948e14ad7b33fa9f0ded761 (January 2026), hooks-reference/ and api-reference/.
 *
 * classes: their methods that are documented (advanced/authentication.md), with `->id` of what they return.
 * hooks: the fields that a hook is given.  commands: the parameters that a command takes (those behind
 * `!` are required), and the fields of its answer: of lists and of what lies inside, those of the
 * examples.
 */
return [
    'hooks' => [
        'EmailPreSend' => ['messagename', 'relid', 'mergefields'],
        'EmailTplMergeFields' => ['type'],
        'EmailPreLog' => ['userid', 'date', 'to', 'cc', 'bcc', 'subject', 'message', 'attachments'],
        'InvoicePaid' => ['invoiceid', 'invoice'],
        'InvoiceUnpaid' => ['invoiceid'],
        'InvoiceCancelled' => ['invoiceid'],
        'InvoiceRefunded' => ['invoiceid'],
        'AddInvoicePayment' => ['invoiceid'],
        'ClientChangePassword' => ['userid', 'password'],
        'UserChangePassword' => ['userid', 'password'],
        'ClientClose' => ['userid'],
        'ClientEdit' => ['userid', 'uuid', 'firstname', 'lastname', 'companyname', 'email', 'address1',
            'address2', 'city', 'state', 'postcode', 'country', 'phonenumber', 'currency', 'notes', 'status',
            'taxexempt', 'latefeeoveride', 'overideduenotices', 'separateinvoices', 'disableautocc',
            'emailoptout', 'marketing_emails_opt_in', 'overrideautoclose', 'language', 'billingcid',
            'groupid', 'allow_sso', 'olddata', 'authmodule', 'authdata', 'email_verified',
            'isOptedInToMarketingEmails', 'email_preferences'],
        'ClientAreaPageLogout' => ['companyname', 'logo', 'systemurl', 'charset', 'pagetitle', 'filename', 'template',
            'language', 'LANG', 'todaysdate', 'date_day', 'date_month', 'date_year', 'WEB_ROOT', 'BASE_PATH_CSS',
            'BASE_PATH_JS', 'BASE_PATH_FONTS', 'BASE_PATH_IMG', 'token', 'servedOverSsl'],
        'AfterCronJob' => [],
        'DailyCronJob' => [],
        'AdminInvoicesControlsOutput' => ['invoiceid', 'userid', 'subtotal', 'tax', 'tax2', 'credit',
            'total', 'balance', 'taxrate', 'taxrate2', 'paymentmethod'],
        'AdminAreaClientSummaryPage' => ['userid'],
        'AdminHomeWidgets' => [],
    ],
    'classes' => [
        'WHMCS\\Authentication\\CurrentUser' => ['isAuthenticatedUser', 'isAuthenticatedAdmin', 'isMasqueradingAdmin',
            'user', 'admin', 'client'],
    ],
    'commands' => [
        'GetInvoice' => [
            'takes' => ['!invoiceid'],
            'gives' => ['result', 'invoiceid', 'invoicenum', 'userid', 'date', 'duedate', 'datepaid',
                'lastcaptureattempt', 'subtotal', 'credit', 'tax', 'tax2', 'total', 'balance', 'taxrate',
                'taxrate2', 'status', 'paymentmethod', 'notes', 'ccgateway', 'items', 'transactions'],
        ],
        'GetTransactions' => [
            'takes' => ['invoiceid', 'clientid', 'transid'],
            'gives' => ['result', 'totalresults', 'startnumber', 'numreturned', 'transactions'],
            'inside' => ['transaction', 'id', 'userid', 'currency', 'gateway', 'date', 'description', 'amountin',
                'fees', 'amountout', 'rate', 'transid', 'invoiceid', 'refundid'],
        ],
        'GetClientsDetails' => [
            'takes' => ['clientid', 'email', 'stats'],
            'gives' => ['result', 'client'],
            'inside' => ['client_id', 'owner_user_id', 'userid', 'id', 'uuid', 'firstname', 'lastname', 'fullname',
                'companyname', 'email', 'status', 'allowSingleSignOn', 'currency', 'currency_code', 'language',
                'isOptedInToMarketingEmails', 'marketing_emails_opt_in', 'emailoptout', 'customfields', 'value',
                'groupid'],
        ],
        'GetEmailTemplates' => [
            'takes' => ['type', 'language'],
            'gives' => ['result', 'totalresults', 'emailtemplates'],
            'inside' => ['emailtemplate', 'id', 'name', 'subject', 'custom'],
        ],
        'GetConfigurationValue' => [
            'takes' => ['!setting'],
            'gives' => ['result', 'setting', 'value'],
        ],
        'GetUsers' => [
            'takes' => ['limitstart', 'limitnum', 'sorting', 'search'],
            'gives' => ['result', 'totalresults', 'startnumber', 'numreturned', 'users'],
            'inside' => ['id', 'firstname', 'lastname', 'email', 'datecreated', 'validationdata', 'clients',
                'isOwner'],
        ],
        'CreateSsoToken' => [
            'takes' => ['client_id', 'user_id', 'destination', 'service_id', 'domain_id', 'sso_redirect_path'],
            'gives' => ['result', 'access_token', 'redirect_url'],
        ],
        'SendEmail' => [
            'takes' => ['messagename', 'id', 'customtype', 'custommessage', 'customsubject', 'customvars'],
            'gives' => ['result'],
        ],
        'DecryptPassword' => [
            'takes' => ['!password2'],
            'gives' => ['result', 'password'],
        ],
    ],
];
