#include "service/admin/origin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/forwarded.h"
#include "proto/slice.h"
#include "service/admin/request.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = slice_make(s.ptr + 1, s.len - 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The first element of a list: what the proxy next to the client said. */
static struct slice first_of(const char *list)
{
    return list ? trim(slice_make(list, strcspn(list, ","))) : (struct slice){0};
}

/* Whether the first element of Forwarded has proto=https. */
static bool forwarded_over_tls(const struct request *request)
{
    struct slice rest = first_of(request_header(request, "Forwarded"));
    const struct slice https = {.ptr = "proto=https", .len = 11},
                       quoted = {.ptr = "proto=\"https\"", .len = 13};

    while (rest.len > 0) {
        const char *semicolon = memchr(rest.ptr, ';', rest.len);
        size_t len = semicolon ? (size_t)(semicolon - rest.ptr) : rest.len;
        struct slice pair = trim(slice_make(rest.ptr, len));

        if (slice_equal_nocase(pair, https) || slice_equal_nocase(pair, quoted))
            return true;
        len += semicolon != NULL;
        rest = slice_make(rest.ptr + len, rest.len - len);
    }
    return false;
}

/* Whether a page at `origin`, "https://host:port", is of that "host:port".  Proxies are often set
 * up to pass the host on without its port; a page at another port of it shares our cookies anyway.
 */
static bool is_host_of(const char *origin, struct slice host)
{
    const char *at = strstr(origin, "://");
    struct slice own = slice_of(at ? at + 3 : NULL);

    return host.len > 0 && own.len >= host.len &&
           slice_equal_nocase(slice_make(own.ptr, host.len), host) &&
           (own.len == host.len || own.ptr[host.len] == ':');
}

static struct slice forwarded_host(const struct request *request, const char *field,
                                   enum forwarded_form form)
{
    return forwarded_first_host(form, slice_of(request_header(request, field)));
}

bool origin_is_own_page(const struct request *request)
{
    const char *site = request_header(request, "Sec-Fetch-Site");
    const char *origin = request_header(request, "Origin");

    if (site)
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    if (!origin || is_host_of(origin, slice_of(request_header(request, "Host"))))
        return true;
    return request->origin.is_peer_trusted &&
           (is_host_of(origin, forwarded_host(request, "X-Forwarded-Host", FORWARDED_X)) ||
            is_host_of(origin, forwarded_host(request, "Forwarded", FORWARDED_RFC7239)));
}

/* Names, addresses and a port; anything else would be no host. */
static bool is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = slice_lower(host.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr(".-_:[]", c)))
            return false;
    }
    return host.len > 0 && host.len <= ORIGIN_URL_MAX - sizeof("https://");
}

bool origin_url(const struct request *request, char out[static ORIGIN_URL_MAX])
{
    struct slice host = {0};

    if (request->origin.is_peer_trusted) {
        host = forwarded_host(request, "X-Forwarded-Host", FORWARDED_X);
        if (!host.ptr)
            host = forwarded_host(request, "Forwarded", FORWARDED_RFC7239);
    }
    if (!host.ptr)
        host = slice_of(request_header(request, "Host"));
    if (!is_host(host))
        return false;
    snprintf(out, ORIGIN_URL_MAX, "%s://%.*s", request->is_secure ? "https" : "http",
             SLICE_ARG(host));
    return true;
}

bool origin_is_secure(const struct request *request)
{
    const struct slice https = {.ptr = "https", .len = 5};
    const char *origin = request_header(request, "Origin");

    return slice_equal_nocase(first_of(request_header(request, "X-Forwarded-Proto")), https) ||
           forwarded_over_tls(request) ||
           (origin && strncasecmp(origin, "https://", 8) == 0 && origin_is_own_page(request));
}
