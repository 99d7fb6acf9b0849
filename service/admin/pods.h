/* pods.h - which processes share this Redis, and how each is doing.
 *
 * Every few seconds each admin thread writes a line of its own and reads those of the others.  The
 * lines stand in a hash per hour that expires, so what is gone is forgotten without a cleaner.  A
 * line belongs to a state_dir: who starts on it after a crash goes on with the line, and who ends
 * with nothing left to count takes it away.
 */
#ifndef ADMIN_PODS_H
#define ADMIN_PODS_H
#include <jansson.h>

#include "proto/compiler.h"
#include "service/admin/pod.h"

struct event_base;
struct pods;
struct server;

/* NULL: no memory.  Borrows `server`; the first line is written as soon as the loop runs.
 * `state_dir` may be NULL. */
MUST_USE struct pods *pods_new(struct server *server, struct event_base *base,
                               const char *state_dir);
/* After the server's fetches have ended.  NULL is allowed. */
void pods_free(struct pods *pods);

/* Says farewell: no lines are written any more; `on_left` is called once, maybe before this
 * returns. */
void pods_leave(struct pods *pods, void (*on_left)(void *arg), void *arg);

/* All processes together, as of now. */
struct pods_age pods_age(const struct pods *pods);

/* [{host, version, started_at, seen_s, as_of, lag_s, pending, connected, alive, self}], as last
 * read, and of this process as of now: a new reference. */
json_t *pods_json(const struct pods *pods);

#endif
