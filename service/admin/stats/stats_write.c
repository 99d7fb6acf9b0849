#include "service/admin/stats/stats_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "proto/counter.h"
#include "proto/csv.h"
#include "service/base/zone.h"
#include "service/config/site.h"

/* --- names --- */

/* The brand's name of a kind.  For several brands, the name that all brands with this kind use and
 * that no brand uses for another kind; or NULL. */
static const char *kind_name(const struct stats *stats, uint8_t kind)
{
    const char *found = NULL;

    for (unsigned i = 0; i < site_n_brands(stats->site); i++) {
        const struct brand *brand = site_brand_at(stats->site, i);
        const char *name =
            stats_query_has(&stats->query, brand) ? brand_kind_name(brand, kind) : NULL;

        if (found && name && strcmp(found, name) != 0)
            return NULL;
        found = name ? name : found;
    }
    for (unsigned i = 0; found && i < site_n_brands(stats->site); i++) {
        const struct brand *brand = site_brand_at(stats->site, i);
        uint8_t other = brand_kind_find(brand, slice_of(found));

        if (stats_query_has(&stats->query, brand) && other != 0 && other != kind)
            return NULL;
    }
    return found;
}

static const char *fixed_name(const struct stats *stats, enum stats_group group, uint32_t value)
{
    return group == STATS_KIND ? kind_name(stats, (uint8_t)value) : stats_fixed_name(group, value);
}

const char *stats_value_name(const struct stats *stats, const struct buckets *buckets, size_t group,
                             uint32_t value, char out[static STATS_NAME_MAX])
{
    enum stats_group what = stats->query.groups[group];
    const char *name = fixed_name(stats, what, value);

    if (what == STATS_TIME)
        return buckets_key(buckets, value, stats->query.zone, out);
    if (name)
        snprintf(out, STATS_NAME_MAX, "%s", name);
    else if (what == STATS_COUNTRY)
        snprintf(out, STATS_NAME_MAX, "%c%c", (int)(value >> 8 & 0x7f), (int)(value & 0x7f));
    else
        snprintf(out, STATS_NAME_MAX, "%u", value);
    return out;
}

struct slice stats_campaign_name(const struct stats *stats, const struct stats_row *row)
{
    for (size_t i = 0; i < stats->query.n_groups; i++) {
        char number[16];
        const json_t *name;

        if (stats->query.groups[i] != STATS_CAMPAIGN)
            continue;
        snprintf(number, sizeof(number), "%u", row->key[i]);
        name = json_object_get(stats->names, number);
        return slice_make(json_string_value(name), json_string_length(name));
    }
    return (struct slice){0};
}

/* --- JSON --- */

/* The index after the last row of the requested page. */
static size_t page_end(const struct stats *stats, const struct stats_rows *rows)
{
    size_t left = rows->n > stats->query.offset ? rows->n - stats->query.offset : 0;

    return stats->query.offset + (left < stats->query.limit ? left : stats->query.limit);
}

/* Sums up the rows after the page; false: they are not wanted, or there are none. */
static bool sum_rest(const struct stats *stats, const struct stats_rows *rows, struct clicks *sum)
{
    size_t first = page_end(stats, rows);

    *sum = (struct clicks){0};
    if (!stats->query.sum_rest || first >= rows->n)
        return false;
    for (size_t i = first; i < rows->n; i++) {
        sum->human += rows->rows[i].clicks.human;
        sum->automated += rows->rows[i].clicks.automated;
    }
    return true;
}

/* Adds `before` and a JSON string; adds nothing when the text isn't UTF-8. */
static void add_text(struct evbuffer *out, const char *before, struct slice text)
{
    json_t *string = json_stringn(text.ptr, text.len);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    if (quoted)
        evbuffer_add_printf(out, "%s%s", before, quoted);
    json_decref(string);
    free(quoted);
}

/* Adds the counts after the last member, and closes the object. */
static void add_counts(struct evbuffer *out, const struct clicks *clicks,
                       struct stats_people people)
{
    evbuffer_add_printf(out, "\"total\":%" PRId64 ",\"human\":%" PRId64 ",\"automated\":%" PRId64,
                        clicks_total(clicks), clicks->human, clicks->automated);
    if (people.clients >= 0)
        evbuffer_add_printf(out, ",\"clients\":%" PRId64 ",\"visitors\":%" PRId64, people.clients,
                            people.visitors);
    evbuffer_add(out, "}", 1);
}

/* Adds {key, total, human, automated}, and of two groups each by its name.  Values need no
 * escaping: they are numbers, dates, or names that the configuration checks. */
static void add_row_head(struct evbuffer *out, const struct stats_query *query,
                         char values[static STATS_GROUPS_MAX][STATS_NAME_MAX])
{
    if (query->n_groups > 1)
        evbuffer_add_printf(out, "{\"key\":\"%s,%s\",\"%s\":\"%s\",\"%s\":\"%s\"", values[0],
                            values[1], stats_group_name(query->groups[0]), values[0],
                            stats_group_name(query->groups[1]), values[1]);
    else
        evbuffer_add_printf(out, "{\"key\":\"%s\"", values[0]);
}

static void add_row(struct evbuffer *out, const struct stats *stats, const struct buckets *buckets,
                    const struct stats_row *row)
{
    struct slice name = stats_campaign_name(stats, row);
    char values[STATS_GROUPS_MAX][STATS_NAME_MAX];

    for (size_t i = 0; i < stats->query.n_groups; i++)
        stats_value_name(stats, buckets, i, row->key[i], values[i]);
    add_row_head(out, &stats->query, values);
    if (name.ptr)
        add_text(out, ",\"name\":", name);
    for (size_t i = 0; i < stats->query.n_groups; i++) {
        if (stats->query.groups[i] == STATS_CAMPAIGN)
            evbuffer_add_printf(out, ",\"campaign_id\":%u", (unsigned)row->key[i]);
    }
    evbuffer_add(out, ",", 1);
    add_counts(out, &row->clicks, row->people);
}

static void add_rows(struct evbuffer *out, const struct stats *stats, size_t period)
{
    const struct stats_rows *rows = &stats->rows[period];
    size_t end = page_end(stats, rows);
    struct clicks rest;

    evbuffer_add_printf(out, "\"rows\":[");
    for (size_t i = stats->query.offset; i < end; i++) {
        if (i > stats->query.offset)
            evbuffer_add(out, ",", 1);
        add_row(out, stats, &stats->buckets[period], &rows->rows[i]);
    }
    if (sum_rest(stats, rows, &rest)) {
        char values[STATS_GROUPS_MAX][STATS_NAME_MAX] = {STATS_REST, STATS_REST};

        evbuffer_add(out, ",", 1);
        add_row_head(out, &stats->query, values);
        evbuffer_add(out, ",", 1);
        add_counts(out, &rest, STATS_NO_PEOPLE);
    }
    evbuffer_add_printf(out, "],\"total\":{");
    add_counts(out, &rows->total, rows->people);
}

static void add_period(struct evbuffer *out, const struct period *period)
{
    char from[RFC3339_TEXT_MAX], to[RFC3339_TEXT_MAX];

    evbuffer_add_printf(out, "\"from\":\"%s\",\"to\":\"%s\",",
                        rfc3339_format(period->from_s, 0, from),
                        rfc3339_format(period->to_s, 0, to));
}

/* Which part of the clicks a combined statistic is of. */
static void add_coverage(struct evbuffer *out, const struct stats *stats, size_t period)
{
    const struct stats_coverage *coverage = &stats->coverage[period];
    char from[RFC3339_TEXT_MAX];

    if (!stats->query.is_combined)
        return;
    evbuffer_add_printf(out, ",\"coverage\":{\"from\":");
    if (coverage->from_s < stats_period(stats, period)->to_s)
        evbuffer_add_printf(out, "\"%s\"", rfc3339_format(coverage->from_s, 0, from));
    else
        evbuffer_add_printf(out, "null");
    evbuffer_add_printf(out, ",\"share\":%d.%04d}", stats_share(coverage) / 10000,
                        stats_share(coverage) % 10000);
}

/* Which hours the clients and visitors of a period are of. */
static void add_clients_by(struct evbuffer *out, const struct stats *stats, size_t period)
{
    if (stats->query.clients)
        evbuffer_add_printf(out, ",\"clients_by\":\"%s\"",
                            stats->clients_by_hours[period] ? "hours" : "days");
}

static void add_body(struct evbuffer *out, const struct stats *stats)
{
    const struct stats_query *query = &stats->query;
    size_t end = page_end(stats, &stats->rows[0]);

    if (query->brand)
        add_text(out, "{\"brand\":", query->brand->name);
    else
        evbuffer_add_printf(out, "{\"brand\":null");
    evbuffer_add(out, ",", 1);
    add_period(out, &query->period);
    evbuffer_add_printf(out, "\"tz\":\"%s\",\"interval\":\"%s\",\"group_by\":\"%s%s%s\",",
                        query->zone_name, period_interval_name(query->interval),
                        stats_group_name(query->groups[0]), query->n_groups > 1 ? "," : "",
                        query->n_groups > 1 ? stats_group_name(query->groups[1]) : "");
    add_rows(out, stats, 0);
    if (query->compare) {
        evbuffer_add_printf(out, ",\"previous\":{");
        add_period(out, &query->previous);
        add_rows(out, stats, 1);
        add_coverage(out, stats, 1);
        add_clients_by(out, stats, 1);
        evbuffer_add(out, "}", 1);
    }
    add_coverage(out, stats, 0);
    add_clients_by(out, stats, 0);
    evbuffer_add_printf(out, ",\"n_rows\":%zu,\"next_offset\":", stats->rows[0].n);
    if (end < stats->rows[0].n)
        evbuffer_add_printf(out, "%zu}", end);
    else
        evbuffer_add_printf(out, "null}");
}

char *stats_json(const struct stats *stats)
{
    struct evbuffer *out = evbuffer_new();
    char *text = NULL;
    size_t len;

    if (!out)
        return NULL;
    add_body(out, stats);
    len = evbuffer_get_length(out);
    text = malloc(len + 1);
    if (text) {
        evbuffer_remove(out, text, len);
        text[len] = '\0';
    }
    evbuffer_free(out);
    return text;
}

void stats_json_end(const struct stats *stats, char *out, size_t out_len)
{
    char as_of[RFC3339_TEXT_MAX], complete[RFC3339_TEXT_MAX], age[2 * RFC3339_TEXT_MAX + 32];
    char people[2 * RFC3339_TEXT_MAX] = "";

    snprintf(age, sizeof(age), "\"as_of\":null,\"lag_s\":null");
    if (stats->as_of_ms > 0 && stats->lag_ms >= 0)
        snprintf(age, sizeof(age), "\"as_of\":\"%s\",\"lag_s\":%.3f",
                 rfc3339_format(stats->as_of_ms / 1000, 0, as_of), (double)stats->lag_ms / 1000);
    if (stats->query.clients && stats->people_as_of_ms > 0)
        snprintf(people, sizeof(people), ",\"clients_as_of\":\"%s\"",
                 rfc3339_format(stats->people_as_of_ms / 1000, 0, as_of));
    else if (stats->query.clients)
        snprintf(people, sizeof(people), ",\"clients_as_of\":null");
    snprintf(out, out_len, ",\"complete_from\":\"%s\",%s%s}",
             rfc3339_format(stats->complete_s, 0, complete), age, people);
}

/* --- CSV --- */

static void add_cell(struct evbuffer *out, struct slice text)
{
    evbuffer_add(out, "\"", 1);
    if (csv_is_formula(text))
        evbuffer_add(out, "'", 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            evbuffer_add(out, "\"", 1);
        evbuffer_add(out, text.ptr + i, 1);
    }
    evbuffer_add(out, "\"", 1);
}

static bool has_campaign(const struct stats_query *query)
{
    for (size_t i = 0; i < query->n_groups; i++) {
        if (query->groups[i] == STATS_CAMPAIGN)
            return true;
    }
    return false;
}

/* Whether local clocks show the hour of a bucket twice, because they are set back in it. */
static bool is_shown_twice(const struct stats *stats, size_t bucket)
{
    enum { HOURS_BACK_MAX = 3, HOUR_S = 3600 };
    const struct buckets *buckets = &stats->buckets[0];
    struct civil local, other;

    zone_from_s(stats->query.zone, buckets->start_s[bucket], &local);
    for (int hours = -HOURS_BACK_MAX; hours <= HOURS_BACK_MAX; hours++) {
        zone_from_s(stats->query.zone, buckets->start_s[bucket] + hours * HOUR_S, &other);
        if (hours != 0 && civil_to_s(&other) == civil_to_s(&local))
            return true;
    }
    return false;
}

/* Writes an hour in local time without an offset, "2026-11-22 13:00", the form that spreadsheets
 * understand.  The offset is kept where two hours would look alike: "2026-10-25 02:00 +01:00". */
static void plain_hour(const struct stats *stats, size_t bucket, char value[static STATS_NAME_MAX])
{
    static const char hour[] = "2026-11-22T13:00", seconds[] = ":00";
    char *offset = value + sizeof(hour) - 1 + sizeof(seconds) - 1;

    if (stats->query.interval != PERIOD_HOUR || strlen(value) < sizeof(hour))
        return;
    value[10] = ' ';
    value[sizeof(hour) - 1] = '\0';
    if (is_shown_twice(stats, bucket)) {
        value[sizeof(hour) - 1] = ' ';
        memmove(value + sizeof(hour), offset, strlen(offset) + 1);
    }
}

static void add_csv_counts(struct evbuffer *out, const struct stats *stats,
                           const struct clicks *clicks, struct stats_people people)
{
    const struct stats_query *query = &stats->query;

    evbuffer_add_printf(out, "%" PRId64 ",%" PRId64 ",%" PRId64, clicks_total(clicks),
                        clicks->human, clicks->automated);
    if (query->clients && people.clients >= 0)
        evbuffer_add_printf(out, ",%" PRId64 ",%" PRId64, people.clients, people.visitors);
    else if (query->clients)
        evbuffer_add(out, ",,", 2);
    if (query->is_combined)
        evbuffer_add_printf(out, ",%d.%04d", stats_share(&stats->coverage[0]) / 10000,
                            stats_share(&stats->coverage[0]) % 10000);
    evbuffer_add(out, "\r\n", 2);
}

static void add_csv_row(struct evbuffer *out, const struct stats *stats,
                        const struct stats_row *row)
{
    const struct stats_query *query = &stats->query;

    for (size_t i = 0; i < query->n_groups; i++) {
        char value[STATS_NAME_MAX];

        stats_value_name(stats, &stats->buckets[0], i, row->key[i], value);
        if (query->download && query->groups[i] == STATS_TIME)
            plain_hour(stats, row->key[i], value);
        /* needs no quotes: numbers, dates and names that the configuration checks (letters, digits,
         * `-`, `_`) */
        evbuffer_add_printf(out, "%s,", value);
    }
    if (has_campaign(query)) {
        add_cell(out, stats_campaign_name(stats, row));
        evbuffer_add(out, ",", 1);
    }
    add_csv_counts(out, stats, &row->clicks, row->people);
}

char *stats_csv(const struct stats *stats, size_t *len)
{
    const struct stats_query *query = &stats->query;
    const struct stats_rows *rows = &stats->rows[0];
    struct evbuffer *out = evbuffer_new();
    size_t end = page_end(stats, rows);
    struct clicks rest;
    char *text = NULL;

    if (!out)
        return NULL;
    /* Spreadsheets need a byte order mark to read the file as UTF-8; other programs would be
     * confused by it. */
    if (query->download)
        evbuffer_add(out, "\xef\xbb\xbf", 3);
    for (size_t i = 0; i < query->n_groups; i++)
        evbuffer_add_printf(out, "%s,", stats_group_name(query->groups[i]));
    evbuffer_add_printf(out, "%stotal,human,automated%s%s\r\n", has_campaign(query) ? "name," : "",
                        query->clients ? ",clients,visitors" : "",
                        query->is_combined ? ",coverage" : "");
    for (size_t i = stats->query.offset; i < end; i++)
        add_csv_row(out, stats, &rows->rows[i]);
    if (sum_rest(stats, rows, &rest)) {
        for (size_t i = 0; i < query->n_groups; i++)
            evbuffer_add_printf(out, STATS_REST ",");
        if (has_campaign(query))
            evbuffer_add(out, "\"\",", 3);
        add_csv_counts(out, stats, &rest, STATS_NO_PEOPLE);
    }
    *len = evbuffer_get_length(out);
    text = malloc(*len + 1);
    if (text) {
        evbuffer_remove(out, text, *len);
        text[*len] = '\0';
    }
    evbuffer_free(out);
    return text;
}
