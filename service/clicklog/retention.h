/* retention.h - deletes applied segments, and accounts for the space of all segments.
 *
 * An applied segment is kept until every sink is past it, and for a replay, because Redis may lose
 * its counts in a failover.  It is deleted when `retain_ms` have passed, when `retain_max` is
 * exceeded, or when new clicks need the space; then those go first that no sink waits for.  The
 * segment in use stays; the keeper sees to it that the next click leaves it behind when it is as
 * old.  Called by the keeper only. */
#ifndef CLICKLOG_RETENTION_H
#define CLICKLOG_RETENTION_H
#include <stdbool.h>
#include <stdint.h>

struct clicklog;
struct clickstore;
struct segment;

/* Deletes the applied segments whose retention is over, and empty directories of logs. */
void retention_run(struct clickstore *store, int64_t now_ms);

/* Whether one more segment fits under disk_max, or memory_max if not `on_disk`. */
bool retention_has_room(struct clickstore *store, bool on_disk);
/* The same, but deletes applied segments to make room, those applied first first. */
bool retention_make_room(struct clickstore *store, bool on_disk);

/* Deletes the file that was applied first, for when the disk is full before `disk_max` is reached.
 * False: no file is applied. */
bool retention_give_way(struct clickstore *store);

/* Whether Redis and every sink have all records below `position`. */
bool retention_is_past(const struct clicklog *log, uint64_t position);

/* Adds a new segment to the space in use. */
void retention_count_in(struct clickstore *store, const struct segment *seg);
/* Subtracts the segment from the space in use, deletes its file and frees it. */
void retention_delete(struct clickstore *store, struct segment *seg);

#endif
