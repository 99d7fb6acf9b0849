/* clicklog.h - one log of a store (clickstore.h): a worker appends to it, the ledger thread reads
 * it.  It lives as long as the store. */
#ifndef CLICKLOG_CLICKLOG_H
#define CLICKLOG_CLICKLOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/clicklog/clickstore_options.h"

struct clicklog;
struct clickstore;

/* Appends a click; never blocks, allocates or fails.  A click for which there is no room is counted
 * as dropped and takes no position.  One thread per log. */
void clicklog_append(struct clicklog *log, const struct click *click);
/* With durability CLICK, returns when all clicks appended by the calling worker are on disk, or the
 * disk failed.  Otherwise does nothing. */
void clicklog_sync(struct clicklog *log);

/* --- the ledger's side: one thread --- */

/* The next log of the store after `prev` (NULL = first): those of earlier starts first, oldest
 * first, then new ones.  A log whose last segment was deleted is skipped; its struct stays valid.
 */
struct clicklog *clicklog_next(struct clickstore *store, const struct clicklog *prev);

const uint8_t *clicklog_id(const struct clicklog *log); /* CLICK_LOG_ID_LEN bytes */
bool clicklog_is_live(const struct clicklog *log);      /* a worker of this process appends to it */
/* Made by clickstore_new_relabel_log(), in this process or an earlier one: holds no clicks. */
bool clicklog_holds_relabels(const struct clicklog *log);
int64_t clicklog_created_ms(const struct clicklog *log); /* Unix time */
/* The time of the last click in a log of an earlier start, Unix; 0 for a live log. */
int64_t clicklog_newest_ms(const struct clicklog *log);
/* Positions [first, tail) can be read; the first click of a log has position 0, and `first` moves
 * up as segments are deleted.  Any thread. */
uint64_t clicklog_first(const struct clicklog *log);
uint64_t clicklog_tail(const struct clicklog *log);

/*
 * Decodes at most `max` records from position `from` on into `out`.  Returns how many positions
 * were passed (0: no new records yet), and sets `*n_clicks` to the number of records decoded, at
 * most `max`.  Fewer records than positions are decoded when some are damaged or lost; a gap is
 * passed as a whole, so the positions passed may exceed `max`.
 *
 * Positions without a click are counted as dropped, once, however often they are read.  Those below
 * clicklog_first() are passed without counting; the caller accounts for them.
 */
size_t clicklog_read(struct clicklog *log, uint64_t from, size_t max, struct click *out,
                     size_t *n_clicks);

/* Decodes the first click in the 64 positions from `from` on, for prefetching; counts nothing.
 * False when there is none. */
MUST_USE bool clicklog_peek(struct clicklog *log, uint64_t from, struct click *out);

/* Reports that all positions below `position` are applied in every shard.  The store decides which
 * segments to delete (retain).  `position` may go back after a failover. */
void clicklog_set_applied(struct clicklog *log, uint64_t position);

/* --- a sink's side: one thread for each sink, which are numbered from 0 to options.n_sinks --- */

/* A record and its position. */
struct clicklog_row {
    uint64_t position;
    struct click click;
};

/* Decodes the records at positions [from, to) for sink number `sink`; `out` has room for all of
 * them.  Returns the position up to which there is nothing more to read, `from` when nothing new is
 * there yet.  Counts nothing: positions passed without a row are the caller's to count. */
uint64_t clicklog_read_rows(struct clicklog *log, unsigned sink, uint64_t from, uint64_t to,
                            struct clicklog_row *out, size_t *n_rows);

/* Reports that the sink needs nothing below `position` any more, even after a crash. */
void clicklog_set_passed(struct clicklog *log, unsigned sink, uint64_t position);

/* The `reason` label in metrics: "disk_cap", "memory_cap", "no_segment" or "damaged". */
const char *clicklog_drop_name(enum clicklog_drop drop);

#endif
