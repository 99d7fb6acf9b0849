#include "service/ledger/batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>
#include <sodium.h>

#include "batch_lua.h"
#include "proto/bytes.h"
#include "proto/cells.h"
#include "proto/click_names.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "proto/lone.h"
#include "proto/series.h"
#include "proto/table.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/ledger/fold.h"
#include "service/ledger/pack.h"
#include "service/ledger/people_sent.h"

enum {
    CHUNK_MAX = 65520, /* bytes of records under one key; what a 16-bit length holds */
    SERIES_DIMS = 11,
    SERIES_PER_GROUP = 3 * (SERIES_DIMS + 1), /* hours, days, months; and of campaigns */
    /* A record counts in two groups, of its campaign and of all; a relabelling in four. */
    POINTS_PER_RECORD = 4 * 3 * (SERIES_DIMS + 1),
    LONE_PER_RECORD = 4, /* in two groups; a relabelling in four */
    SERIES_HEAD_LEN = 8, /* of the text, and its time to live */
    SLOT_LEN = 5,        /* number of a slot, packed */
    AHEAD = 8,           /* people whose place in people_sent is prefetched */
    YIELD_QUADS = 16,    /* of a full batch some 100 µs */
    ARGV_HEAD = 3,       /* EVALSHA, script, number of keys */
    EVENT_BYTES = 4 + EVENT_ENTRIES_MAX * STATE_ENTRY_LEN + EVENT_TOLD_LEN + FUNNEL_RECORD_MAX,
    EVENT_KEYS = 2,
    USE_BYTES = 16, /* of a link with a limit: key of its state, uses, limit */
    USE_KEYS = 2,
    HOUR_S = 3600,
    FACTS_LEN_MAX = 8192, /* bytes of an entry of the queue: some 300 facts */
};

/* What the script takes; see FORMATS.md "Batch". */
enum {
    AT_FROM,
    AT_TO,
    AT_TTL,
    AT_TABLES,
    AT_SERIES,
    AT_PEOPLE,
    AT_EVENTS,
    AT_EVENT_TTL,
    AT_USES,
    AT_USES_TTL,
    AT_FACTS,
    AT_SHARDS,
    AT_CELLS,
    AT_TEXTS
};

/* A group of the fold.  The key is a copy, so that sorting doesn't miss the cache. */
struct sorted_group {
    struct fold_group_key key;
    uint32_t at;
};

struct batch {
    struct batch_options options;
    const struct fold *fold;
    uint32_t *order;                                    /* of links, then of items, by quad */
    uint32_t starts[COUNTER_TABLES][COUNTER_QUADS + 1]; /* in `order` */
    uint8_t *group_shard, *all_shard;                   /* by group of the fold */
    struct sorted_group *sorted;                        /* while their series are built */
    uint32_t *cell_order;                               /* of the fold's cells, by group */
    uint32_t *cell_starts;                              /* in `cell_order` */
    bool has[COUNTER_SHARDS_MAX];
    struct pack cells, series, slots, events, uses;
    struct counter_key *keys;
    size_t n_keys, keys_max;
    struct slice *texts; /* of tables, people and facts, in this order */
    size_t n_texts, texts_max, n_tables, n_facts;
    uint8_t *text_bytes; /* what they hold */
    size_t text_len, text_size;
    struct slice *argv;
    char sha[2 * SHA_DIGEST_LENGTH + 1];
    char n_keys_text[24], numbers[AT_TEXTS][24]; /* arguments that are numbers */
};

/* The next key of the script; the caller fills it. */
static struct counter_key *next_key(struct batch *batch)
{
    assert(batch->n_keys < batch->keys_max);
    return &batch->keys[batch->n_keys++];
}

/* Where the next text begins. */
static uint8_t *open_text(struct batch *batch, size_t len_max)
{
    (void)len_max; /* without assertions */
    assert(batch->text_size - batch->text_len >= len_max);
    return batch->text_bytes + batch->text_len;
}

static void close_text(struct batch *batch, size_t len)
{
    assert(batch->n_texts < batch->texts_max);
    batch->texts[batch->n_texts++] =
        slice_make((const char *)batch->text_bytes + batch->text_len, len);
    batch->text_len += len;
}

static bool pack_init(struct pack *pack, size_t size)
{
    pack->size = size + PACK_HEAD_LEN;
    /* The size is that of the worst batch; the kernel gives memory only for what is used. */
    pack->bytes = malloc(pack->size);
    return pack->bytes != NULL;
}

/* Makes room for the worst batch that can be, so that building one can't fail. */
static bool make_room(struct batch *batch)
{
    size_t records = batch->options.records_max, items = 4 * records;
    size_t record_bytes = records * TABLE_LINK_MAX + items * TABLE_RECORD_LEN;
    size_t chunks = COUNTER_TABLES * COUNTER_QUADS + record_bytes / CHUNK_MAX + 1;
    size_t groups = fold_groups_max(batch->options.records_max);
    size_t points = records * POINTS_PER_RECORD;
    size_t points_max = (size_t)3 * FOLD_COUNTS * FOLD_SUMS_MAX + 3 * groups;
    size_t series = FOLD_SUMS_MAX * SERIES_PER_GROUP + groups, series_bytes;
    size_t cells = 2 * records, cell_chunks; /* a relabelling counts in two */

    series_bytes = (points < points_max ? points : points_max) * SERIES_RECORD_LEN +
                   records * LONE_PER_RECORD * LONE_LEN;
    series += series_bytes / CHUNK_MAX;
    cell_chunks = groups + cells * CELLS_RECORD_LEN / CHUNK_MAX + 1;
    batch->keys_max = 5 + chunks + cell_chunks + series + (1 + EVENT_KEYS + USE_KEYS) * records + 3;
    batch->order = malloc((records + items) * sizeof(*batch->order));
    batch->keys = malloc(batch->keys_max * sizeof(*batch->keys));
    batch->group_shard = malloc(groups);
    batch->all_shard = malloc(groups);
    batch->sorted = malloc(groups * sizeof(*batch->sorted));
    batch->texts_max =
        chunks + records + records * FUNNEL_RECORD_MAX / (FACTS_LEN_MAX - FUNNEL_RECORD_MAX) + 1;
    batch->texts = malloc(batch->texts_max * sizeof(*batch->texts));
    batch->text_size = record_bytes + records * (WAITING_LEN + FUNNEL_RECORD_MAX) + CHUNK_MAX;
    batch->text_bytes = malloc(batch->text_size);
    batch->argv =
        malloc((ARGV_HEAD + batch->keys_max + AT_TEXTS + batch->texts_max) * sizeof(*batch->argv));
    batch->cell_order = malloc(cells * sizeof(*batch->cell_order));
    batch->cell_starts = malloc((groups + 1) * sizeof(*batch->cell_starts));
    return batch->order && batch->cell_order && batch->cell_starts && batch->keys &&
           batch->group_shard && batch->all_shard && batch->sorted && batch->texts &&
           batch->text_bytes && batch->argv &&
           pack_init(&batch->cells,
                     cells * CELLS_RECORD_LEN + cell_chunks * SERIES_HEAD_LEN + CHUNK_MAX) &&
           pack_init(&batch->series, series_bytes + series * SERIES_HEAD_LEN + CHUNK_MAX) &&
           pack_init(&batch->slots, records * SLOT_LEN) &&
           pack_init(&batch->events, records * EVENT_BYTES) &&
           pack_init(&batch->uses, PACK_HEAD_LEN + records * (1 + USE_BYTES));
}

struct batch *batch_new(const struct batch_options *options)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    uint8_t digest[SHA_DIGEST_LENGTH];

    if (!batch)
        return NULL;
    batch->options = *options;
    if (!make_room(batch)) {
        batch_free(batch);
        return NULL;
    }
    /* EVALSHA names the script by its SHA-1. */
    SHA1((const uint8_t *)batch_lua, sizeof(batch_lua), digest);
    sodium_bin2hex(batch->sha, sizeof(batch->sha), digest, sizeof(digest));
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    free(batch->order);
    free(batch->cell_order);
    free(batch->cell_starts);
    free(batch->group_shard);
    free(batch->all_shard);
    free(batch->sorted);
    free(batch->keys);
    free(batch->texts);
    free(batch->text_bytes);
    free(batch->argv);
    free(batch->cells.bytes);
    free(batch->series.bytes);
    free(batch->slots.bytes);
    free(batch->events.bytes);
    free(batch->uses.bytes);
    free(batch);
}

static unsigned quad_of_item(const struct fold_item *item)
{
    return counter_bucket_of_item(item->brand, item->number) / COUNTER_QUAD;
}

/* Counting sort by table and quad. */
static void sort(struct batch *batch)
{
    const struct fold *fold = batch->fold;
    uint32_t *flat = &batch->starts[0][0], at = 0;
    const size_t row = COUNTER_QUADS + 1;

    memset(batch->starts, 0, sizeof(batch->starts));
    for (uint32_t i = 0; i < fold->n_links; i++)
        flat[counter_bucket_of_link(fold->links[i].link_id) / COUNTER_QUAD]++;
    for (uint32_t i = 0; i < fold->n_items; i++)
        flat[fold->items[i].table * row + quad_of_item(&fold->items[i])]++;
    for (size_t i = 0; i < COUNTER_TABLES * row; i++) {
        at += flat[i];
        flat[i] = at; /* the end; filling moves it to the start */
    }
    background_yield();
    for (uint32_t i = 0; i < fold->n_links; i++)
        batch->order[--flat[counter_bucket_of_link(fold->links[i].link_id) / COUNTER_QUAD]] = i;
    for (uint32_t i = 0; i < fold->n_items; i++)
        batch->order[--flat[fold->items[i].table * row + quad_of_item(&fold->items[i])]] = i;
}

/* Counting sort of the cells by group. */
static void sort_cells(struct batch *batch)
{
    const struct fold *fold = batch->fold;
    uint32_t *starts = batch->cell_starts, at = 0;

    memset(starts, 0, (fold->n_groups + 1) * sizeof(*starts));
    for (uint32_t i = 0; i < fold->n_cells; i++)
        starts[fold->cells[i].group]++;
    for (uint32_t i = 0; i <= fold->n_groups; i++) {
        at += starts[i];
        starts[i] = at; /* the end; filling moves it to the start */
    }
    for (uint32_t i = 0; i < fold->n_cells; i++)
        batch->cell_order[--starts[fold->cells[i].group]] = i;
}

static void find_shards(struct batch *batch)
{
    const struct fold *fold = batch->fold;
    unsigned n_shards = batch->options.n_shards;

    memset(batch->has, 0, sizeof(batch->has));
    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned q = 0; q < COUNTER_QUADS; q++) {
            if (batch->starts[t][q + 1] > batch->starts[t][q])
                batch->has[counter_shard_of_bucket(q * COUNTER_QUAD, n_shards)] = true;
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
    for (uint32_t i = 0; i < fold->n_events; i++)
        batch->has[counter_shard_of_bucket(fold->events[i].bucket, n_shards)] = true;
    for (uint32_t i = 0; i < fold->n_facts; i++)
        batch->has[counter_shard_of_bucket(fold->facts[i].bucket, n_shards)] = true;
}

void batch_begin(struct batch *batch, const struct fold *fold)
{
    batch->fold = fold;
    if (!fold) {
        memset(batch->has, 0, sizeof(batch->has));
        return;
    }
    sort(batch);
    sort_cells(batch);
    find_shards(batch);
}

bool batch_has(const struct batch *batch, unsigned shard)
{
    return batch->has[shard];
}

/* What is added to four tables, in as many chunks as it takes. */
static void build_quad(struct batch *batch, enum counter_table table, unsigned quad)
{
    const struct fold *fold = batch->fold;
    uint32_t at = batch->starts[table][quad], end = batch->starts[table][quad + 1];

    while (at < end) {
        size_t unit = table == COUNTER_LINKS ? TABLE_LINK_MAX : TABLE_RECORD_LEN;
        size_t len = 0, max = (end - at) * unit;
        uint8_t *out = open_text(batch, max < CHUNK_MAX ? max : CHUNK_MAX);

        for (; at < end && len + unit <= CHUNK_MAX; at++) {
            if (table == COUNTER_LINKS) {
                const struct fold_link *link = &fold->links[batch->order[at]];
                const struct table_link packed = {link->human, link->automated, link->first_s,
                                                  link->last_s};

                len += table_put_link(out + len, link->link_id, &packed);
            } else if (fold->items[batch->order[at]].count != 0) {
                const struct fold_item *item = &fold->items[batch->order[at]];
                const struct table_increment increment = {item->brand, item->number, item->kind,
                                                          item->automated, item->count};

                table_put_item(out + len, &increment);
                len += TABLE_RECORD_LEN;
            }
        }
        if (len == 0)
            continue;
        close_text(batch, len);
        counter_key_added(next_key(batch), table, quad, batch->options.n_shards);
    }
}

static void build_tables(struct batch *batch, unsigned shard)
{
    unsigned width = COUNTER_QUADS / batch->options.n_shards;

    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned q = shard * width; q < (shard + 1) * width; q++) {
            build_quad(batch, (enum counter_table)t, q);
            if (q % YIELD_QUADS == 0)
                background_yield();
        }
    }
    batch->n_tables = batch->n_texts;
}

/* --- time series --- */

static const struct {
    enum counter_dim dim;
    unsigned at, n;
} dims[SERIES_DIMS] = {
    {COUNTER_DIM_LABEL, FOLD_AT_LABEL, CLICK_LABELS},
    {COUNTER_DIM_COUNTRY, FOLD_AT_COUNTRY, FOLD_COUNTRIES},
    {COUNTER_DIM_DEVICE, FOLD_AT_DEVICE, CLICK_DEVICES},
    {COUNTER_DIM_VARIANT, FOLD_AT_VARIANT, FOLD_ROUTES},
    {COUNTER_DIM_CHANNEL, FOLD_AT_CHANNEL, FOLD_ROUTES},
    {COUNTER_DIM_REASON, FOLD_AT_REASON, FOLD_REASONS},
    {COUNTER_DIM_BROWSER, FOLD_AT_BROWSER, FOLD_FAMILIES},
    {COUNTER_DIM_SYSTEM, FOLD_AT_SYSTEM, FOLD_FAMILIES},
    {COUNTER_DIM_REFERRER, FOLD_AT_REFERRER, CLICK_REFERRERS},
    {COUNTER_DIM_DELAY, FOLD_AT_DELAY, COUNTER_DELAYS},
    {COUNTER_DIM_PAGE, FOLD_AT_PAGE, CLICK_PAGES},
};

/* Neighbours in the order of batch->sorted, whose clicks go under the same keys of an interval. */
struct span {
    struct counter_series series;
    int64_t period_s; /* when the period of the key begins */
    uint32_t first, end;
};

/* One text argument of the script, while records are added to it. */
struct chunk {
    const struct span *span;
    uint8_t *out;
    size_t len;
};

int64_t batch_retention_s(const struct batch *batch, enum counter_interval interval)
{
    int64_t hours_s = batch->options.retention_hours_s;
    int64_t days_s = batch->options.retention_days_s;

    if (interval == COUNTER_HOURS || (interval == COUNTER_ALONE && hours_s > days_s))
        return hours_s;
    return days_s;
}

static void close_chunk(struct batch *batch, struct chunk *chunk)
{
    const struct span *span = chunk->span;

    if (chunk->len == 0)
        return;
    pack_close(&batch->series, chunk->len);
    pack_number(&batch->series, (uint32_t)batch_retention_s(batch, span->series.interval));
    counter_key_series(next_key(batch), &span->series, span->period_s, batch->options.n_shards);
    chunk->len = 0;
}

/* Room for a record in the chunk, or in the next; NULL: there is none. */
static uint8_t *next_record(struct batch *batch, struct chunk *chunk, size_t len)
{
    if (chunk->len + len > CHUNK_MAX)
        close_chunk(batch, chunk);
    if (chunk->len == 0)
        chunk->out = pack_open(&batch->series, CHUNK_MAX);
    if (!chunk->out)
        return NULL;
    chunk->len += len;
    return chunk->out + chunk->len - len;
}

static void put_point(struct batch *batch, struct chunk *chunk, const struct series_point *point)
{
    uint8_t *out = next_record(batch, chunk, SERIES_RECORD_LEN);

    if (out)
        series_put(out, point);
}

static struct series_point point_of(const struct span *span, const struct fold_group_key *key)
{
    return (struct series_point){
        .bucket = counter_bucket_of_time(span->series.interval, key->hour * 3600),
        .kind = key->kind,
        .automated = key->automated,
    };
}

/* What the groups of the span count in one dimension. */
static void put_dim(struct batch *batch, struct chunk *chunk, size_t dim)
{
    for (uint32_t i = chunk->span->first; i < chunk->span->end; i++) {
        const struct fold_group *group = &batch->fold->groups[batch->sorted[i].at];
        const int32_t *counts = batch->fold->sums[group->sums] + dims[dim].at;
        struct series_point point = point_of(chunk->span, &group->key);

        point.dim = dims[dim].dim;
        for (unsigned k = 0; k < dims[dim].n; k++) {
            if (counts[k] == 0)
                continue;
            point.value = k;
            if (point.dim == COUNTER_DIM_COUNTRY && k > 0) {
                const char country[2] = {(char)('A' + (k - 1) / 26), (char)('A' + (k - 1) % 26)};

                point.value = counter_country_value(country);
            }
            point.count = counts[k];
            put_point(batch, chunk, &point);
        }
    }
}

/* What the campaigns of the span add to the series of all campaigns, by campaign. */
static void put_campaigns(struct batch *batch, struct chunk *chunk)
{
    for (uint32_t i = chunk->span->first; i < chunk->span->end; i++) {
        const struct fold_group *group = &batch->fold->groups[batch->sorted[i].at];
        struct series_point point = point_of(chunk->span, &group->key);

        point.dim = COUNTER_DIM_CAMPAIGN;
        point.value = (unsigned)group->key.campaign;
        point.count = group->total;
        if (point.count != 0)
            put_point(batch, chunk, &point);
    }
}

/* The clicks of the span one by one. */
static void put_lone(struct batch *batch, struct chunk *chunk)
{
    for (uint32_t i = chunk->span->first; i < chunk->span->end; i++) {
        const struct fold_group *group = &batch->fold->groups[batch->sorted[i].at];
        int64_t time_s = group->key.hour * 3600;
        const struct fold_lone *next = NULL;

        while ((next = fold_next_lone(batch->fold, group, next))) {
            uint8_t *out = next_record(batch, chunk, LONE_LEN);
            struct lone lone = next->click;

            lone.day = (uint8_t)counter_bucket_of_time(COUNTER_DAYS, time_s);
            if (out)
                lone_put(out, &lone);
        }
    }
}

static void build_span(struct batch *batch, struct span *span, bool by_campaign)
{
    struct chunk chunk = {.span = span};

    if (span->series.interval == COUNTER_ALONE) {
        put_lone(batch, &chunk);
        close_chunk(batch, &chunk);
        return;
    }
    if (by_campaign) {
        span->series.dim = COUNTER_DIM_CAMPAIGN;
        put_campaigns(batch, &chunk);
        close_chunk(batch, &chunk);
        return;
    }
    for (size_t dim = 0; dim < SERIES_DIMS; dim++) {
        span->series.dim = dims[dim].dim;
        put_dim(batch, &chunk, dim);
        /* A campaign has all dimensions under one key. */
        if (span->series.campaign == COUNTER_ALL_CAMPAIGNS)
            close_chunk(batch, &chunk);
    }
    close_chunk(batch, &chunk);
}

/* --- the order of groups --- */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By whose clicks, then by hour. */
static int by_series(const void *left, const void *right)
{
    const struct sorted_group *a = left, *b = right;
    int order = compare_numbers(a->key.brand, b->key.brand);

    if (order == 0)
        order = compare_numbers(a->key.campaign, b->key.campaign);
    return order ? order : compare_numbers(a->key.hour, b->key.hour);
}

static int by_hour(const void *left, const void *right)
{
    const struct sorted_group *a = left, *b = right;
    int order = compare_numbers(a->key.brand, b->key.brand);

    return order ? order : compare_numbers(a->key.hour, b->key.hour);
}

/* Walks over the spans of the sorted groups. */
static void build_interval(struct batch *batch, uint32_t n, enum counter_interval interval,
                           bool by_campaign)
{
    struct span span = {.series = {.interval = interval}};

    for (; span.first < n; span.first = span.end) {
        const struct fold_group_key *key = &batch->sorted[span.first].key;

        span.series.brand = key->brand;
        span.series.campaign = by_campaign ? COUNTER_ALL_CAMPAIGNS : key->campaign;
        span.period_s = counter_series_period(&span.series, key->hour * 3600);
        for (span.end = span.first + 1; span.end < n; span.end++) {
            const struct fold_group_key *next = &batch->sorted[span.end].key;

            if (next->brand != key->brand || (!by_campaign && next->campaign != key->campaign) ||
                counter_series_period(&span.series, next->hour * 3600) != span.period_s)
                break;
        }
        build_span(batch, &span, by_campaign);
    }
}

/* What of the groups goes into which series. */
enum picked {
    PICK_CELLS,      /* cells, of campaigns: lone clicks need none, having all dimensions */
    PICK_LONE,       /* clicks one by one */
    PICK_CAMPAIGNS,  /* sums of campaigns */
    PICK_ALL,        /* sums of all campaigns together */
    PICK_BY_CAMPAIGN /* what campaigns add to the latter, by campaign */
};

static bool is_picked(const struct batch *batch, uint32_t at, unsigned shard, enum picked what)
{
    const struct fold_group *group = &batch->fold->groups[at];
    bool is_all = group->key.campaign == COUNTER_ALL_CAMPAIGNS;

    if (what == PICK_BY_CAMPAIGN) /* a lone click of all campaigns says of which it is */
        return batch->all_shard[at] == shard && !is_all && group->all != FOLD_NONE &&
               batch->fold->groups[group->all].sums != FOLD_NONE;
    if (batch->group_shard[at] != shard)
        return false;
    if (what == PICK_CELLS)
        return !is_all && group->sums != FOLD_NONE;
    if (what == PICK_LONE)
        return group->first != FOLD_NONE;
    return group->sums != FOLD_NONE && is_all == (what == PICK_ALL);
}

/* Sorts the groups of which that is wanted; returns how many there are. */
static uint32_t pick(struct batch *batch, unsigned shard, enum picked what)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < batch->fold->n_groups; i++) {
        if (is_picked(batch, i, shard, what))
            batch->sorted[n++] = (struct sorted_group){batch->fold->groups[i].key, i};
    }
    qsort(batch->sorted, n, sizeof(batch->sorted[0]),
          what == PICK_BY_CAMPAIGN ? by_hour : by_series);
    return n;
}

/* --- cells --- */

/* Of the groups from `*at` on that are of the same campaign and day; moves `*at` behind them. */
static void build_day_of_cells(struct batch *batch, uint32_t *at, uint32_t n)
{
    const struct fold_group_key *key = &batch->sorted[*at].key;
    const struct counter_cells of = {key->brand, (uint16_t)key->campaign};
    const struct counter_series hours = {key->brand, key->campaign, COUNTER_HOURS, 0};
    int64_t day_s = counter_series_period(&hours, key->hour * 3600);
    uint8_t *out = NULL;
    size_t len = 0;

    for (; *at < n; ++*at) {
        const struct sorted_group *group = &batch->sorted[*at];

        if (group->key.brand != of.brand || group->key.campaign != of.campaign ||
            counter_series_period(&hours, group->key.hour * 3600) != day_s)
            break;
        for (uint32_t i = batch->cell_starts[group->at]; i < batch->cell_starts[group->at + 1];
             i++) {
            if (out && len + CELLS_RECORD_LEN > CHUNK_MAX) {
                pack_close(&batch->cells, len);
                counter_key_cells(next_key(batch), &of, day_s, batch->options.n_shards);
                out = NULL;
            }
            if (!out) {
                out = pack_open(&batch->cells, CHUNK_MAX);
                len = 0;
            }
            if (!out)
                return;
            cells_put(out + len, batch->fold->cells[batch->cell_order[i]].record);
            len += CELLS_RECORD_LEN;
        }
    }
    if (!out)
        return;
    pack_close(&batch->cells, len);
    counter_key_cells(next_key(batch), &of, day_s, batch->options.n_shards);
}

/* The cells of the sorted groups, which are of campaigns of their own. */
static void build_cells(struct batch *batch, uint32_t n)
{
    pack_number(&batch->cells, batch->options.cells_len_max);
    pack_number(&batch->cells, (uint32_t)batch->options.retention_cells_s);
    for (uint32_t at = 0; at < n;)
        build_day_of_cells(batch, &at, n);
}

/* --- series and cells of all groups --- */

static void build_series(struct batch *batch, unsigned shard)
{
    uint32_t n;

    if (batch->fold->n_cells > 0)
        build_cells(batch, pick(batch, shard, PICK_CELLS));
    n = pick(batch, shard, PICK_LONE);
    build_interval(batch, n, COUNTER_ALONE, false);
    background_yield();
    n = pick(batch, shard, PICK_CAMPAIGNS);
    build_interval(batch, n, COUNTER_HOURS, false);
    build_interval(batch, n, COUNTER_DAYS, false);
    n = pick(batch, shard, PICK_ALL);
    for (int interval = COUNTER_HOURS; interval <= COUNTER_MONTHS; interval++)
        build_interval(batch, n, (enum counter_interval)interval, false);
    n = pick(batch, shard, PICK_BY_CAMPAIGN);
    for (int interval = COUNTER_HOURS; interval <= COUNTER_MONTHS; interval++)
        build_interval(batch, n, (enum counter_interval)interval, true);
}

/* --- people --- */

static struct people_sent_person who_is(const struct batch *batch, uint32_t at, unsigned shard)
{
    const struct fold_person *person = &batch->fold->persons[at];

    return (struct people_sent_person){
        .id = person->who.id,
        .brand = person->who.brand,
        .campaign = person->who.campaign,
        .scope = (uint8_t)waiting_scope(person->who.brand, person->who.campaign, shard,
                                        batch->options.n_shards),
        .is_visitor = person->who.is_visitor,
        .hour = person->slot / (HOUR_S / WAITING_SLOT_S),
    };
}

/* The next person from `*at` on who may have to be counted in the shard, and for what; NULL: there
 * is none. */
static const struct fold_person *next_person(const struct batch *batch, unsigned shard,
                                             uint32_t *at, unsigned *scope)
{
    const struct people_sent *counted = batch->options.people_sent;
    uint32_t n = batch->fold->n_persons;

    while (*at < n) {
        struct people_sent_person who = who_is(batch, (*at)++, shard);

        if (*at + AHEAD < n) {
            struct people_sent_person ahead = who_is(batch, *at + AHEAD, shard);

            people_sent_expect(counted, &ahead);
        }
        *scope = who.scope;
        if (who.scope != 0 && !people_sent_has(counted, &who))
            return &batch->fold->persons[*at - 1];
    }
    return NULL;
}

/* People whose clicks follow one another are mostly of one slot, which is a key. */
static void build_people(struct batch *batch, unsigned shard)
{
    unsigned scope;
    uint32_t at = 0;
    const struct fold_person *person = next_person(batch, shard, &at, &scope);

    while (person) {
        uint32_t slot = person->slot;
        size_t len = 0;
        uint8_t *out = open_text(batch, CHUNK_MAX);

        pack_number(&batch->slots, slot);
        for (; person && person->slot == slot && len + WAITING_LEN <= CHUNK_MAX;
             person = next_person(batch, shard, &at, &scope)) {
            waiting_put(out + len, &person->who, scope, person->change);
            len += WAITING_LEN;
        }
        close_text(batch, len);
        counter_key_waiting(next_key(batch), shard, slot);
        background_yield();
    }
}

/* --- events --- */

/* An event has two keys, its own and that of its table.  True: there are some. */
static bool build_events(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;
    unsigned n_shards = batch->options.n_shards;
    bool any = false;

    for (uint32_t i = 0; i < fold->n_events; i++) {
        const struct fold_event *event = &fold->events[i];
        uint8_t entries[EVENT_ENTRIES_MAX * STATE_ENTRY_LEN + EVENT_TOLD_LEN];
        size_t len = event->n_entries * STATE_ENTRY_LEN;

        if (counter_shard_of_bucket(event->bucket, n_shards) != shard)
            continue;
        for (unsigned k = 0; k < event->n_entries; k++)
            state_entry_put(entries + k * STATE_ENTRY_LEN, &event->entries[k]);
        if (event->is_kept) {
            memcpy(entries + len, event->kept, EVENT_TOLD_LEN);
            len += EVENT_TOLD_LEN;
        }
        counter_key_event(next_key(batch), shard, event->key);
        counter_key_table(next_key(batch), COUNTER_STATES, event->bucket, n_shards);
        pack_text(&batch->events, slice_make((const char *)entries, len));
        pack_text(&batch->events, slice_make((const char *)event->facts, event->facts_len));
        any = true;
    }
    return any;
}

/* --- uses --- */

/* What people's clicks change in the uses of links that have a limit.  Two keys each, that of the
 * uses and that of the table of states.  True: there are some. */
static bool build_uses(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;
    unsigned n_shards = batch->options.n_shards;
    bool any = false;

    for (uint32_t i = 0; i < fold->n_links; i++) {
        const struct fold_link *link = &fold->links[i];
        const struct state_subject subject = {.type = STATE_USES, .id = link->link_id};
        unsigned bucket = counter_bucket_of_link(link->link_id);
        uint8_t use[USE_BYTES];

        if (link->max_uses == 0 || link->human == 0 ||
            counter_shard_of_bucket(bucket, n_shards) != shard)
            continue;
        if (!any)
            pack_number(&batch->uses, funnel_seconds(clock_wall_ms()));
        be64_store(use, state_key(&subject));
        be32_store(use + 8, (uint32_t)link->human);
        be32_store(use + 12, link->max_uses);
        pack_text(&batch->uses, slice_make((const char *)use, sizeof(use)));
        counter_key_uses(next_key(batch), link->link_id, n_shards);
        counter_key_table(next_key(batch), COUNTER_STATES, bucket, n_shards);
        any = true;
    }
    return any;
}

/* --- invoices --- */

/* The facts of clicks, as entries of the queue: a process takes whole ones from it. */
static void build_facts(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;
    size_t len = 0, n_before = batch->n_texts;

    for (uint32_t i = 0; i < fold->n_facts; i++) {
        const struct fold_fact *fact = &fold->facts[i];

        if (counter_shard_of_bucket(fact->bucket, batch->options.n_shards) != shard)
            continue;
        if (fact->is_relabel)
            people_sent_forget_clicks(batch->options.people_sent);
        else if (!people_sent_add_click(batch->options.people_sent, &fact->click))
            continue;
        if (len + fact->len > FACTS_LEN_MAX) {
            close_text(batch, len);
            len = 0;
        }
        memcpy(open_text(batch, FACTS_LEN_MAX) + len, fact->bytes, fact->len);
        len += fact->len;
    }
    if (len > 0)
        close_text(batch, len);
    batch->n_facts = batch->n_texts - n_before;
}

/* --- the command --- */

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
    tail[AT_FROM] = decimal(batch->numbers[AT_FROM], range->from);
    tail[AT_TO] = decimal(batch->numbers[AT_TO], range->to);
    tail[AT_TTL] = decimal(batch->numbers[AT_TTL], BATCH_CURSOR_TTL_S);
    tail[AT_TABLES] = decimal(batch->numbers[AT_TABLES], batch->n_tables);
    tail[AT_CELLS] = pack_end(&batch->cells);
    tail[AT_SERIES] = pack_end(&batch->series);
    tail[AT_PEOPLE] = pack_end(&batch->slots);
    tail[AT_EVENTS] = pack_end(&batch->events);
    tail[AT_EVENT_TTL] = decimal(batch->numbers[AT_EVENT_TTL], BATCH_EVENT_TTL_S);
    tail[AT_USES] = pack_end(&batch->uses);
    tail[AT_USES_TTL] = decimal(batch->numbers[AT_USES_TTL], BATCH_USES_TTL_S);
    tail[AT_FACTS] = decimal(batch->numbers[AT_FACTS], batch->n_facts);
    tail[AT_SHARDS] = decimal(batch->numbers[AT_SHARDS], batch->options.n_shards);
    memcpy(tail + AT_TEXTS, batch->texts, batch->n_texts * sizeof(*batch->texts));
}

void batch_build(struct batch *batch, const struct batch_range *range, struct batch_command *out)
{
    bool has_states;

    batch->n_keys = 0;
    counter_key_cursor(next_key(batch), range->shard, range->log_id);
    counter_key_rejected(next_key(batch), range->shard);
    counter_key_facts(next_key(batch), range->shard);
    counter_key_shards(next_key(batch), range->shard);
    counter_key_waiting_slots(next_key(batch), range->shard);
    batch->n_texts = batch->text_len = batch->n_tables = batch->n_facts = 0;
    pack_begin(&batch->cells);
    pack_begin(&batch->series);
    pack_begin(&batch->slots);
    pack_begin(&batch->events);
    pack_begin(&batch->uses);
    if (batch->fold && batch->has[range->shard]) {
        build_tables(batch, range->shard);
        build_series(batch, range->shard);
        build_people(batch, range->shard);
        has_states = build_events(batch, range->shard);
        has_states |= build_uses(batch, range->shard);
        if (has_states) {
            counter_key_state_stream(next_key(batch), range->shard);
            counter_key_told(next_key(batch), range->shard);
            counter_key_used(next_key(batch), range->shard);
        }
        build_facts(batch, range->shard);
    }
    assert(!batch->cells.full && !batch->series.full && !batch->slots.full && !batch->events.full &&
           !batch->uses.full);
    build_argv(batch, range);
    *out = (struct batch_command){.argv = batch->argv,
                                  .argc = ARGV_HEAD + batch->n_keys + AT_TEXTS + batch->n_texts,
                                  .key = counter_key_slice(&batch->keys[0])};
}
