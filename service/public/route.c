#include "service/public/route.h"

static enum outcome decide_link(const struct site *site, struct slice text, int64_t now_s,
                                struct route *route)
{
    if (site_open_token(site, route->brand, text, &route->token) != TOKEN_OK)
        return OUTCOME_NOT_FOUND;
    if (token_is_expired(&route->token, now_s))
        return OUTCOME_EXPIRED;
    return route->token.silent ? OUTCOME_SILENT : OUTCOME_REDIRECT;
}

void route_decide(const struct site *site, struct slice host, struct slice path, int64_t now_s,
                  struct route *out)
{
    struct slice name = path.len ? slice_make(path.ptr + 1, path.len - 1) : path;

    out->brand = site_find_host(site, host);
    if (!out->brand) {
        out->outcome = OUTCOME_UNKNOWN_HOST;
    } else if (name.len == 0) {
        out->outcome = out->brand->home ? OUTCOME_HOME : OUTCOME_HOME_PAGE;
    } else if (slice_equal(name, slice_of("robots.txt"))) {
        out->outcome = OUTCOME_ROBOTS;
    } else {
        out->outcome = decide_link(site, name, now_s, out);
    }
}

enum page route_page(enum outcome outcome)
{
    switch (outcome) {
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
    case OUTCOME_BAD_REQUEST:
    case OUTCOME_BODY:
    case OUTCOME_LINE_LENGTH:
    case OUTCOME_HEAD_SIZE:
        return PAGE_BAD_REQUEST;
    case OUTCOME_REDIRECT:
    case OUTCOME_SILENT:
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
