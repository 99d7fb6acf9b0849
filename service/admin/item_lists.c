/* GET /v1/objects and GET /v1/clients: those of which something is kept, page by page.
 *
 * Kept are the clicks of each (tables in Redis) and what events and revocations say of them (the
 * state table).  Both know a number by its bucket, so the list goes bucket by bucket, and by number
 * in each: a page ends anywhere, and the next one needs no memory of it. */
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "proto/state.h"
#include "proto/table.h"
#include "service/admin/clicks.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/stats_rows.h"
#include "service/config/site.h"
#include "service/state/state_table.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    CHUNK = 16, /* buckets that are read at a time */
    NUMBER_BITS = 32,
};

struct list {
    struct request *request;
    const struct brand *brand;
    enum counter_table table; /* COUNTER_OBJECTS or COUNTER_CLIENTS */
    size_t limit;
    unsigned bucket, n_buckets; /* of this chunk */
    uint64_t page;              /* bucket and number that the page begins at */
    struct stats_rows rows;     /* of this chunk, by bucket and number */
    /* Of the numbers that something was said of those that may be in the page, as `page` is. */
    uint64_t told[2 * (LIMIT_MAX + 1)];
    size_t n_told;
    json_t *items;
    struct counter_key keys[2];
};

static void read_chunk(struct list *list);

static void free_list(struct list *list)
{
    stats_rows_clear(&list->rows);
    json_decref(list->items);
    free(list);
}

/* --- what is kept --- */

static bool is_of_table(const struct list *list, enum state_type type)
{
    if (list->table == COUNTER_CLIENTS)
        return type == STATE_OPTED_OUT || type == STATE_REVOKED_CLIENT;
    return type == STATE_OBJECT || type == STATE_REPLACED_BY || type == STATE_REVOKED_OBJECT;
}

static uint64_t place_of(const struct list *list, uint32_t number)
{
    return (uint64_t)counter_bucket_of_item(list->brand->id, number) << NUMBER_BITS | number;
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Sorts the numbers told, each once, and keeps those that the page and the next one's first can be
 * among: the table may hold ten million. */
static void cut_told(struct list *list)
{
    size_t n = 0;

    qsort(list->told, list->n_told, sizeof(list->told[0]), by_place);
    for (size_t i = 0; i < list->n_told && n <= list->limit; i++) {
        if (n == 0 || list->told[i] != list->told[n - 1])
            list->told[n++] = list->told[i];
    }
    list->n_told = n;
}

static void on_entry(void *owner, const struct state_entry *entry)
{
    struct list *list = owner;
    struct state_subject subject;
    uint64_t place;

    if (!is_of_table(list, state_type(entry->value)) || state_what(entry->value) == 0)
        return;
    state_subject(entry, &subject);
    if (subject.brand != list->brand->id)
        return;
    place = place_of(list, (uint32_t)subject.id);
    if (place < list->page)
        return;
    if (list->n_told == sizeof(list->told) / sizeof(list->told[0]))
        cut_told(list);
    list->told[list->n_told++] = place;
}

static void add(struct list *list, uint64_t place, int64_t n, bool automated)
{
    unsigned bucket = (unsigned)(place >> NUMBER_BITS);
    const uint32_t key[2] = {bucket, (uint32_t)place};

    if (place >= list->page && bucket >= list->bucket && bucket < list->bucket + list->n_buckets)
        stats_rows_add(&list->rows, key, n, automated);
}

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct list *list = owner;
    unsigned bucket = list->bucket + (unsigned)index, n_shards = list->request->server->n_shards;

    counter_key_table(&list->keys[0], list->table, bucket, n_shards);
    counter_key_added(&list->keys[1], list->table, bucket / COUNTER_QUAD, n_shards);
    command->key = counter_key_slice(&list->keys[0]);
    command->argc = 3;
    command->argv[0] = slice_of("MGET");
    command->argv[1] = command->key;
    command->argv[2] = counter_key_slice(&list->keys[1]);
}

/* What was added is that of four tables, and so comes four times. */
static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct list *list = owner;
    struct table_increment item;

    for (size_t i = 0; i < 2; i++) {
        struct slice table = fetch_text_at(answer, i);

        for (size_t at = 0; table_next_item(table, &at, &item);) {
            uint64_t place = place_of(list, item.number);

            if (item.brand == list->brand->id && place >> NUMBER_BITS == list->bucket + index)
                add(list, place, item.count, item.automated);
        }
    }
}

/* --- the answer --- */

static uint64_t find_state(const struct list *list, enum state_type type, uint32_t number)
{
    const struct state_subject subject = {type, list->brand->id, number};

    return state_table_find(list->request->server->sources.states, &subject);
}

static json_t *item_json(const struct list *list, const struct stats_row *row)
{
    bool is_client = list->table == COUNTER_CLIENTS;
    struct clicks clicks = clicks_settled(row->clicks);
    uint32_t number = row->key[1];
    uint64_t revoked =
        find_state(list, is_client ? STATE_REVOKED_CLIENT : STATE_REVOKED_OBJECT, number);
    json_t *item = json_pack("{sI so sb}", "id", (json_int_t)number, "clicks", clicks_json(&clicks),
                             "revoked", state_what(revoked) != 0);
    uint32_t replaced;

    if (is_client) {
        json_object_set_new(
            item, "opted_out",
            json_boolean(state_what(find_state(list, STATE_OPTED_OUT, number)) != 0));
        return item;
    }
    replaced = state_what(find_state(list, STATE_REPLACED_BY, number));
    json_object_set_new(item, "replaced_by", replaced ? json_integer(replaced) : json_null());
    if (replaced)
        json_object_set_new(item, "state", json_string(state_object_name(STATE_REPLACED)));
    else
        json_object_set_new(
            item, "state",
            json_pack("s?", state_object_name(state_what(find_state(list, STATE_OBJECT, number)))));
    return item;
}

static void reply(struct list *list, bool has_more)
{
    struct slice brand = list->brand->name;
    json_t *next = has_more ? json_integer((json_int_t)list->page) : json_null();

    request_reply_json(list->request, 200,
                       json_pack("{ss# sO so}", "brand", brand.ptr, (int)brand.len,
                                 list->table == COUNTER_CLIENTS ? "clients" : "objects",
                                 list->items, "next_page", next));
    free_list(list);
}

static void on_done(void *owner, const char *cause)
{
    struct list *list = owner;

    if (cause || list->rows.failed) {
        request_fail_redis(list->request, cause ? cause : "too much to sum up");
        free_list(list);
        return;
    }
    for (size_t i = 0; i < list->n_told; i++)
        add(list, list->told[i], 0, false);
    stats_rows_sort(&list->rows, true);
    for (size_t i = 0; i < list->rows.n; i++) {
        const struct stats_row *row = &list->rows.rows[i];

        if (json_array_size(list->items) == list->limit) {
            list->page = (uint64_t)row->key[0] << NUMBER_BITS | row->key[1];
            reply(list, true);
            return;
        }
        json_array_append_new(list->items, item_json(list, row));
    }
    list->bucket += list->n_buckets;
    if (list->bucket == COUNTER_BUCKETS)
        reply(list, false);
    else
        read_chunk(list);
}

static void read_chunk(struct list *list)
{
    struct fetch_options options = {
        .on_command = on_command, .on_answer = on_answer, .on_done = on_done, .owner = list};

    if (atomic_load(&list->request->gone)) {
        request_drop(list->request);
        free_list(list);
        return;
    }
    list->n_buckets = COUNTER_BUCKETS - list->bucket;
    if (list->n_buckets > CHUNK)
        list->n_buckets = CHUNK;
    options.n_commands = list->n_buckets;
    stats_rows_clear(&list->rows);
    stats_rows_init(&list->rows);
    fetch_start(list->request->server->fetches, &options);
}

/* False: replied to. */
static bool read_params(struct request *request, uint32_t *limit, uint64_t *page)
{
    struct slice limit_text = query_find(&request->query, "limit");
    struct slice page_text = query_find(&request->query, "page");
    struct faults faults = {.n = 0};

    faults_add_strays(&faults, request);
    *limit = LIMIT_DEFAULT;
    *page = 0;
    if (limit_text.ptr && (!number_parse_u32(limit_text, LIMIT_MAX, limit) || *limit == 0))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("limit"),
                   "must be a number from 1 to 1000");
    if (page_text.ptr &&
        !number_parse(page_text, ((uint64_t)COUNTER_BUCKETS << NUMBER_BITS) - 1, page))
        faults_add(&faults, PROBLEM_INVALID_PARAMETERS, slice_of("page"),
                   "must be what `next_page` of the page before said");
    if (faults.n == 0)
        return true;
    faults_reply(&faults, request);
    return false;
}

static void handle(struct request *request, enum counter_table table)
{
    const struct brand *brand;
    struct list *list;
    uint32_t limit;
    uint64_t page;

    if (!read_params(request, &limit, &page) ||
        !(brand = params_find_brand(request, query_find(&request->query, "brand"))))
        return;
    list = calloc(1, sizeof(*list));
    if (!list || !(list->items = json_array())) {
        free(list);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (!request->server->fetches) {
        free_list(list);
        request_fail_redis(request, "no Redis is configured");
        return;
    }
    list->request = request;
    list->brand = brand;
    list->table = table;
    list->limit = limit;
    list->page = page;
    list->bucket = (unsigned)(page >> NUMBER_BITS);
    stats_rows_init(&list->rows);
    if (request->server->sources.states)
        state_table_walk(request->server->sources.states, on_entry, list);
    cut_told(list);
    read_chunk(list);
}

void object_handle_list(struct request *request)
{
    handle(request, COUNTER_OBJECTS);
}

void client_handle_list(struct request *request)
{
    handle(request, COUNTER_CLIENTS);
}
