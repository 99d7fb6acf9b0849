/* Whether a sink was told of a record: what failed, and what its thread hasn't come to yet, waits;
 * what the logs no longer hold is lost, after a restart, too. */
#include <dirent.h>
#include <fcntl.h>

#include <curl/curl.h>

#include "proto/event.h"
#include "service/sinks/sink_thread.h"
#include "service/state/event_log.h"
#include "tests/unit/public_fixture.h"

enum { CLIENT = 77, PER_SEGMENT = 2, ALL = 100 };

struct world {
    struct fixture f; /* the files and the site */
    struct clickstore_options options;
    struct clickstore *store;
    struct clicklog *clicks; /* before the log of events, in the order of the store */
    struct event_log *events;
    uint8_t log_id[CLICK_LOG_ID_LEN]; /* of the log of events, of the first start … */
    int64_t at_ms;                    /* of what it is asked for; after the sink's first start */
    struct config_sink config;        /* the thread's until it is freed, after the test */
    char path[256];
    struct sink_thread *thread;
};

static bool open_logs(struct world *w)
{
    struct error err = {0};

    w->store = open_store(&w->options);
    w->clicks = new_log(w->store);
    w->events = event_log_new(w->store, false, &err);
    return w->events != NULL;
}

static int make_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w || sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        !(w->f.dir = temp_dir_new()))
        return -1;
    fixture_load_site(&w->f, "workers: 1");
    w->options = options_of(w->f.dir);
    w->options.segment_bytes = bytes_for(PER_SEGMENT);
    w->options.n_sinks = 1;
    *state = w;
    if (!open_logs(w))
        return -1;
    memcpy(w->log_id, event_log_id(w->events), CLICK_LOG_ID_LEN);
    return 0;
}

static void close_logs(struct world *w)
{
    sink_thread_free(w->thread);
    w->thread = NULL;
    event_log_free(w->events);
    clickstore_close(w->store);
}

static int free_world(void **state)
{
    struct world *w = *state;

    close_logs(w);
    site_unref(w->f.site);
    config_free(w->f.config);
    temp_dir_free(w->f.dir);
    free(w);
    curl_global_cleanup();
    return 0;
}

static void start(struct world *w, const struct config_sink *config)
{
    const struct sink_thread_options options = {
        .config = &w->config, .store = w->store, .state_dir = w->f.dir, .site = w->f.site};
    struct error err = {0};

    w->config = *config;
    if (w->at_ms == 0)
        w->at_ms = clock_wall_ms() + WAIT_MS;
    w->thread = sink_thread_new(&options, &err);
    if (!w->thread)
        fail_msg("%s", err.text);
}

/* A webhook that nobody answers. */
static struct config_sink webhook(int64_t give_up_s)
{
    return (struct config_sink){.name = (char *)"crm",
                                .type = CONFIG_SINK_WEBHOOK,
                                .url = (char *)"http://127.0.0.1:1/",
                                .allow_private = true,
                                .timeout_ms = 1000,
                                .batch_max = 1,
                                .give_up_s = give_up_s};
}

/* Waits for the keeper where it must. */
static uint64_t append_erasure(struct world *w)
{
    const struct event event = {.type = EVENT_ERASED,
                                .at_ms = clock_wall_ms() - 1000,
                                .brand = click_brand_id(slice_of("acme")),
                                .client = CLIENT};
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    uint64_t position;

    while (!event_log_append_at(w->events, &event, &position)) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(1);
    }
    return position;
}

static enum sink_told told(struct world *w, uint64_t position)
{
    return sink_thread_told(w->thread, w->log_id, position, w->at_ms);
}

static bool has_failed(const struct sink_stats *stats)
{
    return stats->n_failed == 1 && stats->lag == 0;
}

static bool waits(const struct sink_stats *stats)
{
    return stats->why[0] != '\0';
}

static bool is_through(const struct sink_stats *stats)
{
    return stats->n_sent == 1 && stats->lag == 0;
}

static void wait_for(struct world *w, bool (*is_so)(const struct sink_stats *stats))
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    struct sink_stats stats;

    for (sink_thread_stats(w->thread, &stats); !is_so(&stats);
         sink_thread_stats(w->thread, &stats)) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(5);
    }
}

static void wait_until_told(struct world *w, uint64_t position, enum sink_told want)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;

    while (told(w, position) != want) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(5);
    }
}

/* --- restarts --- */

static void start_again(struct world *w)
{
    struct config_sink config = w->config;

    assert_true(open_logs(w));
    start(w, &config);
}

static struct clicklog *find_old_log(struct world *w)
{
    struct clicklog *log = clicklog_next(w->store, NULL);

    while (log && memcmp(clicklog_id(log), w->log_id, CLICK_LOG_ID_LEN) != 0)
        log = clicklog_next(w->store, log);
    return log;
}

/* "DIR/logs/LOG" of the first start's log of events. */
static void write_log_path(const struct world *w, char out[static 256])
{
    char hex[2 * CLICK_LOG_ID_LEN + 1];

    sodium_bin2hex(hex, sizeof(hex), w->log_id, CLICK_LOG_ID_LEN);
    snprintf(out, 256, "%s/logs/%s", w->f.dir, hex);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_segment(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The path of segment number `index` of that log; false: there are fewer. */
static bool find_segment_path(const struct world *w, int index, char out[static 600])
{
    struct dirent **entries;
    char folder[256];
    int n;

    write_log_path(w, folder);
    n = scandir(folder, &entries, is_segment, by_name);
    if (index < n)
        snprintf(out, 600, "%s/%s", folder, entries[index]->d_name);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    if (n >= 0)
        free(entries);
    return index < n;
}

static void remove_segments(const struct world *w, int n)
{
    char path[600];

    for (; n > 0 && find_segment_path(w, 0, path); n--)
        assert_int_equal(remove(path), 0);
}

/* --- tests --- */

static struct config_sink archive(struct world *w)
{
    snprintf(w->path, sizeof(w->path), "%s/archive", w->f.dir);
    return (struct config_sink){
        .name = (char *)"archive", .type = CONFIG_SINK_FILE, .path = w->path, .rotate_records = 1};
}

static void test_what_is_sent_it_was_told(void **state)
{
    struct world *w = *state;
    const struct config_sink config = archive(w);
    uint64_t position = append_erasure(w);

    start(w, &config);
    wait_for(w, is_through);
    assert_int_equal(told(w, position), SINK_TOLD);
    assert_int_equal(told(w, position + 1), SINK_WAITS);
}

/* The cursor goes past what was given up. */
static void test_what_failed_waits(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(0);
    uint64_t position = append_erasure(w);

    start(w, &config);
    wait_for(w, has_failed);
    assert_int_equal(told(w, position), SINK_WAITS);
    close_logs(w);
    start_again(w);
    wait_for(w, has_failed);
    assert_int_equal(told(w, position), SINK_WAITS);
}

/* While a click is tried again and again, nobody looks at the log of events. */
static void test_what_was_not_looked_at_waits(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(3600);
    struct click click = click_of(1);
    uint64_t position = append_erasure(w);

    click.brand = click_brand_id(slice_of("acme"));
    click.time_ms = clock_wall_ms();
    clicklog_append(w->clicks, &click);
    start(w, &config);
    assert_int_equal(told(w, position), SINK_WAITS);
    wait_for(w, waits);
    assert_int_equal(told(w, position), SINK_WAITS);
}

static void test_it_was_told_by_a_log_that_is_deleted_in_time(void **state)
{
    struct world *w = *state;
    const struct config_sink config = archive(w);
    uint64_t position = append_erasure(w);
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;

    w->options.retain_ms = 0;
    start(w, &config);
    wait_for(w, is_through);
    close_logs(w);
    start_again(w);
    assert_int_not_equal(told(w, position), SINK_LOST);
    wait_until_told(w, position, SINK_TOLD);
    clicklog_set_applied(find_old_log(w), position + 1);
    while (find_old_log(w)) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(5);
    }
    for (int i = 0; i < 2; i++) {
        wait_until_told(w, position, SINK_TOLD);
        wait_until_told(w, position + 1, SINK_LOST); /* there never was such a record */
        close_logs(w);
        start_again(w);
    }
    w->at_ms = 1; /* before the sink had a state, nobody knows */
    wait_until_told(w, position, SINK_LOST);
}

static void test_a_log_that_vanished_before_a_start_is_lost(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(3600);
    uint64_t position = append_erasure(w);

    start(w, &config);
    wait_for(w, waits);
    close_logs(w);
    remove_segments(w, ALL);
    for (int i = 0; i < 3; i++) {
        start_again(w);
        wait_until_told(w, position, SINK_LOST);
        close_logs(w);
    }
    start_again(w);
}

static void test_what_failed_is_lost_with_its_log(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(0);
    uint64_t position = append_erasure(w);
    struct sink_stats stats;

    start(w, &config);
    wait_for(w, has_failed);
    close_logs(w);
    remove_segments(w, ALL);
    for (int i = 0; i < 2; i++) {
        start_again(w);
        wait_until_told(w, position, SINK_LOST);
        close_logs(w);
    }
    start_again(w);
    sink_thread_stats(w->thread, &stats);
    assert_int_equal(stats.n_failed, 0);
    assert_int_equal(stats.n_lost, 1);
}

/* The disk budget takes the oldest segments. */
static void test_the_beginning_of_a_log_is_lost_and_the_rest_waits(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(3600);

    for (uint64_t i = 0; i < 2 * PER_SEGMENT; i++)
        assert_int_equal(append_erasure(w), i);
    start(w, &config);
    wait_for(w, waits);
    assert_int_equal(told(w, 0), SINK_WAITS);
    close_logs(w);
    remove_segments(w, 1);
    for (int i = 0; i < 2; i++) {
        start_again(w);
        wait_until_told(w, 0, SINK_LOST);
        assert_int_equal(told(w, PER_SEGMENT - 1), SINK_LOST);
        wait_until_told(w, PER_SEGMENT, SINK_WAITS);
        assert_int_equal(told(w, 2 * PER_SEGMENT), SINK_LOST); /* behind the end of an old log */
        close_logs(w);
    }
    start_again(w);
}

/* A record that the disk gives back otherwise than it was written is passed over. */
static void test_a_damaged_record_is_lost(void **state)
{
    struct world *w = *state;
    struct config_sink config = webhook(3600);
    uint8_t record[CLICK_RECORD_LEN];
    char path[600];
    int fd;

    assert_int_equal(append_erasure(w), 0);
    assert_int_equal(append_erasure(w), 1);
    start(w, &config);
    wait_for(w, waits);
    close_logs(w);
    assert_true(find_segment_path(w, 0, path));
    fd = open(path, O_WRONLY);
    memset(record, 0x5a, sizeof(record));
    assert_int_equal(pwrite(fd, record, sizeof(record), SEGMENT_HEADER_LEN), sizeof(record));
    close(fd);
    w->config = archive(w);
    w->config.name = (char *)"crm"; /* the same sink, that works now */
    start_again(w);
    wait_until_told(w, 1, SINK_TOLD);
    assert_int_equal(told(w, 0), SINK_LOST);
    close_logs(w);
    start_again(w);
    wait_until_told(w, 1, SINK_TOLD);
    assert_int_equal(told(w, 0), SINK_LOST);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)
    const struct CMUnitTest tests[] = {
        ROW(test_what_is_sent_it_was_told),
        ROW(test_what_failed_waits),
        ROW(test_what_was_not_looked_at_waits),
        ROW(test_it_was_told_by_a_log_that_is_deleted_in_time),
        ROW(test_a_log_that_vanished_before_a_start_is_lost),
        ROW(test_what_failed_is_lost_with_its_log),
        ROW(test_the_beginning_of_a_log_is_lost_and_the_rest_waits),
        ROW(test_a_damaged_record_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
