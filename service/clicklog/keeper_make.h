/* keeper_make.h - the keeper's making and deleting of segments, and what it knows of the disk.
 *
 *     disk works ──a segment can't be made or synced──▶ disk failed (memory mode)
 *          ◀──── made, after a doubling, capped delay ────┘
 */
#ifndef CLICKLOG_KEEPER_MAKE_H
#define CLICKLOG_KEEPER_MAKE_H
#include <stdbool.h>
#include <stdint.h>

struct clicklog;
struct clickstore;
struct segment;

/* Fills the spares of a live log: one on disk if it takes it, and some in memory while there is
 * room, for when the disk is late; more when it takes none.  True: more are wanted on disk, but the
 * other logs come first, for each takes as long as the disk. */
bool keeper_make_spares(struct clicklog *log, int64_t now_ms);

/* The file takes no more, or its sync has failed: what it holds may not outlive the machine. */
void keeper_segment_failed(struct clickstore *store, struct segment *seg, int errnum);
/* Has a segment on disk, and all that was appended to it so far; notes whether that failed. */
void keeper_sync(struct clickstore *store, struct segment *seg);

/* Spares of SPARE_MEMORY or SPARE_DISK that the worker may take; any thread. */
unsigned keeper_count_spares(const struct clicklog *log, int kind);
/* Bytes of the spares in memory; any thread. */
uint64_t keeper_spare_memory(const struct clicklog *log);

/* Copies segments that would not survive the process (in memory, or their file broke) to new files,
 * once the disk takes them again.  When the log has `ended`: the one in use too, and one last try
 * whatever the disk did before. */
void keeper_rescue(struct clicklog *log, bool ended);

/* Deletes what was applied `retain_ms` ago, or is over `retain_max`; old logs whole. */
void keeper_delete_applied(struct clickstore *store, int64_t now_ms);

/* The disk refused; memory mode until it takes a segment again. */
void keeper_disk_failed(struct clickstore *store, int errnum, int64_t now_ms);

#endif
