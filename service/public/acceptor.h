/* acceptor.h - takes connections from a worker's listening sockets. */
#ifndef PUBLIC_ACCEPTOR_H
#define PUBLIC_ACCEPTOR_H
#include "proto/compiler.h"

struct acceptor;
struct conns;
struct event_base;
struct turn;
struct worker_stats;

struct acceptor_options {
    struct event_base *base;
    struct conns *conns; /* where connections go */
    struct turn *turn;
    struct worker_stats *stats;
    int *fds; /* n_fds listening sockets; taken, set to -1 */
    unsigned n_fds;
};

/* Starts accepting, in the worker's event loop; borrows the rest of `*options` as long as it lives.
 * NULL: out of memory; then the sockets are still the caller's. */
MUST_USE struct acceptor *acceptor_new(const struct acceptor_options *options);

/* The end is near: who connects now is accepted without having said anything, so that he can be
 * told of it. */
void acceptor_drain(struct acceptor *acceptor);

/* Accepts what waits in the queues, and closes the sockets. */
void acceptor_finish(struct acceptor *acceptor);

/* Closes the sockets.  NULL is allowed. */
void acceptor_free(struct acceptor *acceptor);

#endif
