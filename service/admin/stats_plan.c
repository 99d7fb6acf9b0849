#include "service/admin/stats_plan.h"

#include <stdlib.h>

#include "proto/rfc3339.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

static int64_t month_of(int64_t time_s, unsigned *day)
{
    struct civil civil;

    civil_from_s(time_s, &civil);
    *day = civil.day;
    civil = (struct civil){.year = civil.year, .month = civil.month, .day = 1};
    return civil_to_s(&civil);
}

static struct stats_read *append(struct stats_plan *plan, const struct stats_read *like,
                                 enum counter_interval interval, int64_t time_s)
{
    if (plan->n == STATS_READS_MAX)
        return NULL;
    if (plan->n == plan->room) {
        size_t room = plan->room ? plan->room * 2 : 64;
        struct stats_read *reads = realloc(plan->reads, room * sizeof(*reads));

        if (!reads)
            return NULL;
        plan->reads = reads;
        plan->room = room;
    }
    plan->reads[plan->n] = *like;
    plan->reads[plan->n].interval = (uint8_t)interval;
    plan->reads[plan->n].time_s = time_s;
    plan->reads[plan->n].days = 0;
    return &plan->reads[plan->n++];
}

/* Whether the day that begins at `day_s` is wanted as a whole and lies in one bucket. */
static bool is_whole(const struct period *period, const struct buckets *buckets, int64_t day_s)
{
    if (day_s < period->from_s || day_s + DAY_S > period->to_s)
        return false;
    return !buckets || buckets_find(buckets, day_s) == buckets_find(buckets, day_s + DAY_S - 1);
}

bool stats_plan_add(struct stats_plan *plan, const struct stats_read *like,
                    const struct period *period, const struct buckets *buckets)
{
    int64_t day_s = period->from_s - period->from_s % DAY_S;
    size_t month_at = SIZE_MAX; /* the read that collects the days of this month */

    for (; day_s < period->to_s; day_s += DAY_S) {
        unsigned day;
        int64_t month_s = month_of(day_s, &day);

        if (!is_whole(period, buckets, day_s)) {
            if (!append(plan, like, COUNTER_HOURS, day_s))
                return false;
            continue;
        }
        if (month_at == SIZE_MAX || plan->reads[month_at].time_s != month_s) {
            if (!append(plan, like, COUNTER_DAYS, month_s))
                return false;
            month_at = plan->n - 1;
        }
        plan->reads[month_at].days |= 1U << day;
    }
    return true;
}

void stats_plan_clear(struct stats_plan *plan)
{
    free(plan->reads);
    *plan = (struct stats_plan){0};
}

bool stats_read_time(const struct stats_read *read, const struct period *period, unsigned bucket,
                     int64_t *time_s)
{
    if (read->interval == COUNTER_DAYS) {
        if (bucket < 1 || bucket > 31 || !(read->days & 1U << bucket))
            return false;
        *time_s = read->time_s + (int64_t)(bucket - 1) * DAY_S;
        return true;
    }
    *time_s = read->time_s + (int64_t)bucket * HOUR_S;
    return *time_s >= period->from_s && *time_s < period->to_s;
}
