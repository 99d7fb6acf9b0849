/* headers.h - what the fields of a request, other than its agent, say about who sent it. */
#ifndef LABEL_HEADERS_H
#define LABEL_HEADERS_H
#include <stdbool.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/slice.h"

struct http1_request;

/* CLICK_REASON_PREFETCH, CLICK_REASON_PREVIEW or CLICK_REASON_NONE, by the Sec-Purpose, Purpose,
 * X-Purpose and X-Moz fields. */
enum click_reason headers_purpose(const struct http1_request *request);

/* Whether a person's browser says that a press on a link led here: `Sec-Fetch-User: ?1`,
 * `Sec-Fetch- Mode: navigate` and a language.  Proxies that take the agent out leave these in. */
bool headers_say_navigation(const struct http1_request *request);

/* The class of the host that a Referer field names; the rest of the URL is not looked at. */
enum click_referrer headers_referrer(struct slice referer);

#endif
