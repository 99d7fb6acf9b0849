/* GET /v1/stats: plans a statistic, asks Redis for its series, and replies. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/lone.h"
#include "proto/series.h"
#include "service/admin/audit.h"
#include "service/admin/cache.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/pods.h"
#include "service/admin/problem.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/stats_cells.h"
#include "service/admin/stats/stats_clients.h"
#include "service/admin/stats/stats_request.h"
#include "service/admin/stats/stats_write.h"
#include "service/base/clock.h"
#include "service/base/zone.h"
#include "service/config/site.h"
#include "service/ledger/ledger.h"

enum {
    END_MAX = 256,
    DAY_S = 86400,
    SERIES_BUCKETS = 32, /* as many as the bucket field of a record can hold */
};

#define NOT_WANTED UINT32_MAX

/* A statistic under way.  Its commands are sent in this order: the series of the plan, the names of
 * the campaigns, the checks of hours of clients; when all are answered, those that count clients or
 * read cells. */
struct stats_job {
    struct stats_job *next; /* the next job under way */
    struct server *server;
    struct request *request; /* the first one; others for the same statistic follow it */
    struct stats stats;
    struct stats_plan plan;
    struct buckets days[STATS_PERIODS]; /* of a combined query: the UTC days of each period */
    struct zone *utc;                   /* of a combined query */
    struct stats_clients clients;
    struct stats_cells cells;                /* of a combined query */
    unsigned *kinds;                         /* by index of the brand: a bit per kind wanted */
    size_t n_names;                          /* 0 or 1 commands */
    struct counter_key keys[STATS_KEYS_MAX]; /* keys of the command being made */
    struct counter_key foreign;              /* a key that holds no series; empty = there is none */
    int64_t asked_ms;                        /* when the job began, monotonic */
    char cache_key[STATS_KEY_MAX];
};

/* --- what is to be read --- */

static void free_job(struct stats_job *job)
{
    for (size_t i = 0; i < STATS_PERIODS; i++) {
        buckets_clear(&job->stats.buckets[i]);
        stats_rows_clear(&job->stats.rows[i]);
    }
    stats_query_clear(&job->stats.query);
    stats_plan_clear(&job->plan);
    stats_clients_clear(&job->clients);
    stats_cells_clear(&job->cells);
    buckets_clear(&job->days[0]);
    buckets_clear(&job->days[1]);
    zone_free(job->utc);
    json_decref(job->stats.names);
    free(job->kinds);
    free(job);
}

static const char too_much[] = "makes it too much to read at once; ask for a shorter time, a "
                               "longer interval, or fewer brands and campaigns";

static bool fail_size(struct request *request, const char *parameter)
{
    request_fail(request, 400, parameter, "%s", too_much);
    return false;
}

/* Plans which series of one brand are read. */
static bool plan_brand(struct stats_job *job, unsigned brand)
{
    const struct stats_query *query = &job->stats.query;
    bool by_time = query->groups[0] == STATS_TIME;

    for (size_t p = 0; p < job->stats.n_periods; p++) {
        const struct buckets *buckets = by_time ? &job->stats.buckets[p] : NULL;
        size_t i = 0;

        if (query->is_combined)
            buckets = &job->days[p];

        do {
            const struct stats_read like = {
                .brand = (uint16_t)brand,
                .campaign = query->n_campaigns ? query->campaigns[i] : COUNTER_ALL_CAMPAIGNS,
                .is_previous = p == 1,
            };

            if (!stats_plan_add(&job->plan, &like, stats_period(&job->stats, p), buckets))
                return false;
        } while (++i < query->n_campaigns);
    }
    return true;
}

static bool plan_series(struct stats_job *job)
{
    const struct site *site = job->stats.site;
    unsigned n = site_n_brands(site);

    job->kinds = calloc(n ? n : 1, sizeof(*job->kinds));
    if (!job->kinds)
        return fail_size(job->request, NULL);
    for (unsigned i = 0; i < n; i++) {
        struct slice bad;

        if (!stats_query_has(&job->stats.query, site_brand_at(site, i)))
            continue;
        /* If the kind exists only in other brands, nothing of this brand is selected. */
        job->kinds[i] = stats_query_kinds(&job->stats.query, site_brand_at(site, i), &bad);
        if (!plan_brand(job, i))
            return fail_size(job->request, "from");
    }
    return true;
}

/* The time from which on all counters are complete; earlier ones may have expired.  `from` if
 * nothing expires. */
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

/* Clients are counted later than their clicks (service/ledger/people.h). */
static int64_t people_as_of_ms(const struct server *server, int64_t clicks_as_of_ms)
{
    struct ledger_stats now = {0};

    if (server->sources.ledger)
        ledger_stats(server->sources.ledger, &now);
    return now.people_as_of_ms < clicks_as_of_ms ? now.people_as_of_ms : clicks_as_of_ms;
}

/* Whether several dimensions together are counted at all.  False: a reply with the error was sent.
 */
static bool may_combine(const struct stats_job *job)
{
    const struct stats_query *query = &job->stats.query;

    if (!query->is_combined || job->server->retention_cells_s > 0)
        return true;
    request_fail_as(
        job->request, PROBLEM_COUNTED_APART,
        query->n_filters > 1 ? stats_group_name(query->filters[1].group) : "group_by",
        "can't be combined with another dimension: the configuration has them counted "
        "apart (retention.cells_days: 0); each goes with time, kind or named campaigns");
    return false;
}

/* Plans what is read for the query.  False: a reply with the error was sent. */
static bool plan_job(struct stats_job *job, int64_t now_s)
{
    struct stats *stats = &job->stats;
    struct stats_clients_options options = {
        .n_shards = job->server->n_shards,
        .now_s = now_s,
        .kept_s = job->server->retention_client_hours_s,
    };
    struct pods_age age;
    bool is_combined = stats->query.is_combined;

    stats_cells_init(&job->cells);
    if (is_combined && !(job->utc = zone_load((struct slice){0})))
        return fail_size(job->request, NULL);
    stats->site = job->request->site;
    stats->n_periods = stats->query.compare ? 2 : 1;
    for (size_t i = 0; i < stats->n_periods; i++) {
        stats_rows_init(&stats->rows[i]);
        if (!buckets_init(&stats->buckets[i], stats_period(stats, i), stats->query.interval,
                          stats->query.zone)) {
            request_fail(
                job->request, 400, "interval",
                "gives more than %d rows of time; ask for a longer interval or a shorter time",
                (int)PERIOD_BUCKETS_MAX);
            return false;
        }
        if (is_combined &&
            !buckets_init(&job->days[i], stats_period(stats, i), PERIOD_DAY, job->utc))
            return fail_size(job->request, "from");
    }
    if (!plan_series(job))
        return false;
    if (!stats_plan_close(&job->plan, stats->query.dim == COUNTER_DIM_CAMPAIGN))
        return fail_size(job->request, NULL);
    for (size_t i = 0; i < stats->query.n_groups; i++)
        job->n_names += stats->query.groups[i] == STATS_CAMPAIGN;
    if (job->n_names)
        stats->names = json_object();
    if (job->plan.n_commands + job->n_names > FETCH_COMMANDS_MAX)
        return fail_size(job->request, "from");
    options.n_checks_max = FETCH_COMMANDS_MAX - job->plan.n_commands - job->n_names;
    if (stats->query.clients && !stats_clients_init(&job->clients, stats, &options))
        return fail_size(job->request, "clients");
    stats->complete_s = complete_from(job, now_s);
    age = pods_age(job->request->server->pods);
    stats->as_of_ms = age.as_of_ms;
    stats->lag_ms = age.lag_ms;
    stats->people_as_of_ms = people_as_of_ms(job->request->server, age.as_of_ms);
    return true;
}

/* --- replies --- */

static uint32_t group_value(enum stats_group group, const struct stats_read *read, uint32_t bucket,
                            const struct series_point *point)
{
    switch (group) {
    case STATS_TIME:
        return bucket;
    case STATS_KIND:
        return point->kind;
    case STATS_CAMPAIGN:
        return point->dim == COUNTER_DIM_CAMPAIGN ? point->value : (uint32_t)read->campaign;
    default:
        return point->value;
    }
}

/* Of a combined query: how many clicks its campaigns have on each day. */
static void count_day(struct stats_job *job, const struct stats_read *read,
                      const struct series_point *point)
{
    const struct period *period = stats_period(&job->stats, read->is_previous);
    int64_t time_s;

    if (job->kinds[read->brand] & 1U << point->kind &&
        stats_read_time(read, period, point->bucket, &time_s))
        stats_cells_count(&job->cells, read,
                          (uint16_t)(point->dim == COUNTER_DIM_CAMPAIGN ? point->value
                                                                        : (unsigned)read->campaign),
                          time_s, point->count, point->automated);
}

static void count_days(struct stats_job *job, const struct stats_read *read, struct slice series)
{
    struct series_point point;
    size_t at = 0;

    while (series_next(series, &at, &point)) {
        if (point.dim == job->stats.query.dim)
            count_day(job, read, &point);
    }
}

/* Adds a point of the dimension to its row, if it is wanted. */
static void take_point(struct stats_job *job, const struct stats_read *read,
                       const struct series_point *point, uint32_t bucket)
{
    const struct stats_query *query = &job->stats.query;
    uint32_t key[2] = {0, 0};

    if (!(job->kinds[read->brand] & 1U << point->kind) || bucket == NOT_WANTED ||
        !stats_query_wants(query, point->value))
        return;
    for (size_t i = 0; i < query->n_groups; i++)
        key[i] = group_value(query->groups[i], read, bucket, point);
    stats_rows_add(&job->stats.rows[read->is_previous ? 1 : 0], key, point->count,
                   point->automated);
}

/* Adds the wanted records of a series to their rows. */
static void take_series(struct stats_job *job, const struct stats_read *read, struct slice series)
{
    struct stats *stats = &job->stats;
    size_t which = read->is_previous ? 1 : 0;
    uint32_t time_rows[SERIES_BUCKETS];
    struct series_point point;
    size_t at = 0;

    /* The row of time of each bucket; NOT_WANTED for those outside the period. */
    for (unsigned i = 0; i < SERIES_BUCKETS; i++) {
        int64_t time_s;

        time_rows[i] = NOT_WANTED;
        if (stats_read_time(read, stats_period(stats, which), i, &time_s))
            time_rows[i] = (uint32_t)buckets_find(&stats->buckets[which], time_s);
    }
    while (series_next(series, &at, &point)) {
        if (point.dim == job->stats.query.dim)
            take_point(job, read, &point, time_rows[point.bucket]);
    }
}

static void make_key(const struct stats_job *job, const struct stats_read *read,
                     enum counter_interval interval, struct counter_key *key)
{
    const struct counter_series series = {
        .brand = site_brand_at(job->stats.site, read->brand)->id,
        .campaign = read->campaign,
        .interval = interval,
        .dim = job->stats.query.dim,
    };

    counter_key_series(key, &series, read->time_s, job->request->server->n_shards);
}

/* Adds the lone clicks of a month, on days that the reads of `first` … `end` - 1 cover. */
static void take_lone(struct stats_job *job, size_t first, size_t end, struct slice records)
{
    const struct stats_read *reads = job->plan.reads, *of_day[SERIES_BUCKETS] = {NULL};
    struct lone lone;
    size_t at = 0;

    for (unsigned day = 0; day < SERIES_BUCKETS; day++) {
        for (size_t i = first; i < end; i++) {
            if (stats_read_has_day(&reads[i], day))
                of_day[day] = &reads[i];
        }
    }
    while (lone_next(records, &at, &lone)) {
        const struct stats_read *read = of_day[lone.day];
        size_t which = read && read->is_previous ? 1 : 0;
        struct series_point point;
        int64_t time_s;

        if (!read ||
            !lone_point(&lone, (enum counter_interval)read->interval, job->stats.query.dim, &point))
            continue;
        if (job->stats.query.is_combined)
            count_day(job, read, &point);
        else if (stats_read_time(read, stats_period(&job->stats, which), point.bucket, &time_s))
            take_point(job, read, &point,
                       (uint32_t)buckets_find(&job->stats.buckets[which], time_s));
    }
}

/* Handles the reply to one command: the series that it read, then the lone clicks. */
static void take_answer(struct stats_job *job, size_t index, const struct redisReply *answer)
{
    size_t first = job->plan.starts[index], end = job->plan.starts[index + 1], n = end - first;
    size_t months[STATS_KEYS_MAX], n_months = stats_plan_months(&job->plan, index, months);

    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const struct redisReply *element = answer->element[i];
        struct slice text = slice_make(element->str, element->len);
        size_t month = i - n; /* of lone clicks */

        if (element->type != REDIS_REPLY_STRING || i >= n + n_months)
            continue;
        if (text.len % (i < n ? SERIES_RECORD_LEN : LONE_LEN) != 0)
            make_key(job, &job->plan.reads[i < n ? first + i : months[month]],
                     i < n ? (enum counter_interval)job->plan.reads[first + i].interval
                           : COUNTER_ALONE,
                     &job->foreign);
        else if (i < n)
            (job->stats.query.is_combined ? count_days
                                          : take_series)(job, &job->plan.reads[first + i], text);
        else
            take_lone(job, months[month], month + 1 < n_months ? months[month + 1] : end, text);
    }
}

static void take_names(struct stats_job *job, const struct redisReply *answer)
{
    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i], *name = answer->element[i + 1];

        if (id->type == REDIS_REPLY_STRING && name->type == REDIS_REPLY_STRING)
            json_object_set_new(job->stats.names, id->str, json_stringn(name->str, name->len));
    }
}

static void on_stats_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct stats_job *job = owner;

    if (index < job->plan.n_commands)
        take_answer(job, index, answer);
    else if (index < job->plan.n_commands + job->n_names)
        take_names(job, answer);
    else if (answer->type == REDIS_REPLY_INTEGER)
        stats_clients_take_check(&job->clients, index - job->plan.n_commands - job->n_names,
                                 answer->integer);
}

/* --- commands --- */

static void on_stats_command(void *owner, size_t index, struct fetch_command *command)
{
    struct stats_job *job = owner;

    if (index < job->plan.n_commands) { /* it reads series of one campaign */
        size_t first = job->plan.starts[index], n = job->plan.starts[index + 1] - first;

        size_t months[STATS_KEYS_MAX], n_months = stats_plan_months(&job->plan, index, months);

        command->argv[0] = slice_of("MGET"); /* of one moment, see stats_plan.h */
        for (size_t i = 0; i < n + n_months; i++) {
            const struct stats_read *read = &job->plan.reads[i < n ? first + i : months[i - n]];

            make_key(job, read, i < n ? (enum counter_interval)read->interval : COUNTER_ALONE,
                     &job->keys[i]);
            command->argv[1 + i] = counter_key_slice(&job->keys[i]);
        }
        command->argc = 1 + n + n_months;
        command->key = command->argv[1];
        return;
    }
    index -= job->plan.n_commands;
    if (index >= job->n_names) {
        stats_clients_check(&job->clients, index - job->n_names, command);
        return;
    }
    counter_key_names(&job->keys[0], job->stats.query.brand->id);
    command->key = counter_key_slice(&job->keys[0]);
    command->argc = 2;
    command->argv[0] = slice_of("HGETALL");
    command->argv[1] = command->key;
}

/* --- reply --- */

/* Makes the body of the reply; the text is malloc()ed, NULL = out of memory. */
static char *make_reply(const struct stats *stats, struct reply *reply)
{
    char *text, *whole, end[END_MAX];
    size_t len = 0;

    *reply = (struct reply){.status = 200, .type = "application/json"};
    if (stats->query.csv) {
        reply->type = "text/csv; charset=utf-8; header=present";
        text = stats_csv(stats, &len);
        reply->body = reply->etag_of = slice_make(text, len);
        return text;
    }
    text = stats_json(stats);
    if (!text)
        return NULL;
    /* The fields after this point change every second and are not part of the ETag. */
    len = strlen(text) - 1;
    stats_json_end(stats, end, sizeof(end));
    whole = realloc(text, len + sizeof(end));
    if (!whole) {
        free(text);
        return NULL;
    }
    memcpy(whole + len, end, strlen(end) + 1);
    reply->body = slice_of(whole);
    reply->etag_of = slice_make(whole, len);
    return whole;
}

/* Takes the next request that waits for the job, or NULL. */
static struct request *next_request(struct stats_job *job)
{
    struct request *request = job->request;

    if (request)
        job->request = request->next;
    return request;
}

static void fail_all(struct stats_job *job, const char *cause)
{
    struct request *request;

    while ((request = next_request(job)))
        request_fail_redis(request, cause);
}

static void reply_all(struct stats_job *job)
{
    struct request *request;
    struct reply reply;
    char *text = make_reply(&job->stats, &reply);

    if (!text) {
        fail_all(job, "out of memory");
        return;
    }
    /* Not if the configuration was reloaded meanwhile: the answer was made from the old one. */
    if (job->stats.site == job->request->server->site)
        cache_put(job->request->server->cache, slice_of(job->cache_key), &reply, job->asked_ms,
                  clock_mono_ms());
    while ((request = next_request(job)))
        audit_reply(request, &reply);
    free(text);
}

static void end_job(struct stats_job *job)
{
    struct stats_job **at = &job->server->stats_jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    free_job(job);
}

/* Replies to all with the same problem, and ends the job. */
PRINTF_LIKE(4, 5)
static void refuse_all(struct stats_job *job, enum problem problem, const char *parameter,
                       const char *format, ...)
{
    char detail[STATS_DETAIL_MAX];
    struct request *request;
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    while ((request = next_request(job)))
        request_fail_as(request, problem, parameter, "%s", detail);
    end_job(job);
}

/* All that is needed was read: replies. */
static void finish(struct stats_job *job)
{
    struct stats *stats = &job->stats;
    bool by_time = stats->query.groups[0] == STATS_TIME;
    bool failed = false;

    for (size_t i = 0; i < stats->n_periods; i++) {
        if (by_time)
            stats_rows_fill(&stats->rows[i], (uint32_t)stats->buckets[i].n,
                            stats->query.n_groups > 1);
        failed = failed || stats->rows[i].failed;
        stats_rows_sort(&stats->rows[i], by_time);
        stats_clients_store(&job->clients, i, &stats->rows[i]);
    }
    if (failed) {
        refuse_all(job, PROBLEM_INVALID_PARAMETERS, "group_by",
                   "gives more than %d rows; ask for a shorter time, a longer interval, or by name "
                   "for up to %d campaigns",
                   (int)STATS_ROWS_MAX, (int)STATS_CAMPAIGNS_MAX);
        return;
    }
    reply_all(job);
    end_job(job);
}

/* --- clients --- */

static void on_clients_command(void *owner, size_t index, struct fetch_command *command)
{
    struct stats_job *job = owner;

    stats_clients_command(&job->clients, index, command);
}

static void on_clients_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct stats_job *job = owner;

    if (answer->type == REDIS_REPLY_INTEGER)
        stats_clients_take(&job->clients, index, answer->integer);
}

static void count_clients(struct stats_job *job);

static void on_clients_done(void *owner, const char *cause)
{
    struct stats_job *job = owner;

    /* Redis has begun to refuse since it was asked whose hours are known. */
    if (!cause && job->clients.is_refused && !job->clients.by_days) {
        count_clients(job);
        return;
    }
    if (!cause && job->clients.is_refused)
        cause = "it refuses to write, which counting people by the hour needs";
    if (cause) {
        fail_all(job, cause);
        end_job(job);
        return;
    }
    finish(job);
}

/* It is known of which days the hours have everybody: counts clients and visitors. */
static void count_clients(struct stats_job *job)
{
    struct fetch_options options = {
        .on_command = on_clients_command,
        .on_answer = on_clients_answer,
        .on_done = on_clients_done,
        .owner = job,
        .is_long = true,
    };

    if (!stats_clients_plan(&job->clients, &job->stats) ||
        job->clients.n_commands > FETCH_COMMANDS_MAX) {
        refuse_all(job, PROBLEM_INVALID_PARAMETERS, "clients", "%s", too_much);
        return;
    }
    options.n_commands = job->clients.n_commands;
    if (options.n_commands > 0)
        fetch_start(job->server->fetches, &options);
    else
        on_clients_done(job, NULL);
}

/* --- cells --- */

static void on_cells_command(void *owner, size_t index, struct fetch_command *command)
{
    struct stats_job *job = owner;

    stats_cells_command(&job->cells, &job->stats, job->request->server->n_shards, index, command);
}

static void on_cells_answer(void *owner, size_t index, const struct redisReply *answer)
{
    struct stats_job *job = owner;

    stats_cells_take(&job->cells, &job->stats, job->kinds, index, answer);
}

/* The cells were read, or the job failed. */
static void on_cells_done(void *owner, const char *cause)
{
    struct stats_job *job = owner;
    const struct stats_coverage *coverage = &job->stats.coverage[0];

    if (cause) {
        fail_all(job, cause);
        end_job(job);
        return;
    }
    stats_cells_cover(&job->cells, &job->stats, clock_wall_ms() / 1000);
    if (coverage->n_clicks > 0 && coverage->n_covered == 0)
        refuse_all(job, PROBLEM_COUNTED_APART, "from",
                   "is too early: no click of this period was counted by several dimensions "
                   "together; these counts are kept for %lld days (retention.cells_days); ask for "
                   "a later time, or by one dimension",
                   (long long)(job->server->retention_cells_s / DAY_S));
    else
        finish(job);
}

/* Series have said which campaigns have clicks on which days: reads the cells of these. */
static void read_cells(struct stats_job *job)
{
    struct fetch_options options = {
        .on_command = on_cells_command,
        .on_answer = on_cells_answer,
        .on_done = on_cells_done,
        .owner = job,
        .is_long = true,
    };

    switch (stats_cells_plan(&job->cells, &job->stats, job->server->n_shards)) {
    case STATS_CELLS_OK:
        break;
    case STATS_CELLS_TOO_MUCH:
        refuse_all(job, PROBLEM_COUNTED_APART, "from",
                   "is too far back: several dimensions together can be read over at most %d "
                   "million clicks and %d campaign days; ask for a shorter time, for campaigns by "
                   "number, or by one dimension",
                   STATS_CELLS_CLICKS_MAX / 1000000, (int)STATS_CELLS_DAYS_MAX);
        return;
    case STATS_CELLS_NO_MEMORY:
        fail_all(job, "out of memory");
        end_job(job);
        return;
    }
    options.n_commands = job->cells.n_commands;
    if (options.n_commands > 0)
        fetch_start(job->server->fetches, &options);
    else
        on_cells_done(job, NULL);
}

/* All replies have come, or the job failed. */
static void on_stats_done(void *owner, const char *cause)
{
    struct stats_job *job = owner;
    char foreign[COUNTER_KEY_MAX + 64];

    if (!cause && job->foreign.len > 0) {
        snprintf(foreign, sizeof(foreign), "the key %s holds data that hopcount did not write",
                 job->foreign.text);
        cause = foreign;
    }
    if (cause) {
        fail_all(job, cause);
        end_job(job);
    } else if (job->stats.query.is_combined) {
        read_cells(job);
    } else if (job->stats.query.clients) {
        count_clients(job);
    } else {
        finish(job);
    }
}

/* Replies from the cache, or adds the request to a job for the same answer; false: neither is
 * possible. */
static bool reply_or_join(struct request *request, const char *key)
{
    const struct reply *reply = cache_find(request->server->cache, slice_of(key), clock_mono_ms());
    struct stats_job *job = request->server->stats_jobs;

    if (reply) {
        audit_reply(request, reply);
        return true;
    }
    while (job && (strcmp(job->cache_key, key) != 0 || job->stats.site != request->site))
        job = job->next;
    if (job) {
        /* The first request stays first, because the job uses its parameters. */
        request->next = job->request->next;
        job->request->next = request;
    }
    return job != NULL;
}

void stats_handle(struct request *request)
{
    struct fetch_options options = {
        .on_command = on_stats_command,
        .on_answer = on_stats_answer,
        .on_done = on_stats_done,
        .is_long = true,
    };
    struct slice metric = query_find(&request->query, "metric");
    struct stats_job *job;

    if (metric.ptr && !slice_equal(metric, slice_of("clicks"))) {
        funnel_handle_stats(request);
        return;
    }
    job = calloc(1, sizeof(*job));
    if (!job) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    job->request = request;
    job->server = request->server;
    job->asked_ms = clock_mono_ms();
    if (!stats_request_read(request, STATS_ASKED_STATS, "hopcount-stats.csv", &job->stats.query) ||
        reply_or_join(request, stats_query_key(&job->stats.query, job->cache_key)) ||
        !may_combine(job) || !plan_job(job, clock_wall_ms() / 1000)) {
        free_job(job);
        return;
    }
    if (!request->server->fetches) {
        request_fail_redis(request, "no Redis is configured");
        free_job(job);
        return;
    }
    job->next = request->server->stats_jobs;
    request->server->stats_jobs = job;
    options.owner = job;
    options.n_commands = job->plan.n_commands + job->n_names + job->clients.n_checks;
    fetch_start(request->server->fetches, &options);
}
