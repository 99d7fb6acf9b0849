#include "service/clicklog/clicklog.h"

#include <stdlib.h>

#include "service/base/clock.h"
#include "service/base/wake.h"
#include "service/clicklog/clickstore_structs.h"

/* --- the worker's side --- */

/* Takes the spare with the lowest number, so that file names mostly follow positions. */
static struct segment *take_spare(struct clicklog_spares *spares)
{
    for (unsigned i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        /* A plain load first avoids the locked exchange on an empty slot. */
        if (atomic_load_explicit(&spares->slot[i], memory_order_relaxed)) {
            struct segment *seg =
                atomic_exchange_explicit(&spares->slot[i], NULL, memory_order_acquire);

            if (seg)
                return seg;
        }
    }
    return NULL;
}

static void go_on_to(struct clicklog *log, struct segment *seg)
{
    struct segment *last = log->active ? log->active : &log->root;

    /* Durability CLICK syncs only the segment in use, so the one being left must be on disk first.
     */
    clicklog_sync(log);
    seg->began_ms = clock_wall_ms();
    segment_activate(seg, log->position);
    log->slot = segment_slot(seg, 0);
    log->end = log->position + seg->n_slots;
    log->active = seg;
    atomic_store_explicit(&last->next, seg, memory_order_release);
    atomic_store_explicit(&log->want_roll, false, memory_order_relaxed);
    wake_send(log->store->wake_fds[SLEEPER_KEEPER]);
}

static void drop(struct clicklog *log)
{
    int reason = atomic_load_explicit(&log->drop_reason, memory_order_relaxed);

    counter64_add(&log->dropped[reason], 1);
}

/* Goes on to a new segment, because this one is full or the keeper asked for it.  False when there
 * is no room for the click. */
static bool roll(struct clicklog *log)
{
    bool full = log->position == log->end;
    struct segment *seg = take_spare(&log->spares[SPARE_DISK]);

    if (!seg && full)
        seg = take_spare(&log->spares[SPARE_MEMORY]);
    if (seg)
        go_on_to(log, seg);
    else if (full)
        drop(log);
    return log->position < log->end;
}

/* Wakes the threads that sleep until a record is appended, see sleepers.h. */
static void wake_sleepers(struct clicklog *log)
{
    unsigned asleep = atomic_exchange(&log->sleepers, 0);

    for (int who = 0; who < SLEEPERS; who++) {
        if (asleep & 1U << who)
            wake_send(log->store->wake_fds[who]);
    }
}

void clicklog_append(struct clicklog *log, const struct click *click)
{
    if (UNLIKELY(log->position == log->end ||
                 atomic_load_explicit(&log->want_roll, memory_order_relaxed))) {
        if (!roll(log))
            return;
    }
    click_encode(click, log->position, log->id, log->slot);
    log->slot += CLICK_RECORD_LEN;
    log->position++;
    atomic_store_explicit(&log->tail, log->position, memory_order_release);
    /* Keeps the compiler from loading first; for the processor see sleepers.h. */
    atomic_signal_fence(memory_order_seq_cst);
    if (UNLIKELY(atomic_load_explicit(&log->sleepers, memory_order_relaxed) != 0))
        wake_sleepers(log);
}

void clicklog_sync(struct clicklog *log)
{
    int errnum;

    if (log->store->options.durability != DURABILITY_CLICK || log->synced == log->position)
        return;
    errnum = segment_sync(log->active);
    if (errnum)
        atomic_store_explicit(&log->active->sync_errno, errnum, memory_order_relaxed);
    log->synced = log->position;
}

/* --- the reader's side --- */

/* The segment that holds `position`, or the first one after it. */
static struct segment *find_segment(const struct clicklog *log, const struct clicklog_place *place,
                                    uint64_t position)
{
    struct segment *seg = place->hint;

    if (!seg || seg->header.first > position)
        seg = segment_next((struct segment *)&log->root);
    while (seg && position >= segment_end(log, seg))
        seg = segment_next(seg);
    return seg;
}

/* Positions [from, to) hold no click; counts those that were not looked at before. */
static void count_damaged(struct clicklog *log, uint64_t from, uint64_t to)
{
    if (from < log->counted)
        from = log->counted;
    if (from < to)
        counter64_add(&log->dropped[CLICKLOG_DROP_DAMAGED], to - from);
}

/*
 * Each record is read several times, and its checksum is what costs most.  So the checksum is
 * tested once, and only in logs found on disk: it detects damage by a crash or by the disk.
 * Records of a live log were written by this process into the memory that is read here.  A page of
 * a live log that the disk has lost since (segment_guard.h) holds zeros; there the position in the
 * record is wrong.
 */
static bool read_record(const struct clicklog *log, struct clicklog_place *place,
                        const uint8_t *record, uint64_t position, struct click *out)
{
    bool ok;

    if (log->live || (position >= place->sound_from && position < place->sound_to))
        return click_decode_again(record, position, out) == CLICK_OK;
    ok = click_decode(record, position, log->id, out) == CLICK_OK;
    if (position == place->sound_to && ok)
        place->sound_to++;
    else if (position >= place->sound_to) /* start a new range after a record that was damaged */
        place->sound_from = place->sound_to = position + 1;
    return ok;
}

/* Reads at most `max` slots of `seg` from `position` on; returns how many were read. */
static size_t read_segment(struct clicklog *log, const struct segment *seg, uint64_t position,
                           size_t max, struct click *out, size_t *n_clicks)
{
    uint64_t index = position - seg->header.first;
    uint64_t left = segment_end(log, seg) - position;
    size_t n = left < max ? (size_t)left : max;

    if (index >= seg->n_slots) {
        count_damaged(log, position, position + left);
        return (size_t)left;
    }
    if (n > seg->n_slots - index)
        n = (size_t)(seg->n_slots - index);
    for (size_t i = 0; i < n; i++) {
        if (read_record(log, &log->places[0], segment_slot(seg, index + i), position + i,
                        &out[*n_clicks]))
            ++*n_clicks;
        else
            count_damaged(log, position + i, position + i + 1);
    }
    return n;
}

/* Call with list_lock held. */
static uint64_t read_list(struct clicklog *log, uint64_t from, uint64_t tail, size_t max,
                          struct click *out, size_t *n_clicks)
{
    uint64_t position = from;
    size_t n_slots = 0;

    while (position < tail && n_slots < max) {
        struct segment *seg = find_segment(log, &log->places[0], position);

        if (!seg)
            break;
        log->places[0].hint = seg;
        if (position < seg->header.first) { /* deleted: go on at the first position that is left */
            position = seg->header.first;
        } else {
            size_t n = read_segment(log, seg, position, max - n_slots, out, n_clicks);

            position += n;
            n_slots += n;
        }
    }
    return position;
}

size_t clicklog_read(struct clicklog *log, uint64_t from, size_t max, struct click *out,
                     size_t *n_clicks)
{
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
    uint64_t to = from;

    *n_clicks = 0;
    pthread_mutex_lock(&log->list_lock);
    to = read_list(log, from, tail, max, out, n_clicks);
    if (to > log->counted)
        log->counted = to;
    pthread_mutex_unlock(&log->list_lock);
    return (size_t)(to - from);
}

/* Reads slots of the segment at hand up to position `to`, for a sink; returns the position reached.
 */
static uint64_t read_segment_rows(const struct clicklog *log, struct clicklog_place *place,
                                  uint64_t position, uint64_t to, struct clicklog_row *out,
                                  size_t *n_rows)
{
    const struct segment *seg = place->hint;
    uint64_t end = segment_end(log, seg);

    if (end > to)
        end = to;
    for (; position < end; position++) {
        struct clicklog_row *row = &out[*n_rows];
        uint64_t index = position - seg->header.first;

        if (index >= seg->n_slots)
            return end;
        row->position = position;
        *n_rows += read_record(log, place, segment_slot(seg, index), position, &row->click);
    }
    return position;
}

uint64_t clicklog_read_rows(struct clicklog *log, unsigned sink, uint64_t from, uint64_t to,
                            struct clicklog_row *out, size_t *n_rows)
{
    struct clicklog_place *place = &log->places[1 + sink];
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire), at = from;

    *n_rows = 0;
    if (to > tail)
        to = tail;
    pthread_mutex_lock(&log->list_lock);
    while (at < to) {
        struct segment *seg = find_segment(log, place, at);

        if (!seg) { /* all is deleted */
            at = to;
            break;
        }
        place->hint = seg;
        if (at < seg->header.first) /* deleted: go on at the first position that is left */
            at = seg->header.first < to ? seg->header.first : to;
        else
            at = read_segment_rows(log, place, at, to, out, n_rows);
    }
    pthread_mutex_unlock(&log->list_lock);
    return at;
}

void clicklog_set_passed(struct clicklog *log, unsigned sink, uint64_t position)
{
    atomic_store_explicit(&log->passed[sink], position, memory_order_relaxed);
}

bool clicklog_peek(struct clicklog *log, uint64_t from, struct click *out)
{
    enum { LOOK_AHEAD = 64 };
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
    bool found = false;

    pthread_mutex_lock(&log->list_lock);
    for (uint64_t at = from; at < tail && at - from < LOOK_AHEAD && !found; at++) {
        const struct segment *seg = find_segment(log, &log->places[0], at);

        if (!seg)
            break;
        if (at < seg->header.first) /* deleted: the oldest segment that is left follows */
            from = at = seg->header.first;
        if (at - seg->header.first < seg->n_slots)
            found = click_decode(segment_slot(seg, at - seg->header.first), at, log->id, out) ==
                    CLICK_OK;
    }
    pthread_mutex_unlock(&log->list_lock);
    return found;
}

void clicklog_set_applied(struct clicklog *log, uint64_t position)
{
    atomic_store_explicit(&log->applied, position, memory_order_relaxed);
}

struct clicklog *clicklog_next(struct clickstore *store, const struct clicklog *prev)
{
    struct clicklog *log = atomic_load_explicit(
        prev ? &((struct clicklog *)prev)->next : &store->logs, memory_order_acquire);

    while (log && atomic_load_explicit(&log->gone, memory_order_acquire))
        log = atomic_load_explicit(&log->next, memory_order_acquire);
    return log;
}

const uint8_t *clicklog_id(const struct clicklog *log)
{
    return log->id;
}

bool clicklog_is_live(const struct clicklog *log)
{
    return log->live;
}

bool clicklog_holds_relabels(const struct clicklog *log)
{
    return log->holds_relabels;
}

int64_t clicklog_created_ms(const struct clicklog *log)
{
    return log->created_ms;
}

int64_t clicklog_newest_ms(const struct clicklog *log)
{
    return log->newest_ms;
}

uint64_t clicklog_first(const struct clicklog *log)
{
    return atomic_load_explicit(&log->first, memory_order_acquire);
}

uint64_t clicklog_tail(const struct clicklog *log)
{
    return atomic_load_explicit(&log->tail, memory_order_acquire);
}

const char *clicklog_drop_name(enum clicklog_drop drop)
{
    static const char *const names[] = {"disk_cap", "memory_cap", "no_segment", "damaged"};

    return drop < CLICKLOG_DROPS ? names[drop] : NULL;
}
