/* press.h - checks the press of a button on one of our pages: a POST of a small form to the URL of
 * the link.
 *
 * Pure: reads its arguments only.  What the press does is decided in presses.c.
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

/* Whether it is the POST that a mail program sends for the field List-Unsubscribe (RFC 8058, 3.2).
 * It may have either form.  It comes from no page, so it has no view; the sealed link alone is what
 * entitles to it. */
MUST_USE bool press_is_one_click(const struct http1_request *request, struct slice body);

/* Whose link is pressed, and when. */
struct press_link {
    const struct site *site;
    const struct brand *brand;
    const struct token *token;
    int64_t now_s;
};

/*
 * Whether the press comes from a page that we showed for this link.  The hidden field in `body`
 * must open (proto/view.h), and the fields in which the browser tells where the press came from
 * (Sec-Fetch-Site, Sec-Fetch-Dest, Origin) must not contradict.  Origin may be any host of the
 * brand, because a proxy may have changed Host; or `null`, which browsers send from pages with
 * Referrer-Policy: no-referrer, as ours are.  Sets `id` if it returns true.
 */
MUST_USE bool press_is_ours(const struct http1_request *request, struct slice body,
                            const struct press_link *link, uint8_t id[static VIEW_ID_LEN]);

#endif
