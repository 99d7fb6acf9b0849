<?php

use PHPUnit\Framework\TestCase;
use WHMCS\Module\Addon\Hopcount\Token;

require_once __DIR__ . '/../../deploy/whmcs/modules/addons/hopcount/lib/Token.php';

/** The token class against the vectors that every implementation is held to. */
final class TokenTest extends TestCase
{
    private const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';

    private static function vectors(): array
    {
        return json_decode(file_get_contents(__DIR__ . '/../../proto/vectors/token.json'), true);
    }

    /** The keys that open, [kid => bytes]. */
    private static function keys(): array
    {
        $keys = [];
        foreach (self::vectors()['keys'] as $key) {
            if ($key['state'] !== 'revoked') {
                $keys[$key['kid']] = hex2bin($key['key']);
            }
        }
        return $keys;
    }

    public function test_the_vectors_are_sealed_alike(): void
    {
        $n = 0;
        foreach (self::vectors()['valid'] as $vector) {
            $token = Token::seal($vector['kid'], self::keys()[$vector['kid']], $vector['brand'], $vector['fields']);
            $this->assertSame($vector['token'], $token, $vector['name']);
            $n++;
        }
        $this->assertGreaterThan(50, $n);
    }

    public function test_the_vectors_open_to_their_fields(): void
    {
        foreach (self::vectors()['valid'] as $vector) {
            $fields = Token::open(self::keys(), $vector['brand'], $vector['token']);
            $this->assertNotNull($fields, $vector['name']);
            foreach ($vector['fields'] as $name => $value) {
                $this->assertEquals($value, $fields[$name], "{$vector['name']}: $name");
            }
            $this->assertSame($vector['link_id'], $fields['link'], $vector['name']);
            $this->assertSame($vector['expires_s'], $fields['expires_s'], $vector['name']);
        }
    }

    public function test_the_vectors_of_what_does_not_open_do_not(): void
    {
        $n = 0;
        foreach (self::vectors()['invalid'] as $vector) {
            $this->assertNull(Token::open(self::keys(), $vector['brand'], $vector['text']), $vector['name']);
            $n++;
        }
        $this->assertGreaterThan(10, $n);
    }

    public function test_either_case_and_letters_like_digits_open(): void
    {
        $token = '07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m';
        foreach ([strtoupper($token), strtr($token, '01', 'ol'), strtr($token, '1', 'I')] as $text) {
            $this->assertSame(1234, Token::open(self::keys(), 'acme', $text)['object'], $text);
        }
    }

    public function test_any_bit_changed_and_it_does_not_open(): void
    {
        $token = '07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m';
        for ($i = 0; $i < strlen($token); $i++) {
            $digit = Token::DIGITS[strpos(Token::DIGITS, $token[$i]) ^ 2];
            $this->assertNull(Token::open(self::keys(), 'acme', substr_replace($token, $digit, $i, 1)), "digit $i");
        }
        $this->assertNull(Token::open(self::keys(), 'umbrella', $token), "another brand's");
    }

    public function test_what_does_not_fit_into_a_token_is_refused(): void
    {
        $good = ['kind' => 2, 'object' => 5];
        $cases = [
            'kind 0' => ['kind' => 0] + $good,
            'kind 16' => ['kind' => 16] + $good,
            'a kind whose low bits are that of pay' => ['kind' => 4294967298] + $good,
            'an object over 32 bits' => ['object' => 4294967296] + $good,
            'a negative object' => ['object' => -1] + $good,
            'a client over 32 bits' => ['client' => 4294967296] + $good,
            'a campaign over 16 bits' => ['campaign' => 65536] + $good,
            'before 2024' => ['issued_min' => -1] + $good,
            'after 2055' => ['issued_min' => 16777216] + $good,
            'a ttl code over 15' => ['ttl_code' => 16] + $good,
            'a channel over 7' => ['channel' => 8] + $good,
            'variant 8' => ['variant' => 8] + $good,
            'an argument of 49 bytes' => ['arg' => str_repeat('a', 49)] + $good,
            'an argument with a slash' => ['arg' => 'a/b'] + $good,
            'an argument with a line feed behind it' => ['arg' => "a\n"] + $good,
        ];
        foreach ($cases as $name => $fields) {
            try {
                $this->fail($name . ': ' . Token::seal(1, hex2bin(self::KEY), 'acme', $fields));
            } catch (\InvalidArgumentException $e) {
                $this->assertNotSame('', $e->getMessage());
            }
        }
    }
}
