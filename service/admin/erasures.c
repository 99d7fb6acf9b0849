/* DELETE /v1/clients/{id}: takes a client out of Redis, and tells the sinks.  The same as
 * `hopcount erase`. */
#include "service/admin/erasures.h"

#include <stdlib.h>

#include "proto/event.h"
#include "proto/number.h"
#include "service/admin/audit.h"
#include "service/admin/cache.h"
#include "service/admin/fetch.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/site.h"
#include "service/sinks/sinks.h"
#include "service/state/eraser.h"
#include "service/state/event_log.h"

enum { ERASURES_MAX = 4 /* at a time: each has a connection to Redis */ };

struct erasure {
    struct erasure *next;
    struct request *request; /* holds the site, and so the brand */
    const struct brand *brand;
    char *brand_name;
    uint32_t client;
    struct eraser *eraser;
};

static void free_erasure(struct erasure *erasure)
{
    eraser_free(erasure->eraser);
    free(erasure->brand_name);
    free(erasure);
}

static void unlink_erasure(struct server *server, struct erasure *erasure)
{
    struct erasure **at = &server->erasures;

    while (*at != erasure)
        at = &(*at)->next;
    *at = erasure->next;
}

/* What Redis has nothing of the sinks may have.  False: the log has no room. */
static bool tell_sinks(const struct erasure *erasure)
{
    const struct admin_sources *sources = &erasure->request->server->sources;
    const struct event event = {.type = EVENT_ERASED,
                                .at_ms = clock_wall_ms(),
                                .brand = erasure->brand->id,
                                .client = erasure->client};

    return !sources->sinks || sinks_count(sources->sinks) == 0 ||
           event_log_append(sources->events, &event);
}

static void on_end(void *owner, const struct eraser_counts *n, const char *why)
{
    struct erasure *erasure = owner;
    struct request *request = erasure->request;

    unlink_erasure(request->server, erasure);
    cache_clear(request->server->cache);
    if (why)
        request_fail_redis(request, why);
    else if (!tell_sinks(erasure))
        request_fail(
            request, 503, NULL,
            "Redis has nothing of the client any more, but the log has no room to tell the "
            "sinks; ask again");
    else
        request_reply_json(request, 200,
                           json_pack("{ss sI s{sI sI sI sI sI sI}}", "brand", erasure->brand_name,
                                     "id", (json_int_t)erasure->client, "erased", "clicks",
                                     (json_int_t)n->clicks, "invoices", (json_int_t)n->invoices,
                                     "requests", (json_int_t)n->requests, "uses",
                                     (json_int_t)n->uses, "waiting", (json_int_t)n->waiting,
                                     "audit_entries", (json_int_t)n->entries));
    free_erasure(erasure);
}

/* Starts it; false: out of memory, and nothing began. */
static bool start(struct erasure *erasure)
{
    struct request *request = erasure->request;
    struct server *server = request->server;
    struct audit_entry own;
    const struct eraser_options options = {
        .redis_url = server->redis_url,
        .name = "hopcount-erase",
        .timeout_ms = server->timeout_ms,
        .n_shards = server->n_shards,
        .brand = erasure->brand_name,
        .client = erasure->client,
        .own = audit_entry_of_erasure(request, erasure->brand, &own) ? &own : NULL,
        .on_end = on_end,
        .owner = erasure,
    };
    struct error err = {0};

    erasure->eraser = eraser_new(server->base, &options, &err);
    return erasure->eraser != NULL;
}

static unsigned count_erasures(const struct server *server)
{
    unsigned n = 0;

    for (const struct erasure *each = server->erasures; each; each = each->next)
        n++;
    return n;
}

void erasures_handle(struct request *request)
{
    struct server *server = request->server;
    const struct brand *brand = params_find_brand(request, query_find(&request->query, "brand"));
    struct erasure *erasure;
    uint32_t client;

    if (!brand)
        return;
    if (!number_parse_u32(slice_make(request->arg, request->arg_len), UINT32_MAX, &client) ||
        client == 0) {
        request_fail(request, 400, "id", "must be a number from 1 to 4294967295");
        return;
    }
    if (!server->fetches || fetches_cause(server->fetches)[0]) {
        request_fail_redis(request, server->fetches ? fetches_cause(server->fetches)
                                                    : "no Redis is configured");
        return;
    }
    if (count_erasures(server) >= ERASURES_MAX) {
        request_add_header(request, "Retry-After", "1");
        request_fail(request, 503, NULL, "other clients are being erased");
        return;
    }
    erasure = calloc(1, sizeof(*erasure));
    if (!erasure || !(erasure->brand_name = strndup(brand->name.ptr, brand->name.len))) {
        free(erasure);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    erasure->request = request;
    erasure->brand = brand;
    erasure->client = client;
    if (!start(erasure)) {
        free_erasure(erasure);
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    erasure->next = server->erasures;
    server->erasures = erasure;
}

void erasures_drop_all(struct server *server)
{
    while (server->erasures) {
        struct erasure *erasure = server->erasures;

        server->erasures = erasure->next;
        request_fail_redis(erasure->request, "hopcount is stopping");
        free_erasure(erasure);
    }
}
