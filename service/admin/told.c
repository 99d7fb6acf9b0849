/* GET /v1/events: what clients asked for on our pages, for the billing system to fetch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "proto/counter.h"
#include "proto/event.h"
#include "proto/number.h"
#include "proto/query.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    STREAM_ID_MAX = 42, /* "1795348800123-0": two numbers of up to 20 digits */
    /* Servers of a cluster have clocks of their own: what is younger may not be all there is up to
     * its time, and whoever went on behind it would miss the rest. */
    SETTLED_MS = 2000,
};

struct told_id {
    uint64_t ms, seq;
};

struct told {
    struct told_id id;
    struct event event;
};

struct telling {
    struct request *request;
    unsigned type; /* enum event_type; 0 = any */
    uint32_t limit, n_max;
    int64_t until_ms; /* ids above are left for the next time */
    char after[STREAM_ID_MAX + 2], count[12];
    struct told_id last;    /* where to go on */
    struct told_id bound;   /* up to here all shards have given all they have */
    struct counter_key key; /* of the command being made */
    size_t n;
    struct told told[];
};

static bool is_after(struct told_id a, struct told_id b)
{
    return a.ms != b.ms ? a.ms > b.ms : a.seq > b.seq;
}

static int by_id(const void *a, const void *b)
{
    const struct told *x = a, *y = b;

    return is_after(x->id, y->id) - is_after(y->id, x->id);
}

/* "1795348800123-0". */
static bool read_id(struct slice text, struct told_id *out)
{
    const char *hyphen = text.len ? memchr(text.ptr, '-', text.len) : NULL;
    size_t n = hyphen ? (size_t)(hyphen - text.ptr) : 0;

    return hyphen && number_parse(slice_make(text.ptr, n), INT64_MAX, &out->ms) &&
           number_parse(slice_make(hyphen + 1, text.len - n - 1), INT64_MAX, &out->seq);
}

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct telling *t = owner;

    counter_key_told(&t->key, (unsigned)index);
    command->key = counter_key_slice(&t->key);
    command->argc = 6;
    command->argv[0] = slice_of("XRANGE");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(t->after);
    command->argv[3] = slice_of("+");
    command->argv[4] = slice_of("COUNT");
    command->argv[5] = slice_of(t->count);
}

/* {id, {'e', event}}. */
static bool read_entry(const struct redisReply *entry, struct told *out)
{
    const struct redisReply *fields;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->type != REDIS_REPLY_STRING ||
        entry->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    fields = entry->element[1];
    return read_id(slice_make(entry->element[0]->str, entry->element[0]->len), &out->id) &&
           fields->elements == 2 && fields->element[1]->type == REDIS_REPLY_STRING &&
           event_told_get(slice_make(fields->element[1]->str, fields->element[1]->len),
                          &out->event);
}

static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct telling *t = owner;

    struct told_id last;

    (void)index;
    if (answer->type == REDIS_REPLY_ARRAY && answer->elements == t->limit &&
        answer->element[t->limit - 1]->type == REDIS_REPLY_ARRAY &&
        answer->element[t->limit - 1]->elements == 2 &&
        read_id(slice_make(answer->element[t->limit - 1]->element[0]->str,
                           answer->element[t->limit - 1]->element[0]->len),
                &last) &&
        is_after(t->bound, last))
        t->bound = last;
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        if (t->n < t->n_max && read_entry(answer->element[i], &t->told[t->n]) &&
            (int64_t)t->told[t->n].id.ms <= t->until_ms)
            t->n++;
    }
}

static json_t *number_or_null(uint32_t number)
{
    return number ? json_integer(number) : json_null();
}

static json_t *told_json(const struct brand *brand, const struct told *told)
{
    const struct event *event = &told->event;
    char id[STREAM_ID_MAX + 1], at[RFC3339_TEXT_MAX], link[LINKS_ID_MAX];
    char variant[2] = {(char)('A' + event->variant - 1), '\0'};
    bool is_renewal = event->type == EVENT_RENEWAL_REQUESTED;

    snprintf(id, sizeof(id), "%llu-%llu", (unsigned long long)told->id.ms,
             (unsigned long long)told->id.seq);
    rfc3339_format(event->at_ms / 1000, 0, at);
    return json_pack(
        "{ss ss ss# ss so so so so ss so so so}", "id", id, "type", event_type_name(event->type),
        "brand", brand->name.ptr, (int)brand->name.len, "at", at, "link",
        event->link_id ? json_string(links_id_text(event->link_id, link)) : json_null(), "object",
        number_or_null(event->object), "client", number_or_null(event->client), "campaign",
        number_or_null(event->campaign), "channel", token_channel_name(event->channel), "variant",
        event->variant ? json_string(variant) : json_null(), "kind",
        is_renewal && brand_kind_name(brand, (uint8_t)event->value)
            ? json_string(brand_kind_name(brand, (uint8_t)event->value))
            : json_null(),
        "text_version", is_renewal ? json_null() : number_or_null(event->value));
}

/* The oldest of all shards first, as many as were asked for. */
static void reply(struct telling *t)
{
    json_t *rows = json_array();
    char next[STREAM_ID_MAX + 1];

    qsort(t->told, t->n, sizeof(t->told[0]), by_id);
    for (size_t i = 0; rows && i < t->n && !is_after(t->told[i].id, t->bound); i++) {
        const struct told *told = &t->told[i];
        const struct brand *brand = params_find_brand_id(t->request, told->event.brand);

        /* Two shards may have entries of one id: whoever goes on behind it must have both. */
        if (json_array_size(rows) >= t->limit && is_after(told->id, t->last))
            break;
        t->last = told->id;
        if (brand && (t->type == 0 || told->event.type == t->type))
            json_array_append_new(rows, told_json(brand, told));
    }
    snprintf(next, sizeof(next), "%llu-%llu", (unsigned long long)t->last.ms,
             (unsigned long long)t->last.seq);
    request_reply_json(t->request, 200, json_pack("{so ss}", "events", rows, "next", next));
}

static void on_done(void *owner, const char *cause)
{
    struct telling *t = owner;

    if (cause)
        request_fail_redis(t->request, cause);
    else
        reply(t);
    free(t);
}

/* False: replied to. */
static bool read_params(struct request *request, unsigned *type, struct told_id *after,
                        uint32_t *limit)
{
    struct slice type_text = query_find(&request->query, "type");
    struct slice after_text = query_find(&request->query, "after");
    struct slice limit_text = query_find(&request->query, "limit");

    *type = type_text.ptr ? event_type_find(type_text) : 0;
    *after = (struct told_id){0};
    *limit = LIMIT_DEFAULT;
    if (type_text.ptr && !event_is_told((enum event_type) * type))
        request_fail(request, 400, "type", "must be %s or %s",
                     event_type_name(EVENT_RENEWAL_REQUESTED), event_type_name(EVENT_OPTED_OUT));
    else if (after_text.ptr && !read_id(after_text, after))
        request_fail(request, 400, "after", "must be a `next` or an `id` as they were answered");
    else if (limit_text.ptr && (!number_parse_u32(limit_text, LIMIT_MAX, limit) || *limit == 0))
        request_fail(request, 400, "limit", "must be a number from 1 to %d", (int)LIMIT_MAX);
    else
        return true;
    return false;
}

void told_handle(struct request *request)
{
    unsigned n_shards = request->server->n_shards, type;
    struct fetch_options fetch = {.n_commands = n_shards,
                                  .on_command = on_command,
                                  .on_answer = on_answer,
                                  .on_done = on_done};
    struct told_id after;
    struct telling *t;
    uint32_t limit;

    if (!read_params(request, &type, &after, &limit))
        return;
    t = calloc(1, sizeof(*t) + (size_t)limit * n_shards * sizeof(t->told[0]));
    if (!t || !request->server->fetches) {
        request_fail_redis(request, t ? "no Redis is configured" : "out of memory");
        free(t);
        return;
    }
    t->request = request;
    t->type = type;
    t->limit = limit;
    t->n_max = limit * n_shards;
    t->until_ms = n_shards > 1 ? clock_wall_ms() - SETTLED_MS : INT64_MAX;
    t->last = after;
    t->bound = (struct told_id){UINT64_MAX, UINT64_MAX};
    snprintf(t->after, sizeof(t->after), "(%llu-%llu", (unsigned long long)after.ms,
             (unsigned long long)after.seq);
    snprintf(t->count, sizeof(t->count), "%u", limit);
    fetch.owner = t;
    fetch_start(request->server->fetches, &fetch);
}
