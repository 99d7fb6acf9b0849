/* redis_conn.h - one connection to one Redis server: redis_link.h's building block.
 *
 *   DOWN ──redis_conn_connect──▶ RESOLVING ──▶ CONNECTING ──▶ GREETING ──▶ READY
 *    ▲                               │             │             │           │
 *    └───────────────────────────────┴─────────────┴─────────────┴───────────┘
 *              a time-out, an error, a broken answer, redis_conn_close()
 *
 * RESOLVING looks up the host name, CONNECTING does TCP and TLS, GREETING sends HELLO (with the
 * password and our name) and SELECT.  The connection never reconnects by itself. */
#ifndef REDIS_REDIS_CONN_H
#define REDIS_REDIS_CONN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/redis/redis_url.h"
#include "service/redis/resp.h"

struct evbuffer;
struct event_base;
struct redis_conn;
struct redisReply;
struct ssl_ctx_st;

enum redis_conn_state {
    REDIS_CONN_DOWN,
    REDIS_CONN_RESOLVING,
    REDIS_CONN_CONNECTING,
    REDIS_CONN_GREETING,
    REDIS_CONN_READY,
};

enum { REDIS_CONN_CAUSE_MAX = 168 };

struct redis_conn_options {
    const struct redis_url *url; /* credentials, database; borrowed */
    struct ssl_ctx_st *tls;      /* NULL = none; borrowed */
    const char *name;            /* for HELLO … SETNAME; borrowed */
    int64_t timeout_ms;
    struct resp_limits limits; /* limits of one answer */
    bool is_sentinel; /* use the sentinels' credentials, select no database, accept any version */
    bool must_be_master; /* the server must report the role master in its answer to HELLO */
    void *owner;

    /* Called exactly once for each redis_conn_send() that returned true, never from within it.
     * NULL: the connection ended before the answer. */
    void (*on_answer)(void *owner, struct redis_conn *conn, uint64_t ticket,
                      const struct redisReply *answer);
    /* The connection became READY, or DOWN; on_answer has then been called for all commands.  Never
     * called from within redis_conn_connect(), redis_conn_send() or redis_conn_close(). */
    void (*on_state)(void *owner, struct redis_conn *conn);
};

/* NULL: out of memory.  Copies `options`. */
MUST_USE struct redis_conn *redis_conn_new(struct event_base *base,
                                           const struct redis_conn_options *options);
/* Calls on_answer(NULL) for commands in flight, but not on_state.  Not from a callback. */
void redis_conn_free(struct redis_conn *conn);

/* Starts an attempt; only when DOWN. */
void redis_conn_connect(struct redis_conn *conn, const struct redis_address *address);
/* Closes the connection from the event loop, not within this call.  on_state() then reports DOWN,
 * with this cause.  Does nothing when the connection is DOWN already. */
void redis_conn_close(struct redis_conn *conn, const char *cause);

/* Sends a command.  False, and no on_answer follows, unless READY with fewer than 4096 commands in
 * flight. */
MUST_USE bool redis_conn_send(struct redis_conn *conn, const struct slice *argv, size_t argc,
                              uint64_t ticket);

/* The same for a command already encoded in `bytes`, which the caller keeps. */
MUST_USE bool redis_conn_send_bytes(struct redis_conn *conn, struct evbuffer *bytes,
                                    uint64_t ticket);

enum redis_conn_state redis_conn_state(const struct redis_conn *conn);
/* The reason why it is DOWN: "10.0.0.7:6379: Connection refused". */
const char *redis_conn_cause(const struct redis_conn *conn);

#endif
