/* cache.h - the replies of the last second: a page that a hundred people watch is made once. */
#ifndef ADMIN_CACHE_H
#define ADMIN_CACHE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/admin/request.h"

struct cache;

enum { CACHE_KEEP_MS = 1000 };

/* NULL: no memory. */
MUST_USE struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* The reply kept under `key` at `now_ms` (monotonic), or NULL; borrowed until the next call. */
const struct reply *cache_find(struct cache *cache, struct slice key, int64_t now_ms);

/* Keeps a copy of `reply`, if it is small enough; `reply->etag_of` must be a part of its body, and
 * `reply->type` a constant. */
void cache_put(struct cache *cache, struct slice key, const struct reply *reply, int64_t now_ms);

/* Forgets all: the configuration has changed. */
void cache_clear(struct cache *cache);

#endif
