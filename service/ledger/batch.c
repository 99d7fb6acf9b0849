#include "service/ledger/batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>
#include <sodium.h>

#include "batch_lua.h"
#include "proto/counter.h"
#include "proto/series.h"
#include "proto/table.h"
#include "service/base/background.h"
#include "service/ledger/batch_private.h"
#include "service/ledger/fold.h"

enum {
    CURSOR_TTL_S = 30 * 86400,
    SERIES_PER_GROUP = 3 * (BATCH_SERIES_DIMS + 1), /* hours, days, months; and of campaigns */
    /* A record counts in two groups, of its campaign and of all; a relabelling in four. */
    POINTS_PER_RECORD = 4 * 3 * (BATCH_SERIES_DIMS + 1),
    SERIES_HEAD_LEN = 8, /* of the text, and its time to live */
    PERSON_BYTES = 10,   /* a visitor, with its head */
    YIELD_BUCKETS = 64,  /* of a full batch some 100 µs */
    ARGV_HEAD = 3,       /* EVALSHA, script, number of keys */
    ARGV_TAIL = 6,
};

/* What the script takes; see FORMATS.md "Batch". */
enum { AT_FROM, AT_TO, AT_TTL, AT_TABLES, AT_SERIES, AT_PEOPLE };

static bool pack_init(struct pack *pack, size_t size)
{
    pack->size = size + PACK_HEAD_LEN;
    /* Only what is used is ever touched: the bound is for a batch that can't be worse. */
    pack->bytes = malloc(pack->size);
    return pack->bytes != NULL;
}

/* Room for the worst batch there can be: then nothing has to be looked after while it is built. */
static bool make_room(struct batch *batch)
{
    size_t records = batch->options.records_max, items = 4 * records;
    size_t record_bytes = records * TABLE_LINK_MAX + items * TABLE_RECORD_LEN;
    size_t chunks = COUNTER_TABLES * COUNTER_BUCKETS + record_bytes / BATCH_CHUNK_MAX + 1;
    size_t points = records * POINTS_PER_RECORD, points_max = (size_t)3 * FOLD_COUNTS;
    size_t series = FOLD_GROUPS_MAX * SERIES_PER_GROUP, series_bytes;

    points_max *= FOLD_GROUPS_MAX;
    series_bytes = (points < points_max ? points : points_max) * SERIES_RECORD_LEN;
    series += series_bytes / BATCH_CHUNK_MAX;
    batch->keys_max = 2 + chunks + series + (size_t)2 * FOLD_PEOPLE * FOLD_GROUPS_MAX;
    batch->order = malloc((records + items) * sizeof(*batch->order));
    batch->keys = malloc(batch->keys_max * sizeof(*batch->keys));
    batch->argv = malloc((ARGV_HEAD + batch->keys_max + ARGV_TAIL) * sizeof(*batch->argv));
    batch->strangers = malloc(records * sizeof(*batch->strangers));
    return batch->order && batch->keys && batch->argv && batch->strangers &&
           pack_init(&batch->tables, record_bytes + 8 * chunks) &&
           pack_init(&batch->series, series_bytes + series * SERIES_HEAD_LEN + BATCH_CHUNK_MAX) &&
           pack_init(&batch->people,
                     2 * records * PERSON_BYTES + (size_t)FOLD_PEOPLE * FOLD_GROUPS_MAX * 15);
}

static void set_sha(struct batch *batch)
{
    uint8_t digest[SHA_DIGEST_LENGTH];

    SHA1((const uint8_t *)batch_lua, sizeof(batch_lua), digest);
    sodium_bin2hex(batch->sha, sizeof(batch->sha), digest, sizeof(digest));
}

struct batch *batch_new(const struct batch_options *options)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    batch->options = *options;
    if (!make_room(batch)) {
        batch_free(batch);
        return NULL;
    }
    set_sha(batch);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    free(batch->order);
    free(batch->keys);
    free(batch->argv);
    free(batch->strangers);
    free(batch->tables.bytes);
    free(batch->series.bytes);
    free(batch->people.bytes);
    free(batch);
}

static unsigned item_table(const struct fold_item *item)
{
    return item->table;
}

/* Counting sort by table and bucket. */
static void sort(struct batch *batch)
{
    const struct fold *fold = batch->fold;
    uint32_t *flat = &batch->starts[0][0], at = 0;
    const size_t row = COUNTER_BUCKETS + 1;

    memset(batch->starts, 0, sizeof(batch->starts));
    for (uint32_t i = 0; i < fold->n_links; i++)
        flat[counter_bucket_of_link(fold->links[i].link_id)]++;
    for (uint32_t i = 0; i < fold->n_items; i++) {
        const struct fold_item *item = &fold->items[i];

        flat[item_table(item) * row + counter_bucket_of_item(item->brand, item->number)]++;
    }
    for (size_t i = 0; i < COUNTER_TABLES * row; i++) {
        at += flat[i];
        flat[i] = at; /* the end; filling moves it to the start */
    }
    background_yield();
    for (uint32_t i = 0; i < fold->n_links; i++)
        batch->order[--flat[counter_bucket_of_link(fold->links[i].link_id)]] = i;
    for (uint32_t i = 0; i < fold->n_items; i++) {
        const struct fold_item *item = &fold->items[i];

        batch->order[--flat[item_table(item) * row +
                            counter_bucket_of_item(item->brand, item->number)]] = i;
    }
}

static void find_shards(struct batch *batch)
{
    const struct fold *fold = batch->fold;
    unsigned n_shards = batch->options.n_shards;

    memset(batch->has, 0, sizeof(batch->has));
    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned b = 0; b < COUNTER_BUCKETS; b++) {
            if (batch->starts[t][b + 1] > batch->starts[t][b])
                batch->has[counter_shard_of_bucket(b, n_shards)] = true;
        }
    }
    for (uint32_t i = 0; i < fold->n_groups; i++) {
        const struct fold_group_key *key = &fold->groups[i].key;
        unsigned own = counter_shard_of_series(key->brand, key->campaign, n_shards);
        unsigned all = counter_shard_of_series(key->brand, COUNTER_ALL_CAMPAIGNS, n_shards);

        batch->group_shard[i] = (uint8_t)own;
        batch->all_shard[i] = (uint8_t)all;
        batch->has[own] = batch->has[all] = true;
    }
}

void batch_begin(struct batch *batch, const struct fold *fold)
{
    batch->fold = fold;
    if (!fold) {
        memset(batch->has, 0, sizeof(batch->has));
        return;
    }
    sort(batch);
    find_shards(batch);
}

bool batch_has(const struct batch *batch, unsigned shard)
{
    return batch->has[shard];
}

static size_t put_link(uint8_t *out, const struct fold_link *link)
{
    const struct table_link packed = {link->human, link->automated, link->first_s, link->last_s};

    return table_put_link(out, link->link_id, &packed);
}

static size_t put_item(uint8_t *out, const struct fold_item *item)
{
    const struct table_increment increment = {item->brand, item->number, item->kind,
                                              item->automated, item->count};

    if (item->count == 0)
        return 0;
    table_put_item(out, &increment);
    return TABLE_RECORD_LEN;
}

/* The records of one bucket, in as many chunks as it takes. */
static void build_bucket(struct batch *batch, enum counter_table table, unsigned bucket)
{
    const struct fold *fold = batch->fold;
    uint32_t at = batch->starts[table][bucket], end = batch->starts[table][bucket + 1];

    while (at < end) {
        size_t unit = table == COUNTER_LINKS ? TABLE_LINK_MAX : TABLE_RECORD_LEN;
        size_t len = 0, max = (end - at) * unit;
        uint8_t *out = pack_open(&batch->tables, max < BATCH_CHUNK_MAX ? max : BATCH_CHUNK_MAX);

        if (!out)
            return;
        for (; at < end && len + unit <= BATCH_CHUNK_MAX; at++)
            len += table == COUNTER_LINKS ? put_link(out + len, &fold->links[batch->order[at]])
                                          : put_item(out + len, &fold->items[batch->order[at]]);
        if (len == 0)
            continue;
        pack_close(&batch->tables, len);
        counter_key_table(batch_next_key(batch), table, bucket, batch->options.n_shards);
    }
}

static void build_tables(struct batch *batch, unsigned shard)
{
    unsigned width = COUNTER_BUCKETS / batch->options.n_shards;

    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned b = shard * width; b < (shard + 1) * width; b++) {
            build_bucket(batch, (enum counter_table)t, b);
            if (b % YIELD_BUCKETS == 0)
                background_yield();
        }
    }
}

static struct slice decimal(char text[static 24], uint64_t number)
{
    int len = snprintf(text, 24, "%llu", (unsigned long long)number);

    return slice_make(text, (size_t)len);
}

static void build_argv(struct batch *batch, const struct batch_range *range)
{
    struct slice *argv = batch->argv, *tail;

    argv[0] = slice_of(range->with_script ? "EVAL" : "EVALSHA");
    argv[1] = range->with_script ? slice_make(batch_lua, sizeof(batch_lua)) : slice_of(batch->sha);
    argv[2] = decimal(batch->n_keys_text, batch->n_keys);
    for (size_t i = 0; i < batch->n_keys; i++)
        argv[ARGV_HEAD + i] = counter_key_slice(&batch->keys[i]);
    tail = argv + ARGV_HEAD + batch->n_keys;
    tail[AT_FROM] = decimal(batch->from, range->from);
    tail[AT_TO] = decimal(batch->to, range->to);
    tail[AT_TTL] = decimal(batch->ttl, CURSOR_TTL_S);
    tail[AT_TABLES] = pack_end(&batch->tables);
    tail[AT_SERIES] = pack_end(&batch->series);
    tail[AT_PEOPLE] = pack_end(&batch->people);
}

void batch_build(struct batch *batch, const struct batch_range *range, struct batch_command *out)
{
    batch->n_keys = 0;
    counter_key_cursor(batch_next_key(batch), range->shard, range->log_id);
    counter_key_rejected(batch_next_key(batch), range->shard);
    pack_begin(&batch->tables);
    pack_begin(&batch->series);
    pack_begin(&batch->people);
    if (batch->fold && batch->has[range->shard]) {
        build_tables(batch, range->shard);
        batch_build_series(batch, range->shard);
        batch_build_people(batch, range->shard);
    }
    assert(!batch->tables.full && !batch->series.full && !batch->people.full);
    build_argv(batch, range);
    *out = (struct batch_command){
        .argv = batch->argv,
        .argc = ARGV_HEAD + batch->n_keys + ARGV_TAIL,
        .key = counter_key_slice(&batch->keys[0]),
    };
}
