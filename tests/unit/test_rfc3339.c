#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "proto/rfc3339.h"

static void test_parse(void **state)
{
    const struct {
        const char *name, *text;
        bool ok;
        int64_t want;
    } cases[] = {
        {"the first second", "1970-01-01T00:00:00Z", true, 0},
        {"a second before the first", "1969-12-31T23:59:59Z", false, 0},
        {"the last second", "9999-12-31T23:59:59Z", true, RFC3339_MAX_S},
        {"the last second, west of Greenwich", "9999-12-31T23:59:59-00:01", false, 0},
        {"noon", "2026-11-22T12:00:00Z", true, 1795348800},
        {"an hour east", "2026-11-22T13:00:00+01:00", true, 1795348800},
        {"half an hour west", "2026-11-22T11:30:00-00:30", true, 1795348800},
        {"an offset before the first second", "1970-01-01T00:00:00+01:00", false, 0},
        {"a fraction is cut off", "2026-11-22T12:00:00.999Z", true, 1795348800},
        {"lower case", "2026-11-22t12:00:00z", true, 1795348800},
        {"a blank for the T", "2026-11-22 12:00:00Z", true, 1795348800},
        {"a leap day", "2024-02-29T00:00:00Z", true, 1709164800},
        {"no leap day in 2026", "2026-02-29T00:00:00Z", false, 0},
        {"no leap day in 2100", "2100-02-29T00:00:00Z", false, 0},
        {"a leap day in 2000", "2000-02-29T00:00:00Z", true, 951782400},
        {"month 0", "2026-00-22T12:00:00Z", false, 0},
        {"month 13", "2026-13-22T12:00:00Z", false, 0},
        {"day 0", "2026-11-00T12:00:00Z", false, 0},
        {"day 31 of November", "2026-11-31T12:00:00Z", false, 0},
        {"hour 24", "2026-11-22T24:00:00Z", false, 0},
        {"minute 60", "2026-11-22T12:60:00Z", false, 0},
        {"a leap second", "2026-11-22T12:00:60Z", false, 0},
        {"no offset", "2026-11-22T12:00:00", false, 0},
        {"an empty fraction", "2026-11-22T12:00:00.Z", false, 0},
        {"an offset of 24 hours", "2026-11-22T12:00:00+24:00", false, 0},
        {"an offset without a colon", "2026-11-22T12:00:00+0100", false, 0},
        {"text behind", "2026-11-22T12:00:00Zx", false, 0},
        {"a date only", "2026-11-22", false, 0},
        {"one digit for the month", "2026-1-22T12:00:00Z", false, 0},
        {"a sign in the year", "+026-11-22T12:00:00Z", false, 0},
        {"nothing", "", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t out = -7;

        print_message("%s\n", cases[i].name);
        assert_int_equal(rfc3339_parse(slice_of(cases[i].text), &out), cases[i].ok);
        assert_int_equal(out, cases[i].ok ? cases[i].want : -7);
    }
}

static void test_parse_date(void **state)
{
    struct civil civil = {.year = 7};

    (void)state;
    assert_false(rfc3339_parse_date(slice_of("2026-02-30"), &civil));
    assert_false(rfc3339_parse_date(slice_of("2026-02-3"), &civil));
    assert_false(rfc3339_parse_date(slice_of("2026-02-033"), &civil));
    assert_int_equal(civil.year, 7);
    assert_true(rfc3339_parse_date(slice_of("2026-02-28"), &civil));
    assert_int_equal(civil.year, 2026);
    assert_int_equal(civil.month, 2);
    assert_int_equal(civil.day, 28);
    assert_int_equal(civil.hour, 0);
}

static void test_format(void **state)
{
    char text[RFC3339_TEXT_MAX];

    (void)state;
    assert_string_equal(rfc3339_format(1795348800, 0, text), "2026-11-22T12:00:00Z");
    assert_string_equal(rfc3339_format(1795348800, 3600, text), "2026-11-22T13:00:00+01:00");
    assert_string_equal(rfc3339_format(1795348800, -12600, text), "2026-11-22T08:30:00-03:30");
    assert_string_equal(rfc3339_format(0, -3600, text), "1969-12-31T23:00:00-01:00");
    assert_string_equal(rfc3339_format(RFC3339_MAX_S, 0, text), "9999-12-31T23:59:59Z");
}

/* The C library knows the calendar too. */
static void test_calendar(void **state)
{
    (void)state;
    for (int64_t s = -86400; s < RFC3339_MAX_S - 86400 * 32; s += 86400 * 13 + 4567) {
        struct civil civil, next;
        time_t t = (time_t)s;
        struct tm tm;

        gmtime_r(&t, &tm);
        civil_from_s(s, &civil);
        assert_int_equal(civil.year, tm.tm_year + 1900);
        assert_int_equal(civil.month, tm.tm_mon + 1);
        assert_int_equal(civil.day, tm.tm_mday);
        assert_int_equal(civil.hour, tm.tm_hour);
        assert_int_equal(civil.minute, tm.tm_min);
        assert_int_equal(civil.second, tm.tm_sec);
        assert_int_equal(civil_to_s(&civil), s);
        next = civil;
        next.day++;
        assert_int_equal(civil_to_s(&next), s + 86400);
        next = civil;
        next.month++;
        assert_int_equal(civil_to_s(&next),
                         s + 86400 * (int64_t)civil_days_in_month(civil.year, civil.month));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_date),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_calendar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
