<?php

namespace WHMCS\Module\Addon\Hopcount;

/** The connection test: what works and, in words, what is missing.  Takes a second at most. */
final class Checks
{
    const BUDGET_S = 0.9;

    /** @var Settings */
    private $settings;
    /** @var Api */
    private $api;
    /** @var array texts */
    private $t;
    /** @var array of [good|hint|bad, sentence] */
    private $found = [];

    public function __construct(Settings $settings, array $texts)
    {
        $this->settings = $settings;
        $this->t = $texts;
        $this->api = new Api($settings, self::BUDGET_S, true);
    }

    /** All sentences, each with good, hint or bad. */
    public function run(): array
    {
        $this->php();
        $isMade = false;
        foreach ($this->settings->brands() as $brand) {
            $isMade = $this->brand($brand) || $isMade;
        }
        if ($this->settings->apiUrl() === '') {
            $this->say('hint', 'no_api', $this->t['set_api_url'], $this->t['set_api_key']);
        } elseif ($this->service()) {
            foreach ($this->settings->brands() as $brand) {
                $this->brandAtService($brand);
            }
            $this->scopes();
        }
        $this->table();
        return $this->found;
    }

    private function say(string $how, string $what, ...$with)
    {
        $this->found[] = [$how, vsprintf($this->t["check_$what"], $with)];
    }

    private function php()
    {
        if (!Token::isAvailable()) {
            $this->say($this->settings->apiUrl() === '' ? 'bad' : 'hint', 'sodium');
        }
        if ($this->settings->isOn('login_links') && (!Token::isAvailable() || !$this->settings->brand()->hasKey())) {
            $this->say('bad', 'login_needs');
        }
        if (!function_exists('curl_init')) {
            $this->say('bad', 'curl');
        }
        if (Whmcs::systemUrl() === '') {
            $this->say('bad', 'system_url');
        }
    }

    /** Whether links of this brand can be made here. */
    private function brand(Brand $brand): bool
    {
        $name = $brand->name === '' ? $this->t['check_the_brand'] : sprintf($this->t['check_brand'], $brand->name);
        if ($brand->name === '' || !preg_match('#^https?://[^\s"\'<>]+$#iD', $brand->baseUrl)) {
            $this->say('bad', 'brand_unset', $name, $this->t['set_brand'], $this->t['set_base_url']);
            return false;
        }
        if (!$brand->hasKey()) {
            $this->say($this->settings->apiUrl() === '' ? 'bad' : 'hint', 'no_key', $name, $this->t['set_key']);
            return false;
        }
        try {
            $brand->mintKey();
        } catch (\RuntimeException $e) {
            $this->say('bad', 'bad_key', $name, $e->getMessage());
            return false;
        }
        $this->say('good', 'key_good', $name);
        return true;
    }

    private function service(): bool
    {
        $error = Links::learnKinds($this->api);
        if ($error !== '') {
            $this->say('bad', 'service_bad', $this->settings->apiUrl(), $error);
            return false;
        }
        Api::endPause();
        $this->say('good', 'service_good', $this->settings->apiUrl());
        return true;
    }

    private function brandAtService(Brand $brand)
    {
        $base = Store::get("base:{$brand->name}");
        if ($base === null) {
            $this->say('bad', 'no_brand', $brand->name);
            return;
        }
        if (rtrim($base, '/') !== $brand->baseUrl) {
            $this->say('bad', 'base_differs', $brand->name, $brand->baseUrl, $base);
        }
        $kinds = Links::kinds($brand);
        $lacking = array_diff(['balance', 'service', 'domain', 'ticket'], array_keys($kinds));
        if ($lacking !== []) {
            $this->say('hint', 'kinds', $brand->name, implode(', ', $lacking));
        }
        if (!Token::isAvailable() || !$brand->hasKey()) {
            return;
        }
        $this->linksAtService($brand, $kinds);
    }

    private function linksAtService(Brand $brand, array $kinds)
    {
        $fields = ['object' => 1, 'client' => 1, 'issued_min' => Token::minutes(time()), 'ttl_code' => 1, 'silent' => 1];
        try {
            $links = Links::make($brand, ['view' => ['kind' => $kinds['view']] + $fields,
                'login' => ['kind' => $kinds['login']] + $fields], $this->api);
        } catch (\RuntimeException $e) {
            return; // said by brand()
        }
        $view = $this->api->get('/v1/links/' . rawurlencode($links['view']), ['brand' => $brand->name]);
        if ($view['status'] === 404) {
            $this->say('bad', 'wrong_key', $brand->name, $this->t['set_key']);
            return;
        }
        if ($view['error'] !== '') {
            $this->say('bad', 'not_looked', $brand->name, $view['error']);
            return;
        }
        $this->say('good', 'opens', $brand->name, (string) ($view['body']['target'] ?? '-'));
        if ($this->settings->isOn('login_links')) {
            $login = $this->api->get('/v1/links/' . rawurlencode($links['login']), ['brand' => $brand->name]);
            $target = (string) ($login['body']['target'] ?? '');
            if (strpos($target, 'm=hopcount') !== false) {
                $this->say('good', 'login_good', $brand->name);
            } else {
                $this->say('bad', 'login_bad', $brand->name, $target,
                    '{ kind: login, url: "' . Whmcs::systemUrl() . 'index.php?m=hopcount&token={token}" }');
            }
        }
    }

    /** Empty bodies are refused with 400 by who may, with 403 by who may not: nothing is changed. */
    private function scopes()
    {
        $needs = ['events:write' => ['/v1/events', []], 'links:write' => ['/v1/revocations', new \stdClass()]];
        foreach ($needs as $scope => $request) {
            $status = $this->api->ask('POST', $request[0], $request[1])['status'];
            if ($status === 403) {
                $this->say('bad', 'scope', $scope);
            }
        }
    }

    private function table()
    {
        try {
            $counts = Events::counts();
        } catch (\Throwable $e) {
            $this->say('bad', 'tables', $e->getMessage());
            return;
        }
        $this->say($counts['waiting'] > 1000 ? 'bad' : 'good', 'waiting',
            Text::number($this->t, $counts['waiting']));
        if ($counts['refused'] > 0) {
            $this->say('hint', 'refused', Text::number($this->t, $counts['refused']), $counts['note']);
        }
    }
}
