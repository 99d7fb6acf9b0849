/* Our keyed BLAKE2b against libsodium's, which is the reference here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/blake2b.h"

enum { MESSAGE_MAX = 3 * BLAKE2B_BLOCK_LEN + 1 };

static void check(const uint8_t *secret, size_t key_len, size_t out_len, const uint8_t *message,
                  size_t len)
{
    uint8_t want[BLAKE2B_OUT_MAX] = {0}, got[BLAKE2B_OUT_MAX + 1];
    struct blake2b_key key;

    memset(got, 0xaa, sizeof(got));
    blake2b_key_init(&key, secret, key_len, out_len);
    blake2b_hash(&key, message, len, got);
    crypto_generichash(want, out_len, message, len, secret, key_len);
    assert_memory_equal(got, want, out_len);
    assert_int_equal(got[out_len], 0xaa);
}

/* Every message length over three blocks, for the two digests that the token uses. */
static void test_all_message_lengths(void **state)
{
    uint8_t secret[32], message[MESSAGE_MAX];

    (void)state;
    randombytes_buf(secret, sizeof(secret));
    randombytes_buf(message, sizeof(message));
    for (size_t len = 1; len <= MESSAGE_MAX; len++) {
        check(secret, sizeof(secret), 32, message, len);
        check(secret, sizeof(secret), 64, message, len);
    }
}

/* Every length of key and digest that libsodium takes. */
static void test_all_key_and_digest_lengths(void **state)
{
    uint8_t secret[BLAKE2B_KEY_MAX], message[77];

    (void)state;
    randombytes_buf(secret, sizeof(secret));
    randombytes_buf(message, sizeof(message));
    for (size_t key_len = crypto_generichash_KEYBYTES_MIN; key_len <= BLAKE2B_KEY_MAX; key_len++) {
        for (size_t out_len = crypto_generichash_BYTES_MIN; out_len <= BLAKE2B_OUT_MAX; out_len++)
            check(secret, key_len, out_len, message, sizeof(message));
    }
}

static void test_random_messages(void **state)
{
    uint8_t secret[32], message[MESSAGE_MAX];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = 1 + randombytes_uniform(MESSAGE_MAX);

        randombytes_buf(secret, sizeof(secret));
        randombytes_buf(message, len);
        check(secret, sizeof(secret), i % 2 ? 32 : 64, message, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_message_lengths),
        cmocka_unit_test(test_all_key_and_digest_lengths),
        cmocka_unit_test(test_random_messages),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
