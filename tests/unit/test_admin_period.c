#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/admin/stats/period.h"
#include "service/base/zone.h"

static int64_t at(const char *text)
{
    int64_t time_s;

    assert_true(rfc3339_parse(slice_of(text), &time_s));
    return time_s;
}

static const char *utc(int64_t time_s)
{
    static char text[4][RFC3339_TEXT_MAX];
    static unsigned n;

    return rfc3339_format(time_s, 0, text[n++ % 4]);
}

static struct zone *zone_of(const char *name)
{
    struct zone *zone = zone_load(slice_of(name));

    assert_non_null(zone);
    return zone;
}

static void test_zone_names(void **state)
{
    static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/Salta",
                                       "Etc/GMT+12", "America/Port-au-Prince"};
    static const char *const bad[] = {"",
                                      "Europe/Nowhere",
                                      "europe/berlin/x",
                                      "/etc/localtime",
                                      "../zoneinfo/Europe/Berlin",
                                      "right/UTC",
                                      "Europe/Berlin ",
                                      "Europe",
                                      "zone.tab",
                                      "<script>"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        print_message("%s\n", good[i]);
        zone_free(zone_of(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("%s\n", bad[i]);
        assert_null(zone_load(slice_of(bad[i])));
    }
    zone_free(NULL);
}

static void test_local_to_utc(void **state)
{
    const struct {
        const char *name, *zone, *local, *want;
    } cases[] = {
        {"UTC is itself", "UTC", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"},
        {"winter in Berlin", "Europe/Berlin", "2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z"},
        {"summer in Berlin", "Europe/Berlin", "2026-07-22T12:00:00Z", "2026-07-22T10:00:00Z"},
        {"just before the clocks go forward", "Europe/Berlin", "2026-03-29T01:59:59Z",
         "2026-03-29T00:59:59Z"},
        {"in the hour that is skipped", "Europe/Berlin", "2026-03-29T02:30:00Z",
         "2026-03-29T01:00:00Z"},
        {"just after it", "Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
        {"in the hour that comes twice: the first", "Europe/Berlin", "2026-10-25T02:30:00Z",
         "2026-10-25T00:30:00Z"},
        {"after it", "Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
        {"a midnight that is skipped", "America/Sao_Paulo", "2018-11-04T00:00:00Z",
         "2018-11-04T03:00:00Z"},
        {"a day that is skipped", "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00Z"},
        {"half an hour off", "Asia/Kolkata", "2026-11-22T00:00:00Z", "2026-11-21T18:30:00Z"},
        {"summer time of half an hour", "Australia/Lord_Howe", "2026-01-15T00:00:00Z",
         "2026-01-14T13:00:00Z"},
        {"years after the last change listed", "Europe/Berlin", "2060-07-01T12:00:00Z",
         "2060-07-01T10:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        struct civil local;

        print_message("%s\n", cases[i].name);
        civil_from_s(at(cases[i].local), &local);
        assert_string_equal(utc(zone_to_s(zone, &local)), cases[i].want);
        zone_free(zone);
    }
}

static void test_parse(void **state)
{
    const struct {
        const char *name, *from, *to, *zone;
        enum period_status want;
        const char *want_from, *want_to;
    } cases[] = {
        {"nothing is the last 30 days, today too", NULL, NULL, "UTC", PERIOD_OK,
         "2026-10-24T00:00:00Z", "2026-11-22T13:00:00Z"},
        {"24 hours, this one too", "24h", NULL, "UTC", PERIOD_OK, "2026-11-21T13:00:00Z",
         "2026-11-22T13:00:00Z"},
        {"one hour", "1h", "now", "UTC", PERIOD_OK, "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z"},
        {"7 days", "7d", NULL, "UTC", PERIOD_OK, "2026-11-16T00:00:00Z", "2026-11-22T13:00:00Z"},
        {"2 weeks", "2w", NULL, "UTC", PERIOD_OK, "2026-11-09T00:00:00Z", "2026-11-22T13:00:00Z"},
        {"3 months", "3m", NULL, "UTC", PERIOD_OK, "2026-08-23T00:00:00Z", "2026-11-22T13:00:00Z"},
        {"a year", "1y", NULL, "UTC", PERIOD_OK, "2025-11-23T00:00:00Z", "2026-11-22T13:00:00Z"},
        {"a year to a leap day", "1y", "2024-02-29", "UTC", PERIOD_OK, "2023-03-01T00:00:00Z",
         "2024-03-01T00:00:00Z"},
        {"a month to a 31st", "1m", "2026-10-31", "UTC", PERIOD_OK, "2026-10-01T00:00:00Z",
         "2026-11-01T00:00:00Z"},
        {"month to date", "mtd", NULL, "UTC", PERIOD_OK, "2026-11-01T00:00:00Z",
         "2026-11-22T13:00:00Z"},
        {"year to date", "ytd", NULL, "UTC", PERIOD_OK, "2026-01-01T00:00:00Z",
         "2026-11-22T13:00:00Z"},
        {"month to date, on the last day of a month that ended", "mtd", "2026-02-28", "UTC",
         PERIOD_OK, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
        {"year to date in Berlin begins an hour earlier", "ytd", NULL, "Europe/Berlin", PERIOD_OK,
         "2025-12-31T23:00:00Z", "2026-11-22T13:00:00Z"},
        {"a day in Auckland is far ahead", "1d", NULL, "Pacific/Auckland", PERIOD_OK,
         "2026-11-22T11:00:00Z", "2026-11-22T13:00:00Z"},
        {"dates hold their days wholly", "2026-11-01", "2026-11-02", "UTC", PERIOD_OK,
         "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"},
        {"one date is one day", "2026-11-01", "2026-11-01", "UTC", PERIOD_OK,
         "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"},
        {"the day of 25 hours", "2026-10-25", "2026-10-25", "Europe/Berlin", PERIOD_OK,
         "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
        {"the day of 23 hours", "2026-03-29", "2026-03-29", "Europe/Berlin", PERIOD_OK,
         "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
        {"a day off the hour takes the hours that begin in it", "2026-11-01", "2026-11-01",
         "Asia/Kolkata", PERIOD_OK, "2026-10-31T19:00:00Z", "2026-11-01T19:00:00Z"},
        {"times grow to whole hours", "2026-11-01T10:30:00Z", "2026-11-01T11:30:00Z", "UTC",
         PERIOD_OK, "2026-11-01T10:00:00Z", "2026-11-01T12:00:00Z"},
        {"a time on the hour is an end itself", "2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z",
         "UTC", PERIOD_OK, "2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z"},
        {"24 hours to a time", "24h", "2026-11-01T11:00:00Z", "UTC", PERIOD_OK,
         "2026-10-31T11:00:00Z", "2026-11-01T11:00:00Z"},
        {"20 years", "2006-12-01", "2026-11-22", "UTC", PERIOD_OK, "2006-12-01T00:00:00Z",
         "2026-11-23T00:00:00Z"},
        {"more than 20 years", "1999-01-01", NULL, "UTC", PERIOD_TOO_LONG, NULL, NULL},
        {"backwards", "2026-11-02", "2026-11-01", "UTC", PERIOD_EMPTY, NULL, NULL},
        {"no length", "2026-11-02T10:00:00Z", "2026-11-02T10:00:00Z", "UTC", PERIOD_EMPTY, NULL,
         NULL},
        {"a date that doesn't exist", "2026-02-30", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"an end that doesn't exist", "2026-02-01", "2026-02-29", "UTC", PERIOD_BAD_TO, NULL, NULL},
        {"an end counted back", "7d", "1d", "UTC", PERIOD_BAD_TO, NULL, NULL},
        {"an empty from", "", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"an empty to", "7d", "", "UTC", PERIOD_BAD_TO, NULL, NULL},
        {"no days", "0d", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"a number without a unit", "7", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"a unit without a number", "d", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"an unknown unit", "7s", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"a negative number", "-7d", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"a number that overflows", "99999999999999999999d", NULL, "UTC", PERIOD_BAD_FROM, NULL,
         NULL},
        {"days before 1970", "100000d", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"months before 1970", "1000m", NULL, "UTC", PERIOD_BAD_FROM, NULL, NULL},
        {"the end of time", NULL, "9999-12-31", "UTC", PERIOD_BAD_TO, NULL, NULL},
        {"the beginning of time", NULL, "1970-01-01T00:00:00Z", "UTC", PERIOD_BAD_TO, NULL, NULL},
    };
    const int64_t now_s = at("2026-11-22T12:34:56Z");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        struct period period;

        print_message("%s\n", cases[i].name);
        assert_int_equal(
            period_parse(slice_of(cases[i].from), slice_of(cases[i].to), zone, now_s, &period),
            cases[i].want);
        if (cases[i].want == PERIOD_OK) {
            assert_string_equal(utc(period.from_s), cases[i].want_from);
            assert_string_equal(utc(period.to_s), cases[i].want_to);
        }
        zone_free(zone);
    }
}

static void test_previous(void **state)
{
    const struct {
        const char *name, *from, *to, *zone, *want_from, *want_to;
    } cases[] = {
        {"a day", "2026-11-22", "2026-11-22", "UTC", "2026-11-21T00:00:00Z",
         "2026-11-22T00:00:00Z"},
        {"hours", "2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z", "UTC", "2026-11-22T08:00:00Z",
         "2026-11-22T10:00:00Z"},
        {"the day after the one of 25 hours", "2026-10-26", "2026-10-26", "Europe/Berlin",
         "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
        {"the day of 25 hours", "2026-10-25", "2026-10-25", "Europe/Berlin", "2026-10-23T22:00:00Z",
         "2026-10-24T22:00:00Z"},
        {"a week over the change", "2026-03-25", "2026-03-31", "Europe/Berlin",
         "2026-03-17T23:00:00Z", "2026-03-24T23:00:00Z"},
        {"a morning, with the morning before", "1d", "2026-11-22T09:00:00Z", "UTC",
         "2026-11-21T00:00:00Z", "2026-11-21T09:00:00Z"},
        {"seven days up to a morning", "7d", "2026-11-26T05:00:00Z", "UTC", "2026-11-13T00:00:00Z",
         "2026-11-19T05:00:00Z"},
        {"seven days up to an evening", "7d", "2026-11-26T20:00:00Z", "Europe/Berlin",
         "2026-11-12T23:00:00Z", "2026-11-19T20:00:00Z"},
        {"a month that has just begun", "mtd", "2026-11-01T06:00:00Z", "UTC",
         "2026-10-31T00:00:00Z", "2026-10-31T06:00:00Z"},
        {"the same time of day over the change", "2d", "2026-10-25T11:00:00Z", "Europe/Berlin",
         "2026-10-21T22:00:00Z", "2026-10-23T10:00:00Z"},
        {"days where hours begin at a quarter to", "2d", "2026-11-22T06:00:00Z", "Asia/Kathmandu",
         "2026-11-18T19:00:00Z", "2026-11-20T06:00:00Z"},
        {"24 hours from a midnight on", "24h", "2026-11-22T00:00:00Z", "UTC",
         "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
        {"six hours from a midnight on", "6h", "2026-11-22T06:00:00Z", "UTC",
         "2026-11-21T18:00:00Z", "2026-11-22T00:00:00Z"},
        {"before 1970 there is nothing", "1970-01-01", "1970-01-09", "UTC", "1970-01-01T00:00:00Z",
         "1970-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        struct period period, previous;

        print_message("%s\n", cases[i].name);
        assert_int_equal(period_parse(slice_of(cases[i].from), slice_of(cases[i].to), zone,
                                      at("2027-01-01T00:00:00Z"), &period),
                         PERIOD_OK);
        period_previous(&period, zone, at("2027-01-01T00:00:00Z"), &previous);
        assert_string_equal(utc(previous.from_s), cases[i].want_from);
        assert_string_equal(utc(previous.to_s), cases[i].want_to);
        zone_free(zone);
    }
}

static void test_compare(void **state)
{
    const struct {
        const char *name, *from, *to, *zone, *how, *want_from, *want_to; /* NULL: refused */
    } cases[] = {
        {"the days before", "2026-11-20", "2026-11-22", "UTC", "previous", "2026-11-17T00:00:00Z",
         "2026-11-20T00:00:00Z"},
        {"the same weekdays before, of three days", "2026-11-20", "2026-11-22", "UTC", "weekday",
         "2026-11-13T00:00:00Z", "2026-11-16T00:00:00Z"},
        {"of seven days", "2026-11-16", "2026-11-22", "UTC", "weekday", "2026-11-09T00:00:00Z",
         "2026-11-16T00:00:00Z"},
        {"of thirty, five weeks before", "30d", "2026-11-22T10:00:00Z", "UTC", "weekday",
         "2026-09-19T00:00:00Z", "2026-10-18T10:00:00Z"},
        {"of hours, a week before", "24h", "2026-11-22T10:00:00Z", "UTC", "weekday",
         "2026-11-14T10:00:00Z", "2026-11-15T10:00:00Z"},
        {"over the change of clocks", "2026-10-26", "2026-10-26", "Europe/Berlin", "weekday",
         "2026-10-18T22:00:00Z", "2026-10-19T22:00:00Z"},
        {"a year before", "2026-11-20", "2026-11-22", "UTC", "year", "2025-11-20T00:00:00Z",
         "2025-11-23T00:00:00Z"},
        {"a year before, that had a day more", "2025-01-01", "2025-01-31", "UTC", "year",
         "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"},
        {"a day that the year before has not", "2024-02-29", "2024-02-29", "UTC", "year",
         "2023-03-01T00:00:00Z", "2023-03-02T00:00:00Z"},
        {"52 weeks before", "2026-11-20", "2026-11-22", "UTC", "year_weekday",
         "2025-11-21T00:00:00Z", "2025-11-24T00:00:00Z"},
        {"from a date on", "2026-11-20", "2026-11-22", "Europe/Berlin", "2026-06-01",
         "2026-05-31T22:00:00Z", "2026-06-03T22:00:00Z"},
        {"from the day before on, both hold a day", "2026-11-20", "2026-11-22", "UTC", "2026-11-19",
         "2026-11-19T00:00:00Z", "2026-11-22T00:00:00Z"},
        {"from the same day on", "2026-11-20", "2026-11-22", "UTC", "2026-11-20", NULL, NULL},
        {"from a later day on", "2026-11-20", "2026-11-22", "UTC", "2026-12-01", NULL, NULL},
        {"from no date on", "2026-11-20", "2026-11-22", "UTC", "2026-02-30", NULL, NULL},
        {"no word for it", "2026-11-20", "2026-11-22", "UTC", "month", NULL, NULL},
        {"nothing", "2026-11-20", "2026-11-22", "UTC", "", NULL, NULL},
        {"before 1970 there is nothing", "1970-01-05", "1970-01-09", "UTC", "year",
         "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        struct period period, other = {.from_s = 7};
        bool taken;

        print_message("%s\n", cases[i].name);
        assert_int_equal(period_parse(slice_of(cases[i].from), slice_of(cases[i].to), zone,
                                      at("2027-01-01T00:00:00Z"), &period),
                         PERIOD_OK);
        taken = period_compare(&period, zone, at("2027-01-01T00:00:00Z"), slice_of(cases[i].how),
                               &other);
        assert_int_equal(taken, cases[i].want_from != NULL);
        if (taken) {
            assert_string_equal(utc(other.from_s), cases[i].want_from);
            assert_string_equal(utc(other.to_s), cases[i].want_to);
        } else {
            assert_int_equal(other.from_s, 7);
        }
        zone_free(zone);
    }
}

/* As of Sunday, the 22nd of November 2026, 10:20. */
static void test_compare_while_it_lasts(void **state)
{
    const struct {
        const char *name, *from, *to, *zone, *how, *want_from, *want_to;
    } cases[] = {
        {"today, given by its date", "2026-11-22", "2026-11-22", "UTC", "previous",
         "2026-11-21T00:00:00Z", "2026-11-21T11:00:00Z"},
        {"today in Berlin", "2026-11-22", "2026-11-22", "Europe/Berlin", "previous",
         "2026-11-20T23:00:00Z", "2026-11-21T11:00:00Z"},
        {"a span that ends with today", "7d", "2026-11-22", "UTC", "previous",
         "2026-11-09T00:00:00Z", "2026-11-15T11:00:00Z"},
        {"a week, from its Monday on", "2026-11-16", "2026-11-22", "UTC", "weekday",
         "2026-11-09T00:00:00Z", "2026-11-15T11:00:00Z"},
        {"a month that goes on", "2026-11-01", "2026-11-30", "UTC", "year", "2025-11-01T00:00:00Z",
         "2025-11-22T11:00:00Z"},
        {"the month before, up to the same place", "2026-11-01", "2026-11-30", "UTC", "previous",
         "2026-10-02T00:00:00Z", "2026-10-23T11:00:00Z"},
        {"from a date on", "2026-11-20", "2026-11-22", "UTC", "2026-11-01", "2026-11-01T00:00:00Z",
         "2026-11-03T11:00:00Z"},
        {"hours, by times", "2026-11-22T06:00:00Z", "2026-11-22T12:00:00Z", "UTC", "previous",
         "2026-11-22T00:00:00Z", "2026-11-22T05:00:00Z"},
        {"up to the hour that isn't over", "2026-11-22", "2026-11-22T11:00:00Z", "UTC", "previous",
         "2026-11-21T00:00:00Z", "2026-11-21T11:00:00Z"},
        {"of which nothing has happened", "2026-11-25", "2026-11-26", "UTC", "previous",
         "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        int64_t now_s = at("2026-11-22T10:20:00Z");
        struct period period, other;

        print_message("%s\n", cases[i].name);
        assert_int_equal(
            period_parse(slice_of(cases[i].from), slice_of(cases[i].to), zone, now_s, &period),
            PERIOD_OK);
        assert_true(period_compare(&period, zone, now_s, slice_of(cases[i].how), &other));
        assert_string_equal(utc(other.from_s), cases[i].want_from);
        assert_string_equal(utc(other.to_s), cases[i].want_to);
        zone_free(zone);
    }
}

static void test_buckets(void **state)
{
    const struct {
        const char *name, *from, *to, *zone;
        enum period_interval interval;
        size_t n;
        const char *first, *second, *last;
        int64_t second_hours; /* length of the second bucket */
    } cases[] = {
        {"hours of a day", "2026-11-22", "2026-11-22", "UTC", PERIOD_HOUR, 24,
         "2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z", "2026-11-22T23:00:00Z", 1},
        {"hours of the day of 25", "2026-10-25", "2026-10-25", "Europe/Berlin", PERIOD_HOUR, 25,
         "2026-10-25T00:00:00+02:00", "2026-10-25T01:00:00+02:00", "2026-10-25T23:00:00+01:00", 1},
        {"days of a month", "2026-11-01", "2026-11-30", "UTC", PERIOD_DAY, 30, "2026-11-01",
         "2026-11-02", "2026-11-30", 24},
        {"days around the one of 25 hours", "2026-10-24", "2026-10-26", "Europe/Berlin", PERIOD_DAY,
         3, "2026-10-24", "2026-10-25", "2026-10-26", 25},
        {"days around the one of 23 hours", "2026-03-28", "2026-03-30", "Europe/Berlin", PERIOD_DAY,
         3, "2026-03-28", "2026-03-29", "2026-03-30", 23},
        {"a midnight that is skipped", "2018-11-03", "2018-11-05", "America/Sao_Paulo", PERIOD_DAY,
         3, "2018-11-03", "2018-11-04", "2018-11-05", 23},
        {"a day that is skipped", "2011-12-28", "2011-12-31", "Pacific/Apia", PERIOD_DAY, 3,
         "2011-12-28", "2011-12-29", "2011-12-31", 24},
        {"days off the hour", "2026-11-01", "2026-11-03", "Asia/Kolkata", PERIOD_DAY, 3,
         "2026-11-01", "2026-11-02", "2026-11-03", 24},
        {"months of a leap year", "2024-01-01", "2024-12-31", "UTC", PERIOD_MONTH, 12, "2024-01",
         "2024-02", "2024-12", 29 * 24},
        {"months in Berlin, March is an hour short", "2026-02-10", "2026-04-10", "Europe/Berlin",
         PERIOD_MONTH, 3, "2026-02", "2026-03", "2026-04", 31 * 24 - 1},
        {"parts of two days", "2026-11-22T23:00:00Z", "2026-11-23T01:00:00Z", "UTC", PERIOD_DAY, 2,
         "2026-11-22", "2026-11-23", "2026-11-23", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(cases[i].zone);
        char key[PERIOD_KEY_MAX];
        struct period period;
        struct buckets b;

        print_message("%s\n", cases[i].name);
        assert_int_equal(period_parse(slice_of(cases[i].from), slice_of(cases[i].to), zone,
                                      at("2027-01-01T00:00:00Z"), &period),
                         PERIOD_OK);
        assert_true(buckets_init(&b, &period, cases[i].interval, zone));
        assert_int_equal(b.n, cases[i].n);
        assert_string_equal(buckets_key(&b, 0, zone, key), cases[i].first);
        assert_string_equal(buckets_key(&b, 1, zone, key), cases[i].second);
        assert_string_equal(buckets_key(&b, b.n - 1, zone, key), cases[i].last);
        assert_int_equal(b.start_s[2] - b.start_s[1], cases[i].second_hours * 3600);
        assert_int_equal(b.start_s[b.n], period.to_s);
        for (size_t j = 0; j < b.n; j++) {
            assert_true(b.start_s[j] < b.start_s[j + 1]);
            assert_int_equal(buckets_find(&b, b.start_s[j]), j);
            assert_int_equal(buckets_find(&b, b.start_s[j + 1] - 1), j);
        }
        buckets_clear(&b);
        zone_free(zone);
    }
}

static void test_buckets_limit(void **state)
{
    struct zone *zone = zone_of("UTC");
    struct period period = {.from_s = 3600 * 1000, .to_s = 3600 * (1000 + PERIOD_BUCKETS_MAX)};
    struct buckets b;

    (void)state;
    assert_true(buckets_init(&b, &period, PERIOD_HOUR, zone));
    assert_int_equal(b.n, PERIOD_BUCKETS_MAX);
    buckets_clear(&b);
    period.to_s += 3600;
    assert_false(buckets_init(&b, &period, PERIOD_HOUR, zone));
    buckets_clear(&b);
    assert_true(buckets_init(&b, &period, PERIOD_DAY, zone));
    buckets_clear(&b);
    zone_free(zone);
}

static void test_intervals(void **state)
{
    struct period period = {.from_s = 0, .to_s = 2 * 86400};

    (void)state;
    assert_int_equal(period_default_interval(&period), PERIOD_HOUR);
    period.to_s = 2 * 86400 + 3600;
    assert_int_equal(period_default_interval(&period), PERIOD_DAY);
    period.to_s = 366 * 86400;
    assert_int_equal(period_default_interval(&period), PERIOD_DAY);
    period.to_s = 366 * 86400 + 3600;
    assert_int_equal(period_default_interval(&period), PERIOD_MONTH);
    assert_int_equal(period_interval_find(slice_of("month")), PERIOD_MONTH);
    assert_int_equal(period_interval_find(slice_of("mont")), -1);
    assert_string_equal(period_interval_name(PERIOD_DAY), "day");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone_names), cmocka_unit_test(test_local_to_utc),
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_previous),
        cmocka_unit_test(test_compare),    cmocka_unit_test(test_compare_while_it_lasts),
        cmocka_unit_test(test_buckets),    cmocka_unit_test(test_buckets_limit),
        cmocka_unit_test(test_intervals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
