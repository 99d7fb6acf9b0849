#include "service/admin/stats/stats_plan.h"

#include <stdlib.h>

#include "proto/rfc3339.h"

enum { HOUR_S = 3600, DAY_S = 86400, LONE_WEIGHT = 2 };

static struct stats_read *append(struct stats_plan *plan, const struct stats_read *like,
                                 enum counter_interval interval, int64_t time_s)
{
    size_t cost = interval == COUNTER_HOURS ? 16 : 1;

    if (plan->cost + cost > STATS_READS_MAX)
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
    plan->cost += cost;
    return &plan->reads[plan->n++];
}

/* Whether all time between two moments is wanted and lies in one bucket. */
static bool is_whole(const struct period *period, const struct buckets *buckets, int64_t from_s,
                     int64_t to_s)
{
    if (from_s < period->from_s || to_s > period->to_s)
        return false;
    return !buckets || buckets_find(buckets, from_s) == buckets_find(buckets, to_s - 1);
}

static int64_t next_month(int64_t month_s)
{
    struct civil civil;

    civil_from_s(month_s, &civil);
    civil.month++; /* civil_to_s() carries month 13 over */
    return civil_to_s(&civil);
}

bool stats_plan_add(struct stats_plan *plan, const struct stats_read *like,
                    const struct period *period, const struct buckets *buckets)
{
    int64_t day_s = period->from_s - period->from_s % DAY_S, next_s;
    size_t month_at = SIZE_MAX; /* index of the read that collects the days of this month */
    bool all = like->campaign == COUNTER_ALL_CAMPAIGNS;

    for (; day_s < period->to_s; day_s = next_s) {
        enum counter_interval interval = COUNTER_HOURS;
        struct civil month;
        int64_t month_s;
        unsigned day;

        civil_from_s(day_s, &month);
        day = month.day;
        month.day = 1;
        month_s = civil_to_s(&month);
        next_s = day_s + DAY_S;
        if (all && day == 1 && is_whole(period, buckets, day_s, next_month(day_s))) {
            interval = COUNTER_MONTHS;
            next_s = next_month(day_s);
        } else if (is_whole(period, buckets, day_s, next_s)) {
            interval = COUNTER_DAYS;
        }
        if (interval != COUNTER_DAYS || all) {
            struct stats_read *read = append(plan, like, interval, day_s);

            if (!read)
                return false;
            read->days = 1U << day;
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

static bool is_of_same_month(const struct stats_read *a, const struct stats_read *b)
{
    return a->is_previous == b->is_previous &&
           period_month_s(a->time_s) == period_month_s(b->time_s);
}

size_t stats_plan_months(const struct stats_plan *plan, size_t command,
                         size_t first[static STATS_KEYS_MAX])
{
    size_t n = 0;

    for (size_t i = plan->starts[command]; i < plan->starts[command + 1]; i++) {
        if (n == 0 || !is_of_same_month(&plan->reads[i], &plan->reads[i - 1]))
            first[n++] = i;
    }
    return n;
}

bool stats_read_has_day(const struct stats_read *read, unsigned day)
{
    return read->interval == COUNTER_MONTHS || (day < 32 && (read->days & 1U << day));
}

/* The weight of a key in a command.  Series by campaign may be long, those of hours are longest.
 * The weights keep an answer below RESP_ANSWER_MAX and short, because Redis serves nobody else
 * meanwhile. */
static size_t weight_of(const struct stats_read *read, bool are_long)
{
    return (read->interval == COUNTER_HOURS ? 4U : 1U) * (are_long ? 4U : 1U);
}

bool stats_plan_close(struct stats_plan *plan, bool are_long)
{
    size_t weight = 0;

    plan->starts = malloc((plan->n + 1) * sizeof(*plan->starts));
    if (!plan->starts)
        return false;
    for (size_t i = 0; i < plan->n; i++) {
        const struct stats_read *read = &plan->reads[i];
        /* A command reads one shard, and all keys of one campaign are in one shard. */
        bool goes_on =
            i > 0 && read->brand == read[-1].brand && read->campaign == read[-1].campaign;

        weight += weight_of(read, are_long);
        if (goes_on && !is_of_same_month(read, read - 1))
            weight += LONE_WEIGHT;
        if (goes_on && weight <= STATS_KEYS_MAX)
            continue;
        plan->starts[plan->n_commands++] = (uint16_t)i;
        weight = weight_of(read, are_long) + LONE_WEIGHT;
    }
    plan->starts[plan->n_commands] = (uint16_t)plan->n;
    return true;
}

void stats_plan_clear(struct stats_plan *plan)
{
    free(plan->reads);
    free(plan->starts);
    *plan = (struct stats_plan){0};
}

bool stats_read_time(const struct stats_read *read, const struct period *period, unsigned bucket,
                     int64_t *time_s)
{
    if (read->interval == COUNTER_HOURS) {
        *time_s = read->time_s + (int64_t)bucket * HOUR_S;
        return bucket < 24 && *time_s >= period->from_s && *time_s < period->to_s;
    }
    *time_s = read->time_s;
    if (read->interval == COUNTER_MONTHS)
        return bucket == 0;
    if (read->campaign != COUNTER_ALL_CAMPAIGNS)
        *time_s += ((int64_t)bucket - 1) * DAY_S;
    return bucket < 32 && (read->days & 1U << bucket);
}
