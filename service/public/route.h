/* route.h - decides how a request is answered.  Pure: reads only its arguments and the site; the
 * caller labels, counts and replies. */
#ifndef PUBLIC_ROUTE_H
#define PUBLIC_ROUTE_H
#include <stdint.h>

#include "proto/http1.h"
#include "proto/token.h"
#include "service/config/site.h"
#include "service/public/counters.h"

struct route {
    /* REDIRECT or SILENT (whether the kind has a target is the caller's to find out, who knows the
     * facts that choose it), HOME, HOME_PAGE, ROBOTS, NOT_FOUND, EXPIRED, BAD_REQUEST or
     * UNKNOWN_HOST. */
    enum outcome outcome;
    const struct brand *brand; /* NULL: UNKNOWN_HOST; borrowed from the site */
    struct token token;        /* REDIRECT, SILENT and EXPIRED only */
};

/*
 * Decides on `request`, a GET or HEAD for a host of `brand` (NULL: of no brand), as of `now_s`.  A
 * link is "/TOKEN", also as mail programs change it (token_open()).  The query is ignored, because
 * mail programs and social networks append their own (utm_…, fbclid).  A stray byte in the path
 * (http1.h) is ignored behind a token, right or wrong; elsewhere the request is a bad one.
 */
void route_decide(const struct site *site, const struct brand *brand,
                  const struct http1_request *request, int64_t now_s, struct route *out);

/* The page of an outcome; PAGES if it has none. */
enum page route_page(enum outcome outcome);

#endif
