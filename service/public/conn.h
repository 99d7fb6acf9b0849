/* conn.h - one connection of the public port: bytes in, replies out.
 *
 *     accept ──▶ IDLE ── nothing came ──▶ freed
 *               ▲ │ ▲
 *      answered │ │ └─ sent ── SENDING ── not taken in time ──▶ freed
 *               │ ▼               ▲
 *              HEAD ── answered ──┘ the client does not read
 *               │
 *               └─ refused, or not complete in time ──▶ LINGERING ──▶ freed
 *
 * Input and output buffers belong to the set of connections (conns.h); a connection holds memory
 * of its own only for an unfinished head, or for replies that the client has not taken.
 *
 * One event per connection, which waits for reading; only in SENDING it waits for writing instead,
 * and nothing is read.  No timers: each state that waits has a list of deadlines.
 */
#ifndef PUBLIC_CONN_H
#define PUBLIC_CONN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "proto/ip.h"
#include "service/public/answer.h"
#include "service/public/deadline.h"
#include "service/public/stats.h"

struct block;
struct conns;

enum conn_state {
    CONN_NEW,       /* nothing read yet; in no list */
    CONN_IDLE,      /* waits for the first byte of a request */
    CONN_HEAD,      /* waits for the rest of a head */
    CONN_SENDING,   /* waits until the client takes what is unsent */
    CONN_LINGERING, /* discards what still comes, so that the client can read the last reply */
    CONN_STATES
};

/* What to do when the replies made so far have been sent. */
enum conn_then {
    CONN_THEN_READ,
    CONN_THEN_CLOSE,  /* all that came was read, so closing can't reset the reply away */
    CONN_THEN_LINGER, /* more may come */
};

struct conn {
    struct event event;
    struct deadline deadline; /* in the list of its state */
    struct conns *conns;
    struct conn *next_free;
    struct block *held; /* unfinished head, or requests behind unsent replies; NULL = none */
    char *unsent;       /* bytes unsent_at…unsent_len are still to be sent; NULL = none */
    uint32_t unsent_at, unsent_len;
    uint32_t n_requests;  /* of this connection */
    uint32_t n_discarded; /* bytes, while LINGERING */
    uint16_t held_len;
    uint8_t state;               /* enum conn_state */
    uint8_t then;                /* enum conn_then: what follows `unsent` */
    uint8_t end;                 /* enum conn_end: why it is going to be closed */
    bool is_watched;             /* the event is added */
    bool is_queued;              /* its replies wait for the sync */
    bool awaits_proxy;           /* the PROXY header is still to come */
    struct answer_source source; /* its ip: the peer's, then what a PROXY header says */
};

/* Starts with a socket just accepted from `ip`, and reads at once: often the first request is there
 * already, which spares a turn of the loop. */
void conn_start(struct conn *conn, evutil_socket_t fd, const uint8_t ip[static IP_LEN],
                bool awaits_proxy);

/* Sends `len` bytes of replies, keeps what the socket doesn't take, goes on as `then` says. */
void conn_send(struct conn *conn, const char *buf, size_t len, enum conn_then then);

/* The wait of its state was too long. */
void conn_expire(struct conn *conn);

/* Closes the socket and gives the connection back; `conn` is gone then. */
void conn_close(struct conn *conn, enum conn_end end);

static inline struct conn *conn_of_deadline(struct deadline *d)
{
    return (struct conn *)((char *)d - offsetof(struct conn, deadline));
}

#endif
