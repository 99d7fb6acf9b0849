/* batch_private.h - what batch.c (tables, arguments) and batch_series.c (time series, people)
 * share.
 */
#ifndef LEDGER_BATCH_PRIVATE_H
#define LEDGER_BATCH_PRIVATE_H
#include <assert.h>
#include <openssl/sha.h>

#include "proto/counter.h"
#include "service/ledger/batch.h"
#include "service/ledger/fold.h"
#include "service/ledger/pack.h"

enum {
    BATCH_SERIES_DIMS = 10,
    BATCH_CHUNK_MAX = 65520, /* bytes of records under one key; what a 16-bit length holds */
};

/* A group of the fold; its key as a copy, as groups are large and far apart. */
struct batch_group {
    struct fold_group_key key;
    uint32_t at;
};

struct batch {
    struct batch_options options;
    const struct fold *fold;
    uint32_t *order;                                      /* of links, then of items, by bucket */
    uint32_t starts[COUNTER_TABLES][COUNTER_BUCKETS + 1]; /* in `order` */
    uint8_t group_shard[FOLD_GROUPS_MAX], all_shard[FOLD_GROUPS_MAX];
    struct batch_group sorted[FOLD_GROUPS_MAX]; /* while their series are built */
    bool has[COUNTER_SHARDS_MAX];
    struct pack tables, series, people;
    uint64_t *strangers; /* of one group: who was not met before */
    struct counter_key *keys;
    size_t n_keys, keys_max;
    struct slice *argv;
    char sha[2 * SHA_DIGEST_LENGTH + 1];
    char n_keys_text[24], from[24], to[24], ttl[24];
};

/* The next key of the script; the caller fills it. */
static inline struct counter_key *batch_next_key(struct batch *batch)
{
    assert(batch->n_keys < batch->keys_max);
    return &batch->keys[batch->n_keys++];
}

/* Packs the time series, and the lists of clients and visitors, that the fold holds for the
 * shard. */
void batch_build_series(struct batch *batch, unsigned shard);
void batch_build_people(struct batch *batch, unsigned shard);

#endif
