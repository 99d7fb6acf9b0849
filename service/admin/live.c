#include "service/admin/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/rfc3339.h"
#include "service/admin/auth.h"
#include "service/admin/clicks.h"
#include "service/admin/faults.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/points.h"
#include "service/base/clock.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/config/apikeys.h"
#include "service/config/site.h"
#include "service/ledger/ledger.h"
#include "service/public/worker.h"

enum { TICK_S = 1, EVENT_MAX = 1024, CLICKS_MAX = 96, POD_MAX = 192, DAY_S = 86400 };

struct stream {
    struct stream *next;
    struct request *request;
    bool has_brand;
    uint32_t brand; /* its id: a reload may move it */
    /* The counts that the stream sent last, and of which day; only with `has_last`. */
    struct clicks last;
    int64_t last_day;
    bool has_last;
};

/* The clicks of a brand since midnight, all processes together. */
struct brand_count {
    uint32_t brand;
    bool is_watched;
    struct clicks today;
};

struct live {
    struct server *server;
    struct stream *first;
    unsigned n;
    struct event *tick;
    struct brand_count *counts; /* of the tick that runs; NULL = none does */
    size_t n_counts;
    int64_t now_s;
    struct points points;
};

/* --- what an event says --- */

/* What this process knows without Redis. */
struct counts {
    uint64_t redirects, accepted, dropped;
    struct ledger_stats ledger;
};

static void read_counts(const struct admin_sources *sources, struct counts *out)
{
    struct clickstore_stats store = {.appended = 0};

    *out = (struct counts){.redirects = 0};
    for (unsigned i = 0; i < sources->n_workers; i++) {
        const struct worker_counters *counters = worker_counters(sources->workers[i]);

        out->redirects += counter64_get(&counters->requests[OUTCOME_REDIRECT]);
    }
    if (sources->store)
        clickstore_stats(sources->store, &store);
    if (sources->ledger)
        ledger_stats(sources->ledger, &out->ledger);
    for (unsigned i = 0; i < CLICKLOG_DROPS; i++)
        out->dropped += store.dropped[i];
    out->accepted = store.appended + out->dropped - store.dropped[CLICKLOG_DROP_DAMAGED];
}

static const char *write_clicks(const struct clicks *clicks, char out[static CLICKS_MAX])
{
    if (!clicks)
        return "null";
    snprintf(out, CLICKS_MAX,
             "{\"total\":%" PRId64 ",\"human\":%" PRId64 ",\"automated\":%" PRId64 "}",
             clicks_total(clicks), clicks->human, clicks->automated);
    return out;
}

/* The counts of this process for all brands: null when the key is for some brands only. */
static const char *write_pod(const struct stream *stream, const struct counts *counts,
                             char out[static POD_MAX])
{
    if (stream->request->brands)
        return "null";
    snprintf(out, POD_MAX,
             "{\"redirects\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"applied\":%" PRIu64
             ",\"pending\":%" PRIu64 ",\"dropped\":%" PRIu64 "}",
             counts->redirects, counts->accepted, counts->ledger.applied, counts->ledger.pending,
             counts->dropped);
    return out;
}

/* `today` NULL: Redis did not answer. */
static size_t write_event(const struct live *live, struct stream *stream,
                          const struct clicks *today, char out[static EVENT_MAX])
{
    char at[RFC3339_TEXT_MAX], as_of[RFC3339_TEXT_MAX + 2], sum[CLICKS_MAX], more[CLICKS_MAX];
    char as_of_time[RFC3339_TEXT_MAX];
    char pod[POD_MAX];
    struct pods_age age = pods_age(live->server->pods);
    int64_t day = live->now_s / DAY_S;
    struct counts counts;
    struct clicks since = {0};
    int n;

    read_counts(&live->server->sources, &counts);
    /* The clicks since the stream's last event; at midnight counting begins at 0. */
    if (today && stream->has_last) {
        since = *today;
        since.human -= stream->last_day == day ? stream->last.human : 0;
        since.automated -= stream->last_day == day ? stream->last.automated : 0;
    }
    snprintf(as_of, sizeof(as_of), age.as_of_ms > 0 ? "\"%s\"" : "null",
             rfc3339_format(age.as_of_ms / 1000, 0, as_of_time));
    n = snprintf(
        out, EVENT_MAX,
        "event: counts\ndata: {\"at\":\"%s\",\"as_of\":%s,\"lag_s\":%.3f,\"redis_up\":%s,"
        "\"pods\":%u,\"pods_silent\":%u,\"pending\":%" PRIu64 ",\"today\":%s,\"new\":%s,"
        "\"pod\":%s}\n\n",
        rfc3339_format(live->now_s, 0, at), as_of, (double)(age.lag_ms > 0 ? age.lag_ms : 0) / 1000,
        today && counts.ledger.connected ? "true" : "false", age.n_alive, age.n_silent, age.pending,
        write_clicks(today, sum), write_clicks(today && stream->has_last ? &since : NULL, more),
        write_pod(stream, &counts, pod));
    if (today) {
        stream->last = *today;
        stream->last_day = day;
        stream->has_last = true;
    }
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

/* Whether a stream is about the brand of a number; the site it began with knows its name. */
static bool is_about(const struct stream *stream, uint32_t brand)
{
    const struct site *site = stream->request->site;

    if (stream->has_brand)
        return stream->brand == brand;
    for (unsigned i = 0; i < site_n_brands(site); i++) {
        if (site_brand_at(site, i)->id == brand)
            return params_sees(stream->request, site_brand_at(site, i));
    }
    return stream->request->brands == NULL;
}

/* False: the stream, or its brand, is newer than the tick. */
static bool sum_up(const struct live *live, const struct stream *stream, struct clicks *out)
{
    size_t n = 0;

    *out = (struct clicks){0};
    for (size_t i = 0; i < live->n_counts; i++) {
        const struct brand_count *count = &live->counts[i];

        if (!is_about(stream, count->brand))
            continue;
        if (!count->is_watched)
            return false;
        clicks_add(out, count->today.human, false);
        clicks_add(out, count->today.automated, true);
        n++;
    }
    return n > 0;
}

static void send_events(struct live *live, bool is_known)
{
    struct stream **at = &live->first;

    while (*at) {
        struct clicks today;
        bool know_today = is_known && sum_up(live, *at, &today);
        char text[EVENT_MAX];
        size_t len = write_event(live, *at, know_today ? &today : NULL, text);

        if (request_stream_send((*at)->request, slice_make(text, len)))
            at = &(*at)->next;
        else
            drop_stream(live, at);
    }
}

/* --- a tick: the hours of today, brand by brand, once for all streams --- */

static bool is_watched(const struct live *live, uint32_t brand)
{
    for (const struct stream *s = live->first; s; s = s->next) {
        if (is_about(s, brand))
            return true;
    }
    return false;
}

static struct points points_of_today(const struct live *live, size_t index)
{
    return (struct points){.series = {.brand = live->counts[index].brand,
                                      .campaign = COUNTER_ALL_CAMPAIGNS,
                                      .interval = COUNTER_HOURS,
                                      .dim = COUNTER_DIM_LABEL},
                           .time_s = live->now_s};
}

static void on_live_command(void *owner, size_t index, struct fetch_command *command)
{
    struct live *live = owner;
    const struct brand_count *count = &live->counts[index];

    live->points = points_of_today(live, index);
    points_command(&live->points, live->server->n_shards, command);
    if (count->is_watched)
        return;
    /* A brand that nobody watches gets the cheapest command that deploy/redis-acl.conf allows: its
     * answer isn't used, but commands are numbered by brand. */
    command->argc = 1;
    command->argv[0] = slice_of("TIME");
}

static void take_today(void *arg, const struct series_point *point)
{
    clicks_add(arg, point->count, point->automated);
}

static void on_live_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct live *live = owner;
    struct points points = points_of_today(live, index);

    if (live->counts[index].is_watched)
        points_take(&points, answer, take_today, &live->counts[index].today);
}

static void on_live_done(void *owner, const char *cause)
{
    struct live *live = owner;

    send_events(live, cause == NULL);
    free(live->counts);
    live->counts = NULL;
    live->n_counts = 0;
}

static void run_tick(struct live *live)
{
    const struct site *site = live->server->site;
    struct fetch_options options = {
        .owner = live,
        .on_command = on_live_command,
        .on_answer = on_live_answer,
        .on_done = on_live_done,
        .n_commands = site_n_brands(site),
    };

    live->now_s = clock_wall_ms() / 1000;
    if (!live->server->fetches || options.n_commands == 0 ||
        options.n_commands > FETCH_COMMANDS_MAX ||
        !(live->counts = calloc(options.n_commands, sizeof(*live->counts)))) {
        send_events(live, false);
        return;
    }
    live->n_counts = options.n_commands;
    for (unsigned i = 0; i < live->n_counts; i++) {
        live->counts[i].brand = site_brand_at(site, i)->id;
        live->counts[i].is_watched = is_watched(live, live->counts[i].brand);
    }
    fetch_start(live->server->fetches, &options);
}

/* Ends streams whose key was removed or whose session was signed out, and all when draining begins:
 * then the browsers open them at another process. */
static void drop_ended(struct live *live)
{
    bool is_draining = atomic_load(&live->server->state) == ADMIN_DRAINING;
    struct stream **at = &live->first;

    while (*at) {
        if (is_draining ||
            !auth_still_allows(live->server->auth, (*at)->request, APIKEY_STATS_READ))
            drop_stream(live, at);
        else
            at = &(*at)->next;
    }
}

/* A second has passed. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct live *live = arg;
    struct timeval second = {.tv_sec = TICK_S};

    (void)fd;
    (void)events;
    drop_ended(live);
    if (live->first && !live->counts) {
        run_tick(live);
    } else if (live->first) {
        /* Redis has not answered for a second: the streams say that the counts are unknown. */
        live->now_s = clock_wall_ms() / 1000;
        send_events(live, false);
    }
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
    free(live->counts);
    free(live);
}

void live_handle(struct request *request)
{
    struct live *live = request->server->live;
    struct slice name = query_find(&request->query, "brand");
    const struct timeval now = {0};
    const struct brand *brand = NULL;
    struct faults faults = {.n = 0};
    struct stream *stream;
    unsigned n_of_key = 0;

    faults_add_strays(&faults, request);
    if (name.ptr)
        brand = params_take_brand(request, name, &faults);
    if (faults.n > 0) {
        faults_reply(&faults, request);
        return;
    }
    if (request->is_head) {
        const struct reply head = {.status = 200, .type = "text/event-stream"};

        request_reply(request, &head);
        return;
    }
    for (const struct stream *s = live->first; s; s = s->next)
        n_of_key += strcmp(s->request->who, request->who) == 0;
    if (live->n == LIVE_STREAMS_MAX || n_of_key == LIVE_STREAMS_PER_KEY_MAX ||
        !(stream = calloc(1, sizeof(*stream)))) {
        request_add_header(request, "Retry-After", "10");
        request_fail(request, 503, NULL, "too many streams at once");
        return;
    }
    stream->has_brand = brand != NULL;
    if (brand)
        stream->brand = brand->id;
    stream->request = request;
    stream->next = live->first;
    live->first = stream;
    live->n++;
    request_stream_start(request, "text/event-stream");
    /* The first event comes at once; the others with everybody's. */
    if (live->n == 1)
        evtimer_add(live->tick, &now);
}
