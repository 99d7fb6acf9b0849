/* gateway.h - mail gateways told by what they do: which clicks of a client are a machine's.
 *
 * Gateways open the links of a mail with the agents of ordinary browsers, so one click shows
 * nothing; several clicks of one client within seconds do.  The table keeps the clicks of the last
 * minutes and gives each a sum of weights:
 *
 *   links      so many distinct links of the client within seconds; one less weighs in proportion
 *   networks   so many networks (/24, /48) open the client's links within minutes
 *   HEAD       a HEAD from the same network came just before, as far as clocks tell
 *   early      so soon after the token was made; not of links on a page, in a chat or a QR code
 *   asn, range of a listed autonomous system or network
 *
 * From `threshold` on the click is a scanner's.  A human click that comes amid a burst, or from a
 * network that took part in it, belongs to it; any other one after it doesn't: most people open a
 * mail that a gateway has opened before.
 *
 * Pure: no I/O; time is that of the clicks, which may come in any order.  Nothing is allocated
 * after the start: the oldest click makes room for the newest.
 */
#ifndef LABEL_GATEWAY_H
#define LABEL_GATEWAY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"

struct gateway;

enum {
    GATEWAY_ORIGIN_LEN = 16,
    GATEWAY_FOUND_MAX = 32, /* clicks of one client that are looked at together */
};

/* As in the configuration's group `labels`. */
struct gateway_options {
    int64_t links, links_ms;       /* distinct links within so many milliseconds */
    int64_t networks, networks_ms; /* networks, likewise */
    int64_t early_ms;
    int64_t weight_links, weight_networks, weight_early, weight_head, weight_asn, weight_range;
    int64_t threshold;
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

/* Whether gateway_add() would look at it: a human click or a probe, and of a client or of a listed
 * origin. */
bool gateway_wants(const struct click *click);

/* The longest time that two clicks lie apart and still have to do with each other. */
int64_t gateway_window_ms(const struct gateway *gateway);

/* gateway_add() of this click comes soon: its client's place in the table, which is much larger
 * than the processor's cache, is fetched meanwhile.  Waiting for it is most of what a click costs.
 */
void gateway_expect(struct gateway *gateway, const struct click *click);

/*
 * Adds a click, unless it is known already, and sets `found` to the human clicks, this and earlier
 * ones, that are now known to be a scanner's: label, reason, old_label and old_reason are set, type
 * is CLICK_TYPE_RELABEL.  Each click is found at most once.  Returns how many.
 */
unsigned gateway_add(struct gateway *gateway, const struct gateway_click *click,
                     struct gateway_click found[static GATEWAY_FOUND_MAX]);

#endif
