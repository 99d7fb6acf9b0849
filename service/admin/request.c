#include "service/admin/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sodium.h>

#include "service/admin/gzip.h"
#include "service/admin/server.h"
#include "service/config/site.h"

enum {
    ETAG_BYTES = 16,
    ETAG_TEXT_MAX = 2 * ETAG_BYTES + 8,
    GZIP_MIN = 1024, /* below, the saving is less than a packet */
    STREAM_BACKLOG_MAX = 64 << 10,
};

/* The client closed the connection before it had its reply. */
static void on_close(struct evhttp_connection *conn, void *arg)
{
    struct request *request = arg;

    (void)conn;
    request->gone = true;
}

static enum request_method method_of(const struct evhttp_request *http)
{
    switch (evhttp_request_get_command(http)) {
    case EVHTTP_REQ_POST:
        return REQUEST_POST;
    case EVHTTP_REQ_PUT:
        return REQUEST_PUT;
    case EVHTTP_REQ_DELETE:
        return REQUEST_DELETE;
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD: /* evhttp leaves the body out */
        return REQUEST_GET;
    default:
        return REQUEST_OTHER;
    }
}

struct request *request_new(struct server *server, struct evhttp_request *http)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request) {
        evhttp_send_error(http, HTTP_SERVUNAVAIL, NULL);
        return NULL;
    }
    server->n_open++;
    request->server = server;
    request->http = http;
    request->site = site_ref(server->site);
    request->method = method_of(http);
    request->path = slice_of(evhttp_uri_get_path(evhttp_request_get_evhttp_uri(http)));
    evhttp_connection_set_closecb(evhttp_request_get_connection(http), on_close, request);
    return request;
}

const char *request_header(const struct request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->http), name);
}

void request_add_header(struct request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request->http), name, value);
}

json_t *request_read_json(struct request *request)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request->http);
    size_t len = evbuffer_get_length(body);
    json_error_t error = {.line = 0};
    json_t *json = NULL;
    const char *bytes;
    struct slice text;

    if (len == 0) {
        request_fail(request, 400, NULL, "the request needs a body of JSON");
        return NULL;
    }
    bytes = (const char *)evbuffer_pullup(body, -1);
    text = slice_skip_mark(slice_make(bytes, bytes ? len : 0));
    if (bytes)
        json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    /* A number beyond 2^63: whoever reads the field says what fits. */
    if (bytes && !json && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
                          &error);
    if (!json && json_error_code(&error) == json_error_null_character)
        request_fail(request, 400, NULL, "a text in the body holds a NUL (\\u0000), in line %d",
                     error.line);
    else if (!json)
        request_fail(request, 400, NULL, "the body is no JSON: line %d, column %d: %s", error.line,
                     error.column, error.text);
    return json;
}

static void count_reply(struct server *server, int status)
{
    if (status >= 100 && status < 600)
        server->n_replies[status / 100]++;
}

/* Nothing more is to be heard of the client, which may have gone already. */
static void leave_connection(struct request *request)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(request->http);

    request->server->n_open--;
    if (!request->gone && conn)
        evhttp_connection_set_closecb(conn, NULL, NULL);
}

static const char *title_of(int status)
{
    switch (status) {
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
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    default:
        return "Service Unavailable";
    }
}

/* Ends the request: hands evhttp what is to be sent, or (the client has gone) what is to be freed.
 */
static void finish(struct request *request, int status)
{
    count_reply(request->server, status);
    leave_connection(request);
    /* Of a 429, evhttp knows no more than that it is the client's fault. */
    evhttp_send_reply(request->http, status, status >= 400 ? title_of(status) : NULL, NULL);
    site_unref(request->site);
    free(request->brands);
    free(request);
}

static bool accepts_gzip(const struct request *request)
{
    const char *accept = request_header(request, "Accept-Encoding");
    const char *at = accept ? strstr(accept, "gzip") : NULL;

    /* "gzip;q=0" is the one way to refuse it by name. */
    return at && strncmp(at + 4, ";q=0", 4) != 0;
}

static void write_etag(struct slice of, char out[static ETAG_TEXT_MAX])
{
    unsigned char hash[ETAG_BYTES];
    char hex[2 * ETAG_BYTES + 1];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)of.ptr, of.len, NULL, 0);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    snprintf(out, ETAG_TEXT_MAX, "W/\"%s\"", hex);
}

/* True when the client has this very answer; weak comparison, RFC 9110, 13.1.2. */
static bool etag_is_known(const struct request *request, const char *etag)
{
    const char *known = request_header(request, "If-None-Match");

    return known && (strcmp(known, "*") == 0 || strstr(known, etag + 2));
}

static void add_default_header(struct request *request, const char *name, const char *value)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->http);

    if (!evhttp_find_header(headers, name))
        evhttp_add_header(headers, name, value);
}

static void add_body(struct request *request, struct slice body)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(request->http);
    void *packed = NULL;
    size_t packed_len = 0;

    if (body.len >= GZIP_MIN) {
        add_default_header(request, "Vary", "Accept-Encoding");
        if (accepts_gzip(request))
            packed = gzip_pack(body, &packed_len);
    }
    if (packed) {
        request_add_header(request, "Content-Encoding", "gzip");
        evbuffer_add(out, packed, packed_len);
    } else {
        evbuffer_add(out, body.ptr, body.len);
    }
    free(packed);
}

void request_reply(struct request *request, const struct reply *reply)
{
    int status = reply->status;

    add_default_header(request, "Content-Type", reply->type);
    add_default_header(request, "Cache-Control",
                       reply->etag_of.ptr ? "private, no-cache" : "private, no-store");
    add_default_header(request, "X-Content-Type-Options", "nosniff");
    if (reply->etag_of.ptr) {
        char etag[ETAG_TEXT_MAX];

        write_etag(reply->etag_of, etag);
        request_add_header(request, "ETag", etag);
        if (status == 200 && etag_is_known(request, etag))
            status = 304;
    }
    if (status != 304)
        add_body(request, reply->body);
    finish(request, status);
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

void request_fail(struct request *request, int status, const char *parameter, const char *format,
                  ...)
{
    char detail[REQUEST_DETAIL_MAX];
    json_t *body;
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    body = json_pack("{ss ss si ss* ss*}", "type", "about:blank", "title", title_of(status),
                     "status", status, "detail", detail, "parameter", parameter);
    reply_dumped(request, status, "application/problem+json", body);
}

void request_fail_redis(struct request *request, const char *cause)
{
    request->server->n_queries_failed++;
    request_add_header(request, "Retry-After", "1");
    request_fail(request, 503, NULL, "the counters can't be read right now: %s", cause);
}

void request_stream_start(struct request *request, const char *type)
{
    count_reply(request->server, 200);
    request_add_header(request, "Content-Type", type);
    request_add_header(request, "Cache-Control", "no-store");
    request_add_header(request, "X-Content-Type-Options", "nosniff");
    request_add_header(request, "X-Accel-Buffering", "no"); /* nginx would keep events back */
    evhttp_send_reply_start(request->http, 200, NULL);
}

bool request_stream_send(struct request *request, struct slice bytes)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(request->http);
    struct evbuffer *chunk;

    if (request->gone || !conn)
        return false;
    if (evbuffer_get_length(bufferevent_get_output(evhttp_connection_get_bufferevent(conn))) >
        STREAM_BACKLOG_MAX)
        return false;
    chunk = evbuffer_new();
    if (!chunk)
        return false;
    evbuffer_add(chunk, bytes.ptr, bytes.len);
    evhttp_send_reply_chunk(request->http, chunk);
    evbuffer_free(chunk);
    return true;
}

void request_stream_end(struct request *request)
{
    leave_connection(request);
    evhttp_send_reply_end(request->http);
    site_unref(request->site);
    free(request->brands);
    free(request);
}
