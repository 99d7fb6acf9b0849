/* shares.h - links that share a view: whoever has one reads that view's figures without a key,
 * until it expires or is revoked, or the API key that made it is gone. */
#ifndef ADMIN_SHARES_H
#define ADMIN_SHARES_H
#include <stdbool.h>

#include "proto/compiler.h"

struct request;

/* What a route says of itself: the pages that ask for its figures, and what it has none of. */
enum {
    SHARES_OF_OVERVIEW = 1,
    SHARES_OF_CAMPAIGNS = 2,
    SHARES_OF_FUNNEL = 4,
    SHARES_OF_ALL = 7,
    SHARES_NO_FIGURES = 8, /* the filters of a view don't bear on it */
    SHARES_NO_PERIOD = 16, /* nor does its period */
};

/* Whether a request comes by such a link, and it is not known yet whether that is good. */
bool shares_must_look(const struct request *request);

/* Looks the link of a request up.  Takes the request: when the link is good it is given to `go_on`
 * with `share`, `brands` and `who` set, else it is replied to. */
void shares_look(struct request *request, void (*go_on)(struct request *request));

/* Whether a request that came by a link may ask this: a route that the page of its view asks
 * (`route`, a set of the bits above), and no more than the view shows.  True for all other
 * requests. False: replied to. */
MUST_USE bool shares_may_ask(struct request *request, unsigned route);

#endif
