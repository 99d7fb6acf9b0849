#include "service/admin/stats/period.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/number.h"
#include "service/base/zone.h"

enum { HOUR_S = 3600, DAY_S = 86400, COUNT_MAX = 100000 };

static const char *const interval_names[] = {"hour", "day", "month"};

int64_t period_month_s(int64_t time_s)
{
    struct civil civil;

    civil_from_s(time_s, &civil);
    civil = (struct civil){.year = civil.year, .month = civil.month, .day = 1};
    return civil_to_s(&civil);
}

int period_interval_find(struct slice name)
{
    for (int i = PERIOD_HOUR; i <= PERIOD_MONTH; i++) {
        if (slice_equal(name, slice_of(interval_names[i])))
            return i;
    }
    return -1;
}

const char *period_interval_name(enum period_interval interval)
{
    return interval_names[interval];
}

static int64_t floor_hour(int64_t time_s)
{
    return time_s - time_s % HOUR_S;
}

static int64_t ceil_hour(int64_t time_s)
{
    return floor_hour(time_s + HOUR_S - 1);
}

/* Counters have whole hours of UTC.  A local day or month is made of the UTC hours that begin in
 * it, which is exact in zones whose offset is a whole number of hours. */

/* The start of the local day (month) that is `back` days (months) before the one of a moment. */
static int64_t day_start(const struct zone *zone, int64_t time_s, int back)
{
    struct civil local;

    zone_from_s(zone, time_s, &local);
    local.hour = local.minute = local.second = 0;
    /* converts through UTC, so that going back is plain arithmetic */
    civil_from_s(civil_to_s(&local) - (int64_t)back * DAY_S, &local);
    return ceil_hour(zone_to_s(zone, &local));
}

static int64_t month_start(const struct zone *zone, int64_t time_s, int back)
{
    struct civil local;
    int months;

    zone_from_s(zone, time_s, &local);
    months = local.year * 12 + (int)local.month - 1 - back;
    local = (struct civil){.year = months / 12, .month = (unsigned)(months % 12) + 1, .day = 1};
    return ceil_hour(zone_to_s(zone, &local));
}

/* The start of the day after the local day that is `months` months ago. "1y" up to the 22nd of
 * November begins on the 23rd of November of the year before.  If that month is shorter, its last
 * day is used. */
static int64_t months_back(const struct zone *zone, int64_t last_s, int months)
{
    struct civil local;
    unsigned day, days;

    zone_from_s(zone, month_start(zone, last_s, months) + DAY_S / 2, &local);
    days = civil_days_in_month(local.year, local.month);
    zone_from_s(zone, last_s, &local);
    day = local.day < days ? local.day : days;
    zone_from_s(zone, month_start(zone, last_s, months) + DAY_S / 2, &local);
    local = (struct civil){.year = local.year, .month = local.month, .day = day + 1};
    civil_from_s(civil_to_s(&local), &local);
    return ceil_hour(zone_to_s(zone, &local));
}

/* Parses "24h" and the like, counted back from `last_s`, the last second of the period. */
static bool parse_relative(struct slice text, const struct zone *zone, int64_t last_s,
                           int64_t *from_s)
{
    uint32_t count;
    int n;

    if (slice_equal(text, slice_of("mtd")) || slice_equal(text, slice_of("ytd"))) {
        struct civil local;

        zone_from_s(zone, last_s, &local);
        *from_s = month_start(zone, last_s, text.ptr[0] == 'y' ? (int)local.month - 1 : 0);
        return true;
    }
    if (text.len < 2)
        return false;
    if (!number_parse_u32(slice_make(text.ptr, text.len - 1), COUNT_MAX, &count) || count == 0)
        return false;
    n = (int)count;
    switch (text.ptr[text.len - 1]) {
    case 'h':
        *from_s = floor_hour(last_s) - (int64_t)(n - 1) * HOUR_S;
        return true;
    case 'd':
        *from_s = day_start(zone, last_s, n - 1);
        return true;
    case 'w':
        *from_s = day_start(zone, last_s, n * 7 - 1);
        return true;
    case 'm':
    case 'y':
        if (n > PERIOD_YEARS_MAX * 12)
            return false;
        *from_s = months_back(zone, last_s, text.ptr[text.len - 1] == 'm' ? n : n * 12);
        return true;
    default:
        return false;
    }
}

/* Parses a time or a date.  A time is rounded down to a whole hour (as an end, up).  A date means
 * its beginning (as an end, its end). */
static bool parse_moment(struct slice text, const struct zone *zone, bool is_end, int64_t *out)
{
    struct civil local;

    if (rfc3339_parse(text, out)) {
        *out = is_end ? ceil_hour(*out) : floor_hour(*out);
        return true;
    }
    if (!rfc3339_parse_date(text, &local))
        return false;
    if (is_end) {
        local.day++;
        civil_from_s(civil_to_s(&local), &local);
    }
    *out = ceil_hour(zone_to_s(zone, &local));
    return true;
}

enum period_status period_parse(struct slice from, struct slice to, const struct zone *zone,
                                int64_t now_s, struct period *out)
{
    int64_t from_s = 0, to_s = ceil_hour(now_s + 1);
    bool is_days;

    if (!from.ptr)
        from = slice_of("30d");
    if (to.ptr && !slice_equal(to, slice_of("now")) && !parse_moment(to, zone, true, &to_s))
        return PERIOD_BAD_TO;
    if (to_s < DAY_S || to_s > RFC3339_MAX_S - DAY_S)
        return PERIOD_BAD_TO;
    if (!parse_moment(from, zone, false, &from_s) && !parse_relative(from, zone, to_s - 1, &from_s))
        return PERIOD_BAD_FROM;
    if (from_s < 0)
        return PERIOD_BAD_FROM;
    if (from_s >= to_s)
        return PERIOD_EMPTY;
    if (to_s - from_s > (int64_t)PERIOD_YEARS_MAX * 366 * DAY_S)
        return PERIOD_TOO_LONG;
    is_days = !rfc3339_parse(from, &(int64_t){0}) && from.ptr[from.len - 1] != 'h';
    *out = (struct period){.from_s = from_s, .to_s = to_s, .is_days = is_days};
    return PERIOD_OK;
}

enum period_interval period_default_interval(const struct period *period)
{
    int64_t len_s = period->to_s - period->from_s;

    if (len_s <= 2 * DAY_S)
        return PERIOD_HOUR;
    return len_s <= 366 * DAY_S ? PERIOD_DAY : PERIOD_MONTH;
}

/* The number of local days that a period touches. */
static int n_days(const struct period *period, const struct zone *zone)
{
    struct civil first, last;

    zone_from_s(zone, period->from_s, &first);
    zone_from_s(zone, period->to_s - 1, &last);
    first.hour = first.minute = first.second = 0;
    last.hour = last.minute = last.second = 0;
    return (int)((civil_to_s(&last) - civil_to_s(&first)) / DAY_S) + 1;
}

/* The moment when local clocks showed the same time, `days` days earlier. */
static int64_t days_earlier(const struct zone *zone, int64_t time_s, int days)
{
    struct civil local;

    zone_from_s(zone, time_s, &local);
    civil_from_s(civil_to_s(&local) - (int64_t)days * DAY_S, &local);
    return ceil_hour(zone_to_s(zone, &local));
}

/* The end of the period, or of the current hour if that comes first: no click came later. */
static int64_t end_so_far(const struct period *period, int64_t now_s)
{
    int64_t hour_end_s = ceil_hour(now_s + 1);

    return period->to_s < hour_end_s ? period->to_s : hour_end_s;
}

void period_previous(const struct period *period, const struct zone *zone, int64_t now_s,
                     struct period *out)
{
    int64_t end_s = end_so_far(period, now_s);
    bool is_whole = period->from_s == day_start(zone, period->from_s, 0) &&
                    period->to_s == day_start(zone, period->to_s, 0);

    *out = *period;
    if (period->is_days || is_whole) {
        int days = n_days(period, zone);

        out->from_s = day_start(zone, period->from_s, days);
        out->to_s = days_earlier(zone, end_s, days);
    } else {
        int64_t len_s = period->to_s - period->from_s;

        out->to_s = end_s - len_s;
        out->from_s = period->from_s - len_s;
    }
    if (out->from_s < 0)
        out->from_s = 0;
    if (out->to_s < out->from_s)
        out->to_s = out->from_s;
}

/* The days from a moment's local date to the same date a year before. */
static int days_of_year_before(const struct zone *zone, int64_t time_s)
{
    struct civil local, before;

    zone_from_s(zone, time_s, &local);
    local.hour = local.minute = local.second = 0;
    before = local;
    before.year--;
    return (int)((civil_to_s(&local) - civil_to_s(&before)) / DAY_S);
}

bool period_compare(const struct period *period, const struct zone *zone, int64_t now_s,
                    struct slice how, struct period *out)
{
    struct civil date;
    int days;

    if (slice_equal(how, slice_of("previous"))) {
        period_previous(period, zone, now_s, out);
        return true;
    }
    if (slice_equal(how, slice_of("weekday"))) {
        days = (n_days(period, zone) + 6) / 7 * 7;
    } else if (slice_equal(how, slice_of("year"))) {
        days = days_of_year_before(zone, period->from_s);
    } else if (slice_equal(how, slice_of("year_weekday"))) {
        days = 52 * 7;
    } else if (rfc3339_parse_date(how, &date)) {
        struct civil first;

        zone_from_s(zone, period->from_s, &first);
        first.hour = first.minute = first.second = 0;
        days = (int)((civil_to_s(&first) - civil_to_s(&date)) / DAY_S);
        if (days <= 0)
            return false;
    } else {
        return false;
    }
    *out = *period;
    out->from_s = days_earlier(zone, period->from_s, days);
    out->to_s = days_earlier(zone, end_so_far(period, now_s), days);
    if (out->from_s < 0)
        out->from_s = 0;
    if (out->to_s < out->from_s)
        out->to_s = out->from_s;
    return true;
}

bool buckets_init(struct buckets *buckets, const struct period *period,
                  enum period_interval interval, const struct zone *zone)
{
    int64_t at_s = period->from_s;
    int64_t hours = (period->to_s - period->from_s) / HOUR_S;
    size_t room = interval == PERIOD_HOUR ? (size_t)hours : (size_t)(hours / 23) + 2;

    *buckets = (struct buckets){.interval = interval};
    if (room > PERIOD_BUCKETS_MAX)
        return false;
    buckets->start_s = calloc(room + 1, sizeof(int64_t));
    if (!buckets->start_s)
        return false;
    while (at_s < period->to_s && buckets->n < room) {
        buckets->start_s[buckets->n++] = at_s;
        at_s = interval == PERIOD_MONTH ? month_start(zone, at_s, -1)
               : interval == PERIOD_DAY ? day_start(zone, at_s, -1)
                                        : at_s + HOUR_S;
    }
    buckets->start_s[buckets->n] = period->to_s;
    return true;
}

void buckets_clear(struct buckets *buckets)
{
    free(buckets->start_s);
    *buckets = (struct buckets){0};
}

size_t buckets_find(const struct buckets *buckets, int64_t time_s)
{
    size_t low = 0, high = buckets->n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (buckets->start_s[middle] <= time_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

const char *buckets_key(const struct buckets *buckets, size_t index, const struct zone *zone,
                        char out[static PERIOD_KEY_MAX])
{
    int64_t start_s = buckets->start_s[index];
    int offset_s = zone_offset_s(zone, start_s);
    struct civil local;

    if (buckets->interval == PERIOD_HOUR)
        return rfc3339_format(start_s, offset_s, out);
    civil_from_s(start_s + offset_s, &local);
    if (buckets->interval == PERIOD_DAY)
        snprintf(out, PERIOD_KEY_MAX, "%04u-%02u-%02u", (unsigned)local.year % 10000,
                 local.month % 100, local.day % 100);
    else
        snprintf(out, PERIOD_KEY_MAX, "%04u-%02u", (unsigned)local.year % 10000, local.month % 100);
    return out;
}
