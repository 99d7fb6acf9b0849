#include "service/admin/stats/stats_clients.h"

#include <stdio.h>
#include <stdlib.h>

#include "people_count_lua.h"
#include "service/admin/stats/stats_write.h"
#include "service/base/zone.h"
#include "service/config/site.h"

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    HOURS = 24,
    /* EVAL, the script, how many keys, the one for a moment; of a day its string and two hours */
    ARGS_OF_SCRIPT = 4 + 3 * STATS_CLIENTS_DAYS_MAX,
    KEYS_MAX = FETCH_ARGS_MAX - ARGS_OF_SCRIPT,
    MOMENT = KEYS_MAX, /* behind the HyperLogLogs */
    STRINGS,
    KEYS_ROOM = STRINGS + STATS_CLIENTS_DAYS_MAX,
    WHOLE = -1,          /* stands for the whole period in place of a bucket */
    CHECKS_OF_BRAND = 4, /* clients by day and by hours, visitors by day and by hours */
};

struct stats_clients_day {
    int64_t start_s;
    bool has_hours; /* whoever is counted by the day is counted by the hour */
};

struct stats_clients_span {
    uint32_t brand;
    int64_t from_s, to_s; /* whole hours, or whole days (UTC) that stand for them */
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

/* --- the days in which a local day begins --- */

static struct stats_clients_day *find_day(const struct stats_clients *clients, int64_t time_s)
{
    for (size_t i = 0; i < clients->n_days; i++) {
        if (clients->days[i].start_s == floor_day(time_s))
            return &clients->days[i];
    }
    return NULL;
}

/* A boundary of a bucket or period.  One in the future divides nobody. */
static void add_day(struct stats_clients *clients, int64_t time_s)
{
    if (time_s % DAY_S != 0 && time_s <= clients->now_s &&
        floor_day(time_s) >= clients->hours_from_s && !find_day(clients, time_s))
        clients->days[clients->n_days++].start_s = floor_day(time_s);
}

static size_t n_buckets(const struct buckets *buckets)
{
    return buckets->interval == PERIOD_HOUR ? 0 : buckets->n;
}

static bool list_days(struct stats_clients *clients, const struct stats *stats)
{
    size_t room = 0;

    for (size_t p = 0; p < stats->n_periods; p++)
        room += n_buckets(&stats->buckets[p]) + 2;
    clients->days = calloc(room, sizeof(*clients->days));
    if (!clients->days)
        return false;
    for (size_t p = 0; p < stats->n_periods; p++) {
        const struct buckets *buckets = &stats->buckets[p];

        add_day(clients, stats_period(stats, p)->from_s);
        for (size_t i = 1; i < n_buckets(buckets); i++)
            add_day(clients, buckets->start_s[i]);
        add_day(clients, stats_period(stats, p)->to_s);
    }
    return true;
}

bool stats_clients_init(struct stats_clients *clients, const struct stats *stats,
                        const struct stats_clients_options *options)
{
    unsigned n_brands = site_n_brands(stats->site);

    clients->n_shards = options->n_shards;
    clients->now_s = options->now_s;
    clients->hours_from_s = options->kept_s > 0 ? options->now_s - options->kept_s : INT64_MAX;
    clients->campaign =
        stats->query.n_campaigns ? stats->query.campaigns[0] : COUNTER_ALL_CAMPAIGNS;
    clients->brands = calloc(n_brands + 1, sizeof(struct brand *));
    clients->keys = calloc(KEYS_ROOM, sizeof(*clients->keys));
    if (!clients->brands || !clients->keys || !list_days(clients, stats))
        return false;
    for (unsigned i = 0; i < n_brands; i++) {
        const struct brand *brand = site_brand_at(stats->site, i);

        if (stats_query_has(&stats->query, brand))
            clients->brands[clients->n_brands++] = brand;
    }
    clients->n_checks = clients->n_days * clients->n_brands * CHECKS_OF_BRAND;
    if (clients->n_checks > options->n_checks_max)
        clients->n_days = clients->n_checks = 0;
    clients->counts = calloc(clients->n_checks + 1, sizeof(*clients->counts));
    return clients->counts != NULL;
}

void stats_clients_clear(struct stats_clients *clients)
{
    free(clients->brands);
    free(clients->days);
    free(clients->counts);
    free(clients->spans);
    free(clients->keys);
    *clients = (struct stats_clients){0};
}

static struct slice number_text(char text[static 4], unsigned number)
{
    return slice_make(text, (size_t)snprintf(text, 4, "%u", number % 1000));
}

/* Notes that the command counts an hour; those of a day follow one another. */
static void add_hour(struct stats_clients *clients, int64_t hour_s)
{
    unsigned hour = (unsigned)(hour_s % DAY_S / HOUR_S);
    struct stats_clients_hours *last = &clients->hours[clients->n_hours];

    if (clients->n_hours == 0 || (--last)->day_s != floor_day(hour_s)) {
        last = &clients->hours[clients->n_hours++];
        *last = (struct stats_clients_hours){.day_s = floor_day(hour_s), .from = hour};
    }
    last->to = hour + 1;
}

/* Counts the first `n` keys, and clients->hours of strings. */
static void count_keys(struct stats_clients *clients, const struct counter_people *people, size_t n,
                       struct fetch_command *command)
{
    struct slice *to = command->argv;
    size_t n_hours = clients->n_hours;

    if (n_hours == 0) {
        *to++ = slice_of("PFCOUNT");
    } else {
        counter_key_moment(
            &clients->keys[MOMENT],
            counter_shard_of_series(people->brand, people->campaign, clients->n_shards));
        *to++ = slice_of("EVAL");
        *to++ = slice_make(people_count_lua, sizeof(people_count_lua));
        *to++ = number_text(clients->n_keys_text, (unsigned)(1 + n_hours + n));
        *to++ = counter_key_slice(&clients->keys[MOMENT]);
    }
    for (size_t i = 0; i < n_hours; i++) {
        counter_key_people_hours(&clients->keys[STRINGS + i], people, clients->hours[i].day_s,
                                 clients->n_shards);
        *to++ = counter_key_slice(&clients->keys[STRINGS + i]);
    }
    for (size_t i = 0; i < n; i++)
        *to++ = counter_key_slice(&clients->keys[i]);
    for (size_t i = 0; i < n_hours; i++) {
        struct stats_clients_hours *hours = &clients->hours[i];

        *to++ = number_text(hours->texts[0], hours->from);
        *to++ = number_text(hours->texts[1], hours->to);
    }
    command->argc = (size_t)(to - command->argv);
    command->key = counter_key_slice(&clients->keys[0]);
}

/* First the day, then its hours: whoever is added in between makes them more, never less. */
void stats_clients_check(struct stats_clients *clients, size_t index, struct fetch_command *command)
{
    size_t pair = index / CHECKS_OF_BRAND, n = index % 2 ? HOURS : 1;
    int64_t day_s = clients->days[pair / clients->n_brands].start_s;
    const struct counter_people people = {
        .brand = clients->brands[pair % clients->n_brands]->id,
        .campaign = clients->campaign,
        .of = n == 1 ? COUNTER_PEOPLE_OF_DAY : COUNTER_PEOPLE_OF_HOUR,
        .are_visitors = index / 2 % 2,
    };

    clients->n_hours = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t at_s = day_s + (int64_t)i * HOUR_S;

        counter_key_people(&clients->keys[i], &people, at_s, clients->n_shards);
        if (people.of == COUNTER_PEOPLE_OF_HOUR)
            add_hour(clients, at_s);
    }
    count_keys(clients, &people, n, command);
}

void stats_clients_take_check(struct stats_clients *clients, size_t index, int64_t count)
{
    clients->counts[index] = count;
}

/* The hours together are the day, unless somebody was counted by the day only.  Hours that can't be
 * counted now, as Redis refuses to write, are -1. */
static void judge_days(struct stats_clients *clients)
{
    for (size_t i = 0; i < clients->n_days; i++)
        clients->days[i].has_hours = !clients->by_days;
    for (size_t i = 0; i < clients->n_checks; i += 2) {
        if (clients->counts[i + 1] < clients->counts[i])
            clients->days[i / CHECKS_OF_BRAND / clients->n_brands].has_hours = false;
    }
}

/* --- what is counted --- */

/* Whether people around `time_s` are known by the hour.  In the future there is nobody. */
static bool has_hours(const struct stats_clients *clients, int64_t time_s)
{
    const struct stats_clients_day *day = find_day(clients, time_s);

    return time_s > clients->now_s || (day && day->has_hours);
}

/* Whether a span can be counted by whole days and known hours. */
static bool is_exact(const struct stats_clients *clients, int64_t from_s, int64_t to_s)
{
    return (from_s % DAY_S == 0 || has_hours(clients, from_s)) &&
           (to_s % DAY_S == 0 || has_hours(clients, to_s));
}

/* Sets the UTC days that stand for a period whose hours are not known.  For each local day that is
 * the UTC day which shares most hours with it, so that seven local days are seven UTC days and no
 * UTC day is used twice.  Today is included from its first hour on.  For a period of hours it is
 * every UTC day that holds one of them. */
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

/* The longest time from `at_s` on that has a key and ends within the span. */
static enum counter_people_of longest_key(const struct stats_clients_span *span, int64_t at_s)
{
    struct civil civil;

    civil_from_s(at_s, &civil);
    for (int of = COUNTER_PEOPLE_OF_MONTH; of > COUNTER_PEOPLE_OF_HOUR; of--) {
        bool begins = at_s % DAY_S == 0 && (of == COUNTER_PEOPLE_OF_DAY || civil.day == 1);

        if (begins && counter_people_next_s((enum counter_people_of)of, at_s) <= span->to_s)
            return (enum counter_people_of)of;
    }
    return COUNTER_PEOPLE_OF_HOUR;
}

/* How many keys a span needs. */
static size_t n_keys(const struct stats_clients_span *span)
{
    size_t n = 0;

    for (int64_t at_s = span->from_s; n == 0 || (at_s < span->to_s && n <= KEYS_MAX); n++)
        at_s = counter_people_next_s(longest_key(span, at_s), at_s);
    return n;
}

static bool add_span(struct stats_clients *clients, const struct stats_clients_span *span)
{
    if (n_keys(span) > KEYS_MAX)
        return false;
    for (int are_visitors = 0; are_visitors < 2; are_visitors++) {
        clients->spans[clients->n_commands] = *span;
        clients->spans[clients->n_commands++].are_visitors = are_visitors;
    }
    return true;
}

/* The spans of one brand and period. */
static bool add_period(struct stats_clients *clients, const struct stats *stats, uint32_t brand,
                       size_t period)
{
    const struct buckets *buckets = &stats->buckets[period];

    for (int64_t i = WHOLE; i < (int64_t)n_buckets(buckets); i++) {
        struct stats_clients_span span = {
            .brand = brand,
            .from_s = buckets->start_s[i == WHOLE ? 0 : i],
            .to_s = buckets->start_s[i == WHOLE ? (int64_t)buckets->n : i + 1],
            .period = period,
            .bucket = i,
        };

        if (!is_exact(clients, span.from_s, span.to_s)) {
            if (i != WHOLE)
                continue;
            set_days(&span, stats, period);
        } else if (span.to_s > clients->now_s) {
            /* Nobody clicked in the rest of the day yet, so that all of it stands for its part. */
            span.to_s = floor_day(span.to_s + DAY_S - 1);
        }
        if (!add_span(clients, &span))
            return false;
    }
    return true;
}

bool stats_clients_plan(struct stats_clients *clients, struct stats *stats)
{
    size_t room = 0;

    clients->by_days = clients->is_refused;
    clients->is_refused = false;
    judge_days(clients);
    for (size_t p = 0; p < stats->n_periods; p++) {
        const struct period *period = stats_period(stats, p);

        stats->clients_by_hours[p] = is_exact(clients, period->from_s, period->to_s);
        room += 2 * clients->n_brands * (n_buckets(&stats->buckets[p]) + 1);
    }
    free(clients->spans);
    clients->n_commands = 0;
    clients->spans = calloc(room + 1, sizeof(*clients->spans));
    if (!clients->spans)
        return false;
    for (size_t p = 0; p < stats->n_periods; p++) {
        for (unsigned i = 0; i < clients->n_brands; i++) {
            if (!add_period(clients, stats, clients->brands[i]->id, p))
                return false;
        }
    }
    return true;
}

void stats_clients_command(struct stats_clients *clients, size_t index,
                           struct fetch_command *command)
{
    const struct stats_clients_span *span = &clients->spans[index];
    struct counter_people people = {
        .brand = span->brand, .campaign = clients->campaign, .are_visitors = span->are_visitors};
    int64_t at_s = span->from_s;
    size_t n = n_keys(span);

    clients->n_hours = 0;
    for (size_t i = 0; i < n; i++) {
        people.of = longest_key(span, at_s);
        counter_key_people(&clients->keys[i], &people, at_s, clients->n_shards);
        if (people.of == COUNTER_PEOPLE_OF_HOUR)
            add_hour(clients, at_s);
        at_s = counter_people_next_s(people.of, at_s);
    }
    count_keys(clients, &people, n, command);
}

void stats_clients_take(struct stats_clients *clients, size_t index, int64_t count)
{
    clients->spans[index].count = count;
    if (count < 0)
        clients->is_refused = true;
}

/* Nobody clicks without a click, so the clicks by people bound both figures: those are estimates,
 * are of other hours than the clicks where only days are known, and keep a person whose only click
 * was relabelled later than it should be, when a process was cut off from Redis. */
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
