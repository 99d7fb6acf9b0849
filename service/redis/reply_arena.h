/* reply_arena.h - memory for one reply of Redis at a time.
 *
 * hiredis makes two allocations for each element and frees them one by one, which is most of what a
 * long reply costs.  Here they are cut from blocks and dropped together.
 */
#ifndef REDIS_REPLY_ARENA_H
#define REDIS_REPLY_ARENA_H
#include <stddef.h>

#include "proto/compiler.h"

struct reply_block;

/* Starts from all zero but `max`. */
struct reply_arena {
    struct reply_block *first; /* the one being cut comes first */
    size_t size, max;          /* bytes of all blocks, and how many there may be */
};

/* Aligned for any type, not cleared; NULL: no memory, or more than `max` would be needed. */
MUST_USE void *reply_arena_take(struct reply_arena *arena, size_t len);

/* Drops all that was taken; keeps a block for the next reply. */
void reply_arena_reset(struct reply_arena *arena);
void reply_arena_clear(struct reply_arena *arena);

#endif
