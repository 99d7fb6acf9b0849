/* Tests service/public/gather.c: when a worker sleeps so that requests gather. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/public/gather.h"

enum { OPEN = 64 };

/* Passes of `n_requests` each, `us` apart, for `ms` milliseconds; returns whether the last said to
 * sleep, and in `*slept` how many did. */
static bool run(struct gather *gather, int64_t *now_us, unsigned n_requests, int64_t us, int64_t ms,
                unsigned *slept)
{
    int64_t end_us = *now_us + ms * 1000;
    bool sleeps = gather->is_on;

    *slept = 0;
    while (*now_us < end_us) {
        *now_us += us;
        sleeps = gather_after_pass(gather, *now_us / 1000, n_requests, OPEN);
        *slept += sleeps;
    }
    return sleeps;
}

/* Whether it begins to gather within some windows of such passes. */
static bool begins(struct gather *gather, int64_t *now_us, unsigned n_requests, int64_t us)
{
    unsigned slept;

    for (int i = 0; i < 5 * GATHER_WINDOW_MS && !gather->is_on; i++)
        (void)run(gather, now_us, n_requests, us, 1, &slept);
    return gather->is_on;
}

static void test_when_it_begins(void **state)
{
    static const struct {
        unsigned n_requests; /* of a pass */
        int64_t us;          /* from pass to pass */
        bool begins;
    } cases[] = {
        {1, 1000, false}, /* a thousand wake-ups a second cost little */
        {1, 130, false},  /* 7,700 */
        {1, 120, true},   /* 8,300 */
        {4, 100, true},   {15, 100, true}, {16, 100, false}, /* hardly sleeps any more */
        {64, 50, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gather gather = {0};
        int64_t now_us = 5000000;

        assert_int_equal(begins(&gather, &now_us, cases[i].n_requests, cases[i].us),
                         cases[i].begins);
    }
}

/* Begins to gather at 10,000 wake-ups of one request. */
static struct gather begun(int64_t *now_us)
{
    struct gather gather = {0};

    assert_true(begins(&gather, now_us, 1, 100));
    return gather;
}

static void test_it_goes_on_while_it_pays(void **state)
{
    int64_t now_us = 0;
    struct gather gather = begun(&now_us);
    unsigned slept;

    (void)state;
    assert_true(run(&gather, &now_us, 5, 300, 1000, &slept));
    assert_in_range(slept, 3300, 3334);
}

static void test_it_ends_with_the_load(void **state)
{
    int64_t now_us = 0;
    struct gather gather = begun(&now_us);
    unsigned slept;

    (void)state;
    assert_false(run(&gather, &now_us, 2, 1000, GATHER_WINDOW_MS * 2, &slept));
    /* It did pay, so the next rise begins it at once. */
    assert_true(begins(&gather, &now_us, 1, 100));
}

/* What comes after a pause when it doesn't pay: one request, as of a client that waits for each
 * reply, or one of most connections. */
static void test_clients_that_wait_are_not_slowed_down(void **state)
{
    static const unsigned n_requests[] = {1, OPEN * 3 / 4 + 1, OPEN};

    (void)state;
    for (size_t i = 0; i < sizeof(n_requests) / sizeof(n_requests[0]); i++) {
        int64_t now_us = 0, spent_ms = 0;
        struct gather gather = begun(&now_us);
        unsigned slept, n_tried = 0;

        /* A minute: while it sleeps, passes are 250 µs apart, and without they bring one request
         * every 100 µs. */
        while (now_us < 60000000) {
            bool was_on = gather.is_on;

            (void)run(&gather, &now_us, was_on ? n_requests[i] : 1, was_on ? 100 : 50, 1, &slept);
            spent_ms += was_on;
            n_tried += !was_on && gather.is_on;
        }
        assert_in_range(n_tried, 3, 8); /* after 1, 2, 4, 8 and 16 s */
        assert_in_range(spent_ms, 1, 9 * (GATHER_WINDOW_MS + 2));
    }
}

static void test_a_silence_is_no_rate(void **state)
{
    struct gather gather = {0};
    int64_t now_us = 1000000;
    unsigned slept;

    (void)state;
    (void)run(&gather, &now_us, 1, 100, 10, &slept);
    now_us += 3600000000;
    assert_false(run(&gather, &now_us, 1, 100, 1, &slept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_it_begins),
        cmocka_unit_test(test_it_goes_on_while_it_pays),
        cmocka_unit_test(test_it_ends_with_the_load),
        cmocka_unit_test(test_clients_that_wait_are_not_slowed_down),
        cmocka_unit_test(test_a_silence_is_no_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
