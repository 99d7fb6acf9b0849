/* redis_link.h - commands to a Redis of any topology, from one event loop, without ever blocking.
 *
 * The link connects by itself and reconnects with backoff and jitter.  It resolves names in a
 * thread and limits the time of a connect and of every command.  It asks the sentinels for the
 * master and checks the server's role.  It keeps the slot map of a cluster and follows MOVED and
 * ASK.  The states of a connection:
 *
 *      ┌───────────────────── backoff passed ──────────────────────┐
 *      ▼                                                           │
 *   RESOLVING ──▶ CONNECTING (TCP, TLS) ──▶ GREETING ──▶ READY     │
 *      │              │                       │            │       │
 *      └──────────────┴───────────────────────┴────────────┴──▶  DOWN
 *       time-out, refused, closed, wrong password, not a master, garbage
 *
 * (GREETING: HELLO with the password and our name, SELECT.)  A command that may have run is never
 * sent a second time: its owner gets NULL instead of an answer and must find out whether it ran. */
#ifndef REDIS_REDIS_LINK_H
#define REDIS_REDIS_LINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/redis/resp.h"

struct error;
struct event_base;
struct redis_link;
struct redisReply; /* hiredis: type, integer, str, len, elements, element */

struct redis_link_options {
    const char *url;           /* redis_url.h */
    const char *name;          /* for CLIENT SETNAME: "hopcount-ledger" */
    int64_t timeout_ms;        /* limit for a connect and for a command */
    struct resp_limits limits; /* an answer beyond these limits ends the connection */
    void *owner;               /* passed to the callbacks; must outlive the link */

    /*
     * The answer to redis_link_send() with this `ticket`.  Called exactly once per command, never
     * from within redis_link_send().  `answer` may be a REDIS_REPLY_ERROR.  NULL: no answer came,
     * and the command may or may not have run.  The answer belongs to the link and is valid for the
     * call only.  A ticket is a number and not a pointer, so that a request freed meanwhile is not
     * dereferenced.
     */
    void (*on_answer)(void *owner, uint64_t ticket, const struct redisReply *answer);

    /* A connection became READY or DOWN, or slots moved; compare redis_link_epoch().  May be NULL.
     */
    void (*on_change)(void *owner);
};

/* Starts connecting.  A server that is down is no failure.  NULL and `*err` when the URL or a
 * certificate is wrong. */
MUST_USE struct redis_link *redis_link_new(struct event_base *base,
                                           const struct redis_link_options *options,
                                           struct error *err);
/* Calls on_answer(NULL) for commands in flight, then frees.  Not from a callback. */
void redis_link_free(struct redis_link *link);

/*
 * Sends `argv` to the node that holds `key` (an empty slice: any node).  The bytes are copied.
 * False, and no on_answer follows, when that node isn't READY or too many commands are in flight.
 */
struct redis_command {
    struct slice key;
    const struct slice *argv;
    size_t argc;
    uint64_t ticket;
};
MUST_USE bool redis_link_send(struct redis_link *link, const struct redis_command *command);

/* The epoch of the node that holds `key`.  It changes with every reconnect and when the key moves
 * to another node; 0 = the node isn't READY.  After a change, what the caller knows about the data
 * there may be outdated and must be read again. */
uint64_t redis_link_epoch(const struct redis_link *link, struct slice key);

/* Call when the node answered with an error that a retry won't help (READONLY, LOADING, …) or with
 * an invalid answer: closes the connection, and looks for the master or the slot map again after a
 * backoff. */
void redis_link_reconnect(struct redis_link *link, struct slice key);

/* The reason why the link, or part of it, is not READY: "10.0.0.7:6379: Connection refused"; "" =
 * all of it is READY. */
const char *redis_link_cause(const struct redis_link *link);

#endif
