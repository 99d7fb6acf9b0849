/* reshard.h - where each key of Redis goes when the counts are spread over another number of shards
 * (FORMATS.md "Another number of shards").  Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_RESHARD_H
#define PROTO_RESHARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/slice.h"

/* Both as counter_n_shards_ok() wants them; they may be equal, when the counts go to another Redis.
 */
struct reshard_numbers {
    unsigned from, to;
};

enum reshard_what {
    RESHARD_ALONE,   /* not ours, or of shard 00 only and worth nothing elsewhere: left alone */
    RESHARD_WHOLE,   /* of one bucket, series, client or link: the key goes as it is from a shard to
                        one */
    RESHARD_EVENT,   /* an event that is known: so too, and its value says its bucket */
    RESHARD_CURSOR,  /* of a log: each shard has one */
    RESHARD_BLOCKS,  /* numbers of blocks of invoices: each shard lists its own */
    RESHARD_WAITING, /* people who wait: each shard has those that it will count */
    RESHARD_SLOTS,   /* a sorted set of the slots that have such records: each shard has its own */
    RESHARD_LIST,    /* the same as a string, by older builds */
    RESHARD_SUMS,    /* of the funnel: what all shards hold is added up, so any shard may hold it */
    RESHARD_TALLY,   /* a hash of numbers, for which the same is true */
    RESHARD_TOLD,    /* what clients ask for, links that they used up: likewise */
    RESHARD_DROPPED, /* is made anew */
    RESHARD_STAGED,  /* what a shard will hold once its old keys are gone */
};

struct reshard_key {
    enum reshard_what what;
    unsigned shard;    /* whose key it is */
    unsigned from, to; /* WHOLE: whose it should be by the old number, and by the new one */
    uint32_t brand;    /* BLOCKS */
    struct slice name; /* behind `hc:{sHH}:`, of STAGED behind `new:` as well */
};

/* What to do with a key of Redis; `out->name` points into `key`. */
void reshard_look_at(struct slice key, const struct reshard_numbers *n, struct reshard_key *out);

/* Shards of the new number that a shard of the old one is split into: `*n` of them from the
 * returned one on.  When shards are put together: the one that it becomes part of. */
unsigned reshard_parts(unsigned shard, const struct reshard_numbers *n, unsigned *n_parts);

/* The shard of an event by its value, the three digits of its bucket; false: it was written by a
 * version that wrote none. */
MUST_USE bool reshard_event_shard(struct slice value, unsigned n_shards, unsigned *shard);

/* Keeps of a list of blocks (4 bytes each, big-endian) those of `shard`; returns the new length. */
size_t reshard_keep_blocks(uint8_t *blocks, size_t len, uint32_t brand, unsigned shard,
                           unsigned n_shards);
/* Takes the heads out of records of the funnel, so that they can stand behind others; returns the
 * new length. */
size_t reshard_drop_heads(uint8_t *sums, size_t len);

/* `hc:{sHH}:name`, or with `is_staged` `hc:{sHH}:new:name`; false: it would be too long. */
MUST_USE bool reshard_make_key(struct counter_key *key, unsigned shard, struct slice name,
                               bool is_staged);

#endif
