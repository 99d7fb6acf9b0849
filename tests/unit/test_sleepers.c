/* Threads that sleep until the next click: none is missed, however the two threads meet. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "service/base/wake.h"
#include "service/clicklog/sleepers.h"
#include "tests/unit/clicklog_fixture.h"

enum { ROUNDS = 60000, LONG_MS = 20000 };

struct meeting {
    struct clickstore *store;
    struct clicklog *log;
    _Atomic uint64_t seen; /* the tail that the sleeper saw last */
};

static void spin(uint64_t n)
{
    for (volatile uint64_t i = 0; i < n; i++)
        ;
}

/* Appends as soon as the sleeper has seen what was appended before, so just when it lies down. */
static void *append_when_seen(void *arg)
{
    struct meeting *meeting = arg;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        while (atomic_load(&meeting->seen) < i)
            ;
        spin(i % 512);
        append_range(meeting->log, i, i + 1);
    }
    return NULL;
}

static bool is_woken(struct clickstore *store, enum sleeper who, int wait_ms)
{
    struct pollfd fd = {.fd = sleepers_fd(store, who), .events = POLLIN};

    if (poll(&fd, 1, wait_ms) <= 0)
        return false;
    wake_take(fd.fd);
    return true;
}

/* A sandbox may refuse membarrier(2); hopcountd looks at the logs by the clock then. */
static void skip_if_threads_cannot_sleep(const char *dir)
{
    struct clickstore_options options = options_of(dir);
    struct clickstore *store = open_store(&options);
    bool can_sleep = sleepers_add(store, SLEEPER_LEDGER);

    clickstore_close(store);
    if (can_sleep)
        return;
    print_message("membarrier(2) is refused here, so no thread can sleep until the next click\n");
    skip();
}

static void a_click_that_meets_a_thread_lying_down_wakes_it(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct meeting meeting = {.store = NULL};
    uint64_t seen = 0, n_sleeps = 0;
    pthread_t appender;

    skip_if_threads_cannot_sleep(*state);
    meeting.store = open_store(&options);
    meeting.log = new_log(meeting.store);
    assert_int_equal(pthread_create(&appender, NULL, append_when_seen, &meeting), 0);
    while (seen < ROUNDS) {
        uint64_t tail;

        spin(seen * 7 % 509); /* so that either comes first */
        assert_true(sleepers_add(meeting.store, SLEEPER_LEDGER));
        tail = clicklog_tail(meeting.log);
        if (tail == seen) {
            n_sleeps++;
            assert_true(is_woken(meeting.store, SLEEPER_LEDGER, LONG_MS));
            tail = clicklog_tail(meeting.log);
        }
        seen = tail;
        atomic_store(&meeting.seen, seen);
    }
    pthread_join(appender, NULL);
    assert_true(n_sleeps > 0);
    clickstore_close(meeting.store);
}

static void who_does_not_sleep_is_left_alone(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;

    skip_if_threads_cannot_sleep(*state);
    store = open_store(&options);
    log = new_log(store);
    assert_true(is_woken(store, SLEEPER_LEDGER, LONG_MS)); /* of the new log */
    append_range(log, 0, 10);
    assert_false(is_woken(store, SLEEPER_LEDGER, 0));
    assert_true(sleepers_add(store, SLEEPER_LEDGER));
    assert_false(is_woken(store, SLEEPER_LEDGER, 0));
    append_range(log, 10, 20);
    assert_true(is_woken(store, SLEEPER_LEDGER, LONG_MS));
    append_range(log, 20, 30);
    assert_false(is_woken(store, SLEEPER_LEDGER, 0));
    clickstore_close(store);
}

static void any_log_wakes(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *logs[3];

    skip_if_threads_cannot_sleep(*state);
    store = open_store(&options);
    for (size_t i = 0; i < 3; i++)
        logs[i] = new_log(store);
    assert_true(is_woken(store, SLEEPER_LEDGER, LONG_MS));
    for (size_t i = 0; i < 3; i++) {
        assert_true(sleepers_add(store, SLEEPER_LEDGER));
        append_range(logs[i], 0, 1);
        assert_true(is_woken(store, SLEEPER_LEDGER, LONG_MS));
    }
    clickstore_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_click_that_meets_a_thread_lying_down_wakes_it, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(who_does_not_sleep_is_left_alone, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(any_log_wakes, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
