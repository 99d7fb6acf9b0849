/* disk.h - what the keeper knows of the disk: whether it takes segments, and whether syncs succeed.
 *
 *     works ──a segment can't be made or synced──▶ failed (memory mode)
 *       ◀──── one is made, after a doubling, capped delay ────┘
 *
 * Called by the keeper only.
 */
#ifndef CLICKLOG_DISK_H
#define CLICKLOG_DISK_H
#include <stdbool.h>
#include <stdint.h>

struct clickstore;
struct segment;

/* The disk refused: memory mode until it takes a segment again. */
void disk_failed(struct clickstore *store, int errnum, int64_t now_ms);
/* A segment was made and synced. */
void disk_works(struct clickstore *store);
/* The file of `seg` takes no more, or a sync of it failed: its clicks may not outlive the machine.
 */
void disk_segment_failed(struct clickstore *store, struct segment *seg, int errnum);

/* Writes to disk what was appended to `seg` so far; the first time also its name and its room. */
void disk_sync(struct clickstore *store, struct segment *seg);

/* `disk_max` is reached, or no longer; logs the change. */
void disk_set_capped(struct clickstore *store, bool capped);

#endif
