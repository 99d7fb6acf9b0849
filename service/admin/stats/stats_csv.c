/* A statistic as CSV (RFC 4180). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "service/admin/stats/stats.h"

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
                        query->clients ? ",clients,visitors" : "");
}

/* Spreadsheets know an hour as "2026-11-22 13:00", local time, without an offset from UTC. */
static void plain_hour(char value[static STATS_NAME_MAX])
{
    static const char hour[] = "2026-11-22T13:00";

    if (strlen(value) < sizeof(hour) || value[10] != 'T')
        return;
    value[10] = ' ';
    value[sizeof(hour) - 1] = '\0';
}

static void add_csv_row(struct evbuffer *out, const struct stats *stats,
                        const struct stats_row *row)
{
    const struct stats_query *query = &stats->query;

    for (size_t i = 0; i < query->n_groups; i++) {
        char value[STATS_NAME_MAX];

        stats_value_name(stats, &stats->buckets[0], i, row->key[i], value);
        if (query->download && query->groups[i] == STATS_TIME)
            plain_hour(value);
        /* Numbers, dates and names that the configuration checks: letters, digits, `-` and `_`. */
        evbuffer_add_printf(out, "%s,", value);
    }
    if (has_campaign(query)) {
        add_cell(out, stats_campaign_name(stats, row));
        evbuffer_add(out, ",", 1);
    }
    evbuffer_add_printf(out, "%" PRId64 ",%" PRId64 ",%" PRId64, clicks_total(&row->clicks),
                        row->clicks.human, row->clicks.automated);
    if (query->clients && row->people.clients >= 0)
        evbuffer_add_printf(out, ",%" PRId64 ",%" PRId64, row->people.clients,
                            row->people.visitors);
    else if (query->clients)
        evbuffer_add(out, ",,", 2);
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
    for (size_t i = stats->query.offset; i < stats_page_end(stats, rows); i++)
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
