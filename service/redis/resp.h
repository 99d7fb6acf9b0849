/* resp.h - the Redis protocol: commands written into an output buffer, replies read within limits.
 */
#ifndef REDIS_RESP_H
#define REDIS_RESP_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct evbuffer;
struct redisReply;
struct resp_reader;

/* How much a reply may hold: what no server that is right would exceed.  The memory that one takes
 * is about twice `bytes` and 80 bytes per element at most. */
struct resp_limits {
    size_t bytes;    /* on the wire */
    size_t elements; /* of all its arrays together, as announced */
};

enum {
    RESP_REPLY_MAX = 64 << 20, /* bytes: the most that any limit says */
    RESP_LINE_MAX = 64 << 10,  /* bytes of a number, status or error */
    RESP_DEPTH_MAX = 5,        /* arrays in one another; HELLO and CLUSTER SLOTS need four */
};

/* Adds a command; false: out of memory, nothing was added. */
MUST_USE bool resp_write_command(struct evbuffer *out, const struct slice *argv, size_t argc);

/* Reads replies out of a stream of bytes.  NULL: out of memory. */
MUST_USE struct resp_reader *resp_reader_new(const struct resp_limits *limits);
void resp_reader_free(struct resp_reader *reader);

/* Takes what is in `in` into the reader; false: out of memory. */
MUST_USE bool resp_reader_feed(struct resp_reader *reader, struct evbuffer *in);

enum resp_status {
    RESP_REPLY,
    RESP_MORE,
    RESP_TOO_LARGE, /* over a limit, or out of memory */
    RESP_BROKEN,    /* not of the protocol */
};

/* The next whole reply on RESP_REPLY: the reader's, until resp_reply_free(), which comes before the
 * next call.  After RESP_TOO_LARGE and RESP_BROKEN nothing more can be read.  resp_reply_free()
 * takes NULL: the reader, and the reply with it, may have gone meanwhile. */
MUST_USE enum resp_status resp_reader_next(struct resp_reader *reader, struct redisReply **reply);
void resp_reply_free(struct resp_reader *reader);

#endif
