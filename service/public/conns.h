/* conns.h - the connections of one worker, and what they share: buffers, pools, deadlines, the
 * queue of replies.
 *
 * Replies are written into one buffer.  They leave at once, connection by connection; but when
 * clicks must be on disk first they gather until the end of the loop's turn (or a full buffer), so
 * that one sync serves them all.
 */
#ifndef PUBLIC_CONNS_H
#define PUBLIC_CONNS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/compiler.h"
#include "service/base/turn.h"
#include "service/public/conn.h"
#include "service/public/reply.h"

struct answerer;
struct clicklog;
struct config_public;
struct error;

enum {
    CONNS_INPUT_MAX = 34 * 1024,        /* read at once, an unfinished head included */
    CONNS_OUTPUT_MAX = 64 * 1024,       /* replies before a send */
    CONNS_QUEUE_MAX = 256,              /* connections that wait for one sync */
    CONNS_BLOCKS_MAX = 512,             /* connections that hold input */
    CONNS_UNSENT_MAX = 8 * 1024 * 1024, /* bytes of replies that clients have not taken */
    CONNS_SLACK_MS = 1000,              /* by which the order of idle connections may be off */
};

struct block {
    struct block *next_free;
    char bytes[CONNS_INPUT_MAX];
};

struct conns_options {
    struct event_base *base;
    const struct config_public *config;
    unsigned connections_max;
    struct answerer *answerer;
    struct worker_stats *stats;
    struct turn *turn;
    struct clicklog *sync_log; /* synced before replies leave; NULL = replies don't wait */
};

/* Replies in `out` that are ready to leave. */
struct queued {
    struct conn *conn;
    size_t len;
    enum conn_then then;
};

/* Its members are for conn.c and conns.c. */
struct conns {
    struct conns_options options;
    struct deadline_list waiting[CONN_STATES];
    struct conn *pool; /* connections_max of them; memory is touched as they are used */
    struct block *blocks;
    struct conn *free_conns; /* the last used on top */
    struct block *free_blocks;
    unsigned n_made, n_blocks_made; /* of the pools, used at least once */
    unsigned n_open;
    bool is_draining;         /* every reply says Connection: close */
    size_t n_queued, out_len; /* replies ready to leave: connections, bytes at the start of `out` */
    struct queued queue[CONNS_QUEUE_MAX];
    char in[CONNS_INPUT_MAX];
    char out[CONNS_OUTPUT_MAX];
};

/* Borrows all that `*options` names, as long as it lives. */
MUST_USE struct conns *conns_new(const struct conns_options *options, struct error *err);
/* Cuts all connections.  NULL is allowed. */
void conns_free(struct conns *conns);

/* Takes an accepted socket.  At the limit the connection that was idle the longest makes room. */
void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer);

/* Closes or answers what has waited too long.  A few times a second. */
void conns_tick(struct conns *conns);

/* The turn ends: replies that gathered are synced and sent. */
void conns_flush(struct conns *conns);

/* Syncs the clicks of the replies made so far, if replies have to wait for that. */
void conns_sync(struct conns *conns);

/* From now on every reply says Connection: close. */
void conns_drain(struct conns *conns);
/* Closes the connections that wait for a request; those that were never asked anything only when
 * they have waited for `silent_ms`, for the request of who has just connected is on its way. */
void conns_close_idle(struct conns *conns, int64_t silent_ms);

unsigned conns_n_open(const struct conns *conns);

/* --- for conn.c --- */

/* Takes back a closed connection. */
void conns_put(struct conns *conns, struct conn *conn);
/* A block for input; makes room by answering 408 to the oldest unfinished head.  NULL: none. */
struct block *conns_take_block(struct conns *conns);
void conns_put_block(struct conns *conns, struct block *block);
/* The `len` bytes at out + out_len are replies for `conn`: sends them, or queues them for the sync.
 * `conn` may be gone then. */
void conns_queue(struct conns *conns, struct conn *conn, size_t len, enum conn_then then);

#endif
