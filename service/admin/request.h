/* request.h - one request on the admin address, from its head to its reply.
 *
 * A request lives until one of the reply functions takes it, which may be long after the client has
 * gone: then the reply is dropped.  So whatever waits for Redis owns the request and never an
 * evhttp_request, and ends by replying, exactly once, whatever happened.
 */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/query.h"
#include "proto/slice.h"

struct evhttp_request;
struct request;
struct server;
struct site;

enum {
    REQUEST_ARG_MAX = 1024,     /* bytes of the part of the path that names a thing, decoded */
    REQUEST_BODY_MAX = 4 << 20, /* bytes */
    REQUEST_DETAIL_MAX = 512,
    REQUEST_QUOTE_MAX = 80,
};

/* No path answers REQUEST_OTHER. */
enum request_method {
    REQUEST_GET = 1,
    REQUEST_POST = 2,
    REQUEST_PUT = 4,
    REQUEST_DELETE = 8,
    REQUEST_OTHER = 16
};

struct request {
    struct server *server;
    struct evhttp_request *http;
    struct site *site; /* a reference */
    enum request_method method;
    struct query query;
    struct slice path; /* as it came */
    char *brands;      /* that the request may see and change (brandlist.h); NULL = all */
    size_t arg_len;    /* what `{}` in the route's path stood for */
    char arg[REQUEST_ARG_MAX];
    struct request *next; /* of those that wait for one answer; the owner's */
    bool gone;            /* the client has closed; the reply will be dropped */
};

/* Makes the request of `http`.  NULL: no memory, and 503 was sent. */
struct request *request_new(struct server *server, struct evhttp_request *http);

/* The value of a field of the head, or NULL. */
const char *request_header(const struct request *request, const char *name);

/* Adds a field to the reply. */
void request_add_header(struct request *request, const char *name, const char *value);

/* The body as JSON, a new reference; or NULL, and the request was replied to with 400. */
MUST_USE json_t *request_read_json(struct request *request);

/* --- replies; each takes the request --- */

/* Where an answer that may be asked for again comes from. */
struct reply {
    int status;
    const char *type; /* Content-Type */
    struct slice body;
    struct slice etag_of; /* what the ETag is made of; absent = no ETag */
};

void request_reply(struct request *request, const struct reply *reply);

/* Takes a reference of `body` too; NULL (no memory) becomes a 503. */
void request_reply_json(struct request *request, int status, json_t *body);

/* application/problem+json (RFC 9457).  `parameter`, "from" or "[3].object", names what was wrong;
 * NULL = nothing in particular.  What the client sent goes into the detail through request_quote().
 */
void request_fail(struct request *request, int status, const char *parameter, const char *format,
                  ...) PRINTF_LIKE(4, 5);

/* `text`, which is valid UTF-8, in single quotes and cut to fit: for the details of a problem.
 * Returns `out`. */
const char *request_quote(struct slice text, char out[static REQUEST_QUOTE_MAX]);

/* 503 with Retry-After: Redis did not answer; `cause` for people. */
void request_fail_redis(struct request *request, const char *cause);

/* --- a reply without end --- */

/* Starts a reply that request_stream_send() adds to. */
void request_stream_start(struct request *request, const char *type);
/* False: the client has gone, or does not read; then end it. */
MUST_USE bool request_stream_send(struct request *request, struct slice bytes);
/* Ends it, and takes the request. */
void request_stream_end(struct request *request);

#endif
