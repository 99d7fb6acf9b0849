<?php

/**
 * The real hopcountd that tests/integration/test_whmcs.py has started: where it is and its keys, from the
 * file that HOPCOUNT_BED names.
 */
final class Service
{
    /** @var array|null */
    private static $known;

    /** A value: admin, public, key, api_key, reader_key, redis_pid … */
    public static function get(string $name)
    {
        if (self::$known === null) {
            $path = getenv('HOPCOUNT_BED');
            if ($path === false) {
                throw new RuntimeException('HOPCOUNT_BED is not set: these tests run by tests/integration/test_whmcs.py');
            }
            self::$known = json_decode(file_get_contents($path), true);
        }
        return self::$known[$name];
    }

    /** Settings of the module for this service. */
    public static function settings(array $changes = []): array
    {
        return $changes + ['base_url' => 'https://go.acme.example', 'brand' => 'acme', 'key' => self::get('key'),
            'api_url' => self::get('admin'), 'api_key' => self::get('api_key'), 'send_events' => 'on',
            'login_links' => 'on',
            'brands' => 'umbrella inc | umbrella | https://go.umbrella.example'];
    }

    /** [status, JSON] of the API. */
    public static function api(string $method, string $path, $body = null): array
    {
        list($status, , $text) = self::request(self::get('admin') . $path, $method, array_merge(
            ['Authorization: Bearer ' . self::get('api_key')],
            $body === null ? [] : ['Content-Type: application/json']
        ), $body === null ? null : json_encode($body));
        return [$status, json_decode($text, true)];
    }

    /** Follows a link as a browser: [status, Location, page]. */
    public static function follow(string $url, string $method = 'GET'): array
    {
        $host = parse_url($url, PHP_URL_HOST);
        return self::request(self::get('public') . parse_url($url, PHP_URL_PATH), $method, ["Host: $host",
            'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
            'Sec-Fetch-User: ?1', 'Sec-Fetch-Mode: navigate', 'Accept-Language: en'], null);
    }

    /** Presses the button of a page of the service, as a person: [status, Location, page]. */
    public static function press(string $url): array
    {
        if (!preg_match('/name="?view"? value="?([^" >]+)/', self::follow($url)[2], $found)) {
            throw new RuntimeException("$url shows no button");
        }
        return self::request(self::get('public') . parse_url($url, PHP_URL_PATH), 'POST', ['Host: ' . parse_url($url, PHP_URL_HOST),
            'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
            'Content-Type: application/x-www-form-urlencoded', 'Accept-Language: en'], "view={$found[1]}");
    }

    private static function request(string $url, string $method, array $headers, $body): array
    {
        $curl = curl_init($url);
        $location = '';
        curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers, CURLOPT_TIMEOUT => 20, CURLOPT_NOBODY => $method === 'HEAD',
            CURLOPT_HEADERFUNCTION => static function ($curl, $line) use (&$location) {
                if (stripos($line, 'location:') === 0) {
                    $location = trim(substr($line, 9));
                }
                return strlen($line);
            }]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
        }
        $text = curl_exec($curl);
        if ($text === false) {
            throw new RuntimeException("$method $url: " . curl_error($curl));
        }
        return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $location, $text];
    }

    /** Waits for something that another process does; what `$is` gives when it is true. */
    public static function waitFor(callable $is, string $what)
    {
        for ($end = microtime(true) + 40; microtime(true) < $end; usleep(50000)) {
            $value = $is();
            if ($value) {
                return $value;
            }
        }
        throw new RuntimeException("waited in vain: $what");
    }
}
