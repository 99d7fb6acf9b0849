/* reply_arena.h - memory for the elements of one Redis reply.
 *
 * hiredis makes two allocations for each element and frees them one by one, which is most of the
 * cost of a long reply.  The arena allocates from large blocks and frees everything at once. */
#ifndef REDIS_REPLY_ARENA_H
#define REDIS_REPLY_ARENA_H
#include <stddef.h>

#include "proto/compiler.h"

struct reply_block;

/* Initialise with zeros, except `max`. */
struct reply_arena {
    struct reply_block *first; /* the block in use comes first */
    size_t size, max;          /* bytes of all blocks, and their limit */
};

/* Returns memory aligned for any type, not cleared; NULL: out of memory, or `max` would be
 * exceeded. */
MUST_USE void *reply_arena_take(struct reply_arena *arena, size_t len);

/* Frees everything taken; keeps one block for the next reply. */
void reply_arena_reset(struct reply_arena *arena);
void reply_arena_clear(struct reply_arena *arena);

#endif
