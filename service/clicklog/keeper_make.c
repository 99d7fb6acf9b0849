#include "service/clicklog/keeper_make.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog_private.h"

enum {
    BACKOFF_MIN_MS = 250,
    BACKOFF_MAX_MS = 10000,
    MEMORY_AHEAD = 4, /* spares in memory, for when the keeper or the disk is late: nobody has
                         touched them, so they take addresses and no memory */
};

static void subtract(counter64 *c, uint64_t n)
{
    counter64_set(c, counter64_get(c) - n);
}

static counter64 *bytes_of(struct clickstore *store, bool on_disk)
{
    return on_disk ? &store->disk_bytes : &store->memory_bytes;
}

static void count_in(struct clickstore *store, const struct segment *seg)
{
    counter64_add(bytes_of(store, seg->on_disk), seg->bytes);
    counter64_add(&store->n_segments, 1);
}

/* Counts out, deletes the file and frees. */
static void delete_segment(struct clickstore *store, struct segment *seg)
{
    subtract(bytes_of(store, seg->on_disk), seg->bytes);
    subtract(&store->n_segments, 1);
    segment_unlink(seg, store->dir.logs_fd);
    segment_free(seg);
}

/* --- the disk's state --- */

void keeper_disk_failed(struct clickstore *store, int errnum, int64_t now_ms)
{
    int64_t delay_ms = store->disk_errno ? 2 * store->backoff_ms : BACKOFF_MIN_MS;

    store->backoff_ms = delay_ms < BACKOFF_MAX_MS ? delay_ms : BACKOFF_MAX_MS;
    store->retry_ms = now_ms + store->backoff_ms;
    if (store->disk_errno != errnum)
        log_warn("ledger.disk_failed", "err=\"%s\" mode=memory", strerror(errnum));
    store->disk_errno = errnum;
    counter64_set(&store->last_errno, (uint64_t)errnum);
    atomic_store_explicit(&store->degraded, true, memory_order_relaxed);
}

static void disk_works(struct clickstore *store)
{
    if (store->disk_errno)
        log_info("ledger.disk_back", "mode=disk");
    store->disk_errno = 0;
}

void keeper_segment_failed(struct clickstore *store, struct segment *seg, int errnum)
{
    if (segment_is_safe(seg))
        keeper_disk_failed(store, errnum, clock_mono_ms());
    atomic_store_explicit(&seg->sync_errno, errnum, memory_order_relaxed);
}

void keeper_sync(struct clickstore *store, struct segment *seg)
{
    bool is_new = !seg->settled;
    int errnum = is_new ? segment_settle(seg, store->dir.logs_fd) : segment_sync(seg);

    if (errnum)
        keeper_segment_failed(store, seg, errnum);
    else if (is_new)
        disk_works(store);
}

static void set_capped(struct clickstore *store, bool capped)
{
    if (capped && !store->disk_capped)
        log_warn("ledger.disk_cap", "disk_max=%llu mode=memory",
                 (unsigned long long)store->options.disk_max);
    if (!capped && store->disk_capped)
        log_info("ledger.disk_cap_over", "mode=disk");
    store->disk_capped = capped;
}

/* --- deleting --- */

static bool is_applied(const struct clicklog *log, struct segment *seg)
{
    /* The segment in use is never deleted: the worker goes on from it. */
    if (log->live && !segment_next(seg))
        return false;
    return atomic_load_explicit(&log->applied, memory_order_relaxed) >= segment_end(log, seg);
}

/* Notes since when the segments of a log have been applied; a cursor that went back undoes it. */
static uint64_t note_applied(struct clicklog *log, int64_t now_ms)
{
    uint64_t bytes = 0;

    for (struct segment *seg = segment_next(&log->root); seg; seg = segment_next(seg)) {
        if (!is_applied(log, seg)) {
            seg->applied_ms = 0;
        } else if (seg->applied_ms == 0) {
            seg->applied_ms = now_ms;
            segment_forget(seg); /* kept for a replay that most likely never comes */
        }
        bytes += seg->applied_ms ? seg->bytes : 0;
    }
    return bytes;
}

static void log_is_gone(struct clickstore *store, struct clicklog *log)
{
    char name[SEGMENT_LOG_NAME_LEN + 1];

    segment_log_name(log->id, name);
    unlinkat(store->dir.logs_fd, name, AT_REMOVEDIR);
    atomic_store_explicit(&log->gone, true, memory_order_release);
}

/* Takes the oldest segment from the list, where the reader may be at work. */
static void delete_oldest(struct clickstore *store, struct clicklog *log)
{
    struct segment *seg, *next;

    pthread_mutex_lock(&log->list_lock);
    seg = segment_next(&log->root);
    next = segment_next(seg);
    atomic_store_explicit(&log->root.next, next, memory_order_release);
    atomic_store_explicit(&log->first, segment_end(log, seg), memory_order_release);
    if (log->hint == seg)
        log->hint = NULL;
    pthread_mutex_unlock(&log->list_lock);
    if (log->kept == seg)
        log->kept = next ? next : &log->root;
    delete_segment(store, seg);
    if (!next)
        log_is_gone(store, log);
}

/* The log whose oldest segment was applied first; of the disk or of memory if `only_kind`. */
static struct clicklog *find_oldest(struct clickstore *store, bool only_kind, bool on_disk)
{
    struct clicklog *found = NULL;
    int64_t found_ms = INT64_MAX;

    for (struct clicklog *log = clickstore_next_log(store, NULL); log;
         log = clickstore_next_log(store, log)) {
        struct segment *seg = segment_next(&log->root);

        if (seg && seg->applied_ms && seg->applied_ms < found_ms && is_applied(log, seg) &&
            (!only_kind || seg->on_disk == on_disk)) {
            found = log;
            found_ms = seg->applied_ms;
        }
    }
    return found;
}

void keeper_delete_applied(struct clickstore *store, int64_t now_ms)
{
    uint64_t bytes = 0;
    struct clicklog *log;

    for (log = clickstore_next_log(store, NULL); log; log = clickstore_next_log(store, log))
        bytes += note_applied(log, now_ms);
    while ((log = find_oldest(store, false, false))) {
        const struct segment *seg = segment_next(&log->root);

        if (now_ms - seg->applied_ms < store->options.retain_ms &&
            bytes <= store->options.retain_max)
            return;
        bytes -= seg->bytes;
        delete_oldest(store, log);
    }
}

static bool has_room(struct clickstore *store, bool on_disk)
{
    uint64_t max = on_disk ? store->options.disk_max : store->options.memory_max;

    return counter64_get(bytes_of(store, on_disk)) + segment_bytes(store->capacity) <= max;
}

/* Room for one more segment under the cap; what was applied gives way to new clicks. */
static bool make_room(struct clickstore *store, bool on_disk)
{
    while (!has_room(store, on_disk)) {
        struct clicklog *log = find_oldest(store, true, on_disk);

        if (!log)
            return false;
        delete_oldest(store, log);
    }
    return true;
}

/* --- making --- */

unsigned keeper_count_spares(const struct clicklog *log, int kind)
{
    unsigned n = 0;

    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++)
        n += atomic_load_explicit(&log->spares[kind].slot[i], memory_order_relaxed) != NULL;
    return n;
}

/* Only the keeper fills slots, so a free one stays free. */
static void put_spare(struct clicklog *log, int kind, struct segment *seg)
{
    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        if (!atomic_load_explicit(&log->spares[kind].slot[i], memory_order_relaxed)) {
            count_in(log->store, seg);
            atomic_store_explicit(&log->spares[kind].slot[i], seg, memory_order_release);
            return;
        }
    }
}

/* The directories may be missing since a start on a directory that could not be written. */
static int prepare_directory(struct clicklog *log)
{
    char name[SEGMENT_LOG_NAME_LEN + 1];
    int errnum = statedir_open_logs(&log->store->dir, true);

    if (errnum || log->has_directory)
        return errnum;
    segment_log_name(log->id, name);
    errnum = statedir_make_log(&log->store->dir, name);
    log->has_directory = errnum == 0;
    return errnum;
}

static struct segment *make_file(struct clicklog *log, uint32_t capacity)
{
    struct segment_place place = {.sequence = log->n_made};
    struct clickstore *store = log->store;
    struct segment *seg = NULL;
    int errnum = prepare_directory(log);

    if (errnum == 0) {
        place.logs_fd = store->dir.logs_fd;
        memcpy(place.log_id, log->id, CLICK_LOG_ID_LEN);
        seg = segment_new_file(&place, capacity, clock_wall_ms(), &errnum);
    }
    /* Group commit waits in the worker: it must find as little to do as possible. */
    if (seg && store->options.durability == CLICKLOG_CLICK &&
        (errnum = segment_settle(seg, place.logs_fd)) != 0) {
        segment_unlink(seg, place.logs_fd);
        segment_free(seg);
        seg = NULL;
    }
    if (seg && seg->settled)
        disk_works(store);
    if (seg) {
        log->n_made++;
        return seg;
    }
    if (errnum == ENOENT) { /* someone removed the directories: make them again */
        log->has_directory = false;
        statedir_close_logs(&store->dir);
    }
    keeper_disk_failed(store, errnum, clock_mono_ms());
    return NULL;
}

static struct segment *make_on_disk(struct clicklog *log, int64_t now_ms)
{
    struct clickstore *store = log->store;
    bool room;

    if (store->disk_errno && now_ms < store->retry_ms)
        return NULL;
    room = make_room(store, true);
    set_capped(store, !room);
    return room ? make_file(log, store->capacity) : NULL;
}

static struct segment *make_in_memory(struct clicklog *log)
{
    struct clickstore *store = log->store;

    return make_room(store, false) ? segment_new_memory(log->id, store->capacity, clock_wall_ms())
                                   : NULL;
}

static void make_memory_spares(struct clicklog *log, unsigned n_wanted)
{
    struct segment *seg;

    while (keeper_count_spares(log, SPARE_MEMORY) < n_wanted && (seg = make_in_memory(log)))
        put_spare(log, SPARE_MEMORY, seg);
}

/* Of which a sync has failed: no worker shall begin with them. */
static void drop_unsafe_spares(struct clicklog *log)
{
    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        _Atomic(struct segment *) *slot = &log->spares[SPARE_DISK].slot[i];
        struct segment *seg = atomic_load_explicit(slot, memory_order_relaxed);

        if (seg && !segment_is_safe(seg) && atomic_compare_exchange_strong(slot, &seg, NULL))
            delete_segment(log->store, seg);
    }
}

bool keeper_make_spares(struct clicklog *log, int64_t now_ms)
{
    struct clickstore *store = log->store;
    unsigned n_ahead = log->n_ahead > MEMORY_AHEAD ? log->n_ahead : MEMORY_AHEAD;
    struct segment *seg = NULL;
    int reason = CLICKLOG_DROP_NO_SEGMENT;

    drop_unsafe_spares(log);
    /* The disk may take its time: something must be at hand meanwhile. */
    if (log->n_made > 0)
        make_memory_spares(log, MEMORY_AHEAD);
    if (keeper_count_spares(log, SPARE_DISK) < log->n_ahead && (seg = make_on_disk(log, now_ms)))
        put_spare(log, SPARE_DISK, seg);
    if (keeper_count_spares(log, SPARE_DISK) == 0) {
        reason = store->disk_capped ? CLICKLOG_DROP_DISK_CAP : CLICKLOG_DROP_MEMORY_CAP;
        make_memory_spares(log, n_ahead);
    }
    atomic_store_explicit(&log->drop_reason, reason, memory_order_relaxed);
    return seg && !store->disk_errno && keeper_count_spares(log, SPARE_DISK) < log->n_ahead;
}

uint64_t keeper_spare_memory(const struct clicklog *log)
{
    return keeper_count_spares(log, SPARE_MEMORY) * segment_bytes(log->store->capacity);
}

/* --- rescuing --- */

/* Puts `copy` in the place of `seg`, which is not the worker's any more. */
static void replace(struct clicklog *log, struct segment *prev, struct segment *seg,
                    struct segment *copy)
{
    pthread_mutex_lock(&log->list_lock);
    atomic_store_explicit(&copy->next, segment_next(seg), memory_order_relaxed);
    atomic_store_explicit(&prev->next, copy, memory_order_release);
    if (log->hint == seg)
        log->hint = NULL;
    pthread_mutex_unlock(&log->list_lock);
    if (log->kept == seg)
        log->kept = copy;
    count_in(log->store, copy);
    delete_segment(log->store, seg);
}

/* NULL when the disk refuses. */
static struct segment *copy_to_disk(struct clicklog *log, const struct segment *seg)
{
    uint64_t n = segment_end(log, seg) - seg->header.first;
    struct segment *copy = make_file(log, (uint32_t)n);

    if (!copy)
        return NULL;
    memcpy(segment_slot(copy, 0), segment_slot(seg, 0), n * CLICK_RECORD_LEN);
    segment_activate(copy, seg->header.first);
    if (segment_is_safe(copy))
        return copy;
    keeper_disk_failed(log->store, EIO, clock_mono_ms());
    segment_unlink(copy, log->store->dir.logs_fd);
    segment_free(copy);
    return NULL;
}

void keeper_rescue(struct clicklog *log, bool ended)
{
    struct clickstore *store = log->store;
    struct segment *prev = &log->root, *seg, *copy;

    for (; (seg = segment_next(prev)); prev = segment_next(prev)) {
        if (segment_is_safe(seg) || (!ended && !segment_next(seg)))
            continue;
        if ((store->disk_errno && !ended) || !has_room(store, true))
            return;
        copy = copy_to_disk(log, seg);
        if (!copy)
            return;
        if (ended && log->active == seg)
            log->active = copy;
        replace(log, prev, seg, copy);
    }
}
