/* answer_arena.h - memory for the elements of one Redis answer.
 *
 * hiredis makes two allocations for each element and frees them one by one, which is most of the
 * cost of a long answer.  The arena allocates from large blocks and frees everything at once. */
#ifndef REDIS_ANSWER_ARENA_H
#define REDIS_ANSWER_ARENA_H
#include <stddef.h>

#include "proto/compiler.h"

struct answer_block;

/* Initialise with zeros, except `max`. */
struct answer_arena {
    struct answer_block *first; /* the block in use comes first */
    size_t size, max;           /* bytes of all blocks, and their limit */
};

/* Returns memory aligned for any type, not cleared; NULL: out of memory, or `max` would be
 * exceeded. */
MUST_USE void *answer_arena_take(struct answer_arena *arena, size_t len);

/* Frees everything taken; keeps one block for the next answer. */
void answer_arena_reset(struct answer_arena *arena);
void answer_arena_clear(struct answer_arena *arena);

#endif
