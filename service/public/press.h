/* press.h - the press of a button on one of our pages: a POST of a small form to the link itself.
 *
 * Pure: reads its arguments only.  What the press then does is answer.c's.
 */
#ifndef PUBLIC_PRESS_H
#define PUBLIC_PRESS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/http1.h"
#include "proto/slice.h"
#include "proto/view.h"
#include "service/public/counters.h"

struct brand;
struct site;
struct token;

/* The name of the hidden field, proto/view.h. */
#define PRESS_FIELD "view"

/*
 * Whether the head is that of a POST that we take: HTTP/1.1, a Content-Length, a form.  Returns
 * OUTCOMES if it is, else the outcome that refuses it before its body is read: VERSION, LENGTH,
 * EXPECT or TYPE.  multipart/form-data is a form only `with_multipart`, for press_is_one_click().
 */
MUST_USE enum outcome press_refuse_head(const struct http1_request *request, bool with_multipart);

/* Whether it is the POST that mail programs make of the field List-Unsubscribe (RFC 8058, 3.2): in
 * either form, by no page, and so without a view; the sealed link itself is what entitles to it. */
MUST_USE bool press_is_one_click(const struct http1_request *request, struct slice body);

/* Whose link is pressed, and when. */
struct press_link {
    const struct site *site;
    const struct brand *brand;
    const struct token *token;
    int64_t now_s;
};

/*
 * Whether the press comes from a page of ours, shown for this link: the hidden field in `body` says
 * so, and nothing that the browser says of where the press came from (Sec-Fetch-Site,
 * Sec-Fetch-Dest, Origin) contradicts.  Origin may be any host of the brand, for a proxy may have
 * changed Host; and `null`, which browsers send from a page that asks for no referrer, as ours do.
 * `id` is set if it is.
 */
MUST_USE bool press_is_ours(const struct http1_request *request, struct slice body,
                            const struct press_link *link, uint8_t id[static VIEW_ID_LEN]);

#endif
