#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/rfc3339.h"
#include "proto/token.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum { LINKS_MAX = 10000, PARAMETER_MAX = 128 };

/* A link being made. */
struct mint_link {
    const struct brand *brand;
    struct token token;
    char text[TOKEN_TEXT_MAX + 1];
    size_t text_len;
};

/* What is wrong with one link of a request. */
struct fault {
    int status; /* of the reply */
    const char *field;
    char detail[REQUEST_DETAIL_MAX];
};

/* One field of a link: its name in JSON and how it gets into the token; false: `fault->detail` says
 * what is wrong.  `value` is never null. */
struct field {
    const char *name;
    bool (*take)(struct mint_link *link, const json_t *value, struct fault *fault);
};

static bool refuse(struct fault *fault, const char *detail)
{
    snprintf(fault->detail, sizeof(fault->detail), "%s", detail);
    return false;
}

static struct slice text_of(const json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

static bool take_number(const json_t *value, json_int_t max, uint32_t *out, struct fault *fault)
{
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value) || n < 0 || n > max) {
        snprintf(fault->detail, sizeof(fault->detail), "must be a whole number from 0 to %lld",
                 (long long)max);
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

static bool take_bool(const json_t *value, bool *out, struct fault *fault)
{
    if (!json_is_boolean(value))
        return refuse(fault, "must be true or false");
    *out = json_is_true(value);
    return true;
}

static bool take_kind(struct mint_link *link, const json_t *value, struct fault *fault)
{
    char number[8], quoted[REQUEST_QUOTE_MAX];
    struct slice name = text_of(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%u", (unsigned)json_integer_value(value) % 100000);
        name = slice_of(number);
    }
    link->token.kind = name.ptr ? brand_kind_find(link->brand, name) : 0;
    if (link->token.kind != 0)
        return true;
    snprintf(fault->detail, sizeof(fault->detail),
             "the brand has no kind %s; view, pay, login or a kind of its configuration",
             request_quote(name, quoted));
    return false;
}

static bool take_object(struct mint_link *link, const json_t *value, struct fault *fault)
{
    return take_number(value, UINT32_MAX, &link->token.object, fault);
}

static bool take_client(struct mint_link *link, const json_t *value, struct fault *fault)
{
    return take_number(value, UINT32_MAX, &link->token.client, fault);
}

static bool take_campaign(struct mint_link *link, const json_t *value, struct fault *fault)
{
    uint32_t n;

    if (!take_number(value, UINT16_MAX, &n, fault))
        return false;
    link->token.campaign = (uint16_t)n;
    return true;
}

static bool take_ttl(struct mint_link *link, const json_t *value, struct fault *fault)
{
    int code = json_is_string(value) ? token_ttl_find(text_of(value)) : -1;
    size_t n;

    if (code >= 0) {
        link->token.ttl_code = (uint8_t)code;
        return true;
    }
    n = (size_t)snprintf(fault->detail, sizeof(fault->detail), "must be one of");
    for (uint8_t i = 0; i < TOKEN_TTL_CODES && n < sizeof(fault->detail); i++)
        n += (size_t)snprintf(fault->detail + n, sizeof(fault->detail) - n, "%s %s", i ? "," : "",
                              token_ttl_name(i));
    return false;
}

static bool take_channel(struct mint_link *link, const json_t *value, struct fault *fault)
{
    int channel = json_is_string(value) ? token_channel_find(text_of(value)) : -1;

    if (channel < 0)
        return refuse(fault, "must be one of unknown, mail, sms, pdf, qr, portal, chat, other");
    link->token.channel = (uint8_t)channel;
    return true;
}

static bool take_variant(struct mint_link *link, const json_t *value, struct fault *fault)
{
    struct slice text = text_of(value);
    char letter = text.len == 1 ? slice_lower(text.ptr[0]) : '\0';

    if (letter < 'a' || letter > 'g')
        return refuse(fault, "must be a letter from A to G, or null");
    link->token.variant = (uint8_t)(letter - 'a' + 1);
    return true;
}

static bool take_arg(struct mint_link *link, const json_t *value, struct fault *fault)
{
    struct slice text = text_of(value);

    if (!text.ptr || text.len > TOKEN_ARG_MAX)
        return refuse(fault, "must be a text of at most 48 characters of A-Z a-z 0-9 . _ ~ -");
    memcpy(link->token.arg, text.ptr, text.len);
    link->token.arg_len = (uint8_t)text.len;
    return true;
}

static bool take_issued(struct mint_link *link, const json_t *value, struct fault *fault)
{
    int64_t time_s;

    if (!json_is_string(value) || !rfc3339_parse(text_of(value), &time_s) ||
        time_s < TOKEN_EPOCH_S || (time_s - TOKEN_EPOCH_S) / 60 >= 1 << 24)
        return refuse(fault, "must be a time as 2026-11-22T12:00:00Z, from 2024 to 2055");
    link->token.issued_min = (uint32_t)((time_s - TOKEN_EPOCH_S) / 60);
    return true;
}

static bool take_silent(struct mint_link *link, const json_t *value, struct fault *fault)
{
    return take_bool(value, &link->token.silent, fault);
}

static bool take_once(struct mint_link *link, const json_t *value, struct fault *fault)
{
    return take_bool(value, &link->token.once, fault);
}

static bool take_nothing(struct mint_link *link, const json_t *value, struct fault *fault)
{
    (void)link;
    (void)value;
    (void)fault;
    return true;
}

static const struct field fields[] = {
    {"brand", take_nothing}, /* read before the others */
    {"kind", take_kind},         {"object", take_object}, {"client", take_client},
    {"campaign", take_campaign}, {"ttl", take_ttl},       {"channel", take_channel},
    {"variant", take_variant},   {"arg", take_arg},       {"issued_at", take_issued},
    {"silent", take_silent},     {"once", take_once},     {"issued", take_issued},
};

static const struct field *find_field(const char *name)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

/* The brand named, or the only one there is. */
static const struct brand *take_brand(const struct site *site, const json_t *link,
                                      struct fault *fault)
{
    const json_t *value = json_object_get(link, "brand");
    const struct brand *brand = NULL;
    char quoted[REQUEST_QUOTE_MAX];

    fault->field = "brand";
    if (!value || json_is_null(value)) {
        if (site_n_brands(site) == 1)
            return site_brand_at(site, 0);
        refuse(fault, "is needed, because there are several brands");
        return NULL;
    }
    if (json_is_string(value))
        brand = site_find_brand(site, text_of(value));
    if (!brand)
        snprintf(fault->detail, sizeof(fault->detail), "there is no brand %s",
                 request_quote(text_of(value), quoted));
    return brand;
}

/* What the fields could not say alone. */
static bool check_whole(const struct mint_link *link, struct fault *fault)
{
    fault->field = "kind";
    if (link->token.kind == 0)
        return refuse(fault, "is needed");
    fault->field = "arg";
    if (link->token.arg_len == 0 && brand_kind_needs_arg(link->brand, link->token.kind))
        return refuse(fault, "is needed: the target of this kind holds {arg}");
    return true;
}

static bool seal(const struct site *site, struct mint_link *link, struct fault *fault)
{
    fault->field = NULL;
    link->token.kid = site_keys(site)->mint_kid;
    switch (
        token_seal(site_keys(site), link->brand->name, &link->token, link->text, &link->text_len)) {
    case TOKEN_FAULT_NONE:
        return true;
    case TOKEN_FAULT_KEY:
        fault->status = 503;
        return refuse(fault, "no key of the key file mints; mark one with `mint`");
    case TOKEN_FAULT_ARG:
        fault->field = "arg";
        return refuse(fault, "must be a text of at most 48 characters of A-Z a-z 0-9 . _ ~ -");
    case TOKEN_FAULT_BRAND:
    case TOKEN_FAULT_KIND:
    case TOKEN_FAULT_TTL:
    case TOKEN_FAULT_ISSUED:
    case TOKEN_FAULT_CHANNEL:
    case TOKEN_FAULT_VARIANT:
        break;
    }
    return refuse(fault, "the fields make no link"); /* each was checked before */
}

/* Reads one object of the request and seals it. */
static bool mint(const struct site *site, json_t *json, struct mint_link *link, struct fault *fault)
{
    const char *name;
    json_t *value;

    *link = (struct mint_link){.brand = NULL};
    fault->status = 400;
    fault->field = NULL;
    if (!json_is_object(json))
        return refuse(fault, "a link must be an object");
    if (!(link->brand = take_brand(site, json, fault)))
        return false;
    /* As `hopcount mint` does. */
    link->token.ttl_code = (uint8_t)token_ttl_find(slice_of("30d"));
    link->token.channel = (uint8_t)token_channel_find(slice_of("mail"));
    link->token.issued_min = (uint32_t)((clock_wall_ms() / 1000 - TOKEN_EPOCH_S) / 60);
    json_object_foreach(json, name, value)
    {
        const struct field *field = find_field(name);

        fault->field = name;
        if (!field)
            return refuse(fault, "there is no such field");
        if (!json_is_null(value) && !field->take(link, value, fault))
            return false;
    }
    return check_whole(link, fault) && seal(site, link, fault);
}

/* {id, token, url, issued_at, expires_at}; NULL: no memory. */
static json_t *minted_json(const struct mint_link *link)
{
    char id[LINKS_ID_MAX];
    char url[TOKEN_TEXT_MAX + 1024];
    int url_len = snprintf(url, sizeof(url), "%s/%s", link->brand->base_url, link->text);
    json_t *object;

    if (url_len < 0 || (size_t)url_len >= sizeof(url))
        return NULL;
    object = json_pack("{ss ss# ss# ss#}", "id", links_id_text(link->token.link_id, id), "brand",
                       link->brand->name.ptr, (int)link->brand->name.len, "token", link->text,
                       (int)link->text_len, "url", url, url_len);
    return links_set_times(object, &link->token);
}

/* The name of what is wrong: "object", or "[3].object" in an array. */
static const char *fault_parameter(const struct fault *fault, bool in_array, size_t index,
                                   char out[static PARAMETER_MAX])
{
    const char *field = fault->field ? fault->field : "";
    char quoted[REQUEST_QUOTE_MAX];

    if (!find_field(field) && *field) {
        /* Cut to fit, without the quotes. */
        request_quote(slice_of(field), quoted);
        quoted[strlen(quoted) - 1] = '\0';
        field = quoted + 1;
    }
    if (in_array)
        snprintf(out, PARAMETER_MAX, "[%zu]%s%s", index, *field ? "." : "", field);
    else
        snprintf(out, PARAMETER_MAX, "%s", field);
    return *out ? out : NULL;
}

/* Mints all links of an array, or none: the first that is wrong ends it. */
static json_t *mint_all(struct request *request, json_t *links)
{
    json_t *minted = json_array();
    struct mint_link link;
    struct fault fault;
    size_t i;
    json_t *one;

    json_array_foreach(links, i, one)
    {
        char parameter[PARAMETER_MAX];

        if (!mint(request->site, one, &link, &fault)) {
            json_decref(minted);
            request_fail(request, fault.status, fault_parameter(&fault, true, i, parameter), "%s",
                         fault.detail);
            return NULL;
        }
        if (json_array_append_new(minted, minted_json(&link)) != 0)
            break;
    }
    if (json_array_size(minted) == json_array_size(links))
        return minted;
    json_decref(minted);
    request_fail(request, 503, NULL, "out of memory");
    return NULL;
}

static json_t *mint_one(struct request *request, json_t *json)
{
    char parameter[PARAMETER_MAX];
    struct mint_link link;
    struct fault fault;
    json_t *minted = NULL;

    if (!mint(request->site, json, &link, &fault))
        request_fail(request, fault.status, fault_parameter(&fault, false, 0, parameter), "%s",
                     fault.detail);
    else if (!(minted = minted_json(&link)))
        request_fail(request, 503, NULL, "out of memory");
    return minted;
}

void links_handle_mint(struct request *request)
{
    json_t *json = request_read_json(request);
    json_t *minted = NULL;

    if (!json)
        return;
    if (json_array_size(json) > LINKS_MAX)
        request_fail(request, 413, NULL, "at most %d links in one request", (int)LINKS_MAX);
    else if (json_is_array(json))
        minted = mint_all(request, json);
    else
        minted = mint_one(request, json);
    if (minted)
        request_reply_json(request, 201, minted);
    json_decref(json);
}
