/* clicklog.h - the click log: the disk side of the ledger (FORMATS.md "Click log").
 *
 * A store is the logs of one state_dir.  Each worker appends to a log of its own; the ledger thread
 * reads all of them, those of earlier starts too, and says up to where they have been applied.  A
 * keeper thread prepares segments ahead, syncs and deletes them, so that appending never waits.
 *
 *     worker: clicklog_append ──▶ mapped segments ──▶ clicklog_read :ledger thread
 *                                      ▲
 *                            keeper: prepare, sync, delete
 *
 * When the disk takes nothing, segments are plain memory until it does again, and are then copied
 * to files.  A process that opens a store has a handler for SIGBUS (segment_guard.h), so that a
 * segment file that is truncated or can't be read costs clicks, not the process.
 */
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
    CLICKSTORE_DRAIN,   /* a tool that applies an orphaned state_dir: as SERVE, but no new logs */
    CLICKSTORE_INSPECT, /* a tool that looks: takes no lock, starts no keeper, changes no file */
};

struct clickstore_options {
    const char *state_dir;
    enum clickstore_mode mode;
    size_t segment_bytes; /* of one segment file, at least 128; 4 MiB hold 65,535 clicks */
    uint64_t disk_max;    /* bytes of all segments of the store */
    uint64_t memory_max;  /* bytes kept in memory when the disk takes none */
    int64_t retain_ms;    /* how long a segment stays after it was applied */
    uint64_t retain_max;  /* bytes of applied segments kept */
    int64_t sync_ms;      /* INTERVAL: at most this much is at risk */
    enum durability durability;
};

/*
 * Opens `state_dir` (made if absent), locks it against a second process, finds the logs of earlier
 * starts, starts the keeper.  A damaged, foreign or newer file is moved to `set-aside/`, counted
 * and logged.  NULL and `*err` on failure: the directory can't be made, or another process has it
 * (the text names its pid).  A directory that can't be written opens in memory mode, logged.
 * Copies `options`.
 */
MUST_USE struct clickstore *clickstore_open(const struct clickstore_options *options,
                                            struct error *err);
/* Stops the keeper, syncs, deletes logs that nothing was appended to; applied ones stay for the
 * next start, which retains them.  Workers and reader have ended.  NULL is allowed. */
void clickstore_close(struct clickstore *store);

/* The log that one worker appends to; lives as long as the store.  Waits for the keeper to prepare
 * its first segment; any thread.  NULL and `*err`: no randomness, memory or keeper. */
MUST_USE struct clicklog *clickstore_new_log(struct clickstore *store, struct error *err);

/* The same for relabellings, which are no clicks: they are counted apart. */
MUST_USE struct clicklog *clickstore_new_relabel_log(struct clickstore *store, struct error *err);

/* Appends; never blocks, allocates or fails: a click that finds no room is counted as dropped and
 * takes no position.  One thread per log. */
void clicklog_append(struct clicklog *log, const struct click *click);
/* Durability CLICK only, else does nothing: returns when all clicks appended by the calling worker
 * are on disk (or the disk failed). */
void clicklog_sync(struct clicklog *log);

/* --- the reader's side: one thread --- */

/* The next log after `prev` (NULL = first): earlier starts' first, by age.  New logs turn up at the
 * end; an old one whose last segment was deleted is passed over, its struct stays valid. */
struct clicklog *clickstore_next_log(struct clickstore *store, const struct clicklog *prev);

const uint8_t *clicklog_id(const struct clicklog *log);   /* CLICK_LOG_ID_LEN bytes */
bool clicklog_is_live(const struct clicklog *log);        /* a worker of this process appends */
bool clicklog_holds_relabels(const struct clicklog *log); /* of this process */
int64_t clicklog_created_ms(const struct clicklog *log);  /* Unix */
/* When the last click of an earlier start was made, Unix; 0 of a live log. */
int64_t clicklog_newest_ms(const struct clicklog *log);
/* Positions [first, tail) are there to read, the first click of a log is 0; `first` moves up as
 * segments are deleted.  Any thread. */
uint64_t clicklog_first(const struct clicklog *log);
uint64_t clicklog_tail(const struct clicklog *log);

/*
 * Decodes records from `from` on into `out`, at most `max`; returns how many positions were passed
 * and sets `*n_clicks` to the records decoded, never more than `max` (fewer when some are damaged
 * or lost; a gap is passed whole, so the positions passed may exceed `max`).  0 positions: nothing
 * there yet.  Positions that hold no click are counted once as dropped, however often they are
 * read; those below clicklog_first() are passed without: their loss is the caller's to judge.
 */
size_t clicklog_read(struct clicklog *log, uint64_t from, size_t max, struct click *out,
                     size_t *n_clicks);

/* The first click in the 64 positions from `from` on, for a look ahead: counts nothing.  False when
 * there is none. */
MUST_USE bool clicklog_peek(struct clicklog *log, uint64_t from, struct click *out);

/* All positions below `position` have been applied in every shard; what may be deleted is the
 * store's to decide (retain).  May go back after a failover. */
void clicklog_set_applied(struct clicklog *log, uint64_t position);

enum clicklog_drop {
    CLICKLOG_DROP_DISK_CAP,   /* disk_max is in use by clicks not applied yet, and memory is full */
    CLICKLOG_DROP_MEMORY_CAP, /* the disk takes nothing, and memory is full */
    CLICKLOG_DROP_NO_SEGMENT, /* the keeper was not in time */
    CLICKLOG_DROP_DAMAGED,    /* a position of an earlier start that can't be read, or a lost one */
    CLICKLOG_DROPS
};

/* "disk_cap", "memory_cap", "no_segment", "damaged": the `reason` of metrics. */
const char *clicklog_drop_name(enum clicklog_drop drop);

/* A snapshot for metrics; any thread. */
struct clickstore_stats {
    uint64_t appended;           /* clicks since start, by this process */
    uint64_t n_relabels_dropped; /* found no room in their log; not in `dropped` */
    uint64_t recovered;          /* positions in logs of earlier starts, lost ones too */
    uint64_t dropped[CLICKLOG_DROPS];
    uint64_t disk_bytes, memory_bytes; /* spares included */
    uint64_t n_segments;
    uint64_t n_set_aside; /* files set aside by this process */
    bool degraded;        /* new clicks would not survive the process: memory mode */
    int last_errno;       /* of the last failure of the disk; 0 = none so far */
};
void clickstore_stats(struct clickstore *store, struct clickstore_stats *out);

#endif
