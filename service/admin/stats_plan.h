/* stats_plan.h - which series of counters answer a statistic.
 *
 * Whole days (UTC) that fall into one bucket are read from the series of days, a key per month; the
 * rest, such as the ends of a local day or month, from the series of hours, a key per day.
 */
#ifndef ADMIN_STATS_PLAN_H
#define ADMIN_STATS_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "service/admin/period.h"

enum { STATS_READS_MAX = 4000 };

/* One key to be read. */
struct stats_read {
    int64_t time_s;      /* where the day (of hours) or month (of days) begins */
    uint32_t days;       /* of a month: bit d is day d, which is wanted */
    int32_t campaign;    /* or COUNTER_ALL_CAMPAIGNS */
    uint16_t brand;      /* index in the site */
    uint8_t interval;    /* enum counter_interval */
    uint8_t is_previous; /* of the period that is compared with */
};

struct stats_plan {
    size_t n, room;
    struct stats_read *reads;
};

/* Plans the keys of one series for `period`; `buckets` NULL: all is one.  `like` gives the fields
 * that say whose series it is.  False: no memory, or over STATS_READS_MAX in all. */
MUST_USE bool stats_plan_add(struct stats_plan *plan, const struct stats_read *like,
                             const struct period *period, const struct buckets *buckets);
void stats_plan_clear(struct stats_plan *plan);

/* The moment a point of a read stands for; false: it is not wanted. */
MUST_USE bool stats_read_time(const struct stats_read *read, const struct period *period,
                              unsigned bucket, int64_t *time_s);

#endif
