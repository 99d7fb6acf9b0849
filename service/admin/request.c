#include "service/admin/request.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <event2/buffer.h>
#include <sodium.h>

#include "proto/http1.h"
#include "service/admin/gzip.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum {
    DATE_MAX = 32,
    ETAG_BYTES = 16,
    ETAG_TEXT_MAX = 2 * ETAG_BYTES + 8,
    GZIP_MIN = 1024, /* below, the saving is less than a packet */
};

static enum request_method method_of(enum http1_method method)
{
    switch (method) {
    case HTTP1_GET:
    case HTTP1_HEAD:
        return REQUEST_GET;
    case HTTP1_POST:
        return REQUEST_POST;
    case HTTP1_PUT:
        return REQUEST_PUT;
    case HTTP1_DELETE:
        return REQUEST_DELETE;
    case HTTP1_OPTIONS:
        return REQUEST_OPTIONS;
    case HTTP1_OTHER:
        break;
    }
    return REQUEST_OTHER;
}

/* What `part` of the head at `from` is in our copy of it. */
static struct slice copied(const struct request *request, const char *from, struct slice part)
{
    bool is_inside = part.ptr >= from && part.ptr < from + request->head_len;

    return is_inside ? slice_make(request->head + (part.ptr - from), part.len) : part;
}

struct request *request_new(struct server *server, const struct http1_request *http,
                            struct slice head, const struct request_origin *origin)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->server = server;
    request->origin = *origin;
    request->method = method_of(http->method);
    request->is_head = http->method == HTTP1_HEAD;
    request->minor_version = http->minor_version;
    request->last = (struct parcel){.request = request, .is_last = true};
    request->head = malloc(head.len);
    request->body = evbuffer_new();
    request->last.bytes = evbuffer_new();
    if (!request->head || !request->body || !request->last.bytes) {
        request_free(request);
        return NULL;
    }
    memcpy(request->head, head.ptr, head.len);
    request->head_len = head.len;
    request->path = copied(request, head.ptr, http->path);
    request->query_text = copied(request, head.ptr, http->query);
    atomic_fetch_add(&server->n_open, 1);
    return request;
}

struct request *request_new_inside(struct server *server, const char *target, const char *brands,
                                   const char *name, struct request_inside *inside)
{
    size_t path_len = strcspn(target, "?");
    const struct request_origin origin = {.keep_alive = true};
    const struct http1_request http = {
        .method = HTTP1_GET,
        .minor_version = 1,
        .path = slice_make(target, path_len),
        .query = target[path_len] ? slice_of(target + path_len + 1) : (struct slice){0},
    };
    struct request *request = request_new(server, &http, slice_of(target), &origin);

    if (!request)
        return NULL;
    request->inside = inside;
    snprintf(request->who, sizeof(request->who), "%s", name);
    if ((request->brands = strdup(brands)) != NULL)
        return request;
    request_free(request);
    return NULL;
}

void request_free(struct request *request)
{
    if (!request)
        return;
    if (request->head_len > 0)
        atomic_fetch_sub(&request->server->n_open, 1);
    if (request->body)
        evbuffer_free(request->body);
    if (request->last.bytes)
        evbuffer_free(request->last.bytes);
    site_unref(request->site);
    json_decref(request->share);
    free(request->brands);
    free(request->head);
    free(request);
}

const char *request_header(const struct request *request, const char *name)
{
    struct slice head = slice_make(request->head, request->head_len);
    struct slice value = http1_find_value(head, slice_of(name));

    if (!value.ptr)
        return NULL;
    /* The byte behind a value is a blank or the CR of its line, which is not needed any more. */
    request->head[value.ptr + value.len - request->head] = '\0';
    return value.ptr;
}

unsigned request_count_headers(const struct request *request, const char *name)
{
    return http1_count_values(slice_make(request->head, request->head_len), slice_of(name));
}

void request_add_header(struct request *request, const char *name, const char *value)
{
    size_t room = sizeof(request->fields) - request->fields_len;
    int len = snprintf(request->fields + request->fields_len, room, "%s: %s\r\n", name, value);

    assert(len > 0 && (size_t)len < room && !strpbrk(value, "\r\n"));
    if (len > 0 && (size_t)len < room)
        request->fields_len += (size_t)len;
}

void request_deprecate(struct request *request, const char *successor)
{
    char link[128];

    snprintf(link, sizeof(link), "<%s>; rel=\"successor-version\"", successor);
    request_add_header(request, "Deprecation", "@1795824000"); /* 2026-11-28 */
    request_add_header(request, "Link", link);
}

/* The name of the member whose number ends at `end` of a text that jansson read up to there:
 * `"name" : 1e999`.  "" when it is none, as in an array. */
static void find_member(struct slice text, size_t end, char out[static REQUEST_QUOTE_MAX])
{
    size_t at = end < text.len ? end : text.len, name_end;

    out[0] = '\0';
    while (at > 0 && (isalnum((unsigned char)text.ptr[at - 1]) || strchr("+-.", text.ptr[at - 1])))
        at--;
    while (at > 0 && isspace((unsigned char)text.ptr[at - 1]))
        at--;
    if (at == 0 || text.ptr[--at] != ':')
        return;
    while (at > 0 && text.ptr[at - 1] != '"')
        at--;
    name_end = at > 0 ? --at : 0;
    while (at > 0 && text.ptr[at - 1] != '"')
        at--;
    if (name_end > at && query_is_clean_text(slice_make(text.ptr + at, name_end - at)))
        snprintf(out, REQUEST_QUOTE_MAX, "%.*s", (int)(name_end - at), text.ptr + at);
}

json_t *request_read_json(struct request *request)
{
    struct evbuffer *body = request->body;
    size_t len = evbuffer_get_length(body);
    json_error_t error = {.line = 0};
    char name[REQUEST_QUOTE_MAX];
    json_t *json = NULL;
    const char *bytes;
    struct slice text;

    if (len == 0) {
        request_fail_as(request, PROBLEM_INVALID_JSON, NULL, "the request needs a body of JSON");
        return NULL;
    }
    bytes = (const char *)evbuffer_pullup(body, -1);
    text = slice_skip_mark(slice_make(bytes, bytes ? len : 0));
    if (bytes)
        json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    /* A number beyond 2^63: the code that reads the field names the range. */
    if (bytes && !json && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
                          &error);
    if (json)
        return json;
    if (json_error_code(&error) == json_error_null_character) {
        request_fail_as(request, PROBLEM_INVALID_JSON, NULL,
                        "a text in the body holds a NUL (\\u0000), in line %d", error.line);
    } else if (json_error_code(&error) == json_error_numeric_overflow) {
        find_member(text, (size_t)error.position, name);
        request_fail_as(request, PROBLEM_INVALID_FIELDS, name[0] ? name : NULL,
                        "%s a number, in line %d, column %d of the body, that is larger than any "
                        "that fits",
                        name[0] ? "is" : "there is", error.line, error.column);
    } else {
        request_fail_as(request, PROBLEM_INVALID_JSON, NULL,
                        "the body is no JSON: line %d, column %d: %s", error.line, error.column,
                        error.text);
    }
    return NULL;
}

static void count_reply(struct server *server, int status)
{
    if (status >= 100 && status < 600)
        atomic_fetch_add(&server->n_replies[status / 100], 1);
}

static const char *title_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Service Unavailable";
    }
}

static const char *write_date(char out[static DATE_MAX])
{
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    struct tm now;

    strftime(out, DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now_s, &now));
    return out;
}

void request_write_refusal(struct server *server, struct evbuffer *out, int status,
                           const char *reason, bool is_head)
{
    char date[DATE_MAX], body[2 * REQUEST_DETAIL_MAX], detail[REQUEST_DETAIL_MAX];
    char type[PROBLEM_TYPE_MAX];
    enum problem problem = problem_of_status(status, false);
    int len = snprintf(body, sizeof(body),
                       "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}",
                       problem_type(problem, type), problem_text(problem)->title, status,
                       request_sentence(NULL, reason, detail));

    count_reply(server, status);
    evbuffer_add_printf(out,
                        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: application/problem+json\r\n"
                        "Cache-Control: private, no-store\r\nX-Content-Type-Options: nosniff\r\n"
                        "%sConnection: close\r\nContent-Length: %d\r\n\r\n%s",
                        status, title_of(status), write_date(date),
                        status == 503 ? "Retry-After: 1\r\n" : "", len, is_head ? "" : body);
}

/* Writes the head of a reply; `len` of its body, SIZE_MAX: it has no end yet. */
static void write_head(struct request *request, struct evbuffer *out, int status, size_t len)
{
    char date[DATE_MAX];

    if (request->is_secure)
        request_add_header(request, "Strict-Transport-Security", "max-age=31536000");
    if (!request->origin.keep_alive)
        request_add_header(request, "Connection", "close");
    else if (request->minor_version == 0)
        request_add_header(request, "Connection", "keep-alive");
    evbuffer_add_printf(out, "HTTP/1.%u %d %s\r\nDate: %s\r\n", request->minor_version, status,
                        title_of(status), write_date(date));
    evbuffer_add(out, request->fields, request->fields_len);
    if (len == SIZE_MAX && request->minor_version == 1)
        evbuffer_add(out, "Transfer-Encoding: chunked\r\n\r\n", 30);
    else if (len == SIZE_MAX || status == 204 || status == 304)
        evbuffer_add(out, "\r\n", 2);
    else
        evbuffer_add_printf(out, "Content-Length: %zu\r\n\r\n", len);
}

/* Hands the last bytes of the reply to the front, and the request with them. */
static void hand_back(struct request *request)
{
    if (request->inside) {
        struct evbuffer *body = request->last.bytes;

        request->last.bytes = NULL;
        request->inside->on_reply(request->inside, request->inside_status, body);
        request_free(request);
        return;
    }
    mailbox_post(request->server->to_front, &request->last.letter);
}

void request_drop(struct request *request)
{
    hand_back(request);
}

static bool accepts_gzip(const struct request *request)
{
    const char *accept = request_header(request, "Accept-Encoding");
    const char *at = accept ? strstr(accept, "gzip") : NULL;

    /* "gzip;q=0" is the one way to refuse it by name. */
    return at && strncmp(at + 4, ";q=0", 4) != 0;
}

static void add_default_header(struct request *request, const char *name, const char *value)
{
    size_t len = strlen(name);
    const char *line = request->fields, *end = line + request->fields_len;

    while (line < end && (strncasecmp(line, name, len) != 0 || line[len] != ':'))
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    if (line == end)
        request_add_header(request, name, value);
}

/* The packed form of a body that never changes: made once, for packing the dashboard's files takes
 * milliseconds and needs no key.  An absent slice: packing does not pay, or there is no memory. */
static struct slice pack_constant(struct server *server, struct slice body)
{
    for (size_t i = 0; i < SERVER_PACKED_MAX; i++) {
        struct packed *packed = &server->packed[i];

        if (!packed->of) {
            packed->bytes = gzip_pack(body, &packed->len);
            packed->of = body.ptr;
        }
        if (packed->of == body.ptr)
            return slice_make(packed->bytes, packed->bytes ? packed->len : 0);
    }
    return (struct slice){0};
}

static void write_reply(struct request *request, int status, const struct reply *reply)
{
    struct evbuffer *out = request->last.bytes;
    struct slice body = status == 304 ? (struct slice){0} : reply->body, packed = {0};

    if (body.len >= GZIP_MIN) {
        add_default_header(request, "Vary", "Accept-Encoding");
        if (accepts_gzip(request) && reply->is_constant)
            packed = pack_constant(request->server, body);
        else if (accepts_gzip(request))
            packed.ptr = gzip_pack(body, &packed.len);
    }
    if (packed.ptr) {
        request_add_header(request, "Content-Encoding", "gzip");
        body = packed;
    }
    request->inside_status = status;
    if (!request->inside)
        write_head(request, out, status, body.len);
    if (!request->is_head && reply->is_constant && body.len > 0)
        evbuffer_add_reference(out, body.ptr, body.len, NULL, NULL);
    else if (!request->is_head)
        evbuffer_add(out, body.ptr, body.len);
    if (!reply->is_constant)
        free((void *)packed.ptr);
}

void request_reply(struct request *request, const struct reply *reply)
{
    int status = reply->status;

    add_default_header(request, "Content-Type", reply->type);
    add_default_header(request, "Cache-Control",
                       reply->etag_of.ptr ? "private, no-cache" : "private, no-store");
    add_default_header(request, "X-Content-Type-Options", "nosniff");
    if (reply->etag_of.ptr) {
        const char *known = request_header(request, "If-None-Match");
        char etag[ETAG_TEXT_MAX], hex[2 * ETAG_BYTES + 1];
        unsigned char hash[ETAG_BYTES];

        crypto_generichash(hash, sizeof(hash), (const unsigned char *)reply->etag_of.ptr,
                           reply->etag_of.len, NULL, 0);
        sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
        snprintf(etag, sizeof(etag), "W/\"%s\"", hex);
        request_add_header(request, "ETag", etag);
        /* The client has this reply; weak comparison, RFC 9110, 13.1.2. */
        if (status == 200 && known && (strcmp(known, "*") == 0 || strstr(known, etag + 2)))
            status = 304;
    }
    count_reply(request->server, status);
    write_reply(request, status, reply);
    hand_back(request);
}

static void reply_dumped(struct request *request, int status, const char *type, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct reply reply = {.status = text ? status : 503, .type = type, .body = slice_of(text)};

    json_decref(body);
    request_reply(request, &reply);
    free(text);
}

void request_reply_json(struct request *request, int status, json_t *body)
{
    reply_dumped(request, status, "application/json", body);
}

const char *request_quote(struct slice text, char out[static REQUEST_QUOTE_MAX])
{
    enum { ROOM = REQUEST_QUOTE_MAX - sizeof("''\xe2\x80\xa6") };
    bool cut = text.len > ROOM;
    size_t len = cut ? ROOM : text.len;

    /* Not inside a character. */
    while (cut && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    snprintf(out, REQUEST_QUOTE_MAX, "'%.*s%s'", (int)len, text.ptr ? text.ptr : "",
             cut ? "\xe2\x80\xa6" : "");
    return out;
}

const char *request_sentence(const char *field, const char *rest,
                             char out[static REQUEST_DETAIL_MAX])
{
    bool has_field = field && field[0];
    size_t len;

    /* Room for the full stop. */
    snprintf(out, REQUEST_DETAIL_MAX - 1, "%s%s%s", has_field ? field : "", has_field ? " " : "",
             rest);
    len = strlen(out);
    if (!has_field && out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
    if (len > 0 && !strchr(".!?", out[len - 1]))
        memcpy(out + len, ".", 2);
    return out;
}

/* Takes `errors`, which may be NULL. */
static void fail(struct request *request, enum problem problem, int status, const char *parameter,
                 const char *detail, json_t *errors)
{
    char type[PROBLEM_TYPE_MAX];
    json_t *body = json_pack("{ss ss si ss ss* so*}", "type", problem_type(problem, type), "title",
                             problem_text(problem)->title, "status", status, "detail", detail,
                             "parameter", parameter, "errors", errors);

    reply_dumped(request, status, "application/problem+json", body);
}

static void fail_with(struct request *request, enum problem problem, int status,
                      const char *parameter, const char *rest)
{
    char detail[REQUEST_DETAIL_MAX];
    json_t *errors = NULL;

    request_sentence(parameter, rest, detail);
    if (parameter)
        errors = json_pack("[{ss ss}]", "field", parameter, "detail", detail);
    fail(request, problem, status, parameter, detail, errors);
}

void request_fail(struct request *request, int status, const char *parameter, const char *format,
                  ...)
{
    char rest[REQUEST_DETAIL_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    fail_with(request, problem_of_status(status, parameter != NULL), status, parameter, rest);
}

void request_fail_as(struct request *request, enum problem problem, const char *parameter,
                     const char *format, ...)
{
    char rest[REQUEST_DETAIL_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    fail_with(request, problem, problem_text(problem)->status, parameter, rest);
}

void request_fail_fields(struct request *request, enum problem problem, json_t *errors, size_t n)
{
    const json_t *first = json_array_get(errors, 0);
    const char *field = json_string_value(json_object_get(first, "field"));
    const char *detail = json_string_value(json_object_get(first, "detail"));
    char all[REQUEST_DETAIL_MAX];

    if (n > 1)
        snprintf(all, sizeof(all), "%s %zu more %s wrong; `errors` says which.", detail, n - 1,
                 n == 2 ? "is" : "are");
    else
        snprintf(all, sizeof(all), "%s", detail ? detail : "");
    fail(request, problem, problem_text(problem)->status, field && field[0] ? field : NULL, all,
         errors);
}

void request_fail_redis(struct request *request, const char *cause)
{
    counter64_add(&request->server->n_queries_failed, 1);
    request_add_header(request, "Retry-After", "1");
    request_fail_as(request, PROBLEM_REDIS_UNAVAILABLE, NULL,
                    "the counters can't be read right now: %s", cause);
}

/* A part of a stream that is not its last. */
static bool post_part(struct request *request, struct evbuffer *bytes, bool wants_room)
{
    struct parcel *parcel = malloc(sizeof(*parcel));

    if (!parcel) {
        evbuffer_free(bytes);
        return false;
    }
    *parcel = (struct parcel){.request = request, .bytes = bytes, .wants_room = wants_room};
    mailbox_post(request->server->to_front, &parcel->letter);
    return true;
}

void request_stream_start(struct request *request, const char *type)
{
    struct evbuffer *head = evbuffer_new();

    count_reply(request->server, 200);
    request->origin.keep_alive = false;
    request_add_header(request, "Content-Type", type);
    request_add_header(request, "Cache-Control", "no-store");
    request_add_header(request, "X-Content-Type-Options", "nosniff");
    request_add_header(request, "X-Accel-Buffering",
                       "no"); /* otherwise nginx would buffer the events */
    if (head)
        write_head(request, head, 200, SIZE_MAX);
    if (!head || !post_part(request, head, false))
        atomic_store(&request->gone, true);
}

/* The bytes as a chunk, but for HTTP/1.0; NULL: they are of no use, or there is no memory. */
static struct evbuffer *make_part(struct request *request, struct slice bytes)
{
    struct evbuffer *part;

    if (atomic_load(&request->gone) || request->is_head || !(part = evbuffer_new()))
        return NULL;
    if (request->minor_version == 1)
        evbuffer_add_printf(part, "%zx\r\n", bytes.len);
    evbuffer_add(part, bytes.ptr, bytes.len);
    if (request->minor_version == 1)
        evbuffer_add(part, "\r\n", 2);
    return part;
}

bool request_stream_send(struct request *request, struct slice bytes)
{
    struct evbuffer *part = make_part(request, bytes);

    return part && post_part(request, part, false);
}

void request_stream_end(struct request *request)
{
    if (request->minor_version == 1 && !request->is_head)
        evbuffer_add(request->last.bytes, "0\r\n\r\n", 5);
    hand_back(request);
}

bool request_stream_piece(struct request *request, struct slice bytes, void (*on_room)(void *owner),
                          void *owner)
{
    struct evbuffer *part = make_part(request, bytes);

    if (!part)
        return false;
    request->on_room = on_room;
    request->room_owner = owner;
    if (post_part(request, part, true))
        return true;
    request->on_room = NULL;
    return false;
}

void request_stream_cut(struct request *request)
{
    request->last.is_cut = true;
    hand_back(request);
}
