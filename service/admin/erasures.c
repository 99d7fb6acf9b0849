/* DELETE /v1/clients/{id}: takes a client out of Redis, and tells the sinks.  The same as
 * `hopcount erase`.
 *
 * What lies outside Redis takes longer.  So a record of the erasure is kept in Redis, under a
 * random id and without the client, by which GET /v1/erasures/{id} tells how far that is. */
#include "service/admin/erasures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/counter.h"
#include "proto/event.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/admin/audit.h"
#include "service/admin/cache.h"
#include "service/admin/fetch.h"
#include "service/admin/params.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/json_text.h"
#include "service/clicklog/clickstore.h"
#include "service/config/site.h"
#include "service/sinks/sinks.h"
#include "service/state/eraser.h"
#include "service/state/event_log.h"

enum {
    ERASURES_MAX = 4, /* at a time: each has a connection to Redis */
    ID_LEN = 16,
    HOST_LEN = 255,
    LOG_HEX_MAX = 2 * CLICK_LOG_ID_LEN + 1,
    KEPT_S = 30 * 86400, /* of a record */
    LOGS_SPARE_S = 10,   /* until Redis has a click and its segment is deleted */
};

struct erasure {
    struct erasure *next;
    struct request *request; /* holds the site, and so the brand */
    const struct brand *brand;
    char *brand_name;
    uint32_t client;
    struct eraser *eraser;
    uint64_t id;
    uint64_t position; /* in the log of events, of what the sinks are told */
    json_t *record;    /* once it has ended; "brand", "at", "logs_until", "sinks", … */
    char *text;        /* the record as it is kept */
    struct counter_key key;
    char seconds[12];
};

static void free_erasure(struct erasure *erasure)
{
    eraser_free(erasure->eraser);
    json_decref(erasure->record);
    free(erasure->text);
    free(erasure->brand_name);
    free(erasure);
}

static void unlink_erasure(struct server *server, struct erasure *erasure)
{
    struct erasure **at = &server->erasures;

    while (*at != erasure)
        at = &(*at)->next;
    *at = erasure->next;
}

/* What Redis has nothing of the sinks may have.  False: the log has no room. */
static bool tell_sinks(struct erasure *erasure)
{
    const struct admin_sources *sources = &erasure->request->server->sources;
    const struct event event = {.type = EVENT_ERASED,
                                .at_ms = clock_wall_ms(),
                                .brand = erasure->brand->id,
                                .client = erasure->client};

    return !sources->sinks || sinks_count(sources->sinks) == 0 ||
           event_log_append_at(sources->events, &event, &erasure->position);
}

/* --- how far it has come --- */

static const char *const erased_names[] = {"clicks", "invoices", "requests",
                                           "uses",   "waiting",  "audit_entries"};

static json_t *counts_json(const struct eraser_counts *n)
{
    const int64_t counts[] = {n->clicks, n->invoices, n->requests, n->uses, n->waiting, n->entries};
    json_t *json = json_object();

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        json_object_set_new(json, erased_names[i], json_integer((json_int_t)counts[i]));
    return json;
}

static json_t *sink_names(const struct sinks *sinks)
{
    json_t *names = json_array();

    for (unsigned i = 0; sinks && i < sinks_count(sinks); i++)
        json_array_append_new(names, json_string(sinks_name(sinks, i)));
    return names;
}

/* A segment of a log is left behind by the first click after `retain_s`, and deleted so long after
 * that. */
static json_t *make_record(const struct erasure *erasure, const struct eraser_counts *counts)
{
    const struct server *server = erasure->request->server;
    json_t *names = sink_names(server->sources.sinks);
    char host[HOST_LEN + 1] = "", log[LOG_HEX_MAX] = "";
    int64_t now_ms = clock_wall_ms();

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    if (server->sources.events)
        sodium_bin2hex(log, sizeof(log), event_log_id(server->sources.events), CLICK_LOG_ID_LEN);
    return json_pack("{ss sI sI sI so ss sI ss ss so}", "brand", erasure->brand_name, "at",
                     (json_int_t)now_ms, "logs_until",
                     (json_int_t)(now_ms + 1000 * (2 * server->logs_retain_s + LOGS_SPARE_S)),
                     "sinks", (json_int_t)json_array_size(names), "sink_names", names, "log", log,
                     "position", (json_int_t)erasure->position, "pod", pods_self_id(server->pods),
                     "host", host, "erased", counts_json(counts));
}

static json_t *step_json(const char *step, const char *state, json_t *n)
{
    return json_pack("{ss ss so}", "step", step, "state", state, "n", n);
}

/* Only a process with the state_dir of the one that erased the client can look at its logs, and at
 * how far its sinks are in them.  A record of an older build names a process instead, and nobody
 * can. */
static bool is_ours(const struct server *server, const json_t *record)
{
    const char *pod = json_get_text(record, "pod");

    return pod[0] && strcmp(pod, pods_self_id(server->pods)) == 0;
}

/* The log of events of the process that erased the client, which may have been an earlier one. */
static bool read_log(const json_t *record, uint8_t out[static CLICK_LOG_ID_LEN])
{
    return number_parse_hex(slice_of(json_get_text(record, "log")), out, CLICK_LOG_ID_LEN);
}

static json_t *elsewhere_json(const char *name, const json_t *record)
{
    json_t *step = step_json(name, "elsewhere", json_null());

    json_object_set_new(step, "host", json_string(json_get_text(record, "host")));
    return step;
}

/* Of the sinks that were there when the client was erased. */
static json_t *sinks_step(const struct server *server, const json_t *record, bool *is_over)
{
    const json_t *names = json_object_get(record, "sink_names");
    json_int_t position = json_integer_value(json_object_get(record, "position"));
    json_int_t at_ms = json_integer_value(json_object_get(record, "at"));
    json_int_t n_sinks = json_integer_value(json_object_get(record, "sinks"));
    json_t *waiting, *lost, *open, *step, *name;
    uint8_t log[CLICK_LOG_ID_LEN];
    size_t i, n_open;

    if (n_sinks == 0)
        return step_json("sinks", "none", json_integer(0));
    if (!server->sources.sinks || !is_ours(server, record) || !read_log(record, log) ||
        json_array_size(names) != (size_t)n_sinks) {
        *is_over = false;
        return elsewhere_json("sinks", record);
    }
    waiting = json_array();
    lost = json_array();
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        enum sink_told told =
            sinks_told(server->sources.sinks, text ? text : "", log, (uint64_t)position, at_ms);

        if (told != SINK_TOLD)
            json_array_append(told == SINK_LOST ? lost : waiting, name);
    }
    open = json_array_size(lost) > 0 ? lost : waiting;
    n_open = json_array_size(open);
    *is_over = *is_over && n_open == 0;
    step = step_json("sinks",
                     n_open == 0    ? "done"
                     : open == lost ? "lost"
                                    : "waiting",
                     json_integer((json_int_t)n_open));
    json_object_set(step, "names", open);
    json_decref(waiting);
    json_decref(lost);
    return step;
}

/* Until when the logs name the client at least is known everywhere.  Then those of other pods are
 * taken to be deleted; the own ones are looked at, for without a newer click they stay. */
static json_t *logs_step(const struct server *server, const json_t *record, bool *is_over)
{
    json_int_t until_ms = json_integer_value(json_object_get(record, "logs_until"));
    json_int_t at_ms = json_integer_value(json_object_get(record, "at"));
    bool is_early = clock_wall_ms() < until_ms, is_done = false;
    char until[RFC3339_TEXT_MAX];
    json_t *step;

    if (!is_early && !is_ours(server, record)) {
        step = elsewhere_json("logs", record);
    } else {
        is_done =
            !is_early && !(server->sources.store && clickstore_holds(server->sources.store, at_ms));
        step = step_json("logs", is_done ? "done" : "waiting", json_null());
    }
    json_object_set_new(step, "until", json_string(rfc3339_format(until_ms / 1000, 0, until)));
    *is_over = *is_over && is_done;
    return step;
}

static json_t *progress_json(const struct server *server, const json_t *record, uint64_t id)
{
    const json_t *erased = json_object_get(record, "erased");
    bool is_over = true;
    char at[RFC3339_TEXT_MAX], text[ID_LEN + 1];
    json_t *steps = json_array();

    for (size_t i = 0; i < sizeof(erased_names) / sizeof(erased_names[0]); i++)
        json_array_append_new(steps,
                              step_json(erased_names[i], "done",
                                        json_incref(json_object_get(erased, erased_names[i]))));
    json_array_append_new(steps, sinks_step(server, record, &is_over));
    json_array_append_new(steps, logs_step(server, record, &is_over));
    snprintf(text, sizeof(text), "%016" PRIx64, id);
    rfc3339_format(json_integer_value(json_object_get(record, "at")) / 1000, 0, at);
    return json_pack("{ss ss ss sb so}", "erasure", text, "brand", json_get_text(record, "brand"),
                     "at", at, "is_over", is_over, "steps", steps);
}

/* --- GET --- */

struct look {
    struct request *request;
    uint64_t id;
    struct counter_key key;
    json_t *record;
};

static void on_look_command(void *owner, size_t index, struct fetch_command *command)
{
    struct look *look = owner;

    (void)index;
    counter_key_erasure(&look->key, look->id);
    command->key = counter_key_slice(&look->key);
    command->argc = 2;
    command->argv[0] = slice_of("GET");
    command->argv[1] = command->key;
}

static void on_look_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct look *look = owner;

    (void)index;
    if (answer->type == REDIS_REPLY_STRING)
        look->record = json_loadb(answer->str, answer->len, 0, NULL);
}

static void on_look_done(void *owner, const char *cause)
{
    struct look *look = owner;
    const struct brand *brand = NULL;

    if (look->record)
        brand = params_find_brand_id(
            look->request, click_brand_id(slice_of(json_get_text(look->record, "brand"))));
    if (cause)
        request_fail_redis(look->request, cause);
    else if (!brand)
        request_fail(look->request, 404, NULL,
                     "there is no such erasure, or it was more than 30 days ago");
    else
        request_reply_json(look->request, 200,
                           progress_json(look->request->server, look->record, look->id));
    json_decref(look->record);
    free(look);
}

void erasures_handle_get(struct request *request)
{
    struct fetch_options fetch = {.n_commands = 1,
                                  .on_command = on_look_command,
                                  .on_answer = on_look_answer,
                                  .on_done = on_look_done};
    struct look *look;
    uint8_t id[ID_LEN / 2];

    if (request->arg_len != ID_LEN ||
        !number_parse_hex(slice_make(request->arg, request->arg_len), id, sizeof(id))) {
        request_fail(request, 404, NULL, "there is no such erasure: an id has 16 hex digits");
        return;
    }
    if (!request->server->fetches || !(look = calloc(1, sizeof(*look)))) {
        request_fail_redis(request, "no Redis is configured, or out of memory");
        return;
    }
    look->request = request;
    look->id = be64_load(id);
    fetch.owner = look;
    fetch_start(request->server->fetches, &fetch);
}

/* --- DELETE --- */

static void on_save_command(void *owner, size_t index, struct fetch_command *command)
{
    struct erasure *erasure = owner;

    (void)index;
    counter_key_erasure(&erasure->key, erasure->id);
    command->key = counter_key_slice(&erasure->key);
    command->argc = 5;
    command->argv[0] = slice_of("SET");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(erasure->text);
    command->argv[3] = slice_of("EX");
    command->argv[4] = slice_make(erasure->seconds, strlen(erasure->seconds));
}

static void on_save_answer(void *owner, size_t index, const struct redisReply *answer)
{
    (void)owner;
    (void)index;
    (void)answer;
}

/* The client is erased in any case; without the record nobody can ask later. */
static void on_saved(void *owner, const char *cause)
{
    struct erasure *erasure = owner;
    struct request *request = erasure->request;
    json_t *progress = progress_json(request->server, erasure->record, erasure->id);

    if (cause)
        json_object_set_new(progress, "erasure", json_null());
    request_reply_json(request, 200,
                       json_pack("{ss sI sO so}", "brand", erasure->brand_name, "id",
                                 (json_int_t)erasure->client, "erased",
                                 json_object_get(erasure->record, "erased"), "progress", progress));
    free_erasure(erasure);
}

static void save(struct erasure *erasure)
{
    const struct fetch_options fetch = {.n_commands = 1,
                                        .on_command = on_save_command,
                                        .on_answer = on_save_answer,
                                        .on_done = on_saved,
                                        .owner = erasure};

    randombytes_buf(&erasure->id, sizeof(erasure->id));
    snprintf(erasure->seconds, sizeof(erasure->seconds), "%d", (int)KEPT_S);
    erasure->text = erasure->record ? json_dumps(erasure->record, JSON_COMPACT) : NULL;
    if (erasure->text)
        fetch_start(erasure->request->server->fetches, &fetch);
    else
        on_saved(erasure, "out of memory");
}

static void on_end(void *owner, const struct eraser_counts *n, const char *why)
{
    struct erasure *erasure = owner;
    struct request *request = erasure->request;

    unlink_erasure(request->server, erasure);
    cache_clear(request->server->cache);
    if (!why && tell_sinks(erasure)) {
        erasure->record = make_record(erasure, n);
        save(erasure);
        return;
    }
    if (why)
        request_fail_redis(request, why);
    else
        request_fail(
            request, 503, NULL,
            "Redis has nothing of the client any more, but the log has no room to tell the "
            "sinks; ask again");
    free_erasure(erasure);
}

/* Starts it; false: out of memory, and nothing began. */
static bool start(struct erasure *erasure)
{
    struct request *request = erasure->request;
    struct server *server = request->server;
    struct audit_entry own;
    const struct eraser_options options = {
        .redis_url = server->redis_url,
        .name = "hopcount-erase",
        .timeout_ms = server->timeout_ms,
        .n_shards = server->n_shards,
        .brand = erasure->brand_name,
        .client = erasure->client,
        .own = audit_entry_of_erasure(request, erasure->brand, &own) ? &own : NULL,
        .on_end = on_end,
        .owner = erasure,
    };
    struct error err = {0};

    erasure->eraser = eraser_new(server->base, &options, &err);
    return erasure->eraser != NULL;
}

static unsigned count_erasures(const struct server *server)
{
    unsigned n = 0;

    for (const struct erasure *each = server->erasures; each; each = each->next)
        n++;
    return n;
}

void erasures_handle(struct request *request)
{
    struct server *server = request->server;
    const struct brand *brand = params_find_brand(request, query_find(&request->query, "brand"));
    struct erasure *erasure;
    uint32_t client;

    if (!brand)
        return;
    if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT32_MAX, &client) ||
        client == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 4294967295");
        return;
    }
    if (!server->fetches || fetches_cause(server->fetches)[0]) {
        request_fail_redis(request, server->fetches ? fetches_cause(server->fetches)
                                                    : "no Redis is configured");
        return;
    }
    if (count_erasures(server) >= ERASURES_MAX) {
        request_add_header(request, "Retry-After", "1");
        request_fail(request, 503, NULL, "other clients are being erased");
        return;
    }
    erasure = calloc(1, sizeof(*erasure));
    if (!erasure || !(erasure->brand_name = strndup(brand->name.ptr, brand->name.len))) {
        free(erasure);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    erasure->request = request;
    erasure->brand = brand;
    erasure->client = client;
    if (!start(erasure)) {
        free_erasure(erasure);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    erasure->next = server->erasures;
    server->erasures = erasure;
}

void erasures_drop_all(struct server *server)
{
    while (server->erasures) {
        struct erasure *erasure = server->erasures;

        server->erasures = erasure->next;
        request_fail_redis(erasure->request, "hopcount is stopping");
        free_erasure(erasure);
    }
}
