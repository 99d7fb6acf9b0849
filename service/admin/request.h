/* request.h - one request on the admin address, from its head to its reply.
 *
 * The front (front.h) reads it and makes it; the API thread (or the front, for probes) answers it.
 * A request lives until one of the reply functions takes it, which may be long after the client has
 * gone: then the reply is dropped.  So code that waits for Redis owns the request and never a
 * connection, and replies exactly once, whatever happened.
 */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/query.h"
#include "proto/slice.h"
#include "service/admin/mailbox.h"
#include "service/admin/problem.h"

struct connection;
struct evbuffer;
struct http1_request;
struct request;
struct server;
struct site;

enum {
    REQUEST_ARG_MAX = 1024, /* bytes of the part of the path that names a thing, decoded */
    REQUEST_DETAIL_MAX = 512,
    REQUEST_QUOTE_MAX = 80,
    REQUEST_FIELDS_MAX = 3072, /* bytes of all fields that are added to a reply */
    REQUEST_PEER_MAX = 46,
    REQUEST_WHO_MAX = 127, /* bytes of who it is */
};

/* No path answers REQUEST_OTHER. */
enum request_method {
    REQUEST_GET = 1, /* HEAD, too: the front leaves the body out */
    REQUEST_POST = 2,
    REQUEST_PUT = 4,
    REQUEST_DELETE = 8,
    REQUEST_OPTIONS = 16,
    REQUEST_OTHER = 32
};

/* Bytes of a reply on their way to the front. */
struct parcel {
    struct letter letter;
    struct request *request;
    struct evbuffer *bytes; /* the parcel's */
    bool is_last;           /* the reply is whole; the parcel is a part of its request */
    bool is_cut;            /* the last of a reply that broke off */
    bool wants_room;        /* the request goes back to the API thread when the client has it */
};

/* What the front says of a request. */
struct request_origin {
    struct connection *connection;
    char peer[REQUEST_PEER_MAX];   /* the address that connected */
    char client[REQUEST_PEER_MAX]; /* for whom it did, as trusted proxies say; else the same */
    bool is_peer_trusted;          /* it is one of public.trusted_proxies */
    bool is_client_known;          /* `client` isn't that of a proxy of which we aren't told */
    bool keep_alive;               /* the connection may go on after the reply */
    int refused_body;              /* 413 or 503: the body is not read, and why; else 0 */
};

/* Whoever asks from within the process, without HTTP: gets the body alone. */
struct request_inside {
    /* Takes `body`; from the thread that replied, which must not wait in it. */
    void (*on_reply)(struct request_inside *inside, int status, struct evbuffer *body);
};

struct request {
    struct letter letter; /* from the front to the API thread: the request, or its `on_room` */
    struct server *server;
    struct site *site; /* a reference; NULL while the front has the request */
    struct request_origin origin;
    struct request_inside *inside; /* NULL: it came to the front */
    int inside_status;             /* of the reply to it */
    enum request_method method;
    bool is_secure;          /* it came over TLS (origin.h), and the reply asks for that */
    bool is_head;            /* the reply has no body */
    unsigned minor_version;  /* of HTTP/1 */
    struct slice path;       /* as it came */
    struct slice query_text; /* as it came; absent if there is none */
    struct query query;
    uint32_t strays; /* a bit for each of query.params that the path doesn't take; 0 by the time a
                        handler is called whose route doesn't tell them itself (router.h) */
    json_t *share;   /* the view that the link shows by which it came (shares.h); NULL = by none */
    void (*go_on)(struct request *request); /* when the view has been found */
    char *brands;   /* that the request may see and change (brandlist.h); NULL = all */
    size_t arg_len; /* what `{}` in the route's path stood for */
    char arg[REQUEST_ARG_MAX];
    /* By whom, once auth_check() has found it: the name of an API key, or of a person with how they
     * signed in, "oidc:ada@acme.example". */
    char who[REQUEST_WHO_MAX + 1];
    struct evbuffer *body;
    struct request *next; /* of those that wait for one answer; the owner's */
    int64_t due_ms;       /* when it is to be answered, monotonic; the owner's */
    atomic_bool gone;     /* the client has closed; the reply will be dropped */
    /* Of a long reply, while the client has not taken a piece of it; the API thread's. */
    void (*on_room)(void *owner);
    void *room_owner;

    char *head; /* the head as it came: what the slices above point into */
    size_t head_len;
    char fields[REQUEST_FIELDS_MAX]; /* of the reply, each with its CRLF */
    size_t fields_len;
    struct parcel last;
};

/* Makes the request whose head, `head`, was read as `http`; copies all.  NULL: no memory. */
MUST_USE struct request *request_new(struct server *server, const struct http1_request *http,
                                     struct slice head, const struct request_origin *origin);
/* The same of GET `target`, "/v1/stats?…", which is handed to the API thread by posting its letter
 * to server->to_api.  It needs no key, and sees what one of the brands `brands` (brandlist.h) sees;
 * `name` takes the place of the key's.  Only for paths that reply whole.  NULL: no memory. */
MUST_USE struct request *request_new_inside(struct server *server, const char *target,
                                            const char *brands, const char *name,
                                            struct request_inside *inside);
/* For the front, which has sent the whole reply. */
void request_free(struct request *request);

/* Takes a request whose client has closed the connection: no reply is sent. */
void request_drop(struct request *request);

/* Writes a whole reply for a head that could not become a request. */
void request_write_refusal(struct server *server, struct evbuffer *out, int status,
                           const char *reason, bool is_head);

/* The value of a field of the head, or NULL. */
const char *request_header(const struct request *request, const char *name);
/* How many fields of that name it has. */
unsigned request_count_headers(const struct request *request, const char *name);

/* Adds a field to the reply. */
void request_add_header(struct request *request, const char *name, const char *value);

/* Says in the reply that another path takes the place of this way to ask (RFC 9745). */
void request_deprecate(struct request *request, const char *successor);

/* The body as JSON, a new reference; or NULL, and the request was replied to with 400. */
MUST_USE json_t *request_read_json(struct request *request);

/* --- replies; each takes the request --- */

struct reply {
    int status;
    const char *type; /* Content-Type */
    struct slice body;
    struct slice etag_of; /* what the ETag is made of; absent = no ETag */
    bool is_constant;     /* the body lives as long as the process: it is sent without a copy */
};

void request_reply(struct request *request, const struct reply *reply);

/* Takes a reference of `body` too; NULL (no memory) becomes a 503. */
void request_reply_json(struct request *request, int status, json_t *body);

/*
 * application/problem+json (RFC 9457) of the kind that problem_of_status() says.  `parameter`,
 * "from" or "id", names what was wrong, and then `format` goes on behind its name: "must be a
 * number from 1 to 100".  With NULL, nothing in particular, it is a sentence: "there is nothing at
 * this path".  Its full stop and its first capital are added.  What the client sent goes in through
 * request_quote().
 */
void request_fail(struct request *request, int status, const char *parameter, const char *format,
                  ...) PRINTF_LIKE(4, 5);

/* The same, of a kind that the status doesn't tell; the status is that of the kind. */
void request_fail_as(struct request *request, enum problem problem, const char *parameter,
                     const char *format, ...) PRINTF_LIKE(4, 5);

/* The same, of several fields.  Takes `errors`, which holds objects {field, detail}, at least one;
 * `n`, how many there were in all. */
void request_fail_fields(struct request *request, enum problem problem, json_t *errors, size_t n);

/* Writes a sentence as request_fail() does; returns `out`. */
const char *request_sentence(const char *field, const char *rest,
                             char out[static REQUEST_DETAIL_MAX]);

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

/* --- a long reply --- */

/* As request_stream_send(), but of any length, and one piece at a time: calls `on_room` once, in
 * the API thread's loop, when the client has taken the bytes or is gone.  Until then the request
 * must be left alone; a client that takes too little for CONNECTIONS_SEND_S is cut off.  False: the
 * client has gone, or there is no memory; `on_room` will not be called. */
MUST_USE bool request_stream_piece(struct request *request, struct slice bytes,
                                   void (*on_room)(void *owner), void *owner);
/* Ends a reply that can't be completed, and takes the request: the connection is reset, so that the
 * client doesn't take what it has for the whole. */
void request_stream_cut(struct request *request);

#endif
