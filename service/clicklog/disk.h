/* disk.h - the keeper's state of the disk: whether segments can be made and synced.
 *
 *     works ──a segment can't be made or synced──▶ failed (memory mode)
 *       ◀──── one is made, after a doubling, capped delay ────┘
 *
 * Called by the keeper only. */
#ifndef CLICKLOG_DISK_H
#define CLICKLOG_DISK_H
#include <stdbool.h>
#include <stdint.h>

struct clickstore;
struct segment;

/* Enters memory mode, because the disk refused; a new segment is tried after a backoff. */
void disk_failed(struct clickstore *store, int errnum, int64_t now_ms);
/* Leaves memory mode: a segment was made and synced. */
void disk_works(struct clickstore *store);
/* The file of `seg` can't be written, or a sync of it failed: its clicks may not survive a crash of
 * the machine. */
void disk_segment_failed(struct clickstore *store, struct segment *seg, int errnum);

/* Syncs what was appended to `seg` so far; the first time also its directory entry and its blocks.
 */
void disk_sync(struct clickstore *store, struct segment *seg);

/* Sets whether `disk_max` is reached; logs a change. */
void disk_set_capped(struct clickstore *store, bool capped);

#endif
