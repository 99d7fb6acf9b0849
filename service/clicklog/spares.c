#include "service/clicklog/spares.h"

#include <errno.h>
#include <string.h>

#include "service/base/clock.h"
#include "service/clicklog/clickstore_structs.h"
#include "service/clicklog/disk.h"
#include "service/clicklog/retention.h"

/* Spares in memory, used when the keeper or the disk is late.  They are never written to before
 * use, so they take address space and no memory. */
enum { MEMORY_AHEAD = 4 };

unsigned spares_count(const struct clicklog *log, int kind)
{
    unsigned n = 0;

    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++)
        n += atomic_load_explicit(&log->spares[kind].slot[i], memory_order_relaxed) != NULL;
    return n;
}

/* Only the keeper fills slots, so a slot that is free stays free until it is filled here. */
static void put_spare(struct clicklog *log, int kind, struct segment *seg)
{
    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        if (!atomic_load_explicit(&log->spares[kind].slot[i], memory_order_relaxed)) {
            retention_count_in(log->store, seg);
            atomic_store_explicit(&log->spares[kind].slot[i], seg, memory_order_release);
            return;
        }
    }
}

/* Makes the log's directory.  It may be missing if the start could not write to state_dir. */
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
    /* With durability CLICK the worker waits for its sync, so the segment is settled in advance. */
    if (seg && store->options.durability == DURABILITY_CLICK &&
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
    if (errnum == ENOENT) { /* the directories were removed from outside: make them again */
        log->has_directory = false;
        statedir_close_logs(&store->dir);
    }
    disk_failed(store, errnum, clock_mono_ms());
    return NULL;
}

/* Makes a segment on disk.  Deletes applied segments where it needs their room, under `disk_max`
 * and also when the disk itself is full. */
static struct segment *make_on_disk(struct clicklog *log, int64_t now_ms)
{
    struct clickstore *store = log->store;
    struct segment *seg = NULL;
    bool room;

    if (store->disk_errno && now_ms < store->retry_ms)
        return NULL;
    room = retention_make_room(store, true);
    disk_set_capped(store, !room);
    if (room)
        seg = make_file(log, store->capacity);
    while (room && !seg && (store->disk_errno == ENOSPC || store->disk_errno == EDQUOT) &&
           retention_give_way(store))
        seg = make_file(log, store->capacity);
    return seg;
}

static void make_memory_spares(struct clicklog *log, unsigned n_wanted)
{
    struct clickstore *store = log->store;
    struct segment *seg;

    while (spares_count(log, SPARE_MEMORY) < n_wanted && retention_make_room(store, false)) {
        seg = segment_new_memory(log->id, store->capacity, clock_wall_ms());
        if (!seg)
            return;
        put_spare(log, SPARE_MEMORY, seg);
    }
}

bool spares_make(struct clicklog *log, int64_t now_ms)
{
    struct clickstore *store = log->store;
    unsigned n_ahead = log->n_ahead > MEMORY_AHEAD ? log->n_ahead : MEMORY_AHEAD;
    struct segment *seg = NULL;
    int reason = CLICKLOG_DROP_NO_SEGMENT;

    /* Spares whose sync failed are dropped, so that no worker begins one. */
    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        _Atomic(struct segment *) *slot = &log->spares[SPARE_DISK].slot[i];
        struct segment *spare = atomic_load_explicit(slot, memory_order_relaxed);

        if (spare && !segment_is_safe(spare) && atomic_compare_exchange_strong(slot, &spare, NULL))
            retention_delete(store, spare);
    }
    /* Spares in memory come first, so that the worker has some while the disk is slow. */
    if (log->n_made > 0)
        make_memory_spares(log, MEMORY_AHEAD);
    if (spares_count(log, SPARE_DISK) < log->n_ahead && (seg = make_on_disk(log, now_ms)))
        put_spare(log, SPARE_DISK, seg);
    if (spares_count(log, SPARE_DISK) == 0) {
        reason = store->disk_capped ? CLICKLOG_DROP_DISK_CAP : CLICKLOG_DROP_MEMORY_CAP;
        make_memory_spares(log, n_ahead);
    }
    atomic_store_explicit(&log->drop_reason, reason, memory_order_relaxed);
    return seg && !store->disk_errno && spares_count(log, SPARE_DISK) < log->n_ahead;
}

uint64_t spares_memory(const struct clicklog *log)
{
    return spares_count(log, SPARE_MEMORY) * segment_bytes(log->store->capacity);
}

/* --- rescuing segments in memory --- */

/* Copies a segment to a new file; NULL when the disk refuses. */
static struct segment *copy_to_disk(struct clicklog *log, const struct segment *seg)
{
    uint64_t n = segment_end(log, seg) - seg->header.first;
    struct segment *copy = make_file(log, (uint32_t)n);

    if (!copy)
        return NULL;
    memcpy(segment_slot(copy, 0), segment_slot(seg, 0), n * CLICK_RECORD_LEN);
    copy->began_ms = seg->began_ms;
    segment_activate(copy, seg->header.first);
    if (segment_is_safe(copy))
        return copy;
    disk_failed(log->store, EIO, clock_mono_ms());
    segment_unlink(copy, log->store->dir.logs_fd);
    segment_free(copy);
    return NULL;
}

void spares_rescue(struct clicklog *log, bool ended)
{
    struct clickstore *store = log->store;
    struct segment *prev = &log->root, *seg, *copy;

    for (; (seg = segment_next(prev)); prev = segment_next(prev)) {
        if (segment_is_safe(seg) || (!ended && !segment_next(seg)))
            continue;
        if ((store->disk_errno && !ended) || !retention_has_room(store, true))
            return;
        copy = copy_to_disk(log, seg);
        if (!copy)
            return;
        if (ended && log->active == seg)
            log->active = copy;
        /* The worker has left `seg`. */
        pthread_mutex_lock(&log->list_lock);
        atomic_store_explicit(&copy->next, segment_next(seg), memory_order_relaxed);
        atomic_store_explicit(&prev->next, copy, memory_order_release);
        clicklog_forget_hints(log, seg);
        pthread_mutex_unlock(&log->list_lock);
        if (log->kept == seg)
            log->kept = copy;
        retention_count_in(store, copy);
        retention_delete(store, seg);
    }
}
