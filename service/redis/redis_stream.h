/* redis_stream.h - the bytes to and from a server, plain or through TLS. */
#ifndef REDIS_REDIS_STREAM_H
#define REDIS_REDIS_STREAM_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/redis/redis_hello.h"

struct bufferevent;
struct event_base;
struct redis_address;
struct redis_url;
struct ssl_ctx_st;

/* Not connected yet.  `tls` NULL = plain.  Its callbacks are deferred: none is ever called from
 * within a call of ours.  NULL: out of memory. */
MUST_USE struct bufferevent *redis_stream_new(struct event_base *base, struct ssl_ctx_st *tls,
                                              const struct redis_url *url,
                                              const struct redis_address *address);
/* NULL is allowed. */
void redis_stream_free(struct bufferevent *stream);

/* Once it is connected. */
void redis_stream_tune(struct bufferevent *stream);

/* Why it ended, from within its event callback; `why` has REDIS_HELLO_WHY_MAX bytes. */
void redis_stream_describe_failure(struct bufferevent *stream, bool is_end, bool while_connecting,
                                   char why[static REDIS_HELLO_WHY_MAX]);

#endif
