/* Clocks that are too far apart are told, a slow network isn't, and the log is told once an hour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/gateway/clock_gap.h"

#define T INT64_C(1795348800000)

static void test_how_far_they_are_apart(void **state)
{
    static const struct {
        const char *name;
        int64_t sent_ms, redis_ms, answered_ms, want_ms;
        bool is_wide;
    } cases[] = {
        {"the same clock", T, T, T, 0, false},
        {"in between", T, T + 5, T + 10, 0, false},
        {"an answer that took a minute", T, T + 60000, T + 60000, 0, false},
        {"a question that took a minute", T, T, T + 60000, 0, false},
        {"ours is 30 s ahead", T, T - 30000, T + 10, 30000, false},
        {"and a millisecond more", T, T - 30001, T + 10, 30001, true},
        {"ours is 30 s behind", T, T + 30010, T + 10, -30000, false},
        {"and a millisecond more", T, T + 30011, T + 10, -30001, true},
        {"ours was never set", 1000, T, 1010, 1010 - T, true},
        {"that of Redis was never set", T, 1000, T + 10, T - 1000, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct clock_gap gap = {.is_known = false};
        bool is_said;

        print_message("%s\n", cases[i].name);
        is_said =
            clock_gap_note(&gap, cases[i].sent_ms, cases[i].redis_ms, cases[i].answered_ms, 7);
        assert_true(gap.is_known);
        assert_int_equal(gap.ahead_ms, cases[i].want_ms);
        assert_int_equal(is_said, cases[i].is_wide);
        assert_int_equal(clock_gap_is_wide(gap.ahead_ms), cases[i].is_wide);
    }
}

static void test_a_clock_that_is_set_while_redis_is_asked(void **state)
{
    struct clock_gap gap = {.is_known = false};

    (void)state;
    assert_false(clock_gap_note(&gap, T, T - 60000, T - 59000, 7));
    assert_false(gap.is_known);
}

/* At most once an hour, however often the difference comes and goes. */
static void test_it_is_said_once_an_hour(void **state)
{
    struct clock_gap gap = {.is_known = false};
    int64_t hour = CLOCK_GAP_SAY_MS, first = 5000;

    (void)state;
    assert_false(clock_gap_note(&gap, T, T, T, 0));
    assert_true(clock_gap_note(&gap, T, T - 60000, T, first));
    assert_false(clock_gap_note(&gap, T, T - 60000, T, first + 1000));
    assert_false(clock_gap_note(&gap, T, T, T, first + 2000));
    assert_int_equal(gap.ahead_ms, 0);
    assert_false(clock_gap_note(&gap, T, T + 60000, T, first + 3000));
    assert_int_equal(gap.ahead_ms, -60000);
    assert_false(clock_gap_note(&gap, T, T + 60000, T, first + hour - 1));
    assert_true(clock_gap_note(&gap, T, T + 60000, T, first + hour));
    assert_false(clock_gap_note(&gap, T, T, T, first + 3 * hour));
    assert_true(clock_gap_note(&gap, T, T + 60000, T, first + 3 * hour));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_far_they_are_apart),
        cmocka_unit_test(test_a_clock_that_is_set_while_redis_is_asked),
        cmocka_unit_test(test_it_is_said_once_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
