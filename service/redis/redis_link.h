/* redis_link.h - commands to a Redis of any topology, from one event loop, without ever blocking.
 *
 * The link connects by itself and reconnects with backoff and jitter.  It resolves names in a
 * thread, has a time limit for the connect and for every command, asks the sentinels for the master
 * and checks that it is one, keeps the slot map of a cluster and follows MOVED and ASK.  Each
 * connection runs through
 *
 *      ┌───────────────────── backoff passed ──────────────────────┐
 *      ▼                                                           │
 *   RESOLVING ──▶ CONNECTING (TCP, TLS) ──▶ GREETING ──▶ READY     │
 *      │              │                       │            │       │
 *      └──────────────┴───────────────────────┴────────────┴──▶  DOWN
 *       time-out, refused, closed, wrong password, not a master, garbage
 *
 * (GREETING: HELLO with the password and our name, SELECT.)  A command that may have run is never
 * sent a second time: its owner gets NULL in place of a reply and finds out for itself.
 */
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
    int64_t timeout_ms;        /* of a connect and of a command */
    struct resp_limits limits; /* of a reply; one beyond them ends the connection */
    void *owner;               /* handed to the callbacks; outlives the link */

    /*
     * The answer to redis_link_send() with this `ticket`: called exactly once per command, never
     * from within redis_link_send().  `reply` may be a REDIS_REPLY_ERROR; NULL: there was none and
     * the command may or may not have run.  The reply is the link's, for the call only.  A ticket
     * is a number and not a pointer so that a request that is gone by then is not found.
     */
    void (*on_reply)(void *owner, uint64_t ticket, const struct redisReply *reply);

    /* A connection became READY or DOWN, or slots moved; may be NULL.  Read redis_link_epoch(). */
    void (*on_change)(void *owner);
};

/* Starts connecting; a Redis that is down is no failure.  NULL and `*err` when the URL or a
 * certificate is wrong. */
MUST_USE struct redis_link *redis_link_new(struct event_base *base,
                                           const struct redis_link_options *options,
                                           struct error *err);
/* Calls on_reply with NULL for what is in flight, then frees.  Not from a callback. */
void redis_link_free(struct redis_link *link);

/*
 * Sends `argv` to the node that holds `key` (an empty slice: any).  The bytes are copied.  False,
 * and no on_reply, when that node isn't READY or too many commands are in flight.
 */
struct redis_command {
    struct slice key;
    const struct slice *argv;
    size_t argc;
    uint64_t ticket;
};
MUST_USE bool redis_link_send(struct redis_link *link, const struct redis_command *command);

/* The epoch of the node that holds `key`: another number after every reconnect and when the key has
 * moved to another node; 0 = the node isn't READY now.  When it changes, what the caller knows of
 * the data there may be wrong and must be asked again. */
uint64_t redis_link_epoch(const struct redis_link *link, struct slice key);

/* The node said by an error reply that it won't serve us for now (READONLY, LOADING, …) or sent
 * nonsense: drop the connection, look for the master or the map again after a backoff. */
void redis_link_reconnect(struct redis_link *link, struct slice key);

/* Why the link, or a part of it, is not READY: "10.0.0.7:6379: Connection refused"; "" = all is
 * well. */
const char *redis_link_cause(const struct redis_link *link);

#endif
