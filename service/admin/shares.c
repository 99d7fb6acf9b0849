#include "service/admin/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/kept.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/share_bounds.h"
#include "service/admin/share_token.h"
#include "service/admin/views.h"
#include "service/base/clock.h"
#include "service/base/json_text.h"
#include "service/base/zone.h"
#include "service/config/site.h"

enum {
    SHARES_MAX = 200,
    DAYS_DEFAULT = 30,
    DAYS_MAX = 365,
    DAY_S = 86400,
    PATH_MAX_LEN = 256,
    NAMED_MAX = 128
};

static bool is_over(const json_t *share)
{
    int64_t expires_s;

    return !rfc3339_parse(slice_of(json_get_text(share, "expires_at")), &expires_s) ||
           expires_s <= clock_wall_ms() / 1000;
}

static const struct kept_sort shares = {
    .what = "shared view", .key = COUNTER_SHARES, .max = SHARES_MAX, .is_over = is_over};

/* --- who comes by a link --- */

static void refuse(struct request *request)
{
    request_add_header(request, "WWW-Authenticate",
                       "Bearer realm=\"hopcount\", error=\"invalid_token\"");
    request_fail(request, 401, NULL,
                 "this link to a view is none of ours, has expired or was revoked");
}

bool shares_must_look(const struct request *request)
{
    return !request->share && share_token_is(auth_bearer(request));
}

/* Every time, so that a link ends on all pods when it is revoked. */
static void on_found(struct request *request, const struct brand *brand, json_t *items)
{
    struct share_token token;

    if (json_object_size(items) == 0) {
        refuse(request);
        return;
    }
    if (!(request->brands = strndup(brand->name.ptr, brand->name.len))) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (!(request->share = kept_only_json(brand, items))) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    /* Only the record says who the person is. */
    if (!share_token_open(&token, site_keys(request->site), auth_bearer(request),
                          clock_wall_ms() / 1000) ||
        !auth_may_share(request->server->auth, token.maker, json_get_text(request->share, "by"),
                        brand->name)) {
        refuse(request);
        return;
    }
    kept_hide_maker(request->share);
    request->go_on(request);
}

void shares_look(struct request *request, void (*go_on)(struct request *request))
{
    struct kept_wish wish = {.sort = &shares, .deed = KEPT_FIND, .done = on_found};
    struct share_token token;

    if (!share_token_open(&token, site_keys(request->site), auth_bearer(request),
                          clock_wall_ms() / 1000) ||
        !(wish.brand = params_find_brand_id(request, token.brand)) ||
        !auth_may_share(request->server->auth, token.maker, "", wish.brand->name)) {
        refuse(request);
        return;
    }
    if (!auth_check_share(request->server->auth, request, token.id))
        return;
    request->go_on = go_on;
    wish.id = slice_of(token.id);
    kept_do(request, &wish);
}

static unsigned page_bit(const json_t *share)
{
    const char *page = json_get_text(share, "page");

    if (strcmp(page, "overview") == 0)
        return SHARES_OF_OVERVIEW;
    if (strcmp(page, "campaigns") == 0)
        return SHARES_OF_CAMPAIGNS;
    return strcmp(page, "funnel") == 0 ? SHARES_OF_FUNNEL : 0;
}

bool shares_may_ask(struct request *request, unsigned route)
{
    struct share_fault fault;

    if (!request->share)
        return true;
    if (!(route & page_bit(request->share))) {
        request_fail(request, 403, NULL,
                     "this link shows the figures of one view, and nothing else");
        return false;
    }
    if (route & SHARES_NO_PERIOD ||
        share_bounds_allow(request->share, &request->query, clock_wall_ms() / 1000,
                           !(route & SHARES_NO_FIGURES), &fault))
        return true;
    request_fail_as(request, PROBLEM_FORBIDDEN, fault.parameter, "%s", fault.detail);
    return false;
}

/* --- the view itself --- */

/* A view on its way, while the names of the campaigns that it picks are asked for: statistics name
 * only those with clicks. */
struct showing {
    struct request *request;
    struct counter_key key;
    size_t n;
    struct slice campaigns[NAMED_MAX]; /* their numbers, in the view's filter */
    json_t *named;
};

static void on_names_command(void *owner, size_t index, struct fetch_command *command)
{
    struct showing *showing = owner;

    (void)index;
    command->key = counter_key_slice(&showing->key);
    command->argc = 2 + showing->n;
    command->argv[0] = slice_of("HMGET");
    command->argv[1] = command->key;
    memcpy(command->argv + 2, showing->campaigns, showing->n * sizeof(showing->campaigns[0]));
}

static void on_names_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct showing *showing = owner;

    (void)index;
    for (size_t i = 0; i < showing->n; i++) {
        struct slice name = fetch_text_at(answer, i);
        uint32_t id;

        if (name.len > 0 && number_parse_u32(showing->campaigns[i], UINT16_MAX, &id))
            json_array_append_new(showing->named, json_pack("{sI ss%}", "id", (json_int_t)id,
                                                            "name", name.ptr, name.len));
    }
}

static void on_names_done(void *owner, const char *cause)
{
    struct showing *showing = owner;
    struct request *request = showing->request;

    if (cause) {
        request_fail_redis(request, cause);
    } else {
        json_object_set(request->share, "campaigns", showing->named);
        request_reply_json(request, 200, json_incref(request->share));
    }
    json_decref(showing->named);
    free(showing);
}

void shares_handle_show(struct request *request)
{
    struct fetch_options options = {.n_commands = 1,
                                    .on_command = on_names_command,
                                    .on_answer = on_names_answer,
                                    .on_done = on_names_done};
    const json_t *picked = json_object_get(json_object_get(request->share, "filters"), "campaign");
    struct slice list = slice_make(json_string_value(picked), json_string_length(picked)), part;
    const struct brand *brand;
    struct showing *showing;

    if (!request->share) {
        request_fail(request, 404, NULL, "an API key shares no view: this is for links that do");
        return;
    }
    if (!(brand = params_find_brand(request, (struct slice){0})))
        return;
    showing = calloc(1, sizeof(*showing));
    if (!showing || !(showing->named = json_array())) {
        free(showing);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    showing->request = request;
    counter_key_names(&showing->key, brand->id);
    while (showing->n < NAMED_MAX && slice_next_part(&list, ',', &part))
        showing->campaigns[showing->n++] = part;
    options.owner = showing;
    if (showing->n == 0)
        on_names_done(showing, NULL);
    else
        fetch_start(request->server->fetches, &options);
}

/* --- POST --- */

struct form {
    struct slice brand, tz;
    int64_t days;
};

/* False: replied to. */
static bool read_form(struct request *request, const json_t *body, struct form *out)
{
    static const char *const names[] = {"brand", "name", "page", "filters", "tz", "days"};
    const json_t *days = json_object_get(body, "days"), *tz = json_object_get(body, "tz");
    struct faults faults = {.n = 0};
    struct zone *zone;
    const char *name, *wrong;
    char room[64];
    json_t *value;

    json_object_foreach((json_t *)body, name, value)
    {
        bool is_known = false;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            is_known = is_known || strcmp(name, names[i]) == 0;
        if (!is_known)
            faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of(name),
                       "does not belong here: the body takes brand, name, page, filters, tz, days");
    }
    value = json_object_get(body, "brand");
    out->brand = slice_make(json_string_value(value), json_string_length(value));
    if (value && !out->brand.ptr)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("brand"), "must be a text");
    wrong = kept_text_fault(json_object_get(body, "name"), VIEWS_NAME_MAX, room);
    if (wrong)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("name"), wrong);
    views_check(body, true, &faults);
    out->tz = tz ? slice_make(json_string_value(tz), json_string_length(tz)) : slice_of("UTC");
    zone = out->tz.ptr ? zone_load(out->tz) : NULL;
    if (!zone)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("tz"),
                   "is no time zone that this server knows");
    zone_free(zone);
    out->days = days ? json_integer_value(days) : DAYS_DEFAULT;
    if (out->days < 1 || out->days > DAYS_MAX)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("days"),
                   "must be a number from 1 to 365: how long the link works");
    if (faults.n == 0)
        return true;
    faults_reply(&faults, request);
    return false;
}

/* False: replied to. */
static bool can_seal(struct request *request)
{
    if (token_deriving_kid(site_keys(request->site)) != 0)
        return true;
    request_fail(request, 503, NULL,
                 "no key of the key file is in use: a link can't be sealed without one");
    return false;
}

static void on_added(struct request *request, const struct brand *brand, json_t *items)
{
    const char *id = json_object_iter_key(json_object_iter(items));
    struct share_token token = {.brand = brand->id};
    json_t *share = kept_only_json(brand, items);
    char text[SHARE_TEXT_MAX + 1], path[PATH_MAX_LEN];

    snprintf(token.id, sizeof(token.id), "%s", id);
    if (!rfc3339_parse(slice_of(json_get_text(share, "expires_at")), &token.expires_s) ||
        !auth_maker(request->server->auth, request, token.maker) ||
        !share_token_seal(&token, site_keys(request->site), text)) {
        json_decref(share);
        request_fail(request, 503, NULL, "what lets you share views has just been taken away");
        return;
    }
    audit_note_request(request, AUDIT_SHARE, brand, 0, "%s: %s, until %s", id,
                       json_get_text(share, "name"), json_get_text(share, "expires_at"));
    snprintf(path, sizeof(path), "/dashboard/shared#%s", text);
    json_object_set_new(share, "token", json_string(text));
    json_object_set_new(share, "path", json_string(path));
    request_reply_json(request, 201, share);
}

void shares_handle_post(struct request *request)
{
    struct kept_wish wish = {.sort = &shares, .deed = KEPT_ADD, .done = on_added};
    json_t *body = request_read_json(request);
    char expires[RFC3339_TEXT_MAX];
    struct form form;

    if (!body)
        return;
    if (read_form(request, body, &form) && (wish.brand = params_find_brand(request, form.brand)) &&
        can_seal(request)) {
        rfc3339_format(clock_wall_ms() / 1000 + form.days * DAY_S, 0, expires);
        wish.given =
            json_pack("{sO sO sO ss# ss}", "name", json_object_get(body, "name"), "page",
                      json_object_get(body, "page"), "filters", json_object_get(body, "filters"),
                      "tz", form.tz.ptr, (int)form.tz.len, "expires_at", expires);
        kept_do(request, &wish);
    }
    json_decref(body);
}

/* --- GET, DELETE --- */

static void on_listed(struct request *request, const struct brand *brand, json_t *items)
{
    request_reply_json(request, 200,
                       json_pack("{ss# so}", "brand", brand->name.ptr, (int)brand->name.len,
                                 "shares", kept_list_json(brand, items, "made_at")));
}

static void on_revoked(struct request *request, const struct brand *brand, json_t *items)
{
    const struct reply none = {.status = 204, .type = "text/plain"};
    json_t *share = kept_only_json(brand, items);

    audit_note_request(request, AUDIT_UNSHARE, brand, 0, "%s: %s", json_get_text(share, "id"),
                       json_get_text(share, "name"));
    json_decref(share);
    request_reply(request, &none);
}

void shares_handle_list(struct request *request)
{
    struct kept_wish wish = {.sort = &shares, .deed = KEPT_LIST, .done = on_listed};

    if ((wish.brand = params_find_brand(request, query_find(&request->query, "brand"))))
        kept_do(request, &wish);
}

void shares_handle_delete(struct request *request)
{
    struct kept_wish wish = {.sort = &shares,
                             .deed = KEPT_REMOVE,
                             .id = slice_make(request->arg, request->arg_len),
                             .done = on_revoked};

    if ((wish.brand = params_find_brand(request, query_find(&request->query, "brand"))))
        kept_do(request, &wish);
}
