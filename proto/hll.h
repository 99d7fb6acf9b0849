/* hll.h - where a HyperLogLog of Redis counts an element, and records of that (FORMATS.md "People
 * by the hour").  Pure: no I/O, no clock, no allocation.
 *
 * A HyperLogLog has 16,384 registers.  An element's hash says which of them it belongs to, and its
 * rank; each register keeps the highest rank that it was given.  So whoever knows register and rank
 * of some elements can make the HyperLogLog that PFADD would have made of them, and nobody can tell
 * from them which elements they were.
 */
#ifndef PROTO_HLL_H
#define PROTO_HLL_H
#include <stdint.h>

#include "proto/slice.h"

enum {
    HLL_REGISTERS = 16384,
    HLL_RANK_MAX = 51,
    HLL_RECORD_LEN = 4, /* big-endian */
};

/* MurmurHash64A by Austin Appleby with the seed of Redis, 0xadc83b19. */
uint64_t hll_hash(struct slice element);

/* What PFADD does with an element: its register (the low 14 bits of the hash) * 64 + its rank (the
 * zeros below the lowest 1 of the other 50 bits, and one; 51 if there is no 1). */
uint32_t hll_place(struct slice element);

/* The same of an element that belongs to an hour of the day, 0…23, as a number of 25 bits: sorted,
 * those of one hour and register follow one another, the highest rank last. */
static inline uint32_t hll_record(unsigned hour, struct slice element)
{
    return (uint32_t)hour << 20 | hll_place(element);
}

#endif
