/* stats_write.h - a statistic that has been read, and how it is written: as JSON, or as CSV (RFC
 * 4180), with the names of its values.  JSON is written as text and not built as a tree first,
 * which halves the time for a year of days. */
#ifndef ADMIN_STATS_WRITE_H
#define ADMIN_STATS_WRITE_H
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "service/admin/stats/stats_plan.h"
#include "service/admin/stats/stats_query.h"
#include "service/admin/stats/stats_rows.h"

struct site;

enum { STATS_PERIODS = 2 }; /* the period asked for, and the one before it */

/* Of a combined statistic: how many of the clicks in the period are counted by all their dimensions
 * together. */
struct stats_coverage {
    int64_t n_clicks, n_covered;
    int64_t from_s; /* from then on all are */
};

struct stats {
    struct stats_query query;
    const struct site *site; /* borrowed */
    size_t n_periods;        /* 1, or 2 when periods are compared */
    struct buckets buckets[STATS_PERIODS];
    struct stats_rows rows[STATS_PERIODS];
    struct stats_coverage coverage[STATS_PERIODS]; /* of a combined query */
    json_t *names;                        /* names of campaigns, by number as text; may be NULL */
    int64_t as_of_ms;                     /* Unix; 0 = not known */
    int64_t lag_ms;                       /* -1 = not known */
    bool clients_by_hours[STATS_PERIODS]; /* clients and visitors are of just these hours */
    int64_t people_as_of_ms;              /* of clients and visitors: Unix; 0 = not known */
    int64_t complete_s;                   /* counters before this moment may have expired */
};

/* Writes the name of value number `group` (0 or 1) of a row's key to `out`, NUL-terminated. */
enum { STATS_NAME_MAX = 64 };
const char *stats_value_name(const struct stats *stats, const struct buckets *buckets, size_t group,
                             uint32_t value, char out[static STATS_NAME_MAX]);

/* The name given to the campaign of a row, or an absent slice. */
struct slice stats_campaign_name(const struct stats *stats, const struct stats_row *row);

/* The period asked for, or the one before. */
static inline const struct period *stats_period(const struct stats *stats, size_t index)
{
    return index == 0 ? &stats->query.period : &stats->query.previous;
}

/* The share of clicks that is covered, in ten-thousandths; 10,000 only if all are. */
static inline int stats_share(const struct stats_coverage *coverage)
{
    return coverage->n_clicks > 0 ? (int)(coverage->n_covered * 10000 / coverage->n_clicks) : 10000;
}

/* The name of the row that sums up all rows beyond the limit; no value has this name. */
#define STATS_REST "(rest)"

/* The reply without its last fields ("as_of" and others that change every second): malloc()ed text,
 * NULL = out of memory.  stats_json_end() writes those fields, from `,` to `}`. */
char *stats_json(const struct stats *stats);
void stats_json_end(const struct stats *stats, char *out, size_t out_len);

/* The rows as CSV (RFC 4180); cells that a spreadsheet would take for formulas are escaped.
 * malloc()ed. */
char *stats_csv(const struct stats *stats, size_t *len);

#endif
