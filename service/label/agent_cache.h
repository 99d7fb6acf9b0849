/* agent_cache.h - the classification of agents seen before, by a hash of their text.
 *
 * A set-associative table of fixed size: a key may take AGENT_CACHE_WAYS places, and a new key
 * replaces the one that was used least recently.  Belongs to one thread. */
#ifndef LABEL_AGENT_CACHE_H
#define LABEL_AGENT_CACHE_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/label/agent.h"

struct agent_cache;

enum { AGENT_CACHE_WAYS = 3 };

/* Holds `n_sets` times AGENT_CACHE_WAYS agents; `n_sets` is a power of two.  NULL: out of memory.
 */
MUST_USE struct agent_cache *agent_cache_new(unsigned n_sets);
void agent_cache_free(struct agent_cache *cache);

/* The agent put under `key`, or NULL; borrowed until the next put. */
const struct agent *agent_cache_find(struct agent_cache *cache, uint64_t key);

void agent_cache_put(struct agent_cache *cache, uint64_t key, struct agent agent);

#endif
