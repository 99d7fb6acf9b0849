#include "service/admin/kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <hiredis/hiredis.h>
#include <sodium.h>

#include "proto/rfc3339.h"
#include "service/admin/fetch.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/brand.h"

struct job {
    struct request *request;
    struct kept_wish wish;
    struct counter_key key;
    char id[KEPT_ID_LEN + 1]; /* of the one that it is about; "" = there can't be one */
    json_t *items;            /* what was read, by id */
    json_t *over;             /* ids of those that are to be forgotten */
    char *text;               /* what is written; NULL = it is taken out */
};

static void free_job(struct job *job)
{
    json_decref(job->wish.given);
    json_decref(job->items);
    json_decref(job->over);
    free(job->text);
    free(job);
}

static void succeed(struct job *job)
{
    job->wish.done(job->request, job->wish.brand, job->items);
    free_job(job);
}

static void fail_memory(struct job *job)
{
    request_fail(job->request, 503, NULL, "out of memory");
    free_job(job);
}

/* --- the second step: what has changed is written --- */

static void on_write_command(void *owner, size_t index, struct fetch_command *command)
{
    struct job *job = owner;
    bool is_last = index == json_array_size(job->over);

    command->key = counter_key_slice(&job->key);
    command->argv[0] = slice_of(is_last && job->text ? "HSET" : "HDEL");
    command->argv[1] = command->key;
    command->argv[2] =
        slice_of(is_last ? job->id : json_string_value(json_array_get(job->over, index)));
    command->argv[3] = slice_of(job->text);
    command->argc = is_last && job->text ? 4 : 3;
}

static void on_write_answer(void *owner, size_t index, const struct redisReply *answer)
{
    (void)owner;
    (void)index;
    (void)answer;
}

static void on_written(void *owner, const char *cause)
{
    struct job *job = owner;

    if (!cause) {
        succeed(job);
        return;
    }
    request_fail_redis(job->request, cause);
    free_job(job);
}

/* `item` is all that `done` will see.  It goes to Redis, or out of it. */
static void write_item(struct job *job, json_t *item)
{
    struct fetch_options options = {.n_commands = json_array_size(job->over) + 1,
                                    .owner = job,
                                    .on_command = on_write_command,
                                    .on_answer = on_write_answer,
                                    .on_done = on_written};
    json_t *only = json_pack("{sO}", job->id, item);

    if (job->wish.deed != KEPT_REMOVE)
        job->text = json_dumps(item, JSON_COMPACT);
    json_decref(job->items);
    job->items = only;
    if (!only || (job->wish.deed != KEPT_REMOVE && !job->text)) {
        fail_memory(job);
        return;
    }
    fetch_start(job->request->server->fetches, &options);
}

static void add(struct job *job)
{
    size_t n = json_object_size(job->items);
    char made[RFC3339_TEXT_MAX];
    uint8_t id[KEPT_ID_LEN / 2];

    if (n >= job->wish.sort->max) {
        request_fail_as(job->request, PROBLEM_FORBIDDEN, NULL,
                        "the brand has %zu %ss, as many as it may have: delete one first", n,
                        job->wish.sort->what);
        free_job(job);
        return;
    }
    randombytes_buf(id, sizeof(id));
    sodium_bin2hex(job->id, sizeof(job->id), id, sizeof(id));
    json_object_set_new(job->wish.given, "by", json_string(job->request->who));
    json_object_set_new(job->wish.given, "made_at",
                        json_string(rfc3339_format(clock_wall_ms() / 1000, 0, made)));
    write_item(job, job->wish.given);
}

/* --- the first step: what there is is read --- */

static void on_read_command(void *owner, size_t index, struct fetch_command *command)
{
    struct job *job = owner;
    bool is_one = job->wish.deed == KEPT_FIND;

    (void)index;
    command->key = counter_key_slice(&job->key);
    command->argv[0] = slice_of(is_one ? "HGET" : "HGETALL");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(job->id);
    command->argc = is_one ? 3 : 2;
}

/* What this version can't read stays in Redis, and isn't shown. */
static void take_item(struct job *job, struct slice id, const struct redisReply *text)
{
    json_t *item = json_loadb(text->str, text->len, 0, NULL);

    if (!json_is_object(item)) {
        json_decref(item);
    } else if (job->wish.sort->is_over && job->wish.sort->is_over(item)) {
        json_array_append_new(job->over, json_stringn(id.ptr, id.len));
        json_decref(item);
    } else {
        json_object_setn_new(job->items, id.ptr, id.len, item);
    }
}

static void on_read_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct job *job = owner;

    (void)index;
    if (answer->type == REDIS_REPLY_STRING)
        take_item(job, slice_of(job->id), answer);
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i];

        take_item(job, slice_make(id->str, id->len), answer->element[i + 1]);
    }
}

/* Whether another one has what no two may have alike. */
static bool is_taken(const struct job *job)
{
    const char *unique = job->wish.sort->unique, *id;
    const json_t *wanted = unique ? json_object_get(job->wish.given, unique) : NULL;
    json_t *item;

    json_object_foreach(job->items, id, item)
    {
        if (wanted && strcmp(id, job->id) != 0 && json_equal(wanted, json_object_get(item, unique)))
            return true;
    }
    return false;
}

static void change(struct job *job, json_t *item)
{
    if (!item) {
        request_fail(job->request, 404, NULL, "the brand has no %s of that id",
                     job->wish.sort->what);
        free_job(job);
    } else if (json_object_update(item, job->wish.given ? job->wish.given : item) != 0) {
        fail_memory(job);
    } else {
        write_item(job, item);
    }
}

static void on_read(void *owner, const char *cause)
{
    struct job *job = owner;

    if (cause) {
        request_fail_redis(job->request, cause);
        free_job(job);
    } else if (job->wish.deed == KEPT_LIST || job->wish.deed == KEPT_FIND) {
        succeed(job);
    } else if (is_taken(job)) {
        request_fail_as(job->request, PROBLEM_INVALID_FIELDS, job->wish.sort->unique,
                        "is already that of another %s", job->wish.sort->what);
        free_job(job);
    } else if (job->wish.deed == KEPT_ADD) {
        add(job);
    } else {
        change(job, json_object_get(job->items, job->id));
    }
}

void kept_do(struct request *request, const struct kept_wish *wish)
{
    struct fetch_options options = {.n_commands = 1,
                                    .on_command = on_read_command,
                                    .on_answer = on_read_answer,
                                    .on_done = on_read};
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        json_decref(wish->given);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    job->request = request;
    job->wish = *wish;
    job->items = json_object();
    job->over = json_array();
    if (wish->id.len == KEPT_ID_LEN)
        memcpy(job->id, wish->id.ptr, KEPT_ID_LEN);
    if (!job->items || !job->over) {
        fail_memory(job);
        return;
    }
    if (!request->server->fetches) {
        request_fail_redis(request, "no Redis is configured");
        free_job(job);
        return;
    }
    counter_key_kept(&job->key, wish->sort->key, wish->brand->id);
    options.owner = job;
    fetch_start(request->server->fetches, &options);
}

/* --- texts, and items as the API shows them --- */

const char *kept_text_fault(const json_t *value, size_t max, char out[static 64])
{
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    size_t n = text.ptr ? (size_t)g_utf8_strlen(text.ptr, (gssize)text.len) : 0;

    if (n == 0 || n > max) {
        snprintf(out, 64, "must be a text of 1 to %zu characters", max);
        return out;
    }
    return params_text_fault(text);
}

json_t *kept_json(const char *id, const struct brand *brand, const json_t *item)
{
    json_t *json = json_pack("{ss ss#}", "id", id, "brand", brand->name.ptr, (int)brand->name.len);

    if (json)
        json_object_update(json, (json_t *)item);
    return json;
}

json_t *kept_only_json(const struct brand *brand, json_t *items)
{
    void *first = json_object_iter(items);

    return kept_json(json_object_iter_key(first), brand, json_object_iter_value(first));
}

void kept_hide_maker(json_t *item)
{
    json_object_del(item, "by");
    json_object_del(item, "made_at");
}

struct sorted {
    const char *id, *by;
    json_t *item;
};

static int by_text(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int order = strcmp(x->by, y->by);

    return order ? order : strcmp(x->id, y->id);
}

json_t *kept_list_json(const struct brand *brand, json_t *items, const char *by)
{
    struct sorted *sorted = calloc(json_object_size(items) + 1, sizeof(*sorted));
    json_t *list = json_array(), *item;
    const char *id;
    size_t n = 0;

    json_object_foreach(items, id, item)
    {
        const char *text = json_string_value(json_object_get(item, by));

        if (sorted)
            sorted[n++] = (struct sorted){.id = id, .by = text ? text : "", .item = item};
    }
    if (sorted)
        qsort(sorted, n, sizeof(*sorted), by_text);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, kept_json(sorted[i].id, brand, sorted[i].item));
    free(sorted);
    return list;
}
