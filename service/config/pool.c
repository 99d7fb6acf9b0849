#include "service/config/pool.h"

#include <stdlib.h>
#include <string.h>

#include "proto/html.h"

struct pool_block {
    struct pool_block *next;
    max_align_t bytes[];
};

void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_block *block = calloc(1, sizeof(*block) + size);

    if (!block)
        return NULL;
    block->next = pool->blocks;
    pool->blocks = block;
    return block->bytes;
}

char *pool_text(struct pool *pool, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = pool_alloc(pool, size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

struct slice pool_html(struct pool *pool, const char *text)
{
    size_t len = html_escaped_len(slice_of(text));
    char *copy = pool_alloc(pool, len + 1);

    if (copy)
        html_escape(slice_of(text), copy);
    return slice_make(copy, copy ? len : 0);
}

void pool_clear(struct pool *pool)
{
    while (pool->blocks) {
        struct pool_block *next = pool->blocks->next;

        free(pool->blocks);
        pool->blocks = next;
    }
}
