#include "service/admin/share_bounds.h"

#include <string.h>

#include "service/admin/stats/period.h"
#include "service/base/zone.h"

/* Of the view: how the figures are shown, not of which clicks they are. */
static const char *const of_showing[] = {"from", "to", "compare", "interval", "who", "sent"};

static struct slice text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return slice_make(json_string_value(value), json_string_length(value));
}

static bool refuse(struct share_fault *fault, const char *parameter, const char *detail)
{
    *fault = (struct share_fault){parameter, detail};
    return false;
}

static struct slice or_default(struct slice text, const char *otherwise)
{
    return text.len > 0 ? text : slice_of(otherwise);
}

static bool has_zone(const json_t *share, const struct query *query, struct share_fault *fault)
{
    struct slice wanted = or_default(query_find(query, "tz"), "UTC");

    return slice_equal(wanted, or_default(text_of(share, "tz"), "UTC")) ||
           refuse(fault, "tz", "must be the time zone of the view");
}

/* An end that is absent or "" is now. */
static bool is_in_period(const json_t *share, const struct query *query, int64_t now_s,
                         struct share_fault *fault)
{
    const json_t *filters = json_object_get(share, "filters");
    struct slice from = query_find(query, "from"), to = query_find(query, "to");
    struct slice last = text_of(filters, "to");
    struct zone *zone = zone_load(or_default(text_of(share, "tz"), "UTC"));
    struct period all, asked;
    bool is_in =
        zone && from.len > 0 &&
        period_parse(or_default(text_of(filters, "from"), "30d"),
                     last.len > 0 ? last : (struct slice){0}, zone, now_s, &all) == PERIOD_OK &&
        period_parse(from, to, zone, now_s, &asked) == PERIOD_OK && asked.from_s >= all.from_s &&
        asked.to_s <= all.to_s;

    zone_free(zone);
    return is_in || refuse(fault, "from", "must begin a period that lies in that of the view");
}

static bool is_compared_alike(const json_t *share, const struct query *query,
                              struct share_fault *fault)
{
    struct slice compare = query_find(query, "compare");
    struct slice of_view = text_of(json_object_get(share, "filters"), "compare");

    return !compare.ptr || slice_equal(compare, or_default(of_view, "previous")) ||
           refuse(fault, "compare", "must be that of the view");
}

/* Whether each part of the list `some` is one of `all`. */
static bool is_part_of(struct slice some, struct slice all)
{
    struct slice one, other;

    while (slice_next_part(&some, ',', &one)) {
        struct slice rest = all;
        bool found = false;

        while (!found && slice_next_part(&rest, ',', &other))
            found = slice_equal(one, other);
        if (!found)
            return false;
    }
    return true;
}

static bool is_of_showing(const char *name)
{
    for (size_t i = 0; i < sizeof(of_showing) / sizeof(of_showing[0]); i++) {
        if (strcmp(name, of_showing[i]) == 0)
            return true;
    }
    return false;
}

bool share_bounds_allow(const json_t *share, const struct query *query, int64_t now_s,
                        bool are_figures, struct share_fault *fault)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(share, "filters"), name, value)
    {
        struct slice all = slice_make(json_string_value(value), json_string_length(value));
        struct slice asked = query_find(query, name);

        if (are_figures && !is_of_showing(name) && all.len > 0 &&
            (asked.len == 0 || !is_part_of(asked, all)))
            return refuse(fault, name, "must be a filter of the view, or some of its values");
    }
    return has_zone(share, query, fault) && is_in_period(share, query, now_s, fault) &&
           is_compared_alike(share, query, fault);
}
