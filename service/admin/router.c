#include "service/admin/router.h"

#include <stdio.h>
#include <string.h>

#include <event2/http.h>

#include "service/admin/auth.h"
#include "service/admin/handlers.h"
#include "service/admin/server.h"
#include "service/config/apikeys.h"

static const struct route routes[] = {
    {REQUEST_GET, "/livez", 0, probes_handle_live, {NULL}},
    {REQUEST_GET, "/readyz", 0, probes_handle_ready, {NULL}},
    {REQUEST_GET, "/metrics", 0, metrics_handle, {NULL}},
    {REQUEST_POST, "/v1/links", APIKEY_LINKS_WRITE, links_handle_mint, {NULL}},
    {REQUEST_GET, "/v1/links/{}", APIKEY_STATS_READ, links_handle_show, {"brand", NULL}},
    {REQUEST_GET,
     "/v1/objects/{}",
     APIKEY_STATS_READ,
     items_handle_object,
     {"brand", "kind", NULL}},
    {REQUEST_GET,
     "/v1/clients/{}",
     APIKEY_STATS_READ,
     items_handle_client,
     {"brand", "kind", NULL}},
    {REQUEST_GET,
     "/v1/stats",
     APIKEY_STATS_READ,
     stats_handle,
     {"brand", "campaign", "kind", "from", "to", "interval", "group_by", "tz", "compare", "clients",
      "limit", "offset", "format", NULL}},
    {REQUEST_GET, "/v1/links/{}/qr.svg", APIKEY_STATS_READ, qr_handle_svg, {"brand", NULL}},
    {REQUEST_GET, "/v1/links/{}/qr.png", APIKEY_STATS_READ, qr_handle_png, {"brand", "size", NULL}},
    {REQUEST_GET, "/v1/brands", APIKEY_STATS_READ, brands_handle, {NULL}},
    {REQUEST_GET, "/v1/health", APIKEY_STATS_READ, health_handle, {NULL}},
    {REQUEST_POST, "/v1/session", 0, signin_handle_open, {NULL}},
    {REQUEST_GET, "/v1/session", 0, signin_handle_show, {NULL}},
    {REQUEST_DELETE, "/v1/session", 0, signin_handle_close, {NULL}},
    {REQUEST_GET, "/v1/openapi.yaml", 0, openapi_handle_yaml, {NULL}},
    {REQUEST_GET, "/v1/openapi.json", 0, openapi_handle_json, {NULL}},
    {REQUEST_GET, "/docs", 0, web_handle_docs, {ROUTE_ANY_PARAM}},
    {REQUEST_GET, "/", 0, web_handle_home, {ROUTE_ANY_PARAM}},
    {REQUEST_GET, "/dashboard", 0, web_handle_home, {ROUTE_ANY_PARAM}},
    {REQUEST_GET, "/dashboard/", 0, web_handle_page, {ROUTE_ANY_PARAM}},
    {REQUEST_GET, "/dashboard/{}", 0, web_handle_asset, {ROUTE_ANY_PARAM}},
    {REQUEST_GET, "/v1/campaigns", APIKEY_STATS_READ, campaigns_handle_list, {"brand", NULL}},
    {REQUEST_PUT, "/v1/campaigns/{}", APIKEY_LINKS_WRITE, campaigns_handle_put, {"brand", NULL}},
    {REQUEST_GET,
     "/v1/top/{}",
     APIKEY_STATS_READ,
     top_handle,
     {"brand", "kind", "limit", "sort", NULL}},
    {REQUEST_GET, "/v1/live", APIKEY_STATS_READ, live_handle, {"brand", NULL}},
};

enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Whether `path` is the pattern's; `*arg` is what stands for its `{}`, as it came. */
static bool path_matches(const char *pattern, struct slice path, struct slice *arg)
{
    size_t at = 0;

    for (; *pattern; pattern++) {
        if (*pattern == '{') {
            size_t start = at;

            while (at < path.len && path.ptr[at] != '/')
                at++;
            *arg = slice_make(path.ptr + start, at - start);
            if (arg->len == 0)
                return false;
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

static void fail_method(struct request *request, unsigned allowed)
{
    char allow[64];

    snprintf(allow, sizeof(allow), "%s%s%s%s", allowed & REQUEST_GET ? "GET, HEAD, " : "",
             allowed & REQUEST_POST ? "POST, " : "", allowed & REQUEST_PUT ? "PUT, " : "",
             allowed & REQUEST_DELETE ? "DELETE, " : "");
    allow[strlen(allow) - 2] = '\0'; /* the last comma */
    request_add_header(request, "Allow", allow);
    request_fail(request, 405, NULL, "this path answers only %s", allow);
}

/* A name that the route does not know, or an absent slice. */
static struct slice unknown_param(const struct route *route, const struct query *query)
{
    for (size_t i = 0; i < query->n_params; i++) {
        struct slice name = query->params[i].name;
        bool known = false;

        for (size_t j = 0; route->params[j] && !known; j++)
            known = slice_equal(name, slice_of(route->params[j])) ||
                    strcmp(route->params[j], ROUTE_ANY_PARAM) == 0;
        if (!known)
            return name;
    }
    return (struct slice){0};
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
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->http);
    char quoted[REQUEST_QUOTE_MAX], name[REQUEST_QUOTE_MAX];
    enum query_status status;
    struct slice bad;

    status = query_parse(slice_of(evhttp_uri_get_query(uri)), &request->query, &bad);
    if (status != QUERY_OK) {
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(bad));
        request_fail(request, 400,
                     bad.len > 0 && bad.len < sizeof(name) && query_is_clean_text(bad) ? name
                                                                                       : NULL,
                     "%s", query_fault(status));
        return false;
    }
    bad = unknown_param(route, &request->query);
    if (bad.ptr) {
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(bad));
        request_fail(request, 400, bad.len < sizeof(name) ? name : NULL,
                     "there is no parameter %s here", request_quote(bad, quoted));
        return false;
    }
    return true;
}

void router_handle(struct request *request)
{
    struct slice arg = {0};
    unsigned allowed;
    const struct route *route = find_route(request, &arg, &allowed);

    if (!route && allowed != 0) {
        fail_method(request, allowed);
        return;
    }
    if (!route) {
        request_fail(request, 404, NULL, "there is nothing at this path");
        return;
    }
    if (route->scope != 0 && !auth_check(request->server->auth, request, route->scope))
        return;
    if (!query_decode(arg, request->arg, sizeof(request->arg), &request->arg_len)) {
        request_fail(request, 400, NULL,
                     "the last part of the path is too long, badly escaped, or no text");
        return;
    }
    if (take_query(request, route))
        route->handle(request);
}
