/* Objects and clients: the clicks of all their links. */
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/table.h"
#include "service/admin/clicks.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/config/site.h"

/* An object or a client being looked up. */
struct item {
    struct request *request;
    const struct brand *brand;
    uint32_t number;
    uint8_t kind; /* 0 = all */
    struct counter_key table, added;
    struct table_item counts;
};

static struct clicks clicks_of_kind(const struct item *item, unsigned kind)
{
    return clicks_settled((struct clicks){.human = item->counts.human[kind],
                                          .automated = item->counts.automated[kind]});
}

/* The clicks of each kind that has any, by name. */
static json_t *kinds_json(const struct item *item)
{
    json_t *kinds = json_object();

    for (uint8_t kind = 1; kind < TABLE_KINDS; kind++) {
        struct clicks clicks = clicks_of_kind(item, kind);
        const char *name = brand_kind_name(item->brand, kind);
        char number[4];

        if (clicks.human == 0 && clicks.automated == 0)
            continue;
        snprintf(number, sizeof(number), "%u", kind % 100U);
        json_object_set_new(kinds, name ? name : number, clicks_json(&clicks));
    }
    return kinds;
}

static struct clicks sum_kinds(const struct item *item)
{
    struct clicks sum = {0};

    for (unsigned kind = 0; kind < TABLE_KINDS; kind++) {
        struct clicks clicks = clicks_of_kind(item, kind);

        if (item->kind != 0 && item->kind != kind)
            continue;
        sum.human += clicks.human;
        sum.automated += clicks.automated;
    }
    return sum;
}

static void on_item_command(void *owner, size_t index, struct fetch_command *command)
{
    struct item *item = owner;

    (void)index;
    command->key = counter_key_slice(&item->table);
    command->argc = 3;
    command->argv[0] = slice_of("MGET");
    command->argv[1] = command->key;
    command->argv[2] = counter_key_slice(&item->added);
}

static void on_item_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct item *item = owner;

    (void)index;
    (void)table_find_item(fetch_text_at(answer, 0), fetch_text_at(answer, 1), item->brand->id,
                          item->number, &item->counts);
}

static void on_item_done(void *owner, const char *cause)
{
    struct item *item = owner;
    struct clicks clicks = sum_kinds(item);
    json_t *body;

    if (cause) {
        request_fail_redis(item->request, cause);
    } else {
        body = json_pack("{sI ss# ss? so}", "id", (json_int_t)item->number, "brand",
                         item->brand->name.ptr, (int)item->brand->name.len, "kind",
                         item->kind ? brand_kind_name(item->brand, item->kind) : NULL, "clicks",
                         clicks_json(&clicks));
        if (item->kind == 0)
            json_object_set_new(body, "kinds", kinds_json(item));
        request_reply_json(item->request, 200, body);
    }
    free(item);
}

/* Reads what is asked for; false: replied to. */
static bool read_item(struct request *request, struct item *item)
{
    struct slice kind = query_find(&request->query, "kind");
    char quoted[REQUEST_QUOTE_MAX];

    item->brand = params_find_brand(request, query_find(&request->query, "brand"));
    if (!item->brand)
        return false;
    if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT32_MAX, &item->number) ||
        item->number == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 4294967295");
        return false;
    }
    if (kind.ptr && (item->kind = brand_kind_find(item->brand, kind)) == 0) {
        request_fail(request, 400, "kind", "%s is no kind of the brand",
                     request_quote(kind, quoted));
        return false;
    }
    return true;
}

static void handle(struct request *request, enum counter_table table)
{
    struct fetch_options options = {
        .n_commands = 1,
        .on_command = on_item_command,
        .on_answer = on_item_answer,
        .on_done = on_item_done,
    };
    struct item want = {.request = request};
    struct item *item;
    unsigned bucket;

    if (!read_item(request, &want))
        return;
    item = malloc(sizeof(*item));
    if (!item || !request->server->fetches) {
        free(item);
        request_fail_redis(request, "no Redis is configured");
        return;
    }
    *item = want;
    bucket = counter_bucket_of_item(item->brand->id, item->number);
    counter_key_table(&item->table, table, bucket, request->server->n_shards);
    counter_key_added(&item->added, table, bucket / COUNTER_QUAD, request->server->n_shards);
    options.owner = item;
    fetch_start(request->server->fetches, &options);
}

void object_handle(struct request *request)
{
    handle(request, COUNTER_OBJECTS);
}

void client_handle(struct request *request)
{
    handle(request, COUNTER_CLIENTS);
}
