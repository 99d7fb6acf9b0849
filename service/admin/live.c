#include "service/admin/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/rfc3339.h"
#include "service/admin/clicks.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/config/site.h"
#include "service/ledger/clicklog.h"
#include "service/ledger/ledger.h"
#include "service/public/worker.h"

enum { TICK_S = 1, EVENT_MAX = 1024 };

struct stream {
    struct stream *next;
    struct request *request;
    bool has_brand;
    uint32_t brand;      /* its id: a reload may move it */
    struct clicks today; /* of the tick that runs */
};

struct live {
    struct server *server;
    struct stream *first;
    unsigned n;
    struct event *tick;
    struct site *site; /* of the tick that runs; NULL = none does */
    int64_t now_s;
    struct counter_key key;
};

/* --- what an event says --- */

/* What this process knows by itself. */
struct counts {
    uint64_t redirects, accepted, dropped;
    struct ledger_stats ledger;
};

static void read_counts(const struct admin_sources *sources, struct counts *out)
{
    struct clickstore_stats store = {.appended = 0};

    *out = (struct counts){.redirects = 0};
    for (unsigned i = 0; i < sources->n_workers; i++) {
        const struct worker_stats *stats = worker_stats(sources->workers[i]);

        out->redirects += counter64_get(&stats->requests[OUTCOME_REDIRECT]);
    }
    if (sources->store)
        clickstore_stats(sources->store, &store);
    if (sources->ledger)
        ledger_stats(sources->ledger, &out->ledger);
    for (unsigned i = 0; i < CLICKLOG_DROPS; i++)
        out->dropped += store.dropped[i];
    out->accepted = store.appended + out->dropped - store.dropped[CLICKLOG_DROP_DAMAGED];
}

/* `today` NULL: Redis did not say. */
static size_t write_event(const struct live *live, const struct clicks *today,
                          char out[static EVENT_MAX])
{
    char at[RFC3339_TEXT_MAX], as_of[RFC3339_TEXT_MAX], day[160];
    struct counts counts;
    int n;

    read_counts(&live->server->sources, &counts);
    snprintf(day, sizeof(day), "null");
    if (today)
        snprintf(day, sizeof(day),
                 "{\"total\":%" PRId64 ",\"human\":%" PRId64 ",\"automated\":%" PRId64 "}",
                 clicks_total(today), today->human, today->automated);
    n = snprintf(
        out, EVENT_MAX,
        "event: counts\ndata: {\"at\":\"%s\",\"as_of\":\"%s\",\"lag_s\":%.3f,"
        "\"redis_up\":%s,\"redirects\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"applied\":%" PRIu64
        ",\"pending\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"today\":%s}\n\n",
        rfc3339_format(live->now_s, 0, at), rfc3339_format(counts.ledger.as_of_ms / 1000, 0, as_of),
        (double)counts.ledger.lag_ms / 1000, counts.ledger.connected ? "true" : "false",
        counts.redirects, counts.accepted, counts.ledger.applied, counts.ledger.pending,
        counts.dropped, day);
    return n > 0 && n < EVENT_MAX ? (size_t)n : 0;
}

/* --- streams --- */

static void drop_stream(struct live *live, struct stream **at)
{
    struct stream *stream = *at;

    *at = stream->next;
    live->n--;
    request_stream_end(stream->request);
    free(stream);
}

static void send_events(struct live *live, bool know_today)
{
    struct stream **at = &live->first;

    while (*at) {
        char text[EVENT_MAX];
        size_t len = write_event(live, know_today ? &(*at)->today : NULL, text);

        if (request_stream_send((*at)->request, slice_make(text, len)))
            at = &(*at)->next;
        else
            drop_stream(live, at);
    }
}

/* --- a tick: the hours of today, brand by brand --- */

static bool is_watched(const struct live *live, uint32_t brand)
{
    for (const struct stream *s = live->first; s; s = s->next) {
        if (!s->has_brand || s->brand == brand)
            return true;
    }
    return false;
}

static struct counter_series series_of(uint32_t brand)
{
    return (struct counter_series){.brand = brand,
                                   .campaign = COUNTER_ALL_CAMPAIGNS,
                                   .interval = COUNTER_HOURS,
                                   .dim = COUNTER_DIM_LABEL};
}

static void on_live_command(void *owner, size_t index, struct fetch_command *command)
{
    struct live *live = owner;
    const struct brand *brand = site_brand_at(live->site, (unsigned)index);
    const struct counter_series series = series_of(brand->id);

    counter_key_series(&live->key, &series, live->now_s, live->server->n_shards);
    command->key = counter_key_slice(&live->key);
    command->argc = 2;
    /* One that nobody watches is asked for nothing, so that the answers keep their numbers. */
    command->argv[0] = slice_of(is_watched(live, brand->id) ? "HGETALL" : "EXISTS");
    command->argv[1] = command->key;
}

static void on_live_reply(void *owner, size_t index, const struct redisReply *reply)
{
    struct live *live = owner;
    uint32_t brand = site_brand_at(live->site, (unsigned)index)->id;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const struct redisReply *field = reply->element[i], *count = reply->element[i + 1];
        struct counter_point point;

        if (field->type != REDIS_REPLY_STRING || count->type != REDIS_REPLY_STRING ||
            !counter_series_parse(slice_make(field->str, field->len), COUNTER_DIM_LABEL, &point))
            continue;
        for (struct stream *s = live->first; s; s = s->next) {
            if (!s->has_brand || s->brand == brand)
                clicks_add(&s->today, strtoll(count->str, NULL, 10), point.automated);
        }
    }
}

static void on_live_done(void *owner, const char *cause)
{
    struct live *live = owner;

    send_events(live, cause == NULL);
    site_unref(live->site);
    live->site = NULL;
}

static void run_tick(struct live *live)
{
    struct fetch_options options = {
        .owner = live,
        .on_command = on_live_command,
        .on_reply = on_live_reply,
        .on_done = on_live_done,
    };

    for (struct stream *s = live->first; s; s = s->next)
        s->today = (struct clicks){0};
    live->now_s = clock_wall_ms() / 1000;
    options.n_commands = site_n_brands(live->server->site);
    if (!live->server->fetches || options.n_commands == 0 ||
        options.n_commands > FETCH_COMMANDS_MAX) {
        send_events(live, false);
        return;
    }
    live->site = site_ref(live->server->site);
    fetch_start(live->server->fetches, &options);
}

/* A second has passed. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct live *live = arg;
    struct timeval second = {.tv_sec = TICK_S};

    (void)fd;
    (void)events;
    /* Streams end with the drain, so that they are opened anew elsewhere. */
    while (live->first && atomic_load(&live->server->state) == ADMIN_DRAINING && !live->site)
        drop_stream(live, &live->first);
    if (live->first && !live->site)
        run_tick(live);
    if (live->first)
        evtimer_add(live->tick, &second);
}

struct live *live_new(struct server *server, struct event_base *base)
{
    struct live *live = calloc(1, sizeof(*live));

    if (!live || !(live->tick = evtimer_new(base, on_tick, live))) {
        free(live);
        return NULL;
    }
    live->server = server;
    return live;
}

void live_free(struct live *live)
{
    if (!live)
        return;
    while (live->first)
        drop_stream(live, &live->first);
    event_free(live->tick);
    free(live);
}

void live_handle(struct request *request)
{
    struct live *live = request->server->live;
    struct slice name = query_find(&request->query, "brand");
    const struct timeval now = {0};
    struct stream *stream;

    if (name.ptr && !params_find_brand(request, name))
        return;
    if (live->n == LIVE_STREAMS_MAX || !(stream = calloc(1, sizeof(*stream)))) {
        request_add_header(request, "Retry-After", "10");
        request_fail(request, 503, NULL, "too many streams at once");
        return;
    }
    stream->has_brand = name.ptr != NULL;
    if (stream->has_brand)
        stream->brand = site_find_brand(request->site, name)->id;
    stream->request = request;
    stream->next = live->first;
    live->first = stream;
    live->n++;
    request_stream_start(request, "text/event-stream");
    /* The first event comes at once; the others with everybody's. */
    if (live->n == 1)
        evtimer_add(live->tick, &now);
}
