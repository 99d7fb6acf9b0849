/* access_log.h - a line per request, or per so many, for those who want to follow requests: what
 * was answered, the link's id and the caller's trace.  No token, no address, no agent.
 *
 * A worker only copies a record into a ring of its own, which never waits; a thread writes lines of
 * the records.  What finds its ring full, or comes over the limit of lines per second, is dropped
 * and counted.
 *
 *     worker ── ring ─┐
 *     worker ── ring ─┴─▶ thread ──▶ stderr
 */
#ifndef PUBLIC_ACCESS_LOG_H
#define PUBLIC_ACCESS_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/token.h"
#include "proto/traceparent.h"
#include "service/public/counters.h"

struct access_log;
struct access_ring; /* of one worker */
struct error;

enum { ACCESS_KIND_MAX = 32 };

struct access_record {
    int64_t time_ms;
    uint64_t
        link_id; /* 0 = none that may be told: no link, or one whose clicks are only summed up */
    enum outcome outcome;
    bool is_click; /* `reason` is why it got its label */
    uint8_t reason;
    uint16_t campaign;                                      /* 0 = none */
    char brand[TOKEN_BRAND_MAX + 1], kind[ACCESS_KIND_MAX]; /* "" = none */
    char method[8];
    bool has_trace;
    struct traceparent trace;
};

struct access_log_options {
    unsigned n_workers;
    int64_t sample; /* one request of so many; at least 1 */
    int64_t lines_max_per_s;
};

/* Starts the thread.  NULL and `*err` on failure. */
MUST_USE struct access_log *access_log_new(const struct access_log_options *options,
                                           struct error *err);
/* After the workers have ended: writes what they left, and frees.  NULL is allowed. */
void access_log_free(struct access_log *log);

/* The ring of a worker, valid as long as the log.  NULL if `log` is. */
struct access_ring *access_log_ring(struct access_log *log, unsigned worker);

/* Of the worker's own thread.  Counts a request; whether it is one of those to be written. */
MUST_USE bool access_ring_wants(struct access_ring *ring);
void access_ring_add(struct access_ring *ring, const struct access_record *record);

/* Records dropped since the start; any thread.  0 if `log` is NULL. */
uint64_t access_log_dropped(struct access_log *log);

#endif
