#include "service/admin/stats/stats_cells.h"

#include <stdlib.h>

#include "proto/cells.h"
#include "proto/counter.h"
#include "service/config/brand.h"
#include "service/config/site.h"

enum {
    DAY_S = 86400,
    HOUR_S = 3600,
    HOURS = 24,
    SETTLED_S = HOUR_S,      /* after so long, no click of a day is relabelled any more */
    COMMAND_BYTES = 4 << 20, /* of an answer, at most, unless it is of one key */
    VALUES = 1 << CELLS_VALUE_BITS,
    WORD = 64,
};

#define NOT_WANTED UINT32_MAX

/* Clicks of a campaign on a day (UTC), of the part of it that is in the period. */
struct stats_cells_day {
    int64_t day_s;
    uint16_t brand; /* index in the site */
    uint16_t campaign;
    uint8_t period; /* 0, or 1 of the one that is compared with */
    uint8_t shard;
    struct clicks counted, found; /* by series, in cells */
};

/* A query made ready for many records. */
struct reader {
    size_t n_filters;
    struct {
        enum cells_field field;
        uint64_t bits[VALUES / WORD]; /* the values that are wanted */
    } filters[STATS_FILTERS_MAX];
    enum cells_field groups[STATS_GROUPS_MAX]; /* CELLS_FIELDS: neither hour nor a dimension */
    uint32_t rows[HOURS];                      /* of time, by hour; NOT_WANTED: not in the period */
};

void stats_cells_init(struct stats_cells *cells)
{
    *cells = (struct stats_cells){.n_days = 0};
    stats_rows_init(&cells->counted);
}

void stats_cells_clear(struct stats_cells *cells)
{
    stats_rows_clear(&cells->counted);
    free(cells->days);
    free(cells->starts);
    cells->days = NULL;
    cells->starts = NULL;
}

void stats_cells_count(struct stats_cells *cells, const struct stats_read *read, uint16_t campaign,
                       int64_t time_s, int64_t n, bool automated)
{
    const uint32_t key[2] = {(uint32_t)(time_s / DAY_S) << 1 | read->is_previous,
                             (uint32_t)read->brand << 16 | campaign};

    stats_rows_add(&cells->counted, key, n, automated);
}

/* By shard, as one command reads one shard only, then as they were counted. */
static int by_shard(const void *left, const void *right)
{
    const struct stats_cells_day *a = left, *b = right;

    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    if (a->campaign != b->campaign)
        return a->campaign < b->campaign ? -1 : 1;
    return (a->day_s > b->day_s) - (a->day_s < b->day_s);
}

static void make_days(struct stats_cells *cells, const struct stats *stats, unsigned n_shards)
{
    for (size_t i = 0; i < cells->counted.n; i++) {
        const struct stats_row *row = &cells->counted.rows[i];
        struct stats_cells_day *day = &cells->days[cells->n_days];

        if (row->clicks.human == 0 && row->clicks.automated == 0)
            continue;
        *day = (struct stats_cells_day){
            .day_s = (int64_t)(row->key[0] >> 1) * DAY_S,
            .brand = (uint16_t)(row->key[1] >> 16),
            .campaign = (uint16_t)row->key[1],
            .period = row->key[0] & 1,
            .counted = row->clicks,
        };
        day->shard = (uint8_t)counter_shard_of_series(site_brand_at(stats->site, day->brand)->id,
                                                      day->campaign, n_shards);
        cells->n_days++;
    }
    if (cells->n_days > 1)
        qsort(cells->days, cells->n_days, sizeof(cells->days[0]), by_shard);
}

enum stats_cells_status stats_cells_plan(struct stats_cells *cells, const struct stats *stats,
                                         unsigned n_shards)
{
    size_t n_keys = 0;
    int64_t bytes = 0;

    if (cells->counted.failed || cells->counted.n > STATS_CELLS_DAYS_MAX ||
        clicks_total(&cells->counted.total) > STATS_CELLS_CLICKS_MAX)
        return STATS_CELLS_TOO_MUCH;
    cells->days = calloc(cells->counted.n + 1, sizeof(*cells->days));
    cells->starts = calloc(cells->counted.n + 1, sizeof(*cells->starts));
    if (!cells->days || !cells->starts)
        return STATS_CELLS_NO_MEMORY;
    make_days(cells, stats, n_shards);
    for (size_t i = 0; i < cells->n_days; i++) {
        const struct stats_cells_day *day = &cells->days[i];
        int64_t more = clicks_total(&day->counted) * CELLS_RECORD_LEN;

        if (i > 0 && day->shard == day[-1].shard && n_keys < STATS_CELLS_KEYS_MAX &&
            bytes + more <= COMMAND_BYTES) {
            bytes += more;
            n_keys++;
            continue;
        }
        cells->starts[cells->n_commands++] = (uint32_t)i;
        bytes = more;
        n_keys = 1;
    }
    cells->starts[cells->n_commands] = (uint32_t)cells->n_days;
    return cells->n_commands > FETCH_COMMANDS_MAX ? STATS_CELLS_TOO_MUCH : STATS_CELLS_OK;
}

size_t stats_cells_n_keys(const struct stats_cells *cells, size_t index)
{
    return cells->starts[index + 1] - cells->starts[index];
}

void stats_cells_command(struct stats_cells *cells, const struct stats *stats, unsigned n_shards,
                         size_t index, struct fetch_command *command)
{
    size_t n = stats_cells_n_keys(cells, index);

    command->argv[0] = slice_of("MGET");
    for (size_t i = 0; i < n; i++) {
        const struct stats_cells_day *day = &cells->days[cells->starts[index] + i];
        const struct counter_cells of = {site_brand_at(stats->site, day->brand)->id, day->campaign};

        counter_key_cells(&cells->keys[i], &of, day->day_s, n_shards);
        command->argv[1 + i] = counter_key_slice(&cells->keys[i]);
    }
    command->argc = 1 + n;
    command->key = command->argv[1];
}

/* --- reading --- */

static void make_reader(struct reader *reader, const struct stats *stats,
                        const struct stats_cells_day *day)
{
    const struct stats_query *query = &stats->query;
    const struct period *period = stats_period(stats, day->period);
    bool by_time = query->groups[0] == STATS_TIME;

    *reader = (struct reader){.n_filters = query->n_filters};
    for (size_t f = 0; f < query->n_filters; f++) {
        const struct stats_filter *filter = &query->filters[f];
        enum cells_field field = cells_field_of(stats_group_dim(filter->group));

        reader->filters[f].field = field;
        for (size_t i = 0; i < filter->n; i++) {
            unsigned value = filter->values[i];

            if (field == CELLS_COUNTRY)
                value = cells_country(value);
            if (value < VALUES)
                reader->filters[f].bits[value / WORD] |= UINT64_C(1) << value % WORD;
        }
    }
    for (size_t i = 0; i < query->n_groups; i++) {
        enum counter_dim dim = stats_group_dim(query->groups[i]);

        reader->groups[i] = dim < COUNTER_DIMS ? cells_field_of(dim) : CELLS_FIELDS;
    }
    for (unsigned hour = 0; hour < HOURS; hour++) {
        int64_t time_s = day->day_s + (int64_t)hour * HOUR_S;

        reader->rows[hour] = NOT_WANTED;
        if (time_s >= period->from_s && time_s < period->to_s)
            reader->rows[hour] =
                by_time ? (uint32_t)buckets_find(&stats->buckets[day->period], time_s) : 0;
    }
}

static bool is_wanted(const struct reader *reader, uint64_t record)
{
    for (size_t f = 0; f < reader->n_filters; f++) {
        unsigned value = cells_value(record, reader->filters[f].field);

        if (!(reader->filters[f].bits[value / WORD] >> value % WORD & 1))
            return false;
    }
    return true;
}

static uint32_t group_value(const struct reader *reader, const struct stats_query *query, size_t i,
                            const struct stats_cells_day *day, uint64_t record)
{
    switch (query->groups[i]) {
    case STATS_TIME:
        return reader->rows[cells_value(record, CELLS_HOUR)];
    case STATS_KIND:
        return cells_value(record, CELLS_KIND);
    case STATS_CAMPAIGN:
        return day->campaign;
    case STATS_COUNTRY:
        return cells_country_of_series(cells_value(record, CELLS_COUNTRY));
    default:
        return cells_value(record, reader->groups[i]);
    }
}

void stats_cells_take(struct stats_cells *cells, struct stats *stats, const unsigned *kinds,
                      size_t index, size_t i, struct slice text)
{
    struct stats_cells_day *day = &cells->days[cells->starts[index] + i];
    struct stats_rows *rows = &stats->rows[day->period];
    struct reader reader;
    uint64_t record;
    size_t at = 0;

    make_reader(&reader, stats, day);
    while (cells_next(text, &at, &record)) {
        unsigned hour = cells_value(record, CELLS_HOUR);
        bool automated = click_is_automated((uint8_t)cells_value(record, CELLS_LABEL));
        uint32_t key[2] = {0, 0};

        if (hour >= HOURS || reader.rows[hour] == NOT_WANTED ||
            !(kinds[day->brand] & 1U << cells_value(record, CELLS_KIND)))
            continue;
        clicks_add(&day->found, cells_count(record), automated);
        if (!is_wanted(&reader, record))
            continue;
        for (size_t g = 0; g < stats->query.n_groups; g++)
            key[g] = group_value(&reader, &stats->query, g, day, record);
        stats_rows_add(rows, key, cells_count(record), automated);
    }
}

/* --- what was not found --- */

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Clicks between the two steps are in cells only.  So are relabellings, which move clicks of a day
 * that is hardly over from people's to others; on earlier days, each must be the same. */
static int64_t missing_clicks(const struct stats_cells_day *day, int64_t now_s)
{
    int64_t counted = clicks_total(&day->counted), found = clicks_total(&day->found);

    if (day->day_s + DAY_S + SETTLED_S > now_s)
        return found < counted ? counted - found : 0;
    return distance(day->counted.human, day->found.human) +
           distance(day->counted.automated, day->found.automated);
}

void stats_cells_cover(const struct stats_cells *cells, struct stats *stats, int64_t now_s)
{
    for (size_t p = 0; p < stats->n_periods; p++)
        stats->coverage[p] = (struct stats_coverage){.from_s = stats_period(stats, p)->from_s};
    for (size_t i = 0; i < cells->n_days; i++) {
        const struct stats_cells_day *day = &cells->days[i];
        struct stats_coverage *coverage = &stats->coverage[day->period];
        int64_t counted = clicks_total(&day->counted), missing = missing_clicks(day, now_s);

        if (counted > 0)
            coverage->n_clicks += counted;
        if (missing < counted)
            coverage->n_covered += counted - missing;
        if (missing > 0 && day->day_s + DAY_S > coverage->from_s)
            coverage->from_s = day->day_s + DAY_S;
    }
}
