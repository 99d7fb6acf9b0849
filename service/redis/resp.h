/* resp.h - the Redis protocol (RESP2): encodes commands, and reads answers within limits. */
#ifndef REDIS_RESP_H
#define REDIS_RESP_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct evbuffer;
struct redisReply;
struct resp_reader;

/* The limits of an answer, above what a correct server sends.  An answer takes at most about twice
 * `bytes` plus 80 bytes per element of memory. */
struct resp_limits {
    size_t bytes;    /* on the wire */
    size_t elements; /* in all its arrays together, as announced */
};

enum {
    RESP_ANSWER_MAX = 64 << 20, /* bytes: upper bound of all limits */
    RESP_LINE_MAX = 64 << 10,   /* bytes of a number, status or error line */
    RESP_DEPTH_MAX = 5,         /* nesting of arrays; HELLO and CLUSTER SLOTS need four */
};

/* Encodes a command; false: out of memory, and nothing was added. */
MUST_USE bool resp_write_command(struct evbuffer *out, const struct slice *argv, size_t argc);

/* Makes a reader of answers from a byte stream.  NULL: out of memory. */
MUST_USE struct resp_reader *resp_reader_new(const struct resp_limits *limits);
void resp_reader_free(struct resp_reader *reader);

/* Moves the bytes of `in` into the reader; false: out of memory. */
MUST_USE bool resp_reader_feed(struct resp_reader *reader, struct evbuffer *in);

enum resp_status {
    RESP_ANSWER,
    RESP_MORE,
    RESP_TOO_LARGE, /* over a limit, or out of memory */
    RESP_BROKEN,    /* not valid RESP */
};

/* On RESP_ANSWER the next complete answer.  It belongs to the reader until resp_answer_free(),
 * which must be called before the next call.  After RESP_TOO_LARGE and RESP_BROKEN nothing more can
 * be read.  resp_answer_free() accepts NULL, for when the reader and its answer have been freed
 * meanwhile. */
MUST_USE enum resp_status resp_reader_next(struct resp_reader *reader, struct redisReply **answer);
void resp_answer_free(struct resp_reader *reader);

#endif
