/* cookie.h - cookies of a request and its reply (RFC 6265). */
#ifndef ADMIN_COOKIE_H
#define ADMIN_COOKIE_H
#include <stdbool.h>

#include "proto/slice.h"

struct request;

enum { COOKIE_VALUE_MAX = 1600 }; /* bytes that fit */

/* A cookie of ours has two names.  Browsers take the one with the prefix `__Host-` only over TLS,
 * for this host alone and for all of its paths: no neighbour under the same domain can set it. */
struct cookie {
    const char *secure_name, *plain_name;
    bool is_lax; /* it comes too when a link of another site leads here */
};

/* Adds the cookie to the reply; max_age_s 0 deletes it. */
void cookie_set(struct request *request, const struct cookie *cookie, bool is_secure,
                const char *value, int max_age_s);

/* The value of the cookie, borrowed from the request, or an absent slice; over TLS only the name
 * counts that a neighbour can't set.  `*is_secure`: it came by that name. */
struct slice cookie_find(const struct request *request, const struct cookie *cookie,
                         bool *is_secure);

#endif
