/* clicklog_fixture.h - stores, logs and numbered clicks for tests of the click log. */
#ifndef TESTS_CLICKLOG_FIXTURE_H
#define TESTS_CLICKLOG_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/segment.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "tests/unit/temp_dir.h"

enum { WAIT_MS = 30000, READ_MAX = 4096 };

static inline int make_dir(void **state)
{
    *state = temp_dir_new();
    return *state ? 0 : -1;
}

static inline int remove_dir(void **state)
{
    temp_dir_free(*state);
    return 0;
}

/* Bytes of a segment of `n` records. */
static inline size_t bytes_for(size_t n)
{
    return SEGMENT_HEADER_LEN + n * CLICK_RECORD_LEN;
}

static inline struct clickstore_options options_of(const char *dir)
{
    return (struct clickstore_options){
        .state_dir = dir,
        .segment_bytes = bytes_for(1000),
        .disk_max = 64 << 20,
        .memory_max = 16 << 20,
        .retain_ms = 3600 * 1000,
        .retain_max = 64 << 20,
        .sync_ms = 200,
        .durability = DURABILITY_PROCESS,
    };
}

static inline struct clickstore *open_store(const struct clickstore_options *options)
{
    struct error err = {0};
    struct clickstore *store = clickstore_open(options, &err);

    if (!store)
        fail_msg("%s", err.text);
    return store;
}

static inline struct clicklog *new_log(struct clickstore *store)
{
    struct error err = {0};
    struct clicklog *log = clickstore_new_log(store, &err);

    if (!log)
        fail_msg("%s", err.text);
    return log;
}

static inline struct clickstore_stats stats_of(struct clickstore *store)
{
    struct clickstore_stats stats;

    clickstore_stats(store, &stats);
    return stats;
}

/* All fields but the number are the same in every click. */
static inline struct click click_of(uint64_t n)
{
    return (struct click){.link_id = n + 1,
                          .time_ms = 1700000000000 + (int64_t)n,
                          .brand = 7,
                          .object = (uint32_t)n,
                          .type = CLICK_TYPE_CLICK,
                          .kind = 2};
}

static inline void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

/* Appends clicks number [from, to); waits for the keeper where it must. */
static inline void append_range(struct clicklog *log, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct click click = click_of(i);
        uint64_t tail = clicklog_tail(log);
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;

        clicklog_append(log, &click);
        while (clicklog_tail(log) == tail) {
            assert_true(clock_mono_ms() < deadline_ms);
            sleep_ms(1);
            clicklog_append(log, &click);
        }
    }
}

/* Reads the log from `from` on, `max` at a time; each click must be the one of its number, and
 * numbers must rise.  Returns how many. */
static inline uint64_t read_by(struct clicklog *log, uint64_t from, size_t max)
{
    static struct click clicks[READ_MAX];
    uint64_t n = 0, last = 0;
    size_t passed, n_clicks;

    while ((passed = clicklog_read(log, from, max, clicks, &n_clicks)) > 0) {
        assert_true(n_clicks <= max);
        for (size_t i = 0; i < n_clicks; i++) {
            struct click want = click_of(clicks[i].object);

            assert_int_equal(clicks[i].link_id, want.link_id);
            assert_int_equal(clicks[i].time_ms, want.time_ms);
            assert_int_equal(clicks[i].brand, want.brand);
            assert_true(clicks[i].link_id > last);
            last = clicks[i].link_id;
        }
        n += n_clicks;
        from += passed;
    }
    return n;
}

static inline uint64_t read_from(struct clicklog *log, uint64_t from)
{
    return read_by(log, from, READ_MAX);
}

/* The clicks in all logs of the store. */
static inline uint64_t read_all(struct clickstore *store)
{
    uint64_t n = 0;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log))
        n += read_from(log, 0);
    return n;
}

#endif
