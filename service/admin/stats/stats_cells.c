#include "service/admin/stats/stats_cells.h"

#include <stdlib.h>

#include "proto/cells.h"
#include "proto/counter.h"
#include "proto/lone.h"
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

/* By shard, as one command reads one shard only, then so that days of one month of a campaign stand
 * together. */
static int by_shard(const void *left, const void *right)
{
    const struct stats_cells_day *a = left, *b = right;

    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    if (a->brand != b->brand)
        return a->brand < b->brand ? -1 : 1;
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

static int64_t month_of(int64_t day_s)
{
    const struct counter_series lone = {.interval = COUNTER_ALONE};

    return counter_series_period(&lone, day_s);
}

/* A command reads the lone clicks of a campaign's month before the cells of the first of its days
 * that it reads: of one moment, as clicks are moved from there to the cells.  Whether that day is
 * this one, of a command that begins with day `first`. */
static bool begins_month(const struct stats_cells *cells, size_t first, size_t at)
{
    const struct stats_cells_day *day = &cells->days[at];

    return at == first || day->brand != day[-1].brand || day->campaign != day[-1].campaign ||
           month_of(day->day_s) != month_of(day[-1].day_s);
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

        if (i == 0 || day->shard != day[-1].shard || n_keys + 2 > STATS_CELLS_KEYS_MAX ||
            bytes + more > COMMAND_BYTES) {
            cells->starts[cells->n_commands++] = (uint32_t)i;
            bytes = 0;
            n_keys = 0;
        }
        bytes += more;
        n_keys += begins_month(cells, cells->starts[cells->n_commands - 1], i) ? 2 : 1;
    }
    cells->starts[cells->n_commands] = (uint32_t)cells->n_days;
    return cells->n_commands > FETCH_COMMANDS_MAX ? STATS_CELLS_TOO_MUCH : STATS_CELLS_OK;
}

void stats_cells_command(struct stats_cells *cells, const struct stats *stats, unsigned n_shards,
                         size_t index, struct fetch_command *command)
{
    size_t first = cells->starts[index], n = 0;

    for (size_t i = first; i < cells->starts[index + 1]; i++) {
        const struct stats_cells_day *day = &cells->days[i];
        const struct counter_cells of = {site_brand_at(stats->site, day->brand)->id, day->campaign};
        const struct counter_series lone = {of.brand, of.campaign, COUNTER_ALONE, 0};

        if (begins_month(cells, first, i))
            counter_key_series(&cells->keys[n++], &lone, day->day_s, n_shards);
        counter_key_cells(&cells->keys[n++], &of, day->day_s, n_shards);
    }
    command->argv[0] = slice_of("MGET");
    for (size_t i = 0; i < n; i++)
        command->argv[1 + i] = counter_key_slice(&cells->keys[i]);
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

static void take_record(struct stats *stats, const struct reader *reader, unsigned kinds,
                        struct stats_cells_day *day, uint64_t record)
{
    unsigned hour = cells_value(record, CELLS_HOUR);
    bool automated = click_is_automated((uint8_t)cells_value(record, CELLS_LABEL));
    uint32_t key[2] = {0, 0};

    if (hour >= HOURS || reader->rows[hour] == NOT_WANTED ||
        !(kinds & 1U << cells_value(record, CELLS_KIND)))
        return;
    clicks_add(&day->found, cells_count(record), automated);
    if (!is_wanted(reader, record))
        return;
    for (size_t g = 0; g < stats->query.n_groups; g++)
        key[g] = group_value(reader, &stats->query, g, day, record);
    stats_rows_add(&stats->rows[day->period], key, cells_count(record), automated);
}

void stats_cells_take(struct stats_cells *cells, struct stats *stats, const unsigned *kinds,
                      size_t index, const struct redisReply *answer)
{
    size_t first = cells->starts[index], n = 0;
    struct slice alone = slice_make("", 0);

    for (size_t i = first; i < cells->starts[index + 1]; i++) {
        struct stats_cells_day *day = &cells->days[i];
        unsigned of_month = counter_bucket_of_time(COUNTER_DAYS, day->day_s);
        struct reader reader;
        struct lone lone;
        uint64_t record;
        size_t at = 0;

        if (begins_month(cells, first, i))
            alone = fetch_text_at(answer, n++);
        make_reader(&reader, stats, day);
        while (lone_next(alone, &at, &lone)) {
            if (lone.day == of_month)
                take_record(stats, &reader, kinds[day->brand], day, cells_of_lone(&lone));
        }
        at = 0;
        for (struct slice text = fetch_text_at(answer, n++); cells_next(text, &at, &record);)
            take_record(stats, &reader, kinds[day->brand], day, record);
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
