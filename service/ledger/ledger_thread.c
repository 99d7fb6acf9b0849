#include "service/ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/click.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/clicklog/clicklog.h"
#include "service/ledger/batch.h"
#include "service/ledger/compact.h"
#include "service/ledger/cursor.h"
#include "service/ledger/fold.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/relabel.h"
#include "service/ledger/sender.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum { TICK_MIN_MS = 5, TICK_MAX_MS = 1000, CLICKS_MIN = 256, CLOCKS_APART_S = 3600 };

/* --- the logs --- */

/* Its clicks are so old that their cursors, not refreshed since, may have expired. */
static bool is_stale(const struct clicklog *log)
{
    return !clicklog_is_live(log) && clock_wall_ms() - clicklog_newest_ms(log) >
                                         (int64_t)(BATCH_CURSOR_TTL_S - CLOCKS_APART_S) * 1000;
}

static bool add_log(struct ledger *ledger, struct clicklog *log)
{
    size_t n_shards = ledger->options.n_shards;
    struct ledger_log *entry;

    if (ledger->n_logs == ledger->logs_max) {
        unsigned max = ledger->logs_max ? 2 * ledger->logs_max : 16;
        struct ledger_log **logs = realloc(ledger->logs, max * sizeof(*logs));

        if (!logs)
            return false;
        ledger->logs = logs;
        ledger->logs_max = max;
    }
    entry = calloc(1, sizeof(*entry) + n_shards * sizeof(entry->cursors[0]));
    if (!entry)
        return false;
    entry->log = log;
    entry->index = ledger->n_logs;
    entry->start = clicklog_first(log);
    entry->is_stale = is_stale(log);
    ledger->logs[ledger->n_logs++] = entry;
    return true;
}

/* Logs of earlier starts, and those that workers have opened since. */
static void find_logs(struct ledger *ledger)
{
    const struct clicklog *last = ledger->n_logs ? ledger->logs[ledger->n_logs - 1]->log : NULL;
    struct clicklog *log;

    while (ledger->n_logs < LEDGER_LOGS_MAX && (log = clickstore_next_log(ledger->store, last))) {
        if (!add_log(ledger, log))
            return; /* next time */
        last = log;
    }
}

/* --- statistics --- */

/* Up to here the log is in Redis, in all shards. */
static uint64_t log_applied(const struct ledger *ledger, const struct ledger_log *log)
{
    uint64_t applied = UINT64_MAX;

    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (log->cursors[s].covered < applied)
            applied = log->cursors[s].covered;
    }
    return applied < log->start ? log->start : applied;
}

static void add_log_stats(struct ledger *ledger, struct ledger_log *log, int64_t *oldest_ms)
{
    uint64_t applied = log_applied(ledger, log), tail = clicklog_tail(log->log), done;
    struct click oldest;

    if (clicklog_holds_relabels(log->log))
        return;
    /* After a power cut Redis may hold more than the log. */
    done = (applied < tail ? applied : tail) - log->start;
    ledger->now.applied += done > log->n_damaged ? done - log->n_damaged : 0;
    if (applied >= tail)
        return;
    ledger->now.pending += tail - applied;
    if (clicklog_peek(log->log, applied, &oldest) && oldest.time_ms < *oldest_ms)
        *oldest_ms = oldest.time_ms;
}

static bool is_drained(const struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        const struct ledger_log *log = ledger->logs[i];

        for (unsigned s = 0; s < ledger->options.n_shards; s++) {
            const struct cursor *cursor = &log->cursors[s];

            /* A log that holds nothing is not asked about. */
            if (clicklog_first(log->log) < clicklog_tail(log->log) &&
                (cursor->state != CURSOR_KNOWN || cursor->at < clicklog_tail(log->log)))
                return false;
        }
    }
    return true;
}

static void publish(struct ledger *ledger)
{
    int64_t wall_ms = clock_wall_ms(), oldest_ms = wall_ms;
    /* In this order: what the asker appended before it asked is looked at. */
    unsigned asked = atomic_load(&ledger->drain_asked);
    bool drained = is_drained(ledger);

    ledger->now.applied = ledger->now.pending = 0;
    for (unsigned i = 0; i < ledger->n_logs; i++)
        add_log_stats(ledger, ledger->logs[i], &oldest_ms);
    ledger->now.lag_ms = wall_ms - oldest_ms;
    ledger->now.as_of_ms = oldest_ms;
    ledger->now.replayed = ledger->replayed_shards / ledger->options.n_shards;
    pthread_mutex_lock(&ledger->mutex);
    ledger->stats = ledger->now;
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

/* --- the thread --- */

/* One turn over everything. */
static void take_turn(struct ledger *ledger)
{
    ledger->now_ms = clock_mono_ms();
    find_logs(ledger);
    relabel_serve(ledger, ledger->now_ms);
    find_logs(ledger); /* it may have begun one */
    cursor_notice_connections(ledger);
    trust_serve_layout(ledger);
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (ledger->shards[s].epoch != 0)
            trust_serve_aof(ledger, s);
        if (trust_is_ready(ledger, s))
            cursor_serve(ledger, s);
    }
    cursor_renew(ledger);
    for (unsigned i = 0; i < ledger->n_logs; i++)
        sender_serve(ledger, ledger->logs[(ledger->turn + i) % ledger->n_logs]);
    ledger->turn++;
    compact_serve(ledger);
    publish(ledger);
}

/* The tick passed, or something happened since the loop's last turn. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    take_turn(arg);
}

/* Another thread wants us to look at its flags. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct ledger *ledger = arg;
    uint64_t n;

    (void)events;
    if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
        log_error("ledger.wake", "err=\"%s\"", strerror(errno));
    if (atomic_load(&ledger->stopping))
        event_base_loopbreak(ledger->base);
    else
        take_turn(ledger);
}

/* A turn once the events at hand have been seen to.  Not by activating the tick: libevent would put
 * its next time off by a period for each, and after a busy second the last clicks waited seconds.
 */
static void turn_soon(struct ledger *ledger)
{
    event_active(ledger->wake, EV_READ, 1);
}

/* Gives an answer to the part that asked. */
static void dispatch(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *reply)
{
    const struct redisReply *grown;

    switch (ticket->what) {
    case LEDGER_ASK:
        cursor_on_asked(ledger, ticket, reply);
        break;
    case LEDGER_BATCH:
        grown = cursor_on_batch(ledger, ticket, reply);
        if (grown)
            compact_note(ledger, grown);
        break;
    case LEDGER_RENEW:
        cursor_on_renewed(ledger, ticket, reply);
        break;
    case LEDGER_LAYOUT:
        trust_on_layout(ledger, reply);
        break;
    case LEDGER_AOF_LOOK:
    case LEDGER_AOF_REWRITE:
        trust_on_aof(ledger, ticket, reply);
        break;
    case LEDGER_TABLE_READ:
    case LEDGER_TABLE_WRITE:
        compact_on_table(ledger, ticket, reply);
        break;
    case LEDGER_SERIES_READ:
    case LEDGER_SERIES_WRITE:
        compact_on_series(ledger, ticket, reply);
        break;
    case LEDGER_BEAT:
    case LEDGER_OFFER:
    case LEDGER_CLAIM:
        relabel_on_reply(ledger, ticket, reply);
        break;
    }
}

/* An answer of Redis.  The turn comes after all that came with it. */
static void on_reply(void *owner, uint64_t packed, const struct redisReply *reply)
{
    struct ledger *ledger = owner;
    struct ledger_ticket ticket = ledger_ticket_unpack(packed);

    ledger->now_ms = clock_mono_ms();
    dispatch(ledger, &ticket, reply);
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

static void wake(struct ledger *ledger)
{
    uint64_t one = 1;

    /* Fails only when it has been woken 2^64 times and has not looked. */
    if (write(ledger->wake_fd, &one, sizeof(one)) < 0)
        log_error("ledger.wake", "err=\"%s\"", strerror(errno));
}

/* --- start and stop --- */

static bool make_events(struct ledger *ledger)
{
    int64_t tick_ms = ledger->options.flush_ms;
    struct timeval tv;

    tick_ms = tick_ms < TICK_MIN_MS ? TICK_MIN_MS : tick_ms > TICK_MAX_MS ? TICK_MAX_MS : tick_ms;
    tv = (struct timeval){.tv_sec = tick_ms / 1000, .tv_usec = tick_ms % 1000 * 1000};
    ledger->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ledger->wake_fd < 0 || !(ledger->base = event_base_new()))
        return false;
    ledger->tick = event_new(ledger->base, -1, EV_PERSIST, on_tick, ledger);
    ledger->wake = event_new(ledger->base, ledger->wake_fd, EV_READ | EV_PERSIST, on_wake, ledger);
    return ledger->tick && ledger->wake && event_add(ledger->tick, &tv) == 0 &&
           event_add(ledger->wake, NULL) == 0;
}

static bool make_tables(struct ledger *ledger)
{
    unsigned max = ledger->options.batch_max;
    struct batch_options options = {
        .people_sent = ledger->people_sent = people_sent_new(),
        .records_max = max,
        .n_shards = ledger->options.n_shards,
        .retention_hours_s = ledger->options.retention_hours_s,
        .retention_days_s = ledger->options.retention_days_s,
    };

    ledger->clicks = calloc(max > CLICKS_MIN ? max : CLICKS_MIN, sizeof(*ledger->clicks));
    ledger->fold = fold_new(max);
    ledger->batch = ledger->people_sent ? batch_new(&options) : NULL;
    ledger->compact = compact_new();
    if (ledger->options.gateway && !(ledger->relabel = relabel_new(&ledger->options)))
        return false;
    ledger->options.gateway = NULL; /* the caller's */
    return ledger->clicks && ledger->fold && ledger->batch && ledger->compact &&
           cursor_init_shards(ledger);
}

static bool connect_redis(struct ledger *ledger, struct error *err)
{
    struct redis_link_options options = {
        .url = ledger->options.redis_url,
        .name = "hopcount-ledger",
        .timeout_ms = ledger->options.timeout_ms,
        .owner = ledger,
        .on_reply = on_reply,
        .on_change = on_change,
    };

    ledger->link = redis_link_new(ledger->base, &options, err);
    ledger->options.redis_url = NULL; /* the caller's */
    return ledger->link != NULL;
}

static bool start_thread(struct ledger *ledger, struct error *err)
{
    int code = thread_start(&ledger->thread, NULL, run, ledger);

    if (code != 0) {
        error_set(err, "ledger: cannot start a thread: %s", strerror(code));
        return false;
    }
    ledger->has_thread = true;
    return true;
}

static void init_locks(struct ledger *ledger)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->drained_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&ledger->mutex, NULL);
}

struct ledger *ledger_new(struct clickstore *store, const struct ledger_options *options,
                          struct error *err)
{
    struct ledger *ledger;
    bool ok = false;

    if (!counter_n_shards_ok(options->n_shards)) {
        error_set(err, "redis.shards: %u is not 1, 2, 4 … %d", options->n_shards,
                  COUNTER_SHARDS_MAX);
        return NULL;
    }
    ledger = calloc(1, sizeof(*ledger));
    if (!ledger) {
        error_set(err, "ledger: out of memory");
        return NULL;
    }
    init_locks(ledger);
    ledger->wake_fd = -1;
    ledger->store = store;
    ledger->options = *options;
    ledger->renewed_ms = clock_mono_ms();
    if (!make_events(ledger) || !make_tables(ledger)) {
        error_set(err, "ledger: out of memory or descriptors");
        goto out;
    }
    ok = connect_redis(ledger, err) && start_thread(ledger, err);
out:
    if (!ok) {
        ledger_free(ledger);
        ledger = NULL;
    }
    return ledger;
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
    wake(ledger);
    pthread_mutex_lock(&ledger->mutex);
    while (ledger->drained != asked &&
           pthread_cond_timedwait(&ledger->drained_changed, &ledger->mutex, &until) == 0)
        ;
    drained = ledger->drained == asked;
    pthread_mutex_unlock(&ledger->mutex);
    return drained;
}

static void free_tables(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->n_logs; i++)
        free(ledger->logs[i]);
    free(ledger->logs);
    free(ledger->shards);
    free(ledger->clicks);
    fold_free(ledger->fold);
    batch_free(ledger->batch);
    people_sent_free(ledger->people_sent);
    compact_free(ledger->compact);
    relabel_free(ledger->relabel);
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->has_thread) {
        atomic_store(&ledger->stopping, true);
        wake(ledger);
        pthread_join(ledger->thread, NULL);
    }
    redis_link_free(ledger->link);
    if (ledger->tick)
        event_free(ledger->tick);
    if (ledger->wake)
        event_free(ledger->wake);
    event_loop_free(ledger->base);
    if (ledger->wake_fd >= 0)
        close(ledger->wake_fd);
    free_tables(ledger);
    pthread_cond_destroy(&ledger->drained_changed);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger);
}
