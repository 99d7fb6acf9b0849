#include "service/clicklog/keeper.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore_structs.h"
#include "service/clicklog/disk.h"
#include "service/clicklog/retention.h"
#include "service/clicklog/sleepers.h"
#include "service/clicklog/spares.h"

enum {
    TICK_MS = 100,  /* longest wait between two passes while clicks come */
    IDLE_MS = 2000, /* and while none come; the next click, or a need for a segment, wakes it */
    WINDOW_MIN = 64 << 10, /* this many bytes ahead of the tail are kept writable */
    AHEAD_MIN = 2,         /* spares of each log */
    AHEAD_BYTES = 2 << 20, /* and at least so many bytes: bursts come without warning */
    AHEAD_PART = 32,       /* but no more than this fraction of `disk_max` */
    ROLL_MIN_MS = 1000,    /* a segment is in use for so long, if it doesn't get full */
};

void keeper_wake(struct clickstore *store)
{
    wake_send(store->wake_fds[SLEEPER_KEEPER]);
}

/* --- spares --- */

/* Makes one spare per log at a time, so that no log waits while another gets all of its spares. */
static void make_more_spares(struct clickstore *store, int64_t now_ms)
{
    bool more = true;

    for (int i = 1; i < CLICKLOG_SPARES_MAX && more && !atomic_load(&store->stop); i++) {
        more = false;
        for (struct clicklog *log = clicklog_next(store, NULL); log;
             log = clicklog_next(store, log))
            more = (log->live && spares_make(log, now_ms)) || more;
    }
}

/* --- syncing: waits for the disk, so spares are made in between --- */

static void sync_segment(struct clickstore *store, struct segment *seg)
{
    disk_sync(store, seg);
    make_more_spares(store, clock_mono_ms());
}

/* The next segment of a live log that must be settled; segments in use come first. */
static struct segment *find_unsettled(struct clickstore *store)
{
    struct segment *seg;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        if (!log->live)
            continue;
        for (seg = segment_next(&log->root); seg; seg = segment_next(seg)) {
            if (segment_is_safe(seg) && !seg->settled)
                return seg;
        }
        for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
            seg = atomic_load_explicit(&log->spares[SPARE_DISK].slot[i], memory_order_acquire);
            if (seg && segment_is_safe(seg) && !seg->settled)
                return seg;
        }
    }
    return NULL;
}

/* Syncs what was appended since the last sync, up to the tail as of now.  Segments may be deleted
 * between two syncs. */
static void sync_log(struct clicklog *log)
{
    uint64_t tail = clicklog_tail(log);

    while (log->synced_tail < tail) {
        struct segment *seg = segment_next(&log->root);
        uint64_t end = tail;

        while (seg && segment_end(log, seg) <= log->synced_tail)
            seg = segment_next(seg);
        if (seg && seg->header.first < tail) {
            end = segment_end(log, seg);
            sync_segment(log->store, seg);
        }
        log->synced_tail = end < tail ? end : tail;
    }
}

/* --- what a log needs --- */

/*
 * A sync write-protects pages.  The next store to such a page takes a page fault that may wait for
 * the file system, so the keeper takes these faults ahead of the worker.  Only for logs in use:
 * otherwise an idle log would be written to disk over and over.
 */
static void touch_ahead(struct clicklog *log, uint64_t n_appended)
{
    struct segment *seg = log->kept;
    uint64_t window = WINDOW_MIN + 4 * n_appended * CLICK_RECORD_LEN;

    if (seg == &log->root || !seg->on_disk)
        return;
    if (!segment_touch(seg, segment_bytes((uint32_t)(log->tick_tail - seg->header.first)), window))
        disk_segment_failed(log->store, seg, EIO);
    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        struct segment *spare = atomic_load(&log->spares[SPARE_DISK].slot[i]);

        if (spare &&
            segment_bytes((uint32_t)(log->tick_tail - seg->header.first)) + window > seg->map_len) {
            if (!segment_touch(spare, 0, window))
                disk_segment_failed(log->store, spare, EIO);
            break;
        }
    }
}

/* Sets how many spares the log gets: a minimum, plus the need of one second at the present rate.
 * Spares take room from clicks that wait for Redis, so they are limited to a small part of
 * `disk_max`.  The logs of relabellings and events get the smallest minimum, because only clicks
 * come in bursts. */
static void set_pace(struct clicklog *log, uint64_t n_appended, int64_t took_ms)
{
    uint64_t per_s = n_appended * 1000 / (uint64_t)(took_ms > 0 ? took_ms : 1);
    uint64_t part = log->store->options.disk_max / AHEAD_PART;
    uint64_t least =
        (part < AHEAD_BYTES ? part : AHEAD_BYTES) / segment_bytes(log->store->capacity);
    uint64_t n;

    if (least < AHEAD_MIN || log->holds_relabels)
        least = AHEAD_MIN;
    n = least + per_s / log->store->capacity;

    log->n_ahead = n < CLICKLOG_SPARES_MAX ? (unsigned)n : CLICKLOG_SPARES_MAX;
}

/* The segment in use is never deleted, and its clicks name clients: with few clicks it would take
 * months to get full.  So the next click begins a new one when it is as old as segments are kept.
 * While Redis or a sink is away none could be deleted: then segments get full before the next one
 * begins, or an outage would fill `disk_max` with segments of a few clicks.
 */
static bool is_old(const struct clicklog *log, uint64_t tail, int64_t now_ms)
{
    int64_t retain_ms = log->store->options.retain_ms;

    return log->kept != &log->root && tail > log->kept->header.first &&
           now_ms - log->kept_ms >= (retain_ms > ROLL_MIN_MS ? retain_ms : ROLL_MIN_MS) &&
           retention_is_past(log, log->kept->header.first);
}

/* Does all work for one log.  False when clicks appended now, or not in Redis yet, would not
 * survive the process. */
static bool keep_log(struct clicklog *log, int64_t now_ms, int64_t took_ms)
{
    uint64_t tail, n_appended;
    struct segment *next;
    bool safe;

    /* Moves `kept` on to the segment in use.  With DURABILITY_PROCESS a segment is synced once,
     * when its worker has left it; the other modes sync on their own schedule. */
    while ((next = segment_next(log->kept))) {
        struct segment *left = log->kept;

        log->kept = next;
        log->kept_ms = now_ms;
        if (left != &log->root && log->store->options.durability == DURABILITY_PROCESS)
            sync_segment(log->store, left);
    }
    tail = clicklog_tail(log);
    n_appended = tail - log->tick_tail;
    set_pace(log, n_appended, took_ms);
    (void)spares_make(log, now_ms);
    spares_rescue(log, false);
    log->tick_tail = tail;
    if (n_appended > 0)
        touch_ahead(log, n_appended);
    safe = log->kept == &log->root || segment_is_safe(log->kept);
    if (!safe || is_old(log, tail, now_ms))
        atomic_store_explicit(&log->want_roll, true, memory_order_relaxed);
    if (safe)
        return true;
    /* Nothing is at risk if all clicks are in Redis and the next segment is a file.  Without this
     * test a log without new clicks would be reported as degraded for ever. */
    return spares_count(log, SPARE_DISK) > 0 &&
           atomic_load_explicit(&log->applied, memory_order_relaxed) >= clicklog_tail(log);
}

/* True: nothing was appended since the last pass, and no click is at risk. */
static bool keep_logs(struct clickstore *store, int64_t now_ms, int64_t took_ms)
{
    bool safe = true, is_quiet = true;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        if (!log->live)
            continue;
        is_quiet = is_quiet && atomic_load(&log->ready) && clicklog_tail(log) == log->tick_tail;
        safe = keep_log(log, now_ms, took_ms) && safe;
        if (!atomic_load(&log->ready)) {
            pthread_mutex_lock(&store->lock);
            atomic_store(&log->ready, true);
            pthread_cond_broadcast(&store->changed);
            pthread_mutex_unlock(&store->lock);
        }
    }
    atomic_store_explicit(&store->degraded, !safe || store->disk_errno != 0, memory_order_relaxed);
    return is_quiet && safe && store->disk_errno == 0;
}

/* True: nothing was appended since the last pass, nothing is left to sync, and the next append
 * wakes the keeper. */
static bool may_sleep(struct clickstore *store, bool interval)
{
    if (!sleepers_add(store, SLEEPER_KEEPER))
        return false;
    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        uint64_t done = interval ? log->synced_tail : log->tick_tail;

        if (log->live && (clicklog_tail(log) != done || !atomic_load(&log->ready)))
            return false;
    }
    return true;
}

/* The clicks that would be lost if the process ended now: neither applied nor in a file. */
static uint64_t count_unsafe(const struct clicklog *log)
{
    uint64_t applied = atomic_load_explicit(&log->applied, memory_order_relaxed);
    uint64_t n = 0;

    for (struct segment *seg = atomic_load(&log->root.next); seg; seg = segment_next(seg)) {
        uint64_t from = seg->header.first > applied ? seg->header.first : applied;
        uint64_t to = segment_end(log, seg);

        if (!segment_is_safe(seg) && from < to)
            n += to - from;
    }
    return n;
}

/* Called after the workers have ended: copies to disk what is still in memory, and logs what could
 * not be copied. */
static void end_logs(struct clickstore *store)
{
    uint64_t n_lost = 0;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        if (log->live) {
            spares_rescue(log, true);
            sync_log(log);
            n_lost += count_unsafe(log);
        }
    }
    if (n_lost > 0)
        log_error("ledger.memory_lost", "clicks=%llu err=\"%s\"", (unsigned long long)n_lost,
                  strerror(store->disk_errno));
}

static void *run(void *arg)
{
    struct clickstore *store = arg;
    bool interval = store->options.durability == DURABILITY_INTERVAL;
    /* Half the configured interval, because a sync takes time as well. */
    int64_t sync_ms = store->options.sync_ms > 1 ? store->options.sync_ms / 2 : 1;
    int64_t longest_ms = interval && sync_ms < TICK_MS ? sync_ms : TICK_MS;
    int64_t last_ms = clock_mono_ms(), synced_ms = last_ms;
    struct pollfd wake = {.fd = sleepers_fd(store, SLEEPER_KEEPER), .events = POLLIN};

    /* Not background_enter(), which yields to workers: clicks are lost when no segment is ready. */
    pthread_setname_np(pthread_self(), "keeper");
    while (!atomic_load(&store->stop)) {
        int64_t now_ms = clock_mono_ms();
        struct clicklog *log = NULL;
        struct segment *unsettled;
        bool is_quiet = keep_logs(store, now_ms, now_ms - last_ms);
        int64_t wait_ms = longest_ms;

        make_more_spares(store, now_ms);
        retention_run(store, now_ms);
        last_ms = now_ms;
        if (interval && now_ms - synced_ms >= sync_ms) {
            while ((log = clicklog_next(store, log))) {
                if (log->live)
                    sync_log(log);
            }
            synced_ms = now_ms;
        }
        /* One segment at a time, because it waits for the disk: spares are made before the next. */
        unsettled = find_unsettled(store);
        if (unsettled)
            sync_segment(store, unsettled);
        if (unsettled)
            wait_ms = 0;
        else if (is_quiet && may_sleep(store, interval))
            wait_ms = IDLE_MS;
        if (poll(&wake, 1, (int)wait_ms) > 0)
            wake_take(wake.fd);
    }
    end_logs(store);
    return NULL;
}

bool keeper_start(struct clickstore *store, struct error *err)
{
    int errnum = thread_start(&store->keeper, NULL, run, store);

    if (errnum) {
        error_set(err, "ledger: cannot start the keeper thread: %s", strerror(errnum));
        return false;
    }
    store->has_keeper = true;
    return true;
}

void keeper_stop(struct clickstore *store)
{
    if (!store->has_keeper)
        return;
    atomic_store(&store->stop, true);
    keeper_wake(store);
    pthread_join(store->keeper, NULL);
    store->has_keeper = false;
}
