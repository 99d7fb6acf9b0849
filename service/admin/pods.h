/* pods.h - which processes share this Redis, and how each is doing.
 *
 * Every few seconds each admin thread writes a line of its own and reads those of the others.  The
 * lines stand in a hash per hour that expires, so what is gone is forgotten without a cleaner.
 */
#ifndef ADMIN_PODS_H
#define ADMIN_PODS_H
#include <jansson.h>

#include "proto/compiler.h"

struct event_base;
struct pods;
struct server;

enum { PODS_EVERY_S = 5, PODS_MAX = 256 };

/* NULL: no memory.  Borrows `server`; the first line is written as soon as the loop runs. */
MUST_USE struct pods *pods_new(struct server *server, struct event_base *base);
/* After the server's fetches have ended.  NULL is allowed. */
void pods_free(struct pods *pods);

/* [{host, version, started_at, seen_s, lag_s, pending, connected, self}], as last read: a new
 * reference.  `seen_s` is the age of the line, by this machine's clock. */
json_t *pods_json(const struct pods *pods);

#endif
