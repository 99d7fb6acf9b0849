#include "service/admin/stats/stats_clients.h"

#include <stdlib.h>

#include "service/admin/stats/stats_write.h"
#include "service/base/zone.h"
#include "service/config/site.h"

enum {
    DAY_S = 86400,
    KEYS_MAX = FETCH_ARGS_MAX - 1,
    WHOLE = -1, /* stands for the whole period in place of a bucket */
};

struct stats_clients_span {
    uint32_t brand;
    int32_t campaign;
    int64_t from_s, to_s; /* whole days of UTC */
    size_t period;
    int64_t bucket; /* number of the bucket, or WHOLE */
    int64_t count;
    bool are_visitors;
};

static int64_t floor_day(int64_t time_s)
{
    return time_s - time_s % DAY_S;
}

/* The UTC day that begins nearest to `time_s`, the start of a local day. */
static int64_t nearest_day(int64_t time_s)
{
    return floor_day(time_s + DAY_S / 2);
}

/* Sets the UTC days that stand for a period.  For each local day that is the UTC day which shares
 * most hours with it, so that seven local days are seven UTC days and no UTC day is used twice.
 * Today is included from its first hour on.  For a period of hours it is every UTC day that holds
 * one of them. */
static void set_days(struct stats_clients_span *span, const struct stats *stats, size_t index)
{
    const struct period *period = stats_period(stats, index);
    struct civil end;

    zone_from_s(stats->query.zone, period->to_s, &end);
    span->from_s = period->is_days ? nearest_day(period->from_s) : floor_day(period->from_s);
    span->to_s = period->is_days && end.hour == 0 ? nearest_day(period->to_s)
                                                  : floor_day(period->to_s + DAY_S - 1);
    if (span->from_s >= span->to_s)
        span->from_s = floor_day(period->from_s);
}

/* Lists the keys whose union is the span: whole months, and days for the rest. */
static size_t list_keys(const struct stats_clients_span *span, unsigned n_shards,
                        struct counter_key *keys)
{
    struct counter_people people = {
        .brand = span->brand, .campaign = span->campaign, .are_visitors = span->are_visitors};
    int64_t at_s = span->from_s;
    size_t n = 0;

    while (at_s < span->to_s && n <= KEYS_MAX) {
        int64_t month_end_s = counter_people_next_s(COUNTER_DAYS, at_s);
        struct civil civil;
        bool month;

        civil_from_s(at_s, &civil);
        month = civil.day == 1 && month_end_s <= span->to_s;
        people.interval = month ? COUNTER_DAYS : COUNTER_HOURS;
        if (keys && n < KEYS_MAX)
            counter_key_people(&keys[n], &people, at_s, n_shards);
        n++;
        at_s = month ? month_end_s : at_s + DAY_S;
    }
    return n;
}

static bool add_span(struct stats_clients *clients, const struct stats_clients_span *span)
{
    if (list_keys(span, clients->n_shards, NULL) > KEYS_MAX)
        return false;
    for (int are_visitors = 0; are_visitors < 2; are_visitors++) {
        clients->spans[clients->n_commands] = *span;
        clients->spans[clients->n_commands++].are_visitors = are_visitors;
    }
    return true;
}

/* The spans of one brand and period. */
static bool add_period(struct stats_clients *clients, const struct stats *stats,
                       const struct brand *brand, size_t period)
{
    const struct buckets *buckets = &stats->buckets[period];
    int64_t end_s = buckets->start_s[buckets->n];
    struct stats_clients_span span = {
        .brand = brand->id,
        .campaign = stats->query.n_campaigns ? stats->query.campaigns[0] : COUNTER_ALL_CAMPAIGNS,
        .period = period,
        .bucket = WHOLE,
    };

    set_days(&span, stats, period);
    if (!add_span(clients, &span))
        return false;
    for (size_t i = 0; i < buckets->n && buckets->interval != PERIOD_HOUR; i++) {
        int64_t to_s = buckets->start_s[i + 1];

        /* the last bucket may end now, in the middle of a day */
        if (buckets->start_s[i] % DAY_S != 0 || (to_s % DAY_S != 0 && to_s != end_s))
            continue;
        span.from_s = buckets->start_s[i];
        span.to_s = floor_day(to_s + DAY_S - 1);
        span.bucket = (int64_t)i;
        if (!add_span(clients, &span))
            return false;
    }
    return true;
}

bool stats_clients_init(struct stats_clients *clients, const struct stats *stats, unsigned n_shards)
{
    unsigned n_brands = site_n_brands(stats->site);
    size_t room = 0;

    for (size_t p = 0; p < stats->n_periods; p++)
        room += 2 * n_brands * (stats->buckets[p].n + 1);
    clients->n_shards = n_shards;
    clients->spans = calloc(room, sizeof(*clients->spans));
    clients->keys = calloc(KEYS_MAX, sizeof(*clients->keys));
    if (!clients->spans || !clients->keys)
        return false;
    for (size_t p = 0; p < stats->n_periods; p++) {
        for (unsigned i = 0; i < n_brands; i++) {
            const struct brand *brand = site_brand_at(stats->site, i);

            if (stats_query_has(&stats->query, brand) && !add_period(clients, stats, brand, p))
                return false;
        }
    }
    return true;
}

void stats_clients_clear(struct stats_clients *clients)
{
    free(clients->spans);
    free(clients->keys);
    *clients = (struct stats_clients){0};
}

void stats_clients_command(struct stats_clients *clients, size_t index,
                           struct fetch_command *command)
{
    size_t n = list_keys(&clients->spans[index], clients->n_shards, clients->keys);

    command->argv[0] = slice_of("PFCOUNT");
    for (size_t i = 0; i < n; i++)
        command->argv[i + 1] = counter_key_slice(&clients->keys[i]);
    command->argc = n + 1;
    command->key = command->argv[1];
}

void stats_clients_take(struct stats_clients *clients, size_t index, int64_t count)
{
    clients->spans[index].count = count;
}

/* Nobody clicks without a click, so the clicks by people bound both figures: those are estimates,
 * may be of other hours than the clicks where a day is a local one, and keep a person whose only
 * click was relabelled later than it should be, when a process was cut off from Redis. */
static void bound_by_clicks(struct stats_people *people, const struct clicks *clicks)
{
    int64_t most = clicks->human > 0 ? clicks->human : 0;

    if (people->clients > most)
        people->clients = most;
    if (people->visitors > most)
        people->visitors = most;
}

/* Client numbers are unique within a brand, so the counts of brands are added.  Counts of visitors
 * are added as well, although one person may visit two brands. */
void stats_clients_store(const struct stats_clients *clients, size_t period,
                         struct stats_rows *rows)
{
    for (size_t i = 0; i < clients->n_commands; i++) {
        const struct stats_clients_span *span = &clients->spans[i];
        bool is_whole = span->bucket == WHOLE;
        struct stats_people *people;
        int64_t *out;

        if (span->period != period || (!is_whole && (size_t)span->bucket >= rows->n))
            continue;
        people = is_whole ? &rows->people : &rows->rows[span->bucket].people;
        out = span->are_visitors ? &people->visitors : &people->clients;
        *out = (*out < 0 ? 0 : *out) + span->count;
    }
    bound_by_clicks(&rows->people, &rows->total);
    for (size_t i = 0; i < rows->n; i++)
        bound_by_clicks(&rows->rows[i].people, &rows->rows[i].clicks);
}
