/* clickstore.h - the click logs of one state_dir: the disk side of the ledger (FORMATS.md "Click
 * log").
 *
 * Each worker appends to a log of its own.  The ledger thread reads all logs, including those of
 * earlier starts, and reports up to which position each has been applied.  A keeper thread prepares
 * segments ahead, syncs them and deletes them, so that appending never waits.
 *
 *     worker: clicklog_append ──▶ mapped segments ──▶ clicklog_read :ledger thread
 *                                      ▲
 *                            keeper: prepare, sync, delete
 *
 * While the disk accepts no writes, segments are plain memory; they are copied to files when it
 * does again.  A process that opens a store has a handler for SIGBUS (segment_guard.h), so that a
 * segment file that is truncated or unreadable loses clicks and doesn't end the process. */
#ifndef CLICKLOG_CLICKSTORE_H
#define CLICKLOG_CLICKSTORE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/clicklog/clickstore_options.h"

struct clicklog;
struct clickstore;
struct error;

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

/* Makes a log for relabellings or events, which are not clicks and are counted separately. */
MUST_USE struct clicklog *clickstore_new_relabel_log(struct clickstore *store, struct error *err);

/* A snapshot for metrics; any thread. */
struct clickstore_stats {
    uint64_t appended;           /* clicks appended by this process */
    uint64_t n_relabels_dropped; /* relabellings dropped for want of room; not in `dropped` */
    uint64_t recovered; /* positions found in clicks' logs of earlier starts, lost ones included */
    uint64_t dropped[CLICKLOG_DROPS];
    uint64_t disk_bytes, memory_bytes; /* spare segments included */
    uint64_t n_segments;
    uint64_t n_set_aside; /* files set aside by this process */
    bool degraded;        /* memory mode: new clicks would not survive the process */
    int last_errno;       /* errno of the last failure of the disk; 0 = none so far */
};
void clickstore_stats(struct clickstore *store, struct clickstore_stats *out);

/* Whether records that were appended up to `at_ms` (Unix) may still be in a log: a segment that
 * began by then is there.  The one in use stays until the next append after its time.  Any thread.
 */
bool clickstore_holds(struct clickstore *store, int64_t at_ms);

#endif
