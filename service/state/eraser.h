/* eraser.h - takes a client out of all that Redis keeps, but for an opt-out, a revocation, and the
 * records of a sink of type stream.
 *
 * `hopcount erase` and DELETE /v1/clients/{id} are this.  Sums over clients stay.  The records of
 * the client may change at any time, as pods go on counting; the eraser replaces what it has read
 * only if that is still the same, else it reads again.  It may be called again after a failure. */
#ifndef STATE_ERASER_H
#define STATE_ERASER_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct audit_entry;
struct error;
struct event_base;
struct eraser;

/* What was taken out. */
struct eraser_counts {
    int64_t clicks;
    int64_t invoices;
    int64_t requests; /* entries of the stream `told` */
    int64_t uses;     /* entries of the stream `used` */
    int64_t waiting;  /* records of clicks whose people were not counted yet */
    int64_t entries;  /* of the audit log */
};

struct eraser_options {
    const char *redis_url; /* borrowed for the call */
    const char *name;      /* of the connection */
    int64_t timeout_ms;    /* of a command */
    unsigned n_shards;
    const char *brand; /* its name; borrowed until eraser_free() */
    uint32_t client;   /* not 0 */
    /* Added to the audit log at the end, with the time set; NULL = none is.  Borrowed for the call.
     */
    const struct audit_entry *own;
    /* It is over: `why` is NULL, or says why not all could be done, and how far it came.  From
     * `base`'s loop; the eraser may be freed there. */
    void (*on_end)(void *owner, const struct eraser_counts *counts, const char *why);
    void *owner;
};

/* Starts it in `base`'s loop; `on_end` is called once, at the latest ERASER_PATIENCE_S later,
 * unless it is freed before.  NULL and `*err`: the URL is wrong, or out of memory. */
MUST_USE struct eraser *eraser_new(struct event_base *base, const struct eraser_options *options,
                                   struct error *err);
/* NULL is allowed. */
void eraser_free(struct eraser *eraser);

enum { ERASER_PATIENCE_S = 15 };

#endif
