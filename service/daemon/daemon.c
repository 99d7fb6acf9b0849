#include "service/daemon/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "service/admin/admin.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/wake.h"
#include "service/config/access.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "service/daemon/notify.h"
#include "service/daemon/parts.h"
#include "service/daemon/reload.h"
#include "service/daemon/watch.h"
#include "service/daemon/watchdog.h"
#include "service/ledger/ledger.h"
#include "service/public/worker.h"
#include "service/reports/reports.h"
#include "service/sinks/sinks.h"

enum {
    POLL_MS = 50,            /* how often we test whether the workers have ended */
    FINISH_MARGIN_MS = 2000, /* added to the time that a request head may take */
    LEDGER_LIMIT_MS = 5000,  /* for pending clicks, to Redis and sinks; the next start goes on */
    LEDGER_STEP_MS = 100,    /* between two tests for a second signal */
};

enum daemon_state { DAEMON_RUNNING, DAEMON_DRAINING, DAEMON_FINISHING, DAEMON_ENDED };

struct daemon {
    enum daemon_state state;
    const char *config_path;
    struct parts parts;
    struct watch watch;
    struct watchdog watchdog;
    struct event_base *base;
    struct event *on_term, *on_int, *on_hup, *step;
    struct event *second; /* every second, while there is something to do then */
    struct event *on_log;
    int log_fd; /* wake.h: the log holds something back */
    bool stop_now;
};

static void block_signals(void)
{
    sigset_t ours;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    /* Threads inherit this mask; the main thread unblocks the signals when its event loop exists.
     */
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void arm_step(struct daemon *d, int64_t ms)
{
    struct timeval delay = timeval_of(ms);

    event_add(d->step, &delay);
}

static void daemon_set_state(struct daemon *d, enum daemon_state state)
{
    int64_t limit_ms = d->parts.config->public.head_s * 1000 + FINISH_MARGIN_MS;

    d->state = state;
    switch (state) {
    case DAEMON_RUNNING:
        admin_set_state(d->parts.admin, ADMIN_READY);
        notify_send("READY=1");
        break;
    case DAEMON_DRAINING:
        log_info("stop.drain", "delay_s=%lld", (long long)d->parts.config->public.drain_delay_s);
        admin_set_state(d->parts.admin, ADMIN_DRAINING);
        notify_send("STOPPING=1");
        reports_end(d->parts.reports);
        for (unsigned i = 0; i < d->parts.n_workers; i++)
            worker_drain(d->parts.workers[i]);
        arm_step(d, d->parts.config->public.drain_delay_s * 1000);
        break;
    case DAEMON_FINISHING:
        admin_set_state(d->parts.admin, ADMIN_DRAINING);
        reports_end(d->parts.reports);
        for (unsigned i = 0; i < d->parts.n_workers; i++)
            worker_finish(d->parts.workers[i], limit_ms);
        arm_step(d, POLL_MS);
        break;
    case DAEMON_ENDED:
        event_base_loopbreak(d->base);
        break;
    }
}

/* The drain delay has passed, or it is time to test again whether the workers have ended. */
static void on_step(evutil_socket_t fd, short events, void *arg)
{
    struct daemon *d = arg;
    bool have_ended = true;

    (void)fd;
    (void)events;
    for (unsigned i = 0; i < d->parts.n_workers; i++)
        have_ended = have_ended && worker_has_ended(d->parts.workers[i]);
    if (d->state == DAEMON_DRAINING)
        daemon_set_state(d, DAEMON_FINISHING);
    else if (d->state == DAEMON_FINISHING && have_ended)
        daemon_set_state(d, DAEMON_ENDED);
    else
        arm_step(d, POLL_MS);
}

static void stop_now(struct daemon *d)
{
    log_info("stop.now", "reason=second_signal");
    d->stop_now = true;
    for (unsigned i = 0; i < d->parts.n_workers; i++)
        worker_stop(d->parts.workers[i]);
    event_base_loopbreak(d->base);
}

/* SIGTERM; or SIGINT from a terminal, where there is no load balancer to wait for. */
static void on_stop_signal(evutil_socket_t number, short events, void *arg)
{
    struct daemon *d = arg;

    (void)events;
    if (d->state == DAEMON_RUNNING)
        daemon_set_state(d, number == SIGINT ? DAEMON_FINISHING : DAEMON_DRAINING);
    else
        stop_now(d);
}

static void reload_files(struct daemon *d)
{
    notify_reloading();
    reload(&d->parts, d->config_path, &d->watch);
    notify_send("READY=1");
}

/* SIGHUP. */
static void on_reload_signal(evutil_socket_t number, short events, void *arg)
{
    struct daemon *d = arg;

    (void)number;
    (void)events;
    if (d->state == DAEMON_RUNNING)
        reload_files(d);
}

/* Each worker is asked for a pass of its loop, which it must have made a second later. */
static void feed_watchdog(struct daemon *d)
{
    bool all_turn = true;

    for (unsigned i = 0; i < d->parts.n_workers; i++) {
        struct worker *worker = d->parts.workers[i];
        uint64_t passes = worker_has_ended(worker)
                              ? UINT64_MAX
                              : counter64_get(&worker_counters(worker)->loop_passes);

        worker_poke(worker);
        if (watchdog_turned(&d->watchdog, i, passes))
            continue;
        if (all_turn && !d->watchdog.is_stuck)
            log_warn("watchdog.stuck", "worker=%u", i);
        all_turn = false;
    }
    d->watchdog.is_stuck = !all_turn;
    if (all_turn)
        notify_send("WATCHDOG=1");
}

static bool watches_files(const struct daemon *d)
{
    return d->parts.config->reload == CONFIG_RELOAD_CHANGE;
}

/* Once a second: writes the log lines held back as repeats, tells the watchdog that we are well,
 * and looks whether files changed. */
static void on_second(evutil_socket_t fd, short events, void *arg)
{
    struct daemon *d = arg;
    bool is_log_left = log_flush();

    (void)fd;
    (void)events;
    if (d->watchdog.is_on)
        feed_watchdog(d);
    if (d->state == DAEMON_RUNNING && watches_files(d) && watch_has_changed(&d->watch))
        reload_files(d);
    if (!is_log_left && !d->watchdog.is_on && !watches_files(d))
        event_del(d->second);
}

static bool arm_second(struct daemon *d)
{
    struct timeval second = timeval_of(1000);

    return event_pending(d->second, EV_TIMEOUT, NULL) || event_add(d->second, &second) == 0;
}

/* The log holds lines back, or has dropped some. */
static void on_log(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    wake_take((int)fd);
    (void)arm_second(arg);
}

static bool start_events(struct daemon *d, struct error *err)
{
    d->log_fd = wake_new();
    d->base = event_loop_new(EVENT_BASE_FLAG_PRECISE_TIMER);
    if (d->base && d->log_fd >= 0) {
        d->on_log = event_new(d->base, d->log_fd, EV_READ | EV_PERSIST, on_log, d);
        d->on_term = evsignal_new(d->base, SIGTERM, on_stop_signal, d);
        d->on_int = evsignal_new(d->base, SIGINT, on_stop_signal, d);
        d->on_hup = evsignal_new(d->base, SIGHUP, on_reload_signal, d);
        d->second = event_new(d->base, -1, EV_PERSIST, on_second, d);
        d->step = event_new(d->base, -1, 0, on_step, d);
    }
    /* The second is armed in any case: lines were held back during the start. */
    if (!d->on_log || !d->on_term || !d->on_int || !d->on_hup || !d->second || !d->step ||
        event_add(d->on_log, NULL) != 0 || event_add(d->on_term, NULL) != 0 ||
        event_add(d->on_int, NULL) != 0 || event_add(d->on_hup, NULL) != 0 || !arm_second(d)) {
        error_set(err, "cannot make an event loop: %s", strerror(errno));
        return false;
    }
    log_set_wake(d->log_fd);
    return true;
}

/* Works in short steps, so that a second signal is noticed. */
static void drain_logs(struct daemon *d)
{
    int64_t until_ms = clock_mono_ms() + LEDGER_LIMIT_MS;

    while (!d->stop_now && clock_mono_ms() < until_ms) {
        bool sinks_done = sinks_drain(d->parts.sinks, 0);

        if (ledger_drain(d->parts.ledger, LEDGER_STEP_MS)) {
            if (sinks_done || sinks_drain(d->parts.sinks, LEDGER_STEP_MS))
                return;
            if (sinks_are_down(d->parts.sinks)) {
                log_warn("stop.sinks_down",
                         "remedy=\"the next start sends what they haven't got\"");
                return;
            }
        }
        event_base_loop(d->base, EVLOOP_NONBLOCK);
    }
    log_warn("stop.pending", "remedy=\"the next start replays what was not applied\"");
}

void daemon_run(struct daemon *d)
{
    daemon_set_state(d, DAEMON_RUNNING);
    log_info("start.ready", "version=%s workers=%u brands=%u", HOPCOUNT_VERSION, d->parts.n_workers,
             site_n_brands(d->parts.site));
    event_base_dispatch(d->base);
    drain_logs(d);
    log_info("stop.done", "pid=%d", (int)getpid());
}

struct daemon *daemon_start(const char *config_path, struct error *err)
{
    struct daemon *d = calloc(1, sizeof(*d));
    const struct config *config;
    sigset_t none;
    bool ok = false;

    block_signals();
    if (!d) {
        error_set(err, "out of memory");
        goto out;
    }
    d->config_path = config_path;
    d->log_fd = -1;
    watchdog_init(&d->watchdog);
    if (!parts_start(&d->parts, config_path, err))
        goto out;
    config = d->parts.config;
    if (!reload_watch(&d->watch, config_path, config)) {
        error_set(err, "out of memory");
        goto out;
    }
    ok = start_events(d, err);
    /* The signals that were blocked for the other threads; pending ones are delivered now. */
    if (ok && sigemptyset(&none) == 0)
        pthread_sigmask(SIG_SETMASK, &none, NULL);
out:
    if (!ok) {
        daemon_free(d);
        d = NULL;
    }
    return d;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void daemon_free(struct daemon *d)
{
    if (!d)
        return;
    parts_stop(&d->parts);
    watch_clear(&d->watch);
    log_set_wake(-1);
    free_event(d->on_log);
    free_event(d->on_term);
    free_event(d->on_int);
    free_event(d->on_hup);
    free_event(d->second);
    free_event(d->step);
    if (d->base)
        event_base_free(d->base);
    if (d->log_fd >= 0)
        close(d->log_fd);
    free(d);
}

bool daemon_check(const char *config_path, struct error *err)
{
    struct config *config = NULL;
    struct site *site = NULL;
    struct access *access = NULL;
    bool ok = parts_init_libraries(err) && parts_load(config_path, &config, &site, &access, err);

    access_free(access);
    site_unref(site);
    config_free(config);
    return ok;
}
