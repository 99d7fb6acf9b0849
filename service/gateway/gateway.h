/* gateway.h - mail gateways told by what they do: which clicks of a client are a machine's.
 *
 * Gateways open the links of a mail with the agents of ordinary browsers, so one click shows
 * nothing; several clicks of one client within seconds do.  The table keeps the clicks of the last
 * minutes and gives each a sum of weights:
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
 * From `threshold` on the click is a scanner's.  A human click that comes amid a burst, or from a
 * network that took part in it, belongs to it; any other one after it doesn't: most people open a
 * mail that a gateway has opened before.  And clicks of one link again and again are a machine's,
 * see repeat.h.
 *
 * The verdict is that of the clicks in the order of their times, whatever the order in which they
 * become known: an earlier click that comes late is judged, and what follows it is judged again.
 * Only a click that was found once stays found.
 *
 * Pure: no I/O; time is that of the clicks.  Nothing is allocated after the start: the oldest click
 * makes room for the newest, and of a client with GATEWAY_FOUND_MAX clicks its own oldest, so that
 * nobody can push out the clicks of others.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"

struct gateway;

enum {
    GATEWAY_ORIGIN_LEN = 16,
    GATEWAY_FOUND_MAX = 32, /* clicks of one client that are kept, and looked at together */
};

/* As in the configuration's group `labels`. */
struct gateway_options {
    int64_t links, links_ms;       /* distinct links within so many milliseconds */
    int64_t two_links_ms;          /* two of them within so many are enough */
    int64_t networks, networks_ms; /* networks, likewise */
    int64_t early_ms;
    int64_t weight_links, weight_networks, weight_early, weight_head, weight_asn, weight_range;
    int64_t threshold;
    int64_t repeat_max;  /* clicks of one link by one network in a minute; 0 = no limit */
    unsigned clicks_max; /* a power of two: clicks kept; 0 = GATEWAY_CLICKS */
};

enum { GATEWAY_CLICKS = 131072 }; /* two minutes at a thousand clicks of people a second; 12 MB */

/* A click and its name among all pods: which process had it, and its number there. */
struct gateway_click {
    struct click click;
    uint64_t number;
    uint8_t origin[GATEWAY_ORIGIN_LEN];
    bool is_own;    /* of this process, which adds it once; others' may come again */
    bool is_shared; /* other processes may know of it: who relabels it has to claim it first */
};

/* NULL: out of memory. */
MUST_USE struct gateway *gateway_new(const struct gateway_options *options);
void gateway_free(struct gateway *gateway);
/* What the numbers of networks mean has changed: those of the clicks so far are known no more. */
void gateway_forget_networks(struct gateway *gateway);

/* Whether it has to be looked at: a human click, or a client's HEAD. */
bool gateway_wants(const struct click *click);

/* The longest time that two clicks lie apart and still have to do with each other. */
int64_t gateway_window_ms(const struct gateway *gateway);

/* gateway_add() of this click comes soon: its client's place in the table, which is much larger
 * than the processor's cache, is fetched meanwhile.  Waiting for it is most of what a click costs.
 */
void gateway_expect(struct gateway *gateway, const struct click *click);

/* A click of this process has come; once for each, before gateway_add().  True: it is a repeat, and
 * `*found` its relabelling; then it need not be added. */
MUST_USE bool gateway_find_repeat(struct gateway *gateway, const struct gateway_click *own,
                                  struct gateway_click *found);

/*
 * Adds a click, unless it is known already, and sets `found` to the human clicks, this and earlier
 * ones, that are now known to be a machine's: label, reason, old_label and old_reason are set, type
 * is CLICK_TYPE_RELABEL.  Each click is found at most once.  Returns how many.
 */
unsigned gateway_add(struct gateway *gateway, const struct gateway_click *click,
                     struct gateway_click found[static GATEWAY_FOUND_MAX]);

#endif
