/* sink.h - what a type of sink is: it is opened, takes ranges of logs, and is closed.
 *
 * All calls come from the sink's own thread (sink_thread.h), so they may wait; but a put must end
 * soon after `stopping` is set.  A type keeps nothing of what it was given: what it has not
 * confirmed comes again. */
#ifndef SINKS_SINK_H
#define SINKS_SINK_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/sinks/record.h"

struct config_sink;
struct error;
struct sink_batch;

enum sink_outcome {
    SINK_DONE,   /* everything below result->to is where it belongs */
    SINK_LATER,  /* the same again, later; result->why says why */
    SINK_FAILED, /* this will not be taken up to result->to: it is listed, and the next is tried */
    SINK_OFF,    /* nothing will be taken any more, until somebody says `hopcount sinks retry` */
};

enum { SINK_RESULT_WHY_MAX = 160 };

struct sink_result {
    uint64_t to;      /* DONE, FAILED: at most the batch's, which it is before the call */
    uint64_t n_sent;  /* DONE: records */
    int64_t retry_ms; /* LATER: after so long; 0 = after the thread's own back-off */
    char why[SINK_RESULT_WHY_MAX];
};

struct sink_options {
    const struct config_sink *config; /* till close */
    struct record_form form;
    const char *redis_url; /* of the counters */
    int64_t redis_timeout_ms;
    const atomic_bool *stopping; /* a put gives up: SINK_LATER */
};

struct sink_type {
    /* A range is sent again under the same name after a crash, so it is written down first.  Else
     * what is there tells which range it holds. */
    bool has_intents;
    bool holds_people;       /* sink_hold.h */
    bool leaves_out_omitted; /* unless `types` names them */
    unsigned rows_max;       /* positions in one put, at most */
    int64_t linger_ms;       /* how long records may wait for more of them */
    /* NULL and `*err` when it can't work with this configuration; connects to nothing. */
    void *(*open)(const struct sink_options *options, struct error *err);
    enum sink_outcome (*put)(void *self, struct sink_batch *batch, struct sink_result *result);
    /* Of a sink that keeps the cursor itself and may lose it with what it covers; NULL of others.
     * The cursor of the log, 0 when there is none.  False: it doesn't tell. */
    bool (*ask)(void *self, const uint8_t *log_id, uint64_t *cursor);
    void (*close)(void *self); /* NULL is allowed */
};

/* Sets `why`, cut to fit. */
void sink_result_why(struct sink_result *result, const char *format, ...) PRINTF_LIKE(2, 3);

extern const struct sink_type sink_type_file, sink_type_webhook, sink_type_clickhouse,
    sink_type_kafka, sink_type_stream;

#endif
