/* one_use.h - uses one-time links up in Redis, each link once, from an event loop that never waits.
 *
 *     one_use_ask() ──▶ ASKED ── first, repeated ──▶ CONFIRMING ── all replicas have it ──▶ on_use
 *                         │                              │
 *                         └── used ──▶ on_use            └── not in time ──▶ on_use (UNSURE)
 *
 * A view is one showing of the page whose button was pressed (proto/view.h).  Exactly one view uses
 * a link.  The same view may use it again for ONE_USE_AGAIN_MS, because people press twice; every
 * other view finds the link used.
 *
 * Why no link is ever used twice:
 * - Redis runs the script of a use atomically.
 * - A use counts only when all connected replicas have confirmed it.  If there were replicas within
 *   the last ten minutes, at least one must.
 * - After a change of the server no link can be used for ONE_USE_SETTLE_MS.  In this time the
 *   processes replay what their click logs hold.
 * - Each use is an event in the log of the process that allowed it.  All processes learn of it and
 *   remember it, even if Redis forgets it (state_table.h).
 * If one of these can't be confirmed, the outcome is ONE_USE_UNSURE, never a use.
 */
#ifndef STATE_ONE_USE_H
#define STATE_ONE_USE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct event_base;
struct one_use;
struct redis_link;

enum {
    ONE_USE_VIEW_LEN = 8,
    ONE_USE_MAX = 1024,        /* requests under way at once */
    ONE_USE_WAIT_MS = 900,     /* within this time every request gets its outcome */
    ONE_USE_AGAIN_MS = 10000,  /* for so long a view may use its link again */
    ONE_USE_SETTLE_MS = 10000, /* for so long nothing is used after a change of the server */
};

enum one_use_outcome {
    ONE_USE_FIRST,    /* the view has used the link now */
    ONE_USE_REPEATED, /* the same view used the link a moment ago: reply as to the first press */
    ONE_USE_USED,     /* another view has used the link, or this one long ago */
    ONE_USE_UNSURE,   /* Redis doesn't answer or can't confirm the use; it may have happened */
};

struct one_use_options {
    const char *redis_url; /* for the call only */
    unsigned n_shards;
    const char *name; /* "hopcount-worker", for CLIENT LIST */
    void *owner;
    /* Called exactly once with the outcome of the request that has this ticket, and never from
     * within one_use_ask(). */
    void (*on_use)(void *owner, uint64_t ticket, enum one_use_outcome outcome);
};

/* Starts connecting; a Redis that is down is no failure.  NULL and `*err`: the URL is wrong, or out
 * of memory. */
MUST_USE struct one_use *one_use_new(struct event_base *base, const struct one_use_options *options,
                                     struct error *err);
/* Requests under way get no outcome.  NULL is allowed. */
void one_use_free(struct one_use *uses);

struct one_use_request {
    uint64_t link_id;
    const uint8_t *view; /* ONE_USE_VIEW_LEN bytes */
    int64_t ends_s;      /* Unix second in which the link ends; INT64_MAX = never */
    uint64_t ticket;
};

/* False, and on_use is not called: Redis isn't connected, or too many requests are under way. */
MUST_USE bool one_use_ask(struct one_use *uses, const struct one_use_request *request);

/* Asks the server of a shard to note how many replicas it has, so that the script of a use can tell
 * when they are gone.  One thread of each process calls it every few seconds.  The owner of `link`
 * gets an answer with this ticket and can ignore it.  False: the server isn't connected. */
bool one_use_note_replicas(struct redis_link *link, unsigned shard, uint64_t ticket);

#endif
