#include "service/admin/stats/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/series.h"
#include "service/admin/cache.h"
#include "service/admin/fetch.h"
#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/stats/stats_job.h"
#include "service/base/clock.h"
#include "service/config/site.h"

enum {
    END_MAX = 256,
    SERIES_BUCKETS = 32, /* as many as a record can tell */
};

#define NOT_WANTED UINT32_MAX

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

/* Where the buckets of a read go: the row of time, or NOT_WANTED. */
static void find_buckets(const struct stats *stats, const struct stats_read *read,
                         uint32_t rows[static SERIES_BUCKETS])
{
    size_t which = read->is_previous ? 1 : 0;

    for (unsigned i = 0; i < SERIES_BUCKETS; i++) {
        int64_t time_s;

        rows[i] = NOT_WANTED;
        if (stats_read_time(read, stats_period(stats, which), i, &time_s))
            rows[i] = (uint32_t)buckets_find(&stats->buckets[which], time_s);
    }
}

/* Adds what is wanted of a series to the rows it belongs to. */
static void take_series(struct stats_job *job, const struct stats_read *read, struct slice series)
{
    struct stats *stats = &job->stats;
    struct stats_rows *rows = &stats->rows[read->is_previous ? 1 : 0];
    const struct stats_query *query = &stats->query;
    unsigned kinds = job->kinds[read->brand];
    uint32_t time_rows[SERIES_BUCKETS];
    struct series_point point;
    size_t at = 0;

    find_buckets(stats, read, time_rows);
    while (series_next(series, &at, &point)) {
        uint32_t bucket = time_rows[point.bucket], key[2] = {0, 0};

        if (point.dim != query->dim || !(kinds & 1U << point.kind) || bucket == NOT_WANTED)
            continue;
        for (size_t i = 0; i < query->n_groups; i++)
            key[i] = group_value(query->groups[i], read, bucket, &point);
        stats_rows_add(rows, key, point.count, point.automated);
    }
}

static void make_key(const struct stats_job *job, const struct stats_read *read,
                     struct counter_key *key)
{
    const struct counter_series series = {
        .brand = site_brand_at(job->stats.site, read->brand)->id,
        .campaign = read->campaign,
        .interval = (enum counter_interval)read->interval,
        .dim = job->stats.query.dim,
    };

    counter_key_series(key, &series, read->time_s, job->request->server->n_shards);
}

/* The answer to one command: the series that it read. */
static void take_answer(struct stats_job *job, size_t index, const struct redisReply *reply)
{
    size_t first = job->plan.starts[index], n = job->plan.starts[index + 1] - first;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && i < n; i++) {
        const struct redisReply *series = reply->element[i];

        if (series->type == REDIS_REPLY_STRING && series->len % SERIES_RECORD_LEN == 0)
            take_series(job, &job->plan.reads[first + i], slice_make(series->str, series->len));
        else if (series->type == REDIS_REPLY_STRING)
            make_key(job, &job->plan.reads[first + i], &job->foreign);
    }
}

static void take_names(struct stats_job *job, const struct redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const struct redisReply *id = reply->element[i], *name = reply->element[i + 1];

        if (id->type == REDIS_REPLY_STRING && name->type == REDIS_REPLY_STRING)
            json_object_set_new(job->stats.names, id->str, json_stringn(name->str, name->len));
    }
}

static void on_stats_reply(void *owner, size_t index, const struct redisReply *reply)
{
    struct stats_job *job = owner;

    if (index < job->plan.n_commands)
        take_answer(job, index, reply);
    else if (index < job->plan.n_commands + job->n_names)
        take_names(job, reply);
    else if (reply->type == REDIS_REPLY_INTEGER)
        stats_clients_take(&job->clients, index - job->plan.n_commands - job->n_names,
                           reply->integer);
}

/* --- commands --- */

/* One command for series of one campaign. */
static void make_read(struct stats_job *job, size_t index, struct fetch_command *command)
{
    size_t first = job->plan.starts[index], n = job->plan.starts[index + 1] - first;

    command->argv[0] = slice_of("MGET");
    for (size_t i = 0; i < n; i++) {
        make_key(job, &job->plan.reads[first + i], &job->keys[i]);
        command->argv[1 + i] = counter_key_slice(&job->keys[i]);
    }
    command->argc = 1 + n;
    command->key = command->argv[1];
}

static void on_stats_command(void *owner, size_t index, struct fetch_command *command)
{
    struct stats_job *job = owner;

    if (index < job->plan.n_commands) {
        make_read(job, index, command);
        return;
    }
    index -= job->plan.n_commands;
    if (index >= job->n_names) {
        stats_clients_command(&job->clients, index - job->n_names, command);
        return;
    }
    counter_key_names(&job->keys[0], job->stats.query.brand->id);
    command->key = counter_key_slice(&job->keys[0]);
    command->argc = 2;
    command->argv[0] = slice_of("HGETALL");
    command->argv[1] = command->key;
}

/* --- the end --- */

/* Makes the answer; its text is malloc()ed, NULL = no memory. */
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
    /* What follows changes from second to second, and is no part of the ETag. */
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

/* Takes the next of the requests that wait for the job, or NULL. */
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
    cache_put(job->request->server->cache, slice_of(job->cache_key), &reply, job->asked_ms,
              clock_mono_ms());
    while ((request = next_request(job)))
        request_reply(request, &reply);
    free(text);
}

static void unlink_job(struct stats_job *job)
{
    struct stats_job **at = &job->request->server->stats_jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
}

/* All counters are there, or never will be. */
static void on_stats_done(void *owner, const char *cause)
{
    struct stats_job *job = owner;
    struct stats *stats = &job->stats;
    bool by_time = stats->query.groups[0] == STATS_TIME;
    bool failed = false;
    char foreign[COUNTER_KEY_MAX + 64];
    struct request *request;

    unlink_job(job);
    if (!cause && job->foreign.len > 0) {
        snprintf(foreign, sizeof(foreign), "the key %s holds what is not hopcount's",
                 job->foreign.text);
        cause = foreign;
    }
    for (size_t i = 0; i < stats->n_periods && !cause; i++) {
        if (by_time)
            stats_rows_fill(&stats->rows[i], (uint32_t)stats->buckets[i].n,
                            stats->query.n_groups > 1);
        failed = failed || stats->rows[i].failed;
        stats_rows_sort(&stats->rows[i], by_time);
        stats_clients_store(&job->clients, i, &stats->rows[i]);
    }
    if (cause)
        fail_all(job, cause);
    else if (!failed)
        reply_all(job);
    while ((request = next_request(job)))
        request_fail(request, 400, "group_by",
                     "more than %d rows; ask for a shorter time or a longer interval",
                     (int)STATS_ROWS_MAX);
    stats_job_free(job);
}

/* Whether the head asks for CSV; a parameter does, too. */
static bool accepts_csv(const struct request *request)
{
    const char *accept = request_header(request, "Accept");

    return accept && strstr(accept, "text/csv");
}

/* Replies from the cache, or joins those who wait for the same answer; false: neither. */
static bool reply_or_join(struct request *request, const char *key)
{
    const struct reply *reply = cache_find(request->server->cache, slice_of(key), clock_mono_ms());
    struct stats_job *job = request->server->stats_jobs;

    if (reply) {
        request_reply(request, reply);
        return true;
    }
    while (job && (strcmp(job->cache_key, key) != 0 || job->stats.site != request->site))
        job = job->next;
    if (job) {
        /* Behind the first, from whose parameters the job was made. */
        request->next = job->request->next;
        job->request->next = request;
    }
    return job != NULL;
}

/* The parameters in the order they came; a different order is another key, and no harm. */
static void make_cache_key(const struct request *request, bool csv,
                           char out[static STATS_CACHE_KEY_MAX])
{
    const struct query *query = &request->query;
    size_t n = (size_t)snprintf(out, STATS_CACHE_KEY_MAX, "%s", csv ? "csv" : "json");

    for (size_t i = 0; i < query->n_params && n < STATS_CACHE_KEY_MAX; i++)
        n += (size_t)snprintf(out + n, STATS_CACHE_KEY_MAX - n, "&%.*s=%.*s",
                              SLICE_ARG(query->params[i].name), SLICE_ARG(query->params[i].value));
}

void stats_handle(struct request *request)
{
    struct fetch_options options = {
        .on_command = on_stats_command,
        .on_reply = on_stats_reply,
        .on_done = on_stats_done,
    };
    struct stats_job *job = calloc(1, sizeof(*job));
    bool csv = accepts_csv(request);

    request_add_header(request, "Vary", "Accept, Accept-Encoding, Authorization");
    if (!job) {
        request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (slice_equal(query_find(&request->query, "format"), slice_of("csv")))
        request_add_header(request, "Content-Disposition",
                           "attachment; filename=\"hopcount-stats.csv\"");
    job->request = request;
    job->asked_ms = clock_mono_ms();
    make_cache_key(request, csv, job->cache_key);
    if (reply_or_join(request, job->cache_key) || !stats_job_init(job, clock_wall_ms() / 1000)) {
        stats_job_free(job);
        return;
    }
    if (!request->server->fetches) {
        request_fail_redis(request, "no Redis is configured");
        stats_job_free(job);
        return;
    }
    job->stats.query.csv = job->stats.query.csv || csv;
    job->next = request->server->stats_jobs;
    request->server->stats_jobs = job;
    options.owner = job;
    options.is_long = true;
    options.n_commands = job->plan.n_commands + job->n_names + job->clients.n_commands;
    fetch_start(request->server->fetches, &options);
}
