#include "service/label/agent_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = AGENT_CACHE_WAYS, LINE = 64 };

/* One cache line, so that a look-up waits for memory once. */
struct set {
    uint64_t keys[WAYS]; /* 0 = free */
    struct agent agents[WAYS];
    uint32_t used[WAYS]; /* when each entry was last used, in ticks of `now` */
    uint32_t unused;
};

_Static_assert(sizeof(struct set) == LINE, "a set is a cache line");

struct agent_cache {
    struct set *sets;
    unsigned n_sets;
    uint32_t now; /* ticks: one more each time an entry is used */
};

struct agent_cache *agent_cache_new(unsigned n_sets)
{
    struct agent_cache *cache = calloc(1, sizeof(*cache));

    assert(n_sets > 0 && (n_sets & (n_sets - 1)) == 0);
    if (!cache)
        return NULL;
    cache->n_sets = n_sets;
    cache->sets = aligned_alloc(LINE, n_sets * sizeof(struct set));
    if (!cache->sets) {
        agent_cache_free(cache);
        return NULL;
    }
    memset(cache->sets, 0, n_sets * sizeof(struct set));
    return cache;
}

void agent_cache_free(struct agent_cache *cache)
{
    if (!cache)
        return;
    free(cache->sets);
    free(cache);
}

/* Keys of 0 mark free entries, so 0 is replaced by another key.  One agent in 2^64 thus shares an
 * entry with another agent. */
static uint64_t usable(uint64_t key)
{
    return key ? key : 1;
}

static struct set *set_of(struct agent_cache *cache, uint64_t key)
{
    return &cache->sets[(key >> 32) & (cache->n_sets - 1)];
}

const struct agent *agent_cache_find(struct agent_cache *cache, uint64_t key)
{
    struct set *set = set_of(cache, key = usable(key));

    for (unsigned i = 0; i < WAYS; i++) {
        if (set->keys[i] == key) {
            set->used[i] = ++cache->now;
            return &set->agents[i];
        }
    }
    return NULL;
}

void agent_cache_put(struct agent_cache *cache, uint64_t key, struct agent agent)
{
    struct set *set = set_of(cache, key = usable(key));
    unsigned place = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set->keys[i] == key || set->keys[i] == 0) {
            place = i;
            break;
        }
        /* Compares ages, because the clock wraps. */
        if (cache->now - set->used[i] > cache->now - set->used[place])
            place = i;
    }
    set->keys[place] = key;
    set->agents[place] = agent;
    set->used[place] = ++cache->now;
}
