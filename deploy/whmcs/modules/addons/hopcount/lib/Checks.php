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
    /** @var array of [good|hint|bad, sentence] */
    private $found = [];

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
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
            $this->say('hint', 'The address of the API is not set: links work, and nothing is told to the service, '
                . 'nor shown here. Set "API address" and "API key".');
        } elseif ($this->service()) {
            foreach ($this->settings->brands() as $brand) {
                $this->brandAtService($brand);
            }
            $this->scopes();
        }
        $this->table();
        return $this->found;
    }

    private function say(string $how, string $text)
    {
        $this->found[] = [$how, $text];
    }

    private function php()
    {
        if (!Token::isAvailable()) {
            $this->say($this->settings->apiUrl() === '' ? 'bad' : 'hint', 'PHP has no sodium extension: links are '
                . 'made by the API, which each mail waits for. Install the package php-sodium.');
        }
        if ($this->settings->isOn('login_links') && (!Token::isAvailable() || !$this->settings->brand()->hasKey())) {
            $this->say('bad', 'Login links need PHP\'s sodium extension and the key here; until then the page of login '
                . 'links offers WHMCS\'s own login only.');
        }
        if (!function_exists('curl_init')) {
            $this->say('bad', 'PHP has no curl extension: the service can\'t be asked or told anything.');
        }
        if (Whmcs::systemUrl() === '') {
            $this->say('bad', 'WHMCS does not tell its System URL (General Settings).');
        }
    }

    /** Whether links of this brand can be made here. */
    private function brand(Brand $brand): bool
    {
        $name = $brand->name === '' ? 'The brand' : "Brand {$brand->name}";
        if ($brand->name === '' || !preg_match('#^https?://[^\s"\'<>]+$#iD', $brand->baseUrl)) {
            $this->say('bad', "$name: set \"Brand\" and \"Base URL\" as in the service's configuration, "
                . 'for example acme and https://go.acme.example.');
            return false;
        }
        if (!$brand->hasKey()) {
            $this->say($this->settings->apiUrl() === '' ? 'bad' : 'hint', "$name: no key is set, so links are made by "
                . 'the API. Paste the line with "mint" of the service\'s key file into "Key".');
            return false;
        }
        try {
            $brand->mintKey();
        } catch (\RuntimeException $e) {
            $this->say('bad', "$name: {$e->getMessage()}. Mails have WHMCS's own links.");
            return false;
        }
        $this->say('good', "$name: links are made with the key, without asking the service.");
        return true;
    }

    private function service(): bool
    {
        $error = Links::learnKinds($this->api);
        if ($error !== '') {
            $this->say('bad', "The service at {$this->settings->apiUrl()}: $error.");
            return false;
        }
        Api::endPause();
        $this->say('good', "The service at {$this->settings->apiUrl()} answers and knows the API key.");
        return true;
    }

    private function brandAtService(Brand $brand)
    {
        $base = Store::get("base:{$brand->name}");
        if ($base === null) {
            $this->say('bad', "The service has no brand {$brand->name}, or the API key is not for it.");
            return;
        }
        if (rtrim($base, '/') !== $brand->baseUrl) {
            $this->say('bad', "Links of {$brand->name} begin with {$brand->baseUrl} here, and with $base at the service.");
        }
        $kinds = Links::kinds($brand);
        $lacking = array_diff(['balance', 'service', 'domain', 'ticket'], array_keys($kinds));
        if ($lacking !== []) {
            $this->say('hint', "The service has no links of {$brand->name} named " . implode(', ', $lacking)
                . ': these fields are WHMCS\'s own links. Its preset "whmcs" has them.');
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
            $this->say('bad', "The service does not open links of {$brand->name} made here: is \"Key\" a line of its key file?");
            return;
        }
        if ($view['error'] !== '') {
            $this->say('bad', "Links of {$brand->name} were not looked at: {$view['error']}.");
            return;
        }
        $this->say('good', "The service opens links of {$brand->name} made here; a view link leads to "
            . (string) ($view['body']['target'] ?? 'a page of the service') . '.');
        if ($this->settings->isOn('login_links')) {
            $login = $this->api->get('/v1/links/' . rawurlencode($links['login']), ['brand' => $brand->name]);
            $target = (string) ($login['body']['target'] ?? '');
            $isHere = strpos($target, 'm=hopcount') !== false;
            $this->say($isHere ? 'good' : 'bad', $isHere ? "Login links of {$brand->name} lead to this module's page."
                : "Login links of {$brand->name} lead to $target. For them to log in, give the brand the target "
                    . '{ kind: login, url: "' . Whmcs::systemUrl() . 'index.php?m=hopcount&token={token}" }.');
        }
    }

    /** Empty bodies are refused with 400 by who may, with 403 by who may not: nothing is changed. */
    private function scopes()
    {
        $needs = ['events:write' => ['/v1/events', []], 'links:write' => ['/v1/revocations', new \stdClass()]];
        foreach ($needs as $scope => $request) {
            $status = $this->api->ask('POST', $request[0], $request[1])['status'];
            if ($status === 403) {
                $this->say('bad', "The API key lacks the scope $scope.");
            }
        }
    }

    private function table()
    {
        try {
            $counts = Events::counts();
        } catch (\Throwable $e) {
            $this->say('bad', 'The module\'s tables can\'t be read; deactivate and activate it: ' . $e->getMessage());
            return;
        }
        $this->say($counts['waiting'] > 1000 ? 'bad' : 'good', "{$counts['waiting']} events wait for the next run of WHMCS's cron.");
        if ($counts['refused'] > 0) {
            $this->say('hint', "The service refused {$counts['refused']} events; the last: {$counts['note']}.");
        }
    }
}
