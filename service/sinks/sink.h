/* sink.h - what a type of sink is: it is opened, takes ranges of logs, and is closed.
 *
 * All calls come from the sink's own thread (sink_thread.h), so they may wait; but a put must
 * return soon after `stopping` is set.  A type stores no records for later: the thread sends again
 * what the type has not confirmed. */
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
    SINK_DONE,   /* the system has every record below result->to */
    SINK_LATER,  /* try the same range again later; result->why says why */
    SINK_FAILED, /* the system refuses what is below result->to: listed as failed, the rest goes on
                  */
    SINK_OFF,    /* the system takes nothing more, until `hopcount sinks retry` */
};

enum { SINK_RESULT_WHY_MAX = 160 };

struct sink_result {
    uint64_t to;      /* DONE, FAILED: the end of what this is about; the batch's before the call */
    uint64_t n_sent;  /* DONE: records taken */
    bool goes_on;     /* DONE: the rest of the range needs no writing down of its own */
    int64_t retry_ms; /* LATER: how long to wait; 0 = as long as the thread's back-off says */
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
    /* After a crash the same range must be sent again under the same name, so the thread writes
     * each range to its state before the put.  False for systems that tell what they hold. */
    bool has_intents;
    bool holds_people;       /* sink_hold.h */
    bool leaves_out_omitted; /* unless `types` names them */
    unsigned rows_max;       /* positions in one put, at most */
    /* A range may be as long as so many puts, each of which takes a part from its beginning, of a
     * length that is the same after a crash, and says where it ends.  0 = 1. */
    unsigned parts_max;
    int64_t linger_ms; /* how long records may wait for more of them */
    /* NULL and `*err` when it can't work with this configuration; connects to nothing. */
    void *(*open)(const struct sink_options *options, struct error *err);
    enum sink_outcome (*put)(void *self, struct sink_batch *batch, struct sink_result *result);
    /* For systems that keep the cursor themselves, and may lose it together with the records; NULL
     * for others.  Sets the cursor of the log, 0 when there is none.  False: no answer. */
    bool (*ask)(void *self, const uint8_t *log_id, uint64_t *cursor);
    void (*close)(void *self); /* NULL is allowed */
};

/* Sets `why`, cut to fit. */
void sink_result_why(struct sink_result *result, const char *format, ...) PRINTF_LIKE(2, 3);

extern const struct sink_type sink_type_file, sink_type_webhook, sink_type_clickhouse,
    sink_type_kafka, sink_type_stream;

#endif
