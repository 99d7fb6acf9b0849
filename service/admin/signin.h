/* signin.h - the session a request belongs to. */
#ifndef ADMIN_SIGNIN_H
#define ADMIN_SIGNIN_H
#include <stdbool.h>

#include "proto/compiler.h"

struct request;
struct session;

/* The session whose cookie the request carries, or NULL; borrowed. */
struct session *signin_find(struct request *request);

/* Whether a request that changes something comes from our own page: browsers send the cookie along
 * by themselves, but only our page knows the session's token. */
MUST_USE bool signin_may_change(const struct request *request, const struct session *session);

#endif
