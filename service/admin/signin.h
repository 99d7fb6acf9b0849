/* signin.h - signing in to the dashboard: the session a request belongs to, and wrong keys. */
#ifndef ADMIN_SIGNIN_H
#define ADMIN_SIGNIN_H
#include <stdbool.h>

#include "proto/compiler.h"

struct event_base;
struct request;
struct session;
struct signins;

enum { SIGNIN_BODY_MAX = 4096 };

/* The refusals of wrong keys that are held back.  NULL: no memory. */
MUST_USE struct signins *signins_new(struct event_base *base);
/* Answers them at once.  NULL is allowed. */
void signins_free(struct signins *signins);

/* The session whose cookie the request carries, which is now used, or NULL; borrowed. */
struct session *signin_find(const struct request *request);
/* The same without using it. */
const struct session *signin_peek(const struct request *request);

/* Whether a request that changes something comes from our own page: browsers send the cookie along
 * by themselves, but only our page knows the session's token. */
MUST_USE bool signin_may_change(const struct request *request, const struct session *session);

#endif
