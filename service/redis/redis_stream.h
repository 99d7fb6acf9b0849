/* redis_stream.h - the byte stream to and from a Redis server, plain or TLS (OpenSSL; TLS 1.2 and
 * up). */
#ifndef REDIS_REDIS_STREAM_H
#define REDIS_REDIS_STREAM_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/redis/redis_hello.h"

struct bufferevent;
struct error;
struct event_base;
struct redis_address;
struct redis_url;
struct ssl_ctx_st; /* SSL_CTX */

/* Loads the CA, certificate and key files that `url` names.  NULL and `*err` (file and reason) on
 * failure. */
MUST_USE struct ssl_ctx_st *redis_tls_new(const struct redis_url *url, struct error *err);
/* NULL is allowed. */
void redis_tls_free(struct ssl_ctx_st *tls);

/* Makes a stream that is not connected yet; plain if `tls` is NULL.  Its callbacks are deferred, so
 * libevent never calls them from within our calls.  NULL: out of memory. */
MUST_USE struct bufferevent *redis_stream_new(struct event_base *base, struct ssl_ctx_st *tls,
                                              const struct redis_url *url,
                                              const struct redis_address *address);
/* NULL is allowed. */
void redis_stream_free(struct bufferevent *stream);

/* Sets TCP_NODELAY and SO_KEEPALIVE.  Call when the stream is connected. */
void redis_stream_tune(struct bufferevent *stream);

/* Writes why the stream failed; call from its event callback.  `is_end`: the event was
 * BEV_EVENT_EOF. */
void redis_stream_describe_failure(struct bufferevent *stream, bool is_end, bool while_connecting,
                                   char why[static REDIS_HELLO_WHY_MAX]);

#endif
