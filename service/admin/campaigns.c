/* Campaigns: their names, as clicks know their numbers only, and which of them there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/token.h"
#include "service/admin/audit.h"
#include "service/admin/cache.h"
#include "service/admin/clicks.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/period.h"
#include "service/admin/stats/points.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/site.h"

enum { NAME_MAX_LEN = 200, MONTHS_MAX = 400, LIMIT_MAX = UINT16_MAX };

/* A campaign of the list. */
struct listed {
    json_t *name; /* NULL: it has none */
    struct clicks clicks;
    bool has_clicks;
};

struct campaigns {
    struct request *request;
    const struct brand *brand;
    struct counter_key key;
    /* of GET */
    struct points points;
    struct listed
        *list;      /* by number, UINT16_MAX + 1 of them; those with a name or clicks are in it */
    bool is_of_all; /* those without a name, too */
    uint32_t limit, page;
    int64_t month_s[MONTHS_MAX]; /* whose clicks are read */
    /* of PUT and DELETE */
    uint32_t id;
    char id_text[12];
    char name[NAME_MAX_LEN + 1];
    bool had_name;
};

static void free_campaigns(struct campaigns *campaigns)
{
    for (uint32_t i = 0; campaigns->list && i <= UINT16_MAX; i++)
        json_decref(campaigns->list[i].name);
    free(campaigns->list);
    free(campaigns);
}

/* Starts `options` on behalf of `campaigns`, which it takes. */
static void start(struct campaigns *campaigns, struct fetch_options *options)
{
    struct request *request = campaigns->request;

    if (!request->server->fetches) {
        free_campaigns(campaigns);
        request_fail_redis(request, "no Redis is configured");
        return;
    }
    counter_key_names(&campaigns->key, campaigns->brand->id);
    options->owner = campaigns;
    fetch_start(request->server->fetches, options);
}

/* --- GET --- */

static void on_list_command(void *owner, size_t index, struct fetch_command *command)
{
    struct campaigns *campaigns = owner;

    if (index > 0) {
        campaigns->points = (struct points){
            .series = {.brand = campaigns->brand->id,
                       .campaign = COUNTER_ALL_CAMPAIGNS,
                       .interval = COUNTER_MONTHS,
                       .dim = COUNTER_DIM_CAMPAIGN},
            .time_s = campaigns->month_s[index - 1],
        };
        points_command(&campaigns->points, campaigns->request->server->n_shards, command);
        return;
    }
    command->key = counter_key_slice(&campaigns->key);
    command->argc = 2;
    command->argv[0] = slice_of("HGETALL");
    command->argv[1] = command->key;
}

static void take_names(struct campaigns *campaigns, const struct redisReply *answer)
{
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i], *name = answer->element[i + 1];
        uint32_t number;

        if (id->type == REDIS_REPLY_STRING && name->type == REDIS_REPLY_STRING &&
            number_parse_u32(slice_make(id->str, id->len), UINT16_MAX, &number) &&
            !campaigns->list[number].name)
            campaigns->list[number].name = json_stringn(name->str, name->len);
    }
}

static void take_clicks(void *arg, const struct series_point *point)
{
    struct campaigns *campaigns = arg;
    struct listed *listed = &campaigns->list[point->value & UINT16_MAX];

    listed->has_clicks = true;
    clicks_add(&listed->clicks, point->count, point->automated);
}

static void on_list_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct campaigns *campaigns = owner;

    if (index == 0)
        take_names(campaigns, answer);
    else
        points_take(&campaigns->points, answer, take_clicks, campaigns);
}

/* A page of them; `*next` is the number that the next one begins at, or 0. */
static json_t *page_json(const struct campaigns *campaigns, uint32_t *next)
{
    json_t *page = json_array();

    *next = 0;
    /* Clicks of no campaign are those of number 0. */
    for (uint32_t id = campaigns->page > 0 ? campaigns->page : 1; id <= UINT16_MAX; id++) {
        const struct listed *listed = &campaigns->list[id];
        struct clicks clicks = clicks_settled(listed->clicks);
        json_t *one;

        if (!listed->name && !(campaigns->is_of_all && listed->has_clicks))
            continue;
        if (json_array_size(page) == campaigns->limit) {
            *next = id;
            break;
        }
        one = json_pack("{sI sO?}", "id", (json_int_t)id, "name", listed->name);
        if (campaigns->is_of_all)
            json_object_set_new(one, "clicks", clicks_json(&clicks));
        json_array_append_new(page, one);
    }
    return page;
}

static void on_list_done(void *owner, const char *cause)
{
    struct campaigns *campaigns = owner;
    json_t *page;
    uint32_t next;

    if (cause) {
        request_fail_redis(campaigns->request, cause);
    } else {
        page = page_json(campaigns, &next);
        request_reply_json(campaigns->request, 200,
                           json_pack("{ss# so so}", "brand", campaigns->brand->name.ptr,
                                     (int)campaigns->brand->name.len, "campaigns", page,
                                     "next_page", next ? json_integer(next) : json_null()));
    }
    free_campaigns(campaigns);
}

/* The months of which clicks are kept; returns how many. */
static size_t find_months(const struct server *server, int64_t month_s[static MONTHS_MAX])
{
    int64_t now_s = clock_wall_ms() / 1000, first_s = TOKEN_EPOCH_S;
    size_t n = 0;

    if (server->retention_days_s > 0 && now_s - server->retention_days_s > first_s)
        first_s = now_s - server->retention_days_s;
    for (int64_t at_s = period_month_s(now_s); n < MONTHS_MAX; at_s = period_month_s(at_s - 1)) {
        month_s[n++] = at_s;
        if (at_s <= first_s)
            break;
    }
    return n;
}

/* False: replied to. */
static bool read_list_params(struct request *request, struct campaigns *want)
{
    struct slice of = query_find(&request->query, "of");
    struct slice limit = query_find(&request->query, "limit");
    struct slice page = query_find(&request->query, "page");
    struct faults faults = {.n = 0};

    faults_add_strays(&faults, request);
    want->limit = LIMIT_MAX;
    want->is_of_all = slice_equal(of, slice_of("all"));
    if (of.ptr && !want->is_of_all && !slice_equal(of, slice_of("named")))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("of"), "must be named or all");
    if (limit.ptr && (!number_parse_u32(limit, LIMIT_MAX, &want->limit) || want->limit == 0))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("limit"),
                   "must be a number from 1 to 65535");
    if (page.ptr && !number_parse_u32(page, UINT16_MAX, &want->page))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("page"),
                   "must be what `next_page` of the page before said");
    if (faults.n > 0) {
        faults_reply(&faults, request);
        return false;
    }
    want->brand = params_find_brand(request, query_find(&request->query, "brand"));
    return want->brand != NULL;
}

void campaigns_handle_list(struct request *request)
{
    struct fetch_options options = {.n_commands = 1,
                                    .on_command = on_list_command,
                                    .on_answer = on_list_answer,
                                    .on_done = on_list_done};
    struct campaigns *campaigns = calloc(1, sizeof(*campaigns));

    if (!campaigns || !(campaigns->list = calloc(UINT16_MAX + 1, sizeof(*campaigns->list)))) {
        free(campaigns);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (!read_list_params(request, campaigns)) {
        free_campaigns(campaigns);
        return;
    }
    campaigns->request = request;
    if (campaigns->is_of_all)
        options.n_commands += find_months(request->server, campaigns->month_s);
    start(campaigns, &options);
}

/* --- PUT --- */

static void on_put_command(void *owner, size_t index, struct fetch_command *command)
{
    struct campaigns *campaigns = owner;

    (void)index;
    command->key = counter_key_slice(&campaigns->key);
    command->argc = 4;
    command->argv[0] = slice_of("HSET");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(campaigns->id_text);
    command->argv[3] = slice_of(campaigns->name);
}

static void on_put_answer(void *owner, size_t index, const struct redisReply *answer)
{
    (void)owner;
    (void)index;
    (void)answer;
}

static void on_put_done(void *owner, const char *cause)
{
    struct campaigns *campaigns = owner;

    /* Statistics show names, too. */
    cache_clear(campaigns->request->server->cache);
    if (cause) {
        request_fail_redis(campaigns->request, cause);
    } else {
        log_info("admin.campaign", "key=%s brand=%.*s campaign=%u", campaigns->request->who,
                 SLICE_ARG(campaigns->brand->name), (unsigned)campaigns->id);
        audit_note_request(campaigns->request, AUDIT_NAME, campaigns->brand, 0, "campaign %u: %s",
                           (unsigned)campaigns->id, campaigns->name);
        request_reply_json(campaigns->request, 200,
                           json_pack("{ss# sI ss}", "brand", campaigns->brand->name.ptr,
                                     (int)campaigns->brand->name.len, "id",
                                     (json_int_t)campaigns->id, "name", campaigns->name));
    }
    free_campaigns(campaigns);
}

/* Reads the name; NULL, or what is wrong with it. */
static const char *take_name(struct campaigns *campaigns, const json_t *value)
{
    struct slice name = slice_make(json_string_value(value), json_string_length(value));
    const char *fault;

    if (!name.ptr || name.len == 0 || name.len > NAME_MAX_LEN)
        return "must be a text of 1 to 200 bytes";
    if ((fault = params_text_fault(name)))
        return fault;
    memcpy(campaigns->name, name.ptr, name.len);
    campaigns->name[name.len] = '\0';
    return NULL;
}

/* Reads the body {name, brand}; false: replied to. */
static bool take_body(struct campaigns *campaigns, const json_t *body)
{
    struct request *request = campaigns->request;
    struct slice brand = query_find(&request->query, "brand");
    struct faults faults = {.n = 0};
    const char *key, *wrong;
    json_t *value;

    json_object_foreach((json_t *)body, key, value)
    {
        if (strcmp(key, "name") == 0)
            continue;
        if (strcmp(key, "brand") == 0 && json_is_string(value) && !brand.ptr) {
            brand = slice_make(json_string_value(value), json_string_length(value));
            continue;
        }
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of(key),
                   "does not belong here: the body takes name, and brand as a text, once");
    }
    wrong = take_name(campaigns, json_object_get(body, "name"));
    if (wrong)
        faults_add(&faults, PROBLEM_INVALID_FIELDS, slice_of("name"), wrong);
    if (faults.n > 0) {
        faults_reply(&faults, request);
        return false;
    }
    return (campaigns->brand = params_find_brand(request, brand)) != NULL;
}

/* Reads the number in the path; false: replied to. */
static bool take_id(struct campaigns *campaigns, struct request *request)
{
    if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT16_MAX, &campaigns->id) ||
        campaigns->id == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 65535");
        return false;
    }
    snprintf(campaigns->id_text, sizeof(campaigns->id_text), "%u", campaigns->id);
    campaigns->request = request;
    return true;
}

void campaigns_handle_put(struct request *request)
{
    struct fetch_options options = {.n_commands = 1,
                                    .on_command = on_put_command,
                                    .on_answer = on_put_answer,
                                    .on_done = on_put_done};
    struct campaigns *campaigns;
    json_t *body;

    if (!(body = request_read_json(request)))
        return;
    campaigns = calloc(1, sizeof(*campaigns));
    if (!campaigns)
        request_fail(request, 503, NULL, "out of memory");
    else if (take_id(campaigns, request) && take_body(campaigns, body))
        start(campaigns, &options);
    else
        free(campaigns);
    json_decref(body);
}

/* --- DELETE --- */

static void on_delete_command(void *owner, size_t index, struct fetch_command *command)
{
    struct campaigns *campaigns = owner;

    (void)index;
    command->key = counter_key_slice(&campaigns->key);
    command->argc = 3;
    command->argv[0] = slice_of("HDEL");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(campaigns->id_text);
}

static void on_delete_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct campaigns *campaigns = owner;

    (void)index;
    campaigns->had_name = answer->type == REDIS_REPLY_INTEGER && answer->integer > 0;
}

static void on_delete_done(void *owner, const char *cause)
{
    struct campaigns *campaigns = owner;
    const struct reply none = {.status = 204, .type = "text/plain"};

    cache_clear(campaigns->request->server->cache);
    if (cause) {
        request_fail_redis(campaigns->request, cause);
    } else if (!campaigns->had_name) {
        request_fail(campaigns->request, 404, NULL, "the campaign has no name");
    } else {
        log_info("admin.campaign", "key=%s brand=%.*s campaign=%u unnamed=1",
                 campaigns->request->who, SLICE_ARG(campaigns->brand->name),
                 (unsigned)campaigns->id);
        audit_note_request(campaigns->request, AUDIT_NAME, campaigns->brand, 0,
                           "campaign %u: no name", (unsigned)campaigns->id);
        request_reply(campaigns->request, &none);
    }
    free_campaigns(campaigns);
}

void campaigns_handle_delete(struct request *request)
{
    struct fetch_options options = {.n_commands = 1,
                                    .on_command = on_delete_command,
                                    .on_answer = on_delete_answer,
                                    .on_done = on_delete_done};
    struct campaigns *campaigns = calloc(1, sizeof(*campaigns));

    if (!campaigns)
        request_fail(request, 503, NULL, "out of memory");
    else if (take_id(campaigns, request) &&
             (campaigns->brand = params_find_brand(request, query_find(&request->query, "brand"))))
        start(campaigns, &options);
    else
        free(campaigns);
}
