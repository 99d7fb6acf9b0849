/* counter.h - the names of all counters in Redis (FORMATS.md "Redis keyspace").  No other file
 * builds a key or a field.
 *
 * Pure: no I/O, no clock, no allocation.  Every key is `hc:{sHH}:…`, HH the shard in hex. */
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
    COUNTER_BLOCK = 64,     /* objects with consecutive numbers that are kept together (funnel.h) */
    COUNTER_BUCKETS = 1024, /* tables of links (objects, clients), in all shards together */
    COUNTER_QUAD = 4, /* tables that share the string of what is added to them; all of a shard */
    COUNTER_QUADS = COUNTER_BUCKETS / COUNTER_QUAD,
};

/* A key, NUL-terminated; `len` is without the NUL. */
struct counter_key {
    char text[COUNTER_KEY_MAX];
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

/* Hashes id -> JSON of what people keep for a brand; shard 0. */
enum counter_kept { COUNTER_ANNOTATIONS, COUNTER_VIEWS, COUNTER_SHARES };
void counter_key_kept(struct counter_key *key, enum counter_kept sort, uint32_t brand);

/* Sorted set of who did what at the admin address, by time; shard 0. */
void counter_key_audit(struct counter_key *key);

/* Hash of the processes that ran in the hour of `time_s`: id -> status (JSON); shard 0. */
void counter_key_pods(struct counter_key *key, int64_t time_s);
/* String, in each shard: the number of shards that the counts are distributed over, decimal;
 * another text while they are moved to another number.  Who has another number neither writes nor
 * reads. */
void counter_key_shards(struct counter_key *key, unsigned shard);
/* String: the number that counts are moved from, that they are moved to, and the step; shard 0. */
void counter_key_reshard(struct counter_key *key);

/* --- whether the pages that links lead to answer; not counts --- */

/* String: the process that looks at them; shard 0. */
void counter_key_checker(struct counter_key *key);
/* List of what was found at the page of that number, the newest last; shard 0. */
void counter_key_check(struct counter_key *key, uint64_t page);

/* Hash of the reports that were sent, or are to be: name and receiver -> record (JSON); shard 0. */
void counter_key_reports(struct counter_key *key);
/* How far the erasure with that id, which is random, has come; it names no client. */
void counter_key_erasure(struct counter_key *key, uint64_t id);

/* --- what pods tell one another to find mail gateways; not counts --- */

/* Sorted set of the processes that are alive: id -> time of its last beat, seconds; shard 0. */
void counter_key_alive(struct counter_key *key);
/* String: the salt of networks and visitors for the UTC day of `time_s`; shard 0. */
void counter_key_salt(struct counter_key *key, int64_t time_s);
/* List of a client's newest clicks, and hash of those that a process has claimed to relabel. */
void counter_key_siblings(struct counter_key *key, uint32_t brand, uint32_t client,
                          unsigned n_shards);
void counter_key_claims(struct counter_key *key, uint32_t brand, uint32_t client,
                        unsigned n_shards);
unsigned counter_shard_of_client(uint32_t brand, uint32_t client, unsigned n_shards);

/* --- links, objects, clients: MGET of the table and of what is added to it, then table_find_link()
 * or table_find_item() in both --- */

enum counter_table {
    COUNTER_LINKS,
    COUNTER_OBJECTS,
    COUNTER_CLIENTS,
    COUNTER_TABLES,                  /* those of counts */
    COUNTER_STATES = COUNTER_TABLES, /* what events said (state.h); see event_bucket() */
    COUNTER_ALL_TABLES
};

/* The bucket, 0…COUNTER_BUCKETS - 1, of a link; of an object or client of a brand.  An object or
 * client of number 0 is not counted. */
unsigned counter_bucket_of_link(uint64_t link_id);
unsigned counter_bucket_of_item(uint32_t brand, uint32_t number);
/* The bucket of a block of objects with consecutive numbers (funnel.h): that of events of them. */
unsigned counter_bucket_of_block(uint32_t brand, uint32_t block);
unsigned counter_shard_of_bucket(unsigned bucket, unsigned n_shards);
void counter_key_table(struct counter_key *key, enum counter_table table, unsigned bucket,
                       unsigned n_shards);
/* Reads a key of counter_key_table(); false when it is not one. */
MUST_USE bool counter_table_parse(struct slice key, enum counter_table *table, unsigned *bucket);

/* String: what was added to the tables of the buckets COUNTER_QUAD * quad and the three behind it,
 * and is not part of them yet.  `table` is one of counts, `quad` 0…COUNTER_QUADS - 1. */
void counter_key_added(struct counter_key *key, enum counter_table table, unsigned quad,
                       unsigned n_shards);
/* Reads a key of counter_key_added(); false when it is not one. */
MUST_USE bool counter_added_parse(struct slice key, enum counter_table *table, unsigned *quad);

/* String: exists while repetitions of that event are ignored (event_key()). */
void counter_key_event(struct counter_key *key, unsigned shard, uint64_t event);
/* How often people have used a link whose kind has a limit: "uses serial", two decimal numbers. */
void counter_key_uses(struct counter_key *key, uint64_t link_id, unsigned n_shards);
/* Who has used a one-time link, and when (one_use.lua). */
void counter_key_one_use(struct counter_key *key, uint64_t link_id, unsigned n_shards);
/* Hash of the server that a shard is on, and how many replicas it has (one_use.lua). */
void counter_key_server(struct counter_key *key, unsigned shard);
/* Stream of what clients ask for on our pages, for the billing system (event_told_put()). */
void counter_key_told(struct counter_key *key, unsigned shard);
/* Stream of the links that clients have used up, in the same form, for the clients' timelines. */
void counter_key_used(struct counter_key *key, unsigned shard);
/* Stream of new entries in the tables of COUNTER_STATES of a shard. */
void counter_key_state_stream(struct counter_key *key, unsigned shard);

/* --- time series: GET key, then series_next() of each record (series.h); and what of the same
 * month is not in them yet: lone_next() --- */

/* The numbers are stored in records: never change one, only add. */
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
    COUNTER_DIM_PAGE,     /* enum click_page: of links that led to a page of ours */
    COUNTER_DIMS
};

enum counter_interval {
    COUNTER_HOURS,  /* a key per day (UTC), a bucket per hour */
    COUNTER_DAYS,   /* a bucket per day: a key per month of a campaign, per day of all campaigns */
    COUNTER_MONTHS, /* of all campaigns: a key per month, one bucket, 0 */
    COUNTER_ALONE   /* no sums: clicks one by one (lone.h), a key per month, of all dimensions */
};

/* Stands in place of a campaign id: all campaigns of the brand together, campaign 0 (none)
 * included. */
enum { COUNTER_ALL_CAMPAIGNS = -1 };

/*
 * A series of a brand's campaign (0…65535, or COUNTER_ALL_CAMPAIGNS).  One campaign has all
 * dimensions under one key, because it has few clicks an hour, and more keys would take more memory
 * than their content.  All campaigns together have a key per dimension, because each of these may
 * be long, and also keys of months, so that a year is read quickly.
 */
struct counter_series {
    uint32_t brand;
    int32_t campaign;
    enum counter_interval interval;
    enum counter_dim dim; /* of COUNTER_ALL_CAMPAIGNS */
};

unsigned counter_shard_of_series(uint32_t brand, int32_t campaign, unsigned n_shards);
/* The key that holds the moment `time_s` (Unix seconds, years 1970…9999). */
void counter_key_series(struct counter_key *key, const struct counter_series *series,
                        int64_t time_s, unsigned n_shards);
/* The Unix second at which the period of that key begins. */
int64_t counter_series_period(const struct counter_series *series, int64_t time_s);
/* Reads a key of counter_key_series(): its series, its shard, and the Unix second at which its
 * period begins; false when it is not one. */
MUST_USE bool counter_series_parse(struct slice key, struct counter_series *out, unsigned *shard,
                                   int64_t *time_s);

/* The bucket of a moment: hour 0…23, day of the month 1…31, or 0. */
unsigned counter_bucket_of_time(enum counter_interval interval, int64_t time_s);

/* --- cells: GET key, then cells_next() of each record (cells.h) --- */

/* Those of a brand's campaign (0…65535, never COUNTER_ALL_CAMPAIGNS), in the shard of its series.
 */
struct counter_cells {
    uint32_t brand;
    uint16_t campaign;
};

/* The key that holds the UTC day of `time_s`. */
void counter_key_cells(struct counter_key *key, const struct counter_cells *cells, int64_t time_s,
                       unsigned n_shards);
/* Reads a key of counter_key_cells(): whose it is, its shard, and the Unix second at which its day
 * begins; false when it is not one. */
MUST_USE bool counter_cells_parse(struct slice key, struct counter_cells *out, unsigned *shard,
                                  int64_t *time_s);

/* A country's value in a series is its two letters, big-endian; 0 = unknown. */
static inline unsigned counter_country_value(const char country[static 2])
{
    return (unsigned)(uint8_t)country[0] << 8 | (uint8_t)country[1];
}

/* The time from making a link to the click, in growing steps: 0 = within a minute, 14 = after 90
 * days or more.  A click before the link was made (the clocks differ) counts as step 0. */
enum { COUNTER_DELAYS = 15 };
unsigned counter_delay_value(const struct click *click);
/* "1m", "5m" … "90d": the end of the step; "more" for the last; NULL when out of range. */
const char *counter_delay_name(unsigned value);

/* --- distinct clients and visitors with a human click: HyperLogLog, PFCOUNT key [key …] --- */

/* The time, UTC, that a key is of. */
enum counter_people_of { COUNTER_PEOPLE_OF_HOUR, COUNTER_PEOPLE_OF_DAY, COUNTER_PEOPLE_OF_MONTH };

/* Those of a brand's campaign (0…65535, or COUNTER_ALL_CAMPAIGNS). */
struct counter_people {
    uint32_t brand;
    int32_t campaign;
    enum counter_people_of of;
    bool are_visitors; /* of links that name no client */
};

/* The key that holds `time_s`.  All keys of one campaign are in one shard, so one PFCOUNT can merge
 * them. */
void counter_key_people(struct counter_key *key, const struct counter_people *people,
                        int64_t time_s, unsigned n_shards);
/* String: records (hll.h) of the people of each hour of the UTC day that holds `time_s`, whatever
 * `people->of` says; see FORMATS.md "People by the hour". */
void counter_key_people_hours(struct counter_key *key, const struct counter_people *people,
                              int64_t time_s, unsigned n_shards);
/* The name of HyperLogLogs that are made of such records for a moment. */
void counter_key_moment(struct counter_key *key, unsigned shard);
/* Unix second at which the key after the one that holds `time_s` begins: step with it from key to
 * key. */
int64_t counter_people_next_s(enum counter_people_of of, int64_t time_s);

/* String: records (waiting.h) of clicks by people in a slot, by campaigns of the shard. */
void counter_key_waiting(struct counter_key *key, unsigned shard, uint32_t slot);
/* Sorted set: which of these keys there are, each a slot in decimal with waiting_score(). */
void counter_key_waiting_slots(struct counter_key *key, unsigned shard);
/* String in which older builds list them: 8 bytes for each addition to a slot, big-endian:
 * slot, and how many bytes were added. */
void counter_key_waiting_list(struct counter_key *key, unsigned shard);

/* --- invoices and the sums made of them (funnel.h) --- */

/* String: what is kept of the invoices of a block. */
void counter_key_block(struct counter_key *key, uint32_t brand, uint32_t block, unsigned n_shards);
/* String: the blocks (4 bytes each, big-endian) that hold invoices with a mail or link of the
 * campaign made in the month of `time_s`.  Every shard has its own. */
void counter_key_mailed(struct counter_key *key, unsigned shard, uint32_t brand, uint16_t campaign,
                        int64_t time_s);
/* String: all blocks of a shard that there ever were, in the same form. */
void counter_key_blocks(struct counter_key *key, unsigned shard, uint32_t brand);
/* String: sums of the UTC day (COUNTER_DAYS) or month (COUNTER_MONTHS) of `time_s`, `of_kinds`
 * those that tell kinds apart.  Every shard has its own. */
struct counter_funnel {
    uint32_t brand;
    enum counter_interval interval;
    bool of_kinds;
};
void counter_key_funnel(struct counter_key *key, unsigned shard, const struct counter_funnel *of,
                        int64_t time_s);
/* Whether it is a key of counter_key_funnel(), and of which shard. */
MUST_USE bool counter_funnel_parse(struct slice key, unsigned *shard);
/* Stream: records of facts (funnel.h) that are not in the blocks and sums yet. */
void counter_key_facts(struct counter_key *key, unsigned shard);
/* String: how often the blocks of the shard were changed: whoever writes one that it has read
 * before compares it. */
void counter_key_changes(struct counter_key *key, unsigned shard);
/* String: the process that takes facts from the queue; expires. */
void counter_key_taker(struct counter_key *key, unsigned shard);
/* Hash: payments by what became of them, and "in", all of them; of a shard. */
void counter_key_payments(struct counter_key *key, unsigned shard);

#endif
