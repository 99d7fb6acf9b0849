/* sink_batch.h - a range of a log, read record by record for a sink. */
#ifndef SINKS_SINK_BATCH_H
#define SINKS_SINK_BATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/clicklog/clicklog.h"
#include "service/sinks/record.h"

struct config_sink;
struct error;
struct sink_hold;
struct sink_names;
struct state_table;

enum { SINK_BATCH_CHUNK = 256 };

/* What a sink wants of the records; the same for all its batches. */
struct sink_filter {
    uint32_t types;      /* bit 0 click, 1 relabel, 2 omitted, 3 + n event n */
    uint32_t labels;     /* bit n label n; of clicks and relabellings */
    char *const *brands; /* names; the configuration's */
    unsigned n_brands;
    char *const *kinds;
    unsigned n_kinds;
};

/* Reads the keys `types`, `labels`, `brands` and `kinds` of a sink.  `leaves_out_omitted`: without
 * `types`, records of RECORD_OMITTED are left out.  A preset takes clicks of people and payments.
 * False and `*err`, which names the key, when a value is unknown. */
MUST_USE bool sink_filter_init(struct sink_filter *filter, const struct config_sink *config,
                               bool leaves_out_omitted, struct error *err);

struct sink_batch {
    /* Set by the owner. */
    struct clicklog *log;
    unsigned sink; /* its number among the log's readers */
    uint64_t from, to;
    int64_t at_ms;  /* Unix: when this range was first to be sent; the same however often it is */
    bool is_intent; /* the range is in the sink's state: exactly this range must be sent */
    const struct sink_filter *filter;
    const struct sink_names *names;
    const struct state_table *states; /* NULL: nobody has opted out */
    struct sink_hold *hold;           /* NULL: clicks are sent with the labels they got at first */

    /* Set by sink_batch_start() and sink_batch_next(). */
    char log_hex[2 * CLICK_LOG_ID_LEN + 1];
    uint64_t at;        /* positions below were read */
    uint64_t n_missing; /* positions passed without a record: damaged or deleted … */
    uint64_t missing_from, missing_to; /* … all of them in here, if there are any */
    size_t n_rows, next_row;
    uint64_t read_to;
    struct clicklog_row rows[SINK_BATCH_CHUNK];
};

/* Before a range is begun: notes the relabellings at positions from `from` on, with `hold`; returns
 * where the log ended. */
uint64_t sink_batch_note_relabellings(struct sink_batch *batch, struct clicklog *log,
                                      uint64_t from);
/* Before a range is begun: how many of the `n` positions from `from` on may be sent by now. */
uint64_t sink_batch_count_ripe(struct sink_batch *batch, struct clicklog *log, uint64_t from,
                               uint64_t n);

/* Goes to the beginning of the range, maybe again. */
void sink_batch_start(struct sink_batch *batch);

/* The next record that the filter lets pass; false at the end of the range.  `*out` borrows from
 * the batch until the next call. */
MUST_USE bool sink_batch_next(struct sink_batch *batch, struct record *out);

#endif
