/* counter64.h - a counter for metrics, shared by threads: one thread writes it, any may read it. */
#ifndef BASE_COUNTER64_H
#define BASE_COUNTER64_H
#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter64;

/* A plain load and store instead of an atomic addition: with one writer that is enough, and
 * cheaper. */
static inline void counter64_add(counter64 *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void counter64_set(counter64 *c, uint64_t v)
{
    atomic_store_explicit(c, v, memory_order_relaxed);
}

static inline uint64_t counter64_get(const counter64 *c)
{
    return atomic_load_explicit((counter64 *)c, memory_order_relaxed);
}

#endif
