#include "service/admin/cache.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES = 64,
    BODY_MAX = 1 << 20, /* bytes; so at most 64 MiB, for a second */
};

struct entry {
    char *key; /* with the body behind it; NULL = free */
    size_t key_len;
    struct reply reply;
    int64_t until_ms;
};

struct cache {
    struct entry entries[ENTRIES];
};

struct cache *cache_new(void)
{
    return calloc(1, sizeof(struct cache));
}

static void drop(struct entry *entry)
{
    free(entry->key);
    *entry = (struct entry){.key = NULL};
}

void cache_clear(struct cache *cache)
{
    for (size_t i = 0; i < ENTRIES; i++)
        drop(&cache->entries[i]);
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    cache_clear(cache);
    free(cache);
}

/* Frees expired replies on the way, so that they don't hold memory for long. */
const struct reply *cache_find(struct cache *cache, struct slice key, int64_t now_ms)
{
    const struct reply *found = NULL;

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &cache->entries[i];

        if (entry->key && now_ms >= entry->until_ms)
            drop(entry);
        if (entry->key && slice_equal(slice_make(entry->key, entry->key_len), key))
            found = &entry->reply;
    }
    return found;
}

void cache_put(struct cache *cache, struct slice key, const struct reply *reply, int64_t asked_ms,
               int64_t now_ms)
{
    struct entry *entry = &cache->entries[0];
    int64_t took_ms = now_ms - asked_ms, keep_ms = CACHE_KEEP_MS;
    char *copy = NULL, *body;

    if (took_ms > CACHE_KEEP_MAX_MS / CACHE_KEEP_TIMES)
        keep_ms = CACHE_KEEP_MAX_MS;
    else if (took_ms * CACHE_KEEP_TIMES > CACHE_KEEP_MS)
        keep_ms = took_ms * CACHE_KEEP_TIMES;
    if (reply->body.len > BODY_MAX || !(copy = malloc(key.len + reply->body.len)))
        return;
    /* A free entry, or the one that goes next. */
    for (size_t i = 0; i < ENTRIES && entry->key; i++) {
        if (!cache->entries[i].key || cache->entries[i].until_ms < entry->until_ms)
            entry = &cache->entries[i];
    }
    drop(entry);
    body = copy + key.len;
    memcpy(copy, key.ptr, key.len);
    memcpy(body, reply->body.ptr, reply->body.len);
    *entry = (struct entry){
        .key = copy, .key_len = key.len, .reply = *reply, .until_ms = now_ms + keep_ms};
    entry->reply.body.ptr = body;
    if (reply->etag_of.ptr)
        entry->reply.etag_of.ptr = body + (reply->etag_of.ptr - reply->body.ptr);
}
