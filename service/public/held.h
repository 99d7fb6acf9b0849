/* held.h - input that a connection must keep: an unfinished head, or requests that follow replies
 * which the client has not read yet.  It is kept in blocks of a pool of fixed size, so that a short
 * head takes little memory, and all heads together never more than the pool. */
#ifndef PUBLIC_HELD_H
#define PUBLIC_HELD_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    HELD_BLOCK_BYTES = 4096 - sizeof(void *)
}; /* bytes of input per block, which fills a page of memory */

struct held_block {
    struct held_block *next;
    char bytes[HELD_BLOCK_BYTES];
};

struct held_pool {
    struct held_block *blocks; /* pages get memory when they are first used */
    struct held_block *free;   /* the one freed last comes first */
    size_t n_blocks, n_made;   /* size of the pool, and blocks used at least once */
    size_t n_free;             /* includes blocks never used */
};

/* The input kept for one connection; {0}: none. */
struct held {
    struct held_block *first;
    size_t len; /* bytes */
};

/* False: out of memory. */
MUST_USE bool held_pool_init(struct held_pool *pool, size_t n_blocks);
void held_pool_clear(struct held_pool *pool);

/* The number of free blocks needed to append `len` bytes. */
size_t held_blocks_needed(const struct held *held, size_t len);

/* Appends `bytes`; the pool must have as many free blocks as held_blocks_needed() says. */
void held_append(struct held_pool *pool, struct held *held, struct slice bytes);

/* Copies all bytes to `out`, which must have room for held->len bytes. */
void held_copy(const struct held *held, char *out);

/* Returns the blocks to the pool and sets `*held` to {0}. */
void held_clear(struct held_pool *pool, struct held *held);

#endif
