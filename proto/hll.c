#include "proto/hll.h"

#include "proto/bytes.h"

enum { INDEX_BITS = 14, RANK_BITS = 6, WORD = 8, SHIFT = 47 };

static const uint64_t factor = 0xc6a4a7935bd1e995, seed = 0xadc83b19;

uint64_t hll_hash(struct slice element)
{
    const uint8_t *at = (const uint8_t *)element.ptr;
    uint64_t hash = seed ^ (element.len * factor);
    size_t left = element.len;

    for (; left >= WORD; left -= WORD, at += WORD) {
        uint64_t word = le64_load(at) * factor;

        hash = (hash ^ (word ^ word >> SHIFT) * factor) * factor;
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++)
            hash ^= (uint64_t)at[i] << (8 * i);
        hash *= factor;
    }
    hash = (hash ^ hash >> SHIFT) * factor;
    return hash ^ hash >> SHIFT;
}

uint32_t hll_place(struct slice element)
{
    uint64_t hash = hll_hash(element), rest = hash >> INDEX_BITS;
    uint32_t rank = 1;

    for (; rank < HLL_RANK_MAX && (rest & 1) == 0; rest >>= 1)
        rank++;
    return (uint32_t)(hash & (HLL_REGISTERS - 1)) << RANK_BITS | rank;
}
