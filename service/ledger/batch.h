/* batch.h - what a fold holds for one shard, as the arguments of the batch script (FORMATS.md
 * "Batch").
 */
#ifndef LEDGER_BATCH_H
#define LEDGER_BATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

struct batch;
struct fold;
struct people_sent;

enum {
    BATCH_CURSOR_TTL_S = 30 * 86400, /* a cursor expires so long after its last batch */
    BATCH_EVENT_TTL_S = 30 * 86400,  /* how long a repetition of an event has no effect */
    BATCH_USES_TTL_S =
        400 * 86400, /* after its last use; longer than any link with an end is valid */
};

struct batch_options {
    unsigned records_max; /* as of the fold */
    unsigned n_shards;
    int64_t retention_hours_s, retention_days_s, retention_cells_s;
    uint32_t cells_len_max;          /* bytes of cells of a campaign's day; more are left out */
    struct people_sent *people_sent; /* people and clicks it holds are left out; the caller's */
};

/* How long a series of the interval is kept after its first record. */
int64_t batch_retention_s(const struct batch *batch, enum counter_interval interval);

/* NULL: out of memory.  Nothing is allocated after it. */
MUST_USE struct batch *batch_new(const struct batch_options *options);
void batch_free(struct batch *batch);

/* Sorts what `fold` holds by shard; it must not change until the last batch_build().  NULL: there
 * is nothing, for moving cursors only. */
void batch_begin(struct batch *batch, const struct fold *fold);

struct batch_range {
    const uint8_t *log_id; /* CLICK_LOG_ID_LEN bytes */
    uint64_t from, to;
    unsigned shard;
    bool with_script; /* EVAL with the text: the server may not know it yet */
};

/* The arguments are the batch's until the next batch_build(). */
struct batch_command {
    const struct slice *argv;
    size_t argc;
    struct slice key; /* that of the cursor */
};

/* Builds the command that moves the shard's cursor and applies what the fold holds for it.  Clicks
 * on invoices are added to options.people_sent: unless the command is applied, the caller forgets
 * all of them (people_sent_forget()). */
void batch_build(struct batch *batch, const struct batch_range *range, struct batch_command *out);

/* The fold holds something for this shard. */
bool batch_has(const struct batch *batch, unsigned shard);

#endif
