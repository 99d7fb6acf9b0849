<?php

use PhpParser\Node;
use PhpParser\NodeTraverser;
use PhpParser\NodeVisitorAbstract;
use PhpParser\ParserFactory;
use PHPUnit\Framework\TestCase;

require_once '/usr/share/php/PhpParser/autoload.php';
require_once __DIR__ . '/bed/Bed.php';

/**
 * WHMCS 8 may run on PHP 7.2: what came later is a parse error there, which stops WHMCS whole; and what
 * PHP 8.4 deprecates is a warning on each page.  And the module reads no field that WHMCS's documentation
 * doesn't name.
 */
final class SyntaxTest extends TestCase
{
    /** What the module calls of PHP: each is in PHP 7.2, and none is deprecated up to 8.4. */
    private const FUNCTIONS = 'abs array_column array_diff array_filter array_intersect array_keys array_map array_merge
        array_search array_slice array_values bin2hex chr class_exists count curl_error curl_exec curl_getinfo curl_init
        curl_setopt_array defined explode file_get_contents floor function_exists gmdate hash_equals
        header headers_sent hex2bin htmlspecialchars http_build_query implode in_array intdiv is_array is_file is_int
        is_string json_decode json_encode max microtime min number_format ob_end_clean ob_get_level ord pack preg_match
        preg_quote preg_replace preg_replace_callback preg_split random_bytes rawurlencode round rtrim sha1
        sodium_crypto_generichash spl_autoload_register sprintf str_ireplace str_replace str_split strlen strncasecmp
        strncmp strpos strrchr strrpos strtolower strtotime strtr substr time trim unpack vsprintf';
    private const CONSTANTS = 'CURLINFO_RESPONSE_CODE CURLOPT_CONNECTTIMEOUT_MS CURLOPT_CUSTOMREQUEST
        CURLOPT_FOLLOWLOCATION CURLOPT_HTTPHEADER CURLOPT_NOSIGNAL CURLOPT_POSTFIELDS CURLOPT_PROTOCOLS
        CURLOPT_RETURNTRANSFER CURLOPT_TIMEOUT_MS CURLPROTO_HTTP CURLPROTO_HTTPS ENT_QUOTES ENT_SUBSTITUTE
        JSON_PARTIAL_OUTPUT_ON_ERROR false null true';
    private const CLASSES = 'InvalidArgumentException RuntimeException stdClass Throwable self';
    private const WHMCS = 'add_hook localAPI logActivity';

    /** [path => syntax tree] of all files of the module. */
    private static function trees(): array
    {
        $parser = method_exists(ParserFactory::class, 'createForNewestSupportedVersion')
            ? (new ParserFactory())->createForNewestSupportedVersion() : (new ParserFactory())->create(ParserFactory::PREFER_PHP7);
        $trees = [];
        $root = realpath(Bed::MODULE . '/../..');
        foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($root)) as $file) {
            if ($file->getExtension() === 'php') {
                $trees[substr($file->getPathname(), strlen($root) + 1)] = $parser->parse(file_get_contents($file->getPathname()));
            }
        }
        return $trees;
    }

    private static function visit(array $tree, callable $see): void
    {
        $traverser = new NodeTraverser();
        $traverser->addVisitor(new class($see) extends NodeVisitorAbstract {
            private $see;

            public function __construct(callable $see)
            {
                $this->see = $see;
            }

            public function enterNode(Node $node)
            {
                ($this->see)($node);
                return null;
            }
        });
        $traverser->traverse($tree);
    }

    private static function isOneOf(string $name, string $names): bool
    {
        return preg_match('/(?<!\S)' . preg_quote($name, '/') . '(?!\S)/', $names) === 1;
    }

    /** Why a node is none of PHP 7.2 to 8.4; '' = it is. */
    private static function fault(Node $node): string
    {
        $later = ['Expr_ArrowFunction', 'Expr_Match', 'Expr_NullsafeMethodCall', 'Expr_NullsafePropertyFetch',
            'Expr_AssignOp_Coalesce', 'Expr_Throw', 'Stmt_Enum', 'AttributeGroup', 'UnionType', 'IntersectionType',
            'VariadicPlaceholder', 'PropertyHook'];
        if (in_array($node->getType(), $later, true)) {
            /* In newer parsers `throw` is an expression, also where it stands as a statement. */
            return $node->getType() === 'Expr_Throw' ? '' : $node->getType();
        }
        if ($node instanceof Node\Stmt\Property && $node->type !== null) {
            return 'a property with a type';
        }
        if ($node instanceof Node\Param && ($node->flags !== 0)) {
            return 'a property made by the constructor';
        }
        if ($node instanceof Node\Param && $node->default instanceof Node\Expr\ConstFetch
            && strtolower((string) $node->default->name) === 'null' && $node->type instanceof Node\Name) {
            return 'a type that null makes nullable';
        }
        if ($node instanceof Node\Arg && $node->name !== null) {
            return 'a named argument';
        }
        if ($node instanceof Node\Expr\ArrayItem && $node->unpack) {
            return 'an array unpacked in an array';
        }
        if ($node instanceof Node\Stmt\Catch_ && $node->var === null) {
            return 'catch without a variable';
        }
        if ($node instanceof Node\Identifier && in_array(strtolower($node->name), ['mixed', 'never'], true)) {
            return "the type {$node->name}";
        }
        if ($node instanceof Node\Expr\FuncCall && $node->name instanceof Node\Name
            && !self::isOneOf((string) $node->name, self::FUNCTIONS . ' ' . self::WHMCS)) {
            return "{$node->name}()";
        }
        if ($node instanceof Node\Expr\ConstFetch && !self::isOneOf((string) $node->name, self::CONSTANTS)) {
            return (string) $node->name;
        }
        if (($node instanceof Node\Expr\New_ || $node instanceof Node\Expr\StaticCall || $node instanceof Node\Expr\Instanceof_
            || $node instanceof Node\Expr\ClassConstFetch) && $node->class instanceof Node\Name) {
            $class = (string) $node->class;
            return self::isOneOf($class, self::CLASSES) || strncmp($class, 'WHMCS\\', 6) === 0 || $class === 'Capsule'
                || is_file(Bed::MODULE . "/lib/$class.php") ? '' : "the class $class";
        }
        return '';
    }

    public function test_the_syntax_is_that_of_php_7_2_to_8_4(): void
    {
        $n = 0;
        foreach (self::trees() as $path => $tree) {
            self::visit($tree, function (Node $node) use ($path) {
                $this->assertSame('', self::fault($node), "$path:{$node->getStartLine()}");
            });
            $n++;
        }
        $this->assertGreaterThan(15, $n);
    }

    /** What this PHP, run with all its complaints, says of each file before anything of it runs. */
    public function test_this_php_complains_of_no_file(): void
    {
        foreach (array_keys(self::trees()) as $path) {
            $file = escapeshellarg(realpath(Bed::MODULE . "/../../$path"));
            $said = shell_exec(escapeshellarg(PHP_BINARY) . " -d error_reporting=-1 -d display_errors=stdout -l $file 2>&1");
            $this->assertMatchesRegularExpression('/\A\s*No syntax errors detected in \S+\s*\z/', $said, $path);
        }
    }

    /** Nothing of these can be seen in the tree. */
    public function test_the_tokens_are_those_of_php_7_2(): void
    {
        foreach (array_keys(self::trees()) as $path) {
            $text = file_get_contents(Bed::MODULE . "/../../$path");
            $this->assertStringStartsWith("<?php\n", $text, "$path: no byte order mark, no blank");
            $this->assertStringNotContainsString("\r", $text, $path);
            $this->assertStringEndsNotWith("?>\n", $text, $path);
            $last = '';
            $line = 0;
            $calls = [];
            foreach (token_get_all($text) as $token) {
                $line = is_array($token) ? $token[2] : $line;
                $name = is_array($token) ? token_name($token[0]) : $token;
                if (is_array($token) && in_array($token[0], [T_LNUMBER, T_DNUMBER], true)) {
                    $this->assertStringNotContainsString('_', $token[1], "$path:$line");
                }
                $this->assertFalse($name === ')' && $last === ',', "$path:$line: a comma before a closing bracket");
                if ($name === 'T_END_HEREDOC') {
                    $this->assertSame(ltrim($token[1]), $token[1], "$path:$line: an indented end of a text");
                }
                $last = in_array($name, ['T_WHITESPACE', 'T_COMMENT', 'T_DOC_COMMENT'], true) ? $last : $name;
            }
        }
    }

    public function test_what_these_tests_look_for_is_found(): void
    {
        $parser = method_exists(ParserFactory::class, 'createForNewestSupportedVersion')
            ? (new ParserFactory())->createForNewestSupportedVersion() : (new ParserFactory())->create(ParserFactory::PREFER_PHP7);
        foreach (['fn($x) => $x;', 'match($x) { default => 1 };', '$a?->b();', '$a ??= 1;', 'class A { public int $x; }',
            'class A { function __construct(private $x) {} }', 'f(x: 1);', '[...$a];', 'try {} catch (E $e) {} catch (F) {}',
            'function f(int|string $x) {}', 'function f(): mixed {}', 'str_contains($a, $b);', 'function f(A $a = null) {}',
            '#[A] class B {}', 'enum E { case A; }', '$f = strlen(...);', 'json_decode($a, true, 9, JSON_THROW_ON_ERROR);',
            'utf8_encode($a);', 'new WeakMap();', 'new \\Random\\Randomizer();', '$a instanceof \\Stringable;'] as $code) {
            $found = '';
            self::visit($parser->parse("<?php $code"), static function (Node $node) use (&$found) {
                $found .= self::fault($node);
            });
            $this->assertNotSame('', $found, $code);
        }
    }

    /** [function => fields of its `$vars` or `$r`], read in a class of the module. */
    private static function reads(string $class, string $variable): array
    {
        $reads = [];
        self::visit(self::trees()["addons/hopcount/lib/$class.php"], static function (Node $node) use (&$reads, $variable) {
            if (!$node instanceof Node\Stmt\ClassMethod) {
                return;
            }
            self::visit($node->stmts, static function (Node $inner) use (&$reads, $node, $variable) {
                if ($inner instanceof Node\Expr\ArrayDimFetch && $inner->var instanceof Node\Expr\Variable
                    && in_array($inner->var->name, explode(' ', $variable), true) && $inner->dim instanceof Node\Scalar\String_) {
                    $reads[(string) $node->name][] = $inner->dim->value;
                }
            });
        });
        return array_map('array_unique', $reads);
    }

    public function test_hooks_read_documented_fields_only(): void
    {
        $documented = (require __DIR__ . '/bed/documented.php')['hooks'];
        $invoice = ['InvoicePaid', 'InvoiceUnpaid', 'InvoiceCancelled', 'InvoiceRefunded'];
        $functions = [
            'Mail' => ['onPreSend' => ['EmailPreSend'], 'onMergeFields' => ['EmailTplMergeFields'], 'onPreLog' => ['EmailPreLog']],
            'Events' => ['onInvoice' => $invoice, 'onPayment' => ['AddInvoicePayment'],
                'onClient' => ['ClientChangePassword', 'ClientClose'], 'onUserPassword' => ['UserChangePassword']],
            'OptOut' => ['onClientEdit' => ['ClientEdit']],
            'Panels' => ['invoice' => ['AdminInvoicesControlsOutput'], 'client' => ['AdminAreaClientSummaryPage']],
        ];
        foreach ($functions as $class => $known) {
            foreach (self::reads($class, 'vars') as $function => $fields) {
                $this->assertArrayHasKey($function, $known, "$class::$function reads fields of an unknown hook");
                foreach ($known[$function] as $hook) {
                    $this->assertSame([], array_diff($fields, $documented[$hook]), "$class::$function on $hook");
                }
            }
            $this->assertSame([], array_diff(array_keys($known), array_keys(self::reads($class, 'vars'))), $class);
        }
    }

    public function test_answers_of_commands_are_read_by_documented_fields_only(): void
    {
        $documented = (require __DIR__ . '/bed/documented.php')['commands'];
        $commands = ['call' => [], 'invoice' => ['GetInvoice'], 'transactions' => ['GetTransactions'],
            'client' => ['GetClientsDetails'], 'templates' => ['GetEmailTemplates'], 'systemUrl' => ['GetConfigurationValue'],
            'clientsOfUser' => ['GetUsers'], 'ssoUrl' => ['CreateSsoToken'], 'decrypt' => ['DecryptPassword'],
            'sendMail' => ['SendEmail']];
        foreach (self::reads('Whmcs', 'r row answer client') as $function => $fields) {
            $this->assertArrayHasKey($function, $commands);
            $allowed = ['result', 'message']; // api/response-types.md
            foreach ($commands[$function] as $command) {
                $allowed = array_merge($allowed, $documented[$command]['gives'], $documented[$command]['inside'] ?? []);
            }
            $this->assertSame([], array_diff($fields, $allowed), $function);
        }
    }

    public function test_documented_methods_of_whmcs_classes_only_are_called(): void
    {
        $documented = (require __DIR__ . '/bed/documented.php')['classes'];
        $called = [];
        foreach (self::trees() as $tree) {
            self::visit($tree, static function (Node $node) use (&$called) {
                if ($node instanceof Node\Expr\MethodCall && $node->var instanceof Node\Expr\New_
                    && $node->var->class instanceof Node\Name\FullyQualified) {
                    $called[(string) $node->var->class][] = (string) $node->name;
                }
            });
        }
        $this->assertSame(array_keys($documented), array_keys($called));
        foreach ($called as $class => $methods) {
            $this->assertSame([], array_diff($methods, $documented[$class]), $class);
        }
    }

    public function test_no_other_class_asks_whmcs(): void
    {
        foreach (self::trees() as $path => $tree) {
            self::visit($tree, function (Node $node) use ($path) {
                if ($node instanceof Node\Expr\FuncCall && $node->name instanceof Node\Name) {
                    $this->assertFalse(in_array((string) $node->name, ['localAPI', 'logActivity', 'select_query', 'full_query'], true)
                        && $path !== 'addons/hopcount/lib/Whmcs.php', $path);
                }
            });
        }
    }
}
