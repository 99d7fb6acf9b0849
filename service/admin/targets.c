/* GET /v1/targets: whether the pages that links lead to still answer, as service/checks found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/checks/check_record.h"
#include "service/checks/checks.h"
#include "service/checks/places.h"
#include "service/config/brand.h"

enum { ID_MAX = 17 };

static json_t *time_json(int64_t time_s)
{
    char text[RFC3339_TEXT_MAX];

    return time_s > 0 ? json_string(rfc3339_format(time_s, 0, text)) : json_null();
}

static json_t *copy_json(const json_t *record, const char *key)
{
    json_t *value = json_object_get(record, key);

    return value ? json_deep_copy(value) : json_null();
}

/* What one look found; without a record all is null. */
static void add_found(json_t *out, const json_t *record)
{
    static const char *const same[] = {"verdict", "status", "time_ms", "why", "redirects"};
    int64_t certificate_s = record ? check_record_number(record, "certificate") : 0;

    json_object_set_new(out, "checked_at",
                        time_json(record ? check_record_number(record, "at") / 1000 : 0));
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        json_object_set_new(out, same[i], copy_json(record, same[i]));
    json_object_set_new(out, "certificate_expires_at", time_json(certificate_s));
    json_object_set_new(out, "certificate_days",
                        certificate_s
                            ? json_integer(probe_days_left(certificate_s, clock_wall_ms() / 1000))
                            : json_null());
}

static const char *state_of(const struct place *place, const json_t *record)
{
    if (place->lacks_sample)
        return "no_sample";
    return record ? check_record_text(record, "state") : "unchecked";
}

static json_t *target_json(const struct place *place, const json_t *record)
{
    const char *kind = place->kind ? brand_kind_name(place->brand, place->kind) : "home";
    char id[ID_MAX];
    json_t *out;

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)place->id);
    out = json_pack("{ss ss% ss ss ss so so ss so so}", "id", id, "brand", place->brand->name.ptr,
                    place->brand->name.len, "kind", kind, "target", place->name, "way",
                    place->by_link ? "link" : "direct", "url",
                    place->lacks_sample ? json_null() : json_string(place->shown), "must_contain",
                    place->must_contain ? json_string(place->must_contain) : json_null(), "state",
                    state_of(place, record), "since",
                    time_json(record ? check_record_number(record, "since") / 1000 : 0), "failures",
                    json_integer(record ? check_record_number(record, "failures") : 0));
    if (out)
        add_found(out, record);
    return out;
}

/* --- all --- */

struct listing {
    const struct request *request;
    json_t *targets;
};

static void on_listed(void *owner, const struct place *place, const json_t *record)
{
    struct listing *l = owner;

    if (params_sees(l->request, place->brand))
        json_array_append_new(l->targets, target_json(place, record));
}

void targets_handle_list(struct request *request)
{
    struct checks *checks = request->server->sources.checks;
    struct listing l = {.request = request, .targets = json_array()};

    if (checks)
        checks_visit(checks, on_listed, &l);
    request_reply_json(request, 200,
                       json_pack("{sb sI sb so}", "enabled", checks != NULL, "every_s",
                                 (json_int_t)(checks ? checks_every_s(checks) : 0), "checker",
                                 checks && checks_is_checker(checks), "targets", l.targets));
}

/* --- one, with its history --- */

struct showing {
    struct request *request;
    uint64_t id;
    json_t *target; /* NULL: there is none of that id */
    json_t *history;
    struct counter_key key;
};

static void on_found(void *owner, const struct place *place, const json_t *record)
{
    struct showing *s = owner;

    if (place->id == s->id && !s->target && params_sees(s->request, place->brand))
        s->target = target_json(place, record);
}

static void on_command(void *owner, size_t index, struct fetch_command *command)
{
    struct showing *s = owner;

    (void)index;
    counter_key_check(&s->key, s->id);
    command->key = counter_key_slice(&s->key);
    command->argc = 4;
    command->argv[0] = slice_of("LRANGE");
    command->argv[1] = command->key;
    command->argv[2] = slice_of("0");
    command->argv[3] = slice_of("-1");
}

/* The newest first. */
static void on_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct showing *s = owner;

    (void)index;
    for (size_t i = answer->type == REDIS_REPLY_ARRAY ? answer->elements : 0; i > 0; i--) {
        const struct redisReply *entry = answer->element[i - 1];
        json_t *record =
            entry->type == REDIS_REPLY_STRING ? check_record_read(entry->str, entry->len) : NULL;
        json_t *found = record ? json_object() : NULL;

        if (found) {
            add_found(found, record);
            json_array_append_new(s->history, found);
        }
        json_decref(record);
    }
}

static void on_done(void *owner, const char *cause)
{
    struct showing *s = owner;

    if (cause) {
        request_fail_redis(s->request, cause);
        json_decref(s->target);
        json_decref(s->history);
    } else {
        json_object_set_new(s->target, "history", s->history);
        request_reply_json(s->request, 200, s->target);
    }
    free(s);
}

static bool read_id(const struct request *request, uint64_t *id)
{
    char *end;

    if (request->arg_len != ID_MAX - 1 ||
        strspn(request->arg, "0123456789abcdef") < request->arg_len)
        return false;
    *id = strtoull(request->arg, &end, 16);
    return true;
}

void targets_handle_show(struct request *request)
{
    struct checks *checks = request->server->sources.checks;
    struct fetch_options fetch = {
        .n_commands = 1, .on_command = on_command, .on_answer = on_answer, .on_done = on_done};
    struct showing *s = calloc(1, sizeof(*s));

    if (!s || !(s->history = json_array()) || !request->server->fetches) {
        request_fail_redis(request, s ? "no Redis is configured" : "out of memory");
        if (s)
            json_decref(s->history);
        free(s);
        return;
    }
    s->request = request;
    if (checks && read_id(request, &s->id))
        checks_visit(checks, on_found, s);
    if (!s->target) {
        request_fail(request, 404, NULL, "there is no target of this id; GET /v1/targets has all");
        json_decref(s->history);
        free(s);
        return;
    }
    fetch.owner = s;
    fetch_start(request->server->fetches, &fetch);
}
