/* Links in the API: mints them, and shows what is known of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/event.h"
#include "proto/rfc3339.h"
#include "proto/table.h"
#include "proto/token.h"
#include "proto/unwrap.h"
#include "service/admin/auth.h"
#include "service/admin/clicks.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/formjson.h"
#include "service/admin/handlers.h"
#include "service/admin/lead.h"
#include "service/admin/links.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/linkform.h"
#include "service/config/site.h"
#include "service/state/event_log.h"

enum { LINKS_MAX = 10000 };

const char *links_id_text(uint64_t link_id, char out[static LINKS_ID_MAX])
{
    snprintf(out, LINKS_ID_MAX, "%016llx", (unsigned long long)link_id);
    return out;
}

json_t *links_set_times(json_t *object, const struct token *token)
{
    char issued[RFC3339_TEXT_MAX], expires[RFC3339_TEXT_MAX];
    int64_t expires_s = token_expires_s(token);
    bool never = expires_s == INT64_MAX;

    rfc3339_format(token_issued_s(token), 0, issued);
    if (!never)
        rfc3339_format(expires_s, 0, expires);
    if (json_object_set_new(object, "issued_at", json_string(issued)) == 0 &&
        json_object_set_new(object, "expires_at", never ? json_null() : json_string(expires)) ==
            0 &&
        json_object_set_new(object, "expired",
                            json_boolean(token_is_expired(token, clock_wall_ms() / 1000))) == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* --- POST /v1/links --- */

static enum formjson_type type_of(int field)
{
    switch (field) {
    case LINK_KIND: /* a name or a number */
    case LINK_OBJECT:
    case LINK_CLIENT:
    case LINK_CAMPAIGN:
        return FORMJSON_NUMBER;
    case LINK_SILENT:
    case LINK_ONCE:
        return FORMJSON_FLAG;
    default:
        return FORMJSON_TEXT;
    }
}

_Static_assert((int)LINK_FIELDS <= (int)FORMJSON_FIELDS_MAX, "all fields of a link fit");

static const struct formjson_spec link_spec = {"a link", linkform_field_find, type_of};

/* What is minted by one request, and which of it is mailed with that. */
struct minting {
    struct linkform_maker maker;
    struct event *mails;
    size_t n_mails;
};

/* Links of one mail that are made in one minute, the view and the pay link of an invoice, are one
 * mail: the event's id is made of what they have in common. */
static bool add_mail(struct minting *minting, const struct link *link, struct faults *faults)
{
    const struct token *token = &link->token;
    struct event *mail = &minting->mails[minting->n_mails];
    char id[64];

    if (token->object == 0)
        return faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("sent"),
                          "needs an object: which invoice was mailed");
    snprintf(id, sizeof(id), "minted %u %u %u", token->issued_min, token->channel, token->silent);
    *mail = (struct event){
        .type = EVENT_MAIL_SENT,
        .at_ms = token_issued_s(token) * 1000,
        .id = event_id_hash(slice_of(id)),
        .brand = link->brand->id,
        .object = token->object,
        .client = token->client,
        .campaign = token->campaign,
        .variant = token->variant,
        .channel = token->channel,
        .value = 1,
    };
    minting->n_mails++;
    return true;
}

/* Adds what is wrong with the values; a field of another type has its fault already. */
static void add_faults(const struct linkform_faults *wrong, const struct formjson *texts,
                       struct faults *faults)
{
    static const enum problem problems[] = {
        [LINKFORM_BAD_VALUE] = PROBLEM_INVALID_FIELDS,
        [LINKFORM_NOT_YOURS] = PROBLEM_OTHER_BRAND,
        [LINKFORM_NO_KEY] = PROBLEM_NO_MINTING_KEY,
    };

    for (size_t i = 0; i < wrong->n; i++) {
        const struct linkform_fault *fault = &wrong->list[i];
        int field = fault->field ? linkform_field_find(slice_of(fault->field)) : -1;

        if (field < 0)
            faults_add(faults, problems[fault->why], (struct slice){0}, fault->detail);
        else if (!(texts->wrong >> field & 1))
            faults_add(faults, problems[fault->why],
                       slice_of(texts->names[field] ? texts->names[field] : fault->field),
                       fault->detail);
    }
}

/* False: what is wrong was added to `faults`. */
static bool mint(struct minting *minting, json_t *json, struct link *link, struct faults *faults)
{
    const json_t *value = json_object_get(json, "sent");
    bool sent = json_is_true(value);
    struct linkform_faults wrong;
    size_t n = faults->n;
    struct formjson texts;
    struct linkform form;

    if (value && !json_is_boolean(value) && !json_is_null(value))
        faults_add(faults, PROBLEM_INVALID_FIELDS, slice_of("sent"), "must be true or false");
    json_object_del(json, "sent"); /* a link has no such field */
    if (!formjson_read(&link_spec, json, &texts, faults))
        return false;
    memcpy(form.field, texts.field, sizeof(form.field));
    if (!linkform_make(&minting->maker, &form, link, &wrong))
        add_faults(&wrong, &texts, faults);
    else if (sent && link->text_len > 0 && faults->n == n)
        return add_mail(minting, link, faults);
    return faults->n == n;
}

/* {id, brand, token, url, issued_at, expires_at, expired}; id and token are null when the kind is
 * not tracked: then the URL is that of its target, and never expires.  NULL: no memory. */
static json_t *minted_json(const struct link *link)
{
    bool is_plain = link->text_len == 0;
    struct token token = link->token;
    char id[LINKS_ID_MAX];
    json_t *object =
        json_pack("{ss? ss# ss? ss#}", "id", is_plain ? NULL : links_id_text(token.link_id, id),
                  "brand", link->brand->name.ptr, (int)link->brand->name.len, "token",
                  is_plain ? NULL : link->text, "url", link->url, (int)link->url_len);

    if (is_plain)
        token.ttl_code = 0;
    return links_set_times(object, &token);
}

/* Mints all links of an array, or none: then `faults` has what is wrong with all of them, or there
 * is no memory. */
static json_t *mint_all(struct minting *minting, json_t *links, struct faults *faults)
{
    json_t *minted = json_array(), *one;
    struct link link;
    size_t i;

    faults->is_in_array = true;
    json_array_foreach(links, i, one)
    {
        faults->index = i;
        if (mint(minting, one, &link, faults) && faults->n == 0 &&
            json_array_append_new(minted, minted_json(&link)) != 0)
            break;
    }
    if (faults->n == 0 && json_array_size(minted) == json_array_size(links))
        return minted;
    json_decref(minted);
    return NULL;
}

/* False: there is no room for all of them, and the request was replied to.  Minted again, the links
 * are the same, and so are the mails. */
static bool tell_mails(struct request *request, const struct minting *minting)
{
    struct event_log *log = request->server->sources.events;

    for (size_t i = 0; i < minting->n_mails; i++) {
        if (log && !event_log_add(log, &minting->mails[i])) {
            request_fail(request, 503, NULL,
                         "there is no room in the log of events; send it again later");
            return false;
        }
    }
    if (log)
        event_log_sync(log);
    return true;
}

/* Takes the request, and the reference `json`. */
static void mint_and_reply(struct request *request, json_t *json)
{
    struct minting minting = {.n_mails = 0};
    struct faults faults = {.n = 0};
    json_t *minted = NULL;
    struct link link;

    linkform_maker_init(&minting.maker, request->site, clock_wall_ms() / 1000);
    minting.maker.brands = request->brands;
    minting.maker.whose = auth_whose(request->who);
    if (json_array_size(json) > LINKS_MAX) {
        request_fail(request, 413, NULL, "one request takes at most %d links", (int)LINKS_MAX);
        json_decref(json);
        return;
    }
    minting.mails = calloc(LINKS_MAX, sizeof(*minting.mails));
    if (minting.mails && json_is_array(json))
        minted = mint_all(&minting, json, &faults);
    else if (minting.mails && mint(&minting, json, &link, &faults))
        minted = minted_json(&link);
    if (faults.n > 0) {
        faults_reply(&faults, request);
    } else if (!minted) {
        request_fail(request, 503, NULL, "out of memory");
    } else if (tell_mails(request, &minting)) {
        log_info("admin.mint", "key=%s links=%zu", request->who,
                 json_is_array(minted) ? json_array_size(minted) : 1);
        request_reply_json(request, 201, minted);
        minted = NULL;
    }
    json_decref(minted);
    free(minting.mails);
    json_decref(json);
}

void links_handle_mint(struct request *request)
{
    json_t *json = request_read_json(request);

    if (!json)
        return;
    if (json_is_array(json))
        request_deprecate(request, "/v1/links:batch");
    mint_and_reply(request, json);
}

void links_handle_mint_batch(struct request *request)
{
    json_t *json = request_read_json(request);

    if (!json)
        return;
    if (json_is_array(json)) {
        mint_and_reply(request, json);
        return;
    }
    request_fail_as(request, PROBLEM_INVALID_FIELDS, NULL, "the body must be an array of links");
    json_decref(json);
}

/* --- GET /v1/links/{token} --- */

/* A link being looked up in Redis. */
struct lookup {
    struct request *request;
    const struct brand *brand; /* of request->site */
    struct token token;
    /* Of its clicks: the table, and what was added; of its uses, if its kind has a limit of them.
     */
    struct counter_key table, added, uses_key;
    struct table_link clicks;
    int64_t uses;
    uint32_t max_uses; /* 0 = there is no limit */
};

/* Takes scheme, host and query off a whole URL; false: no brand has that host. */
static bool split_url(const struct site *site, struct slice url, const struct brand **brand,
                      struct slice *text)
{
    const char *host = memmem(url.ptr, url.len, "://", 3);
    size_t host_at = host ? (size_t)(host - url.ptr) + 3 : 0;
    const char *slash = memchr(url.ptr + host_at, '/', url.len - host_at);
    size_t slash_at = slash ? (size_t)(slash - url.ptr) : url.len;
    size_t end;

    *brand = site_find_host(site, slice_make(url.ptr + host_at, slash_at - host_at));
    if (!*brand || !slash)
        return false;
    end = slash_at + 1;
    while (end < url.len && !strchr("?#", url.ptr[end]))
        end++;
    *text = slice_make(url.ptr + slash_at + 1, end - slash_at - 1);
    return true;
}

/* Opens a token for whichever brand it is of, among those that the request may see.  The brand is
 * bound into the tag, so at most one fits; trying them all is half a microsecond each. */
static const struct brand *open_for_any(const struct request *request, struct slice text,
                                        struct token *token)
{
    const struct site *site = request->site;

    for (unsigned i = 0; i < site_n_brands(site); i++) {
        const struct brand *brand = site_brand_at(site, i);

        if (params_sees(request, brand) && site_open_token(site, brand, text, token) == TOKEN_OK)
            return brand;
    }
    return NULL;
}

const struct brand *links_find(struct request *request, struct token *token)
{
    const struct site *site = request->site;
    struct slice text = slice_make(request->arg, request->arg_len);
    struct slice brand_name = query_find(&request->query, "brand");
    const struct brand *brand = NULL;
    struct unwrapped unwrapped;

    /* Links are copied out of mails that gateways have changed. */
    if (!unwrap_all(text, &unwrapped)) {
        request_fail_as(request, PROBLEM_UNKNOWN_LINK, NULL, "%s", unwrapped.why);
        return NULL;
    }
    if (unwrapped.n > 0)
        text = slice_of(unwrapped.url);
    if (memmem(text.ptr, text.len, "://", 3) && !split_url(site, text, &brand, &text)) {
        request_fail_as(request, PROBLEM_UNKNOWN_LINK, NULL,
                        "no brand here has the host of this URL");
        return NULL;
    }
    if (brand_name.ptr) {
        const struct brand *named = params_find_brand(request, brand_name);

        if (!named)
            return NULL;
        if (brand && named != brand) {
            request_fail_as(request, PROBLEM_UNKNOWN_LINK, "brand", "is not that of the URL");
            return NULL;
        }
        brand = named;
    }
    if (!brand)
        brand = open_for_any(request, text, token);
    else if (!params_sees(request, brand) || site_open_token(site, brand, text, token) != TOKEN_OK)
        brand = NULL;
    if (!brand)
        request_fail_as(request, PROBLEM_UNKNOWN_LINK, NULL,
                        "this is no valid link of any brand %s%s", request->brands ? "of " : "",
                        request->brands ? auth_whose(request->who) : "here");
    return brand;
}

static json_t *text_or_null(const char *text, size_t len)
{
    return len > 0 ? json_stringn(text, len) : json_null();
}

/* What the token says, and where it leads. */
static json_t *describe(const struct lookup *lookup)
{
    const struct token *token = &lookup->token;
    char variant = (char)('A' + token->variant - 1);
    char id[LINKS_ID_MAX];
    json_t *body = json_pack(
        "{ss ss# ss? si sI sI sI ss so so sb sb}", "id", links_id_text(token->link_id, id), "brand",
        lookup->brand->name.ptr, (int)lookup->brand->name.len, "kind",
        brand_kind_name(lookup->brand, token->kind), "kind_number", (int)token->kind, "object",
        (json_int_t)token->object, "client", (json_int_t)token->client, "campaign",
        (json_int_t)token->campaign, "channel", token_channel_name(token->channel), "variant",
        text_or_null(&variant, token->variant ? 1 : 0), "arg",
        text_or_null(token->arg, token->arg_len), "silent", (int)token->silent, "once",
        (int)token->once);

    return lead_set(links_set_times(body, token), lookup->request, lookup->brand, token);
}

static void on_lookup_command(void *owner, size_t index, struct fetch_command *command)
{
    struct lookup *lookup = owner;

    if (index == 1) {
        command->key = counter_key_slice(&lookup->uses_key);
        command->argc = 2;
        command->argv[0] = slice_of("GET");
        command->argv[1] = command->key;
        return;
    }
    command->key = counter_key_slice(&lookup->table);
    command->argc = 3;
    command->argv[0] = slice_of("MGET");
    command->argv[1] = command->key;
    command->argv[2] = counter_key_slice(&lookup->added);
}

static void on_lookup_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct lookup *lookup = owner;

    if (index == 1) {
        lookup->uses = answer->type == REDIS_REPLY_STRING ? strtoll(answer->str, NULL, 10) : 0;
        return;
    }
    /* Without an entry in either the link has no clicks. */
    (void)table_find_link(fetch_text_at(answer, 0), fetch_text_at(answer, 1), lookup->token.link_id,
                          &lookup->clicks);
}

static json_t *time_or_null(uint32_t time_s)
{
    char text[RFC3339_TEXT_MAX];

    return time_s ? json_string(rfc3339_format(time_s, 0, text)) : json_null();
}

/* Null: there is no limit, and uses are not counted. */
static json_t *use_or_null(const struct lookup *lookup, int64_t n)
{
    return lookup->max_uses > 0 ? json_integer(n > 0 ? n : 0) : json_null();
}

/* Who put something around the link that was asked for. */
static json_t *wrapped_by(const struct request *request)
{
    json_t *list = json_array();
    struct unwrapped unwrapped;

    if (unwrap_all(slice_make(request->arg, request->arg_len), &unwrapped)) {
        for (unsigned i = 0; i < unwrapped.n; i++)
            json_array_append_new(list, json_string(unwrapped.by[i]));
    }
    return list;
}

static void on_lookup_done(void *owner, const char *cause)
{
    struct lookup *lookup = owner;
    struct clicks clicks = clicks_settled(
        (struct clicks){.human = lookup->clicks.human, .automated = lookup->clicks.automated});
    json_t *body;

    if (cause) {
        request_fail_redis(lookup->request, cause);
        free(lookup);
        return;
    }
    body = describe(lookup);
    if (json_object_set_new(body, "uses", use_or_null(lookup, lookup->uses)) != 0 ||
        json_object_set_new(body, "max_uses", use_or_null(lookup, lookup->max_uses)) != 0 ||
        json_object_set_new(body, "wrapped_by", wrapped_by(lookup->request)) != 0 ||
        json_object_set_new(body, "clicks", clicks_json(&clicks)) != 0 ||
        json_object_set_new(body, "first_click_at", time_or_null(lookup->clicks.first_s)) != 0 ||
        json_object_set_new(body, "last_click_at", time_or_null(lookup->clicks.last_s)) != 0) {
        json_decref(body);
        body = NULL;
    }
    request_reply_json(lookup->request, 200, body);
    free(lookup);
}

void links_handle_show(struct request *request)
{
    struct fetch_options options = {
        .on_command = on_lookup_command,
        .on_answer = on_lookup_answer,
        .on_done = on_lookup_done,
    };
    struct token token;
    const struct brand *brand = links_find(request, &token);
    struct lookup *lookup;
    unsigned bucket;

    if (!brand)
        return;
    lookup = calloc(1, sizeof(*lookup));
    if (!lookup || !request->server->fetches) {
        request_fail_redis(request, lookup ? "no Redis is configured" : "out of memory");
        free(lookup);
        return;
    }
    lookup->request = request;
    lookup->brand = brand;
    lookup->token = token;
    lookup->max_uses = brand_kind_max_uses(brand, token.kind);
    bucket = counter_bucket_of_link(token.link_id);
    counter_key_table(&lookup->table, COUNTER_LINKS, bucket, request->server->n_shards);
    counter_key_added(&lookup->added, COUNTER_LINKS, bucket / COUNTER_QUAD,
                      request->server->n_shards);
    counter_key_uses(&lookup->uses_key, token.link_id, request->server->n_shards);
    options.n_commands = lookup->max_uses > 0 ? 2 : 1;
    options.owner = lookup;
    fetch_start(request->server->fetches, &options);
}
