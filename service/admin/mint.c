/* POST /v1/links: mints a link, or many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/linkform.h"
#include "service/config/site.h"

enum { LINKS_MAX = 10000, PARAMETER_MAX = 128, NUMBER_MAX = 32 };

/* What is wrong with a link of a request. */
struct fault {
    int status; /* of the reply */
    char field[REQUEST_QUOTE_MAX];
    char detail[REQUEST_DETAIL_MAX];
};

static bool refuse(struct fault *fault, const char *detail)
{
    fault->status = 400;
    snprintf(fault->detail, sizeof(fault->detail), "%s", detail);
    return false;
}

/* What a field is in JSON. */
enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG };

static enum field_type type_of(int field)
{
    switch (field) {
    case LINK_KIND: /* a name or a number */
    case LINK_OBJECT:
    case LINK_CLIENT:
    case LINK_CAMPAIGN:
        return FIELD_NUMBER;
    case LINK_SILENT:
    case LINK_ONCE:
        return FIELD_FLAG;
    default:
        return FIELD_TEXT;
    }
}

/* The fields of a link as text, as linkform_make() takes them. */
struct texts {
    struct linkform form;
    const char *names[LINK_FIELDS];        /* as the request has them */
    char numbers[LINK_FIELDS][NUMBER_MAX]; /* the texts of numbers */
};

/* Numbers come as numbers or as text, and as 1003.0 from languages that know only one kind. */
static bool read_value(const json_t *value, int field, struct texts *out, struct fault *fault)
{
    static const char *const wrong[] = {
        [FIELD_TEXT] = "must be a text",
        [FIELD_NUMBER] = "must be a number, or a text",
        [FIELD_FLAG] = "must be true or false",
    };
    enum field_type type = type_of(field);
    char *number = out->numbers[field];
    struct slice *text = &out->form.field[field];

    number[0] = '\0';
    if (json_is_string(value) && type != FIELD_FLAG) {
        *text = slice_make(json_string_value(value), json_string_length(value));
        return true;
    }
    if (json_is_integer(value) && type == FIELD_NUMBER)
        snprintf(number, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value) && type == FIELD_NUMBER)
        snprintf(number, NUMBER_MAX, "%.17g", json_real_value(value));
    else if (json_is_boolean(value) && type == FIELD_FLAG)
        snprintf(number, NUMBER_MAX, "%s", json_is_true(value) ? "true" : "false");
    else if (!json_is_null(value))
        return refuse(fault, wrong[type]);
    *text = slice_of(number);
    return true;
}

static bool read_fields(json_t *json, struct texts *out, struct fault *fault)
{
    const char *name;
    json_t *value;

    *out = (struct texts){.names = {NULL}};
    if (!json_is_object(json))
        return refuse(fault, "a link must be an object");
    json_object_foreach(json, name, value)
    {
        int field = linkform_field_find(slice_of(name));
        char quoted[REQUEST_QUOTE_MAX];

        /* Cut to fit, without the quotes. */
        request_quote(slice_of(name), quoted);
        snprintf(fault->field, sizeof(fault->field), "%.*s", (int)strlen(quoted) - 2, quoted + 1);
        if (field < 0)
            return refuse(fault, "there is no such field");
        if (out->names[field])
            return refuse(fault, "is given twice");
        out->names[field] = name;
        if (!read_value(value, field, out, fault))
            return false;
    }
    return true;
}

static bool mint(struct linkform_maker *maker, json_t *json, struct link *link, struct fault *fault)
{
    struct linkform_fault why;
    struct texts texts;
    const char *name;
    int field;

    fault->field[0] = '\0';
    if (!read_fields(json, &texts, fault))
        return false;
    if (linkform_make(maker, &texts.form, link, &why))
        return true;
    refuse(fault, why.detail);
    field = linkform_field_find(slice_of(why.field));
    name = field >= 0 && texts.names[field] ? texts.names[field] : why.field;
    snprintf(fault->field, sizeof(fault->field), "%s", name ? name : "");
    switch (why.why) {
    case LINKFORM_BAD_VALUE:
        break;
    case LINKFORM_NOT_YOURS:
        fault->status = 403;
        break;
    case LINKFORM_NO_KEY:
        fault->status = 503;
        break;
    }
    return false;
}

/* {id, brand, token, url, issued_at, expires_at, expired}; NULL: no memory. */
static json_t *minted_json(const struct link *link)
{
    char id[LINKS_ID_MAX];
    json_t *object = json_pack("{ss ss# ss# so}", "id", links_id_text(link->token.link_id, id),
                               "brand", link->brand->name.ptr, (int)link->brand->name.len, "token",
                               link->text, (int)link->text_len, "url",
                               json_sprintf("%s/%s", link->brand->base_url, link->text));

    return links_set_times(object, &link->token);
}

/* Replies with what is wrong: with "object", or with "[3].object" of an array. */
static void fail(struct request *request, const struct fault *fault, bool in_array, size_t index)
{
    char parameter[PARAMETER_MAX];

    snprintf(parameter, sizeof(parameter), "%s", fault->field);
    if (in_array)
        snprintf(parameter, sizeof(parameter), "[%zu]%s%s", index, fault->field[0] ? "." : "",
                 fault->field);
    request_fail(request, fault->status, parameter[0] ? parameter : NULL, "%s", fault->detail);
}

/* Mints all links of an array, or none: the first that is wrong ends it. */
static json_t *mint_all(struct request *request, struct linkform_maker *maker, json_t *links)
{
    json_t *minted = json_array();
    struct fault fault;
    struct link link;
    size_t i;
    json_t *one;

    json_array_foreach(links, i, one)
    {
        if (!mint(maker, one, &link, &fault)) {
            json_decref(minted);
            fail(request, &fault, true, i);
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

static json_t *mint_one(struct request *request, struct linkform_maker *maker, json_t *json)
{
    struct fault fault;
    struct link link;
    json_t *minted = NULL;

    if (!mint(maker, json, &link, &fault))
        fail(request, &fault, false, 0);
    else if (!(minted = minted_json(&link)))
        request_fail(request, 503, NULL, "out of memory");
    return minted;
}

void links_handle_mint(struct request *request)
{
    json_t *json = request_read_json(request);
    struct linkform_maker maker;
    json_t *minted = NULL;

    if (!json)
        return;
    linkform_maker_init(&maker, request->site, clock_wall_ms() / 1000);
    maker.brands = request->brands;
    if (json_array_size(json) > LINKS_MAX)
        request_fail(request, 413, NULL, "at most %d links in one request", (int)LINKS_MAX);
    else if (json_is_array(json))
        minted = mint_all(request, &maker, json);
    else
        minted = mint_one(request, &maker, json);
    if (minted)
        request_reply_json(request, 201, minted);
    json_decref(json);
}
