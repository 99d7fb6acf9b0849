<?php

namespace WHMCS\Module\Addon\Hopcount;

/**
 * Requests to hopcount's admin address, within a time that all requests of one object share.
 *
 * When the service doesn't answer, or refuses the key, no process asks again for a minute: a run of
 * mails waits for a dead service once.  No method throws.
 */
final class Api
{
    const PAUSE_S = 60;
    const PAUSE = 'pause';

    /** @var string */
    private $url;
    /** @var string */
    private $key;
    /** @var float Unix time by which all answers are there */
    private $deadline;
    /** @var bool asks even while others don't */
    private $isUrgent;

    public function __construct(Settings $settings, float $budgetS, bool $isUrgent = false)
    {
        $this->url = $settings->apiUrl();
        $this->key = $settings->apiKey();
        $this->deadline = microtime(true) + $budgetS;
        $this->isUrgent = $isUrgent;
    }

    /** Whether there is an address and a key to ask with. */
    public function isSet(): bool
    {
        return $this->url !== '' && $this->key !== '' && function_exists('curl_init');
    }

    public function get(string $path, array $query = []): array
    {
        return $this->ask('GET', $path . ($query === [] ? '' : '?' . http_build_query($query)), null);
    }

    /**
     * [status, body, error]: the HTTP status, 0 when there was no answer; the JSON of the answer, an
     * array, or null; and what went wrong, in words, '' when the status is 2xx.
     */
    public function ask(string $method, string $path, $body): array
    {
        if (!$this->isSet()) {
            return self::failed(0, function_exists('curl_init')
                ? 'the address of the API or its key is not set' : 'PHP has no curl extension');
        }
        $left = (int) (($this->deadline - microtime(true)) * 1000);
        if ($left < 10) {
            return self::failed(0, 'no time was left to ask the service');
        }
        $why = $this->isUrgent ? '' : $this->whyPaused();
        if ($why !== '') {
            return self::failed(0, $why); // in the words of then, so that it is logged once
        }
        $answer = $this->send($method, $path, $body, $left);
        if ($answer['status'] === 0 || $answer['status'] === 401) {
            $this->pause($answer['error']);
        }
        return $answer;
    }

    private function send(string $method, string $path, $body, int $timeoutMs): array
    {
        $headers = ['Authorization: Bearer ' . $this->key, 'Accept: application/json', 'Expect:'];
        $curl = curl_init($this->url . $path);
        $options = [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_NOSIGNAL => true, // or times below a second don't hold
            CURLOPT_TIMEOUT_MS => $timeoutMs,
            CURLOPT_CONNECTTIMEOUT_MS => $timeoutMs,
        ];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
            $options[CURLOPT_POSTFIELDS] = json_encode($body, JSON_PARTIAL_OUTPUT_ON_ERROR);
        }
        curl_setopt_array($curl, $options + [CURLOPT_HTTPHEADER => $headers]);
        $text = curl_exec($curl);
        $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $error = curl_error($curl);
        unset($curl);
        if ($text === false || $status === 0) {
            return self::failed(0, $error === '' ? 'the service does not answer' : $error);
        }
        $json = json_decode($text, true);
        if ($status >= 200 && $status < 300) {
            return ['status' => $status, 'body' => is_array($json) ? $json : null, 'error' => ''];
        }
        $detail = is_string($json['detail'] ?? null) ? $json['detail'] : '';
        return ['body' => is_array($json) ? $json : null]
            + self::failed($status, $detail === '' ? "it answers with status $status" : $detail);
    }

    private static function failed(int $status, string $error): array
    {
        return ['status' => $status, 'body' => null, 'error' => $error];
    }

    /** What went wrong less than a minute ago; '' = nothing. */
    private function whyPaused(): string
    {
        try {
            return (string) Store::get(self::PAUSE);
        } catch (\Throwable $e) {
            return '';
        }
    }

    private function pause(string $why)
    {
        try {
            Store::set(self::PAUSE, $why, self::PAUSE_S);
        } catch (\Throwable $e) {
            return; // no database: the next mail waits too, and no longer than this one
        }
    }

    /** Asks again at once: for staff who have changed the settings. */
    public static function endPause()
    {
        Store::set(self::PAUSE, '', -1);
    }
}
