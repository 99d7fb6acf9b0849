/* Saved views: pages of the dashboard with their filters, by names, for all who may read a brand.
 */
#include "service/admin/views.h"

#include <stdio.h>
#include <string.h>

#include "service/admin/audit.h"
#include "service/admin/faults.h"
#include "service/admin/handlers.h"
#include "service/admin/kept.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/stats/period.h"
#include "service/base/clock.h"
#include "service/base/zone.h"
#include "service/config/brand.h"

enum { VIEWS_MAX = 100, FILTER_VALUE_MAX = 256 };

static const struct kept_sort views = {
    .what = "view", .key = COUNTER_VIEWS, .max = VIEWS_MAX, .unique = "name"};

/* Pages of the dashboard that have filters. */
static const char *const pages[] = {"overview", "campaigns", "funnel"};

/* Filters as they stand in the dashboard's addresses; all but `who` and `sent` are parameters of
 * the statistics. */
static const char *const filters[] = {
    "from",     "to",     "interval", "compare", "who",      "sent",
    "campaign", "kind",   "label",    "reason",  "country",  "device",
    "browser",  "system", "channel",  "variant", "referrer", "delay",
};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (name && strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static struct slice text_of(const json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

static void check_period(const json_t *given, struct faults *faults)
{
    struct zone *utc = zone_load((struct slice){0});
    struct period period;
    enum period_status status = PERIOD_OK;

    if (utc)
        status = period_parse(text_of(json_object_get(given, "from")),
                              text_of(json_object_get(given, "to")), utc, clock_wall_ms() / 1000,
                              &period);
    zone_free(utc);
    if (status == PERIOD_BAD_TO)
        faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("filters.to"),
                   "must be a date or a time");
    else if (status != PERIOD_OK)
        faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("filters.from"),
                   "must be a date, a time or a span as 30d, at most 20 years before the end");
}

static void check_filters(const json_t *given, struct faults *faults)
{
    char field[64];
    const char *name;
    json_t *value;

    if (!json_is_object(given)) {
        faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("filters"),
                   "must be an object of texts, as {\"from\": \"30d\"}");
        return;
    }
    json_object_foreach((json_t *)given, name, value)
    {
        snprintf(field, sizeof(field), "filters.%s", name);
        if (!is_one_of(name, filters, sizeof(filters) / sizeof(filters[0])))
            faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of(field), "is no filter of a view");
        else if (!json_is_string(value) || json_string_length(value) > FILTER_VALUE_MAX ||
                 !query_is_clean_text(text_of(value)))
            faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of(field),
                       "must be a text of at most 256 bytes, without control characters");
    }
    check_period(given, faults);
}

void views_check(const json_t *body, bool is_whole, struct faults *faults)
{
    const json_t *page = json_object_get(body, "page"), *given = json_object_get(body, "filters");

    if ((page || is_whole) &&
        !is_one_of(json_string_value(page), pages, sizeof(pages) / sizeof(pages[0])))
        faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("page"),
                   "must be overview, campaigns or funnel");
    if (given || is_whole)
        check_filters(given, faults);
}

/* --- POST, PUT --- */

static void on_saved(struct request *request, const struct brand *brand, json_t *items)
{
    json_t *view = kept_only_json(brand, items);

    audit_note_request(request, AUDIT_SAVE_VIEW, brand, 0, "%s",
                       json_string_value(json_object_get(view, "name")));
    request_reply_json(request, request->method == REQUEST_POST ? 201 : 200, view);
}

/* Reads the body {brand, name, page, filters}, of PUT parts of it; false: replied to. */
static bool take_body(struct request *request, const json_t *body, struct kept_wish *wish)
{
    bool is_new = wish->deed == KEPT_ADD;
    struct slice brand = query_find(&request->query, "brand");
    struct faults faults = {.n = 0};
    char room[64];
    const char *name, *wrong;
    json_t *value;

    if (json_object_size(body) == 0)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, (struct slice){0},
                   "the body must be an object with name, page or filters");
    json_object_foreach((json_t *)body, name, value)
    {
        if (strcmp(name, "brand") == 0 && json_is_string(value) && !brand.ptr)
            brand = text_of(value);
        else if (strcmp(name, "name") != 0 && strcmp(name, "page") != 0 &&
                 strcmp(name, "filters") != 0)
            faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of(name),
                       "does not belong here: the body takes name, page, filters, and brand once");
    }
    value = json_object_get(body, "name");
    wrong = value || is_new ? kept_text_fault(value, VIEWS_NAME_MAX, room) : NULL;
    if (wrong)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("name"), wrong);
    views_check(body, is_new, &faults);
    if (faults.n > 0) {
        faults_reply(&faults, request);
        return false;
    }
    return (wish->brand = params_find_brand(request, brand)) != NULL;
}

static void save(struct request *request, enum kept_deed deed)
{
    struct kept_wish wish = {.sort = &views,
                             .deed = deed,
                             .id = slice_make(request->arg, request->arg_len),
                             .done = on_saved};
    json_t *body = request_read_json(request);

    if (!body)
        return;
    if (take_body(request, body, &wish)) {
        wish.given = json_copy(body);
        json_object_del(wish.given, "brand");
        kept_do(request, &wish);
    }
    json_decref(body);
}

void views_handle_post(struct request *request)
{
    save(request, KEPT_ADD);
}

void views_handle_put(struct request *request)
{
    save(request, KEPT_CHANGE);
}

/* --- GET, DELETE --- */

static void on_listed(struct request *request, const struct brand *brand, json_t *items)
{
    request_reply_json(request, 200,
                       json_pack("{ss# so}", "brand", brand->name.ptr, (int)brand->name.len,
                                 "views", kept_list_json(brand, items, "name")));
}

static void on_deleted(struct request *request, const struct brand *brand, json_t *items)
{
    const struct reply none = {.status = 204, .type = "text/plain"};
    json_t *view = kept_only_json(brand, items);

    audit_note_request(request, AUDIT_DELETE_VIEW, brand, 0, "%s",
                       json_string_value(json_object_get(view, "name")));
    json_decref(view);
    request_reply(request, &none);
}

void views_handle_list(struct request *request)
{
    struct kept_wish wish = {.sort = &views, .deed = KEPT_LIST, .done = on_listed};

    if ((wish.brand = params_read_brand(request)))
        kept_do(request, &wish);
}

void views_handle_delete(struct request *request)
{
    struct kept_wish wish = {.sort = &views,
                             .deed = KEPT_REMOVE,
                             .id = slice_make(request->arg, request->arg_len),
                             .done = on_deleted};

    if ((wish.brand = params_read_brand(request)))
        kept_do(request, &wish);
}
