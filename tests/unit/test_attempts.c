#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/admin/attempts.h"

enum { NOW_MS = 5000 };

static void note_failures(struct attempts *attempts, const char *address, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        attempts_note_failure(attempts, slice_of(address), now_ms);
}

static void an_address_may_fail_so_often_in_a_window(void **state)
{
    const struct {
        const char *name, *address;
        int failures;
        int64_t at_ms, want_ms, want_own_ms;
    } cases[] = {
        {"never failed", "192.0.2.1", 0, NOW_MS, 0, 0},
        {"one short of the limit", "192.0.2.1", ATTEMPTS_MAX - 1, NOW_MS, 0, 0},
        {"at the limit", "192.0.2.1", ATTEMPTS_MAX, NOW_MS, ATTEMPTS_WINDOW_MS, ATTEMPTS_WINDOW_MS},
        {"a moment before the window ends", "192.0.2.1", ATTEMPTS_MAX,
         NOW_MS + ATTEMPTS_WINDOW_MS - 1, 1, 1},
        {"the window is over", "192.0.2.1", ATTEMPTS_MAX, NOW_MS + ATTEMPTS_WINDOW_MS, 0, 0},
        {"another address", "192.0.2.2", ATTEMPTS_MAX, NOW_MS, 0, 0},
        {"another address, but all together too often", "192.0.2.2", ATTEMPTS_TOTAL_MAX, NOW_MS,
         ATTEMPTS_WINDOW_MS, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct attempts *attempts = attempts_new();

        print_message("%s\n", cases[i].name);
        note_failures(attempts, "192.0.2.1", cases[i].failures, NOW_MS);
        assert_int_equal(attempts_wait_ms(attempts, slice_of(cases[i].address), cases[i].at_ms),
                         cases[i].want_ms);
        assert_int_equal(attempts_own_wait_ms(attempts, slice_of(cases[i].address), cases[i].at_ms),
                         cases[i].want_own_ms);
        attempts_free(attempts);
    }
}

static void many_addresses_do_not_outgrow_the_table(void **state)
{
    struct attempts *attempts = attempts_new();
    int64_t now_ms = NOW_MS;

    (void)state;
    for (int i = 0; i < 3 * ATTEMPTS_ADDRESSES_MAX; i++) {
        char address[100];

        snprintf(address, sizeof(address), "2001:db8::%x with more text than an address has %040d",
                 (unsigned)i, 0);
        now_ms += ATTEMPTS_WINDOW_MS / (ATTEMPTS_ADDRESSES_MAX * 2);
        note_failures(attempts, address, 1, now_ms);
    }
    assert_true(attempts_wait_ms(attempts, slice_of("192.0.2.1"), now_ms) > 0);
    attempts_free(attempts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_may_fail_so_often_in_a_window),
        cmocka_unit_test(many_addresses_do_not_outgrow_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
