#include "service/public/route.h"

/* What is behind the first '/' of the path is a link, or none. */
static enum outcome decide_link(const struct site *site, const struct http1_request *request,
                                int64_t now_s, struct route *route)
{
    struct slice text = slice_make(request->path.ptr + 1, request->path.len - 1);
    enum token_status status = site_open_token(site, route->brand, text, &route->token);

    if (status == TOKEN_MALFORMED && request->path_is_cut)
        return OUTCOME_BAD_REQUEST;
    if (status != TOKEN_OK)
        return OUTCOME_NOT_FOUND;
    if (token_is_expired(&route->token, now_s))
        return OUTCOME_EXPIRED;
    return route->token.silent || route->brand->untracked_kinds >> route->token.kind & 1
               ? OUTCOME_SILENT
               : OUTCOME_REDIRECT;
}

void route_decide(const struct site *site, const struct brand *brand,
                  const struct http1_request *request, int64_t now_s, struct route *out)
{
    out->brand = brand;
    if (!brand)
        out->outcome = OUTCOME_UNKNOWN_HOST;
    else if (slice_equal(request->path, slice_of("/")) && !request->path_is_cut)
        out->outcome = brand->home ? OUTCOME_HOME : OUTCOME_HOME_PAGE;
    else if (slice_equal(request->path, slice_of("/robots.txt")) && !request->path_is_cut)
        out->outcome = OUTCOME_ROBOTS;
    else
        out->outcome = decide_link(site, request, now_s, out);
}

enum page route_page(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_ONWARD:
        return PAGE_ONWARD;
    case OUTCOME_REVOKED:
        return PAGE_REVOKED;
    case OUTCOME_USED:
        return PAGE_USED;
    case OUTCOME_LATER:
        return PAGE_LATER;
    case OUTCOME_SETTLED:
        return PAGE_SETTLED;
    case OUTCOME_HOME_PAGE:
        return PAGE_HOME;
    case OUTCOME_ROBOTS:
        return PAGE_ROBOTS;
    case OUTCOME_NOT_FOUND:
    case OUTCOME_NO_TARGET:
    case OUTCOME_UNKNOWN_HOST:
        return PAGE_NOT_FOUND;
    case OUTCOME_EXPIRED:
        return PAGE_EXPIRED;
    case OUTCOME_BUTTON:
        return PAGE_CONFIRM;
    case OUTCOME_OPTED_OUT:
        return PAGE_OPTED_OUT;
    case OUTCOME_RENEWED:
        return PAGE_RENEWED;
    case OUTCOME_UNSURE:
        return PAGE_UNSURE;
    case OUTCOME_VIEW:
        return PAGE_VIEW;
    case OUTCOME_BAD_REQUEST:
    case OUTCOME_LENGTH:
    case OUTCOME_BODY:
    case OUTCOME_TYPE:
    case OUTCOME_LINE_LENGTH:
    case OUTCOME_HEAD_SIZE:
        return PAGE_BAD_REQUEST;
    case OUTCOME_REDIRECT:
    case OUTCOME_SILENT:
    case OUTCOME_PRESSED:
    case OUTCOME_HOME:
    case OUTCOME_OPTIONS:
    case OUTCOME_METHOD:
    case OUTCOME_TIMEOUT:
    case OUTCOME_EXPECT:
    case OUTCOME_UNIMPLEMENTED:
    case OUTCOME_VERSION:
    case OUTCOMES:
        break;
    }
    return PAGES;
}
