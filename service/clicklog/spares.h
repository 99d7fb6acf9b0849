/* spares.h - segments made ahead of the worker, on disk or in memory, and copied to disk when it
 * comes back.  Called by the keeper, but for the counts.
 */
#ifndef CLICKLOG_SPARES_H
#define CLICKLOG_SPARES_H
#include <stdbool.h>
#include <stdint.h>

struct clicklog;

/*
 * Fills the spares of a live log: one more on disk if the disk takes it, and some in memory, for
 * when the disk is late; as many in memory as are wanted when the disk takes none.  True: more are
 * wanted on disk, but other logs come first, since each takes as long as the disk.
 */
bool spares_make(struct clicklog *log, int64_t now_ms);

/* Spares of SPARE_MEMORY or SPARE_DISK that the worker may take; any thread. */
unsigned spares_count(const struct clicklog *log, int kind);
/* Bytes of the spares in memory; any thread. */
uint64_t spares_memory(const struct clicklog *log);

/*
 * Copies the segments that would not survive the process (they are in memory, or their file broke)
 * to new files, if the disk takes segments.  When the log has `ended`: the one in use too, and also
 * if the disk has refused until now.
 */
void spares_rescue(struct clicklog *log, bool ended);

#endif
