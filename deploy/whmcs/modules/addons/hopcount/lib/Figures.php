<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * What staff look at: clicks and payments, asked from hopcount and kept for a while.  All requests of a
 * page share BUDGET_S.  No method throws; what can't be had is null, and why is in error().
 */
final class Figures
{
    const BUDGET_S = 0.9; // an admin page may be held up for a second
    const KEPT_S = 60;

    /** @var Settings */
    private $settings;
    /** @var Api */
    private $api;
    /** @var string */
    private $error = '';

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
        $this->api = new Api($settings, self::BUDGET_S);
    }

    /** The first thing that went wrong, in words; '' = nothing. */
    public function error(): string
    {
        return $this->error;
    }

    /** The body of an answer, kept for a while; null when there is none. */
    private function ask(string $path, array $query, bool $mayLack = false)
    {
        $name = 'kept:' . sha1($path . '?' . http_build_query($query) . $this->settings->apiUrl());
        try {
            $kept = Store::get($name);
        } catch (\Throwable $e) {
            $kept = null;
        }
        if ($kept !== null) {
            return $kept;
        }
        $answer = $this->api->get($path, $query);
        if ($answer['error'] !== '' || $answer['body'] === null) {
            $isMissing = $mayLack && $answer['status'] === 404;
            $this->error = $this->error !== '' || $isMissing ? $this->error
                : ($answer['error'] !== '' ? $answer['error'] : 'the answer is no JSON');
            return null;
        }
        try {
            Store::set($name, $answer['body'], self::KEPT_S);
        } catch (\Throwable $e) {
            return $answer['body'];
        }
        return $answer['body'];
    }

    /**
     * Each mail template's clicks, and what they led to where the service knows it: rows of id, name,
     * human, automated, sent, paid, amount [currency => smallest units]; the last three null when they
     * aren't known.
     */
    public function reminders(string $brand, int $days)
    {
        $stats = $this->ask('/v1/stats', ['brand' => $brand, 'from' => "{$days}d", 'group_by' => 'campaign']);
        if ($stats === null) {
            return null;
        }
        $funnel = $this->ask('/v1/funnel', ['brand' => $brand, 'from' => "{$days}d",
            'group_by' => 'campaign'], true);
        try {
            $names = Store::campaigns();
        } catch (\Throwable $e) {
            $names = [];
        }
        $rows = [];
        foreach ($stats['rows'] ?? [] as $row) {
            $key = (string) ($row['key'] ?? '');
            $rows[$key] = ['id' => $key, 'human' => (int) ($row['human'] ?? 0),
                'automated' => (int) ($row['automated'] ?? 0), 'sent' => null, 'paid' => null, 'amount' => null,
                'name' => (string) ($row['name'] ?? $names[(int) $key] ?? '')];
        }
        foreach ($funnel['rows'] ?? [] as $row) {
            $key = (string) ($row['key'] ?? '');
            $rows += [$key => ['id' => $key, 'human' => 0, 'automated' => 0, 'name' => $names[(int) $key] ?? '']];
            $rows[$key]['sent'] = (int) ($row['sent'] ?? 0);
            $rows[$key]['paid'] = (int) ($row['paid'] ?? 0);
            $rows[$key]['amount'] = array_map('intval', is_array($row['amount'] ?? null) ? $row['amount'] : []);
        }
        return array_values($rows);
    }

    /** People's and machines' clicks of each day, oldest first: [[day, human, automated]]. */
    public function days(string $brand, int $days)
    {
        $stats = $this->ask('/v1/stats', ['brand' => $brand, 'from' => "{$days}d", 'interval' => 'day']);
        if ($stats === null) {
            return null;
        }
        $rows = [];
        foreach ($stats['rows'] ?? [] as $row) {
            $rows[] = [(string) $row['key'], max(0, (int) $row['human']), max(0, (int) $row['automated'])];
        }
        return $rows;
    }

    /** The clicks of an invoice (`objects`) or a client (`clients`): human, automated, kinds. */
    public function clicks(string $of, int $id, string $brand)
    {
        $item = $this->ask("/v1/$of/$id", ['brand' => $brand]);
        return $item === null ? null : ['human' => (int) ($item['clicks']['human'] ?? 0),
            'automated' => (int) ($item['clicks']['automated'] ?? 0),
            'kinds' => is_array($item['kinds'] ?? null) ? $item['kinds'] : []];
    }

    /** What is known of a link: state, revoked, why, target …; as /v1/links/TOKEN gives it. */
    public function link(string $url, string $brand)
    {
        $token = substr($url, strrpos($url, '/') + 1);
        return $this->ask('/v1/links/' . rawurlencode($token), ['brand' => $brand]);
    }
}
