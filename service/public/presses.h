/* presses.h - what the press of a button on one of our pages does: leads on, uses a one-time link
 * up, records an opt-out, asks the billing system for a fresh link.
 *
 * Decides and acts, and returns the outcome; the reply is the caller's (answer.c), of which each
 * has presses of its own.  Waits for nothing but, with durability: click, the disk, as a worker
 * does for its clicks: what Redis says of a one-time link comes later, by presses_end().
 */
#ifndef PUBLIC_PRESSES_H
#define PUBLIC_PRESSES_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/http1.h"
#include "proto/ip.h"
#include "proto/slice.h"
#include "service/config/brand.h"
#include "service/public/counters.h"
#include "service/public/route.h"
#include "service/state/one_use.h"

struct event_log;
struct loop_clock;
struct presses;
struct site;
struct state_table;

struct presses_options {
    const struct state_table *states;
    struct event_log *events; /* NULL: as if there were no room in it */
    struct one_use *one_use;  /* NULL: no link can be used up */
    const struct loop_clock *clock;
};

/* Borrows everything in `*options` as long as it lives.  NULL: out of memory. */
MUST_USE struct presses *presses_new(const struct presses_options *options);
/* NULL is allowed. */
void presses_free(struct presses *presses);

/* A POST of a link. */
struct press {
    /* Set by the caller, and borrowed until the reply is made. */
    struct site *site;
    const struct http1_request *request;
    struct route route;
    uint8_t ip[IP_LEN]; /* of the client */
    char country[2];    /* these two choose the target, as for a click */
    uint8_t device;
    bool must_wait;    /* the kind is closed until it is known what became of links */
    bool closes;       /* the connection, after the reply */
    bool is_aggregate; /* the browser wants to be in sums only; presses_decide() sets it, too */

    /* Set by presses_decide(). */
    bool is_used; /* the state table says so, whatever Redis says */
    struct slice target;
    char target_text[SITE_TARGET_MAX];
};

/*
 * Finds what the POST is answered by, from its head.  PRESSED, OPTED_OUT and RENEWED are tasks for
 * presses_do() once the body has come and if press_refuse_head() lets it; any other outcome is the
 * answer.
 */
MUST_USE enum outcome presses_decide(const struct presses *presses, struct press *press);

/* Presses that wait for Redis. */
enum { PRESSES_LATE_MAX = ONE_USE_MAX };

/*
 * Does what was `decided`, if `body` is that of a page of ours.  Returns the outcome to answer: of
 * PRESSED the target is press->target; VIEW: not of our page; UNSURE: there was no room for the
 * event, or Redis can't be asked.  OUTCOMES: there is none yet, presses_end(*late) will tell.
 */
MUST_USE enum outcome presses_do(struct presses *presses, const struct press *press,
                                 struct slice body, enum outcome decided, unsigned *late);

/* What the reply to a late press needs: the request is gone by then. */
struct press_end {
    struct site *site; /* as it was then, as `brand` is */
    const struct brand *brand;
    const struct token *token;
    struct slice language; /* Accept-Language */
    struct slice target;   /* of PRESSED */
    bool closes;
};

/* Redis has answered `use` of the press `late`.  Returns PRESSED, USED or UNSURE.  `*end` may be
 * used until presses_release(), which must follow. */
MUST_USE enum outcome presses_end(struct presses *presses, unsigned late, enum one_use_outcome use,
                                  struct press_end *end);
void presses_release(struct presses *presses, unsigned late);

#endif
