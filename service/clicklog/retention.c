#include "service/clicklog/retention.h"

#include <fcntl.h>
#include <unistd.h>

#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore_structs.h"

static void subtract(counter64 *c, uint64_t n)
{
    counter64_set(c, counter64_get(c) - n);
}

static counter64 *bytes_of(struct clickstore *store, bool on_disk)
{
    return on_disk ? &store->disk_bytes : &store->memory_bytes;
}

void retention_count_in(struct clickstore *store, const struct segment *seg)
{
    counter64_add(bytes_of(store, seg->on_disk), seg->bytes);
    counter64_add(&store->n_segments, 1);
}

void retention_delete(struct clickstore *store, struct segment *seg)
{
    subtract(bytes_of(store, seg->on_disk), seg->bytes);
    subtract(&store->n_segments, 1);
    segment_unlink(seg, store->dir.logs_fd);
    segment_free(seg);
}

static bool is_applied(const struct clicklog *log, struct segment *seg)
{
    /* The segment in use is never deleted: the worker links the next one to it. */
    if (log->live && !segment_next(seg))
        return false;
    return atomic_load_explicit(&log->applied, memory_order_relaxed) >= segment_end(log, seg);
}

bool retention_is_past(const struct clicklog *log, uint64_t position)
{
    if (atomic_load_explicit(&log->applied, memory_order_relaxed) < position)
        return false;
    for (unsigned i = 0; i < log->store->options.n_sinks; i++) {
        if (atomic_load_explicit(&log->passed[i], memory_order_relaxed) < position)
            return false;
    }
    return true;
}

/* Redis has it, and every sink is past it. */
static bool is_done(const struct clicklog *log, struct segment *seg)
{
    return is_applied(log, seg) && retention_is_past(log, segment_end(log, seg));
}

/* Records since when each segment of a log has been applied and past every sink; clears it when a
 * cursor went back below. */
static uint64_t note_applied(struct clicklog *log, int64_t now_ms)
{
    uint64_t bytes = 0;

    for (struct segment *seg = segment_next(&log->root); seg; seg = segment_next(seg)) {
        if (!is_applied(log, seg))
            seg->counted_ms = 0;
        else if (seg->counted_ms == 0)
            seg->counted_ms = now_ms;
        if (!is_done(log, seg)) {
            seg->applied_ms = 0;
        } else if (seg->applied_ms == 0) {
            seg->applied_ms = now_ms;
            segment_forget(seg); /* kept only for a replay, which is unlikely */
        }
        bytes += seg->applied_ms ? seg->bytes : 0;
    }
    return bytes;
}

/* Unlinks the oldest segment under list_lock, because the reader may be walking the list. */
static void delete_oldest(struct clickstore *store, struct clicklog *log)
{
    struct segment *seg, *next;
    char name[SEGMENT_LOG_NAME_LEN + 1];

    pthread_mutex_lock(&log->list_lock);
    seg = segment_next(&log->root);
    next = segment_next(seg);
    atomic_store_explicit(&log->root.next, next, memory_order_release);
    atomic_store_explicit(&log->first, segment_end(log, seg), memory_order_release);
    clicklog_forget_hints(log, seg);
    pthread_mutex_unlock(&log->list_lock);
    if (log->kept == seg)
        log->kept = next ? next : &log->root;
    retention_delete(store, seg);
    if (!next) {
        segment_log_name(log->id, name);
        unlinkat(store->dir.logs_fd, name, AT_REMOVEDIR);
        atomic_store_explicit(&log->gone, true, memory_order_release);
    }
}

/* The log whose oldest segment was applied first; with `only_kind`, only segments on disk or only
 * those in memory. */
static struct clicklog *find_oldest(struct clickstore *store, bool only_kind, bool on_disk)
{
    struct clicklog *found = NULL;
    int64_t found_ms = INT64_MAX;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        struct segment *seg = segment_next(&log->root);

        if (seg && seg->applied_ms && seg->applied_ms < found_ms && is_done(log, seg) &&
            (!only_kind || seg->on_disk == on_disk)) {
            found = log;
            found_ms = seg->applied_ms;
        }
    }
    return found;
}

void retention_run(struct clickstore *store, int64_t now_ms)
{
    uint64_t bytes = 0;
    struct clicklog *log;

    for (log = clicklog_next(store, NULL); log; log = clicklog_next(store, log))
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

bool retention_has_room(struct clickstore *store, bool on_disk)
{
    uint64_t max = on_disk ? store->options.disk_max : store->options.memory_max;

    return counter64_get(bytes_of(store, on_disk)) + segment_bytes(store->capacity) <= max;
}

/* The log whose oldest segment Redis has had longest, and a sink has not yet.  New clicks are
 * worth more than a sink that is late; the sink counts what it missed. */
static struct clicklog *find_waiting(struct clickstore *store, bool on_disk)
{
    struct clicklog *found = NULL;
    int64_t found_ms = INT64_MAX;

    for (struct clicklog *log = clicklog_next(store, NULL); log; log = clicklog_next(store, log)) {
        struct segment *seg = segment_next(&log->root);

        if (seg && seg->on_disk == on_disk && seg->counted_ms && seg->counted_ms < found_ms &&
            is_applied(log, seg)) {
            found = log;
            found_ms = seg->counted_ms;
        }
    }
    return found;
}

/* Deletes a segment on disk or in memory: the one that was done with first, else one that only
 * sinks wait for.  False: there is none. */
static bool give_way(struct clickstore *store, bool on_disk)
{
    struct clicklog *log = find_oldest(store, true, on_disk);

    if (!log)
        log = find_waiting(store, on_disk);
    if (log)
        delete_oldest(store, log);
    return log != NULL;
}

bool retention_make_room(struct clickstore *store, bool on_disk)
{
    while (!retention_has_room(store, on_disk)) {
        if (!give_way(store, on_disk))
            return false;
    }
    return true;
}

bool retention_give_way(struct clickstore *store)
{
    return give_way(store, true);
}
