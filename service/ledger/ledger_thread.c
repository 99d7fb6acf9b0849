#include "service/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/table.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/clicklog/sleepers.h"
#include "service/config/site.h"
#include "service/gateway/beat.h"
#include "service/gateway/relabel.h"
#include "service/ledger/fold.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/ledger_turn.h"
#include "service/ledger/use_limits.h"
#include "service/redis/redis_link.h"

enum {
    TICK_MIN_MS = 5,
    TICK_MAX_MS = 1000, /* and while there is nothing to do: the beat of gateway/beat.h */
    FAREWELL_MS = 500
};

/* --- statistics --- */

static void publish(struct ledger *ledger)
{
    /* `asked` is read before the logs are: so clicks that the asker appended before it asked are
     * among those that must be applied. */
    unsigned asked = atomic_load(&ledger->drain_asked);
    bool drained = ledger_turn_is_drained(ledger);

    ledger_turn_count(ledger);
    pthread_mutex_lock(&ledger->mutex);
    ledger->stats = ledger->now;
    if (ledger->relabel) {
        const struct pod_table *table = beat_table(relabel_beat(ledger->relabel));

        ledger->self = *beat_self(relabel_beat(ledger->relabel));
        if (table->read_ms != ledger->pods.read_ms)
            ledger->pods = *table;
    }
    if (drained && ledger->drained != asked) {
        ledger->drained = asked;
        pthread_cond_broadcast(&ledger->drained_changed);
    }
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_stats(struct ledger *ledger, struct ledger_stats *out)
{
    pthread_mutex_lock(&ledger->mutex);
    *out = ledger->stats;
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_use_site(struct ledger *ledger, const struct site *site)
{
    unsigned n = site_n_brands(site);
    struct fold_invoices *invoices = calloc(1, sizeof(*invoices) + n * sizeof(invoices->of[0]));

    if (!invoices)
        return; /* as before */
    invoices->n = n;
    for (unsigned i = 0; i < n; i++) {
        const struct brand *brand = site_brand_at(site, i);

        invoices->of[i].brand = brand->id;
        for (uint8_t kind = 1; kind < TABLE_KINDS; kind++) {
            if (brand_kind_is_of_invoices(brand, kind))
                invoices->of[i].kinds |= (uint16_t)(1U << kind);
        }
    }
    free(atomic_exchange(&ledger->new_invoices, invoices));
}

void ledger_pods(struct ledger *ledger, struct pod_table *table, struct pod *self)
{
    pthread_mutex_lock(&ledger->mutex);
    *table = ledger->pods;
    *self = ledger->self;
    pthread_mutex_unlock(&ledger->mutex);
}

/* --- the thread --- */

static void take_turn(struct ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    if (ledger->has_next_limits) { /* the configuration was loaded again */
        use_limits_free(ledger->limits);
        ledger->limits = ledger->next_limits;
        ledger->next_limits = NULL;
        ledger->has_next_limits = false;
    }
    pthread_mutex_unlock(&ledger->mutex);
    ledger_turn(ledger, clock_mono_ms());
    publish(ledger);
}

static int64_t flush_tick_ms(const struct ledger *ledger)
{
    int64_t ms = ledger->options.flush_ms;

    return ms < TICK_MIN_MS ? TICK_MIN_MS : ms > TICK_MAX_MS ? TICK_MAX_MS : ms;
}

static bool set_tick(struct ledger *ledger, int64_t ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    if (ms == ledger->tick_ms)
        return true;
    ledger->tick_ms = ms;
    return event_add(ledger->tick, &tv) == 0;
}

/* The tick passed.  The next one is far off if there is nothing to do until the next click. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct ledger *ledger = arg;
    bool is_idle;

    (void)fd;
    (void)events;
    take_turn(ledger);
    is_idle = ledger_turn_is_idle(ledger) && sleepers_add(ledger->store, SLEEPER_LEDGER) &&
              ledger_turn_is_idle(ledger);
    (void)set_tick(ledger, is_idle ? TICK_MAX_MS : flush_tick_ms(ledger));
}

/* The first click after a while. */
static void on_click(evutil_socket_t fd, short events, void *arg)
{
    struct ledger *ledger = arg;

    (void)events;
    wake_take((int)fd);
    (void)set_tick(ledger, flush_tick_ms(ledger));
    take_turn(ledger);
}

/* Another thread wants us to look at its flags. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    const struct timeval limit = {.tv_usec = FAREWELL_MS * 1000};
    struct ledger *ledger = arg;

    (void)events;
    wake_take((int)fd);
    if (!atomic_load(&ledger->stopping)) {
        take_turn(ledger);
        return;
    }
    /* Ends the loop once the other processes know, or don't answer. */
    if (ledger->relabel && !ledger->is_leaving) {
        ledger->is_leaving = true;
        beat_leave(relabel_beat(ledger->relabel), clock_wall_ms());
        event_base_loopexit(ledger->base, &limit);
    }
    if (!ledger->relabel || beat_is_quiet(relabel_beat(ledger->relabel)))
        event_base_loopbreak(ledger->base);
}

/* Runs a turn after the pending events.  Does not activate the tick for that: each activation would
 * move the tick's next time by a period, and after a busy second the last clicks would wait for
 * seconds. */
static void turn_soon(struct ledger *ledger)
{
    event_active(ledger->wake, EV_READ, 1);
}

/* An answer of Redis.  The turn follows after all answers that arrived together. */
static void on_answer(void *owner, uint64_t packed, const struct redisReply *answer)
{
    struct ledger *ledger = owner;

    ledger_turn_on_answer(ledger, packed, answer, clock_mono_ms());
    turn_soon(ledger);
}

/* A connection came or went. */
static void on_change(void *owner)
{
    struct ledger *ledger = owner;

    turn_soon(ledger);
}

static void *run(void *arg)
{
    struct ledger *ledger = arg;

    background_enter("ledger");
    event_base_dispatch(ledger->base);
    return NULL;
}

/* --- start and stop --- */

static bool make_events(struct ledger *ledger)
{
    ledger->wake_fd = wake_new();
    if (ledger->wake_fd < 0 || !(ledger->base = event_base_new()))
        return false;
    ledger->tick = event_new(ledger->base, -1, EV_PERSIST, on_tick, ledger);
    ledger->wake = event_new(ledger->base, ledger->wake_fd, EV_READ | EV_PERSIST, on_wake, ledger);
    ledger->click = event_new(ledger->base, sleepers_fd(ledger->store, SLEEPER_LEDGER),
                              EV_READ | EV_PERSIST, on_click, ledger);
    return ledger->tick && ledger->wake && ledger->click &&
           set_tick(ledger, flush_tick_ms(ledger)) && event_add(ledger->wake, NULL) == 0 &&
           event_add(ledger->click, NULL) == 0;
}

static bool connect_redis(struct ledger *ledger, struct error *err)
{
    struct redis_link_options options = {
        .url = ledger->options.redis_url,
        .name = "hopcount-ledger",
        .timeout_ms = ledger->options.timeout_ms,
        /* A table that is read whole, and a batch that names the tables that have grown. */
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = 1 << 19},
        .owner = ledger,
        .on_answer = on_answer,
        .on_change = on_change,
    };

    ledger->link = redis_link_new(ledger->base, &options, err);
    ledger->options.redis_url = NULL; /* the caller's */
    return ledger->link != NULL;
}

struct ledger *ledger_new(struct clickstore *store, const struct ledger_options *options,
                          struct error *err)
{
    pthread_condattr_t monotonic;
    struct ledger *ledger;
    bool ok = false;
    int code;

    if (!counter_n_shards_ok(options->n_shards)) {
        error_set(err, "redis.shards: %u is not 1, 2, 4 … %d", options->n_shards,
                  COUNTER_SHARDS_MAX);
        use_limits_free(options->limits);
        return NULL;
    }
    ledger = calloc(1, sizeof(*ledger));
    if (!ledger) {
        error_set(err, "ledger: out of memory");
        use_limits_free(options->limits);
        return NULL;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->drained_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&ledger->mutex, NULL);
    ledger->wake_fd = -1;
    ledger->store = store;
    ledger->options = *options;
    ledger->limits = options->limits;
    if (!make_events(ledger) || !ledger_turn_init(ledger, clock_mono_ms())) {
        error_set(err, "ledger: out of memory or descriptors");
        goto out;
    }
    if (!connect_redis(ledger, err))
        goto out;
    if (ledger->relabel) /* who asks may come before the first turn */
        ledger->self = *beat_self(relabel_beat(ledger->relabel));
    code = thread_start(&ledger->thread, NULL, run, ledger);
    if (code != 0)
        error_set(err, "ledger: cannot start a thread: %s", strerror(code));
    ok = ledger->has_thread = code == 0;
out:
    if (!ok) {
        ledger_free(ledger);
        ledger = NULL;
    }
    return ledger;
}

void ledger_set_limits(struct ledger *ledger, struct use_limits *limits)
{
    struct use_limits *unused;

    pthread_mutex_lock(&ledger->mutex);
    unused = ledger->next_limits;
    ledger->next_limits = limits;
    ledger->has_next_limits = true;
    pthread_mutex_unlock(&ledger->mutex);
    use_limits_free(unused);
}

bool ledger_drain(struct ledger *ledger, int64_t wait_ms)
{
    struct timespec until;
    unsigned asked;
    bool drained;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    atomic_store(&ledger->draining, true);
    asked = atomic_fetch_add(&ledger->drain_asked, 1) + 1;
    wake_send(ledger->wake_fd);
    pthread_mutex_lock(&ledger->mutex);
    while (ledger->drained != asked &&
           pthread_cond_timedwait(&ledger->drained_changed, &ledger->mutex, &until) == 0)
        ;
    drained = ledger->drained == asked;
    pthread_mutex_unlock(&ledger->mutex);
    return drained;
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->has_thread) {
        atomic_store(&ledger->stopping, true);
        wake_send(ledger->wake_fd);
        pthread_join(ledger->thread, NULL);
    }
    redis_link_free(ledger->link);
    if (ledger->tick)
        event_free(ledger->tick);
    if (ledger->wake)
        event_free(ledger->wake);
    if (ledger->click)
        event_free(ledger->click);
    event_loop_free(ledger->base);
    if (ledger->wake_fd >= 0)
        close(ledger->wake_fd);
    ledger_turn_clear(ledger);
    use_limits_free(ledger->limits);
    use_limits_free(ledger->next_limits);
    pthread_cond_destroy(&ledger->drained_changed);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger);
}
