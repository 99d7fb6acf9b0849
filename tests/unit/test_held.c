#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/public/held.h"

enum { N_BLOCKS = 20, LEN_MAX = 9 * HELD_BLOCK_BYTES };

static char text[LEN_MAX], copy[LEN_MAX];

/* Another byte at each place that matters. */
static int make_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN_MAX; i++)
        text[i] = (char)(i * 31 + i / HELD_BLOCK_BYTES);
    return 0;
}

static void test_pieces_come_out_as_they_went_in(void **state)
{
    static const size_t lens[] = {0,
                                  1,
                                  HELD_BLOCK_BYTES - 1,
                                  HELD_BLOCK_BYTES,
                                  HELD_BLOCK_BYTES + 1,
                                  3 * HELD_BLOCK_BYTES,
                                  LEN_MAX};
    static const size_t steps[] = {1, 7, HELD_BLOCK_BYTES - 1, HELD_BLOCK_BYTES, 5000, LEN_MAX};
    struct held_pool pool;

    (void)state;
    assert_true(held_pool_init(&pool, N_BLOCKS));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
            struct held held = {0};
            size_t n_needed = 0;

            while (held.len < lens[i]) {
                size_t left = lens[i] - held.len, n = left < steps[j] ? left : steps[j];

                n_needed += held_blocks_needed(&held, n);
                held_append(&pool, &held, slice_make(text + held.len, n));
            }
            assert_int_equal(n_needed, (lens[i] + HELD_BLOCK_BYTES - 1) / HELD_BLOCK_BYTES);
            assert_int_equal(pool.n_free, N_BLOCKS - n_needed);
            memset(copy, 0, sizeof(copy));
            held_copy(&held, copy);
            assert_memory_equal(copy, text, lens[i]);
            held_clear(&pool, &held);
            assert_int_equal(held.len, 0);
            assert_int_equal(pool.n_free, N_BLOCKS);
        }
    }
    held_pool_clear(&pool);
}

static void test_two_share_a_pool(void **state)
{
    struct held_pool pool;
    struct held a = {0}, b = {0};

    (void)state;
    assert_true(held_pool_init(&pool, N_BLOCKS));
    for (size_t i = 0; i < 2 * HELD_BLOCK_BYTES; i += HELD_BLOCK_BYTES / 2) {
        held_append(&pool, &a, slice_make(text + i, HELD_BLOCK_BYTES / 2));
        held_append(&pool, &b, slice_make(text + i + 1, HELD_BLOCK_BYTES / 2));
    }
    held_copy(&a, copy);
    assert_memory_equal(copy, text, 2 * HELD_BLOCK_BYTES);
    held_clear(&pool, &a);
    held_append(&pool, &a, slice_make("other", 5));
    held_copy(&b, copy);
    assert_memory_equal(copy, text + 1, HELD_BLOCK_BYTES / 2);
    held_clear(&pool, &b);
    held_clear(&pool, &a);
    assert_int_equal(pool.n_free, N_BLOCKS);
    held_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_come_out_as_they_went_in),
        cmocka_unit_test(test_two_share_a_pool),
    };

    return cmocka_run_group_tests(tests, make_text, NULL);
}
