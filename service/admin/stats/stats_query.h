/* stats_query.h - the query of a statistic: the parameters of GET /v1/stats. */
#ifndef ADMIN_STATS_QUERY_H
#define ADMIN_STATS_QUERY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "proto/query.h"
#include "service/admin/stats/period.h"

struct brand;
struct site;
struct zone;

enum {
    STATS_GROUPS_MAX = 2,
    STATS_CAMPAIGNS_MAX = 32, /* campaigns in a filter */
    STATS_FILTERS_MAX = 11,   /* dimensions that are filtered by */
    STATS_VALUES_MAX = 32,    /* values of each */
    STATS_DETAIL_MAX = 256,
    STATS_FAULTS_MAX = 12,
    STATS_LIMIT_MAX = 10000,
    STATS_LIMIT_DEFAULT = 1000,
    STATS_KEY_MAX = QUERY_TEXT_MAX + 5120,
};

#define STATS_NO_LIMIT SIZE_MAX

enum stats_group {
    STATS_TIME,
    STATS_KIND,
    STATS_CAMPAIGN,
    STATS_LABEL,
    STATS_COUNTRY,
    STATS_DEVICE,
    STATS_VARIANT,
    STATS_CHANNEL,
    STATS_REASON,
    STATS_BROWSER,
    STATS_SYSTEM,
    STATS_REFERRER,
    STATS_DELAY,
    STATS_PAGE, /* of links that led to a page of ours; not all of them are clicks */
    STATS_GROUPS
};

/* What is counted. */
enum stats_metric {
    STATS_CLICKS,
    STATS_CONVERSIONS, /* invoices with a payment that is credited, by the time of the mail */
    STATS_AMOUNT,      /* the money of these */
    STATS_FUNNEL,      /* sent, clicked, paid, and more: GET /v1/funnel */
    STATS_METRICS
};

/* What was asked: GET /v1/stats, /v1/conversions, /v1/funnel, or a list of invoices. */
enum stats_asked {
    STATS_ASKED_STATS,
    STATS_ASKED_CONVERSIONS,
    STATS_ASKED_FUNNEL,
    STATS_ASKED_LIST
};

/* What rows of the funnel are ordered by, the greatest first; equal ones by mails, then by key. */
enum stats_sort {
    STATS_SORT_KEY, /* the smallest first */
    STATS_SORT_CLICK_RATE,
    STATS_SORT_CONVERSION_RATE,
    STATS_SORT_SENT,
    STATS_SORT_CLICKED,
    STATS_SORT_PAID,
    STATS_SORTS
};

/* Of a dimension only these values are wanted: `country=DE,AT`. */
struct stats_filter {
    enum stats_group group;
    size_t n;
    uint16_t values[STATS_VALUES_MAX]; /* as in series */
};

/* Who sent the query, and when. */
struct stats_asker {
    const struct site *site;
    const char *brands; /* that may be read, see brandlist.h; NULL = all */
    const char *whose;  /* whose brands they are, for an error: "this API key"; with `brands` */
    int64_t now_s;
    bool accepts_csv; /* a path that ends in .csv, or the field Accept */
    enum stats_asked asked;
};

struct stats_query {
    const struct brand *brand; /* NULL = all brands that may be read; borrowed from the site */
    const char *brands;        /* that may be read; borrowed from the asker */
    size_t n_campaigns;        /* 0 = all */
    uint16_t campaigns[STATS_CAMPAIGNS_MAX];
    struct slice
        kinds; /* names separated by commas; absent = all.  Borrowed from the query string. */
    struct zone *zone;
    char zone_name[64];
    struct period period, previous;
    bool compare; /* compare with `previous` */
    bool clients; /* count distinct clients */
    bool csv, download;
    enum period_interval interval;
    enum stats_metric metric;
    size_t n_groups;
    enum stats_group groups[STATS_GROUPS_MAX];
    size_t n_filters; /* all of them hold for a click that is wanted; 0 = all clicks */
    struct stats_filter filters[STATS_FILTERS_MAX];
    bool is_combined;     /* of several dimensions at once: read from cells (proto/cells.h) */
    enum counter_dim dim; /* the dimension of the series that are read; combined: of those that say
                             which campaigns have how many clicks on a day */
    enum stats_sort sort;
    size_t limit, offset; /* limit STATS_NO_LIMIT: all rows */
    bool sum_rest;        /* add one row that sums up the rows beyond the limit */
};

/* Which parameters are wrong, and why; at least one, and not what follows from another one. */
struct stats_fault {
    bool is_forbidden; /* the only fault: the key may not read the brand */
    size_t n;
    struct {
        const char *parameter;
        char detail[STATS_DETAIL_MAX]; /* goes on behind its name: "must be a number" */
    } list[STATS_FAULTS_MAX];
};

/* Parses `query`.  `*out` borrows it, and what `asker` points to.  False and `*fault`: parameters
 * are wrong.  Call stats_query_clear() in either case. */
MUST_USE bool stats_query_init(struct stats_query *out, const struct query *query,
                               const struct stats_asker *asker, struct stats_fault *fault);
void stats_query_clear(struct stats_query *query);

/* The name "time", "kind" …; NULL when out of range. */
const char *stats_group_name(unsigned group);

/* The name of a value of label, country (unknown only), device …; NULL: it has none, or the group's
 * values are named otherwise. */
const char *stats_fixed_name(enum stats_group group, uint32_t value);

/* The dimension of series that holds a group's values; COUNTER_DIMS: each of them does. */
enum counter_dim stats_group_dim(enum stats_group group);

/* Whether clicks with that value of the series' dimension are wanted, if it is not combined. */
bool stats_query_wants(const struct stats_query *query, uint32_t value);

/* Whether mails, invoices and payments of that variant and channel are wanted, which are all that
 * these can be filtered by. */
bool stats_query_wants_route(const struct stats_query *query, unsigned variant, unsigned channel);

/* Whether the query covers a brand. */
bool stats_query_has(const struct stats_query *query, const struct brand *brand);

/* Writes everything that the answer depends on as a text.  Within one site, two queries have the
 * same key if and only if they have the same answer. */
const char *stats_query_key(const struct stats_query *query, char out[static STATS_KEY_MAX]);

/* The kinds of the filter as bits, for a brand.  If a name is not a kind of the brand, `*bad` is
 * set to it. */
unsigned stats_query_kinds(const struct stats_query *query, const struct brand *brand,
                           struct slice *bad);

#endif
