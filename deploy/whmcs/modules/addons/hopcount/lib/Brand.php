<?php

namespace WHMCS\Module\Addon\Hopcount;

/** A sender of links: its name at hopcount, where its links live, and its keys. */
final class Brand
{
    /** @var string as in hopcount's configuration */
    public $name;
    /** @var string without a slash at its end; '' = not set */
    public $baseUrl;
    /** @var string lines of a key file, or the path of one, which begins with a slash */
    private $keyText;
    /** @var array|null what keys() found */
    private $keys;

    public function __construct(string $name, string $baseUrl, string $keyText)
    {
        $this->name = trim($name);
        $this->baseUrl = rtrim(trim($baseUrl), '/');
        $this->keyText = trim($keyText);
    }

    public function hasKey(): bool
    {
        return $this->keyText !== '';
    }

    /**
     * [kid, key] of the line that mints for this brand.  Throws \RuntimeException, which says what is
     * wrong and holds nothing of a key.
     */
    public function mintKey(): array
    {
        $keys = $this->keys();
        if ($keys['mint'] === null) {
            throw new \RuntimeException($keys['others']
                ? "{$keys['where']} has a key that mints, but not for {$this->name}"
                : "{$keys['where']} has no line: KID mint KEY");
        }
        return $keys['mint'];
    }

    /** [kid => key] of the keys whose links still open. */
    public function openKeys(): array
    {
        return $this->keys()['open'];
    }

    private function keys(): array
    {
        if ($this->keys === null) {
            $isPath = strncmp($this->keyText, '/', 1) === 0;
            $where = $isPath ? $this->keyText : 'the key';
            $text = $this->keyText;
            if ($isPath) {
                $text = is_file($this->keyText) ? @file_get_contents($this->keyText) : false;
                if ($text === false) {
                    throw new \RuntimeException("$where is not there, or PHP may not read it");
                }
            }
            $this->keys = $this->read($text, $where);
        }
        return $this->keys;
    }

    private function read(string $text, string $where): array
    {
        $found = ['mint' => null, 'open' => [], 'others' => false, 'where' => $where];
        foreach (preg_split('/\r\n|\n|\r/', preg_replace('/^\xef\xbb\xbf/', '', $text)) as $line) {
            $form = '/^\s*(\d{1,3})\s+(mint|verify)\s+([0-9a-fA-F]{64})(?:\s+(\S+))?\s*$/D';
            if (!preg_match($form, $line, $part)) {
                continue;
            }
            if ($part[1] < 1 || $part[1] > 255) {
                throw new \RuntimeException("$where has a kid that is not 1 to 255");
            }
            if (isset($part[4]) && !in_array($this->name, explode(',', $part[4]), true)) {
                $found['others'] = $found['others'] || $part[2] === 'mint';
                continue; // another brand's; there may be a key for each
            }
            $found['open'][(int) $part[1]] = hex2bin($part[3]);
            if ($part[2] === 'mint' && $found['mint'] === null) {
                $found['mint'] = [(int) $part[1], hex2bin($part[3])];
            }
        }
        return $found;
    }
}
