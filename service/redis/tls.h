/* tls.h - TLS to Redis: who we trust, who we are, whom we expect (OpenSSL; TLS 1.2 and up). */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H
#include <stddef.h>

#include "proto/compiler.h"

struct bufferevent;
struct error;
struct redis_address;
struct redis_url;
struct ssl_ctx_st; /* SSL_CTX */
struct ssl_st;     /* SSL */

/* Loads the certificates that `url` names.  NULL and `*err` (which file, and why) on failure. */
MUST_USE struct ssl_ctx_st *tls_new(const struct redis_url *url, struct error *err);
void tls_free(struct ssl_ctx_st *tls);

/* A connection that accepts only a certificate for `url`'s server_name or else for the host of
 * `address` (a name or an IP address).  NULL: out of memory. */
MUST_USE struct ssl_st *tls_new_connection(struct ssl_ctx_st *tls, const struct redis_url *url,
                                           const struct redis_address *address);

/* Why the handshake of `bev` failed. */
void tls_describe_failure(struct bufferevent *bev, char *out, size_t size);

#endif
