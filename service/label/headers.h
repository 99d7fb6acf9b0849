/* headers.h - what the header fields of a request, other than User-Agent, tell about its sender. */
#ifndef LABEL_HEADERS_H
#define LABEL_HEADERS_H
#include <stdbool.h>

#include "proto/click.h"
#include "proto/click_names.h"
#include "proto/slice.h"

struct http1_request;

/* CLICK_REASON_PREFETCH, CLICK_REASON_PREVIEW or CLICK_REASON_NONE, from the Sec-Purpose, Purpose,
 * X-Purpose and X-Moz fields. */
enum click_reason headers_purpose(const struct http1_request *request);

/* Whether the fields say that a person followed a link in a browser: `Sec-Fetch-User: ?1`,
 * `Sec-Fetch-Mode: navigate` and a language.  Proxies that remove User-Agent keep these fields. */
bool headers_say_navigation(const struct http1_request *request);

/* The class of the host in a Referer field; the rest of the URL is not looked at. */
enum click_referrer headers_referrer(struct slice referer);

#endif
