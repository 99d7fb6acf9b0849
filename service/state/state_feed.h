/* state_feed.h - keeps a process's state table up to date with Redis, in a thread of its own.
 *
 *   Redis: tables of states ── loaded whole when too much was missed ──▶
 *          stream of what is new ── asked for every POLL_MS ───────────▶ state_table
 *   state_dir/state: what was known at the last stop ── at start ──────▶
 *
 * The thread knows of each shard how many entries its stream ever had, and the id of the last one
 * it has read.  When the stream's own count says that entries are gone unread, or fewer than we
 * have seen (a failover, a restore), the shard's tables are loaded whole.  Entries only ever merge
 * (state.h), so loading twice, or from an older copy, does no harm.
 */
#ifndef STATE_STATE_FEED_H
#define STATE_STATE_FEED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct state_feed;
struct state_table;

struct state_feed_options {
    const char *redis_url; /* for the call only */
    unsigned n_shards;
    int64_t timeout_ms; /* of a connect and of a command */
    const char *state_dir;
    int64_t retention_s; /* states that end are forgotten so long after they were said */
};

/* Reads what `state_dir` holds and starts the thread, which writes to `table`.  A Redis that is
 * down and a file that is damaged are no failures.  NULL and `*err`: the URL is wrong, or there is
 * no memory or thread. */
MUST_USE struct state_feed *state_feed_new(struct state_table *table,
                                           const struct state_feed_options *options,
                                           struct error *err);
/* Stops the thread and writes the file.  NULL is allowed. */
void state_feed_free(struct state_feed *feed);

struct state_feed_stats {
    size_t n_entries, n_bytes;
    int64_t age_ms; /* since Redis was last asked for news with success; -1 = never */
    int64_t lag_ms; /* of the newest entry: from the ledger's script to this table */
    uint64_t n_loads;
    bool is_known;
};
/* Any thread. */
void state_feed_stats(const struct state_feed *feed, struct state_feed_stats *out);

#endif
