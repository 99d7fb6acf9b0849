/* The click log on real files: appending, reading, retention, locking. */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/clicklog_fixture.h"

static void reads_back_what_was_appended(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    struct clicklog *log = new_log(store);

    assert_int_equal(read_from(log, 0), 0);
    append_range(log, 0, 3500);
    assert_int_equal(read_from(log, 0), 3500);
    assert_int_equal(read_by(log, 0, 1), 3500);
    assert_int_equal(read_by(log, 0, 999), 3500);
    assert_int_equal(read_from(log, 3499), 1);
    assert_int_equal(read_from(log, 3500), 0);
    assert_int_equal(clicklog_first(log), 0);
    assert_true(clicklog_is_live(log));
    assert_int_equal(stats_of(store).appended, 3500);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    assert_false(stats_of(store).degraded);
    clickstore_close(store);
}

static void finds_the_clicks_of_an_earlier_start(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    struct clicklog *log;

    append_range(new_log(store), 0, 2500);
    clickstore_close(store);
    store = open_store(&options);
    assert_int_equal(stats_of(store).recovered, 2500);
    assert_int_equal(stats_of(store).n_set_aside, 0);
    assert_int_equal(stats_of(store).disk_bytes, 3 * 64 + 2500 * 64);
    log = clicklog_next(store, NULL);
    assert_non_null(log);
    assert_false(clicklog_is_live(log));
    assert_int_equal(clicklog_tail(log), 2500);
    assert_int_equal(read_all(store), 2500);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    clickstore_close(store);
}

static void a_second_process_is_refused_by_name(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    struct error err = {0};
    char pid[32];

    snprintf(pid, sizeof(pid), "process %ld;", (long)getpid());
    assert_null(clickstore_open(&options, &err));
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, *state));
    clickstore_close(store);
    store = open_store(&options);
    clickstore_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_back_what_was_appended, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(finds_the_clicks_of_an_earlier_start, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused_by_name, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
