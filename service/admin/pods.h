/* pods.h - the processes at this Redis, for the API: what the ledger has read, and this process as
 * it is now.  For the API thread only.
 */
#ifndef ADMIN_PODS_H
#define ADMIN_PODS_H
#include <jansson.h>

#include "proto/compiler.h"
#include "service/gateway/pod.h"

struct pods;
struct server;

/* Borrows `server`.  NULL: no memory. */
MUST_USE struct pods *pods_new(const struct server *server);
void pods_free(struct pods *pods);

/* The id of this process and of all others that run with its state_dir on its host (FORMATS.md
 * "Pods"), until the next call of pods.h; "": there is no ledger. */
const char *pods_self_id(struct pods *pods);

/* All processes together, as of now. */
struct pods_age pods_age(struct pods *pods);

/* [{host, version, started_at, seen_s, as_of, lag_s, pending, connected, alive, self}], as last
 * read, and of this process as of now: a new reference. */
json_t *pods_json(struct pods *pods);

#endif
