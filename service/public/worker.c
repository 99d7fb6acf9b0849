#include "service/public/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "service/base/background.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/public/acceptor.h"
#include "service/public/answer.h"
#include "service/public/conns.h"
#include "service/public/gather.h"
#include "service/public/loop_clock.h"
#include "service/state/one_use.h"

enum {
    TICK_MS = 250,   /* a deadline may be noticed this much late */
    SILENT_MS = 500, /* when finishing, a new connection has this long to send its first request */
};

/* Requests of the main thread; bits of worker.orders. */
enum order { ORDER_DRAIN = 1, ORDER_FINISH = 2, ORDER_STOP = 4 };

struct worker {
    struct worker_counters counters;
    struct worker_options options;
    struct event_base *base;
    struct answerer *answerer;
    struct conns *conns;
    struct one_use *one_use;
    struct loop_clock clock;
    struct gather gather;
    struct acceptor *acceptor;
    struct event *tick, *wake;
    int wake_fd;
    bool is_ticking, is_finishing, is_stopped;
    int64_t finish_by_ms; /* monotonic, valid when finishing */
    pthread_t thread;
    bool has_thread;

    /* Messages: the main thread writes, the worker takes. */
    _Atomic(struct site *) next_site;
    atomic_uint orders;
    atomic_bool has_ended; /* the worker writes, the main thread reads */
    _Atomic int64_t finish_limit_ms;
};

static const struct timeval tick_interval = {.tv_usec = TICK_MS * 1000L};

/* --- the loop --- */

/* A few times a second: tests deadlines. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)events;
    loop_clock_read(&w->clock);
    conns_tick(w->conns);
}

static void take_messages(struct worker *w)
{
    struct site *site = atomic_exchange(&w->next_site, NULL);
    unsigned orders = atomic_exchange(&w->orders, 0);

    if (site)
        answerer_set_site(w->answerer, site);
    if (orders & ORDER_DRAIN) {
        conns_drain(w->conns);
        acceptor_drain(w->acceptor);
    }
    if (orders & ORDER_FINISH && !w->is_finishing) {
        w->is_finishing = true;
        w->finish_by_ms = w->clock.mono_ms + atomic_load(&w->finish_limit_ms);
        conns_drain(w->conns);
        acceptor_finish(w->acceptor);
        conns_close_idle(w->conns, SILENT_MS);
    }
    if (orders & ORDER_STOP)
        w->is_stopped = true;
}

/* The main thread has sent a message. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;

    (void)events;
    loop_clock_read(&w->clock);
    wake_take((int)fd);
    take_messages(w);
}

/* Redis has said of a press what comes of it, or the time for that is over. */
static void on_use(void *owner, uint64_t ticket, enum one_use_outcome outcome)
{
    struct worker *w = owner;

    loop_clock_read(&w->clock);
    conns_reply_late(w->conns, (unsigned)ticket, outcome);
}

/* Ticks only while there are deadlines: an idle process shouldn't wake. */
static void set_tick(struct worker *w)
{
    bool is_needed = w->is_finishing || conns_n_open(w->conns) > 0;

    if (is_needed == w->is_ticking)
        return;
    if (is_needed)
        w->is_ticking = event_add(w->tick, &tick_interval) == 0;
    else
        w->is_ticking = event_del(w->tick) != 0;
}

/* Sleeps while requests gather, if that saves more than it costs. */
static void await_more(struct worker *w)
{
    const struct timespec pause = {.tv_nsec = w->options.config->gather_us * 1000};
    unsigned n_requests = conns_take_n_answered(w->conns);

    if (pause.tv_nsec > 0 && !w->is_finishing &&
        gather_after_pass(&w->gather, w->clock.mono_ms, n_requests, conns_n_open(w->conns))) {
        nanosleep(&pause, NULL);
        counter64_add(&w->counters.pauses, 1);
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;
    char name[16];

    snprintf(name, sizeof(name), "worker-%u", w->options.index % 1000);
    foreground_enter(name);
    while (!w->is_stopped) {
        event_base_loop(w->base, EVLOOP_ONCE);
        loop_clock_read(&w->clock);
        conns_flush(w->conns);
        if (w->is_finishing) {
            conns_close_idle(w->conns, SILENT_MS);
            w->is_stopped |= (acceptor_is_done(w->acceptor) && conns_n_open(w->conns) == 0) ||
                             w->clock.mono_ms >= w->finish_by_ms;
        }
        counter64_add(&w->counters.loop_passes, 1);
        set_tick(w);
        await_more(w);
        loop_clock_expire(&w->clock);
    }
    conns_free(w->conns);
    w->conns = NULL;
    atomic_store(&w->has_ended, true);
    return NULL;
}

/* --- start --- */

static bool accept_connections(struct worker *w)
{
    const struct acceptor_options options = {.base = w->base,
                                             .conns = w->conns,
                                             .clock = &w->clock,
                                             .counters = &w->counters,
                                             .fds = w->options.listen_fds,
                                             .n_fds = w->options.config->n_listen};

    w->acceptor = acceptor_new(&options);
    return w->acceptor != NULL;
}

static bool use_links(struct worker *w, struct error *err)
{
    const struct one_use_options options = {.redis_url = w->options.redis_url,
                                            .n_shards = w->options.n_shards,
                                            .name = "hopcount-worker",
                                            .owner = w,
                                            .on_use = on_use};

    w->options.redis_url = NULL;
    if (options.redis_url)
        w->one_use = one_use_new(w->base, &options, err);
    return !options.redis_url || w->one_use;
}

static bool make_parts(struct worker *w, struct site *site, struct error *err)
{
    const struct worker_options *o = &w->options;
    struct answerer_options answerer_options = {.config = o->config,
                                                .log = o->log,
                                                .states = o->states,
                                                .honours_gpc = o->honours_gpc,
                                                .events = o->events,
                                                .access = o->access,
                                                .label_rules = o->label_rules,
                                                .counters = &w->counters,
                                                .clock = &w->clock};
    struct conns_options conns_options = {.config = o->config,
                                          .connections_max = o->connections_max,
                                          .counters = &w->counters,
                                          .clock = &w->clock,
                                          .sync_log = o->sync_clicks ? o->log : NULL};

    /* Only this thread uses the base, so it needs no locks; messages arrive by wake.h. */
    w->base = event_loop_new(EVENT_BASE_FLAG_NOLOCK);
    w->wake_fd = wake_new();
    if (!w->base || w->wake_fd < 0) {
        error_set(err, "worker %u: cannot make an event loop: %s", o->index, strerror(errno));
        return false;
    }
    if (!use_links(w, err))
        return false;
    answerer_options.one_use = w->one_use;
    w->answerer = answerer_new(&answerer_options, site, err);
    if (!w->answerer)
        return false;
    conns_options.base = w->base;
    conns_options.answerer = w->answerer;
    w->conns = conns_new(&conns_options, err);
    if (!w->conns)
        return false;
    w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
    w->wake = event_new(w->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    if (!w->tick || !w->wake || event_add(w->wake, NULL) != 0 || !accept_connections(w)) {
        error_set(err, "worker %u: cannot watch its sockets: out of memory or epoll watches",
                  o->index);
        return false;
    }
    return true;
}

struct worker *worker_new(const struct worker_options *options, struct site *site,
                          struct error *err)
{
    struct worker *w = calloc(1, sizeof(*w));
    bool ok = false;
    int error;

    if (!w) {
        error_set(err, "worker %u: out of memory", options->index);
        goto out;
    }
    w->options = *options;
    w->wake_fd = -1;
    if (!make_parts(w, site, err))
        goto out;
    error = thread_start(&w->thread, NULL, run, w);
    w->has_thread = error == 0;
    if (error) {
        error_set(err, "worker %u: cannot start a thread: %s; raise the limit of tasks",
                  options->index, strerror(error));
        goto out;
    }
    ok = true;
out:
    if (!ok) {
        worker_free(w);
        w = NULL;
    }
    return w;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    acceptor_free(w->acceptor);
    conns_free(w->conns);
    one_use_free(w->one_use);
    answerer_free(w->answerer);
    free_event(w->tick);
    free_event(w->wake);
    if (w->base)
        event_base_free(w->base);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    site_unref(atomic_load(&w->next_site));
    free(w);
}

/* --- messages, from main --- */

static void give_order(struct worker *w, enum order order)
{
    atomic_fetch_or(&w->orders, order);
    wake_send(w->wake_fd);
}

void worker_reload(struct worker *w, struct site *site)
{
    site_unref(atomic_exchange(&w->next_site, site_ref(site)));
    wake_send(w->wake_fd);
}

void worker_poke(struct worker *w)
{
    wake_send(w->wake_fd);
}

void worker_drain(struct worker *w)
{
    give_order(w, ORDER_DRAIN);
}

void worker_finish(struct worker *w, int64_t limit_ms)
{
    atomic_store(&w->finish_limit_ms, limit_ms);
    give_order(w, ORDER_FINISH);
}

bool worker_has_ended(const struct worker *w)
{
    return atomic_load(&w->has_ended);
}

void worker_stop(struct worker *w)
{
    give_order(w, ORDER_STOP);
}

const struct worker_counters *worker_counters(const struct worker *w)
{
    return &w->counters;
}
