/* segment_map.h - one segment in memory: a mapped file, or plain memory while the disk accepts no
 * writes.
 *
 * Made by the keeper, filled by a worker, read by the ledger thread, freed by the keeper.  A
 * segment keeps no descriptor open, because there may be thousands; it is synced through the
 * mapping. */
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
    _Atomic(struct segment *)
        next;     /* set once, by the worker, when it goes on to the next segment */
    uint8_t *map; /* the header, then the records */
    size_t map_len;
    uint64_t bytes;               /* what counts against disk_max or memory_max */
    struct segment_header header; /* `first` is set before the segment is published */
    uint32_t n_slots;             /* capacity in records; of an old segment, the records it holds */
    int64_t began_ms; /* Unix: when the worker went on to it; 0 = in an earlier start.  Set before
                         it is published */
    bool on_disk;
    bool settled; /* the keeper's; see segment_settle() */
    atomic_int
        sync_errno; /* errno of a failed sync: its clicks may not survive a crash of the machine */
    /* The keeper's: since when Redis has it, and since when every sink has it too; monotonic, 0 =
     * not yet. */
    int64_t counted_ms, applied_ms;
    struct segment_guard guard;
};

/* Where the file of a segment is made.  `logs_fd` is the directory of logs; the log's own directory
 * must exist. */
struct segment_place {
    int logs_fd;
    uint8_t log_id[CLICK_LOG_ID_LEN];
    uint32_t sequence;
};

/* The bytes that a segment of `capacity` records takes. */
static inline uint64_t segment_bytes(uint32_t capacity)
{
    return SEGMENT_HEADER_LEN + (uint64_t)capacity * CLICK_RECORD_LEN;
}

static inline uint8_t *segment_slot(const struct segment *seg, uint64_t index)
{
    return seg->map + SEGMENT_HEADER_LEN + index * CLICK_RECORD_LEN;
}

/* Whether clicks appended to it go to a file that works. */
static inline bool segment_is_safe(const struct segment *seg)
{
    return seg->on_disk && !atomic_load_explicit(&seg->guard.hit, memory_order_acquire) &&
           atomic_load_explicit(&seg->sync_errno, memory_order_relaxed) == 0;
}

/* Makes and maps a file with room for `capacity` records, and touches its first pages.  Clicks in
 * it survive the process from now on, and a crash of the machine after segment_settle(), which
 * waits for the disk; this function doesn't.  NULL and `*errnum` when the disk refuses; no file is
 * left behind. */
MUST_USE struct segment *segment_new_file(const struct segment_place *place, uint32_t capacity,
                                          int64_t now_ms, int *errnum);

/* Makes a segment in plain memory; NULL when out of memory. */
MUST_USE struct segment *segment_new_memory(const uint8_t log_id[static CLICK_LOG_ID_LEN],
                                            uint32_t capacity, int64_t now_ms);

enum segment_open {
    SEGMENT_OPEN_OK,
    SEGMENT_OPEN_FAILED,     /* `*errnum` says why; the content is not known */
    SEGMENT_OPEN_NO_SEGMENT, /* not a regular file, too short, or not a segment */
    SEGMENT_OPEN_NEWER,
    SEGMENT_OPEN_DAMAGED,
    SEGMENT_OPEN_MISPLACED, /* of another log, or with another number than in its name */
    SEGMENT_OPEN_BLANK,     /* empty, or zeros only: it was not settled when the machine stopped */
};

/* Maps the file of an earlier start for reading; `n_slots` is the number of records that the file
 * holds, even if it was cut. */
MUST_USE enum segment_open segment_open_file(const struct segment_place *place,
                                             struct segment **out, int *errnum);

/* Called by the worker: clicks from position `first` on go to this segment. */
void segment_activate(struct segment *seg, uint64_t first);

/* Makes the pages of bytes [from, from + len) present and writable, so that the worker's stores
 * take no page fault.  The range is clipped to the segment; its content stays.  False: the file
 * behind it is gone, or the disk is full. */
bool segment_touch(struct segment *seg, uint64_t from, uint64_t len);

/* Drops the pages of a file from the process's memory.  The content stays in the page cache or on
 * disk and is read again when needed. */
void segment_forget(struct segment *seg);

/* Syncs the file, its blocks and its directory entry, so that later syncs need not change the
 * file's metadata.  0, or an errno.  Does nothing for memory, or when called again. */
MUST_USE int segment_settle(struct segment *seg, int logs_fd);

/* Syncs the file's content; 0, or an errno.  Does nothing for memory. */
MUST_USE int segment_sync(struct segment *seg);

/* "<log id>/<file>", relative to the directory of logs. */
enum { SEGMENT_PATH_LEN = SEGMENT_LOG_NAME_LEN + 1 + SEGMENT_FILE_NAME_LEN };
void segment_path(const uint8_t log_id[static CLICK_LOG_ID_LEN], uint32_t sequence,
                  char out[static SEGMENT_PATH_LEN + 1]);

/* Deletes the file, if it is one. */
void segment_unlink(const struct segment *seg, int logs_fd);

/* Cuts the file, if there is one, after `n` records and sets `bytes`; gives back the space of
 * records that never came.  Nothing may be appended or read behind the cut afterwards. */
void segment_trim(struct segment *seg, int logs_fd, uint64_t n);

/* Unmaps; the file stays.  NULL is allowed. */
void segment_free(struct segment *seg);

#endif
