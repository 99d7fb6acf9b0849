/* cache.h - the replies of the last second, so that a reply that a hundred people ask for is made
 * once.
 *
 * A reply that took long is kept for fifty times as long as it took, so that Redis spends at most a
 * fiftieth of its time on the same reply.  The age in a reply ("as_of") stays right.
 */
#ifndef ADMIN_CACHE_H
#define ADMIN_CACHE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/request.h"

struct cache;

enum { CACHE_KEEP_MS = 1000, CACHE_KEEP_MAX_MS = 60000, CACHE_KEEP_TIMES = 50 };

/* NULL: no memory. */
MUST_USE struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* The reply kept under `key` at `now_ms` (monotonic), or NULL; borrowed until the next call. */
const struct reply *cache_find(struct cache *cache, struct slice key, int64_t now_ms);

/* Keeps a copy of `reply`, which was asked for at `asked_ms` and is made now, if it is small
 * enough; `reply->etag_of` must be a part of its body, and `reply->type` a constant. */
void cache_put(struct cache *cache, struct slice key, const struct reply *reply, int64_t asked_ms,
               int64_t now_ms);

/* Forgets all: the configuration has changed. */
void cache_clear(struct cache *cache);

#endif
