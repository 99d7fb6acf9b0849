/* stats_plan.h - which series of counters answer a statistic.
 *
 * Whole months (UTC) that fall into one bucket are read from the series of months, which all
 * campaigns together have; other whole days from the series of days; the rest, such as the ends of
 * a local day or month, from the series of hours.
 */
#ifndef ADMIN_STATS_PLAN_H
#define ADMIN_STATS_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "service/admin/stats/period.h"

enum {
    STATS_READS_MAX = 64000, /* keys of a plan; one of hours counts for 16 */
    STATS_KEYS_MAX = 64,     /* keys of a command; one of hours, or a long one, counts for 4 */
};

/* One key to be read. */
struct stats_read {
    int64_t time_s;      /* where the day or month of the key begins */
    uint32_t days;       /* of days: bit d is day d of the month, which is wanted */
    int32_t campaign;    /* or COUNTER_ALL_CAMPAIGNS */
    uint16_t brand;      /* index in the site */
    uint8_t interval;    /* enum counter_interval */
    uint8_t is_previous; /* of the period that is compared with */
};

struct stats_plan {
    size_t n, room;
    size_t cost; /* of them, in keys */
    struct stats_read *reads;
    size_t n_commands;
    uint16_t *starts; /* n_commands + 1 of them: the reads where they begin */
};

/* Plans the keys of one series for `period`; `buckets` NULL: all is one.  `like` gives the fields
 * that say whose series it is.  False: no memory, or over STATS_READS_MAX in all. */
MUST_USE bool stats_plan_add(struct stats_plan *plan, const struct stats_read *like,
                             const struct period *period, const struct buckets *buckets);
/* Puts the reads into commands, fewer into each if the series are long; no more can be added.
 * False: no memory. */
MUST_USE bool stats_plan_close(struct stats_plan *plan, bool are_long);
void stats_plan_clear(struct stats_plan *plan);

/* The moment a point of a read stands for; false: it is not wanted. */
MUST_USE bool stats_read_time(const struct stats_read *read, const struct period *period,
                              unsigned bucket, int64_t *time_s);

#endif
