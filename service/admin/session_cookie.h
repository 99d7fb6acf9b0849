/* session_cookie.h - the session of a request, by its cookie. */
#ifndef ADMIN_SESSION_COOKIE_H
#define ADMIN_SESSION_COOKIE_H
#include <stdbool.h>

#include "proto/compiler.h"

struct request;
struct session;

/* Adds a cookie with a sealed session to the reply; max_age_s 0 deletes it.  In a reply over TLS
 * browsers keep it for TLS alone. */
void session_cookie_set(struct request *request, const char *sealed, int max_age_s);

/* Opens the session whose cookie the request carries.  It is now used: from time to time that adds
 * a new cookie to the reply.  False: the request carries none, or one that is over. */
MUST_USE bool session_cookie_find(struct request *request, struct session *session);
/* The same without using it. */
MUST_USE bool session_cookie_peek(const struct request *request, struct session *session);

/* Whether a request that changes something comes from our own page: browsers send the cookie along
 * by themselves, and the proxy its fields, but only our page knows `token`, of SESSION_CSRF_LEN
 * characters. */
MUST_USE bool session_cookie_may_change(const struct request *request, const char *token);

#endif
