/* Unit tests for reports/report_when.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/rfc3339.h"
#include "service/base/zone.h"
#include "service/reports/report_when.h"

static int64_t seconds(const char *text)
{
    int64_t time_s = 0;

    assert_true(rfc3339_parse(slice_of(text), &time_s));
    return time_s;
}

static void test_the_last_week_or_month(void **state)
{
    const struct {
        const char *name;
        enum report_every every;
        const char *zone, *now, *first, *last, *due, *before, *after;
    } cases[] = {
        {"a second after the week", REPORT_WEEK, "UTC", "2026-11-23T00:00:00Z", "2026-11-16",
         "2026-11-22", "2026-11-23T07:00:00Z", "2026-11-09", "2026-11-23"},
        {"a second before its end", REPORT_WEEK, "UTC", "2026-11-22T23:59:59Z", "2026-11-09",
         "2026-11-15", "2026-11-16T07:00:00Z", "2026-11-02", "2026-11-16"},
        {"Monday comes earlier in the east", REPORT_WEEK, "Pacific/Auckland",
         "2026-11-22T11:00:00Z", "2026-11-16", "2026-11-22", "2026-11-22T18:00:00Z", "2026-11-09",
         "2026-11-23"},
        {"and later in the west", REPORT_WEEK, "America/New_York", "2026-11-23T04:59:59Z",
         "2026-11-09", "2026-11-15", "2026-11-16T12:00:00Z", "2026-11-02", "2026-11-16"},
        {"over the end of summer time", REPORT_WEEK, "Europe/Berlin", "2026-10-26T09:00:00Z",
         "2026-10-19", "2026-10-25", "2026-10-26T06:00:00Z", "2026-10-12", "2026-10-26"},
        {"a year begins in it", REPORT_WEEK, "UTC", "2026-01-05T00:00:00Z", "2025-12-29",
         "2026-01-04", "2026-01-05T07:00:00Z", "2025-12-22", "2026-01-05"},
        {"a month", REPORT_MONTH, "UTC", "2026-11-28T12:00:00Z", "2026-10-01", "2026-10-31",
         "2026-11-01T07:00:00Z", "2026-09-01", "2026-11-01"},
        {"the first of January", REPORT_MONTH, "UTC", "2026-01-01T00:00:00Z", "2025-12-01",
         "2025-12-31", "2026-01-01T07:00:00Z", "2025-11-01", "2026-01-01"},
        {"a leap year's February", REPORT_MONTH, "Europe/Berlin", "2028-03-01T00:00:00Z",
         "2028-02-01", "2028-02-29", "2028-03-01T06:00:00Z", "2028-01-01", "2028-03-01"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_load(slice_of(cases[i].zone));
        struct report_period period, other;

        print_message("%s\n", cases[i].name);
        assert_non_null(zone);
        report_period_last(cases[i].every, zone, seconds(cases[i].now), &period);
        assert_string_equal(period.first, cases[i].first);
        assert_string_equal(period.last, cases[i].last);
        assert_int_equal(report_due_s(&period, zone, 7), seconds(cases[i].due));
        report_period_before(&period, zone, &other);
        assert_string_equal(other.first, cases[i].before);
        report_period_after(&period, zone, &other);
        assert_string_equal(other.first, cases[i].after);
        report_period_before(&other, zone, &other);
        assert_string_equal(other.last, cases[i].last);
        assert_int_equal(other.end_s, period.end_s);
        zone_free(zone);
    }
}

static void test_periods_by_name(void **state)
{
    const struct {
        const char *text, *first, *last, *wrong;
    } cases[] = {
        {"last-week", "2026-11-16", "2026-11-22", NULL},
        {"last-month", "2026-10-01", "2026-10-31", NULL},
        {"2026-W01", "2025-12-29", "2026-01-04", NULL},
        {"2026-W47", "2026-11-16", "2026-11-22", NULL},
        {"2020-W53", "2020-12-28", "2021-01-03", NULL},
        {"2026-02", "2026-02-01", "2026-02-28", NULL},
        {"2026-W48", NULL, NULL, "is not over yet"},
        {"2026-11", NULL, NULL, "is not over yet"},
        {"2025-W53", NULL, NULL, "that year has no week 53"},
        {"2026-W54", NULL, NULL,
         "is last-week, last-month, a week as 2026-W47 or a month as 2026-10"},
        {"2026-13", NULL, NULL,
         "is last-week, last-month, a week as 2026-W47 or a month as 2026-10"},
        {"2026-00", NULL, NULL,
         "is last-week, last-month, a week as 2026-W47 or a month as 2026-10"},
        {"", NULL, NULL, "is last-week, last-month, a week as 2026-W47 or a month as 2026-10"},
    };
    struct zone *zone = zone_load(slice_of("UTC"));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct report_period period;
        const char *wrong = report_period_parse(slice_of(cases[i].text), zone,
                                                seconds("2026-11-28T12:00:00Z"), &period);

        print_message("'%s'\n", cases[i].text);
        if (cases[i].wrong) {
            assert_string_equal(wrong, cases[i].wrong);
            continue;
        }
        assert_null(wrong);
        assert_string_equal(period.first, cases[i].first);
        assert_string_equal(period.last, cases[i].last);
    }
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_week_or_month),
        cmocka_unit_test(test_periods_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
