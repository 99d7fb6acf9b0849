/* spares.h - makes segments ahead of the worker, on disk or in memory, and copies those in memory
 * to disk when it works again.  Called by the keeper; the counts by any thread. */
#ifndef CLICKLOG_SPARES_H
#define CLICKLOG_SPARES_H
#include <stdbool.h>
#include <stdint.h>

struct clicklog;

/*
 * Adds spares to a live log: one on disk, if the disk accepts it, and some in memory, in case the
 * disk is late.  While the disk accepts no writes, all spares are in memory.  True: the log needs
 * more on disk; the caller serves other logs first, because each one waits for the disk.
 */
bool spares_make(struct clicklog *log, int64_t now_ms);

/* Spares of SPARE_MEMORY or SPARE_DISK that the worker may take; any thread. */
unsigned spares_count(const struct clicklog *log, int kind);
/* Bytes of the spares in memory; any thread. */
uint64_t spares_memory(const struct clicklog *log);

/*
 * Copies the segments that would not survive the process (those in memory, and those whose file
 * failed) to new files, if the disk works.  With `ended` the segment in use is copied too, and the
 * disk is tried even if it has refused until now.
 */
void spares_rescue(struct clicklog *log, bool ended);

#endif
