/* answer.h - from the bytes of a request to the bytes of its reply: parses, lets route.h decide,
 * labels, puts the click into the log, writes the reply, counts.  No waiting, no allocation.
 */
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

struct answerer;
struct clicklog;
struct config_public;
struct error;
struct label_rules;
struct site;
struct state_table;
struct loop_clock;

struct answerer_options {
    const struct config_public *config;
    struct clicklog *log;
    const struct state_table *states;
    const struct label_rules *label_rules;
    struct worker_counters *counters;
    const struct loop_clock *clock; /* begun before each call */
};

/* Borrows all of `*options` as long as it lives; takes a reference of `site`. */
MUST_USE struct answerer *answerer_new(const struct answerer_options *options, struct site *site,
                                       struct error *err);
/* NULL is allowed. */
void answerer_free(struct answerer *answerer);

/* From now on answers from `site`, whose reference it takes over. */
void answerer_set_site(struct answerer *answerer, struct site *site);

/* Where a request came from. */
struct answer_source {
    uint8_t ip[IP_LEN];
    struct http1_scan scan; /* of the request at the start of the input */
    bool is_last;           /* the connection closes after it: the reply shall say so */
};

enum answer_then {
    ANSWER_KEEP,    /* the next request may follow */
    ANSWER_CLOSE,   /* the reply said Connection: close */
    ANSWER_REFUSED, /* so it did, and what follows must not be read as a request */
};

struct answer {
    size_t request_len; /* bytes of input that are done with */
    size_t reply_len;   /* bytes written, at most REPLY_MAX */
    enum answer_then then;
};

/* Answers the request at the start of `in`.  The click, if it is one, is in the log when this
 * returns.  False: it is not complete; call again with more bytes and the same source. */
MUST_USE bool answer_next(struct answerer *answerer, struct slice in, struct answer_source *source,
                          char *out, struct answer *answer);

/* Writes the 408 for a head that was not complete in time, at most REPLY_HEAD_MAX bytes; returns
 * its length. */
size_t answer_timeout(struct answerer *answerer, char *out);

#endif
