/* clickstore_structs.h - a store and its logs: what the files of this folder share.
 *
 * Each field has one writer.  A log's segments are a list, ordered by position: the worker links
 * the next one, the keeper unlinks the oldest, the reader walks the list.  list_lock keeps the
 * keeper from unlinking a segment that the reader is using; the worker never takes it.
 *
 *     keeper ──spares──▶ worker ──root.next──▶ [segment]─▶[segment]─▶[worker's] ──▶ NULL */
#ifndef CLICKLOG_CLICKSTORE_STRUCTS_H
#define CLICKLOG_CLICKSTORE_STRUCTS_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/base/counter64.h"
#include "service/clicklog/clickstore_options.h"
#include "service/clicklog/segment_map.h"
#include "service/clicklog/statedir.h"

enum { CLICKLOG_SPARES_MAX = 8, CACHE_LINE = 64 };

/* Segments prepared ahead; the worker takes one by exchanging the pointer with NULL. */
struct clicklog_spares {
    _Atomic(struct segment *) slot[CLICKLOG_SPARES_MAX];
};

/* Where a reader is; under list_lock. */
struct clicklog_place {
    struct segment *hint;          /* the segment read last */
    uint64_t sound_from, sound_to; /* records in between passed their checksum */
};

struct clicklog {
    /* The worker's own. */
    uint8_t *slot;     /* where the next record goes */
    uint64_t position; /* of the next record */
    uint64_t end;      /* the first position past the segment */
    struct segment *active;
    uint64_t synced; /* durability CLICK: all positions below are on disk */
    uint8_t id[CLICK_LOG_ID_LEN];

    /* Written by the worker, read by all threads. */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail;
    counter64 dropped[CLICKLOG_DROPS]; /* DAMAGED is counted by the reader */

    /* Written by the keeper, read by the worker. */
    _Alignas(CACHE_LINE) atomic_bool
        want_roll; /* the segment in use isn't safe, or old: leave it before it is full */
    atomic_int drop_reason;
    atomic_uint sleepers; /* bits of enum sleeper; set by them, cleared by who wakes them */
    struct clicklog_spares spares[2]; /* in memory, on disk */

    /* The list of segments. */
    pthread_mutex_t list_lock;
    struct segment root; /* only root.next is used */
    _Atomic uint64_t first;

    /* The reader's. */
    _Atomic uint64_t applied;
    uint64_t counted; /* positions below have been checked once */
    struct clicklog_place places[1 + CLICKLOG_SINKS_MAX]; /* the ledger's, then the sinks' */

    /* Written by the sink of that number, read by the keeper. */
    _Atomic uint64_t passed[CLICKLOG_SINKS_MAX];

    /* The keeper's. */
    struct segment *kept; /* the last segment of the list that the keeper has seen */
    int64_t kept_ms;      /* monotonic: when it was seen first */
    uint32_t n_made;      /* number of the next file */
    unsigned n_ahead;     /* how many spares the log shall have */
    uint64_t tick_tail;   /* tail at the last tick */
    uint64_t synced_tail; /* durability INTERVAL: all positions below are on disk */
    bool has_directory;

    struct clickstore *store;
    _Atomic(struct clicklog *) next;
    int64_t created_ms;
    int64_t newest_ms; /* time of the last click, of a log of an earlier start */
    uint64_t recovered;
    bool live;
    bool holds_relabels;
    atomic_bool ready; /* the keeper has prepared the log */
    atomic_bool gone;  /* all segments are deleted */
};

struct clickstore {
    struct clickstore_options options;
    char *state_dir;
    uint32_t capacity; /* records of a new segment */
    struct statedir dir;

    pthread_mutex_t lock; /* for adding a log, and waiting until it is ready */
    pthread_cond_t changed;
    _Atomic(struct clicklog *) logs;
    int wake_fds[SLEEPERS]; /* wake.h */
    bool has_barrier;       /* membarrier(2) works */
    atomic_bool stop;
    bool has_keeper;
    pthread_t keeper;

    /* Written by the keeper; before it starts, by clickstore_open(). */
    counter64 disk_bytes, memory_bytes, n_segments, n_set_aside, last_errno;
    atomic_bool degraded;
    int disk_errno; /* 0 = the disk takes segments */
    bool disk_capped;
    int64_t retry_ms,
        backoff_ms; /* when the disk is tried next, monotonic, and the present backoff */
};

enum { SPARE_MEMORY, SPARE_DISK };

/* A log without segments; NULL when out of memory. */
MUST_USE struct clicklog *clicklog_alloc(struct clickstore *store);
/* Frees the segments too; the files stay. */
void clicklog_free(struct clicklog *log);
/* Adds the log at the end of the store's list; the caller holds store->lock, or is alone. */
void clickstore_link_log(struct clickstore *store, struct clicklog *log);

static inline struct segment *segment_next(struct segment *seg)
{
    return atomic_load_explicit(&seg->next, memory_order_acquire);
}

/* Readers forget the segment, which leaves the list; call it with list_lock held. */
static inline void clicklog_forget_hints(struct clicklog *log, const struct segment *seg)
{
    for (int i = 0; i <= CLICKLOG_SINKS_MAX; i++) {
        if (log->places[i].hint == seg)
            log->places[i].hint = NULL;
    }
}

/* The first position past the readable records of `seg`. */
static inline uint64_t segment_end(const struct clicklog *log, const struct segment *seg)
{
    struct segment *next = segment_next((struct segment *)seg);
    uint64_t tail = 0;

    if (!next) {
        tail = atomic_load_explicit(&log->tail, memory_order_acquire);
        /* The worker may have gone on to the next segment between the two reads.  Then the tail
         * belongs to the next one, and slots left empty here would be taken for lost clicks. */
        next = segment_next((struct segment *)seg);
    }
    return next ? next->header.first : tail;
}

#endif
