/* unwrap.h - the link inside a link: mail gateways and search engines wrap what they show.
 *
 * Known are Safe Links of Microsoft, URL Defense of Proofpoint (versions 1, 2 and 3, as their own
 * decoder reads them), links of Barracuda and Cisco, and the redirects of Google, Bing, DuckDuckGo,
 * Yahoo and Facebook.  Mimecast keeps the link to itself: only its server can tell.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef PROTO_UNWRAP_H
#define PROTO_UNWRAP_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    UNWRAP_MAX = 4096,    /* bytes of a link, wrapped or not, with its NUL */
    UNWRAP_TIMES_MAX = 5, /* a mail that was forwarded was wrapped by each gateway on its way */
    UNWRAP_WHY_MAX = 160, /* bytes of why a link can't be got at, with its NUL */
};

enum unwrap_status {
    UNWRAP_PLAIN,  /* of none of the hosts above */
    UNWRAP_OPENED, /* `out` has the link that is inside, which may be wrapped too */
    UNWRAP_SEALED, /* wrapped, and only the one who did it can tell what is inside */
    UNWRAP_BROKEN, /* the host is known, but no link is to be found: cut, or of another form */
};

/* Takes one wrapping off `url`, "https://host/…".  `*by` is who wrapped it, a name for people, on
 * every status but UNWRAP_PLAIN; the NUL-terminated `out` holds something on UNWRAP_OPENED alone.
 * What comes out begins with http:// or https:// and holds no control characters. */
MUST_USE enum unwrap_status unwrap_link(struct slice url, const char **by,
                                        char out[static UNWRAP_MAX]);

/* A link without what was around it. */
struct unwrapped {
    const char *by[UNWRAP_TIMES_MAX]; /* who wrapped it, from the outside in; n of them */
    unsigned n;
    char url[UNWRAP_MAX];     /* the link inside, if n > 0 */
    char why[UNWRAP_WHY_MAX]; /* a part of a sentence, when it can't be got at; else "" */
};

/* Takes all wrappings off `url`.  False, with out->why: one of them does not come off. */
MUST_USE bool unwrap_all(struct slice url, struct unwrapped *out);

#endif
