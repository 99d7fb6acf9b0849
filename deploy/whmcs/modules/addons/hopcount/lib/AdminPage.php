<?php

namespace WHMCS\Module\Addon\Hopcount;

/** The module's page in the admin area: the connection test, and links of one invoice or client. */
final class AdminPage
{
    const SESSION = 'hopcount_csrf';
    /** Numbers as programs read them. */
    const PLAIN = ['decimal_point' => '.', 'thousands' => ''];

    /** @var Settings */
    private $settings;
    /** @var array texts */
    private $t;
    /** @var array of the request */
    private $get;
    /** @var array */
    private $post;

    public function __construct(Settings $settings, array $texts, array $get, array $post)
    {
        $this->settings = $settings;
        $this->t = $texts;
        $this->get = $get;
        $this->post = $post;
    }

    /** hopcount_output(): echoes, or sends a file and ends. */
    public static function serve(array $vars)
    {
        $texts = isset($vars['_lang']) ? Text::all($vars['_lang']) : Text::staff();
        $page = new self(Settings::load(), $texts, $_GET, $_POST);
        if (($_GET['action'] ?? '') === 'csv') {
            $csv = $page->csv();
            while (ob_get_level() > 0) {
                ob_end_clean(); // WHMCS has begun a page
            }
            header('Content-Type: text/csv; charset=utf-8');
            header('Content-Disposition: attachment; filename="hopcount.csv"');
            echo $csv;
            exit;
        }
        echo $page->html();
    }

    public function html(): string
    {
        $action = is_string($this->get['action'] ?? null) ? $this->get['action'] : '';
        $id = Whmcs::id($this->get['id'] ?? null);
        if ($id > 0 && ($action === 'invoice' || $action === 'client')) {
            return '<div class="hopcount">' . $this->subject($action, $id) . '</div>';
        }
        return '<div class="hopcount">' . $this->checks() . '</div>';
    }

    private function checks(): string
    {
        $icons = ['good' => ['success', $this->t['good']], 'hint' => ['warning', $this->t['hint']],
            'bad' => ['danger', $this->t['bad']]];
        $html = '<h2>' . Text::html($this->t['test_title']) . '</h2><p>' . Text::html($this->t['test_text']) . '</p>';
        foreach ((new Checks($this->settings, $this->t))->run() as $found) {
            list($class, $word) = $icons[$found[0]];
            $html .= "<div class=\"alert alert-$class\" style=\"margin:6px 0;padding:8px 12px\"><strong>"
                . Text::html($word) . '</strong> ' . Text::html($found[1]) . '</div>';
        }
        return $html . '<p><a class="btn btn-default" href="' . Text::html(Panels::LINK) . '">'
            . Text::html($this->t['test_again']) . '</a> <a class="btn btn-default" href="reports.php?report=hopcount">'
            . Text::html($this->t['full_report']) . '</a></p>';
    }

    /** The links of an invoice or a client, to copy; and a button that makes all of them void. */
    private function subject(string $of, int $id): string
    {
        $invoice = $of === 'invoice' ? Whmcs::invoice($id) : null;
        $client = $of === 'client' ? $id : (is_array($invoice) ? $invoice['client'] : 0);
        if ($invoice === false) {
            return $this->note('danger', $this->t['no_invoice']);
        }
        $brand = $this->settings->brandNamed(Events::brandOf("$of:$id", $this->settings));
        $html = '<h2>' . Text::html($this->t["title_$of"] . " #$id") . '</h2>';
        if ($this->post !== []) {
            $html .= $this->act($of, $id, $client, $brand);
        }
        $figures = new Figures($this->settings);
        $clicks = $figures->clicks($of === 'invoice' ? 'objects' : 'clients', $id, $brand->name);
        $html .= $clicks === null ? $this->note('warning', $this->t['no_figures'] . ': ' . $figures->error())
            : '<p>' . Text::html(sprintf('%s %s, %s %s', Text::number($this->t, $clicks['human']), $this->t['by_people'],
                Text::number($this->t, $clicks['automated']), $this->t['by_machines'])) . '</p>';
        $html .= $this->links($of, $id, $client, $brand, is_array($invoice) ? $invoice['due'] : 0);
        return $html . $this->form($of, $id, 'revoke', $this->t['revoke_text'], $this->t["revoke_$of"], 'danger');
    }

    private function links(string $of, int $id, int $client, Brand $brand, int $due): string
    {
        $kinds = Links::kinds($brand);
        $names = $of === 'invoice' ? ['view', 'pay', 'balance'] : ['balance'];
        $wanted = [];
        foreach (array_intersect($names, array_keys($kinds)) as $name) {
            $wanted[$name] = $this->fields($kinds[$name], $name === 'balance' ? $client : $id, $client, $due);
        }
        try {
            $links = Links::make($brand, $wanted, new Api($this->settings, Figures::BUDGET_S));
        } catch (\RuntimeException $e) {
            return $this->note('danger', $e->getMessage());
        }
        $html = '';
        foreach ($links as $name => $url) {
            $html .= Panels::copyable($this->t, $this->t["link_$name"], $url);
        }
        return $html . ($of === 'invoice' && $client > 0
            ? $this->form($of, $id, 'login', $this->t['login_text'], $this->t['login_make'], 'default') : '');
    }

    private function fields(int $kind, int $object, int $client, int $due): array
    {
        return ['kind' => $kind, 'object' => $object, 'client' => $client, 'channel' => 7,
            'issued_min' => Token::minutes(time()),
            'ttl_code' => $due > 0 ? Links::ttlForDue($due, time()) : $this->settings->ttlCode('ttl', 9)];
    }

    // --- what changes something ---

    private function act(string $of, int $id, int $client, Brand $brand): string
    {
        if (!hash_equals($this->secret(), is_string($this->post['proof'] ?? null) ? $this->post['proof'] : '')) {
            return $this->note('danger', $this->t['stale_form']);
        }
        if (($this->post['do'] ?? '') === 'login' && $of === 'invoice' && $client > 0) {
            $fields = ['ttl_code' => $this->settings->ttlCode('login_ttl', 7)]
                + $this->fields(Links::kinds($brand)['login'], $id, $client, 0);
            try {
                $url = Links::make($brand, ['x' => $fields], new Api($this->settings, Figures::BUDGET_S))['x'];
            } catch (\RuntimeException $e) {
                return $this->note('danger', $e->getMessage());
            }
            Whmcs::log("staff made a login link for invoice $id of client $client");
            return Panels::copyable($this->t, $this->t['link_login'], $url);
        }
        if (($this->post['do'] ?? '') === 'revoke') {
            return $this->revoke($of, $id, $brand);
        }
        return '';
    }

    private function revoke(string $of, int $id, Brand $brand): string
    {
        $scope = $of === 'invoice' ? 'object' : 'client';
        $brands = $of === 'invoice' ? [$brand] : array_values($this->settings->brands());
        foreach ($brands as $each) {
            $answer = (new Api($this->settings, Figures::BUDGET_S, true))->ask('POST', '/v1/revocations',
                ['scope' => $scope, 'brand' => $each->name, 'id' => $id]);
            if ($answer['error'] !== '') {
                return $this->note('danger', $this->t['not_revoked'] . ': ' . $answer['error']);
            }
        }
        Whmcs::log("all links of $of $id are void");
        return $this->note('success', $this->t['is_revoked']);
    }

    private function form(string $of, int $id, string $do, string $text, string $button, string $class): string
    {
        return '<form method="post" action="' . Text::html(Panels::LINK . "&action=$of&id=$id") . '" style="margin-top:18px">'
            . '<input type="hidden" name="proof" value="' . Text::html($this->secret()) . '">'
            . "<input type=\"hidden\" name=\"do\" value=\"$do\"><p>" . Text::html($text) . '</p>'
            . "<button class=\"btn btn-$class\">" . Text::html($button) . '</button></form>';
    }

    /** Known to this session alone: a form of another site doesn't have it. */
    private function secret(): string
    {
        if (!isset($_SESSION[self::SESSION])) {
            $_SESSION[self::SESSION] = bin2hex(random_bytes(16));
        }
        return $_SESSION[self::SESSION];
    }

    private function note(string $class, string $text): string
    {
        return "<div class=\"alert alert-$class\">" . Text::html($text) . '</div>';
    }

    // --- the report ---

    /** Days that a report is about, as asked for. */
    public static function daysAsked(array $get): int
    {
        $days = Whmcs::id($get['days'] ?? 30);
        return in_array($days, [7, 30, 90, 365], true) ? $days : 30;
    }

    /** RFC 4180, with the byte order mark that spreadsheets want; no cell begins a formula. */
    public function csv(): string
    {
        $figures = new Figures($this->settings);
        $rows = $figures->reminders($this->settings->brand()->name, self::daysAsked($this->get));
        $lines = [['number', 'template', 'people', 'machines', 'sent', 'paid', 'amount']];
        foreach ($rows ?? [] as $row) {
            $lines[] = [$row['id'], Panels::nameOf($row, $this->t), $row['human'], $row['automated'],
                $row['sent'], $row['paid'], Text::money(self::PLAIN, $row['amount'] ?? [])];
        }
        if ($rows === null) {
            $lines[] = [$this->t['no_figures'] . ': ' . $figures->error()];
        }
        $text = "\xef\xbb\xbf";
        foreach ($lines as $line) {
            $cells = [];
            foreach ($line as $cell) {
                $cell = preg_match('/^[=+@\t\r-]/', (string) $cell) ? "'$cell" : (string) $cell;
                $cells[] = '"' . str_replace('"', '""', $cell) . '"';
            }
            $text .= implode(',', $cells) . "\r\n";
        }
        return $text;
    }
}
