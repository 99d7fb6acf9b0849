#include "service/admin/stats/stats_query.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/number.h"
#include "proto/token.h"
#include "service/admin/request.h"
#include "service/base/zone.h"
#include "service/config/brandlist.h"
#include "service/config/site.h"

enum { NO_DIM = COUNTER_DIMS, ALL_KINDS = 0xfffe };

/* The values that can be grouped by, and the dimension of the series that holds them; every series
 * holds time and kind. */
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
    [STATS_PAGE] = {"page", COUNTER_DIM_PAGE},
};

const char *stats_group_name(unsigned group)
{
    return group < STATS_GROUPS ? groups[group].name : NULL;
}

enum counter_dim stats_group_dim(enum stats_group group)
{
    return (enum counter_dim)groups[group].dim;
}

const char *stats_fixed_name(enum stats_group group, uint32_t value)
{
    static const char *const variants[] = {"none", "A", "B", "C", "D", "E", "F", "G"};

    switch (group) {
    case STATS_LABEL:
        return click_label_name(value);
    case STATS_DEVICE:
        return click_device_name(value);
    case STATS_REFERRER:
        return click_referrer_name(value);
    case STATS_DELAY:
        return counter_delay_name(value);
    case STATS_CHANNEL:
        return value < 8 ? token_channel_name((uint8_t)value) : NULL;
    case STATS_VARIANT:
        return value < 8 ? variants[value] : NULL;
    case STATS_COUNTRY:
        return value == 0 ? "unknown" : NULL;
    case STATS_REASON:
        return click_reason_name(value);
    case STATS_BROWSER:
        return click_browser_name(value);
    case STATS_SYSTEM:
        return click_system_name(value);
    case STATS_PAGE:
        return click_page_name(value);
    case STATS_TIME:
    case STATS_KIND:
    case STATS_CAMPAIGN:
    case STATS_GROUPS:
        break;
    }
    return NULL;
}

PRINTF_LIKE(3, 4)
static bool refuse(struct stats_fault *fault, const char *parameter, const char *format, ...)
{
    va_list args;

    for (size_t i = 0; i < fault->n; i++) {
        if (strcmp(fault->list[i].parameter, parameter) == 0)
            return false; /* it has one already */
    }
    if (fault->n == STATS_FAULTS_MAX)
        return false;
    fault->list[fault->n].parameter = parameter;
    va_start(args, format);
    vsnprintf(fault->list[fault->n].detail, sizeof(fault->list[0].detail), format, args);
    va_end(args);
    fault->n++;
    return false;
}

unsigned stats_query_kinds(const struct stats_query *query, const struct brand *brand,
                           struct slice *bad)
{
    struct slice list = query->kinds, name;
    unsigned kinds = 0;

    if (!list.ptr)
        return ALL_KINDS;
    while (slice_next_part(&list, ',', &name)) {
        uint8_t kind = brand_kind_find(brand, name);

        if (kind == 0)
            *bad = name;
        else
            kinds |= 1U << kind;
    }
    return kinds;
}

bool stats_query_has(const struct stats_query *query, const struct brand *brand)
{
    return query->brand ? query->brand == brand : brandlist_has(query->brands, brand->name);
}

static bool take_brand(struct stats_query *out, struct slice name, const struct stats_asker *asker,
                       struct stats_fault *fault)
{
    const struct site *site = asker->site;
    char quoted[REQUEST_QUOTE_MAX];

    out->brand = name.ptr ? site_find_brand(site, name) : site_find_only_brand(site, out->brands);
    if (name.ptr && !out->brand)
        return refuse(fault, "brand", "%s is no brand of the configuration",
                      request_quote(name, quoted));
    if (!out->brand || brandlist_has(out->brands, out->brand->name))
        return true;
    fault->is_forbidden = true;
    return refuse(fault, "brand", "%s is not a brand of %s",
                  request_quote(out->brand->name, quoted), asker->whose);
}

/* Each name must be a kind of the brand, or of any brand when all are asked for. */
static bool take_kinds(struct stats_query *out, struct slice list, const struct site *site,
                       struct stats_fault *fault)
{
    struct slice name;

    out->kinds = list;
    while (slice_next_part(&list, ',', &name)) {
        char quoted[REQUEST_QUOTE_MAX];
        bool known = false;

        for (unsigned i = 0; !known && i < site_n_brands(site); i++)
            known = stats_query_has(out, site_brand_at(site, i)) &&
                    brand_kind_find(site_brand_at(site, i), name) != 0;
        if (!known)
            return refuse(fault, "kind", "%s is no kind%s", request_quote(name, quoted),
                          out->brand ? " of this brand" : "");
    }
    return true;
}

static bool take_campaigns(struct stats_query *out, struct slice list, struct stats_fault *fault)
{
    struct slice part;

    while (slice_next_part(&list, ',', &part)) {
        uint32_t n;

        if (!number_parse_u32(part, UINT16_MAX, &n))
            return refuse(fault, "campaign", "must be numbers from 0 (none) to 65535");
        if (out->n_campaigns == STATS_CAMPAIGNS_MAX)
            return refuse(fault, "campaign", "may name at most %d campaigns",
                          (int)STATS_CAMPAIGNS_MAX);
        for (size_t i = 0; i < out->n_campaigns; i++) {
            if (out->campaigns[i] == n)
                return refuse(fault, "campaign", "%" PRIu32 " is given twice", n);
        }
        out->campaigns[out->n_campaigns++] = (uint16_t)n;
    }
    if (out->n_campaigns > 0 && !out->brand)
        return refuse(fault, "brand", "is needed with campaign: each brand numbers its own");
    return true;
}

/* Restores a `+` that was sent unencoded: in a query string it means a blank.  The first blank at
 * or after `from` becomes `+`.  No time zone or offset holds a blank. */
static struct slice restore_plus(struct slice text, size_t from, char out[static QUERY_TEXT_MAX])
{
    char *blank;

    if (from >= text.len)
        return text;
    memcpy(out, text.ptr, text.len);
    blank = memchr(out + from, ' ', text.len - from);
    if (blank)
        *blank = '+';
    return slice_make(out, text.len);
}

/* In "2026-11-22T00:00:00+01:00" the offset begins after the time of day. */
static struct slice restore_offset(struct slice text, char out[static QUERY_TEXT_MAX])
{
    static const char time[] = "2026-11-22T00:00:00";

    return restore_plus(text, sizeof(time) - 1, out);
}

static bool take_zone(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    char quoted[REQUEST_QUOTE_MAX], text[QUERY_TEXT_MAX];

    name = restore_plus(name, 0, text);

    if (!(out->zone = zone_load(name)))
        return refuse(fault, "tz", "%s is no time zone; names are as Europe/Berlin",
                      request_quote(name, quoted));
    /* zone_load() accepted the name, so it is short and has no special characters. */
    snprintf(out->zone_name, sizeof(out->zone_name), "%.*s", name.ptr ? (int)name.len : 3,
             name.ptr ? name.ptr : "UTC");
    return true;
}

static bool take_period(struct stats_query *out, const struct query *query, int64_t now_s,
                        struct stats_fault *fault)
{
    char from_text[QUERY_TEXT_MAX], to_text[QUERY_TEXT_MAX], quoted[REQUEST_QUOTE_MAX];
    struct slice from = restore_offset(query_find(query, "from"), from_text);
    struct slice to = restore_offset(query_find(query, "to"), to_text);

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
        return refuse(fault, "from", "may be at most %d years before `to`", (int)PERIOD_YEARS_MAX);
    }
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
            return refuse(fault, "group_by", "takes at most two");
        if (out->n_groups == 1 && out->groups[0] == i)
            return refuse(fault, "group_by", "names %s twice", groups[i].name);
        out->groups[out->n_groups++] = (enum stats_group)i;
        return true;
    }
    return refuse(fault, "group_by",
                  "must be one or two of time, kind, campaign, label, country, device, variant, "
                  "channel, reason, browser, system, referrer, delay, page");
}

static bool is_grouped_by(const struct stats_query *query, enum stats_group group)
{
    return (query->n_groups > 0 && query->groups[0] == group) ||
           (query->n_groups > 1 && query->groups[1] == group);
}

/* Picks what to read.  A series holds time, kind and one dimension, of one campaign or of all;
 * cells hold all dimensions of each campaign, but for that of pages, which are no clicks. */
static bool pick_dim(struct stats_query *out, struct stats_fault *fault)
{
    enum stats_group used[STATS_FILTERS_MAX + STATS_GROUPS_MAX];
    int dim = NO_DIM;
    size_t n = 0;

    for (size_t i = 0; i < out->n_filters; i++)
        used[n++] = out->filters[i].group;
    for (size_t i = 0; i < out->n_groups; i++)
        used[n++] = out->groups[i];
    for (size_t i = 0; i < n; i++) {
        int other = groups[used[i]].dim;

        if (other == NO_DIM || other == dim ||
            (other == COUNTER_DIM_CAMPAIGN && out->n_campaigns > 0))
            continue;
        if (dim != NO_DIM)
            out->is_combined = true;
        if (out->is_combined && (dim == COUNTER_DIM_PAGE || other == COUNTER_DIM_PAGE))
            return refuse(fault, "page",
                          "goes with time, kind and named campaigns only: what leads to a page of "
                          "ours is counted apart from clicks");
        dim = other;
    }
    out->dim = dim == NO_DIM ? COUNTER_DIM_LABEL : (enum counter_dim)dim;
    if (out->is_combined)
        out->dim = out->n_campaigns > 0 ? COUNTER_DIM_LABEL : COUNTER_DIM_CAMPAIGN;
    if (is_grouped_by(out, STATS_CAMPAIGN) && !out->brand)
        return refuse(fault, "brand", "is needed with campaign: each brand numbers its own");
    return true;
}

/* Mails, clicks and payments of invoices are counted by less than clicks are, and by all of it at
 * once. */
static bool check_invoice_groups(const struct stats_query *query, struct stats_fault *fault)
{
    for (size_t i = 0; i < query->n_groups; i++) {
        switch (query->groups[i]) {
        case STATS_TIME:
        case STATS_KIND:
        case STATS_CAMPAIGN:
        case STATS_VARIANT:
        case STATS_CHANNEL:
            break;
        default:
            return refuse(fault, "group_by",
                          "must be one or two of time, kind, campaign, variant, channel; payments "
                          "are not counted by %s",
                          groups[query->groups[i]].name);
        }
    }
    if (!query->brand)
        return refuse(fault, "brand", "is needed: say which of the brands");
    return true;
}

static bool take_groups(struct stats_query *out, struct slice list, struct stats_fault *fault)
{
    struct slice part;

    if (!list.ptr)
        list = slice_of(out->metric == STATS_FUNNEL ? "campaign" : "time");
    while (slice_next_part(&list, ',', &part)) {
        if (!take_group(out, part, fault))
            return false;
    }
    /* Time comes first, because rows are ordered by it. */
    if (out->n_groups == 2 && out->groups[1] == STATS_TIME) {
        out->groups[1] = out->groups[0];
        out->groups[0] = STATS_TIME;
    }
    return out->metric == STATS_CLICKS ? pick_dim(out, fault) : check_invoice_groups(out, fault);
}

static bool take_options(struct stats_query *out, const struct query *query, int64_t now_s,
                         struct stats_fault *fault)
{
    struct slice compare = query_find(query, "compare");
    struct slice clients = query_find(query, "clients");

    out->compare = compare.ptr != NULL;
    if (out->compare && !period_compare(&out->period, out->zone, now_s, compare, &out->previous))
        return refuse(fault, "compare",
                      "must be previous, weekday, year, year_weekday, or a date before the period");
    out->clients = slice_equal(clients, slice_of("true"));
    if (clients.ptr && !out->clients && !slice_equal(clients, slice_of("false")))
        return refuse(fault, "clients", "must be true or false");
    if (!out->clients)
        return true;
    if (out->metric != STATS_CLICKS)
        return refuse(fault, "clients", "counts people of clicks only");
    if (out->kinds.ptr)
        return refuse(fault, "clients", "does not go with kind");
    if (out->n_filters > 0)
        return refuse(fault, "clients", "does not go with %s", groups[out->filters[0].group].name);
    if (out->n_groups != 1 || out->groups[0] != STATS_TIME)
        return refuse(fault, "clients", "goes with rows by time only");
    if (out->n_campaigns > 1)
        return refuse(fault, "clients", "goes with one campaign or with all");
    return true;
}

static bool take_sort(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    static const char *const names[STATS_SORTS] = {"key",  "click_rate", "conversion_rate",
                                                   "sent", "clicked",    "paid"};

    for (unsigned i = 0; i < STATS_SORTS && name.ptr; i++) {
        if (!slice_equal(name, slice_of(names[i])))
            continue;
        out->sort = (enum stats_sort)i;
        if (i != STATS_SORT_KEY && out->n_groups > 0 && out->groups[0] == STATS_TIME)
            return refuse(fault, "sort", "does not go with rows by time");
        return true;
    }
    return !name.ptr ||
           refuse(fault, "sort", "must be key, click_rate, conversion_rate, sent, clicked or paid");
}

static bool take_page(struct stats_query *out, const struct query *query,
                      const struct stats_asker *asker, struct stats_fault *fault)
{
    struct slice limit = query_find(query, "limit"), offset = query_find(query, "offset");
    struct slice format = query_find(query, "format"), reader = query_find(query, "for");
    uint32_t n;

    /* `format` is of the paths that answer JSON, `for` of those that end in .csv. */
    out->download =
        slice_equal(format, slice_of("csv")) || slice_equal(reader, slice_of("spreadsheet"));
    out->csv = out->download || asker->accepts_csv;
    if (format.ptr && !out->download && !slice_equal(format, slice_of("json")))
        return refuse(fault, "format", "must be json or csv");
    if (reader.ptr && !out->download && !slice_equal(reader, slice_of("program")))
        return refuse(fault, "for", "must be program or spreadsheet");
    /* A file gets all rows; a time series as well, because PERIOD_BUCKETS_MAX limits it. */
    out->limit = STATS_LIMIT_DEFAULT;
    if (asker->asked != STATS_ASKED_LIST && out->csv)
        out->limit = STATS_NO_LIMIT;
    else if (asker->asked != STATS_ASKED_LIST && out->n_groups == 1 && out->groups[0] == STATS_TIME)
        out->limit = STATS_LIMIT_MAX;
    if (asker->asked == STATS_ASKED_LIST && slice_equal(limit, slice_of("all"))) {
        out->limit = STATS_NO_LIMIT;
    } else if (limit.ptr) {
        if (!number_parse_u32(limit, STATS_LIMIT_MAX, &n) || n == 0)
            return refuse(fault, "limit", "must be a number from 1 to %d%s", (int)STATS_LIMIT_MAX,
                          asker->asked == STATS_ASKED_LIST ? ", or all" : "");
        out->limit = n;
    }
    if (offset.ptr) {
        if (!number_parse_u32(offset, 999999999, &n))
            return refuse(fault, "offset", "must be a number from 0 to 999999999");
        out->offset = n;
    }
    /* A request with an offset reads page by page: the rest follows on later pages. */
    out->sum_rest = limit.ptr && !offset.ptr && out->groups[0] != STATS_TIME;
    return true;
}

/* The number of a value in the series of a dimension; -1: there is none. */
static int64_t find_value(enum stats_group group, struct slice text)
{
    if (group == STATS_COUNTRY && text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' &&
        text.ptr[1] >= 'A' && text.ptr[1] <= 'Z')
        return (int64_t)(uint8_t)text.ptr[0] << 8 | (uint8_t)text.ptr[1];
    for (uint32_t value = 0; value <= UINT8_MAX; value++) {
        const char *name = stats_fixed_name(group, value);

        if (name && slice_equal(text, slice_of(name)))
            return value;
    }
    return -1;
}

/* Reads `country=DE,AT` and the like, of as many dimensions as are given. */
static bool take_filters(struct stats_query *out, const struct query *query,
                         struct stats_fault *fault)
{
    for (unsigned group = 0; group < STATS_GROUPS; group++) {
        const char *name = groups[group].name;
        struct slice list = query_find(query, name), part;
        struct stats_filter *filter;
        char quoted[REQUEST_QUOTE_MAX];

        if (!list.ptr || groups[group].dim == NO_DIM || group == STATS_CAMPAIGN)
            continue;
        /* `page` of a list is where it goes on. */
        if (out->metric == STATS_FUNNEL && group == STATS_PAGE)
            continue;
        if (out->metric != STATS_CLICKS && group != STATS_VARIANT && group != STATS_CHANNEL)
            return refuse(fault, name, "picks clicks only, and no payments");
        filter = &out->filters[out->n_filters++];
        filter->group = (enum stats_group)group;
        while (slice_next_part(&list, ',', &part)) {
            int64_t value = find_value(filter->group, part);

            if (value < 0)
                return refuse(fault, name, "%s is not known", request_quote(part, quoted));
            if (filter->n == STATS_VALUES_MAX)
                return refuse(fault, name, "takes at most %d values", (int)STATS_VALUES_MAX);
            filter->values[filter->n++] = (uint16_t)value;
        }
    }
    return true;
}

static bool has_value(const struct stats_filter *filter, uint32_t value)
{
    for (size_t i = 0; i < filter->n; i++) {
        if (filter->values[i] == value)
            return true;
    }
    return false;
}

bool stats_query_wants(const struct stats_query *query, uint32_t value)
{
    return query->n_filters == 0 || has_value(&query->filters[0], value);
}

bool stats_query_wants_route(const struct stats_query *query, unsigned variant, unsigned channel)
{
    for (size_t i = 0; i < query->n_filters; i++) {
        const struct stats_filter *filter = &query->filters[i];

        if (!has_value(filter, filter->group == STATS_VARIANT ? variant : channel))
            return false;
    }
    return true;
}

static bool take_metric(struct stats_query *out, struct slice name, struct stats_fault *fault)
{
    static const char *const names[] = {"clicks", "conversions", "amount"};
    unsigned first = out->metric == STATS_CONVERSIONS ? STATS_CONVERSIONS : STATS_CLICKS;

    for (unsigned i = first; i < STATS_FUNNEL && name.ptr; i++) {
        if (slice_equal(name, slice_of(names[i]))) {
            out->metric = (enum stats_metric)i;
            return true;
        }
    }
    return !name.ptr || refuse(fault, "metric", "must be %sconversions or amount",
                               first == STATS_CLICKS ? "clicks, " : "");
}

bool stats_query_init(struct stats_query *out, const struct query *query,
                      const struct stats_asker *asker, struct stats_fault *fault)
{
    bool has_zone, has_period;

    fault->n = 0;
    fault->is_forbidden = false;
    *out = (struct stats_query){.brands = asker->brands};
    if (asker->asked == STATS_ASKED_CONVERSIONS)
        out->metric = STATS_CONVERSIONS;
    else if (asker->asked != STATS_ASKED_STATS)
        out->metric = STATS_FUNNEL;
    /* What others mean depends on these. */
    if (!take_metric(out, query_find(query, "metric"), fault) ||
        !take_brand(out, query_find(query, "brand"), asker, fault))
        return false;
    take_kinds(out, query_find(query, "kind"), asker->site, fault);
    take_campaigns(out, query_find(query, "campaign"), fault);
    has_zone = take_zone(out, query_find(query, "tz"), fault);
    has_period = has_zone && take_period(out, query, asker->now_s, fault);
    take_interval(out, query_find(query, "interval"), fault);
    if (take_filters(out, query, fault) && take_groups(out, query_find(query, "group_by"), fault) &&
        has_period)
        take_options(out, query, asker->now_s, fault);
    take_sort(out, query_find(query, "sort"), fault);
    take_page(out, query, asker, fault);
    return fault->n == 0;
}

/* The parts of the key can't be confused: each is a number, or a text checked to hold only letters,
 * digits and a few marks, but no blank. */
const char *stats_query_key(const struct stats_query *query, char out[static STATS_KEY_MAX])
{
    size_t n = 0;

    n += (size_t)snprintf(
        out, STATS_KEY_MAX,
        "stats %d %d %d brand %.*s of %s kinds %.*s from %" PRId64 " to %" PRId64 " %d tz %s by %d "
        "group %d %d compare %" PRId64 " %" PRId64 " clients %d sort %d limit %zu %zu %d campaigns",
        (int)query->metric, query->csv, query->download,
        SLICE_ARG(query->brand ? query->brand->name : slice_of("*")),
        query->brands ? query->brands : "*", SLICE_ARG(query->kinds), query->period.from_s,
        query->period.to_s, query->period.is_days, query->zone_name, (int)query->interval,
        (int)query->groups[0], query->n_groups > 1 ? (int)query->groups[1] : -1,
        query->compare ? query->previous.from_s : -1, query->compare ? query->previous.to_s : -1,
        query->clients, (int)query->sort, query->limit, query->offset, query->sum_rest);
    for (size_t i = 0; i < query->n_campaigns; i++)
        n += (size_t)snprintf(out + n, STATS_KEY_MAX - n, " %u", query->campaigns[i]);
    for (size_t f = 0; f < query->n_filters; f++) {
        const struct stats_filter *filter = &query->filters[f];

        for (size_t i = 0; i < filter->n; i++)
            n += (size_t)snprintf(out + n, STATS_KEY_MAX - n, " %d=%u", (int)filter->group,
                                  filter->values[i]);
    }
    return out;
}

void stats_query_clear(struct stats_query *query)
{
    zone_free(query->zone);
    query->zone = NULL;
}
