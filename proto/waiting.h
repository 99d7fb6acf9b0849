/* waiting.h - people's clicks whose client or visitor is not counted yet (FORMATS.md "Waiting
 * people"): until it is sure that the click is no mail gateway's.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_WAITING_H
#define PROTO_WAITING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

enum {
    WAITING_LEN = 16,    /* bytes of a record */
    WAITING_SLOT_S = 10, /* clicks of so many seconds are under one key; a day is whole slots */
    WAITING_CHANGE_MAX = 0xfff,
    WAITING_ZERO = 0x1000, /* stands for no change */
    WAITING_AT_BRAND = 8,
    WAITING_AT_CAMPAIGN = 12,
    WAITING_AT_CHANGE = 14,
    WAITING_VERSION_BITS = 21,
};

/* What a record is about: the people of the click's campaign, those of all campaigns, or both, for
 * the two may be counted in two shards. */
enum { WAITING_CAMPAIGN = 1, WAITING_ALL = 2 };

/* Somebody's clicks as a person in one slot and campaign: how many there are, less those that were
 * no person's after all.  The two figures differ when one of the records hasn't come yet. */
struct waiting {
    uint64_t id; /* number of the client, or the visitor's hash */
    uint32_t brand;
    uint16_t campaign;
    bool is_visitor;
    int32_t n_campaign, n_all;
};

/* The slot of a moment, Unix seconds. */
static inline uint32_t waiting_slot(int64_t time_s)
{
    int64_t slot = time_s / WAITING_SLOT_S;

    return slot < 0 ? 0 : slot > UINT32_MAX ? UINT32_MAX : (uint32_t)slot;
}

/* A slot's score in the sorted set of slots: so slots are in the order of time, and a score changes
 * whenever records are added to its slot.  `len`: bytes of the slot's records.  A double holds it
 * exactly. */
static inline uint64_t waiting_score(uint32_t slot, uint64_t len)
{
    return (uint64_t)slot << WAITING_VERSION_BITS |
           (len / WAITING_LEN & ((1U << WAITING_VERSION_BITS) - 1));
}

/* Less, if they were more than 32 MB. */
static inline uint64_t waiting_score_bytes(uint64_t score)
{
    return (score & ((1U << WAITING_VERSION_BITS) - 1)) * WAITING_LEN;
}

static inline uint32_t waiting_score_slot(uint64_t score)
{
    return (uint32_t)(score >> WAITING_VERSION_BITS);
}

/* The least score of the slot behind. */
static inline uint64_t waiting_score_next(uint64_t score)
{
    return waiting_score(waiting_score_slot(score), 0) + (UINT64_C(1) << WAITING_VERSION_BITS);
}

/* What a record of that campaign is about in one shard; 0: nothing, it belongs into others. */
static inline unsigned waiting_scope(uint32_t brand, uint16_t campaign, unsigned shard,
                                     unsigned n_shards)
{
    unsigned scope = 0;

    if (n_shards == 1)
        return WAITING_CAMPAIGN | WAITING_ALL;
    if (counter_shard_of_series(brand, campaign, n_shards) == shard)
        scope |= WAITING_CAMPAIGN;
    if (counter_shard_of_series(brand, COUNTER_ALL_CAMPAIGNS, n_shards) == shard)
        scope |= WAITING_ALL;
    return scope;
}

/* Writes a record: `n` clicks more, at most WAITING_CHANGE_MAX, or less. */
static inline void waiting_put(uint8_t out[static WAITING_LEN], const struct waiting *who,
                               unsigned scope, int n)
{
    be64_store(out, who->id);
    be32_store(out + WAITING_AT_BRAND, who->brand);
    be16_store(out + WAITING_AT_CAMPAIGN, who->campaign);
    be16_store(out + WAITING_AT_CHANGE,
               (uint16_t)((unsigned)(n + WAITING_ZERO) << 3 | scope << 1 | who->is_visitor));
}

/* Reads the record at `*at` and moves `*at` behind it; false: the text ends there. */
MUST_USE bool waiting_next(struct slice text, size_t *at, struct waiting *out);

/* Sorts by brand, campaign, whom and id, and sums up; leaves out those who are left with no click.
 * Returns how many are left. */
size_t waiting_sum(struct waiting *all, size_t n);

/* Keeps of records what belongs into a shard of another number; returns the new length. */
size_t waiting_keep_shard(uint8_t *records, size_t len, unsigned shard, unsigned n_shards);

#endif
