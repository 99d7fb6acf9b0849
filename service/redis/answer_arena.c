#include "service/redis/answer_arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    BLOCK_MIN = 4 << 10,   /* enough for most of the ledger's answers */
    BLOCK_MAX = 256 << 10, /* blocks double up to this; longer pieces get a block of their own */
    KEEP_MAX = 64 << 10,
};

struct answer_block {
    struct answer_block *next;
    size_t size, used; /* in bytes of `data` */
    alignas(max_align_t) unsigned char data[];
};

static struct answer_block *add_block(struct answer_arena *arena, size_t len)
{
    size_t size = arena->first ? arena->first->size * 2 : BLOCK_MIN;
    struct answer_block *block;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < len)
        size = len;
    if (size > arena->max - arena->size && len <= arena->max - arena->size)
        size = len;
    if (size > arena->max - arena->size || !(block = malloc(sizeof(*block) + size)))
        return NULL;
    arena->size += size;
    *block = (struct answer_block){.next = arena->first, .size = size};
    arena->first = block;
    return block;
}

void *answer_arena_take(struct answer_arena *arena, size_t len)
{
    const size_t align = alignof(max_align_t);
    struct answer_block *block = arena->first;
    void *taken;

    if (len > SIZE_MAX / 2)
        return NULL;
    len = (len + align - 1) / align * align;
    if ((!block || block->size - block->used < len) && !(block = add_block(arena, len)))
        return NULL;
    taken = block->data + block->used;
    block->used += len;
    return taken;
}

static void free_blocks(struct answer_block *block)
{
    while (block) {
        struct answer_block *next = block->next;

        free(block);
        block = next;
    }
}

void answer_arena_reset(struct answer_arena *arena)
{
    struct answer_block *block = arena->first;

    if (!block)
        return;
    free_blocks(block->next);
    block->next = NULL;
    block->used = 0;
    arena->size = block->size;
    if (block->size > KEEP_MAX)
        answer_arena_clear(arena);
}

void answer_arena_clear(struct answer_arena *arena)
{
    free_blocks(arena->first);
    arena->first = NULL;
    arena->size = 0;
}
