/* agent_cache.h - what is known of agents seen before, by a hash of their text.
 *
 * A table of fixed size; of the few places that a key may take, the one not used the longest is
 * given to a new key.  Belongs to one thread.
 */
#ifndef LABEL_AGENT_CACHE_H
#define LABEL_AGENT_CACHE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/label/agent.h"

struct agent_cache;

enum { AGENT_CACHE_WAYS = 3 };

/* For `n_sets` times AGENT_CACHE_WAYS agents; a power of two.  NULL: out of memory. */
MUST_USE struct agent_cache *agent_cache_new(unsigned n_sets);
void agent_cache_free(struct agent_cache *cache);

/* What was put under `key`, or NULL; borrowed until the next put. */
const struct agent *agent_cache_find(struct agent_cache *cache, uint64_t key);

void agent_cache_put(struct agent_cache *cache, uint64_t key, struct agent agent);

#endif
