/* connections.h - the connections of the admin address, from accept to close: who may connect, how
 * long each step may take, how much each may send.  In the front's thread only.
 *
 *               byte           head ends               body ends
 *      IDLE ──────────▶ HEAD ──────────────▶ BODY ──────────────▶ ANSWERED_BY_API
 *       ▲                │ refused            │ too slow            │ first bytes of a stream
 *       │                ▼                    ▼                     ▼
 *       └─ all sent ── SENDING ◀──────────────┴── whole reply ── STREAMING
 *                        │ and the connection is to end                │
 *                        ▼                                             ▼
 *                    LINGERING ──────── client closed, 2 s ─────────▶ gone
 *
 * A connection has one request at a time: the next is read after the reply to the last was sent.
 * A long reply comes in pieces, each when the one before has been taken.
 * When the client closes, the connection is closed at once; a request of it that the API thread
 * still has is dropped when it comes back.
 */
#ifndef ADMIN_CONNECTIONS_H
#define ADMIN_CONNECTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/compiler.h"

struct config_public;
struct connections;
struct event_base;
struct parcel;
struct server;

enum {
    CONNECTIONS_IDLE_S = 30,
    CONNECTIONS_HEAD_S = 5,       /* from the first byte of a head to its last */
    CONNECTIONS_BODY_S = 10,      /* the same for a body of up to ROUTER_BODY_MAX */
    CONNECTIONS_LONG_BODY_S = 30, /* for a longer body */
    CONNECTIONS_SEND_S = 5,       /* in which a client must take CONNECTIONS_SEND_MIN of a reply */
    CONNECTIONS_SEND_MIN = 8192,  /* bytes */
    CONNECTIONS_BODIES_MAX = 32 << 20, /* bytes of all long bodies at once */
    CONNECTIONS_UNSENT_MAX = 64 << 20, /* bytes of all replies that clients have not taken */
    CONNECTIONS_STREAM_MAX = 16384,    /* bytes that a stream may be behind */
    CONNECTIONS_SOCKET_BYTES = 65536,  /* of the kernel's buffer for each direction */
};

struct connections_options {
    struct event_base *base;
    struct server *server;              /* borrowed as long as the connections */
    const struct config_public *public; /* trusted_proxies; borrowed likewise */
    unsigned max; /* connections in all; half of them of one address, or IPv6 network of 64 bits */
};

/* NULL: no memory. */
MUST_USE struct connections *connections_new(const struct connections_options *options);
/* Posts the requests whose clients have not taken a piece of a long reply to the API thread's
 * mailbox, for whoever empties it at the end. */
void connections_give_back(struct connections *connections);
/* Closes all.  No request may be with the API thread any more.  NULL is allowed. */
void connections_free(struct connections *connections);

/* Serves the connection `fd`, which it owns from now on.  When there are too many connections, in
 * total or from this address, closes the one that we have waited for longest, or else the new one.
 */
void connections_accept(struct connections *connections, int fd, const struct sockaddr *peer);

/* Closes the connection that we have waited for longest; false: we wait for none. */
MUST_USE bool connections_evict(struct connections *connections);

/* The API thread or a probe has bytes of a reply.  Takes the parcel, and with the last one its
 * request. */
void connections_take(struct connections *connections, struct parcel *parcel);

#endif
