/* answer.h - turns the bytes of a request into the bytes of its reply: parses, decides (route.h),
 * labels, appends the click to the log, writes the reply, counts.  Never waits or allocates. */
#ifndef PUBLIC_ANSWER_H
#define PUBLIC_ANSWER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/http1.h"
#include "proto/ip.h"
#include "proto/slice.h"
#include "service/public/counters.h"
#include "service/state/one_use.h"

struct access_ring;
struct answerer;
struct clicklog;
struct config_public;
struct error;
struct label_rules;
struct site;
struct state_table;
struct event_log;
struct loop_clock;
struct one_use;

struct answerer_options {
    const struct config_public *config;
    struct clicklog *log;
    const struct state_table *states;
    bool honours_gpc;         /* a click with Sec-GPC: 1 counts in sums of campaigns only */
    struct event_log *events; /* gets what presses change; NULL: as if the log had no room */
    struct one_use *one_use;  /* NULL: no link can be used up */
    const struct label_rules *label_rules;
    struct access_ring *access; /* NULL: no access log */
    struct worker_counters *counters;
    const struct loop_clock *clock; /* call loop_clock_read() before each request */
};

/* Borrows everything in `*options` as long as it lives; takes a reference to `site`. */
MUST_USE struct answerer *answerer_new(const struct answerer_options *options, struct site *site,
                                       struct error *err);
/* NULL is allowed. */
void answerer_free(struct answerer *answerer);

/* Answers from `site` from now on, and takes over the caller's reference to it. */
void answerer_set_site(struct answerer *answerer, struct site *site);

/* Where a request came from. */
struct answer_source {
    uint8_t ip[IP_LEN];
    struct http1_scan scan; /* state of the scan of the request at the start of the input */
    bool is_last; /* the connection is closed after this request, and the reply is to say so */
};

enum answer_then {
    ANSWER_KEEP,    /* the connection stays open for the next request */
    ANSWER_CLOSE,   /* the reply has Connection: close */
    ANSWER_REFUSED, /* Connection: close, and further input must not be read as a request */
    ANSWER_LATER,   /* there is no reply yet: answer_late() makes it */
};

/* Presses that wait for Redis, of one answerer. */
enum { ANSWER_LATE_MAX = ONE_USE_MAX };

struct answer {
    size_t request_len; /* bytes of input consumed */
    size_t reply_len;   /* bytes written, at most REPLY_MAX */
    enum answer_then then;
    unsigned late; /* of ANSWER_LATER: 0…ANSWER_LATE_MAX - 1, the ticket of its one_use_ask() */
};

/* Answers the request at the start of `in`.  If it is a click, the click is in the log when this
 * returns.  False: the request is not complete; call again with more bytes and the same source. */
MUST_USE bool answer_next(struct answerer *answerer, struct slice in, struct answer_source *source,
                          char *out, struct answer *answer);

/* Writes the reply to the press `late` for the outcome `use`, and sets all of `*answer` but
 * request_len.  `out` has room for REPLY_MAX bytes.  Call it even if the client has gone, because
 * the use counts all the same. */
void answer_late(struct answerer *answerer, unsigned late, enum one_use_outcome outcome, char *out,
                 struct answer *answer);

/* Writes the 408 reply for a head that was not complete in time, at most REPLY_HEAD_MAX bytes;
 * returns its length. */
size_t answer_timeout(struct answerer *answerer, char *out);

#endif
