/* Annotations: what happened at a date or an hour, "new template went out", beside the clicks. */
#include <stdlib.h>
#include <string.h>

#include "proto/rfc3339.h"
#include "service/admin/audit.h"
#include "service/admin/faults.h"
#include "service/admin/handlers.h"
#include "service/admin/kept.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/stats/period.h"
#include "service/base/clock.h"
#include "service/base/json_text.h"
#include "service/base/zone.h"
#include "service/config/brand.h"

enum { TEXT_MAX = 200, ANNOTATIONS_MAX = 500, HOUR_S = 3600, DAY_S = 86400 };

static const struct kept_sort annotations = {
    .what = "annotation", .key = COUNTER_ANNOTATIONS, .max = ANNOTATIONS_MAX};

/* --- POST --- */

/* A date stays one, whatever the time zone of who reads it; a time is cut to its hour.  False: it
 * is neither. */
static bool take_at(const json_t *value, char out[static RFC3339_TEXT_MAX])
{
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    struct civil date;
    int64_t time_s;

    if (!text.ptr)
        return false;
    if (rfc3339_parse_date(text, &date)) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
        return true;
    }
    if (!rfc3339_parse(text, &time_s))
        return false;
    rfc3339_format(time_s - time_s % HOUR_S, 0, out);
    return true;
}

static void on_added(struct request *request, const struct brand *brand, json_t *items)
{
    json_t *added = kept_only_json(brand, items);

    audit_note_request(request, AUDIT_ANNOTATE, brand, 0, "%s: %s", json_get_text(added, "at"),
                       json_get_text(added, "text"));
    request_reply_json(request, 201, added);
}

void annotations_handle_post(struct request *request)
{
    json_t *body = request_read_json(request), *value;
    struct kept_wish wish = {.sort = &annotations, .deed = KEPT_ADD, .done = on_added};
    struct slice brand = {0};
    struct faults faults = {.n = 0};
    char at[RFC3339_TEXT_MAX], room[64];
    const char *name, *wrong;

    if (!body)
        return;
    json_object_foreach(body, name, value)
    {
        if (strcmp(name, "brand") == 0 && json_is_string(value))
            brand = slice_make(json_string_value(value), json_string_length(value));
        else if (strcmp(name, "at") != 0 && strcmp(name, "text") != 0)
            faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of(name),
                       "does not belong here: the body takes brand, at and text, all as texts");
    }
    if (!take_at(json_object_get(body, "at"), at))
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("at"),
                   "must be a date as 2026-11-22, or a time as 2026-11-22T12:00:00Z");
    wrong = kept_text_fault(json_object_get(body, "text"), TEXT_MAX, room);
    if (wrong)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("text"), wrong);
    if (faults.n > 0) {
        faults_reply(&faults, request);
    } else if ((wish.brand = params_find_brand(request, brand))) {
        wish.given = json_pack("{ss sO}", "at", at, "text", json_object_get(body, "text"));
        kept_do(request, &wish);
    }
    json_decref(body);
}

/* --- GET --- */

/* The period of `from` and `to`, which were checked; false: neither is given, all are asked for. */
static bool find_period(const struct request *request, const struct zone *zone, struct period *out)
{
    struct slice from = query_find(&request->query, "from"), to = query_find(&request->query, "to");

    return (from.ptr || to.ptr) &&
           period_parse(from, to, zone, clock_wall_ms() / 1000, out) == PERIOD_OK;
}

static bool is_in(const struct period *period, const struct zone *zone, const char *at)
{
    struct civil date;
    int64_t start_s, length_s = HOUR_S;

    if (rfc3339_parse_date(slice_of(at), &date)) {
        start_s = zone_to_s(zone, &date);
        length_s = DAY_S;
    } else if (!rfc3339_parse(slice_of(at), &start_s)) {
        return false;
    }
    return start_s < period->to_s && start_s + length_s > period->from_s;
}

static void on_listed(struct request *request, const struct brand *brand, json_t *items)
{
    struct zone *zone = zone_load(query_find(&request->query, "tz"));
    struct period period;
    json_t *item;
    const char *id;
    void *next;

    if (zone && find_period(request, zone, &period)) {
        json_object_foreach_safe(items, next, id, item)
        {
            if (!is_in(&period, zone, json_get_text(item, "at")))
                json_object_del(items, id);
        }
    }
    zone_free(zone);
    json_object_foreach(items, id, item)
    {
        if (request->share)
            kept_hide_maker(item);
    }
    request_reply_json(request, 200,
                       json_pack("{ss# so}", "brand", brand->name.ptr, (int)brand->name.len,
                                 "annotations", kept_list_json(brand, items, "at")));
}

/* Time zone and period. */
static void check_times(const struct request *request, struct faults *faults)
{
    struct slice from = query_find(&request->query, "from"), to = query_find(&request->query, "to");
    struct zone *zone = zone_load(query_find(&request->query, "tz"));
    enum period_status status = PERIOD_OK;
    struct period period;

    if (!zone) {
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("tz"),
                   "is no time zone that this server knows");
        zone = zone_load((struct slice){0}); /* UTC: the period may be wrong in any zone */
    }
    if (zone)
        status = period_parse(from, to, zone, clock_wall_ms() / 1000, &period);
    zone_free(zone);
    if (status == PERIOD_BAD_TO)
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("to"), "must be a date or a time");
    else if (status != PERIOD_OK)
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("from"),
                   status == PERIOD_BAD_FROM ? "must be a date, a time, or a span as 30d"
                   : status == PERIOD_EMPTY  ? "must be before `to`"
                                             : "is too long before `to`");
}

void annotations_handle_list(struct request *request)
{
    struct kept_wish wish = {.sort = &annotations, .deed = KEPT_LIST, .done = on_listed};
    struct faults faults = {.n = 0};

    faults_add_strays(&faults, request);
    check_times(request, &faults);
    wish.brand = params_take_brand(request, query_find(&request->query, "brand"), &faults);
    if (faults.n > 0)
        faults_reply(&faults, request);
    else
        kept_do(request, &wish);
}

/* --- DELETE --- */

static void on_removed(struct request *request, const struct brand *brand, json_t *items)
{
    const struct reply none = {.status = 204, .type = "text/plain"};
    json_t *removed = kept_only_json(brand, items);

    audit_note_request(request, AUDIT_UNANNOTATE, brand, 0, "%s: %s", json_get_text(removed, "at"),
                       json_get_text(removed, "text"));
    json_decref(removed);
    request_reply(request, &none);
}

void annotations_handle_delete(struct request *request)
{
    struct kept_wish wish = {.sort = &annotations,
                             .deed = KEPT_REMOVE,
                             .id = slice_make(request->arg, request->arg_len),
                             .done = on_removed};

    if ((wish.brand = params_read_brand(request)))
        kept_do(request, &wish);
}
