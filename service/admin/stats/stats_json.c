/* A statistic as JSON.  Written as text, not built as a tree first: a year of days in half the
 * time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "service/admin/stats/stats.h"
#include "service/config/site.h"

size_t stats_page_end(const struct stats *stats, const struct stats_rows *rows)
{
    size_t left = rows->n > stats->query.offset ? rows->n - stats->query.offset : 0;

    return stats->query.offset + (left < stats->query.limit ? left : stats->query.limit);
}

/* Adds `before` and a text as JSON has it; nothing when it is no UTF-8. */
static void add_text(struct evbuffer *out, const char *before, struct slice text)
{
    json_t *string = json_stringn(text.ptr, text.len);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    if (quoted)
        evbuffer_add_printf(out, "%s%s", before, quoted);
    json_decref(string);
    free(quoted);
}

/* Behind the last member: the counts, and the end of the object. */
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

/* {key, total, human, automated} and, of two groups, each by its name.  What values are called is
 * plain: numbers, dates, and names that the configuration checks. */
static void add_row(struct evbuffer *out, const struct stats *stats, const struct buckets *buckets,
                    const struct stats_row *row)
{
    const struct stats_query *query = &stats->query;
    struct slice name = stats_campaign_name(stats, row);
    char values[STATS_GROUPS_MAX][STATS_NAME_MAX];

    for (size_t i = 0; i < query->n_groups; i++)
        stats_value_name(stats, buckets, i, row->key[i], values[i]);
    if (query->n_groups > 1)
        evbuffer_add_printf(out, "{\"key\":\"%s,%s\",\"%s\":\"%s\",\"%s\":\"%s\"", values[0],
                            values[1], stats_group_name(query->groups[0]), values[0],
                            stats_group_name(query->groups[1]), values[1]);
    else
        evbuffer_add_printf(out, "{\"key\":\"%s\"", values[0]);
    if (name.ptr)
        add_text(out, ",\"name\":", name);
    evbuffer_add(out, ",", 1);
    add_counts(out, &row->clicks, row->people);
}

static void add_rows(struct evbuffer *out, const struct stats *stats, size_t period)
{
    const struct stats_rows *rows = &stats->rows[period];
    size_t end = stats_page_end(stats, rows);

    evbuffer_add_printf(out, "\"rows\":[");
    for (size_t i = stats->query.offset; i < end; i++) {
        add_row(out, stats, &stats->buckets[period], &rows->rows[i]);
        if (i + 1 < end)
            evbuffer_add(out, ",", 1);
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

static void add_body(struct evbuffer *out, const struct stats *stats)
{
    const struct stats_query *query = &stats->query;
    size_t end = stats_page_end(stats, &stats->rows[0]);

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
        evbuffer_add(out, "}", 1);
    }
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

    snprintf(age, sizeof(age), "\"as_of\":null,\"lag_s\":null");
    if (stats->as_of_ms > 0 && stats->lag_ms >= 0)
        snprintf(age, sizeof(age), "\"as_of\":\"%s\",\"lag_s\":%.3f",
                 rfc3339_format(stats->as_of_ms / 1000, 0, as_of), (double)stats->lag_ms / 1000);
    snprintf(out, out_len, ",\"complete_from\":\"%s\",%s}",
             rfc3339_format(stats->complete_s, 0, complete), age);
}
