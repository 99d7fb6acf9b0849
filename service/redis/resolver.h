/* resolver.h - a host name to an address without making the event loop wait.
 *
 * One question per object, asked by a short-lived thread that calls getaddrinfo(3): so names mean
 * here what they mean to every other program on the host (nsswitch, /etc/hosts, search domains).
 * A question can't be taken back: one that is given up ends by itself, its answer is dropped.
 */
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
    socklen_t len; /* 0 = none was found */
};

/* An IPv4 or IPv6 address, or the path of a socket (port 0): no question needed.  False: a name, or
 * a path that is too long for a socket. */
MUST_USE bool resolver_numeric(const struct redis_address *address, struct resolver_result *out);

struct resolver_options {
    const struct redis_address *address;
    unsigned
        turn; /* of several addresses, take this one (modulo how many): try the next next time */
    void *owner;
    /* Once, from the loop, unless the object is freed first; `error` is NULL on success. */
    void (*on_result)(void *owner, const struct resolver_result *result, const char *error);
};

/* NULL: no memory, thread or descriptor. */
MUST_USE struct resolver *resolver_new(struct event_base *base,
                                       const struct resolver_options *options);
/* From on_result too.  NULL is allowed. */
void resolver_free(struct resolver *resolver);

#endif
