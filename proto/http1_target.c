#include <string.h>

#include "proto/http1_chars.h"
#include "proto/http1_head.h"
#include "proto/ip.h"

/* The other methods of the IANA registry ("HTTP Method Registry"), which are known, but not ours.
 */
static const char *const other_methods[] = {
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
};

static bool read_other_method(struct http1_head *head, struct slice name)
{
    size_t i = 0, n = sizeof(other_methods) / sizeof(other_methods[0]);

    while (i < n && !slice_equal(name, slice_of(other_methods[i])))
        i++;
    if (i == n)
        return http1_refuse(head, 501, "unknown method");
    if (!head->rules->all_methods)
        return http1_refuse(head, 405, "method not allowed");
    head->request->method = HTTP1_OTHER;
    if (slice_equal(name, slice_of("PUT")))
        head->request->method = HTTP1_PUT;
    else if (slice_equal(name, slice_of("DELETE")))
        head->request->method = HTTP1_DELETE;
    return true;
}

bool http1_read_method(struct http1_head *head, struct slice name)
{
    if (name.len == 3 && memcmp(name.ptr, "GET", 3) == 0)
        head->request->method = HTTP1_GET;
    else if (name.len == 4 && memcmp(name.ptr, "HEAD", 4) == 0)
        head->request->method = HTTP1_HEAD;
    else if (name.len == 4 && memcmp(name.ptr, "POST", 4) == 0)
        head->request->method = HTTP1_POST;
    else if (name.len == 7 && memcmp(name.ptr, "OPTIONS", 7) == 0)
        head->request->method = HTTP1_OPTIONS;
    else
        return read_other_method(head, name);
    return true;
}

static bool is_port(const char *p, const char *end)
{
    unsigned port = 0;

    if (end - p > 5)
        return false;
    for (; p < end; p++) {
        if (!http1_char_is(*p, HTTP1_CHAR_DIGIT))
            return false;
        port = port * 10 + (unsigned)(*p - '0');
    }
    return port <= 65535;
}

/* Behind the address in brackets that starts at `p`; `p` itself if it is none. */
static const char *skip_ip_literal(const char *p, const char *end)
{
    const char *bracket = memchr(p, ']', (size_t)(end - p));
    uint8_t ip[IP_LEN];
    struct slice text;

    if (!bracket)
        return p;
    text = slice_make(p + 1, (size_t)(bracket - p - 1));
    return text.len && memchr(text.ptr, ':', text.len) && ip_parse(text, ip) ? bracket + 1 : p;
}

bool http1_split_authority(struct slice authority, struct slice *host)
{
    const char *start = authority.ptr, *end = start + authority.len;
    const char *host_end;

    if (authority.len == 0)
        return false;
    host_end =
        *start == '[' ? skip_ip_literal(start, end) : http1_skip(start, end, HTTP1_CHAR_HOST);
    if (host_end == start || host_end - start > HTTP1_HOST_MAX)
        return false;
    /* "host:" is a host with the default port (RFC 3986, 3.2.3). */
    if (host_end != end && (*host_end != ':' || !is_port(host_end + 1, end)))
        return false;
    *host = slice_make(start, (size_t)(host_end - start));
    return true;
}

/* `text` starts with the path, which may be empty. */
static void split_path(struct http1_request *request, struct slice text)
{
    const char *mark = text.len ? memchr(text.ptr, '?', text.len) : NULL;

    request->path = text;
    if (mark) {
        request->path.len = (size_t)(mark - text.ptr);
        request->query = slice_make(mark + 1, text.len - request->path.len - 1);
    }
    if (request->path.len == 0)
        request->path = slice_make("/", 1);
}

/* Length of "http://" or "https://" at the start of the target; 0 if neither is there. */
static size_t scheme_len(struct slice target)
{
    if (target.len >= 7 && slice_equal_nocase(slice_make(target.ptr, 7), slice_of("http://")))
        return 7;
    if (target.len >= 8 && slice_equal_nocase(slice_make(target.ptr, 8), slice_of("https://")))
        return 8;
    return 0;
}

bool http1_read_target(struct http1_head *head, struct slice target)
{
    struct http1_request *request = head->request;
    size_t skip, len = 0;

    request->target = target;
    if (target.ptr[0] == '/') {
        split_path(request, target);
        return true;
    }
    skip = scheme_len(target);
    if (skip == 0)
        return http1_refuse(head, 400, "target is neither a path nor an http URL");
    while (skip + len < target.len && target.ptr[skip + len] != '/' &&
           target.ptr[skip + len] != '?')
        len++;
    request->authority = slice_make(target.ptr + skip, len);
    if (!http1_split_authority(request->authority, &request->host))
        return http1_refuse(head, 400, "bad host in the target");
    split_path(request, slice_make(target.ptr + skip + len, target.len - skip - len));
    return true;
}
