#include "service/admin/router.h"

#include <stdio.h>
#include <string.h>

#include "service/admin/auth.h"
#include "service/admin/erasures.h"
#include "service/admin/faults.h"
#include "service/admin/handlers.h"
#include "service/admin/server.h"
#include "service/admin/shares.h"
#include "service/admin/signin.h"
#include "service/config/apikeys.h"

static const struct route routes[] = {
    {.method = REQUEST_GET, .path = "/livez", .handle = probes_handle_live, .is_for_front = true},
    {.method = REQUEST_GET, .path = "/readyz", .handle = probes_handle_ready, .is_for_front = true},
    {.method = REQUEST_GET, .path = "/metrics", .handle = metrics_handle, .is_for_front = true},
    {.method = REQUEST_OPTIONS,
     .path = "/",
     .handle = probes_handle_options,
     .params = {ROUTE_ANY_PARAM},
     .is_for_front = true},
    {.method = REQUEST_POST,
     .path = "/v1/links",
     .handle = links_handle_mint,
     .scope = APIKEY_LINKS_WRITE,
     .body_max = ROUTER_LONG_BODY_MAX},
    {.method = REQUEST_POST,
     .path = "/v1/links:batch",
     .handle = links_handle_mint_batch,
     .scope = APIKEY_LINKS_WRITE,
     .body_max = ROUTER_LONG_BODY_MAX},
    {.method = REQUEST_POST,
     .path = "/v1/events:batch",
     .handle = events_handle_post_batch,
     .scope = APIKEY_EVENTS_WRITE,
     .body_max = ROUTER_LONG_BODY_MAX},
    {.method = REQUEST_POST,
     .path = "/v1/events",
     .handle = events_handle_post,
     .scope = APIKEY_EVENTS_WRITE,
     .body_max = ROUTER_LONG_BODY_MAX},
    {.method = REQUEST_GET,
     .path = "/v1/events",
     .handle = told_handle,
     .scope = APIKEY_EVENTS_WRITE,
     .params = {"type", "after", "limit"}},
    {.method = REQUEST_POST,
     .path = "/v1/revocations",
     .handle = revocations_handle_post,
     .scope = APIKEY_LINKS_WRITE},
    {.method = REQUEST_GET,
     .path = "/v1/revocations",
     .handle = revocations_handle_list,
     .scope = APIKEY_LINKS_WRITE},
    {.method = REQUEST_DELETE,
     .path = "/v1/revocations/{}/{}/{}",
     .handle = revocations_handle_delete,
     .scope = APIKEY_LINKS_WRITE},
    {.method = REQUEST_GET,
     .path = "/v1/links/{}",
     .handle = links_handle_show,
     .scope = APIKEY_STATS_READ,
     .params = {"brand"}},
    {.method = REQUEST_POST,
     .path = "/v1/links/{}/use",
     .handle = links_handle_use,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/objects/{}",
     .handle = object_handle,
     .scope = APIKEY_STATS_READ,
     .params = {"brand", "kind"}},
    {.method = REQUEST_DELETE,
     .path = "/v1/clients/{}",
     .handle = erasures_handle,
     .scope = APIKEY_ADMIN,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/erasures/{}",
     .handle = erasures_handle_get,
     .scope = APIKEY_ADMIN},
    {.method = REQUEST_GET,
     .path = "/v1/clients/{}",
     .handle = client_handle,
     .scope = APIKEY_STATS_READ,
     .params = {"brand", "kind"}},
    {.method = REQUEST_GET,
     .path = "/v1/stats",
     .handle = stats_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .shared = SHARES_OF_OVERVIEW | SHARES_OF_CAMPAIGNS,
     .params = {"brand",   "campaign", "kind",    "from",   "to",      "interval", "group_by",
                "tz",      "compare",  "clients", "limit",  "offset",  "format",   "metric",
                "label",   "reason",   "country", "device", "browser", "system",   "channel",
                "variant", "referrer", "delay",   "page"}},
    {.method = REQUEST_GET,
     .path = "/v1/stats.csv",
     .handle = stats_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand",   "campaign", "kind",    "from",   "to",      "interval", "group_by",
                "tz",      "compare",  "clients", "limit",  "offset",  "for",      "metric",
                "label",   "reason",   "country", "device", "browser", "system",   "channel",
                "variant", "referrer", "delay",   "page"}},
    {.method = REQUEST_GET,
     .path = "/v1/conversions",
     .handle = funnel_handle_conversions,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "kind", "from", "to", "interval", "group_by", "tz", "compare",
                "limit", "offset", "metric", "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/funnel",
     .handle = funnel_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .shared = SHARES_OF_ALL,
     .params = {"brand", "campaign", "kind", "from", "to", "interval", "group_by", "tz", "compare",
                "limit", "offset", "sort", "format", "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/funnel.csv",
     .handle = funnel_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "kind", "from", "to", "interval", "group_by", "tz", "compare",
                "limit", "offset", "sort", "for", "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/clicked",
     .handle = invoices_handle_clicked,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "format", "kind",
                "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/clicked.csv",
     .handle = invoices_handle_clicked,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "for", "kind", "variant",
                "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/unclicked",
     .handle = invoices_handle_unclicked,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "format", "kind",
                "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/unclicked.csv",
     .handle = invoices_handle_unclicked,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "for", "kind", "variant",
                "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/unpaid",
     .handle = invoices_handle_unpaid,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "format", "kind",
                "variant", "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/unpaid.csv",
     .handle = invoices_handle_unpaid,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "campaign", "from", "to", "tz", "limit", "page", "for", "kind", "variant",
                "channel"}},
    {.method = REQUEST_GET,
     .path = "/v1/links/{}/qr.svg",
     .handle = qr_handle_svg,
     .scope = APIKEY_STATS_READ,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/links/{}/qr.png",
     .handle = qr_handle_png,
     .scope = APIKEY_STATS_READ,
     .params = {"brand", "size"}},
    {.method = REQUEST_GET,
     .path = "/v1/audit",
     .handle = audit_list_handle,
     .scope = APIKEY_ADMIN,
     .tells_strays = true,
     .params = {"action", "who", "limit", "page"}},
    {.method = REQUEST_GET,
     .path = "/v1/audit.csv",
     .handle = audit_list_handle,
     .scope = APIKEY_ADMIN,
     .tells_strays = true,
     .params = {"action", "who", "limit", "page"}},
    {.method = REQUEST_GET,
     .path = "/v1/brands",
     .handle = brands_handle,
     .scope = APIKEY_STATS_READ},
    {.method = REQUEST_GET,
     .path = "/v1/targets",
     .handle = targets_handle_list,
     .scope = APIKEY_STATS_READ},
    {.method = REQUEST_GET,
     .path = "/v1/targets/{}",
     .handle = targets_handle_show,
     .scope = APIKEY_STATS_READ},
    {.method = REQUEST_GET,
     .path = "/v1/health",
     .handle = health_handle,
     .scope = APIKEY_STATS_READ},
    {.method = REQUEST_POST,
     .path = "/v1/session",
     .handle = signin_handle_open,
     .body_max = SIGNIN_BODY_MAX},
    {.method = REQUEST_GET, .path = "/v1/session", .handle = signin_handle_show},
    {.method = REQUEST_DELETE, .path = "/v1/session", .handle = signin_handle_close},
    {.method = REQUEST_GET,
     .path = "/v1/session/oidc",
     .handle = oidc_handle_start,
     .params = {"to"}},
    {.method = REQUEST_GET,
     .path = "/v1/session/oidc/callback",
     .handle = oidc_handle_callback,
     .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET, .path = "/v1/openapi.yaml", .handle = openapi_handle_yaml},
    {.method = REQUEST_GET, .path = "/v1/openapi.json", .handle = openapi_handle_json},
    {.method = REQUEST_GET, .path = "/problems/", .handle = problems_handle_list},
    {.method = REQUEST_GET, .path = "/problems/{}", .handle = problems_handle_show},
    {.method = REQUEST_GET,
     .path = "/docs",
     .handle = web_handle_docs,
     .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET, .path = "/", .handle = web_handle_home, .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET,
     .path = "/dashboard",
     .handle = web_handle_home,
     .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET,
     .path = "/dashboard/",
     .handle = web_handle_page,
     .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET,
     .path = "/dashboard/{}",
     .handle = web_handle_asset,
     .params = {ROUTE_ANY_PARAM}},
    {.method = REQUEST_GET,
     .path = "/v1/campaigns",
     .handle = campaigns_handle_list,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "of", "limit", "page"}},
    {.method = REQUEST_DELETE,
     .path = "/v1/campaigns/{}",
     .handle = campaigns_handle_delete,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/objects/{}/timeline",
     .handle = object_handle_timeline,
     .scope = APIKEY_STATS_READ,
     .params = {"brand", "for"}},
    {.method = REQUEST_GET,
     .path = "/v1/clients/{}/timeline",
     .handle = client_handle_timeline,
     .scope = APIKEY_STATS_READ,
     .params = {"brand", "before", "for"}},
    {.method = REQUEST_GET,
     .path = "/v1/objects",
     .handle = object_handle_list,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "limit", "page"}},
    {.method = REQUEST_GET,
     .path = "/v1/clients",
     .handle = client_handle_list,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "limit", "page"}},
    {.method = REQUEST_PUT,
     .path = "/v1/campaigns/{}",
     .handle = campaigns_handle_put,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/annotations",
     .handle = annotations_handle_list,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .shared = SHARES_OF_OVERVIEW | SHARES_OF_CAMPAIGNS | SHARES_NO_FIGURES,
     .params = {"brand", "from", "to", "tz"}},
    {.method = REQUEST_POST,
     .path = "/v1/annotations",
     .handle = annotations_handle_post,
     .scope = APIKEY_LINKS_WRITE},
    {.method = REQUEST_DELETE,
     .path = "/v1/annotations/{}",
     .handle = annotations_handle_delete,
     .scope = APIKEY_LINKS_WRITE,
     .tells_strays = true,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/views",
     .handle = views_handle_list,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand"}},
    {.method = REQUEST_POST,
     .path = "/v1/views",
     .handle = views_handle_post,
     .scope = APIKEY_LINKS_WRITE},
    {.method = REQUEST_PUT,
     .path = "/v1/views/{}",
     .handle = views_handle_put,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_DELETE,
     .path = "/v1/views/{}",
     .handle = views_handle_delete,
     .scope = APIKEY_LINKS_WRITE,
     .tells_strays = true,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/shared",
     .handle = shares_handle_show,
     .scope = APIKEY_STATS_READ,
     .shared = SHARES_OF_ALL | SHARES_NO_PERIOD},
    {.method = REQUEST_GET,
     .path = "/v1/shares",
     .handle = shares_handle_list,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_POST,
     .path = "/v1/shares",
     .handle = shares_handle_post,
     .scope = APIKEY_STATS_READ | APIKEY_LINKS_WRITE},
    {.method = REQUEST_DELETE,
     .path = "/v1/shares/{}",
     .handle = shares_handle_delete,
     .scope = APIKEY_LINKS_WRITE,
     .params = {"brand"}},
    {.method = REQUEST_GET,
     .path = "/v1/top/{}",
     .handle = top_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand", "kind", "limit", "sort"}},
    {.method = REQUEST_GET,
     .path = "/v1/live",
     .handle = live_handle,
     .scope = APIKEY_STATS_READ,
     .tells_strays = true,
     .params = {"brand"}},
};

enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Whether `path` is the pattern's; `*arg`, absent before, is what stands for its `{}`, as it came;
 * of several all from the first to the last, with what is between them. */
static bool path_matches(const char *pattern, struct slice path, struct slice *arg)
{
    size_t at = 0;

    for (; *pattern; pattern++) {
        if (*pattern == '{') {
            size_t start = at;

            while (at < path.len && path.ptr[at] != '/')
                at++;
            if (at == start)
                return false;
            if (!arg->ptr)
                arg->ptr = path.ptr + start;
            arg->len = (size_t)(path.ptr + at - arg->ptr);
            pattern++;
        } else if (at == path.len || path.ptr[at++] != *pattern) {
            return false;
        }
    }
    return at == path.len;
}

/* The route of path and method, or NULL; `*allowed` collects the methods of the path. */
static const struct route *find_route(const struct request *request, struct slice *arg,
                                      unsigned *allowed)
{
    const struct route *found = NULL;

    *allowed = 0;
    for (size_t i = 0; i < N_ROUTES; i++) {
        struct slice route_arg = {0};

        if (!path_matches(routes[i].path, request->path, &route_arg))
            continue;
        *allowed |= (unsigned)routes[i].method;
        if (routes[i].method == request->method) {
            found = &routes[i];
            *arg = route_arg;
        }
    }
    return found;
}

bool router_is_for_front(const struct request *request)
{
    struct slice arg;
    unsigned allowed;

    for (size_t i = 0; i < N_ROUTES; i++) {
        if (routes[i].is_for_front && path_matches(routes[i].path, request->path, &arg))
            return routes[i].method == request->method || !find_route(request, &arg, &allowed);
    }
    return false;
}

size_t router_body_max(const struct request *request)
{
    struct slice arg;
    unsigned allowed;
    const struct route *route = find_route(request, &arg, &allowed);
    size_t max = route && route->body_max ? route->body_max : ROUTER_BODY_MAX;

    if (max > ROUTER_BODY_MAX && !auth_knows_key(request->server->auth, request))
        max = ROUTER_BODY_MAX;
    return max;
}

static bool knows_param(const struct route *route, struct slice name)
{
    for (size_t i = 0; route->params[i]; i++) {
        if (slice_equal(name, slice_of(route->params[i])) ||
            strcmp(route->params[i], ROUTE_ANY_PARAM) == 0)
            return true;
    }
    return false;
}

static const char *query_fault(enum query_status status)
{
    switch (status) {
    case QUERY_OK:
        break;
    case QUERY_TOO_LONG:
        return "the query is too long";
    case QUERY_TOO_MANY:
        return "the query has too many parameters";
    case QUERY_BAD_TEXT:
        return "has a bad escape, a control character or bytes that are no UTF-8";
    case QUERY_NO_NAME:
        return "the query has a value without a name";
    case QUERY_TWICE:
        return "is given twice; lists are separated by commas";
    }
    return "";
}

/* Reads the query; false: replied to. */
static bool take_query(struct request *request, const struct route *route)
{
    char name[REQUEST_QUOTE_MAX];
    struct faults faults = {.n = 0};
    enum query_status status;
    struct slice bad;

    _Static_assert(QUERY_PARAMS_MAX <= 32, "request->strays has a bit for each");

    status = query_parse(request->query_text, &request->query, &bad);
    if (status != QUERY_OK) {
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(bad));
        request_fail(request, 400,
                     bad.len > 0 && bad.len < sizeof(name) && query_is_clean_text(bad) ? name
                                                                                       : NULL,
                     "%s", query_fault(status));
        return false;
    }
    for (size_t i = 0; i < request->query.n_params; i++) {
        if (!knows_param(route, request->query.params[i].name))
            request->strays |= UINT32_C(1) << i;
    }
    if (request->strays == 0 || route->tells_strays)
        return true;
    faults_add_strays(&faults, request);
    faults_reply(&faults, request);
    return false;
}

void router_handle(struct request *request)
{
    struct slice arg = {0};
    unsigned allowed;
    char allow[64];
    const struct route *route = find_route(request, &arg, &allowed);

    if (!route && allowed != 0) {
        snprintf(allow, sizeof(allow), "%s%s%s%s%s", allowed & REQUEST_GET ? "GET, HEAD, " : "",
                 allowed & REQUEST_POST ? "POST, " : "", allowed & REQUEST_PUT ? "PUT, " : "",
                 allowed & REQUEST_DELETE ? "DELETE, " : "",
                 allowed & REQUEST_OPTIONS ? "OPTIONS, " : "");
        allow[strlen(allow) - 2] = '\0'; /* the last comma */
        request_add_header(request, "Allow", allow);
        request_fail(request, 405, NULL, "this path answers only %s", allow);
        return;
    }
    if (!route) {
        request_fail(request, 404, NULL, "there is nothing at this path");
        return;
    }
    if (route->scope != 0 && !request->inside && shares_must_look(request)) {
        shares_look(request, router_handle);
        return;
    }
    if (route->scope != 0 && !request->share && !request->inside &&
        !auth_check(request->server->auth, request, route->scope))
        return;
    if (request->origin.refused_body == 413) {
        request_fail(request, 413, NULL, "the body is too long: here it may have %zu bytes",
                     router_body_max(request));
        return;
    }
    if (request->origin.refused_body != 0) {
        request_add_header(request, "Retry-After", "1");
        request_fail(request, 503, NULL, "too many long bodies at once");
        return;
    }
    if (!query_decode(arg, request->arg, sizeof(request->arg), &request->arg_len)) {
        request_fail(request, 400, NULL,
                     "the last part of the path is too long, badly escaped, or no text");
        return;
    }
    if (take_query(request, route) && (route->scope == 0 || shares_may_ask(request, route->shared)))
        route->handle(request);
}
