<?php

namespace WHMCS\Module\Addon\Hopcount;

/** HTML on WHMCS's own admin pages: of an invoice, of a client, on the dashboard.  Everything is escaped. */
final class Panels
{
    const LINK = 'addonmodules.php?module=hopcount';

    /** AdminInvoicesControlsOutput.  It stands within a form of WHMCS's, so it holds links and no form. */
    public static function invoice($vars): string
    {
        $id = Whmcs::id(is_array($vars) ? $vars['invoiceid'] ?? null : null);
        $client = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        $settings = Settings::load();
        if ($id === 0 || $settings->brand()->name === '') {
            return '';
        }
        $t = Text::staff();
        $figures = new Figures($settings);
        $brand = $settings->brandNamed(Events::brandOf("invoice:$id", $settings));
        $clicks = $figures->clicks('objects', $id, $brand->name);
        $links = self::links($settings, $brand, $id, $client);
        $known = $links === [] ? null : $figures->link($links['sample'], $brand->name);
        $lines = [self::clicksLine($t, $clicks, $figures->error())];
        if (is_array($known)) {
            $state = (string) ($known['state'] ?? 'none');
            $lines[] = Text::html($t['state'] . ': ' . ($t["state_$state"] ?? $state)
                . (empty($known['revoked']) ? '' : ' - ' . $t['revoked']));
        }
        unset($links['sample']);
        foreach ($links as $name => $url) {
            $lines[] = self::copyable($t, $t["link_$name"], $url);
        }
        return self::box($t, $lines, [
            $t['links_and_revoke'] => self::LINK . "&action=invoice&id=$id",
        ]);
    }

    /** AdminAreaClientSummaryPage. */
    public static function client($vars): string
    {
        $id = Whmcs::id(is_array($vars) ? $vars['userid'] ?? null : null);
        $settings = Settings::load();
        if ($id === 0 || $settings->brand()->name === '') {
            return '';
        }
        $t = Text::staff();
        $figures = new Figures($settings);
        $lines = [];
        foreach ($settings->brands() as $brand) {
            $clicks = $figures->clicks('clients', $id, $brand->name);
            $lines[] = (count($settings->brands()) > 1 ? Text::html($brand->name) . ': ' : '')
                . self::clicksLine($t, $clicks, $figures->error());
        }
        if (OptOut::isOut($settings, $id)) {
            $lines[] = Text::html($t['opted_out']);
        }
        return self::box($t, $lines, [$t['links_and_revoke'] => self::LINK . "&action=client&id=$id"]);
    }

    /**
     * Links of an invoice, made without a request: view and pay, to copy, and a silent `sample`, by which
     * the service is asked what it knows.  None where the key isn't here.
     */
    private static function links(Settings $settings, Brand $brand, int $invoice, int $client): array
    {
        if (!$brand->hasKey() || !Token::isAvailable()) {
            return [];
        }
        $kinds = Links::kinds($brand);
        $day = intdiv(time(), 86400) * 86400; // the same sample all day, so that the answer is kept
        $fields = ['object' => $invoice, 'client' => $client, 'channel' => 7, 'issued_min' => Token::minutes(time()),
            'ttl_code' => $settings->ttlCode('ttl', 9)];
        try {
            return Links::make($brand, [
                'view' => ['kind' => $kinds['view']] + $fields,
                'pay' => ['kind' => $kinds['pay']] + $fields,
                'sample' => ['kind' => $kinds['pay'], 'issued_min' => Token::minutes($day), 'ttl_code' => 6,
                    'silent' => 1] + $fields,
            ], new Api($settings, 0));
        } catch (\RuntimeException $e) {
            return [];
        }
    }

    /** A link and a button that copies it; it belongs to no form. */
    public static function copyable(array $t, string $label, string $url): string
    {
        $copy = 'var i=this.parentNode.parentNode.querySelector(\'input\');i.select();'
            . 'navigator.clipboard?navigator.clipboard.writeText(i.value):document.execCommand(\'copy\')';
        return '<div style="margin:8px 0"><label style="display:block">' . Text::html($label)
            . '<span class="input-group" style="font-weight:normal;margin-top:4px"><input class="form-control" readonly value="'
            . Text::html($url) . '"><span class="input-group-btn"><button type="button" class="btn btn-default" onclick="'
            . Text::html($copy) . '">' . Text::html($t['copy']) . '</button></span></span></label></div>';
    }

    private static function clicksLine(array $t, $clicks, string $error): string
    {
        if ($clicks === null) {
            return Text::html($t['no_figures'] . ': ' . $error);
        }
        $kinds = [];
        foreach ($clicks['kinds'] as $kind => $count) {
            if ((int) ($count['human'] ?? 0) !== 0) {
                $kinds[] = Text::html(($t["kind_$kind"] ?? $kind) . ' ' . Text::number($t, (int) $count['human']));
            }
        }
        return sprintf('<strong>%s</strong> %s%s, %s %s', Text::html(Text::number($t, $clicks['human'])),
            Text::html($t['by_people']), $kinds === [] ? '' : ' (' . implode(', ', $kinds) . ')',
            Text::html(Text::number($t, $clicks['automated'])), Text::html($t['by_machines']));
    }

    /** A frame with lines that are HTML already, and buttons [text => address]. */
    private static function box(array $t, array $lines, array $buttons): string
    {
        $html = '<div class="panel panel-default hopcount"><div class="panel-heading">'
            . Text::html($t['links_in_mails']) . '</div><div class="panel-body">';
        foreach ($lines as $line) {
            $html .= "<div>$line</div>";
        }
        foreach ($buttons as $text => $address) {
            $html .= '<a class="btn btn-default btn-sm" style="margin-top:8px" href="' . Text::html($address)
                . '">' . Text::html($text) . '</a> ';
        }
        return $html . '</div></div>';
    }

    /** What the widget asks for: days and reminders of 30 days, or an error, null = the module is not set up. */
    public static function widgetData(): array
    {
        $settings = Settings::load();
        $figures = new Figures($settings);
        $brand = $settings->brand()->name;
        if ($brand === '') {
            return ['days' => null, 'reminders' => null, 'error' => null];
        }
        return ['days' => $figures->days($brand, 30), 'reminders' => $figures->reminders($brand, 30),
            'error' => $figures->error()];
    }

    public static function widgetHtml(array $data): string
    {
        $t = Text::staff();
        if (($data['reminders'] ?? null) === null) {
            return '<div class="widget-content-padded hopcount">' . Text::html($t['no_figures'] . ': '
                . ($data['error'] ?? $t['not_set_up'])) . '</div>';
        }
        $people = $machines = 0;
        foreach ($data['days'] ?? [] as $day) {
            $people += $day[1];
            $machines += $day[2];
        }
        $html = '<div class="widget-content-padded hopcount"><div style="display:flex;gap:2em;flex-wrap:wrap">'
            . self::figure($t, $people, 'by_people') . self::figure($t, $machines, 'by_machines') . '</div>'
            . self::bars($data['days'] ?? [], $t);
        $rows = array_slice($data['reminders'], 0, 6);
        return $html . self::table($rows, $t) . '<div style="margin-top:8px"><a href="reports.php?report=hopcount">'
            . Text::html($t['full_report']) . '</a></div></div>';
    }

    private static function figure(array $t, int $number, string $what): string
    {
        return '<div><div style="font-size:24px;line-height:1.2">' . Text::html(Text::number($t, $number)) . '</div>'
            . '<div class="text-muted">' . Text::html($t[$what]) . '</div></div>';
    }

    /** Days as bars: people dark, machines light, on top. */
    private static function bars(array $days, array $t): string
    {
        $most = 1;
        foreach ($days as $day) {
            $most = max($most, $day[1] + $day[2]);
        }
        $svg = '';
        foreach ($days as $i => $day) {
            $people = 60 * $day[1] / $most;
            $machines = 60 * $day[2] / $most;
            $svg .= sprintf('<g><title>%s: %s %s, %s %s</title><rect x="%d" y="%.1f" width="8" height="%.1f" '
                . 'fill="#1a4d80"/><rect x="%d" y="%.1f" width="8" height="%.1f" fill="#b8c7d6"/></g>',
                Text::html(Text::date($t, $day[0])), Text::html(Text::number($t, $day[1])), Text::html($t['by_people']),
                Text::html(Text::number($t, $day[2])), Text::html($t['by_machines']),
                $i * 10, 60 - $people, $people, $i * 10, 60 - $people - $machines, $machines);
        }
        return '<svg role="img" aria-label="' . Text::html($t['chart']) . '" viewBox="0 0 '
            . max(10, count($days) * 10) . ' 60" preserveAspectRatio="none" style="width:100%;height:60px;margin:10px 0">'
            . "<rect x=\"0\" y=\"59\" width=\"100%\" height=\"1\" fill=\"#d5dbe1\"/>$svg</svg>";
    }

    /** The widget's table: it is narrow.  What was paid only when the service knows it. */
    public static function table(array $rows, array $t): string
    {
        if ($rows === []) {
            return '<p>' . Text::html($t['nobody_yet']) . '</p>';
        }
        $hasPaid = self::hasPayments($rows);
        $heads = array_merge([$t['template'], $t['people'], $t['machines']], $hasPaid ? [$t['paid']] : []);
        $html = '<table class="table table-condensed" style="margin:0"><thead><tr>';
        foreach ($heads as $i => $head) {
            $html .= '<th' . ($i > 0 ? ' class="text-right"' : '') . '>' . Text::html($head) . '</th>';
        }
        $html .= '</tr></thead><tbody>';
        foreach ($rows as $row) {
            $html .= '<tr><td>' . Text::html(self::nameOf($row, $t)) . '</td>';
            $cells = [Text::number($t, $row['human']), Text::number($t, $row['automated'])];
            foreach (array_merge($cells, $hasPaid ? [self::share($row, $t)] : []) as $cell) {
                $html .= '<td class="text-right" style="white-space:nowrap">' . Text::html($cell) . '</td>';
            }
            $html .= '</tr>';
        }
        return $html . '</tbody></table>';
    }

    /** Whether the service knows of payments; an older one doesn't. */
    public static function hasPayments(array $rows): bool
    {
        return array_filter(array_column($rows, 'paid'), 'is_int') !== [];
    }

    public static function nameOf(array $row, array $t): string
    {
        return $row['id'] === '0' ? $t['no_template'] : ($row['id'] === '(rest)' ? $t['rest']
            : ($row['name'] !== '' ? $row['name'] : $t['campaign'] . " {$row['id']}"));
    }

    /** "12 (40 %)": paid, and its share of what was sent. */
    public static function share(array $row, array $t): string
    {
        if (($row['paid'] ?? null) === null) {
            return '';
        }
        return Text::number($t, $row['paid'])
            . ($row['sent'] > 0 ? ' (' . Text::percent($t, $row['paid'] / $row['sent']) . ')' : '');
    }
}
