#include <stdlib.h>

#include "proto/bytes.h"
#include "proto/series.h"
#include "service/base/background.h"
#include "service/ledger/batch_private.h"
#include "service/ledger/met.h"

static const struct {
    enum counter_dim dim;
    unsigned at, n;
} dims[BATCH_SERIES_DIMS] = {
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
};

static unsigned value_of(enum counter_dim dim, unsigned index)
{
    char country[2];

    if (dim != COUNTER_DIM_COUNTRY || index == 0)
        return index;
    country[0] = (char)('A' + (index - 1) / 26);
    country[1] = (char)('A' + (index - 1) % 26);
    return counter_country_value(country);
}

/* Neighbours in the order of batch->sorted, whose clicks go under the same keys of an interval. */
struct span {
    struct counter_series series;
    int64_t period_s; /* when the period of the key begins */
    uint32_t first, end;
};

/* A text of the script that is being filled with records. */
struct chunk {
    const struct span *span;
    uint8_t *out;
    size_t len;
};

static void close_chunk(struct batch *batch, struct chunk *chunk)
{
    const struct span *span = chunk->span;

    if (chunk->len == 0)
        return;
    pack_close(&batch->series, chunk->len);
    pack_number(&batch->series, (uint32_t)(span->series.interval == COUNTER_HOURS
                                               ? batch->options.retention_hours_s
                                               : batch->options.retention_days_s));
    counter_key_series(batch_next_key(batch), &span->series, span->period_s,
                       batch->options.n_shards);
    chunk->len = 0;
}

static void put_point(struct batch *batch, struct chunk *chunk, const struct series_point *point)
{
    if (chunk->len + SERIES_RECORD_LEN > BATCH_CHUNK_MAX)
        close_chunk(batch, chunk);
    if (chunk->len == 0)
        chunk->out = pack_open(&batch->series, BATCH_CHUNK_MAX);
    if (!chunk->out)
        return;
    series_put(chunk->out + chunk->len, point);
    chunk->len += SERIES_RECORD_LEN;
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
        const int32_t *counts = group->counts + dims[dim].at;
        struct series_point point = point_of(chunk->span, &group->key);

        point.dim = dims[dim].dim;
        for (unsigned k = 0; k < dims[dim].n; k++) {
            if (counts[k] == 0)
                continue;
            point.value = value_of(point.dim, k);
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
        for (unsigned k = 0; k < CLICK_LABELS; k++)
            point.count += group->counts[FOLD_AT_LABEL + k];
        if (point.count != 0)
            put_point(batch, chunk, &point);
    }
}

static void build_span(struct batch *batch, struct span *span, bool by_campaign)
{
    struct chunk chunk = {.span = span};

    if (by_campaign) {
        span->series.dim = COUNTER_DIM_CAMPAIGN;
        put_campaigns(batch, &chunk);
        close_chunk(batch, &chunk);
        return;
    }
    for (size_t dim = 0; dim < BATCH_SERIES_DIMS; dim++) {
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
    const struct batch_group *a = left, *b = right;
    int order = compare_numbers(a->key.brand, b->key.brand);

    if (order == 0)
        order = compare_numbers(a->key.campaign, b->key.campaign);
    return order ? order : compare_numbers(a->key.hour, b->key.hour);
}

static int by_hour(const void *left, const void *right)
{
    const struct batch_group *a = left, *b = right;
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

/* Picks the groups whose clicks are added to campaigns of their own, or to all. */
static uint32_t pick(struct batch *batch, unsigned shard, const uint8_t *shards, bool all)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < batch->fold->n_groups; i++) {
        if (shards[i] == shard &&
            (batch->fold->groups[i].key.campaign == COUNTER_ALL_CAMPAIGNS) == all)
            batch->sorted[n++] = (struct batch_group){batch->fold->groups[i].key, i};
    }
    return n;
}

void batch_build_series(struct batch *batch, unsigned shard)
{
    uint32_t n = pick(batch, shard, batch->group_shard, false);

    qsort(batch->sorted, n, sizeof(batch->sorted[0]), by_series);
    build_interval(batch, n, COUNTER_HOURS, false);
    build_interval(batch, n, COUNTER_DAYS, false);
    n = pick(batch, shard, batch->group_shard, true);
    qsort(batch->sorted, n, sizeof(batch->sorted[0]), by_series);
    for (int interval = COUNTER_HOURS; interval <= COUNTER_MONTHS; interval++)
        build_interval(batch, n, (enum counter_interval)interval, false);
    n = pick(batch, shard, batch->all_shard, false);
    qsort(batch->sorted, n, sizeof(batch->sorted[0]), by_hour);
    for (int interval = COUNTER_HOURS; interval <= COUNTER_MONTHS; interval++)
        build_interval(batch, n, (enum counter_interval)interval, true);
}

/* A client's number has 4 bytes, a visitor's hash 8: both big-endian. */
static void pack_person(struct pack *pack, enum fold_whom whom, uint64_t id)
{
    uint8_t bytes[8];

    be64_store(bytes, id);
    pack_text(pack, whom == FOLD_CLIENTS ? slice_make((const char *)bytes + 4, 4)
                                         : slice_make((const char *)bytes, 8));
}

/* Lists those of the group whom Redis has not been told of; returns how many. */
static uint32_t find_strangers(struct batch *batch, const struct fold_group *group,
                               enum fold_whom whom)
{
    struct met_person person = {
        .brand = group->key.brand,
        .campaign = group->key.campaign,
        .day = group->key.hour / 24,
        .is_visitor = whom == FOLD_VISITORS,
    };
    uint32_t n = 0;

    for (uint32_t at = group->people[whom].first; at != FOLD_NONE;
         at = batch->fold->persons[at].next) {
        person.id = batch->fold->persons[at].id;
        if (!met_before(batch->options.met, &person))
            batch->strangers[n++] = person.id;
    }
    return n;
}

static void build_people(struct batch *batch, const struct fold_group *group, enum fold_whom whom)
{
    uint32_t n = find_strangers(batch, group, whom);
    struct counter_people of = {.brand = group->key.brand,
                                .campaign = group->key.campaign,
                                .are_visitors = whom == FOLD_VISITORS};

    if (n == 0)
        return;
    for (int interval = COUNTER_HOURS; interval <= COUNTER_DAYS; interval++) {
        of.interval = (enum counter_interval)interval;
        counter_key_people(batch_next_key(batch), &of, group->key.hour * 3600,
                           batch->options.n_shards);
    }
    pack_number(&batch->people, n);
    pack_number(&batch->people, (uint32_t)batch->options.retention_hours_s);
    pack_number(&batch->people, (uint32_t)batch->options.retention_days_s);
    for (uint32_t i = 0; i < n; i++)
        pack_person(&batch->people, whom, batch->strangers[i]);
}

void batch_build_people(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;

    for (uint32_t i = 0; i < fold->n_groups; i++) {
        if (batch->group_shard[i] != shard)
            continue;
        for (unsigned whom = 0; whom < FOLD_PEOPLE; whom++)
            build_people(batch, &fold->groups[i], (enum fold_whom)whom);
        background_yield();
    }
}
