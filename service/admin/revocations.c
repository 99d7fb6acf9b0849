/* Revocations: links, objects, clients and campaigns whose links are void.
 *
 * A revocation is an event like others (events.c): it is in the log when the reply leaves, and all
 * pods know of it within a second.  The list is what this process knows. */
#include "service/admin/revocations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/event.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/faults.h"
#include "service/admin/formjson.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/site.h"
#include "service/state/event_log.h"
#include "service/state/state_table.h"

enum { LIST_MAX = 10000 };

enum field { FIELD_SCOPE, FIELD_BRAND, FIELD_ID, FIELD_ISSUED_BEFORE, FIELDS };

static const char *const names[FIELDS] = {"scope", "brand", "id", "issued_before"};

static int find_field(struct slice name)
{
    for (int i = 0; i < FIELDS; i++) {
        if (slice_equal(name, slice_of(names[i])))
            return i;
    }
    return -1;
}

static enum formjson_type type_of(int field)
{
    return field == FIELD_ID ? FORMJSON_NUMBER : FORMJSON_TEXT;
}

static const struct formjson_spec spec = {"a revocation", find_field, type_of};

/* Where a revocation is read from, and what is wrong with it. */
struct form {
    const struct slice *text; /* by enum field */
    const char *const *names; /* as the request has them */
    unsigned wrong;           /* bits of 1 << field: of these all is said */
    enum problem problem;     /* of a wrong value: of the body, or of the path */
    struct faults faults;
};

static bool refuse(struct form *form, enum field field, const char *rest)
{
    if (form->wrong >> field & 1)
        return false;
    return faults_add(&form->faults, form->problem,
                      slice_of(form->names[field] ? form->names[field] : names[field]), rest);
}

/* A link's id has 16 hexadecimal digits; a token of the brand will do as well. */
static bool take_link(const struct request *request, const struct brand *brand, struct slice text,
                      uint64_t *out)
{
    struct token token;

    *out = 0;
    for (size_t i = 0; i < text.len && text.len == 16; i++) {
        int digit = number_hex_digit(text.ptr[i]);

        if (digit < 0)
            return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    if (text.len == 16)
        return true;
    if (site_open_token(request->site, brand, text, &token) != TOKEN_OK)
        return false;
    *out = token.link_id;
    return true;
}

/* A path can't leave the brand away: "-", which no brand is called, stands for none there. */
static bool is_named(struct slice brand)
{
    return brand.len > 0 && !slice_equal(brand, slice_of("-"));
}

static bool take_brand(const struct request *request, struct form *form, const struct brand **brand)
{
    struct slice text = form->text[FIELD_BRAND];
    char rest[64];

    /* Without a name the only one that the key is for, or NULL. */
    *brand = is_named(text) ? site_find_brand(request->site, text)
                            : site_find_only_brand(request->site, request->brands);
    if (!*brand)
        return refuse(form, FIELD_BRAND,
                      is_named(text) ? "must be a brand of the configuration"
                                     : "is missing, and there are several brands");
    if (params_sees(request, *brand))
        return true;
    snprintf(rest, sizeof(rest), "is not one of %s", auth_whose(request->who));
    return faults_add(&form->faults, PROBLEM_OTHER_BRAND, slice_of(names[FIELD_BRAND]), rest);
}

/* Scope, brand and id, of a form or of a path. */
static void take_subject(const struct request *request, struct form *form, struct event *out)
{
    int scope = event_scope_find(form->text[FIELD_SCOPE]);
    uint32_t max = scope == EVENT_SCOPE_CAMPAIGN ? UINT16_MAX : UINT32_MAX, id = 0;
    const struct brand *brand;
    bool has_brand = take_brand(request, form, &brand);

    if (scope < 0)
        refuse(form, FIELD_SCOPE, "must be link, object, client or campaign");
    /* What an id is, scope and brand say. */
    if (scope < 0 || !has_brand)
        return;
    out->scope = (enum event_scope)scope;
    out->brand = brand->id;
    if (scope == EVENT_SCOPE_LINK) {
        if (!take_link(request, brand, form->text[FIELD_ID], &out->link_id))
            refuse(form, FIELD_ID, "must be a link's id of 16 digits, or its token");
        return;
    }
    if (!number_parse_u32(form->text[FIELD_ID], max, &id) || id == 0)
        refuse(form, FIELD_ID,
               max == UINT16_MAX ? "must be a whole number from 1 to 65535"
                                 : "must be a whole number from 1 to 4294967295");
    out->object = scope == EVENT_SCOPE_OBJECT ? id : 0;
    out->client = scope == EVENT_SCOPE_CLIENT ? id : 0;
    out->campaign = scope == EVENT_SCOPE_CAMPAIGN ? (uint16_t)id : 0;
}

/* Links of the minute that is running are void too: the one that leaked may be of it. */
static void take_issued_before(struct form *form, int64_t now_ms, struct event *out)
{
    struct slice text = form->text[FIELD_ISSUED_BEFORE];
    int64_t time_s = now_ms / 1000 + 60;

    if (text.len > 0 && !rfc3339_parse(text, &time_s))
        refuse(form, FIELD_ISSUED_BEFORE, "must be a time as 2026-11-22T12:00:00Z");
    else if (time_s <= TOKEN_EPOCH_S || (time_s - TOKEN_EPOCH_S) / 60 > 0xffffff)
        refuse(form, FIELD_ISSUED_BEFORE, "must be a time from 2024 to 2055");
    out->value = (uint32_t)((time_s - TOKEN_EPOCH_S + (text.len > 0 ? 59 : 0)) / 60);
}

static void note(const struct request *request, const struct event *event)
{
    enum audit_action action = event->type == EVENT_REVOKED ? AUDIT_REVOKE : AUDIT_UNREVOKE;
    const struct brand *brand = params_find_brand_id(request, event->brand);
    char link[LINKS_ID_MAX];

    if (event->scope == EVENT_SCOPE_LINK)
        audit_note_request(request, action, brand, 0, "link %s",
                           links_id_text(event->link_id, link));
    else if (event->scope == EVENT_SCOPE_CLIENT)
        audit_note_request(request, action, brand, event->client, "client");
    else
        audit_note_request(request, action, brand, 0, "%s %u", event_scope_name(event->scope),
                           event->object | event->campaign);
}

/* Each is an event of its own, however alike. */
static bool append(struct request *request, struct event *event)
{
    struct event_log *log = request->server->sources.events;

    event->at_ms = clock_wall_ms();
    event->amount = (int64_t)event_id_hash(slice_of(request->who));
    randombytes_buf(&event->id, sizeof(event->id));
    if (log && event_log_append(log, event)) {
        log_info("api.revocation", "key=%s type=%s scope=%s", request->who,
                 event_type_name(event->type), event_scope_name(event->scope));
        note(request, event);
        return true;
    }
    request_add_header(request, "Retry-After", "60");
    request_fail(request, 503, NULL, "there is no room in the log of events");
    return false;
}

/* --- POST --- */

/* As lists show it: a link by the digits of its id, whether it was named by them or by its token.
 */
static json_t *id_json(const struct event *event)
{
    char id[24];

    if (event->scope == EVENT_SCOPE_LINK)
        return json_string(links_id_text(event->link_id, id));
    snprintf(id, sizeof(id), "%u", event->object | event->client | event->campaign);
    return json_string(id);
}

void revocations_handle_post(struct request *request)
{
    json_t *json = request_read_json(request);
    struct event event = {.type = EVENT_REVOKED};
    struct formjson texts;
    struct form form = {
        .text = texts.field, .names = texts.names, .problem = PROBLEM_INVALID_FIELDS};
    const struct brand *brand;
    char before[RFC3339_TEXT_MAX];

    if (!json)
        return;
    if (formjson_read(&spec, json, &texts, &form.faults)) {
        form.wrong = texts.wrong;
        take_subject(request, &form, &event);
        take_issued_before(&form, clock_wall_ms(), &event);
    }
    if (form.faults.n > 0) {
        faults_reply(&form.faults, request);
        json_decref(json);
        return;
    }
    rfc3339_format(TOKEN_EPOCH_S + (int64_t)event.value * 60, 0, before);
    brand = params_find_brand_id(request, event.brand);
    if (append(request, &event))
        request_reply_json(request, 202,
                           json_pack("{ss ss# so ss}", "scope", event_scope_name(event.scope),
                                     "brand", brand->name.ptr, (int)brand->name.len, "id",
                                     id_json(&event), "issued_before", before));
    json_decref(json);
}

/* --- DELETE /v1/revocations/{scope}/{brand}/{id} --- */

void revocations_handle_delete(struct request *request)
{
    struct slice rest = slice_make(request->arg, request->arg_len), text[FIELDS] = {{0}};
    struct event event = {.type = EVENT_UNREVOKED};
    struct form form = {.text = text, .names = names, .problem = PROBLEM_INVALID_PARAMETERS};

    for (int i = FIELD_SCOPE; i <= FIELD_ID; i++) {
        if (!slice_next_part(&rest, '/', &text[i]))
            break;
    }
    take_subject(request, &form, &event);
    if (form.faults.n > 0)
        faults_reply(&form.faults, request);
    else if (append(request, &event))
        request_reply_json(request, 202, json_pack("{ss}", "outcome", "accepted"));
}

/* --- GET --- */

struct list {
    const struct request *request;
    json_t *rows;
    bool is_cut;
};

static int scope_of(enum state_type type)
{
    switch (type) {
    case STATE_REVOKED_LINK:
        return EVENT_SCOPE_LINK;
    case STATE_REVOKED_OBJECT:
        return EVENT_SCOPE_OBJECT;
    case STATE_REVOKED_CLIENT:
        return EVENT_SCOPE_CLIENT;
    case STATE_REVOKED_CAMPAIGN:
        return EVENT_SCOPE_CAMPAIGN;
    default:
        return -1;
    }
}

/* The name of the API key or person whose hash the state keeps; null: it is not in the file any
 * more, or a person whom only a group lets in. */
static json_t *who(const struct request *request, const struct state_subject *subject, int scope)
{
    struct state_subject by = *subject;
    uint32_t hash;
    const char *name;

    by.type = STATE_REVOKED_BY;
    by.id ^= (uint64_t)(scope + 1) << 60;
    hash = state_what(state_table_find(request->server->sources.states, &by));
    name = auth_name_by_hash(request->server->auth, hash);
    return name ? json_string(name) : json_null();
}

json_t *revocations_json(const struct request *request, enum event_scope scope, uint32_t brand,
                         uint32_t id)
{
    static const enum state_type types[] = {
        [EVENT_SCOPE_OBJECT] = STATE_REVOKED_OBJECT,
        [EVENT_SCOPE_CLIENT] = STATE_REVOKED_CLIENT,
        [EVENT_SCOPE_CAMPAIGN] = STATE_REVOKED_CAMPAIGN,
    };
    const struct state_subject subject = {types[scope], brand, id};
    uint64_t value = state_table_find(request->server->sources.states, &subject);
    char issued[RFC3339_TEXT_MAX], at[RFC3339_TEXT_MAX];

    if (state_what(value) == 0)
        return json_null();
    return json_pack("{ss ss so}", "issued_before",
                     rfc3339_format(TOKEN_EPOCH_S + (int64_t)state_what(value) * 60, 0, issued),
                     "at", rfc3339_format(state_at_ms(value) / 1000, 0, at), "by",
                     who(request, &subject, (int)scope));
}

static void on_entry(void *owner, const struct state_entry *entry)
{
    struct list *list = owner;
    struct state_subject subject;
    int scope = scope_of(state_type(entry->value));
    uint32_t before = state_what(entry->value);
    char id[24], issued[RFC3339_TEXT_MAX], at[RFC3339_TEXT_MAX];
    const struct brand *brand;

    if (scope < 0 || before == 0)
        return;
    state_subject(entry, &subject);
    brand = scope == EVENT_SCOPE_LINK ? NULL : params_find_brand_id(list->request, subject.brand);
    /* Of which brand a link is its id doesn't say; only a key for all brands sees it. */
    if (scope == EVENT_SCOPE_LINK ? list->request->brands != NULL : !brand)
        return;
    if (json_array_size(list->rows) == LIST_MAX) {
        list->is_cut = true;
        return;
    }
    snprintf(id, sizeof(id), scope == EVENT_SCOPE_LINK ? "%016llx" : "%llu",
             (unsigned long long)subject.id);
    json_array_append_new(
        list->rows,
        json_pack("{ss so ss ss ss so}", "scope", event_scope_name((enum event_scope)scope),
                  "brand", brand ? json_stringn(brand->name.ptr, brand->name.len) : json_null(),
                  "id", id, "issued_before",
                  rfc3339_format(TOKEN_EPOCH_S + (int64_t)before * 60, 0, issued), "at",
                  rfc3339_format(state_at_ms(entry->value) / 1000, 0, at), "by",
                  who(list->request, &subject, scope)));
}

void revocations_handle_list(struct request *request)
{
    struct list list = {.request = request, .rows = json_array()};

    if (list.rows && request->server->sources.states)
        state_table_walk(request->server->sources.states, on_entry, &list);
    request_reply_json(request, 200,
                       json_pack("{so sb}", "revocations", list.rows, "is_cut", list.is_cut));
}
