<?php

/**
 * What WHMCS does around a hook file, in a process of its own: the functions that WHMCS's developer
 * documentation names, with the fields that it names.  Reads a case as JSON and writes the outcome.
 *
 * case:    hook (path of the file), constants {NAME: value}, types {template: type} of
 *          tblemailtemplates or "broken", system_url, calls: a list of EmailPreSend's variables
 * outcome: fields (of each call), log (lines of logActivity), hooks (that were added)
 */

namespace WHMCS\Database {
    /** As much of Laravel's query builder as the documentation shows. */
    class Capsule
    {
        /** @var array|string|null template => type; null = this WHMCS has no such class */
        public static $types;
        private $where = [];

        public static function table(string $name): self
        {
            if ($name !== 'tblemailtemplates' || self::$types === 'broken') {
                throw new \RuntimeException('SQLSTATE[HY000] [2002] Connection refused');
            }
            return new self();
        }

        public function where(string $column, $value): self
        {
            $this->where[$column] = $value;
            return $this;
        }

        public function value(string $column)
        {
            if ($column !== 'type' || array_keys($this->where) !== ['name']) {
                throw new \RuntimeException('SQLSTATE[42S22]: Column not found');
            }
            return self::$types[$this->where['name']] ?? null;
        }
    }
}

namespace {
    $case = json_decode(stream_get_contents(STDIN), true);
    $outcome = ['fields' => [], 'log' => [], 'hooks' => []];

    /* WHMCS may make exceptions of what PHP only warns of. */
    set_error_handler(function (int $level, string $text, string $file, int $line): bool {
        if (error_reporting() & $level) {
            throw new ErrorException($text, 0, $level, $file, $line);
        }
        return false;
    });

    function add_hook(string $point, int $priority, callable $call): void
    {
        $GLOBALS['outcome']['hooks'][$point][] = $call;
    }

    function logActivity(string $text, int $userid = 0): void
    {
        if ($GLOBALS['case']['log_fails'] ?? false) {
            throw new RuntimeException('the log is full');
        }
        $GLOBALS['outcome']['log'][] = $text;
    }

    WHMCS\Database\Capsule::$types = $case['types'] ?? [];
    if (isset($case['system_url'])) {
        $CONFIG = ['SystemURL' => $case['system_url']];
    }
    $text = file_get_contents($case['hook']);
    foreach ($case['constants'] ?? [] as $name => $value) {
        $text = preg_replace("/^const $name = '[^']*';/m", "const $name = " . var_export($value, true) . ';', $text);
    }
    eval('?>' . $text);
    foreach ($case['calls'] ?? [] as $vars) {
        foreach ($outcome['hooks']['EmailPreSend'] as $call) {
            $outcome['fields'][] = $call($vars);
        }
    }
    if (isset($case['tokens'])) {
        foreach ($case['tokens'] as [$kid, $key, $brand, $fields]) {
            try {
                $outcome['tokens'][] = hopcount_token($kid, hex2bin($key), $brand, $fields);
            } catch (RuntimeException $e) {
                $outcome['tokens'][] = 'refused: ' . $e->getMessage();
            }
        }
    }
    $outcome['hooks'] = array_keys($outcome['hooks']);
    echo json_encode($outcome);
}
