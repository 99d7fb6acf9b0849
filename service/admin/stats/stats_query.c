#include "service/admin/stats/stats_query.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/admin/request.h"
#include "service/admin/stats/zone.h"
#include "service/config/site.h"

enum { NO_DIM = COUNTER_DIMS, ALL_KINDS = 0xfffe };

/* What can be grouped by, and the dimension of the series that knows it; time and kind are in every
 * series. */
static const struct {
    const char *name;
    int dim;
} groups[STATS_GROUPS] = {
    [STATS_TIME] = {"time", NO_DIM},
    [STATS_KIND] = {"kind", NO_DIM},
    [STATS_CAMPAIGN] = {"campaign", COUNTER_DIM_CAMPAIGN},
    [STATS_LABEL] = {"label", COUNTER_DIM_LABEL},
    [STATS_COUNTRY] = {"country", COUNTER_DIM_COUNTRY},
    [STATS_DEVICE] = {"device", COUNTER_DIM_DEVICE},
    [STATS_VARIANT] = {"variant", COUNTER_DIM_VARIANT},
    [STATS_CHANNEL] = {"channel", COUNTER_DIM_CHANNEL},
    [STATS_REASON] = {"reason", COUNTER_DIM_REASON},
    [STATS_BROWSER] = {"browser", COUNTER_DIM_BROWSER},
    [STATS_SYSTEM] = {"system", COUNTER_DIM_SYSTEM},
    [STATS_REFERRER] = {"referrer", COUNTER_DIM_REFERRER},
    [STATS_DELAY] = {"delay", COUNTER_DIM_DELAY},
};

const char *stats_group_name(unsigned group)
{
    return group < STATS_GROUPS ? groups[group].name : NULL;
}

PRINTF_LIKE(3, 4)
static bool refuse(struct stats_fault *fault, const char *parameter, const char *format, ...)
{
    va_list args;

    fault->parameter = parameter;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof(fault->detail), format, args);
    va_end(args);
    return false;
}

/* Takes the part before the next comma off `*list`; false when nothing is left. */
static bool next_part(struct slice *list, struct slice *part)
{
    const char *comma;

    if (!list->ptr)
        return false;
    comma = memchr(list->ptr, ',', list->len);
    *part = slice_make(list->ptr, comma ? (size_t)(comma - list->ptr) : list->len);
    *list = comma ? slice_make(comma + 1, list->len - part->len - 1) : (struct slice){0};
    return true;
}

/* Plain decimal of at most 9 digits; false: not that, or over `max`. */
static bool parse_number(struct slice text, unsigned long max, unsigned long *out)
{
    unsigned long n = 0;

    if (text.len == 0 || text.len > 9)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (unsigned long)(text.ptr[i] - '0');
    }
    *out = n;
    return n <= max;
}

unsigned stats_query_kinds(const struct stats_query *query, const struct brand *brand,
                           struct slice *bad)
{
    struct slice list = query->kinds, name;
    unsigned kinds = 0;

    if (!list.ptr)
        return ALL_KINDS;
    while (next_part(&list, &name)) {
        uint8_t kind = brand_kind_find(brand, name);

        if (kind == 0)
            *bad = name;
        else
            kinds |= 1U << kind;
    }
    return kinds;
}

static bool take_brand(struct stats_query *out, struct slice name, const struct site *site,
                       struct stats_fault *fault)
{
    char quoted[REQUEST_QUOTE_MAX];

    if (!name.ptr) {
        if (site_n_brands(site) == 1)
            out->brand = site_brand_at(site, 0);
        return true;
    }
    out->brand = site_find_brand(site, name);
    return out->brand ||
           refuse(fault, "brand", "there is no brand %s", request_quote(name, quoted));
}

/* Every name must be a kind of the brand, or of any when all are asked for. */
static bool take_kinds(struct stats_query *out, struct slice list, const struct site *site,
                       struct stats_fault *fault)
{
    struct slice name;

    out->kinds = list;
    while (next_part(&list, &name)) {
        char quoted[REQUEST_QUOTE_MAX];
        bool known = out->brand && brand_kind_find(out->brand, name) != 0;

        for (unsigned i = 0; !out->brand && !known && i < site_n_brands(site); i++)
            known = brand_kind_find(site_brand_at(site, i), name) != 0;
        if (!known)
            return refuse(fault, "kind", "there is no kind %s%s", request_quote(name, quoted),
                          out->brand ? " of this brand" : "");
    }
    return true;
}

static bool take_campaigns(struct stats_query *out, struct slice list, struct stats_fault *fault)
{
    struct slice part;

    while (next_part(&list, &part)) {
        unsigned long n;

        if (!parse_number(part, UINT16_MAX, &n))
            return refuse(fault, "campaign", "must be numbers from 0 (none) to 65535");
        if (out->n_campaigns == STATS_CAMPAIGNS_MAX)
            return refuse(fault, "campaign", "at most %d campaigns", (int)STATS_CAMPAIGNS_MAX);
        for (size_t i = 0; i < out->n_campaigns; i++) {
            if (out->campaigns[i] == n)
                return refuse(fault, "campaign", "%lu is given twice", n);
        }
        out->campaigns[out->n_campaigns++] = (uint16_t)n;
    }
    if (out->n_campaigns > 0 && !out->brand)
        return refuse(fault, "brand", "is needed with campaign: each brand numbers its own");
    return true;
}

static bool take_zone(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    char quoted[REQUEST_QUOTE_MAX];

    if (!(out->zone = zone_load(name)))
        return refuse(fault, "tz", "there is no time zone %s; names are as Europe/Berlin",
                      request_quote(name, quoted));
    /* zone_load() took it, so it is short and plain. */
    snprintf(out->zone_name, sizeof(out->zone_name), "%.*s", name.ptr ? (int)name.len : 3,
             name.ptr ? name.ptr : "UTC");
    return true;
}

static bool take_period(struct stats_query *out, const struct query *query, int64_t now_s,
                        struct stats_fault *fault)
{
    struct slice from = query_find(query, "from"), to = query_find(query, "to");
    char quoted[REQUEST_QUOTE_MAX];

    switch (period_parse(from, to, out->zone, now_s, &out->period)) {
    case PERIOD_OK:
        break;
    case PERIOD_BAD_FROM:
        return refuse(
            fault, "from",
            "must be a date or a time (RFC 3339) from 1970 on, or one of 24h, 7d, 8w, 3m, "
            "1y, mtd, ytd, and %s is none of them",
            request_quote(from, quoted));
    case PERIOD_BAD_TO:
        return refuse(fault, "to",
                      "must be a date or a time (RFC 3339) from 1970 on, or now, and %s is none of "
                      "them",
                      request_quote(to, quoted));
    case PERIOD_EMPTY:
        return refuse(fault, "from", "must be before `to`");
    case PERIOD_TOO_LONG:
        return refuse(fault, "from", "at most %d years", (int)PERIOD_YEARS_MAX);
    }
    period_previous(&out->period, out->zone, &out->previous);
    return true;
}

static bool take_interval(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    int interval = period_interval_find(name);

    if (name.ptr && interval < 0)
        return refuse(fault, "interval", "must be hour, day or month");
    out->interval =
        name.ptr ? (enum period_interval)interval : period_default_interval(&out->period);
    return true;
}

static bool take_group(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    for (unsigned i = 0; i < STATS_GROUPS; i++) {
        if (!slice_equal(name, slice_of(groups[i].name)))
            continue;
        if (out->n_groups == STATS_GROUPS_MAX)
            return refuse(fault, "group_by", "at most two");
        if (out->n_groups == 1 && out->groups[0] == i)
            return refuse(fault, "group_by", "%s is given twice", groups[i].name);
        out->groups[out->n_groups++] = (enum stats_group)i;
        return true;
    }
    return refuse(fault, "group_by",
                  "must be one or two of time, kind, campaign, label, country, device, variant, "
                  "channel, reason, browser, system, referrer, delay");
}

static bool is_grouped_by(const struct stats_query *query, enum stats_group group)
{
    return (query->n_groups > 0 && query->groups[0] == group) ||
           (query->n_groups > 1 && query->groups[1] == group);
}

/* Picks the series.  They keep time and kind with one dimension each; and a series per campaign. */
static bool pick_dim(struct stats_query *out, struct stats_fault *fault)
{
    int dim = NO_DIM;

    for (size_t i = 0; i < out->n_groups; i++) {
        int other = groups[out->groups[i]].dim;

        if (other == NO_DIM || (other == COUNTER_DIM_CAMPAIGN && out->n_campaigns > 0))
            continue;
        if (dim == COUNTER_DIM_CAMPAIGN || (other == COUNTER_DIM_CAMPAIGN && dim != NO_DIM))
            return refuse(fault, "campaign",
                          "say which (up to %d): grouping by campaign and %s reads each one's "
                          "counters",
                          (int)STATS_CAMPAIGNS_MAX,
                          groups[out->groups[dim == COUNTER_DIM_CAMPAIGN ? i : 0]].name);
        if (dim != NO_DIM)
            return refuse(fault, "group_by",
                          "%s and %s can't be combined: they are counted apart; either goes with "
                          "time, kind or campaign",
                          groups[out->groups[0]].name, groups[out->groups[1]].name);
        dim = other;
    }
    out->dim = dim == NO_DIM ? COUNTER_DIM_LABEL : (enum counter_dim)dim;
    if (is_grouped_by(out, STATS_CAMPAIGN) && !out->brand)
        return refuse(fault, "brand", "is needed with campaign: each brand numbers its own");
    return true;
}

static bool take_groups(struct stats_query *out, struct slice list, struct stats_fault *fault)
{
    struct slice part;

    if (!list.ptr)
        list = slice_of("time");
    while (next_part(&list, &part)) {
        if (!take_group(out, part, fault))
            return false;
    }
    /* Time first: rows come in its order. */
    if (out->n_groups == 2 && out->groups[1] == STATS_TIME) {
        out->groups[1] = out->groups[0];
        out->groups[0] = STATS_TIME;
    }
    return pick_dim(out, fault);
}

static bool take_options(struct stats_query *out, const struct query *query,
                         struct stats_fault *fault)
{
    struct slice compare = query_find(query, "compare");
    struct slice clients = query_find(query, "clients");

    out->compare = slice_equal(compare, slice_of("previous"));
    if (compare.ptr && !out->compare)
        return refuse(fault, "compare", "must be previous");
    out->clients = slice_equal(clients, slice_of("true"));
    if (clients.ptr && !out->clients && !slice_equal(clients, slice_of("false")))
        return refuse(fault, "clients", "must be true or false");
    if (!out->clients)
        return true;
    if (out->kinds.ptr)
        return refuse(fault, "clients", "distinct clients are not counted by kind");
    if (out->n_groups != 1 || out->groups[0] != STATS_TIME)
        return refuse(fault, "clients", "distinct clients are counted by time only");
    if (out->n_campaigns > 1)
        return refuse(fault, "clients", "distinct clients of one campaign or of all");
    return true;
}

static bool take_page(struct stats_query *out, const struct query *query, struct stats_fault *fault)
{
    struct slice limit = query_find(query, "limit"), offset = query_find(query, "offset");
    struct slice format = query_find(query, "format");
    unsigned long n = STATS_LIMIT_DEFAULT;

    /* All rows of one time series, which is bounded already. */
    if (out->n_groups == 1 && out->groups[0] == STATS_TIME)
        n = STATS_LIMIT_MAX;
    if (limit.ptr && (!parse_number(limit, STATS_LIMIT_MAX, &n) || n == 0))
        return refuse(fault, "limit", "must be a number from 1 to %d", (int)STATS_LIMIT_MAX);
    out->limit = n;
    n = 0;
    if (offset.ptr && !parse_number(offset, 999999999, &n))
        return refuse(fault, "offset", "must be a number from 0");
    out->offset = n;
    out->csv = out->download = slice_equal(format, slice_of("csv"));
    if (format.ptr && !out->csv && !slice_equal(format, slice_of("json")))
        return refuse(fault, "format", "must be json or csv");
    return true;
}

bool stats_query_init(struct stats_query *out, const struct query *query, const struct site *site,
                      int64_t now_s, struct stats_fault *fault)
{
    *out = (struct stats_query){.brand = NULL};
    return take_brand(out, query_find(query, "brand"), site, fault) &&
           take_kinds(out, query_find(query, "kind"), site, fault) &&
           take_campaigns(out, query_find(query, "campaign"), fault) &&
           take_zone(out, query_find(query, "tz"), fault) &&
           take_period(out, query, now_s, fault) &&
           take_interval(out, query_find(query, "interval"), fault) &&
           take_groups(out, query_find(query, "group_by"), fault) &&
           take_options(out, query, fault) && take_page(out, query, fault);
}

void stats_query_clear(struct stats_query *query)
{
    zone_free(query->zone);
    query->zone = NULL;
}
