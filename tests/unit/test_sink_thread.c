/* Whether a sink has a record: what failed, and what its thread hasn't come to yet, it has not. */
#include <curl/curl.h>

#include "proto/event.h"
#include "service/sinks/sink_thread.h"
#include "service/state/event_log.h"
#include "tests/unit/public_fixture.h"

enum { CLIENT = 77 };

struct world {
    struct fixture f; /* the files and the site */
    struct clickstore *store;
    struct clicklog *clicks; /* before the log of events, in the order of the store */
    struct event_log *events;
    struct config_sink config; /* the thread's until it is freed, after the test */
    char path[256];
    struct sink_thread *thread;
};

static int make_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct clickstore_options options;
    struct error err = {0};

    if (!w || sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        !(w->f.dir = temp_dir_new()))
        return -1;
    fixture_load_site(&w->f, "workers: 1");
    options = options_of(w->f.dir);
    options.n_sinks = 1;
    w->store = open_store(&options);
    w->clicks = new_log(w->store);
    w->events = event_log_new(w->store, false, &err);
    *state = w;
    return w->events ? 0 : -1;
}

static int free_world(void **state)
{
    struct world *w = *state;

    sink_thread_free(w->thread);
    event_log_free(w->events);
    clickstore_close(w->store);
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

static uint64_t append_erasure(struct world *w)
{
    const struct event event = {.type = EVENT_ERASED,
                                .at_ms = clock_wall_ms() - 1000,
                                .brand = click_brand_id(slice_of("acme")),
                                .client = CLIENT};
    uint64_t position;

    assert_true(event_log_append_at(w->events, &event, &position));
    return position;
}

static bool has(struct world *w, uint64_t position)
{
    return sink_thread_has(w->thread, event_log_id(w->events), position);
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

static void test_what_is_sent_it_has(void **state)
{
    struct world *w = *state;
    const struct config_sink config = {
        .name = (char *)"archive", .type = CONFIG_SINK_FILE, .path = w->path, .rotate_records = 1};
    uint64_t position = append_erasure(w);

    snprintf(w->path, sizeof(w->path), "%s/archive", w->f.dir);
    start(w, &config);
    wait_for(w, is_through);
    assert_true(has(w, position));
    assert_false(has(w, position + 1));
    assert_false(sink_thread_has(w->thread, (uint8_t[CLICK_LOG_ID_LEN]){0}, 0));
}

/* The cursor goes past what was given up. */
static void test_what_failed_it_has_not(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(0);
    uint64_t position = append_erasure(w);

    start(w, &config);
    wait_for(w, has_failed);
    assert_false(has(w, position));
}

/* While a click is tried again and again, nobody looks at the log of events. */
static void test_what_was_not_looked_at_it_has_not(void **state)
{
    struct world *w = *state;
    const struct config_sink config = webhook(3600);
    struct click click = click_of(1);
    uint64_t position = append_erasure(w);

    click.brand = click_brand_id(slice_of("acme"));
    click.time_ms = clock_wall_ms();
    clicklog_append(w->clicks, &click);
    start(w, &config);
    wait_for(w, waits);
    assert_false(has(w, position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_sent_it_has, make_world, free_world),
        cmocka_unit_test_setup_teardown(test_what_failed_it_has_not, make_world, free_world),
        cmocka_unit_test_setup_teardown(test_what_was_not_looked_at_it_has_not, make_world,
                                        free_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
