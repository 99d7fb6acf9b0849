/* segment_map.h - one segment in memory: a mapped file, or plain memory when the disk takes none.
 *
 * Made by the keeper, filled by a worker, read by the ledger thread, freed by the keeper.  A
 * segment keeps no descriptor open: there may be thousands, and what is written to the mapping is
 * synced through the mapping.
 */
#ifndef CLICKLOG_SEGMENT_MAP_H
#define CLICKLOG_SEGMENT_MAP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/segment.h"
#include "service/clicklog/segment_guard.h"

struct segment {
    _Atomic(struct segment *) next; /* set once by the worker that goes on to it */
    uint8_t *map;                   /* the header, then the records */
    size_t map_len;
    uint64_t bytes;               /* counted against disk_max or memory_max */
    struct segment_header header; /* `first` is set before the segment is published */
    uint32_t n_slots;             /* records that may be written, or of an old one, are there */
    bool on_disk;
    bool settled;          /* the keeper's: see segment_settle() */
    atomic_int sync_errno; /* a sync failed: what it holds may not outlive the machine */
    int64_t applied_ms;    /* the keeper's: since when it is wholly applied, monotonic; 0 = not */
    struct segment_guard guard;
};

/* What a file needs to be made: `logs_fd` is the directory of logs, the log's own must exist. */
struct segment_place {
    int logs_fd;
    uint8_t log_id[CLICK_LOG_ID_LEN];
    uint32_t sequence;
};

/* Bytes a segment of `capacity` records takes. */
static inline uint64_t segment_bytes(uint32_t capacity)
{
    return SEGMENT_HEADER_LEN + (uint64_t)capacity * CLICK_RECORD_LEN;
}

static inline uint8_t *segment_slot(const struct segment *seg, uint64_t index)
{
    return seg->map + SEGMENT_HEADER_LEN + index * CLICK_RECORD_LEN;
}

/* True when clicks appended to it go to a file, and the file works. */
static inline bool segment_is_safe(const struct segment *seg)
{
    return seg->on_disk && !atomic_load_explicit(&seg->guard.hit, memory_order_acquire) &&
           atomic_load_explicit(&seg->sync_errno, memory_order_relaxed) == 0;
}

/* Makes, maps and touches a file of room for `capacity` records.  What is appended to it outlives
 * the process from now on, the machine once it is settled: that takes as long as the disk, this
 * doesn't.  NULL and `*errnum` when the disk refuses; nothing is left behind. */
MUST_USE struct segment *segment_new_file(const struct segment_place *place, uint32_t capacity,
                                          int64_t now_ms, int *errnum);

/* The same in plain memory; NULL when out of memory. */
MUST_USE struct segment *segment_new_memory(const uint8_t log_id[static CLICK_LOG_ID_LEN],
                                            uint32_t capacity, int64_t now_ms);

enum segment_open {
    SEGMENT_OPEN_OK,
    SEGMENT_OPEN_FAILED,     /* `*errnum` says why: nothing is known of the content */
    SEGMENT_OPEN_NO_SEGMENT, /* not a regular file, too short, or not a segment at all */
    SEGMENT_OPEN_NEWER,
    SEGMENT_OPEN_DAMAGED,
    SEGMENT_OPEN_MISPLACED, /* of another log, or another number than its name says */
    SEGMENT_OPEN_BLANK, /* nothing, or zeros only: it was not settled when the machine stopped */
};

/* Maps the file of an earlier start for reading; `n_slots` is what the file has, cut off or not. */
MUST_USE enum segment_open segment_open_file(const struct segment_place *place,
                                             struct segment **out, int *errnum);

/* The worker's: from `first` on, clicks go to this segment. */
void segment_activate(struct segment *seg, uint64_t first);

/* Makes the pages of [from, from + len) bytes present and writable, so that the worker does not
 * wait for them; clipped to the segment.  Never changes their content.  False: the file behind
 * them is gone or full. */
bool segment_touch(struct segment *seg, uint64_t from, uint64_t len);

/* Takes the pages out of the process, if they are a file's: the content stays in the page cache or
 * on disk and comes back when it is looked at. */
void segment_forget(struct segment *seg);

/* Has the file, its room and its name on disk when it returns, so that later syncs need not change
 * the file's metadata; 0, or an errno.  Nothing to do for memory, or the second time. */
MUST_USE int segment_settle(struct segment *seg, int logs_fd);

/* Writes what is in the file to disk; 0, or an errno.  Nothing to do for memory. */
MUST_USE int segment_sync(struct segment *seg);

/* "<log id>/<file>", relative to the directory of logs. */
enum { SEGMENT_PATH_LEN = SEGMENT_LOG_NAME_LEN + 1 + SEGMENT_FILE_NAME_LEN };
void segment_path(const uint8_t log_id[static CLICK_LOG_ID_LEN], uint32_t sequence,
                  char out[static SEGMENT_PATH_LEN + 1]);

/* Deletes the file, if it is one. */
void segment_unlink(const struct segment *seg, int logs_fd);

/* Cuts the file, if it is one, after `n` records and sets `bytes`: gives back room reserved for
 * records that never came.  None may be appended or read behind the cut afterwards. */
void segment_trim(struct segment *seg, int logs_fd, uint64_t n);

/* Unmaps; the file stays.  NULL is allowed. */
void segment_free(struct segment *seg);

#endif
