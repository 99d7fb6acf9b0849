#include "proto/rfc3339.h"

#include <stdio.h>

enum { DAY_S = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400, YEAR_MIN = 1970 };

unsigned civil_days_in_month(int year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[(month - 1) % 12];
}

/* Years begin in March here, so that the leap day is the last of the year; 719468 is the number of
 * days from 0000-03-01 to 1970-01-01. */
int64_t civil_to_s(const struct civil *civil)
{
    int64_t y = civil->year + (int)((civil->month - 1) / 12);
    int64_t m = (civil->month - 1) % 12 + 1;
    int64_t era, of_era, of_year, days;

    y -= m <= 2;
    era = y / YEARS_PER_ERA;
    of_era = y - era * YEARS_PER_ERA;
    of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + civil->day - 1;
    days = era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return days * DAY_S + civil->hour * 3600 + civil->minute * 60 + civil->second;
}

void civil_from_s(int64_t time_s, struct civil *out)
{
    int64_t rest = (time_s % DAY_S + DAY_S) % DAY_S;
    int64_t days = (time_s - rest) / DAY_S + 719468;
    int64_t era = days / DAYS_PER_ERA;
    int64_t of_era = days - era * DAYS_PER_ERA;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    out->day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    out->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year + era * YEARS_PER_ERA + (out->month <= 2));
    out->hour = (unsigned)(rest / 3600);
    out->minute = (unsigned)(rest / 60 % 60);
    out->second = (unsigned)(rest % 60);
}

/* Reads exactly `n` digits at `*at` and moves behind them. */
static bool take_digits(struct slice text, size_t *at, size_t n, unsigned *out)
{
    unsigned value = 0;

    if (text.len - *at < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text.ptr[*at + i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *at += n;
    *out = value;
    return true;
}

static bool take_char(struct slice text, size_t *at, const char *one_of)
{
    if (*at == text.len || text.ptr[*at] == '\0' || !strchr(one_of, text.ptr[*at]))
        return false;
    (*at)++;
    return true;
}

static bool take_date(struct slice text, size_t *at, struct civil *out)
{
    unsigned year;

    if (!take_digits(text, at, 4, &year) || !take_char(text, at, "-") ||
        !take_digits(text, at, 2, &out->month) || !take_char(text, at, "-") ||
        !take_digits(text, at, 2, &out->day))
        return false;
    out->year = (int)year;
    return out->year >= YEAR_MIN && out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= civil_days_in_month(out->year, out->month);
}

/* `*ms` is the fraction of the second, cut off behind the third digit. */
static bool take_time(struct slice text, size_t *at, struct civil *out, unsigned *ms)
{
    if (!take_digits(text, at, 2, &out->hour) || !take_char(text, at, ":") ||
        !take_digits(text, at, 2, &out->minute) || !take_char(text, at, ":") ||
        !take_digits(text, at, 2, &out->second))
        return false;
    *ms = 0;
    if (take_char(text, at, ".")) {
        unsigned digit, worth = 100;

        if (!take_digits(text, at, 1, &digit))
            return false;
        do {
            *ms += digit * worth;
            worth /= 10;
        } while (take_digits(text, at, 1, &digit));
    }
    return out->hour < 24 && out->minute < 60 && out->second < 60;
}

static bool take_offset(struct slice text, size_t *at, int64_t *offset_s)
{
    bool west = *at < text.len && text.ptr[*at] == '-';
    unsigned hours, minutes;

    *offset_s = 0;
    if (take_char(text, at, "Zz"))
        return true;
    if (!take_char(text, at, "+-") || !take_digits(text, at, 2, &hours) ||
        !take_char(text, at, ":") || !take_digits(text, at, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool rfc3339_parse_ms(struct slice text, int64_t *time_ms)
{
    struct civil civil;
    int64_t offset_s, value;
    unsigned ms;
    size_t at = 0;

    if (!take_date(text, &at, &civil) || !take_char(text, &at, "Tt ") ||
        !take_time(text, &at, &civil, &ms) || !take_offset(text, &at, &offset_s) || at != text.len)
        return false;
    value = civil_to_s(&civil) - offset_s;
    if (value < 0 || value > RFC3339_MAX_S)
        return false;
    *time_ms = value * 1000 + ms;
    return true;
}

bool rfc3339_parse(struct slice text, int64_t *time_s)
{
    int64_t time_ms;

    if (!rfc3339_parse_ms(text, &time_ms))
        return false;
    *time_s = time_ms / 1000;
    return true;
}

bool rfc3339_parse_date(struct slice text, struct civil *out)
{
    struct civil civil = {0};
    size_t at = 0;

    if (!take_date(text, &at, &civil) || at != text.len)
        return false;
    *out = civil;
    return true;
}

const char *rfc3339_format(int64_t time_s, int offset_s, char out[static RFC3339_TEXT_MAX])
{
    unsigned east = (unsigned)(offset_s < 0 ? -offset_s : offset_s) / 60;
    struct civil c;
    int n;

    civil_from_s(time_s + offset_s, &c);
    n = snprintf(out, RFC3339_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)c.year % 10000,
                 c.month, c.day, c.hour, c.minute, c.second);
    if (offset_s == 0)
        snprintf(out + n, (size_t)(RFC3339_TEXT_MAX - n), "Z");
    else
        snprintf(out + n, (size_t)(RFC3339_TEXT_MAX - n), "%c%02u:%02u", offset_s < 0 ? '-' : '+',
                 east / 60 % 100, east % 60);
    return out;
}
