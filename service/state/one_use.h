/* one_use.h - uses links up in Redis, each once, from one event loop and without ever waiting.
 *
 *     one_use_ask() ──▶ ASKED ── first, repeated ──▶ CONFIRMING ── all replicas have it ──▶ on_use
 *                         │                              │
 *                         └── used ──▶ on_use            └── not in time ──▶ on_use (UNSURE)
 *
 * A link is used by a view: one showing of the page whose button was pressed.  Exactly one view
 * uses a link, and may do so again for ONE_USE_AGAIN_MS, for people press twice; every other one
 * finds it used.
 *
 * That no link is ever used twice rests on this: Redis runs the script of a use atomically; a use
 * counts only when all connected replicas have confirmed it, and at least one if there were any in
 * the last ten minutes; after a change of the server nothing is used for ONE_USE_SETTLE_MS, within
 * which the processes replay what their click logs hold; and each use is an event in the log of the
 * process that let it happen, which all processes learn of and keep, whatever Redis forgets
 * (state_table.h).  What can't be confirmed is ONE_USE_UNSURE, never a use.
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
struct redis_link;

enum {
    ONE_USE_VIEW_LEN = 8,
    ONE_USE_MAX = 1024,        /* at once */
    ONE_USE_WAIT_MS = 900,     /* within this time every request is answered */
    ONE_USE_AGAIN_MS = 10000,  /* a view may use its link again */
    ONE_USE_SETTLE_MS = 10000, /* a server that was another before */
};

enum one_use_outcome {
    ONE_USE_FIRST,    /* the view has used the link now */
    ONE_USE_REPEATED, /* it had used it a moment ago: the answer is the same */
    ONE_USE_USED,     /* another view has, or this one long ago */
    ONE_USE_UNSURE,   /* Redis doesn't answer, or can't confirm it; the link may be used or not */
};

struct one_use_options {
    const char *redis_url; /* for the call only */
    unsigned n_shards;
    const char *name; /* "hopcount-worker", for CLIENT LIST */
    void *owner;
    /* The answer to the request with this ticket; exactly once, and never from within
     * one_use_ask(). */
    void (*on_use)(void *owner, uint64_t ticket, enum one_use_outcome outcome);
};

/* Starts connecting; a Redis that is down is no failure.  NULL and `*err`: the URL is wrong, or out
 * of memory. */
MUST_USE struct one_use *one_use_new(struct event_base *base, const struct one_use_options *options,
                                     struct error *err);
/* Requests that are under way get no answer.  NULL is allowed. */
void one_use_free(struct one_use *uses);

struct one_use_request {
    uint64_t link_id;
    const uint8_t *view; /* ONE_USE_VIEW_LEN bytes */
    int64_t ends_s;      /* Unix second in which the link ends; INT64_MAX = never */
    uint64_t ticket;
};

/* False, and on_use is not called: Redis isn't connected, or too many requests are under way. */
MUST_USE bool one_use_ask(struct one_use *uses, const struct one_use_request *request);

/* Asks the server of a shard to note how many replicas it has, for it must know when they are gone.
 * To be called every few seconds, by one thread of each process; the answer, which comes to the
 * owner of `link` with this ticket, says nothing.  False: the server isn't connected. */
bool one_use_note_replicas(struct redis_link *link, unsigned shard, uint64_t ticket);

#endif
