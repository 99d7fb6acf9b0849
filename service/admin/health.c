/* How this process is doing, for people: what the metrics say, sorted by question. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/rfc3339.h"
#include "service/admin/auth.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/anomalies.h"
#include "service/base/clock.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"
#include "service/config/apikeys.h"
#include "service/config/brandlist.h"
#include "service/gateway/clock_gap.h"
#include "service/ledger/ledger.h"
#include "service/public/worker.h"
#include "service/reports/reports.h"
#include "service/sinks/sinks.h"

enum { HOST_MAX = 256, LAG_WARN_MS = 30000 };

static json_t *number_json(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *time_json(int64_t time_ms)
{
    char text[RFC3339_TEXT_MAX];

    return time_ms > 0 ? json_string(rfc3339_format(time_ms / 1000, 0, text)) : json_null();
}

static json_t *workers_json(const struct admin_sources *sources)
{
    json_t *workers = json_array();

    for (unsigned i = 0; i < sources->n_workers; i++) {
        const struct worker_counters *counters = worker_counters(sources->workers[i]);
        uint64_t requests = 0;

        for (unsigned k = 0; k < OUTCOMES; k++)
            requests += counter64_get(&counters->requests[k]);
        json_array_append_new(
            workers, json_pack("{so so so so}", "requests", number_json(requests), "redirects",
                               number_json(counter64_get(&counters->requests[OUTCOME_REDIRECT])),
                               "connections", number_json(counter64_get(&counters->open)),
                               "connections_max", number_json(counter64_get(&counters->open_max))));
    }
    return workers;
}

/* Replies by outcome, all workers together; those that never happened are left out. */
static json_t *requests_json(const struct admin_sources *sources)
{
    json_t *requests = json_object();

    for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
        uint64_t n = 0;

        for (unsigned i = 0; i < sources->n_workers; i++)
            n += counter64_get(&worker_counters(sources->workers[i])->requests[outcome]);
        if (n > 0)
            json_object_set_new(requests, outcome_name(outcome), number_json(n));
    }
    return requests;
}

static json_t *store_json(const struct clickstore_stats *stats)
{
    json_t *dropped = json_object();

    for (unsigned i = 0; i < CLICKLOG_DROPS; i++)
        json_object_set_new(dropped, clicklog_drop_name((enum clicklog_drop)i),
                            number_json(stats->dropped[i]));
    return json_pack("{so so so so so so so sb so}", "appended", number_json(stats->appended),
                     "recovered", number_json(stats->recovered), "dropped", dropped, "segments",
                     number_json(stats->n_segments), "disk_bytes", number_json(stats->disk_bytes),
                     "memory_bytes", number_json(stats->memory_bytes), "set_aside",
                     number_json(stats->n_set_aside), "degraded", (int)stats->degraded, "error",
                     stats->last_errno ? json_string(strerror(stats->last_errno)) : json_null());
}

static json_t *ledger_json(const struct ledger_stats *stats)
{
    return json_pack(
        "{sb so so so so so so so so sf so}", "connected", (int)stats->connected, "error",
        stats->connected || !stats->last_error[0] ? json_null() : json_string(stats->last_error),
        "applied", number_json(stats->applied), "pending", number_json(stats->pending), "replayed",
        number_json(stats->replayed), "lost_gap", number_json(stats->lost_gap), "rejected",
        number_json(stats->rejected), "batches", number_json(stats->n_batches), "batches_refused",
        number_json(stats->refused), "lag_s", (double)stats->lag_ms / 1000, "as_of",
        time_json(stats->as_of_ms));
}

static json_t *sinks_json(struct sinks *sinks)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < sinks_count(sinks); i++) {
        struct sink_stats stats;

        sinks_stats(sinks, i, &stats);
        json_array_append_new(
            array,
            json_pack("{ss ss so sf so so so sb so}", "name", stats.name, "type", stats.type,
                      "pending", number_json(stats.lag), "lag_s", (double)stats.oldest_ms / 1000,
                      "sent", number_json(stats.n_sent), "lost", number_json(stats.n_lost),
                      "failed", number_json(stats.n_failed), "off", (int)stats.is_off, "error",
                      stats.why[0] ? json_string(stats.why) : json_null()));
    }
    return array;
}

struct report_list {
    const char *brands;
    bool shows_addresses;
    json_t *array;
};

/* An address in full, or its domain alone: "…@example.com". */
static json_t *receiver_json(const char *to, bool shows_addresses)
{
    const char *at = strrchr(to, '@');

    return at && !shows_addresses ? json_sprintf("\u2026%s", at) : json_string(to);
}

static void add_report(void *owner, const struct report_delivery *delivery)
{
    struct report_list *list = owner;

    if (!brandlist_has(list->brands, slice_of(delivery->brand)))
        return;
    json_array_append_new(
        list->array,
        json_pack("{ss ss ss so ss so so sI so so sI}", "name", delivery->report, "brand",
                  delivery->brand, "every", delivery->every, "to",
                  receiver_json(delivery->to, list->shows_addresses), "state", delivery->state,
                  "period", delivery->period[0] ? json_string(delivery->period) : json_null(),
                  "error", delivery->why[0] ? json_string(delivery->why) : json_null(), "tries",
                  (json_int_t)delivery->tries, "at", time_json(delivery->at_ms), "next_at",
                  time_json(delivery->next_ms), "overdue_s", (json_int_t)delivery->overdue_s));
}

/* Of the brands that the key is for; mail addresses are for those who may do all. */
static json_t *reports_json(struct reports *reports, const struct request *request)
{
    struct report_list list = {.brands = request->brands,
                               .shows_addresses =
                                   auth_still_allows(request->server->auth, request, APIKEY_ADMIN),
                               .array = json_array()};

    if (reports)
        reports_visit(reports, add_report, &list);
    return list.array;
}

static bool clocks_differ(const struct ledger_stats *ledger)
{
    return ledger->gateway.knows_clock && clock_gap_is_wide(ledger->gateway.clock_ahead_ms);
}

static json_t *redis_json(const struct server *server, const struct ledger_stats *ledger)
{
    const char *cause = server->fetches ? fetches_cause(server->fetches) : "none is configured";

    return json_pack("{sb so so sb}", "answers", cause[0] == '\0', "error",
                     cause[0] ? json_string(cause) : json_null(), "clock_ahead_s",
                     ledger->gateway.knows_clock
                         ? json_real((double)ledger->gateway.clock_ahead_ms / 1000)
                         : json_null(),
                     "clocks_differ", (int)clocks_differ(ledger));
}

static json_t *reload_json(const struct server *server)
{
    return json_pack("{sb so so}", "ok", counter64_get(&server->reload_ok) == 1, "at",
                     time_json((int64_t)counter64_get(&server->reload_s) * 1000), "failures",
                     number_json(counter64_get(&server->reload_failures)));
}

/* In one word: "ok"; "degraded", clicks are kept but something waits or is at risk;
 * "clocks_differ", else all is well, but the clicks have wrong times. */
static const char *status_of(const struct server *server, const struct clickstore_stats *store,
                             const struct ledger_stats *ledger, const struct pods_age *age)
{
    bool redis_answers = server->fetches && fetches_cause(server->fetches)[0] == '\0';
    bool ledger_is_well =
        !server->sources.ledger || (ledger->connected && ledger->lag_ms < LAG_WARN_MS);
    bool all_are_well = age->lag_ms < LAG_WARN_MS; /* silent ones weigh until they are given up */

    if (atomic_load(&server->state) == ADMIN_DRAINING)
        return "draining";
    if (!redis_answers || !ledger_is_well || !all_are_well || store->degraded)
        return "degraded";
    return clocks_differ(ledger) ? "clocks_differ" : "ok";
}

/* What the figures of all processes together are worth. */
static json_t *figures_json(const struct pods_age *age)
{
    return json_pack("{so so sI sI so}", "as_of", time_json(age->as_of_ms), "lag_s",
                     age->lag_ms < 0 ? json_null() : json_real((double)age->lag_ms / 1000), "pods",
                     (json_int_t)age->n_alive, "pods_silent", (json_int_t)age->n_silent, "pending",
                     number_json(age->pending));
}

/* Only a key that is for all brands sees what counts all alike. */
static json_t *health_json(const struct request *request)
{
    const struct server *server = request->server;
    const char *brands = request->brands;
    bool sees_all = brands == NULL;
    const struct admin_sources *sources = &server->sources;
    struct pods_age age = pods_age(server->pods);
    struct clickstore_stats store = {.appended = 0};
    struct ledger_stats ledger = {.applied = 0};
    char host[HOST_MAX] = "";

    if (sources->store)
        clickstore_stats(sources->store, &store);
    if (sources->ledger)
        ledger_stats(sources->ledger, &ledger);
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    return json_pack(
        "{ss ss ss so so so so so so so so so so so so so}", "status",
        status_of(server, &store, &ledger, &age), "version", HOPCOUNT_VERSION, "host", host,
        "started_at", time_json(server->started_ms), "now", time_json(clock_wall_ms()), "figures",
        figures_json(&age), "redis", redis_json(server, &ledger), "ledger",
        sees_all && sources->ledger ? ledger_json(&ledger) : json_null(), "log",
        sees_all && sources->store ? store_json(&store) : json_null(), "workers",
        sees_all ? workers_json(sources) : json_null(), "requests",
        sees_all ? requests_json(sources) : json_null(), "pods", pods_json(server->pods), "sinks",
        sees_all && sources->sinks ? sinks_json(sources->sinks) : json_null(), "anomalies",
        anomalies_json(server->anomalies, brands), "reports",
        reports_json(sources->reports, request), "reload", reload_json(server));
}

void health_handle(struct request *request)
{
    request_reply_json(request, 200, health_json(request));
}
