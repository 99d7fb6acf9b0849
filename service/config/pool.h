/* pool.h - memory that is freed all at once: for what is built at load and then only read. */
#ifndef CONFIG_POOL_H
#define CONFIG_POOL_H
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct pool_block;

/* Caller's memory; start from {0}. */
struct pool {
    struct pool_block *blocks;
};

/* `size` bytes of zero, or NULL. */
MUST_USE void *pool_alloc(struct pool *pool, size_t size);
/* A copy of `text`, or NULL. */
MUST_USE char *pool_text(struct pool *pool, const char *text);
/* `text` escaped for HTML; ptr NULL: out of memory. */
MUST_USE struct slice pool_html(struct pool *pool, const char *text);
void pool_clear(struct pool *pool);

#endif
