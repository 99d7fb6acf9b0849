/* acceptor.h - accepts connections from a worker's listening sockets. */
#ifndef PUBLIC_ACCEPTOR_H
#define PUBLIC_ACCEPTOR_H
#include <stdbool.h>

#include "proto/compiler.h"

struct acceptor;
struct conns;
struct event_base;
struct loop_clock;
struct worker_counters;

struct acceptor_options {
    struct event_base *base;
    struct conns *conns; /* receives the accepted connections */
    struct loop_clock *clock;
    struct worker_counters *counters;
    int *fds; /* n_fds listening sockets; taken, set to -1 */
    unsigned n_fds;
};

/*
 * Starts accepting in the worker's event loop.  Owns the sockets, and borrows the rest of
 * `*options` as long as it lives.  NULL: out of memory; the caller keeps the sockets.
 *
 * When descriptors run out, an idle connection is closed for each new one.  When no connection is
 * idle, or memory runs out, accepting pauses for a moment.
 */
MUST_USE struct acceptor *acceptor_new(const struct acceptor_options *options);

/* Call when draining begins.  From now on connections that have sent nothing are accepted at once,
 * so that they can be closed properly when draining ends; before, the kernel held them back
 * (listener.h). */
void acceptor_drain(struct acceptor *acceptor);

/* Accepts the connections that wait in the queues now, some in each pass of the loop, then closes
 * the sockets.  Later connections are refused. */
void acceptor_finish(struct acceptor *acceptor);

/* Whether acceptor_finish() has closed all sockets. */
bool acceptor_is_done(const struct acceptor *acceptor);

/* Closes the sockets.  NULL is allowed. */
void acceptor_free(struct acceptor *acceptor);

#endif
