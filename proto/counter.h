/* counter.h - the names of all counters in Redis (FORMATS.md "Redis keyspace").  Nobody else
 * builds a key or a field.
 *
 * Pure: no I/O, no clock, no allocation.  Every key is `hc:{sHH}:…`, HH the shard in hex.
 */
#ifndef PROTO_COUNTER_H
#define PROTO_COUNTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/click.h"
#include "proto/compiler.h"
#include "proto/slice.h"

enum {
    COUNTER_SHARDS_MAX = 256,
    COUNTER_KEY_MAX = 64,   /* longest key, with its NUL */
    COUNTER_FIELD_MAX = 24, /* longest field of text, with its NUL */
    COUNTER_BUCKETS = 1024, /* tables of links (objects, clients), in all shards together */
};

/* A key, NUL-terminated; `len` is without the NUL. */
struct counter_key {
    char text[COUNTER_KEY_MAX];
    size_t len;
};

/* A field of text, NUL-terminated. */
struct counter_field {
    char text[COUNTER_FIELD_MAX];
    size_t len;
};

static inline struct slice counter_key_slice(const struct counter_key *key)
{
    return slice_make(key->text, key->len);
}

/* 1, or a power of two up to COUNTER_SHARDS_MAX. */
bool counter_n_shards_ok(unsigned n_shards);

/* String: the position up to which a log has been applied in a shard. */
void counter_key_cursor(struct counter_key *key, unsigned shard,
                        const uint8_t log_id[static CLICK_LOG_ID_LEN]);
/* Hash of increments set aside in a shard: key -> how many. */
void counter_key_rejected(struct counter_key *key, unsigned shard);
/* Hash campaign id -> name of a brand; shard 0. */
void counter_key_names(struct counter_key *key, uint32_t brand);

/* Hash of the processes that ran in the hour of `time_s`: id -> how it is (JSON); shard 0. */
void counter_key_pods(struct counter_key *key, int64_t time_s);

/* --- what the pods tell one another about mail gateways; nothing of it is a count --- */

/* Sorted set of the processes that are alive: id -> when it said so, seconds; shard 0. */
void counter_key_alive(struct counter_key *key);
/* String: the salt of networks and visitors of the UTC day that holds `time_s`; shard 0. */
void counter_key_salt(struct counter_key *key, int64_t time_s);
/* List of a client's newest clicks, and hash of those that a process has claimed to relabel. */
void counter_key_siblings(struct counter_key *key, uint32_t brand, uint32_t client,
                          unsigned n_shards);
void counter_key_claims(struct counter_key *key, uint32_t brand, uint32_t client,
                        unsigned n_shards);
unsigned counter_shard_of_client(uint32_t brand, uint32_t client, unsigned n_shards);

/* --- links, objects, clients: GET key, then table_find_link() or table_find_item() --- */

enum counter_table { COUNTER_LINKS, COUNTER_OBJECTS, COUNTER_CLIENTS, COUNTER_TABLES };

/* The bucket, 0…COUNTER_BUCKETS - 1, of a link; of an object or client of a brand.  An object or
 * client of number 0 is not counted. */
unsigned counter_bucket_of_link(uint64_t link_id);
unsigned counter_bucket_of_item(uint32_t brand, uint32_t number);
unsigned counter_shard_of_bucket(unsigned bucket, unsigned n_shards);
void counter_key_table(struct counter_key *key, enum counter_table table, unsigned bucket,
                       unsigned n_shards);
/* Reads a key of counter_key_table(); false when it is not one. */
MUST_USE bool counter_table_parse(struct slice key, enum counter_table *table, unsigned *bucket);

/* --- time series: HGETALL key, then counter_series_parse() of each field --- */

enum counter_dim {
    COUNTER_DIM_LABEL,    /* value: enum click_label */
    COUNTER_DIM_COUNTRY,  /* value: counter_country_value() */
    COUNTER_DIM_DEVICE,   /* value: enum click_device */
    COUNTER_DIM_VARIANT,  /* 0…7 */
    COUNTER_DIM_CHANNEL,  /* 0…7 */
    COUNTER_DIM_REASON,   /* 0…255 */
    COUNTER_DIM_BROWSER,  /* 0…15 */
    COUNTER_DIM_SYSTEM,   /* 0…15 */
    COUNTER_DIM_REFERRER, /* 0…7 */
    COUNTER_DIM_DELAY,    /* 0…COUNTER_DELAYS - 1, counter_delay_value() */
    COUNTER_DIM_CAMPAIGN, /* campaign id; only of COUNTER_ALL_CAMPAIGNS */
    COUNTER_DIMS
};

enum counter_interval {
    COUNTER_HOURS, /* a key per day (UTC), a field per hour */
    COUNTER_DAYS,  /* a key per month (UTC), a field per day */
};

/* In place of a campaign id: the sum over all campaigns of the brand, 0 (none) too. */
enum { COUNTER_ALL_CAMPAIGNS = -1 };

/* A series of a brand's campaign (0…65535, or COUNTER_ALL_CAMPAIGNS). */
struct counter_series {
    uint32_t brand;
    int32_t campaign;
    enum counter_interval interval;
    enum counter_dim dim;
};

unsigned counter_shard_of_series(uint32_t brand, int32_t campaign, unsigned n_shards);
/* The key that holds the moment `time_s` (Unix seconds, years 1970…9999). */
void counter_key_series(struct counter_key *key, const struct counter_series *series,
                        int64_t time_s, unsigned n_shards);
/* Unix second at which the key after the one that holds `time_s` begins: step with it from key to
 * key. */
int64_t counter_series_next_s(enum counter_interval interval, int64_t time_s);

/* The bucket of a moment: hour 0…23, or day of the month 1…31. */
unsigned counter_bucket_of_time(enum counter_interval interval, int64_t time_s);

/* One field of a series. */
struct counter_point {
    unsigned bucket; /* hour 0…23, or day of the month 1…31 */
    unsigned kind;   /* 1…15 */
    unsigned value;  /* by dimension, see enum counter_dim */
    bool automated;
};

void counter_field_series(struct counter_field *field, enum counter_dim dim,
                          const struct counter_point *point);
MUST_USE bool counter_series_parse(struct slice field, enum counter_dim dim,
                                   struct counter_point *out);

/* A country's value in a series is its two letters, big-endian; 0 = unknown. */
static inline unsigned counter_country_value(const char country[static 2])
{
    return (unsigned)(uint8_t)country[0] << 8 | (uint8_t)country[1];
}

/* How long after its link was made a click came, in steps that grow: 0 = within a minute, 14 =
 * after 90 days or more.  A click before its link was made, by clocks that disagree, came at once.
 */
enum { COUNTER_DELAYS = 15 };
unsigned counter_delay_value(const struct click *click);
/* "1m", "5m" … "90d": the end of the step; "more" for the last; NULL when out of range. */
const char *counter_delay_name(unsigned value);

/* --- distinct clients and visitors with a human click: HyperLogLog, PFCOUNT key [key …] --- */

/* Those of a brand's campaign (0…65535, or COUNTER_ALL_CAMPAIGNS). */
struct counter_people {
    uint32_t brand;
    int32_t campaign;
    enum counter_interval interval; /* a key per day (COUNTER_HOURS) or per month (COUNTER_DAYS) */
    bool are_visitors;              /* of links that name no client */
};

/* The key that holds `time_s`.  The days of one campaign are in one shard, so one PFCOUNT can merge
 * them. */
void counter_key_people(struct counter_key *key, const struct counter_people *people,
                        int64_t time_s, unsigned n_shards);

#endif
