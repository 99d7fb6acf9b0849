/* origin.h - where a request was made: over TLS or not, and on which host.
 *
 * A proxy in front ends TLS and may change Host; what it says of that stands in X-Forwarded-Proto,
 * X-Forwarded-Host or Forwarded (RFC 7239).
 */
#ifndef ADMIN_ORIGIN_H
#define ADMIN_ORIGIN_H
#include <stdbool.h>

#include "proto/compiler.h"

struct request;

/* Whether the request came over TLS, as a proxy says (trusted or not), or the browser (an Origin of
 * our own page with https).  A client that lies about it harms only its own cookie. */
bool origin_is_secure(const struct request *request);

/* Whether the request comes from our own page, and not from one of another site: by what the
 * browser says (Sec-Fetch-Site), or else by an Origin of the host that the request was sent to.
 * Proxies that are trusted may name that host. */
bool origin_is_own_page(const struct request *request);

enum { ORIGIN_URL_MAX = 300 };

/* Writes where the browser found us, "https://host:port".  False: the request names no host. */
MUST_USE bool origin_url(const struct request *request, char out[static ORIGIN_URL_MAX]);

#endif
