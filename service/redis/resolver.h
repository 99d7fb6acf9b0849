/* resolver.h - resolves a host name without blocking the event loop.
 *
 * One question per object.  A short-lived thread calls getaddrinfo(3), so names resolve as for
 * every other program on the host (nsswitch, /etc/hosts, search domains).  A lookup can't be
 * cancelled: when the object is freed, the thread ends by itself and its answer is dropped. */
#ifndef REDIS_RESOLVER_H
#define REDIS_RESOLVER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/compiler.h"

struct event_base;
struct redis_address;
struct resolver;

struct resolver_result {
    struct sockaddr_storage address;
    socklen_t len; /* 0 = no address was found */
};

/* Parses an IPv4 or IPv6 address, or the path of a socket (port 0), which need no lookup.  False: a
 * name, or a path that is too long for a socket. */
MUST_USE bool resolver_numeric(const struct redis_address *address, struct resolver_result *out);

struct resolver_options {
    const struct redis_address *address;
    unsigned address_index; /* which of several addresses to use, modulo their number */
    void *owner;
    /* Called once from the loop, unless the object is freed first; `error` is NULL on success. */
    void (*on_result)(void *owner, const struct resolver_result *result, const char *error);
};

/* Starts the lookup.  NULL: no memory, thread or descriptor. */
MUST_USE struct resolver *resolver_new(struct event_base *base,
                                       const struct resolver_options *options);
/* May be called from on_result.  NULL is allowed. */
void resolver_free(struct resolver *resolver);

#endif
