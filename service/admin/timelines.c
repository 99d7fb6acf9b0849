/* GET /v1/objects/{id}/timeline and /v1/clients/{id}/timeline: all that is kept of an object or a
 * client, the newest first.
 *
 * Of an invoice there are facts (mails, people's clicks, payments) and its state.  Invoices know
 * their clients, but no list of a client's invoices is kept.  So the invoices with the highest
 * numbers are looked through, and the reply says down to which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/event.h"
#include "proto/funnel.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "proto/state.h"
#include "proto/token.h"
#include "service/admin/audit.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/revocations.h"
#include "service/admin/server.h"
#include "service/config/site.h"
#include "service/state/state_table.h"

enum {
    BLOCKS_MAX = 512, /* that are looked through for one reply: 32,768 invoices */
    ROWS_MAX = 1000,  /* the newest are shown */
    KEPT_MAX = 20000, /* newest entries that are looked through in each stream */
    STREAMS = 2,      /* of a shard: what clients asked for, links that they used up */
};

struct timeline {
    struct request *request;
    const struct brand *brand;
    bool is_client;
    bool is_file;     /* the reply is to be kept: an export */
    uint32_t number;  /* of the client or object */
    uint32_t before;  /* of a client: only blocks below this number; UINT32_MAX: all */
    uint32_t client;  /* of an object, as its facts say */
    uint32_t *blocks; /* to look through, highest first */
    size_t n_blocks, n_room;
    bool has_more; /* blocks below */
    json_t *rows, *objects;
    struct counter_key key;
    char kept_count[12];  /* entries of a stream that are read */
    bool is_oldest_first; /* of the streams: Redis lets us read them in no other order */
    size_t n_rows;        /* before they were read */
};

static void free_timeline(struct timeline *t)
{
    free(t->blocks);
    json_decref(t->rows);
    json_decref(t->objects);
    free(t);
}

/* --- rows --- */

static json_t *new_row(int64_t time_s, const char *type, uint32_t object)
{
    char at[RFC3339_TEXT_MAX];

    return json_pack("{ss ss so}", "at", rfc3339_format(time_s, 0, at), "type", type, "object",
                     object ? json_integer(object) : json_null());
}

/* What a mail and a click say of the campaign. */
static void set_route(json_t *row, const struct funnel_fact *fact)
{
    char variant[2] = {(char)('A' + fact->variant - 1), '\0'};

    json_object_set_new(row, "campaign", json_integer(fact->campaign));
    json_object_set_new(row, "channel", json_string(token_channel_name(fact->channel)));
    json_object_set_new(row, "variant", fact->variant ? json_string(variant) : json_null());
}

static void add_fact(struct timeline *t, uint32_t object, const struct funnel_fact *fact)
{
    json_t *row = NULL;

    switch (fact->type) {
    case FUNNEL_SENT:
        row = new_row(fact->sent_s, "mail.sent", object);
        set_route(row, fact);
        break;
    case FUNNEL_CLICK:
        if (fact->is_taken_back)
            return;
        row = new_row(fact->time_s, "click", object);
        set_route(row, fact);
        json_object_set_new(row, "kind", json_pack("s?", brand_kind_name(t->brand, fact->kind)));
        break;
    case FUNNEL_MONEY:
        row = new_row(fact->time_s, event_type_name(fact->event), object);
        if (fact->currency[0]) {
            json_object_set_new(row, "amount", json_integer(fact->amount));
            json_object_set_new(row, "currency", json_stringn(fact->currency, EVENT_CURRENCY_LEN));
        }
        break;
    case FUNNEL_CLIENT:
    case FUNNEL_MAILS:
        return;
    }
    json_array_append_new(t->rows, row);
}

static uint64_t find_state(const struct timeline *t, enum state_type type, uint32_t number)
{
    const struct state_subject subject = {type, t->brand->id, number};

    return state_table_find(t->request->server->sources.states, &subject);
}

/* The state of an object as events told it; null: nothing was told. */
static json_t *state_json(const struct timeline *t, uint32_t object)
{
    if (state_what(find_state(t, STATE_REPLACED_BY, object)) != 0)
        return json_string(state_object_name(STATE_REPLACED));
    return json_pack("s?", state_object_name(state_what(find_state(t, STATE_OBJECT, object))));
}

/* States and revocations of an object, as far as they are no facts. */
static void add_states(struct timeline *t, uint32_t object)
{
    uint64_t state = find_state(t, STATE_OBJECT, object);
    uint64_t replaced = find_state(t, STATE_REPLACED_BY, object);
    json_t *row;

    if (state_object_name(state_what(state)) && state_what(replaced) == 0) {
        row = new_row(state_at_ms(state) / 1000, "state", object);
        json_object_set_new(row, "state", json_string(state_object_name(state_what(state))));
        json_array_append_new(t->rows, row);
    }
    if (state_what(replaced) != 0) {
        row = new_row(state_at_ms(replaced) / 1000, "state", object);
        json_object_set_new(row, "state", json_string(state_object_name(STATE_REPLACED)));
        json_object_set_new(row, "replaced_by", json_integer(state_what(replaced)));
        json_array_append_new(t->rows, row);
    }
}

static void add_opt_out(struct timeline *t)
{
    const struct state_subject subject = {STATE_OPTED_OUT, t->brand->id, t->number};
    uint64_t value = state_table_find(t->request->server->sources.states, &subject);

    if (value != 0)
        json_array_append_new(
            t->rows, new_row(state_at_ms(value) / 1000,
                             state_what(value) ? "client.opted_out" : "client.opted_in", 0));
}

static void add_revocation(struct timeline *t, json_t *revocation)
{
    json_t *row;

    if (!json_is_object(revocation))
        return;
    row = json_copy(revocation);
    json_object_set_new(row, "type", json_string("revoked"));
    json_object_set_new(row, "object", t->is_client ? json_null() : json_integer(t->number));
    json_array_append_new(t->rows, row);
}

/* --- invoices --- */

static uint32_t client_of(struct slice facts)
{
    struct funnel_fact fact;
    uint32_t client = 0;
    size_t at = 0;

    while (funnel_next_fact(facts, &at, &fact)) {
        if (fact.type == FUNNEL_CLIENT)
            client = fact.client;
    }
    return client;
}

static void take_invoice(struct timeline *t, uint32_t object, struct slice facts)
{
    uint32_t client = client_of(facts);
    struct funnel_fact fact;
    size_t at = 0;

    if (t->is_client ? client != t->number : object != t->number)
        return;
    t->client = client;
    while (funnel_next_fact(facts, &at, &fact))
        add_fact(t, object, &fact);
    if (t->is_client) {
        json_array_append_new(t->objects, json_pack("{sI so}", "id", (json_int_t)object, "state",
                                                    state_json(t, object)));
        add_states(t, object);
    }
}

static void on_block_command(void *owner, size_t index, struct fetch_command *command)
{
    struct timeline *t = owner;

    counter_key_block(&t->key, t->brand->id, t->blocks[index], t->request->server->n_shards);
    command->key = counter_key_slice(&t->key);
    command->argc = 2;
    command->argv[0] = slice_of("GET");
    command->argv[1] = command->key;
}

static void on_block_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct timeline *t = owner;
    struct slice block, facts;
    unsigned number;
    size_t at = 0;

    if (answer->type != REDIS_REPLY_STRING)
        return;
    block = slice_make(answer->str, answer->len);
    while (funnel_next_invoice(block, &at, &number, &facts))
        take_invoice(t, t->blocks[index] * FUNNEL_BLOCK + number, facts);
}

/* --- what the client asked for, and the links that it used up --- */

static void on_kept_command(void *owner, size_t index, struct fetch_command *command)
{
    struct timeline *t = owner;
    unsigned shard = (unsigned)(index / STREAMS);

    if (index % STREAMS == 0)
        counter_key_told(&t->key, shard);
    else
        counter_key_used(&t->key, shard);
    command->key = counter_key_slice(&t->key);
    command->argc = 6;
    command->argv[0] = slice_of(t->is_oldest_first ? "XRANGE" : "XREVRANGE");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(t->is_oldest_first ? "-" : "+");
    command->argv[3] = slice_of(t->is_oldest_first ? "+" : "-");
    command->argv[4] = slice_of("COUNT");
    command->argv[5] = slice_of(t->kept_count);
}

/* Entries are {id, {'e', event}}. */
static void on_kept_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct timeline *t = owner;

    (void)index;
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const struct redisReply *entry = answer->element[i];
        const struct redisReply *fields = entry->elements == 2 ? entry->element[1] : NULL;
        struct event event;
        json_t *row;

        if (!fields || fields->elements != 2 || fields->element[1]->type != REDIS_REPLY_STRING ||
            !event_told_get(slice_make(fields->element[1]->str, fields->element[1]->len), &event) ||
            (event.type != EVENT_RENEWAL_REQUESTED && event.type != EVENT_USED) ||
            event.brand != t->brand->id || event.client != t->number)
            continue;
        row = new_row(event.at_ms / 1000, event_type_name(event.type), event.object);
        json_object_set_new(row, "campaign", json_integer(event.campaign));
        json_object_set_new(row, "kind",
                            json_pack("s?", brand_kind_name(t->brand, (uint8_t)event.value)));
        json_array_append_new(t->rows, row);
    }
}

/* --- the answer --- */

static int newest_first(const void *a, const void *b)
{
    const char *x = json_string_value(json_object_get(*(json_t *const *)a, "at"));
    const char *y = json_string_value(json_object_get(*(json_t *const *)b, "at"));

    return strcmp(y ? y : "", x ? x : "");
}

/* A new reference; NULL: no memory. */
static json_t *sorted(const json_t *rows)
{
    size_t n = json_array_size(rows);
    json_t **all = calloc(n ? n : 1, sizeof(json_t *));
    json_t *out = all ? json_array() : NULL;

    for (size_t i = 0; out && i < n; i++)
        all[i] = json_array_get(rows, i);
    if (out)
        qsort(all, n, sizeof(json_t *), newest_first);
    for (size_t i = 0; out && i < n && i < ROWS_MAX; i++)
        json_array_append(out, all[i]);
    free(all);
    return out;
}

static void note_export(const struct timeline *t)
{
    char disposition[80];

    snprintf(disposition, sizeof(disposition), "attachment; filename=\"hopcount-%s-%u.json\"",
             t->is_client ? "client" : "object", t->number);
    request_add_header(t->request, "Content-Disposition", disposition);
    if (t->request->is_head)
        return;
    if (t->is_client)
        audit_note_request(t->request, AUDIT_EXPORT, t->brand, t->number, "client");
    else
        audit_note_request(t->request, AUDIT_EXPORT, t->brand, 0, "object %u", t->number);
}

static void reply(struct timeline *t)
{
    json_t *revocation =
        revocations_json(t->request, t->is_client ? EVENT_SCOPE_CLIENT : EVENT_SCOPE_OBJECT,
                         t->brand->id, t->number);
    json_t *before = t->has_more
                         ? json_integer((json_int_t)t->blocks[t->n_blocks - 1] * FUNNEL_BLOCK)
                         : json_null();
    struct slice name = t->brand->name;
    json_t *body;

    add_revocation(t, revocation);
    if (t->is_client)
        add_opt_out(t);
    else
        add_states(t, t->number);
    body = json_pack("{ss# sI so sb so}", "brand", name.ptr, (int)name.len, "id",
                     (json_int_t)t->number, "revoked", revocation, "is_cut",
                     json_array_size(t->rows) > ROWS_MAX, "rows", sorted(t->rows));
    if (t->is_client) {
        json_object_set_new(body, "opted_out",
                            json_boolean(state_what(find_state(t, STATE_OPTED_OUT, t->number))));
        json_object_set(body, "objects", t->objects);
        json_object_set_new(body, "next_before", before);
    } else {
        uint32_t newest = state_what(find_state(t, STATE_REPLACED_BY, t->number));

        json_decref(before);
        json_object_set_new(body, "client", t->client ? json_integer(t->client) : json_null());
        json_object_set_new(body, "state", state_json(t, t->number));
        json_object_set_new(body, "replaced_by", newest ? json_integer(newest) : json_null());
    }
    if (body && t->is_file)
        note_export(t);
    request_reply_json(t->request, 200, body);
}

static void on_all_done(void *owner, const char *cause)
{
    struct timeline *t = owner;

    if (cause)
        request_fail_redis(t->request, cause);
    else
        reply(t);
    free_timeline(t);
}

static void read_kept(struct timeline *t);

/* A Redis user from before deploy/redis-acl.conf named XREVRANGE: of a stream that is longer, we
 * show the oldest entries then, rather than none. */
static void on_kept_done(void *owner, const char *cause)
{
    struct timeline *t = owner;

    if (!cause || t->is_oldest_first || strncmp(cause, "NOPERM", 6) != 0) {
        on_all_done(t, cause);
        return;
    }
    while (json_array_size(t->rows) > t->n_rows) /* a node of a cluster may have allowed it */
        json_array_remove(t->rows, json_array_size(t->rows) - 1);
    t->is_oldest_first = true;
    read_kept(t);
}

static void read_kept(struct timeline *t)
{
    struct fetch_options options = {.n_commands = (size_t)STREAMS * t->request->server->n_shards,
                                    .is_long = true,
                                    .on_command = on_kept_command,
                                    .on_answer = on_kept_answer,
                                    .on_done = on_kept_done,
                                    .owner = t};

    t->n_rows = json_array_size(t->rows);
    snprintf(t->kept_count, sizeof(t->kept_count), "%d", KEPT_MAX);
    fetch_start(t->request->server->fetches, &options);
}

static void on_blocks_done(void *owner, const char *cause)
{
    struct timeline *t = owner;

    /* The first page has them all. */
    if (cause || !t->is_client || t->before != UINT32_MAX)
        on_all_done(t, cause);
    else
        read_kept(t);
}

static void read_blocks(struct timeline *t)
{
    struct fetch_options options = {.n_commands = t->n_blocks,
                                    .is_long = true,
                                    .on_command = on_block_command,
                                    .on_answer = on_block_answer,
                                    .on_done = on_blocks_done,
                                    .owner = t};

    if (t->n_blocks > 0)
        fetch_start(t->request->server->fetches, &options);
    else
        on_blocks_done(t, NULL);
}

/* --- which blocks there are --- */

static void on_list_command(void *owner, size_t index, struct fetch_command *command)
{
    struct timeline *t = owner;

    counter_key_blocks(&t->key, (unsigned)index, t->brand->id);
    command->key = counter_key_slice(&t->key);
    command->argc = 2;
    command->argv[0] = slice_of("GET");
    command->argv[1] = command->key;
}

static void on_list_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct timeline *t = owner;
    uint32_t *grown;
    size_t n;

    (void)index;
    n = answer->type == REDIS_REPLY_STRING ? answer->len / 4 : 0;
    if (n == 0 || !(grown = realloc(t->blocks, (t->n_room + n) * sizeof(*grown))))
        return;
    t->blocks = grown;
    t->n_room += n;
    for (size_t i = 0; i < n; i++) {
        uint32_t block = be32_load((const uint8_t *)answer->str + 4 * i);

        if (block < t->before)
            t->blocks[t->n_blocks++] = block;
    }
}

static int highest_first(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? 1 : -(x > y);
}

static void on_list_done(void *owner, const char *cause)
{
    struct timeline *t = owner;
    size_t n = 0;

    if (cause) {
        on_blocks_done(t, cause);
        return;
    }
    if (t->n_blocks > 0)
        qsort(t->blocks, t->n_blocks, sizeof(*t->blocks), highest_first);
    for (size_t i = 0; i < t->n_blocks; i++) {
        if (n > 0 && t->blocks[i] == t->blocks[n - 1])
            continue;
        if (n == BLOCKS_MAX) {
            t->has_more = true;
            break;
        }
        t->blocks[n++] = t->blocks[i];
    }
    t->n_blocks = n;
    read_blocks(t);
}

/* --- the request --- */

/* NULL: replied to. */
static struct timeline *new_timeline(struct request *request, bool is_client)
{
    struct slice before = query_find(&request->query, "before");
    struct slice reader = query_find(&request->query, "for");
    uint32_t number, below = UINT32_MAX;
    const struct brand *brand = params_find_brand(request, query_find(&request->query, "brand"));
    struct timeline *t;

    if (!brand)
        return NULL;
    if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT32_MAX, &number) ||
        number == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 4294967295");
        return NULL;
    }
    if (before.ptr && !number_parse_u32(before, UINT32_MAX, &below)) {
        request_fail(request, 400, "before", "must be what `next_before` of an answer said");
        return NULL;
    }
    if (reader.ptr && !slice_equal(reader, slice_of("file"))) {
        request_fail(request, 400, "for", "must be file, or absent");
        return NULL;
    }
    t = calloc(1, sizeof(*t));
    if (!t || !(t->rows = json_array()) || !(t->objects = json_array())) {
        if (t)
            free_timeline(t);
        request_fail(request, 503, NULL, "out of memory");
        return NULL;
    }
    t->request = request;
    t->brand = brand;
    t->is_client = is_client;
    t->is_file = reader.ptr != NULL;
    t->number = number;
    t->before = before.ptr ? below / FUNNEL_BLOCK : UINT32_MAX;
    if (request->server->fetches)
        return t;
    free_timeline(t);
    request_fail_redis(request, "no Redis is configured");
    return NULL;
}

void object_handle_timeline(struct request *request)
{
    struct timeline *t = new_timeline(request, false);

    if (!t)
        return;
    if (!(t->blocks = malloc(sizeof(*t->blocks)))) {
        on_blocks_done(t, "out of memory");
        return;
    }
    t->blocks[t->n_blocks++] = funnel_block(t->number);
    read_blocks(t);
}

void client_handle_timeline(struct request *request)
{
    struct fetch_options options = {.n_commands = request->server->n_shards,
                                    .on_command = on_list_command,
                                    .on_answer = on_list_answer,
                                    .on_done = on_list_done};
    struct timeline *t = new_timeline(request, true);

    if (!t)
        return;
    options.owner = t;
    fetch_start(request->server->fetches, &options);
}
