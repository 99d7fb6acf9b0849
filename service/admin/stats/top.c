/* The links, objects and clients with the most clicks of all time.  No ranking is stored.  All
 * tables are read one after the other, each with what was added to it, and summed up.  So the
 * answer is exact, and only one table at a time is in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/table.h"
#include "service/admin/auth.h"
#include "service/admin/cache.h"
#include "service/admin/clicks.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/stats_rows.h"
#include "service/base/clock.h"
#include "service/config/site.h"
#include "service/ledger/ledger.h"

enum { LIMIT_DEFAULT = 10, LIMIT_MAX = 100, CACHE_KEY_MAX = 160, QUAD_SHIFT = 56 };

static const char *const names[COUNTER_TABLES] = {
    [COUNTER_LINKS] = "links", [COUNTER_OBJECTS] = "objects", [COUNTER_CLIENTS] = "clients"};

struct top {
    struct request *request;
    enum counter_table table;
    const struct brand *brand; /* NULL for links, because their tables don't hold the brand */
    uint8_t kind;              /* 0 = all */
    bool by_human, failed;
    size_t limit, n;
    struct stats_row best[LIMIT_MAX]; /* the n best rows so far, best first */
    struct counter_key keys[2];
    int64_t asked_ms;
    char cache_key[CACHE_KEY_MAX];
};

static int64_t score(const struct top *top, const struct stats_row *row)
{
    return top->by_human ? row->clicks.human : clicks_total(&row->clicks);
}

/* Inserts a row if it is among the best; of equal rows the one found first stays ahead. */
static void offer(struct top *top, const struct stats_row *row)
{
    size_t at = top->n;

    if (score(top, row) <= 0 ||
        (top->n == top->limit && score(top, row) <= score(top, &top->best[top->n - 1])))
        return;
    while (at > 0 && score(top, row) > score(top, &top->best[at - 1]))
        at--;
    if (top->n < top->limit)
        top->n++;
    memmove(&top->best[at + 1], &top->best[at], (top->n - 1 - at) * sizeof(top->best[0]));
    top->best[at] = *row;
}

/* Of what was added to four tables, or of a table, the records of the bucket. */
static void sum_links(struct slice table, unsigned bucket, struct stats_rows *rows)
{
    struct table_link link;
    uint64_t id_low;

    for (size_t at = 0; table_next_link(table, &at, &id_low, &link);) {
        uint64_t id = (uint64_t)(bucket / COUNTER_QUAD) << QUAD_SHIFT | id_low;
        const uint32_t key[2] = {(uint32_t)(id >> 32), (uint32_t)id};

        if (counter_bucket_of_link(id) != bucket)
            continue;
        stats_rows_add(rows, key, link.human, false);
        stats_rows_add(rows, key, link.automated, true);
    }
}

static void sum_items(const struct top *top, struct slice table, unsigned bucket,
                      struct stats_rows *rows)
{
    struct table_increment item;

    for (size_t at = 0; table_next_item(table, &at, &item);) {
        if (item.brand == top->brand->id && (top->kind == 0 || top->kind == item.kind) &&
            counter_bucket_of_item(item.brand, item.number) == bucket)
            stats_rows_add(rows, (const uint32_t[2]){item.number, 0}, item.count, item.automated);
    }
}

static void on_top_command(void *owner, size_t index, struct fetch_command *command)
{
    struct top *top = owner;
    unsigned bucket = (unsigned)index, n_shards = top->request->server->n_shards;

    counter_key_table(&top->keys[0], top->table, bucket, n_shards);
    counter_key_added(&top->keys[1], top->table, bucket / COUNTER_QUAD, n_shards);
    command->key = counter_key_slice(&top->keys[0]);
    command->argc = 3;
    command->argv[0] = slice_of("MGET");
    command->argv[1] = command->key;
    command->argv[2] = counter_key_slice(&top->keys[1]);
}

/* They hold all counts of their links or items, so each table can be handled on its own. */
static void on_top_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct top *top = owner;
    struct stats_rows rows;

    stats_rows_init(&rows);
    for (size_t i = 0; i < 2; i++) {
        if (top->table == COUNTER_LINKS)
            sum_links(fetch_text_at(answer, i), (unsigned)index, &rows);
        else
            sum_items(top, fetch_text_at(answer, i), (unsigned)index, &rows);
    }
    for (size_t i = 0; i < rows.n; i++) {
        rows.rows[i].clicks = clicks_settled(rows.rows[i].clicks);
        offer(top, &rows.rows[i]);
    }
    top->failed = top->failed || rows.failed;
    stats_rows_clear(&rows);
}

static json_t *row_json(const struct top *top, const struct stats_row *row)
{
    json_t *object = clicks_json(&row->clicks);
    char id[LINKS_ID_MAX];

    if (top->table == COUNTER_LINKS)
        json_object_set_new(
            object, "id",
            json_string(links_id_text((uint64_t)row->key[0] << 32 | row->key[1], id)));
    else
        json_object_set_new(object, "id", json_integer(row->key[0]));
    return object;
}

static char *top_text(const struct top *top)
{
    json_t *rows = json_array(), *body;
    char *text;

    for (size_t i = 0; i < top->n; i++)
        json_array_append_new(rows, row_json(top, &top->best[i]));
    body = json_pack("{ss so ss so}", "of", names[top->table], "brand",
                     top->brand ? json_stringn(top->brand->name.ptr, top->brand->name.len)
                                : json_null(),
                     "sort", top->by_human ? "human" : "total", "rows", rows);
    text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

static void on_top_done(void *owner, const char *cause)
{
    struct top *top = owner;
    char *text = cause || top->failed ? NULL : top_text(top);
    struct reply reply = {.status = 200, .type = "application/json", .body = slice_of(text)};

    top->request->server->n_tops--;
    reply.etag_of = reply.body;
    if (text)
        cache_put(top->request->server->cache, slice_of(top->cache_key), &reply, top->asked_ms,
                  clock_mono_ms());
    if (text)
        request_reply(top->request, &reply);
    else
        request_fail_redis(top->request, cause ? cause : "too much to sum up");
    free(text);
    free(top);
}

static bool take_table(struct top *top)
{
    struct slice name = slice_make(top->request->arg, top->request->arg_len);

    for (unsigned i = 0; i < COUNTER_TABLES; i++) {
        if (slice_equal(name, slice_of(names[i]))) {
            top->table = (enum counter_table)i;
            return true;
        }
    }
    request_fail(top->request, 404, NULL, "there are links, objects and clients");
    return false;
}

/* Refuses filters for links, whose brand and kind are only in the token. */
static void take_filters(struct top *top, struct faults *faults)
{
    static const char not_of_links[] = "is not counted of links; ask for objects or clients";
    struct slice brand = query_find(&top->request->query, "brand");
    struct slice kind = query_find(&top->request->query, "kind");
    char quoted[REQUEST_QUOTE_MAX], rest[REQUEST_DETAIL_MAX];

    if (top->table == COUNTER_LINKS) {
        if (brand.ptr)
            faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("brand"), not_of_links);
        if (kind.ptr)
            faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("kind"), not_of_links);
        if (top->request->brands) {
            snprintf(rest, sizeof(rest),
                     "links are counted without their brand, and %s is for some brands only; ask "
                     "for objects or clients",
                     auth_whose(top->request->who));
            faults_add(faults, PROBLEM_OTHER_BRAND, (struct slice){0}, rest);
        }
        return;
    }
    top->brand = params_take_brand(top->request, brand, faults);
    if (top->brand && kind.ptr && (top->kind = brand_kind_find(top->brand, kind)) == 0) {
        snprintf(rest, sizeof(rest), "%s is no kind of the brand", request_quote(kind, quoted));
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("kind"), rest);
    }
}

static void take_options(struct top *top, struct faults *faults)
{
    struct slice limit = query_find(&top->request->query, "limit");
    struct slice sort = query_find(&top->request->query, "sort");
    uint32_t n = LIMIT_DEFAULT;

    if (limit.ptr && (!number_parse_u32(limit, LIMIT_MAX, &n) || n == 0))
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("limit"),
                   "must be a number from 1 to 100");
    top->limit = n;
    top->by_human = !sort.ptr || slice_equal(sort, slice_of("human"));
    if (!top->by_human && !slice_equal(sort, slice_of("total")))
        faults_add(faults, PROBLEM_INVALID_PARAMETERS, slice_of("sort"), "must be human or total");
}

/* False: replied to. */
static bool take_query(struct top *top)
{
    struct faults faults = {.n = 0};

    faults_add_strays(&faults, top->request);
    take_filters(top, &faults);
    take_options(top, &faults);
    if (faults.n > 0) {
        faults_reply(&faults, top->request);
        return false;
    }
    snprintf(top->cache_key, sizeof(top->cache_key), "top&%s&%08" PRIx32 "&%u&%zu&%d",
             names[top->table], top->brand ? top->brand->id : 0, top->kind, top->limit,
             top->by_human);
    return true;
}

/* Replies from the cache, or with an error when nothing can be read; true: a reply was sent. */
static bool reply_early(struct top *top)
{
    struct request *request = top->request;
    const struct reply *cached =
        cache_find(request->server->cache, slice_of(top->cache_key), clock_mono_ms());

    if (cached)
        request_reply(request, cached);
    else if (!request->server->fetches)
        request_fail_redis(request, "no Redis is configured");
    else if (request->server->n_tops > 0)
        request_fail_redis(request, "another such list is being made");
    else
        return false;
    return true;
}

void top_handle(struct request *request)
{
    struct fetch_options options = {
        .n_commands = COUNTER_BUCKETS,
        .is_long = true,
        .on_command = on_top_command,
        .on_answer = on_top_answer,
        .on_done = on_top_done,
    };
    struct top *top = calloc(1, sizeof(*top));

    if (!top) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    top->request = request;
    top->asked_ms = clock_mono_ms();
    if (!take_table(top) || !take_query(top) || reply_early(top)) {
        free(top);
        return;
    }
    request->server->n_tops++;
    options.owner = top;
    fetch_start(request->server->fetches, &options);
}
