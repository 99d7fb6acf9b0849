/* session_cookie.h - the session of a request, by its cookie. */
#ifndef ADMIN_SESSION_COOKIE_H
#define ADMIN_SESSION_COOKIE_H
#include <stdbool.h>

#include "proto/compiler.h"

struct request;
struct session;

/* Adds a cookie with the id of a session to the reply; max_age_s 0 deletes it.  In a reply over TLS
 * browsers keep it for TLS alone. */
void session_cookie_set(struct request *request, const char *id, int max_age_s);

/* The session whose cookie the request carries, which is now used, or NULL; borrowed. */
struct session *session_cookie_find(const struct request *request);
/* The same without using it. */
const struct session *session_cookie_peek(const struct request *request);

/* Whether a request that changes something comes from our own page: browsers send the cookie along
 * by themselves, but only our page knows the session's token. */
MUST_USE bool session_cookie_may_change(const struct request *request,
                                        const struct session *session);

#endif
