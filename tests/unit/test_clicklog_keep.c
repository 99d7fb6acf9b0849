/* How long the click log keeps segments, and its three threads at work at once. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/clicklog_fixture.h"

static void wait_for_disk_bytes_at_most(struct clickstore *store, uint64_t max)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;

    while (stats_of(store).disk_bytes > max) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(5);
    }
}

/* --- retention --- */

static void applied_segments_go_when_their_time_has_passed(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;

    options.retain_ms = 0;
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, 3500);
    sleep_ms(250);
    assert_int_equal(clicklog_first(log), 0); /* nothing is applied */
    clicklog_set_applied(log, 2999);
    while (clicklog_first(log) < 2000)
        sleep_ms(5);
    sleep_ms(250);
    assert_true(clicklog_first(log) <= 2999);
    assert_int_equal(read_from(log, 0), 3500 - clicklog_first(log));
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    clickstore_close(store);
}

static void with_few_clicks_too_their_segment_goes(void **state)
{
    struct clickstore_options options = options_of(*state);
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    struct clickstore *store;
    struct clicklog *log;
    uint64_t n = 1, left;
    int64_t at_ms;

    options.retain_ms = 0;
    store = open_store(&options);
    log = new_log(store);
    at_ms = clock_wall_ms() - 1;
    append_range(log, 0, 1);
    assert_false(clickstore_holds(store, at_ms));
    at_ms = clock_wall_ms();
    assert_true(clickstore_holds(store, at_ms));
    while (clicklog_first(log) == 0) {
        assert_true(clickstore_holds(store, at_ms));
        assert_true(clock_mono_ms() < deadline_ms);
        append_range(log, n, n + 1);
        clicklog_set_applied(log, ++n);
        sleep_ms(100);
    }
    assert_true(n < 999); /* it was not full */
    left = n - clicklog_first(log);
    assert_int_equal(read_from(log, 0), left);
    assert_false(clickstore_holds(store, at_ms));
    clickstore_close(store);
    store = open_store(&options);
    assert_true(read_all(store) <= left);
    assert_true(clickstore_holds(store, at_ms)); /* nobody knows when they were appended */
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    clickstore_close(store);
}

/* While nothing can be deleted, clicks of several seconds share a segment. */
static void an_outage_leaves_no_segments_of_few_clicks(void **state)
{
    for (unsigned n_sinks = 0; n_sinks <= 1; n_sinks++) {
        struct clickstore_options options = options_of(*state);
        struct clickstore *store;
        struct clicklog *log;
        uint64_t n = 0, before;
        int64_t end_ms;

        print_message(n_sinks ? "a sink is away\n" : "Redis is away\n");
        options.retain_ms = 0;
        options.n_sinks = n_sinks;
        store = open_store(&options);
        log = new_log(store);
        append_range(log, n, n + 1);
        n++;
        sleep_ms(250);
        before = stats_of(store).disk_bytes;
        for (end_ms = clock_mono_ms() + 2700; clock_mono_ms() < end_ms; sleep_ms(100)) {
            append_range(log, n, n + 1);
            n++;
            if (n_sinks > 0)
                clicklog_set_applied(log, n);
        }
        /* The one that nothing stood before is left. */
        assert_true(stats_of(store).disk_bytes <= before + options.segment_bytes);
        assert_int_equal(clicklog_first(log), 0);
        clickstore_close(store);
    }
}

static void applied_segments_stay_for_replay(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    struct clicklog *log = new_log(store);

    append_range(log, 0, 3500);
    clicklog_set_applied(log, 3500);
    sleep_ms(250);
    assert_int_equal(clicklog_first(log), 0);
    assert_int_equal(read_from(log, 0), 3500);
    clickstore_close(store);
}

static void more_than_retain_max_is_not_kept(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;

    options.retain_max = 2 * options.segment_bytes;
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, 6500);
    clicklog_set_applied(log, 6500);
    while (clicklog_first(log) == 0)
        sleep_ms(5);
    sleep_ms(250);
    assert_true(clicklog_first(log) >= 3000 && clicklog_first(log) <= 4500);
    clickstore_close(store);
}

static void segments_wait_for_every_sink(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clicklog_row rows[1000];
    struct clickstore *store;
    struct clicklog *log;
    size_t n_rows;

    options.retain_ms = 0;
    options.n_sinks = 2;
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, 3500);
    clicklog_set_applied(log, 3500);
    clicklog_set_passed(log, 0, 3500);
    sleep_ms(250);
    assert_int_equal(clicklog_first(log), 0); /* sink 1 has nothing yet */
    assert_int_equal(clicklog_read_rows(log, 1, 990, 1010, rows, &n_rows), 1010);
    assert_int_equal(n_rows, 20);
    assert_int_equal(rows[19].position, 1009);
    assert_int_equal(rows[19].click.object, 1009);
    clicklog_set_passed(log, 1, 2500);
    while (clicklog_first(log) < 2000)
        sleep_ms(5);
    assert_int_equal(clicklog_read_rows(log, 1, 500, 2010, rows, &n_rows), 2010);
    assert_int_equal(n_rows, 10); /* those before are deleted */
    assert_int_equal(clicklog_read_rows(log, 1, 3500, 3600, rows, &n_rows), 3500);
    clickstore_close(store);
}

/* New clicks are worth more than what only a sink waits for. */
static void a_sink_that_is_away_takes_no_room_from_clicks(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;

    options.n_sinks = 1;
    options.disk_max = 8 * options.segment_bytes;
    options.memory_max = 4 * options.segment_bytes;
    store = open_store(&options);
    log = new_log(store);
    for (uint64_t n = 0; n < 30000; n += 1000) {
        append_range(log, n, n + 1000); /* fails when a click finds no room */
        clicklog_set_applied(log, n + 1000);
    }
    assert_true(clicklog_first(log) > 15000); /* twelve segments fit on disk and in memory */
    assert_true(stats_of(store).disk_bytes <= options.disk_max);
    clickstore_close(store);
}

static void an_old_log_goes_whole_when_applied(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    struct clicklog *log;
    char path[128];

    append_range(new_log(store), 0, 1500);
    clickstore_close(store);
    options.retain_ms = 0;
    store = open_store(&options);
    log = clicklog_next(store, NULL);
    clicklog_set_applied(log, 1499);
    sleep_ms(250);
    assert_ptr_equal(clicklog_next(store, NULL), log);
    clicklog_set_applied(log, 1500);
    wait_for_disk_bytes_at_most(store, 0);
    while (clicklog_next(store, NULL))
        sleep_ms(5);
    assert_null(clicklog_next(store, log));
    assert_int_equal(clicklog_first(log), 1500); /* the struct stays valid */
    clickstore_close(store);
    snprintf(path, sizeof(path), "%s/logs", (char *)*state);
    assert_int_equal(rmdir(path), 0); /* nothing is left */
}

static void an_unused_log_leaves_nothing(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store = open_store(&options);
    char path[128];

    assert_non_null(new_log(store));
    clickstore_close(store);
    snprintf(path, sizeof(path), "%s/logs", (char *)*state);
    assert_int_equal(rmdir(path), 0);
}

/* --- three threads at once --- */

struct racer {
    struct clicklog *log;
    uint64_t n;
};

static void *append_race(void *arg)
{
    struct racer *racer = arg;

    for (uint64_t i = 0; i < racer->n; i++) {
        struct click click = click_of(i);

        clicklog_append(racer->log, &click);
        clicklog_sync(racer->log);
        if (i % 100 == 99)
            sleep_ms(1);
    }
    return NULL;
}

/* Reads and applies behind the writer while the keeper deletes; every click is seen once. */
static void race(void **state, enum durability durability, uint64_t n_clicks_max)
{
    static struct click clicks[READ_MAX];
    struct clickstore_options options = options_of(*state);
    uint64_t position = 0, n_read = 0;
    struct clickstore *store;
    struct clicklog *log;
    struct racer racer;
    pthread_t writer;
    bool ended = false;

    options.retain_ms = 20;
    options.sync_ms = 10;
    options.durability = durability;
    store = open_store(&options);
    log = new_log(store);
    racer = (struct racer){.log = log, .n = n_clicks_max};
    assert_int_equal(pthread_create(&writer, NULL, append_race, &racer), 0);
    while (position < clicklog_tail(log) || !ended) {
        size_t n_clicks, n = clicklog_read(log, position, 500, clicks, &n_clicks);
        struct clickstore_stats stats = stats_of(store);

        assert_int_equal(n, n_clicks);
        position += n;
        n_read += n_clicks;
        clicklog_set_applied(log, position);
        ended = stats.appended + stats.dropped[CLICKLOG_DROP_NO_SEGMENT] +
                    stats.dropped[CLICKLOG_DROP_MEMORY_CAP] ==
                n_clicks_max;
    }
    pthread_join(writer, NULL);
    assert_int_equal(n_read, clicklog_tail(log));
    /* The keeper comes round in its own time, on a busy machine later. */
    for (int i = 0; i < 4000 && clicklog_first(log) == 0; i++)
        sleep_ms(5);
    assert_true(clicklog_first(log) > 0);
    clickstore_close(store);
}

static void writer_reader_and_keeper_agree(void **state)
{
    race(state, DURABILITY_INTERVAL, 60000);
}

static void writer_reader_and_keeper_agree_with_group_commit(void **state)
{
    race(state, DURABILITY_CLICK, 3000);
}

/* The descriptors of this process, and in `*highest` the highest. */
static unsigned count_descriptors(int *highest)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    *highest = 0;
    while ((entry = readdir(dir))) {
        int fd = atoi(entry->d_name);

        *highest = fd > *highest ? fd : *highest;
        n++;
    }
    closedir(dir);
    return n;
}

/* With a handful of descriptors to spare, many segments are written, synced, kept and read. */
static void segments_take_no_descriptors(void **state, enum durability durability)
{
    enum { SPARE = 8, N_SEGMENTS = 120, PER_SEGMENT = 10, N = N_SEGMENTS * PER_SEGMENT };
    struct clickstore_options options = options_of(*state);
    struct rlimit before, scarce;
    struct clickstore *store;
    struct clicklog *log;
    unsigned n_before;
    int highest;

    options.segment_bytes = bytes_for(PER_SEGMENT);
    options.durability = durability;
    options.memory_max = 0;
    store = open_store(&options);
    n_before = count_descriptors(&highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    scarce = (struct rlimit){.rlim_cur = (rlim_t)highest + SPARE, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
    log = new_log(store);
    append_range(log, 0, N);
    clicklog_sync(log);
    assert_int_equal(stats_of(store).last_errno, 0);
    assert_true(stats_of(store).n_segments >= N_SEGMENTS);
    assert_true(count_descriptors(&highest) < n_before + SPARE);
    assert_int_equal(read_all(store), N);
    clickstore_close(store);
    store = open_store(&options);
    assert_int_equal(read_all(store), N);
    clickstore_close(store);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void segments_take_no_descriptors_with_syncs_by_interval(void **state)
{
    segments_take_no_descriptors(state, DURABILITY_INTERVAL);
}

static void segments_take_no_descriptors_with_group_commit(void **state)
{
    segments_take_no_descriptors(state, DURABILITY_CLICK);
}

static void segments_take_no_descriptors_without_syncs(void **state)
{
    segments_take_no_descriptors(state, DURABILITY_PROCESS);
}

int main(void)
{
#define KEEP(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        KEEP(applied_segments_go_when_their_time_has_passed),
        KEEP(with_few_clicks_too_their_segment_goes),
        KEEP(an_outage_leaves_no_segments_of_few_clicks),
        KEEP(applied_segments_stay_for_replay),
        KEEP(more_than_retain_max_is_not_kept),
        KEEP(segments_wait_for_every_sink),
        KEEP(a_sink_that_is_away_takes_no_room_from_clicks),
        KEEP(an_old_log_goes_whole_when_applied),
        KEEP(an_unused_log_leaves_nothing),
        KEEP(segments_take_no_descriptors_with_syncs_by_interval),
        KEEP(segments_take_no_descriptors_with_group_commit),
        KEEP(segments_take_no_descriptors_without_syncs),
        KEEP(writer_reader_and_keeper_agree),
        KEEP(writer_reader_and_keeper_agree_with_group_commit),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
