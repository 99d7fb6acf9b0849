/* rfc3339.h - dates and times as text (RFC 3339), and the calendar behind them.
 *
 * Pure: no I/O, no clock, no time zone data.  Proleptic Gregorian, years 1970…9999, no leap seconds
 * (a second 60 is refused), as Unix time has none.
 */
#ifndef PROTO_RFC3339_H
#define PROTO_RFC3339_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { RFC3339_TEXT_MAX = 32 }; /* holds any text made here, with its NUL */

/* The last second of the year 9999. */
#define RFC3339_MAX_S INT64_C(253402300799)

struct civil {
    int year;            /* 1970…9999 */
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
};

/* Unix second of a civil time taken as UTC; `month` may be 13 and `day` past the end of the month
 * or 0: they carry, so that "the next day" needs no calendar. */
int64_t civil_to_s(const struct civil *civil);
/* The civil time, UTC, of a Unix second up to RFC3339_MAX_S; from a day before 0 on, so that local
 * times west of Greenwich work. */
void civil_from_s(int64_t time_s, struct civil *out);
unsigned civil_days_in_month(int year, unsigned month);

/* Reads "2026-11-22T12:00:00Z", with a fraction (cut off) or an offset too, `t`, `z` and a blank
 * for the `T` as RFC 3339 allows.  False: not such a text, or no such date. */
MUST_USE bool rfc3339_parse(struct slice text, int64_t *time_s);
/* The same in Unix milliseconds, of which the fraction has three digits. */
MUST_USE bool rfc3339_parse_ms(struct slice text, int64_t *time_ms);
/* Reads "2026-11-22"; the time of day is 0. */
MUST_USE bool rfc3339_parse_date(struct slice text, struct civil *out);

/* Writes "2026-11-22T12:00:00Z", or with an offset in seconds (whole minutes) other than 0
 * "2026-11-22T13:00:00+01:00"; returns `out`. */
const char *rfc3339_format(int64_t time_s, int offset_s, char out[static RFC3339_TEXT_MAX]);

#endif
