/* conns.h - the connections of one worker: accepted up to a limit, bytes in, replies out, ended
 * when they have waited too long, or when the worker ends.
 *
 *     accept ──▶ IDLE ── nothing came ──▶ closed
 *               ▲ │ ▲
 *      answered │ │ └─ sent ── SENDING ── nothing taken, or not all in time ──▶ closed
 *               │ ▼               ▲
 *              HEAD ── answered ──┘ the client does not read
 *               │
 *               └─ refused, or not complete in time ──▶ LINGERING ──▶ closed
 *
 * Input is read into one buffer and replies are written into one, which all connections share; a
 * connection holds memory of its own only for an unfinished head, or for replies that the client
 * has not taken.
 *
 * One event per connection, which waits for reading; only in SENDING it waits for writing instead,
 * and nothing is read.  No timers: each state that waits has a list of deadlines.
 *
 * Replies leave at once, connection by connection; but when clicks must be on disk first they
 * gather until the loop has nothing else to do (or a buffer is full), so that one sync serves them
 * all.
 */
#ifndef PUBLIC_CONNS_H
#define PUBLIC_CONNS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "proto/compiler.h"

struct answerer;
struct clicklog;
struct config_public;
struct conns;
struct error;
struct loop_clock;
struct worker_counters;

enum {
    CONNS_INPUT_MAX = 34 * 1024,  /* read at once, what is held included: a head and a body fit */
    CONNS_OUTPUT_MAX = 64 * 1024, /* replies before a send */
    CONNS_QUEUE_MAX = 256,        /* connections that wait for one sync */
    CONNS_HELD_BLOCKS = 4096,     /* for held input, 16 MiB */
    CONNS_UNSENT_MAX = 8 * 1024 * 1024, /* bytes of replies that clients have not taken */
    CONNS_SLACK_MS = 1000,              /* by which the order of idle connections may be off */
    CONNS_TAKE_WAIT_MS = 5 * 1000,      /* for a client to take any byte of what is unsent */
    CONNS_SEND_WAIT_MS = 30 * 1000,     /* and to take all, at most CONNS_OUTPUT_MAX */
};

struct conns_options {
    struct event_base *base;
    const struct config_public *config;
    unsigned connections_max;
    struct answerer *answerer;
    struct worker_counters *counters;
    struct loop_clock *clock;
    struct clicklog *sync_log; /* synced before replies leave; NULL = replies don't wait */
};

/* Borrows all that `*options` names, as long as it lives. */
MUST_USE struct conns *conns_new(const struct conns_options *options, struct error *err);
/* Sends what is queued and cuts all connections.  NULL is allowed. */
void conns_free(struct conns *conns);

/* Takes an accepted socket.  At the limit another connection makes room: one that lingers, else one
 * that doesn't take its replies, else the longest idle one, else the oldest unfinished head. */
void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer);

/* Descriptors ran out: ends a connection as conns_accept() does, but none that is in use: whose
 * head is unfinished, or that was asked something within the last second.  False: there is no
 * other. */
MUST_USE bool conns_give_up_one(struct conns *conns);

/* Syncs the clicks of the queued replies, and sends these.  Before the loop waits for events. */
void conns_flush(struct conns *conns);

/* Closes or answers what has waited too long.  A few times a second. */
void conns_tick(struct conns *conns);

/* From now on every reply says Connection: close. */
void conns_drain(struct conns *conns);
/* Closes the connections that wait for a request; those that were never asked anything only when
 * they have waited for `silent_ms`, for the request of who has just connected is on its way. */
void conns_close_idle(struct conns *conns, int64_t silent_ms);

unsigned conns_n_open(const struct conns *conns);
/* Blocks of memory that hold input which can't be answered yet, CONNS_HELD_BLOCKS at most. */
size_t conns_n_held_blocks(const struct conns *conns);

#endif
