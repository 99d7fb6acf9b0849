/* conn.h - one connection of the public port: bytes in, replies out; and what the connections of a
 * worker share.
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
#include "service/public/counters.h"
#include "service/public/deadline.h"
#include "service/public/held.h"
#include "service/public/loop_clock.h"

struct clicklog;
struct config_public;

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
    struct held held; /* unfinished head, or requests behind unsent replies */
    char *unsent;     /* bytes unsent_at…unsent_len are still to be sent; NULL = none */
    uint32_t unsent_at, unsent_len;
    int64_t sending_since_ms;    /* monotonic; SENDING only */
    uint32_t n_requests;         /* of this connection */
    uint32_t n_discarded;        /* bytes, while LINGERING */
    uint8_t state;               /* enum conn_state */
    uint8_t then;                /* enum conn_then: what follows `unsent` */
    uint8_t close_reason;        /* enum close_reason, once it is going to be closed */
    bool is_watched;             /* the event is added */
    bool is_queued;              /* its replies wait for the sync */
    bool was_used;               /* IDLE: asked something since it was put into the list */
    bool awaits_proxy;           /* the PROXY header is still to come */
    struct answer_source source; /* its ip: the peer's, then what a PROXY header says */
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

/* Replies in `out` that are ready to leave. */
struct queued {
    struct conn *conn;
    size_t len;
    enum conn_then then;
};

/* What the connections of a worker share; its members are for conn.c and conns.c. */
struct conns {
    struct conns_options options;
    struct deadline_list waiting[CONN_STATES];
    struct conn *pool;       /* connections_max of them; memory is touched as they are used */
    struct conn *free_conns; /* the last used on top */
    unsigned n_made;         /* of the pool, used at least once */
    unsigned n_open;
    struct held_pool held_pool;
    bool is_draining;         /* every reply says Connection: close */
    size_t n_queued, out_len; /* replies ready to leave: connections, bytes at the start of `out` */
    struct queued queue[CONNS_QUEUE_MAX];
    char in[CONNS_INPUT_MAX];
    char out[CONNS_OUTPUT_MAX];
};

/* Starts with a socket just accepted from `ip`, and reads at once: often the first request is there
 * already, which spares a turn of the loop.  Takes the socket.  False: all of the pool are open,
 * and the socket is the caller's. */
MUST_USE bool conn_start(struct conns *conns, evutil_socket_t fd, const uint8_t ip[static IP_LEN],
                         bool awaits_proxy);

/* The wait of its state was too long: closes or answers it.  Its replies are not queued. */
void conn_expire(struct conn *conn);

/* Closes the socket and gives the connection back; `conn` is gone then.  Its replies are not
 * queued. */
void conn_close(struct conn *conn, enum close_reason reason);

/* Of those in `state` whose replies are not queued, the one that has waited longest; NULL: none.
 * `except` (NULL allowed) is passed over. */
struct conn *conn_find_oldest(struct conns *conns, enum conn_state state,
                              const struct conn *except);

/* Syncs the clicks of the queued replies, and sends these. */
void conns_flush(struct conns *conns);

static inline struct conn *conn_of_deadline(struct deadline *d)
{
    return (struct conn *)((char *)d - offsetof(struct conn, deadline));
}

#endif
