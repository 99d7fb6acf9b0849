/* state_feed.h - keeps a process's state table up to date with Redis, in a thread of its own.
 *
 *   Redis: tables of states ── loaded whole when entries of the stream were missed ──▶
 *          stream of new entries ── read when Redis says that there are some ───────▶ state_table
 *   state_dir/state: the table as of the last stop ── read at the start ─────────────▶
 *
 * For each shard the thread keeps how many entries its stream has ever had, and the id of the last
 * entry that it read.  The thread loads the shard's tables whole when the stream's own count shows
 * that entries were deleted before we read them, or when the count is lower than what we have read
 * (after a failover or a restore).  Entries merge in any order (state.h), so loading twice, or from
 * an older copy, does no harm.
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
    int64_t retention_s; /* states that end (state_type_ends()) are forgotten after so long */
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
    int64_t age_ms; /* since Redis last answered with new entries or none; -1 = never */
    int64_t lag_ms; /* of the newest entry: from Redis' stream to this table */
    uint64_t n_loads;
    bool is_known;
};
/* Any thread. */
void state_feed_stats(const struct state_feed *feed, struct state_feed_stats *out);

#endif
