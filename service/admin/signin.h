/* signin.h - signing in to the dashboard: refusals of wrong keys are held back. */
#ifndef ADMIN_SIGNIN_H
#define ADMIN_SIGNIN_H
#include "proto/compiler.h"

struct event_base;
struct signins;

enum { SIGNIN_BODY_MAX = 4096 };

/* The refusals of wrong keys that are held back.  NULL: no memory. */
MUST_USE struct signins *signins_new(struct event_base *base);
/* Answers them at once.  NULL is allowed. */
void signins_free(struct signins *signins);

#endif
