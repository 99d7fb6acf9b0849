#include "service/admin/stats/stats_job.h"

#include <stdlib.h>

#include "service/admin/fetch.h"
#include "service/admin/pods.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/config/site.h"

void stats_job_free(struct stats_job *job)
{
    for (size_t i = 0; i < STATS_PERIODS; i++) {
        buckets_clear(&job->stats.buckets[i]);
        stats_rows_clear(&job->stats.rows[i]);
    }
    stats_query_clear(&job->stats.query);
    stats_plan_clear(&job->plan);
    stats_clients_clear(&job->clients);
    json_decref(job->stats.names);
    free(job->kinds);
    free(job);
}

static bool fail_size(struct request *request, const char *parameter)
{
    request_fail(request, 400, parameter,
                 "too much to read at once; ask for a shorter time, a longer interval, or fewer "
                 "brands and campaigns");
    return false;
}

/* Plans the series of one brand. */
static bool plan_brand(struct stats_job *job, unsigned brand)
{
    const struct stats_query *query = &job->stats.query;
    bool by_time = query->groups[0] == STATS_TIME;

    for (size_t p = 0; p < job->stats.n_periods; p++) {
        size_t i = 0;

        do {
            const struct stats_read like = {
                .brand = (uint16_t)brand,
                .campaign = query->n_campaigns ? query->campaigns[i] : COUNTER_ALL_CAMPAIGNS,
                .is_previous = p == 1,
            };

            if (!stats_plan_add(&job->plan, &like, stats_period(&job->stats, p),
                                by_time ? &job->stats.buckets[p] : NULL))
                return false;
        } while (++i < query->n_campaigns);
    }
    return true;
}

static bool plan_series(struct stats_job *job)
{
    const struct site *site = job->stats.site;
    const struct brand *only = job->stats.query.brand;
    unsigned n = site_n_brands(site);

    job->kinds = calloc(n ? n : 1, sizeof(*job->kinds));
    if (!job->kinds)
        return fail_size(job->request, NULL);
    for (unsigned i = 0; i < n; i++) {
        struct slice bad;

        if (only && only->index != i)
            continue;
        /* A name that only other brands have asks nothing of this one. */
        job->kinds[i] = stats_query_kinds(&job->stats.query, site_brand_at(site, i), &bad);
        if (!plan_brand(job, i))
            return fail_size(job->request, "from");
    }
    return true;
}

/* The moment from which on no counter that is read can have expired; `from`, unless some may. */
static int64_t complete_from(const struct stats_job *job, int64_t now_s)
{
    const struct server *server = job->request->server;
    int64_t complete_s = job->stats.query.period.from_s;

    for (size_t i = 0; i < job->plan.n; i++) {
        int64_t keep_s = job->plan.reads[i].interval == COUNTER_HOURS ? server->retention_hours_s
                                                                      : server->retention_days_s;

        if (keep_s > 0 && job->plan.reads[i].time_s < now_s - keep_s && now_s - keep_s > complete_s)
            complete_s = now_s - keep_s;
    }
    return complete_s;
}

static void note_age(struct stats *stats, const struct server *server)
{
    struct pods_age age = pods_age(server->pods);

    stats->as_of_ms = age.as_of_ms;
    stats->lag_ms = age.lag_ms;
}

bool stats_job_init(struct stats_job *job, int64_t now_s)
{
    struct stats *stats = &job->stats;
    struct stats_fault fault;

    if (!stats_query_init(&stats->query, &job->request->query, job->request->site, now_s, &fault)) {
        request_fail(job->request, 400, fault.parameter, "%s", fault.detail);
        return false;
    }
    stats->site = job->request->site;
    stats->n_periods = stats->query.compare ? 2 : 1;
    for (size_t i = 0; i < stats->n_periods; i++) {
        stats_rows_init(&stats->rows[i]);
        if (!buckets_init(&stats->buckets[i], stats_period(stats, i), stats->query.interval,
                          stats->query.zone)) {
            request_fail(job->request, 400, "interval",
                         "more than %d rows of time; ask for a longer interval or a shorter time",
                         (int)PERIOD_BUCKETS_MAX);
            return false;
        }
    }
    if (!plan_series(job))
        return false;
    if (!stats_plan_close(&job->plan, stats->query.dim == COUNTER_DIM_CAMPAIGN))
        return fail_size(job->request, NULL);
    for (size_t i = 0; i < stats->query.n_groups; i++)
        job->n_names += stats->query.groups[i] == STATS_CAMPAIGN;
    if (job->n_names)
        stats->names = json_object();
    if (stats->query.clients &&
        !stats_clients_init(&job->clients, stats, job->request->server->n_shards))
        return fail_size(job->request, "clients");
    if (job->plan.n_commands + job->n_names + job->clients.n_commands > FETCH_COMMANDS_MAX)
        return fail_size(job->request, "from");
    stats->complete_s = complete_from(job, now_s);
    note_age(stats, job->request->server);
    return true;
}
