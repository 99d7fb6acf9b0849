/* period.h - the span of time a statistic is about, and its hours, days or months. */
#ifndef ADMIN_PERIOD_H
#define ADMIN_PERIOD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/rfc3339.h"
#include "proto/slice.h"

struct zone;

enum period_interval { PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH };

enum {
    PERIOD_BUCKETS_MAX = 10000, /* enough for 400 days of hours */
    PERIOD_KEY_MAX = RFC3339_TEXT_MAX,
};

/* From `from_s` up to, but not including, `to_s`: whole hours of UTC, as counters have them. */
struct period {
    int64_t from_s, to_s;
    bool is_days; /* begins with a local day: `from` was a date, "7d", "mtd", "1y" … */
};

/* Unix second at which the month (UTC) that holds `time_s` begins. */
int64_t period_month_s(int64_t time_s);

/* The interval named "hour", "day" or "month"; or -1. */
int period_interval_find(struct slice name);
const char *period_interval_name(enum period_interval interval);

enum period_status {
    PERIOD_OK,
    PERIOD_BAD_FROM, /* not a time, date or span */
    PERIOD_BAD_TO,
    PERIOD_EMPTY,    /* `from` is not before `to` */
    PERIOD_TOO_LONG, /* over PERIOD_YEARS_MAX */
};

enum { PERIOD_YEARS_MAX = 20 };

/*
 * Parses `from` and `to` as of `now_s`.  Both may be a time (RFC 3339) or a date, which in `to`
 * means its end.  `from` may also be a span, counted back from `to`: "24h", "7d", "8w", "3m", "1y"
 * (hours, local days, weeks, months, years; the one that holds `to` is one of them), "mtd", "ytd"
 * (since the first of the month, of the year).  An absent `to` is now, an absent `from` "30d".
 */
MUST_USE enum period_status period_parse(struct slice from, struct slice to,
                                         const struct zone *zone, int64_t now_s,
                                         struct period *out);

/* The interval used when the query names none. */
enum period_interval period_default_interval(const struct period *period);

/*
 * The period to compare with.  For days, the same number of days before, up to the same time of
 * day: a day that isn't over is compared with the same part of an earlier day.  For hours, the same
 * number of hours before.  A period that ends after `now_s` is compared with as much as is over of
 * it, the current hour included.
 */
void period_previous(const struct period *period, const struct zone *zone, int64_t now_s,
                     struct period *out);

/*
 * The period to compare with that `how` names: "previous" (see above); "weekday", as many whole
 * weeks before as the period touches, so that Mondays are compared with Mondays; "year", the same
 * dates a year before; "year_weekday", 52 weeks before; or a date, the first day of as long a
 * period.  False: it is none of these, or a date that does not come before the period.
 */
MUST_USE bool period_compare(const struct period *period, const struct zone *zone, int64_t now_s,
                             struct slice how, struct period *out);

/* The hours, local days or local months of a period; the first and the last may be parts. */
struct buckets {
    enum period_interval interval;
    size_t n;
    int64_t *start_s; /* n + 1 of them: the last is the end of the period */
};

/* False: out of memory, or more than PERIOD_BUCKETS_MAX buckets. */
MUST_USE bool buckets_init(struct buckets *buckets, const struct period *period,
                           enum period_interval interval, const struct zone *zone);
void buckets_clear(struct buckets *buckets);

/* The bucket that holds a moment of the period. */
size_t buckets_find(const struct buckets *buckets, int64_t time_s);

/* Writes the key of a bucket: "2026-11-22T13:00:00+01:00", "2026-11-22" or "2026-11"; returns
 * `out`. */
const char *buckets_key(const struct buckets *buckets, size_t index, const struct zone *zone,
                        char out[static PERIOD_KEY_MAX]);

#endif
