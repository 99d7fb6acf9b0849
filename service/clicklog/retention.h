/* retention.h - how long applied segments stay, and the room that all segments take.
 *
 * An applied segment is kept for a replay (after a failover Redis may have lost its counts) until
 * `retain_ms` have passed, `retain_max` is exceeded, or new clicks need the room.  Called by the
 * keeper only.
 */
#ifndef CLICKLOG_RETENTION_H
#define CLICKLOG_RETENTION_H
#include <stdbool.h>
#include <stdint.h>

struct clickstore;
struct segment;

/* Deletes the applied segments whose time is over, and the directories of logs that are empty. */
void retention_run(struct clickstore *store, int64_t now_ms);

/* True if one more segment fits under the cap of the disk or of memory. */
bool retention_has_room(struct clickstore *store, bool on_disk);
/* The same; first deletes applied segments, the one applied first first, where that helps. */
bool retention_make_room(struct clickstore *store, bool on_disk);

/* The disk is full before `disk_max` is reached: deletes the file that was applied first.  False:
 * there is none. */
bool retention_give_way(struct clickstore *store);

/* Counts a new segment in what is taken. */
void retention_count_in(struct clickstore *store, const struct segment *seg);
/* Counts it out, deletes its file and frees it. */
void retention_delete(struct clickstore *store, struct segment *seg);

#endif
