/* report_when.h - the week or month that a report is about, and when it is due, in a time zone. */
#ifndef REPORTS_REPORT_WHEN_H
#define REPORTS_REPORT_WHEN_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct zone;

/* As in config_report; a week begins on Monday. */
enum report_every { REPORT_WEEK, REPORT_MONTH };

/* "week" or "month". */
const char *report_every_name(enum report_every every);

enum { REPORT_DATE_MAX = 16 };

struct report_period {
    enum report_every every;
    char first[REPORT_DATE_MAX], last[REPORT_DATE_MAX]; /* its days, "2026-11-16", both are in */
    int64_t end_s;                                      /* Unix: it is over */
};

/* The last one that was over `now_s`, Unix seconds. */
void report_period_last(enum report_every every, const struct zone *zone, int64_t now_s,
                        struct report_period *out);

/* The one before. */
void report_period_before(const struct report_period *period, const struct zone *zone,
                          struct report_period *out);

/* The one behind it. */
void report_period_after(const struct report_period *period, const struct zone *zone,
                         struct report_period *out);

/* "last-week", "last-month", "2026-W47" (ISO 8601) or "2026-10".  NULL; or what is wrong: it can't
 * be read, or is not over at `now_s`. */
MUST_USE const char *report_period_parse(struct slice text, const struct zone *zone, int64_t now_s,
                                         struct report_period *out);

/* When the report of a period goes out: at `at_hour` of the day behind it. */
int64_t report_due_s(const struct report_period *period, const struct zone *zone, int at_hour);

#endif
