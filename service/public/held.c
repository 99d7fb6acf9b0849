#include "service/public/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Mapped, not allocated: what is never used takes no memory, and blocks begin where pages do. */
bool held_pool_init(struct held_pool *pool, size_t n_blocks)
{
    void *blocks = mmap(NULL, n_blocks * sizeof(struct held_block), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *pool = (struct held_pool){.n_blocks = n_blocks, .n_free = n_blocks};
    if (blocks == MAP_FAILED)
        return false;
    pool->blocks = blocks;
    return true;
}

void held_pool_clear(struct held_pool *pool)
{
    if (pool->blocks)
        munmap(pool->blocks, pool->n_blocks * sizeof(struct held_block));
    *pool = (struct held_pool){0};
}

static size_t blocks_of(size_t len)
{
    return (len + HELD_BLOCK_BYTES - 1) / HELD_BLOCK_BYTES;
}

size_t held_blocks_needed(const struct held *held, size_t len)
{
    return blocks_of(held->len + len) - blocks_of(held->len);
}

static struct held_block *take_block(struct held_pool *pool)
{
    struct held_block *block = pool->free;

    assert(pool->n_free > 0);
    pool->n_free--;
    if (block)
        pool->free = block->next;
    else
        block = &pool->blocks[pool->n_made++];
    block->next = NULL;
    return block;
}

void held_append(struct held_pool *pool, struct held *held, struct slice bytes)
{
    struct held_block **link = &held->first;
    size_t used = held->len;

    while (*link && used >= HELD_BLOCK_BYTES) {
        link = &(*link)->next;
        used -= HELD_BLOCK_BYTES;
    }
    held->len += bytes.len;
    while (bytes.len) {
        size_t room = HELD_BLOCK_BYTES - used;
        size_t n = bytes.len < room ? bytes.len : room;

        if (!*link)
            *link = take_block(pool);
        memcpy((*link)->bytes + used, bytes.ptr, n);
        bytes = slice_make(bytes.ptr + n, bytes.len - n);
        link = &(*link)->next;
        used = 0;
    }
}

void held_copy(const struct held *held, char *out)
{
    const struct held_block *block = held->first;

    for (size_t left = held->len; left > 0; block = block->next) {
        size_t n = left < HELD_BLOCK_BYTES ? left : HELD_BLOCK_BYTES;

        memcpy(out, block->bytes, n);
        out += n;
        left -= n;
    }
}

void held_clear(struct held_pool *pool, struct held *held)
{
    struct held_block *next;

    for (struct held_block *block = held->first; block; block = next) {
        next = block->next;
        block->next = pool->free;
        pool->free = block;
        pool->n_free++;
    }
    *held = (struct held){0};
}
