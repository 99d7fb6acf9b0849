/* held.h - input that a connection has to keep: an unfinished head, or requests behind replies that
 * the client has not taken.  It lies in blocks of one pool with a fixed size, so that a short head
 * takes little, and all heads together never more than the pool.
 */
#ifndef PUBLIC_HELD_H
#define PUBLIC_HELD_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { HELD_BLOCK_BYTES = 4096 - sizeof(void *) }; /* of input: a block is a page of memory */

struct held_block {
    struct held_block *next;
    char bytes[HELD_BLOCK_BYTES];
};

struct held_pool {
    struct held_block *blocks; /* memory is touched as they are used */
    struct held_block *free;   /* the last used on top */
    size_t n_blocks, n_made;   /* of them used at least once */
    size_t n_free;             /* never used ones included */
};

/* What one connection holds; {0}: nothing. */
struct held {
    struct held_block *first;
    size_t len; /* bytes */
};

/* False: out of memory. */
MUST_USE bool held_pool_init(struct held_pool *pool, size_t n_blocks);
void held_pool_clear(struct held_pool *pool);

/* How many free blocks it takes to append `len` bytes. */
size_t held_blocks_needed(const struct held *held, size_t len);

/* Appends; the pool has the blocks that held_blocks_needed() says. */
void held_append(struct held_pool *pool, struct held *held, struct slice bytes);

/* Copies all of it to `out`, which has room for held->len bytes. */
void held_copy(const struct held *held, char *out);

/* Gives the blocks back; `*held` is {0} then. */
void held_clear(struct held_pool *pool, struct held *held);

#endif
