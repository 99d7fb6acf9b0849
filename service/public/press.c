#include "service/public/press.h"

#include "proto/query.h"
#include "proto/token.h"
#include "service/config/site.h"

static const char urlencoded[] = "application/x-www-form-urlencoded";
static const char multipart[] = "multipart/form-data";

static bool is_type(struct slice type, const char *wanted)
{
    const char *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;

    if (semicolon)
        type.len = (size_t)(semicolon - type.ptr);
    return slice_equal_nocase(slice_trim(type), slice_of(wanted));
}

enum outcome press_refuse_head(const struct http1_request *request, bool with_multipart)
{
    struct slice type = request->field[HTTP1_CONTENT_TYPE];

    /* In HTTP/1.0 a proxy may send a body without its length, which ends with the connection. */
    if (request->minor_version == 0)
        return OUTCOME_VERSION;
    if (!request->has_content_length)
        return OUTCOME_LENGTH;
    /* Expect is refused: a client can send so short a body at once, and does after this reply. */
    if (request->expect_continue)
        return OUTCOME_EXPECT;
    if (request->content_length > 0 && !is_type(type, urlencoded) &&
        !(with_multipart && is_type(type, multipart)))
        return OUTCOME_TYPE;
    return OUTCOMES;
}

static bool is_absent_or(struct slice value, const char *first, const char *second)
{
    return !value.ptr || slice_equal(value, slice_of(first)) ||
           (second && slice_equal(value, slice_of(second)));
}

/* Scheme and port are left out: behind a proxy that ends TLS we know neither. */
static bool is_origin_of(struct slice origin, const struct press_link *link)
{
    static const char *const schemes[] = {"https://", "http://"};
    struct slice host;

    if (!origin.ptr || slice_equal(origin, slice_of("null")))
        return true;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct slice scheme = slice_of(schemes[i]);

        if (!slice_starts_with(origin, scheme))
            continue;
        host = slice_make(origin.ptr + scheme.len, origin.len - scheme.len);
        return site_find_host(link->site, host) == link->brand;
    }
    return false;
}

/* Searches a multipart body for the part with that name and value.  Doesn't parse the boundary,
 * because no other part of such a body matters. */
bool press_is_one_click(const struct http1_request *request, struct slice body)
{
    static const char name[] = "name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n";
    struct query form;
    struct slice bad;

    if (is_type(request->field[HTTP1_CONTENT_TYPE], multipart))
        return body.len > 0 && memmem(body.ptr, body.len, name, sizeof(name) - 1) != NULL;
    return query_parse(body, &form, &bad) == QUERY_OK &&
           slice_equal(query_find(&form, "List-Unsubscribe"), slice_of("One-Click"));
}

bool press_is_ours(const struct http1_request *request, struct slice body,
                   const struct press_link *link, uint8_t id[static VIEW_ID_LEN])
{
    struct query form;
    struct slice bad;

    return is_absent_or(request->field[HTTP1_SEC_FETCH_SITE], "same-origin", "none") &&
           is_absent_or(request->field[HTTP1_SEC_FETCH_DEST], "document", NULL) &&
           is_origin_of(request->field[HTTP1_ORIGIN], link) &&
           query_parse(body, &form, &bad) == QUERY_OK &&
           view_open(site_keys(link->site), link->brand->name, link->token, link->now_s,
                     query_find(&form, PRESS_FIELD), id) == VIEW_OK;
}
