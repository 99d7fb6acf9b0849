/* The names of campaigns: clicks know their numbers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "service/admin/cache.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/log.h"
#include "service/config/site.h"

enum { NAME_MAX_LEN = 200 };

struct campaigns {
    struct request *request;
    const struct brand *brand;
    struct counter_key key;
    json_t *list; /* of GET */
    uint32_t id;  /* of PUT */
    char id_text[12];
    char name[NAME_MAX_LEN + 1];
};

static void free_campaigns(struct campaigns *campaigns)
{
    json_decref(campaigns->list);
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
    options->n_commands = 1;
    fetch_start(request->server->fetches, options);
}

/* --- GET --- */

static void on_list_command(void *owner, size_t index, struct fetch_command *command)
{
    struct campaigns *campaigns = owner;

    (void)index;
    command->key = counter_key_slice(&campaigns->key);
    command->argc = 2;
    command->argv[0] = slice_of("HGETALL");
    command->argv[1] = command->key;
}

static void on_list_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct campaigns *campaigns = owner;

    (void)index;
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i], *name = answer->element[i + 1];

        if (id->type == REDIS_REPLY_STRING && name->type == REDIS_REPLY_STRING)
            json_array_append_new(campaigns->list,
                                  json_pack("{sI ss#}", "id", (json_int_t)atoll(id->str), "name",
                                            name->str, (int)name->len));
    }
}

static int by_id(const void *a, const void *b)
{
    json_int_t ia = json_integer_value(json_object_get(*(json_t *const *)a, "id"));
    json_int_t ib = json_integer_value(json_object_get(*(json_t *const *)b, "id"));

    return ia < ib ? -1 : ia > ib;
}

/* A new reference; NULL: no memory. */
static json_t *sorted(const json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = calloc(n ? n : 1, sizeof(json_t *));
    json_t *out = items ? json_array() : NULL;

    for (size_t i = 0; out && i < n; i++)
        items[i] = json_array_get(list, i);
    if (out)
        qsort(items, n, sizeof(json_t *), by_id);
    for (size_t i = 0; out && i < n; i++)
        json_array_append(out, items[i]);
    free(items);
    return out;
}

static void on_list_done(void *owner, const char *cause)
{
    struct campaigns *campaigns = owner;

    if (cause)
        request_fail_redis(campaigns->request, cause);
    else
        request_reply_json(campaigns->request, 200,
                           json_pack("{ss# so}", "brand", campaigns->brand->name.ptr,
                                     (int)campaigns->brand->name.len, "campaigns",
                                     sorted(campaigns->list)));
    free_campaigns(campaigns);
}

void campaigns_handle_list(struct request *request)
{
    struct fetch_options options = {
        .on_command = on_list_command, .on_answer = on_list_answer, .on_done = on_list_done};
    const struct brand *brand = params_find_brand(request, query_find(&request->query, "brand"));
    struct campaigns *campaigns;

    if (!brand)
        return;
    campaigns = calloc(1, sizeof(*campaigns));
    if (!campaigns || !(campaigns->list = json_array())) {
        free(campaigns);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    campaigns->request = request;
    campaigns->brand = brand;
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
    if (!cause)
        log_info("admin.campaign", "key=%s brand=%.*s campaign=%u", campaigns->request->key_name,
                 SLICE_ARG(campaigns->brand->name), (unsigned)campaigns->id);
    if (cause)
        request_fail_redis(campaigns->request, cause);
    else
        request_reply_json(campaigns->request, 200,
                           json_pack("{ss# sI ss}", "brand", campaigns->brand->name.ptr,
                                     (int)campaigns->brand->name.len, "id",
                                     (json_int_t)campaigns->id, "name", campaigns->name));
    free_campaigns(campaigns);
}

/* Reads the name; NULL, or what is wrong with it. */
static const char *take_name(struct campaigns *campaigns, const json_t *value)
{
    struct slice name = slice_make(json_string_value(value), json_string_length(value));
    gunichar first, last;

    if (!name.ptr || name.len == 0 || name.len > NAME_MAX_LEN)
        return "must be a text of 1 to 200 bytes";
    if (!query_is_clean_text(name))
        return "must not hold control characters";
    /* A name with invisible characters at its ends can't be found on a page or told from another.
     */
    first = g_utf8_get_char(name.ptr);
    last = g_utf8_get_char(g_utf8_prev_char(name.ptr + name.len));
    if (g_unichar_isspace(first) || g_unichar_iszerowidth(first) || g_unichar_isspace(last))
        return "must not begin or end with a blank";
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

void campaigns_handle_put(struct request *request)
{
    struct fetch_options options = {
        .on_command = on_put_command, .on_answer = on_put_answer, .on_done = on_put_done};
    struct campaigns *campaigns;
    json_t *body;

    if (!(body = request_read_json(request)))
        return;
    campaigns = calloc(1, sizeof(*campaigns));
    if (!campaigns) {
        request_fail(request, 503, NULL, "out of memory");
    } else if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT16_MAX,
                                 &campaigns->id) ||
               campaigns->id == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 65535");
        free(campaigns);
    } else {
        campaigns->request = request;
        snprintf(campaigns->id_text, sizeof(campaigns->id_text), "%u", campaigns->id);
        if (take_body(campaigns, body))
            start(campaigns, &options);
        else
            free(campaigns);
    }
    json_decref(body);
}
