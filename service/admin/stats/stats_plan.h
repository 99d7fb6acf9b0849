/* stats_plan.h - plans which series of counters are read for a statistic.
 *
 * Whole months (UTC) within one bucket are read from the series of months, which exists only for
 * all campaigns together.  Other whole days are read from the series of days.  The rest, such as
 * the ends of a local day or month, is read from the series of hours.
 *
 * Clicks that are not in the series yet are among the lone clicks of their month.  Each command
 * reads these, too, for its own days: so it sees a click that is being moved once, and not twice or
 * never. */
#ifndef ADMIN_STATS_PLAN_H
#define ADMIN_STATS_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/counter.h"
#include "service/admin/stats/period.h"

enum {
    STATS_READS_MAX = 64000, /* keys of a plan; a key of hours counts as 16 */
    STATS_KEYS_MAX =
        64, /* keys of a command; a key of hours, or a long one, counts as 4, of lone clicks as 2 */
};

/* A key of a series to be read. */
struct stats_read {
    int64_t time_s;      /* start of the day or month of the key */
    uint32_t days;       /* in a series of days: bit d is set if day d of the month is wanted */
    int32_t campaign;    /* a number, or COUNTER_ALL_CAMPAIGNS */
    uint16_t brand;      /* index in the site */
    uint8_t interval;    /* enum counter_interval */
    uint8_t is_previous; /* belongs to the period that is compared with */
};

struct stats_plan {
    size_t n, room;
    size_t cost; /* of all reads, in keys */
    struct stats_read *reads;
    size_t n_commands;
    uint16_t *starts; /* n_commands + 1 entries: the index of the first read of each command */
};

/* Plans the keys of one series for `period`.  `buckets` NULL: the period is one bucket.  The fields
 * of `like` say whose series it is.  False: out of memory, or over STATS_READS_MAX in all. */
MUST_USE bool stats_plan_add(struct stats_plan *plan, const struct stats_read *like,
                             const struct period *period, const struct buckets *buckets);
/* Distributes the reads over commands, fewer per command if the series are long.  Nothing can be
 * added afterwards.  False: out of memory. */
MUST_USE bool stats_plan_close(struct stats_plan *plan, bool are_long);
void stats_plan_clear(struct stats_plan *plan);

/* The months whose lone clicks a command reads behind its series: each begins with that read of the
 * command, and ends before the next one's.  Returns how many there are. */
size_t stats_plan_months(const struct stats_plan *plan, size_t command,
                         size_t first[static STATS_KEYS_MAX]);

/* Whether the read covers a day, 1…31, of its month. */
bool stats_read_has_day(const struct stats_read *read, unsigned day);

/* Sets the time that a record of a read belongs to; false: it is outside the period. */
MUST_USE bool stats_read_time(const struct stats_read *read, const struct period *period,
                              unsigned bucket, int64_t *time_s);

#endif
