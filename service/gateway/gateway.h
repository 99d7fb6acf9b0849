/* gateway.h - recognises mail gateways by their behaviour: which clicks of a client are a
 * machine's.
 *
 * Gateways open the links of a mail with the agents of ordinary browsers.  So a single click proves
 * nothing, but several clicks of one client within seconds do.  The table keeps the clicks of the
 * last minutes.  Each sign adds its weight to a click:
 *
 *   links      so many distinct links of the client within seconds
 *   two links  of a mail, so near to each other that nobody has read the first page; half as far
 *              apart again they weigh two thirds, beyond nothing
 *   networks   so many networks (/24, /48) open the client's links within minutes
 *   HEAD       a HEAD from the same network came just before, as far as clocks tell
 *   early      so soon after the token was made; not of links on a page, in a chat or a QR code
 *   range      of a listed network
 *   asn        of a listed autonomous system; there several links weigh even if they are opened
 *              slowly, and so does a look at a link just before another network follows it
 *
 * A click whose sum reaches `threshold` is a scanner's.  A human click during a burst, or from a
 * network that took part in the burst, belongs to the burst.  Any other click after a burst
 * doesn't: most people open a mail that a gateway has opened before.  Repeated clicks of one link
 * are a machine's too, see repeat.h.
 *
 * The verdict depends on the times of the clicks, not on the order in which they are added: when an
 * earlier click is added late, the clicks after it are judged again.  Only a click that was found
 * stays found.
 *
 * Pure: no I/O, and the only time is that of the clicks.  Nothing is allocated after the start: a
 * new click replaces the oldest one.  A client with GATEWAY_FOUND_MAX clicks replaces its own
 * oldest, so that it can't evict the clicks of others. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "service/gateway/gateway_click.h"

struct gateway;

enum { GATEWAY_CLICKS = 131072 }; /* two minutes at a thousand clicks of people a second; 19 MB */

/* NULL: out of memory. */
MUST_USE struct gateway *gateway_new(const struct gateway_options *options);
void gateway_free(struct gateway *gateway);
/* Call when the salt has changed: the networks of all clicks so far become unknown. */
void gateway_forget_networks(struct gateway *gateway);

/* Whether gateway_add() needs this click: it is a human click, or a HEAD for a link of a client. */
bool gateway_wants(const struct click *click);

/* The longest time between two clicks that can still influence each other. */
int64_t gateway_window_ms(const struct gateway *gateway);

/* What a click needs of the tables, which are much larger than the processor's cache.  Each step
 * reads what the step before has fetched. */
enum gateway_step {
    GATEWAY_FETCH_PLACE, /* where the client's clicks and the link's repeats begin */
    GATEWAY_FETCH_FIRST, /* the newest of each */
    GATEWAY_FETCH_NEXT,  /* the click before that */
    GATEWAY_STEPS
};

/* Prefetches memory for gateway_add() of this click; call it for each step in order, some clicks
 * ahead.  Waiting for that memory is most of what a click costs. */
void gateway_expect(struct gateway *gateway, const struct click *click, enum gateway_step step);

/* Tests whether a new click of this process is a repeat; call it once for each, before
 * gateway_add().  True: `*found` is its relabelling, and gateway_add() is not needed. */
MUST_USE bool gateway_find_repeat(struct gateway *gateway, const struct gateway_click *own,
                                  struct gateway_click *found);

/*
 * Adds a click, unless it is known already.  Sets `found` to the human clicks, this one and earlier
 * ones, that are now known to be a machine's; in each, label, reason, old_label and old_reason are
 * set, and type is CLICK_TYPE_RELABEL.  Each click is found at most once.  Returns how many were
 * found.
 */
unsigned gateway_add(struct gateway *gateway, const struct gateway_click *click,
                     struct gateway_click found[static GATEWAY_FOUND_MAX]);

#endif
