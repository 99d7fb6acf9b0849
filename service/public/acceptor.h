/* acceptor.h - takes connections from a worker's listening sockets. */
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
    struct conns *conns; /* where connections go */
    struct loop_clock *clock;
    struct worker_counters *counters;
    int *fds; /* n_fds listening sockets; taken, set to -1 */
    unsigned n_fds;
};

/*
 * Starts accepting, in the worker's event loop; borrows the rest of `*options` as long as it lives.
 * NULL: out of memory; then the sockets are still the caller's.
 *
 * When descriptors run out, an idle connection is closed for each that wants in; when all are in
 * use, or memory runs out, accepting pauses for a moment.
 */
MUST_USE struct acceptor *acceptor_new(const struct acceptor_options *options);

/* Draining begins: from now on also a connection that has sent nothing is accepted at once, so that
 * it can be closed properly when draining ends.  The kernel would hold it back (listener.h). */
void acceptor_drain(struct acceptor *acceptor);

/* Accepts those connections that wait in the queues now, some in each turn of the loop, and then
 * closes the sockets.  Who connects after this call is refused. */
void acceptor_finish(struct acceptor *acceptor);

/* Whether acceptor_finish() has come to its end. */
bool acceptor_is_done(const struct acceptor *acceptor);

/* Closes the sockets.  NULL is allowed. */
void acceptor_free(struct acceptor *acceptor);

#endif
