/* A statistic as JSON and as CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "service/admin/stats.h"
#include "service/config/site.h"

/* Both sort as the API documents: see stats.c. */
static size_t page_end(const struct stats *stats, const struct stats_rows *rows)
{
    size_t left = rows->n > stats->query.offset ? rows->n - stats->query.offset : 0;

    return stats->query.offset + (left < stats->query.limit ? left : stats->query.limit);
}

static json_t *total_json(const struct stats_rows *rows)
{
    json_t *total = clicks_json(&rows->total);

    if (rows->clients >= 0)
        json_object_set_new(total, "clients", json_integer(rows->clients));
    return total;
}

/* {key, total, human, automated} and, of two groups, each by its name. */
static json_t *row_json(const struct stats *stats, const struct buckets *buckets,
                        const struct stats_row *row)
{
    const struct stats_query *query = &stats->query;
    struct slice name = stats_campaign_name(stats, row);
    char values[STATS_GROUPS_MAX][STATS_NAME_MAX], key[STATS_GROUPS_MAX * STATS_NAME_MAX + 1];
    json_t *object = json_object();

    for (size_t i = 0; i < query->n_groups; i++)
        stats_value_name(stats, buckets, i, row->key[i], values[i]);
    snprintf(key, sizeof(key), "%s%s%s", values[0], query->n_groups > 1 ? "," : "",
             query->n_groups > 1 ? values[1] : "");
    json_object_set_new(object, "key", json_string(key));
    for (size_t i = 0; i < query->n_groups && query->n_groups > 1; i++)
        json_object_set_new(object, stats_group_name(query->groups[i]), json_string(values[i]));
    if (name.ptr)
        json_object_set_new(object, "name", json_stringn(name.ptr, name.len));
    json_object_set_new(object, "total", json_integer(clicks_total(&row->clicks)));
    json_object_set_new(object, "human", json_integer(row->clicks.human));
    json_object_set_new(object, "automated", json_integer(row->clicks.automated));
    if (row->clients >= 0)
        json_object_set_new(object, "clients", json_integer(row->clients));
    return object;
}

static json_t *rows_json(const struct stats *stats, size_t period)
{
    const struct stats_rows *rows = &stats->rows[period];
    json_t *array = json_array();

    for (size_t i = stats->query.offset; i < page_end(stats, rows); i++)
        json_array_append_new(array, row_json(stats, &stats->buckets[period], &rows->rows[i]));
    return array;
}

static json_t *time_json(int64_t time_s)
{
    char text[RFC3339_TEXT_MAX];

    return json_string(rfc3339_format(time_s, 0, text));
}

static json_t *previous_json(const struct stats *stats)
{
    json_t *previous = json_object();

    json_object_set_new(previous, "from", time_json(stats->query.previous.from_s));
    json_object_set_new(previous, "to", time_json(stats->query.previous.to_s));
    json_object_set_new(previous, "rows", rows_json(stats, 1));
    json_object_set_new(previous, "total", total_json(&stats->rows[1]));
    return previous;
}

static json_t *groups_json(const struct stats_query *query)
{
    char text[STATS_GROUPS_MAX * STATS_NAME_MAX];

    snprintf(text, sizeof(text), "%s%s%s", stats_group_name(query->groups[0]),
             query->n_groups > 1 ? "," : "",
             query->n_groups > 1 ? stats_group_name(query->groups[1]) : "");
    return json_string(text);
}

char *stats_json(const struct stats *stats)
{
    const struct stats_query *query = &stats->query;
    size_t end = page_end(stats, &stats->rows[0]);
    json_t *body = json_object();
    char *text;

    json_object_set_new(body, "brand",
                        query->brand ? json_stringn(query->brand->name.ptr, query->brand->name.len)
                                     : json_null());
    json_object_set_new(body, "from", time_json(query->period.from_s));
    json_object_set_new(body, "to", time_json(query->period.to_s));
    json_object_set_new(body, "tz", json_string(query->zone_name));
    json_object_set_new(body, "interval", json_string(period_interval_name(query->interval)));
    json_object_set_new(body, "group_by", groups_json(query));
    json_object_set_new(body, "rows", rows_json(stats, 0));
    json_object_set_new(body, "total", total_json(&stats->rows[0]));
    if (query->compare)
        json_object_set_new(body, "previous", previous_json(stats));
    json_object_set_new(body, "n_rows", json_integer((json_int_t)stats->rows[0].n));
    json_object_set_new(body, "next_offset",
                        end < stats->rows[0].n ? json_integer((json_int_t)end) : json_null());
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

void stats_json_end(const struct stats *stats, char *out, size_t out_len)
{
    char as_of[RFC3339_TEXT_MAX] = "", complete[RFC3339_TEXT_MAX];
    const char *quote = stats->as_of_ms > 0 ? "\"" : "";

    if (stats->as_of_ms > 0)
        rfc3339_format(stats->as_of_ms / 1000, 0, as_of);
    else
        snprintf(as_of, sizeof(as_of), "null");
    snprintf(out, out_len, ",\"complete_from\":\"%s\",\"as_of\":%s%s%s,\"lag_s\":%.3f}",
             rfc3339_format(stats->complete_s, 0, complete), quote, as_of, quote,
             (double)(stats->lag_ms > 0 ? stats->lag_ms : 0) / 1000);
}

/* A cell of text.  One that a spreadsheet would take for a formula gets an apostrophe in front. */
static void add_cell(struct evbuffer *out, struct slice text)
{
    bool guard = text.len > 0 && strchr("=+-@\t\r", text.ptr[0]);

    evbuffer_add(out, "\"", 1);
    if (guard)
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

static void add_csv_head(struct evbuffer *out, const struct stats_query *query)
{
    for (size_t i = 0; i < query->n_groups; i++)
        evbuffer_add_printf(out, "%s,", stats_group_name(query->groups[i]));
    evbuffer_add_printf(out, "%stotal,human,automated%s\r\n", has_campaign(query) ? "name," : "",
                        query->clients ? ",clients" : "");
}

static void add_csv_row(struct evbuffer *out, const struct stats *stats,
                        const struct stats_row *row)
{
    const struct stats_query *query = &stats->query;

    for (size_t i = 0; i < query->n_groups; i++) {
        char value[STATS_NAME_MAX];

        stats_value_name(stats, &stats->buckets[0], i, row->key[i], value);
        /* Numbers, dates and names that the configuration checks: letters, digits, `-` and `_`. */
        evbuffer_add_printf(out, "%s,", value);
    }
    if (has_campaign(query)) {
        add_cell(out, stats_campaign_name(stats, row));
        evbuffer_add(out, ",", 1);
    }
    evbuffer_add_printf(out, "%" PRId64 ",%" PRId64 ",%" PRId64, clicks_total(&row->clicks),
                        row->clicks.human, row->clicks.automated);
    if (query->clients && row->clients >= 0)
        evbuffer_add_printf(out, ",%" PRId64, row->clients);
    else if (query->clients)
        evbuffer_add(out, ",", 1);
    evbuffer_add(out, "\r\n", 2);
}

char *stats_csv(const struct stats *stats, size_t *len)
{
    const struct stats_rows *rows = &stats->rows[0];
    struct evbuffer *out = evbuffer_new();
    char *text = NULL;

    if (!out)
        return NULL;
    /* Spreadsheets take a file for UTF-8 only with this mark; programs would trip over it. */
    if (stats->query.download)
        evbuffer_add(out, "\xef\xbb\xbf", 3);
    add_csv_head(out, &stats->query);
    for (size_t i = stats->query.offset; i < page_end(stats, rows); i++)
        add_csv_row(out, stats, &rows->rows[i]);
    *len = evbuffer_get_length(out);
    text = malloc(*len + 1);
    if (text) {
        evbuffer_remove(out, text, *len);
        text[*len] = '\0';
    }
    evbuffer_free(out);
    return text;
}
