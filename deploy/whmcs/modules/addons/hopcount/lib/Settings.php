<?php

namespace WHMCS\Module\Addon\Hopcount;

use WHMCS\Database\Capsule;

/** What staff have set on WHMCS's page of addon modules, read once a process. */
final class Settings
{
    /** @var Settings|null */
    private static $loaded;
    /** @var array of strings, by name */
    private $values;

    public function __construct(array $values)
    {
        $this->values = $values;
    }

    /** The settings in WHMCS's database.  Throws what the database throws. */
    public static function load(): self
    {
        if (self::$loaded === null) {
            $values = [];
            foreach (Capsule::table('tbladdonmodules')->where('module', 'hopcount')->get() as $row) {
                $values[$row->setting] = (string) $row->value;
            }
            self::$loaded = new self($values);
        }
        return self::$loaded;
    }

    public function text(string $name): string
    {
        return trim($this->values[$name] ?? '');
    }

    public function isOn(string $name): bool
    {
        return in_array(strtolower($this->text($name)), ['on', '1', 'yes'], true);
    }

    /** A secret; one that WHMCS has stored encrypted is decrypted by its API. */
    private function secret(string $name, string $form): string
    {
        $text = $this->text($name);
        if ($text !== '' && !preg_match($form, $text)) {
            $plain = Whmcs::decrypt($text);
            return preg_match($form, $plain) ? $plain : $text;
        }
        return $text;
    }

    public function apiUrl(): string
    {
        return rtrim($this->text('api_url'), '/');
    }

    public function apiKey(): string
    {
        return $this->secret('api_key', '/^[\x21-\x7e]{20,}$/D');
    }

    public function brand(): Brand
    {
        return new Brand($this->text('brand'), $this->text('base_url'),
            $this->secret('key', '#^/|^\s*\d{1,3}\s+(mint|verify)\s#'));
    }

    /**
     * All brands, the first by the settings of their own, the others by the lines of `brands`:
     * "domain or company | brand | base URL | key"; without a key the first one's is used.
     *
     * @return array [what it is told by, in lower case => Brand]; the first has ''
     */
    public function brands(): array
    {
        $brands = ['' => $this->brand()];
        foreach (preg_split('/\r\n|\n|\r/', $this->text('brands')) as $line) {
            $part = array_map('trim', explode('|', $line));
            if (count($part) >= 3 && $part[0] !== '') {
                $brands[strtolower($part[0])] = new Brand($part[1], $part[2],
                    $part[3] ?? $this->secret('key', '#^/|^\s*\d{1,3}\s+(mint|verify)\s#'));
            }
        }
        return $brands;
    }

    public function brandNamed(string $name): Brand
    {
        foreach ($this->brands() as $brand) {
            if ($brand->name === $name) {
                return $brand;
            }
        }
        return $this->brand();
    }

    /** The brand of an e-mail, by its company's name or the host of its addresses. */
    public function brandOf(array $fields): Brand
    {
        $brands = $this->brands();
        foreach (['company_name', 'company_domain', 'whmcs_url', 'whmcs_link'] as $name) {
            $text = is_string($fields[$name] ?? null) ? strtolower(trim($fields[$name])) : '';
            $host = preg_match('#https?://([^/\s"\'<>:]+)#', $text, $found) ? $found[1] : $text;
            foreach ([$text, $host] as $told) {
                if ($told !== '' && isset($brands[$told])) {
                    return $brands[$told];
                }
            }
        }
        return $brands[''];
    }

    /** How many variants there are; 1 = no test. */
    public function variants(): int
    {
        return max(1, min(7, (int) $this->text('ab_variants')));
    }

    /** The ttl code of a setting such as "30 days", which may be "never". */
    public function ttlCode(string $name, int $default): int
    {
        $code = array_search($this->text($name), self::TTLS, true);
        return $code === false ? $default : $code;
    }

    /** What a dropdown of validities offers, [value as in TTLS => text], of the ttl codes from `$first` to `$last`. */
    public static function ttlOptions(array $t, int $first, int $last): array
    {
        $options = [];
        foreach (array_slice(self::TTLS, $first, $last - $first + 1) as $value) {
            list($n, $unit) = explode(' ', $value);
            $options[$value] = $n === 'never' ? $t['never_ends'] : "$n {$t[$unit]}";
        }
        return $options;
    }

    /** Validities as they are stored, by ttl code. */
    const TTLS = ['never ends', '15 minutes', '1 hour', '6 hours', '1 day', '2 days', '3 days', '7 days',
        '14 days', '30 days', '45 days', '60 days', '90 days', '120 days', '180 days', '366 days'];
}
