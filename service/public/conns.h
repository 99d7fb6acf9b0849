/* conns.h - the connections of one worker: accepts them up to a limit, reads requests, sends
 * replies, and closes connections that have waited too long, or when the worker ends.
 *
 *     accept ──▶ IDLE ── nothing came ──▶ closed
 *               ▲ │ ▲
 *      answered │ │ └─ sent ── SENDING ── nothing taken, or not all in time ──▶ closed
 *               │ ▼               ▲
 *              HEAD ── answered ──┘ the client does not read
 *               │ │
 *               │ └─ a press ──▶ PARKED ── Redis has answered ──▶ as after any reply
 *               │
 *               └─ refused, or not complete in time ──▶ LINGERING ──▶ closed
 *
 * All connections share one buffer for input and one for replies.  A connection has memory of its
 * own only for an unfinished head, or for replies that the client has not read.
 *
 * A connection has one event, which waits until the socket is readable; in SENDING until it is
 * writable, and nothing is read then; in PARKED it waits for nothing, for an answer of Redis comes
 * within ONE_USE_WAIT_MS, and a client that leaves meanwhile is noticed then.  It has no timer:
 * each waiting state has a list of deadlines.
 *
 * Replies are sent at once.  If clicks must be on disk first, replies are collected until the loop
 * has nothing else to do or a buffer is full, so that one sync serves all of them. */
#ifndef PUBLIC_CONNS_H
#define PUBLIC_CONNS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "proto/compiler.h"
#include "service/state/one_use.h"

struct answerer;
struct clicklog;
struct config_public;
struct conns;
struct error;
struct loop_clock;
struct worker_counters;

enum {
    CONNS_INPUT_MAX = 34 * 1024,  /* read at once, held input included: a head and a body fit */
    CONNS_OUTPUT_MAX = 64 * 1024, /* replies before they are sent */
    CONNS_QUEUE_MAX = 256,        /* connections that wait for the same sync */
    CONNS_HELD_BLOCKS = 4096,     /* blocks for held input, 16 MiB */
    CONNS_UNSENT_MAX = 8 * 1024 * 1024, /* bytes of replies that clients have not read */
    CONNS_SLACK_MS = 1000,              /* how wrong the order of idle connections may be */
    CONNS_TAKE_WAIT_MS = 5 * 1000,  /* within this time a client must read some of its replies */
    CONNS_SEND_WAIT_MS = 30 * 1000, /* and within this time all, at most CONNS_OUTPUT_MAX */
};

struct conns_options {
    struct event_base *base;
    const struct config_public *config;
    unsigned connections_max;
    struct answerer *answerer;
    struct worker_counters *counters;
    struct loop_clock *clock;
    struct clicklog *sync_log; /* synced before replies are sent; NULL = replies don't wait */
};

/* Borrows everything in `*options`, as long as it lives. */
MUST_USE struct conns *conns_new(const struct conns_options *options, struct error *err);
/* Sends queued replies and closes all connections.  NULL is allowed. */
void conns_free(struct conns *conns);

/* Takes an accepted socket.  At the limit another connection makes room: one that lingers, else one
 * that doesn't take its replies, else the longest idle one, else the oldest unfinished head. */
void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer);

/* Descriptors ran out: closes a connection in the order of conns_accept(), but none that is in use,
 * which means that its head is unfinished or that it had a request within the last second.  False:
 * all are in use. */
MUST_USE bool conns_give_up_one(struct conns *conns);

/* Redis has decided on the press `late` (answer_late()): sends the reply, if the client is still
 * there, and reads on. */
void conns_reply_late(struct conns *conns, unsigned late, enum one_use_outcome outcome);

/* Syncs the clicks of the queued replies, then sends these.  Call before the loop waits for events.
 */
void conns_flush(struct conns *conns);

/* Closes or answers connections that have waited too long.  Call a few times a second. */
void conns_tick(struct conns *conns);

/* From now on every reply has Connection: close. */
void conns_drain(struct conns *conns);
/* Closes the connections that wait for a request; those that were never asked anything only when
 * they have waited for `silent_ms`, for the request of who has just connected is on its way. */
void conns_close_idle(struct conns *conns, int64_t silent_ms);

unsigned conns_n_open(const struct conns *conns);
/* The requests answered since the last call. */
unsigned conns_take_n_answered(struct conns *conns);
/* Blocks of memory in use for held input, at most CONNS_HELD_BLOCKS. */
size_t conns_n_held_blocks(const struct conns *conns);

#endif
