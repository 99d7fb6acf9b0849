/* histogram.h - latencies in buckets of constant relative width: 1/32 of a power of two. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H
#include <stdint.h>

enum { HISTOGRAM_SUB = 32, HISTOGRAM_BUCKETS = 64 * HISTOGRAM_SUB };

struct histogram {
    uint64_t n;
    uint64_t max_ns;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket_of(uint64_t ns)
{
    unsigned log2;

    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    log2 = 63 - (unsigned)__builtin_clzll(ns);
    return (log2 - 4) * HISTOGRAM_SUB + (unsigned)(ns >> (log2 - 5) & (HISTOGRAM_SUB - 1));
}

/* The lowest value of a bucket, nanoseconds. */
static inline uint64_t histogram_value_of(unsigned bucket)
{
    unsigned log2 = bucket / HISTOGRAM_SUB + 4;

    if (bucket < HISTOGRAM_SUB)
        return bucket;
    return (uint64_t)(HISTOGRAM_SUB + bucket % HISTOGRAM_SUB) << (log2 - 5);
}

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    h->bucket[histogram_bucket_of(ns)]++;
    h->n++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

/* The value below which `permille` thousandths of all lie, nanoseconds; 0 when empty. */
static inline uint64_t histogram_at(const struct histogram *h, double permille)
{
    uint64_t rank = (uint64_t)((double)h->n * permille / 1000.0);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > rank)
            return histogram_value_of(i);
    }
    return h->max_ns;
}

#endif
