#include "proto/bytes.h"
#include "service/ledger/batch_private.h"

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

static int64_t ttl_of(const struct batch *batch, enum counter_interval interval)
{
    return interval == COUNTER_HOURS ? batch->options.retention_hours_s
                                     : batch->options.retention_days_s;
}

/* A run of fields under one key; `counts` are `n` neighbouring values, the first being `base`. */
struct run {
    struct counter_series series;
    const struct fold_group *group;
    const int32_t *counts;
    unsigned n, base;
};

static void build_run(struct batch *batch, const struct run *run)
{
    const struct fold_group_key *key = &run->group->key;
    int64_t time_s = key->hour * 3600;
    uint32_t n_fields = 0;
    struct counter_point point = {
        .bucket = counter_bucket_of_time(run->series.interval, time_s),
        .kind = key->kind,
        .automated = key->automated,
    };

    for (unsigned i = 0; i < run->n; i++)
        n_fields += run->counts[i] != 0;
    if (n_fields == 0)
        return;
    counter_key_series(batch_next_key(batch), &run->series, time_s, batch->options.n_shards);
    pack_number(&batch->series, n_fields);
    pack_decimal(&batch->series, ttl_of(batch, run->series.interval));
    for (unsigned i = 0; i < run->n; i++) {
        struct counter_field field;

        if (run->counts[i] == 0)
            continue;
        point.value = value_of(run->series.dim, run->base + i);
        counter_field_series(&field, run->series.dim, &point);
        pack_text(&batch->series, slice_make(field.text, field.len));
        pack_decimal(&batch->series, run->counts[i]);
    }
}

static void build_group(struct batch *batch, const struct fold_group *group)
{
    struct run run = {.series = {.brand = group->key.brand, .campaign = group->key.campaign},
                      .group = group};

    for (int interval = COUNTER_HOURS; interval <= COUNTER_DAYS; interval++) {
        run.series.interval = (enum counter_interval)interval;
        for (size_t i = 0; i < BATCH_SERIES_DIMS; i++) {
            run.series.dim = dims[i].dim;
            run.counts = group->counts + dims[i].at;
            run.n = dims[i].n;
            build_run(batch, &run);
        }
    }
}

/* What the campaign adds to the series of all campaigns, by campaign. */
static void build_campaign(struct batch *batch, const struct fold_group *group)
{
    int32_t total = 0;
    struct run run = {
        .series = {.brand = group->key.brand,
                   .campaign = COUNTER_ALL_CAMPAIGNS,
                   .dim = COUNTER_DIM_CAMPAIGN},
        .group = group,
        .counts = &total,
        .n = 1,
        .base = (unsigned)group->key.campaign,
    };

    for (unsigned i = 0; i < CLICK_LABELS; i++)
        total += group->counts[FOLD_AT_LABEL + i];
    for (int interval = COUNTER_HOURS; interval <= COUNTER_DAYS; interval++) {
        run.series.interval = (enum counter_interval)interval;
        build_run(batch, &run);
    }
}

void batch_build_series(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;

    for (uint32_t i = 0; i < fold->n_groups; i++) {
        const struct fold_group *group = &fold->groups[i];

        if (batch->group_shard[i] == shard)
            build_group(batch, group);
        if (batch->all_shard[i] == shard && group->key.campaign != COUNTER_ALL_CAMPAIGNS)
            build_campaign(batch, group);
    }
}

/* A client's number has 4 bytes, a visitor's hash 8: both big-endian. */
static void pack_person(struct pack *pack, enum fold_whom whom, uint64_t id)
{
    uint8_t bytes[8];

    be64_store(bytes, id);
    pack_text(pack, whom == FOLD_CLIENTS ? slice_make((const char *)bytes + 4, 4)
                                         : slice_make((const char *)bytes, 8));
}

static void build_people(struct batch *batch, const struct fold_group *group, enum fold_whom whom)
{
    const struct fold_people *people = &group->people[whom];
    struct counter_people of = {.brand = group->key.brand,
                                .campaign = group->key.campaign,
                                .are_visitors = whom == FOLD_VISITORS};

    if (people->n == 0)
        return;
    for (int interval = COUNTER_HOURS; interval <= COUNTER_DAYS; interval++) {
        of.interval = (enum counter_interval)interval;
        counter_key_people(batch_next_key(batch), &of, group->key.hour * 3600,
                           batch->options.n_shards);
    }
    pack_number(&batch->people, people->n);
    pack_number(&batch->people, (uint32_t)batch->options.retention_hours_s);
    pack_number(&batch->people, (uint32_t)batch->options.retention_days_s);
    for (uint32_t at = people->first; at != FOLD_NONE; at = batch->fold->persons[at].next)
        pack_person(&batch->people, whom, batch->fold->persons[at].id);
}

void batch_build_people(struct batch *batch, unsigned shard)
{
    const struct fold *fold = batch->fold;

    for (uint32_t i = 0; i < fold->n_groups; i++) {
        if (batch->group_shard[i] != shard)
            continue;
        for (unsigned whom = 0; whom < FOLD_PEOPLE; whom++)
            build_people(batch, &fold->groups[i], (enum fold_whom)whom);
    }
}
