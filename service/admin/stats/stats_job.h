/* stats_job.h - a statistic being made: what is to be read for it. */
#ifndef ADMIN_STATS_JOB_H
#define ADMIN_STATS_JOB_H
#include "service/admin/stats/stats.h"
#include "service/admin/stats/stats_clients.h"

struct request;

enum { STATS_CACHE_KEY_MAX = QUERY_TEXT_MAX + 64 };

/* Commands go out in this order: the series of the plan, the names of the campaigns, the distinct
 * clients. */
struct stats_job {
    struct stats_job *next;  /* of those under way */
    struct request *request; /* and behind it those who asked for the same meanwhile */
    struct stats stats;
    struct stats_plan plan;
    struct stats_clients clients;
    unsigned *kinds;                         /* by index of the brand: bits of the kinds wanted */
    size_t n_names;                          /* 0 or 1 commands */
    struct counter_key keys[STATS_KEYS_MAX]; /* of the command being made */
    struct counter_key foreign;              /* a key that holds no series; empty = none does */
    int64_t asked_ms;                        /* monotonic */
    char cache_key[STATS_CACHE_KEY_MAX];
};

/* Fills a job, all zero but for `request`, from the request's parameters as of `now_s`.  False: the
 * request was replied to.  To be freed in either case. */
MUST_USE bool stats_job_init(struct stats_job *job, int64_t now_s);
void stats_job_free(struct stats_job *job);

/* The period asked for, or the one before. */
static inline const struct period *stats_period(const struct stats *stats, size_t index)
{
    return index == 0 ? &stats->query.period : &stats->query.previous;
}

#endif
