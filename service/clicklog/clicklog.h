/* clicklog.h - the click log: the disk side of the ledger (FORMATS.md "Click log").
 *
 * A store holds the logs of one state_dir.  Each worker appends to its own log.  The ledger thread
 * reads all logs, including those of earlier starts, and reports up to which position each has been
 * applied.  A keeper thread prepares segments ahead, syncs them and deletes them, so that appending
 * never waits.
 *
 *     worker: clicklog_append ──▶ mapped segments ──▶ clicklog_read :ledger thread
 *                                      ▲
 *                            keeper: prepare, sync, delete
 *
 * While the disk accepts no writes, segments are plain memory; they are copied to files when it
 * does again.  A process that opens a store has a handler for SIGBUS (segment_guard.h), so that a
 * segment file that is truncated or unreadable loses clicks and doesn't end the process. */
#ifndef CLICKLOG_H
#define CLICKLOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/base/durability.h"

struct clicklog;
struct clickstore;
struct error;

enum clickstore_mode {
    CLICKSTORE_SERVE,   /* the daemon: appends, reads, deletes */
    CLICKSTORE_DRAIN,   /* a tool that applies an orphaned state_dir: SERVE without new logs */
    CLICKSTORE_INSPECT, /* a tool that only reads: no lock, no keeper, no changes */
};

struct clickstore_options {
    const char *state_dir;
    enum clickstore_mode mode;
    size_t segment_bytes; /* size of one segment file, at least 128; 4 MiB hold 65,535 clicks */
    uint64_t disk_max;    /* bytes of all segments of the store */
    uint64_t memory_max;  /* bytes kept in memory while the disk accepts no writes */
    int64_t retain_ms;    /* how long a segment is kept after it was applied */
    uint64_t retain_max;  /* bytes of applied segments kept */
    int64_t sync_ms; /* durability INTERVAL: clicks of at most this long are lost by a power cut */
    enum durability durability;
};

/*
 * Opens `state_dir` (made if absent), locks it against a second process, recovers the logs of
 * earlier starts, starts the keeper.  A damaged, foreign or newer file is moved to `set-aside/`,
 * counted and logged.  NULL and `*err` on failure: the directory can't be made, or another process
 * has it locked (the text names its pid).  A directory that can't be written is opened in memory
 * mode, and logged.  Copies `options`.
 */
MUST_USE struct clickstore *clickstore_open(const struct clickstore_options *options,
                                            struct error *err);
/* Stops the keeper, syncs, and deletes logs that nothing was appended to.  Applied logs stay: the
 * next start keeps them until their retention is over.  Call after workers and reader have ended.
 * NULL is allowed. */
void clickstore_close(struct clickstore *store);

/* Makes a log that one worker appends to; it lives as long as the store.  Waits until the keeper
 * has prepared the first segment.  Any thread.  NULL and `*err`: no random bytes, no memory, or the
 * keeper has ended. */
MUST_USE struct clicklog *clickstore_new_log(struct clickstore *store, struct error *err);

/* Makes a log for relabellings, which are not clicks and are counted separately. */
MUST_USE struct clicklog *clickstore_new_relabel_log(struct clickstore *store, struct error *err);

/* Appends a click; never blocks, allocates or fails.  A click for which there is no room is counted
 * as dropped and takes no position.  One thread per log. */
void clicklog_append(struct clicklog *log, const struct click *click);
/* With durability CLICK, returns when all clicks appended by the calling worker are on disk, or the
 * disk failed.  Otherwise does nothing. */
void clicklog_sync(struct clicklog *log);

/* --- the reader's side: one thread --- */

/* The next log after `prev` (NULL = first): those of earlier starts first, oldest first, then new
 * ones.  A log whose last segment was deleted is skipped; its struct stays valid. */
struct clicklog *clickstore_next_log(struct clickstore *store, const struct clicklog *prev);

const uint8_t *clicklog_id(const struct clicklog *log); /* CLICK_LOG_ID_LEN bytes */
bool clicklog_is_live(const struct clicklog *log);      /* a worker of this process appends to it */
bool clicklog_holds_relabels(const struct clicklog *log); /* made by clickstore_new_relabel_log() */
int64_t clicklog_created_ms(const struct clicklog *log);  /* Unix time */
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

enum clicklog_drop {
    CLICKLOG_DROP_DISK_CAP, /* disk_max is used up by clicks not applied yet, and memory is full */
    CLICKLOG_DROP_MEMORY_CAP, /* the disk accepts no writes, and memory is full */
    CLICKLOG_DROP_NO_SEGMENT, /* the keeper had not prepared a segment in time */
    CLICKLOG_DROP_DAMAGED,    /* a position in a log of an earlier start is damaged or lost */
    CLICKLOG_DROPS
};

/* The `reason` label in metrics: "disk_cap", "memory_cap", "no_segment" or "damaged". */
const char *clicklog_drop_name(enum clicklog_drop drop);

/* A snapshot for metrics; any thread. */
struct clickstore_stats {
    uint64_t appended;           /* clicks appended by this process */
    uint64_t n_relabels_dropped; /* relabellings dropped for want of room; not in `dropped` */
    uint64_t recovered;          /* positions found in logs of earlier starts, lost ones included */
    uint64_t dropped[CLICKLOG_DROPS];
    uint64_t disk_bytes, memory_bytes; /* spare segments included */
    uint64_t n_segments;
    uint64_t n_set_aside; /* files set aside by this process */
    bool degraded;        /* memory mode: new clicks would not survive the process */
    int last_errno;       /* errno of the last failure of the disk; 0 = none so far */
};
void clickstore_stats(struct clickstore *store, struct clickstore_stats *out);

#endif
