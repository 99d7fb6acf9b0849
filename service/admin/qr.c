/* The QR code of a link. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/number.h"
#include "proto/token.h"
#include "service/admin/handlers.h"
#include "service/admin/links.h"
#include "service/admin/qr_draw.h"
#include "service/admin/request.h"
#include "service/config/site.h"

enum { URL_MAX = 1024, SIZE_DEFAULT = 8 };

/* The link's URL in upper case, which QR codes hold in fewer modules: scheme, host and token are
 * the same in either case, and there is nothing else in it.  False: replied to. */
static bool write_url(struct request *request, char out[static URL_MAX])
{
    char text[TOKEN_TEXT_MAX + 1];
    struct token token;
    const struct brand *brand = links_find(request, &token);
    size_t text_len;
    int len;

    if (!brand)
        return false;
    if (token_seal(site_keys(request->site), brand->name, &token, text, &text_len) !=
        TOKEN_FAULT_NONE) {
        request_fail(request, 404, NULL, "the key of this link is revoked");
        return false;
    }
    len = snprintf(out, URL_MAX, "%s/%s", brand->base_url, text);
    if (len < 0 || len >= URL_MAX) {
        request_fail(request, 404, NULL, "the brand's base_url is too long for a QR code");
        return false;
    }
    for (char *at = out; *at; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    return true;
}

/* Takes `picture`. */
static void reply_picture(struct request *request, const char *type, void *picture, size_t len)
{
    const struct reply reply = {
        .status = 200,
        .type = type,
        .body = slice_make(picture, len),
    };

    if (picture)
        request_reply(request, &reply);
    else
        request_fail(request, 503, NULL, "out of memory");
    free(picture);
}

void qr_handle_svg(struct request *request)
{
    char url[URL_MAX];
    size_t len = 0;

    void *picture;

    if (!write_url(request, url))
        return;
    request_add_header(request, "Content-Security-Policy", "default-src 'none'");
    picture = qr_draw_svg(url, &len);
    reply_picture(request, "image/svg+xml", picture, len);
}

void qr_handle_png(struct request *request)
{
    struct slice text = query_find(&request->query, "size");
    uint32_t size = SIZE_DEFAULT;
    char url[URL_MAX];
    size_t len = 0;
    void *picture;

    if (text.ptr && (!number_parse_u32(text, QR_SIZE_MAX, &size) || size == 0)) {
        request_fail(request, 400, "size", "must be a number from 1 to %d: pixels of a module",
                     (int)QR_SIZE_MAX);
        return;
    }
    if (!write_url(request, url))
        return;
    picture = qr_draw_png(url, size, &len);
    reply_picture(request, "image/png", picture, len);
}
