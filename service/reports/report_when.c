#include "service/reports/report_when.h"

#include <stdio.h>

#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/base/zone.h"

enum { DAY_S = 86400, WEEK_DAYS = 7 };

const char *report_every_name(enum report_every every)
{
    return every == REPORT_WEEK ? "week" : "month";
}

/* Days are counted as seconds of UTC, where each has as many; the zone comes in at the end. */

/* 0 = Monday; 1970-01-01 was a Thursday. */
static int64_t weekday(int64_t day_s)
{
    return (day_s / DAY_S + 3) % WEEK_DAYS;
}

static int64_t month_start(int64_t day_s, int months)
{
    struct civil civil;
    int month;

    civil_from_s(day_s, &civil);
    month = civil.year * 12 + (int)civil.month - 1 + months;
    return civil_to_s(
        &(struct civil){.year = month / 12, .month = (unsigned)(month % 12) + 1, .day = 1});
}

static void write_date(int64_t day_s, char out[static REPORT_DATE_MAX])
{
    struct civil civil;

    civil_from_s(day_s, &civil);
    snprintf(out, REPORT_DATE_MAX, "%04d-%02u-%02u", civil.year % 10000, civil.month % 100,
             civil.day % 100);
}

/* From one day up to, but not including, another. */
static void set_days(struct report_period *out, enum report_every every, int64_t from_s,
                     int64_t to_s, const struct zone *zone)
{
    struct civil end;

    out->every = every;
    write_date(from_s, out->first);
    write_date(to_s - DAY_S, out->last);
    civil_from_s(to_s, &end);
    out->end_s = zone_to_s(zone, &end);
}

void report_period_last(enum report_every every, const struct zone *zone, int64_t now_s,
                        struct report_period *out)
{
    struct civil local;
    int64_t today_s, end_s;

    zone_from_s(zone, now_s, &local);
    today_s =
        civil_to_s(&(struct civil){.year = local.year, .month = local.month, .day = local.day});
    end_s = every == REPORT_WEEK ? today_s - weekday(today_s) * DAY_S : month_start(today_s, 0);
    set_days(out, every, every == REPORT_WEEK ? end_s - WEEK_DAYS * DAY_S : month_start(end_s, -1),
             end_s, zone);
}

void report_period_before(const struct report_period *period, const struct zone *zone,
                          struct report_period *out)
{
    struct civil first;
    int64_t first_s = 0;

    if (rfc3339_parse_date(slice_of(period->first), &first))
        first_s = civil_to_s(&first);
    set_days(out, period->every,
             period->every == REPORT_WEEK ? first_s - WEEK_DAYS * DAY_S : month_start(first_s, -1),
             first_s, zone);
}

void report_period_after(const struct report_period *period, const struct zone *zone,
                         struct report_period *out)
{
    struct civil last;
    int64_t first_s = 0;

    if (rfc3339_parse_date(slice_of(period->last), &last))
        first_s = civil_to_s(&last) + DAY_S;
    set_days(out, period->every, first_s,
             period->every == REPORT_WEEK ? first_s + WEEK_DAYS * DAY_S : month_start(first_s, 1),
             zone);
}

/* "2026" and, of what is behind the dash and `mark`, the number. */
static bool read_pair(struct slice text, const char *mark, uint32_t *year, uint32_t *number)
{
    struct slice behind = slice_of(mark);

    return text.len == 4 + behind.len + 2 &&
           slice_equal(slice_make(text.ptr + 4, behind.len), behind) &&
           number_parse_u32(slice_make(text.ptr, 4), 9998, year) && *year >= 1971 &&
           number_parse_u32(slice_make(text.ptr + 4 + behind.len, 2), 53, number) && *number >= 1;
}

const char *report_period_parse(struct slice text, const struct zone *zone, int64_t now_s,
                                struct report_period *out)
{
    uint32_t year, number;
    int64_t from_s, january_s;

    if (slice_equal(text, slice_of("last-week"))) {
        report_period_last(REPORT_WEEK, zone, now_s, out);
        return NULL;
    }
    if (slice_equal(text, slice_of("last-month"))) {
        report_period_last(REPORT_MONTH, zone, now_s, out);
        return NULL;
    }
    if (read_pair(text, "-W", &year, &number)) {
        /* 4 January is in the first week. */
        january_s = civil_to_s(&(struct civil){.year = (int)year, .month = 1, .day = 4});
        from_s = january_s + ((int64_t)number - 1) * WEEK_DAYS * DAY_S - weekday(january_s) * DAY_S;
        set_days(out, REPORT_WEEK, from_s, from_s + WEEK_DAYS * DAY_S, zone);
        january_s = civil_to_s(&(struct civil){.year = (int)year + 1, .month = 1, .day = 4});
        if (from_s >= january_s - weekday(january_s) * DAY_S)
            return "that year has no week 53";
    } else if (read_pair(text, "-", &year, &number) && number <= 12) {
        from_s = civil_to_s(&(struct civil){.year = (int)year, .month = number, .day = 1});
        set_days(out, REPORT_MONTH, from_s, month_start(from_s, 1), zone);
    } else {
        return "is last-week, last-month, a week as 2026-W47 or a month as 2026-10";
    }
    return out->end_s <= now_s ? NULL : "is not over yet";
}

int64_t report_due_s(const struct report_period *period, const struct zone *zone, int at_hour)
{
    struct civil day;

    zone_from_s(zone, period->end_s, &day);
    day.hour = (unsigned)at_hour;
    day.minute = day.second = 0;
    return zone_to_s(zone, &day);
}
