/* What is kept of a page that was looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/checks/check_record.h"
#include "service/checks/places.h"
#include "service/checks/probe.h"

enum { FAILURES_MAX = 3 };

static struct probe probe_of(enum probe_verdict verdict, const char *why)
{
    struct probe probe = {.verdict = verdict, .n_hops = 2, .time_ms = 12};

    probe.hops[0] = (struct probe_hop){.url = "https://go.example/s3cret", .status = 302};
    probe.hops[1] = (struct probe_hop){.url = "https://billing.example/?t=s3cret", .status = 200};
    strcpy(probe.why, why);
    return probe;
}

static void a_page_is_down_after_failures_in_a_row_and_later_says_nothing(void **state)
{
    const struct {
        const char *name;
        enum probe_verdict verdict;
        const char *state;
        int64_t failures, since;
    } steps[] = {
        {"a first failure says nothing yet", PROBE_DOWN, "unknown", 1, 1},
        {"nor does a second", PROBE_DOWN, "unknown", 2, 1},
        {"429 is no failure, and mends none", PROBE_LATER, "unknown", 2, 1},
        {"the third is one too many", PROBE_DOWN, "down", 3, 4},
        {"it stays down, since then", PROBE_DOWN, "down", 4, 4},
        {"503 does not raise it", PROBE_LATER, "down", 4, 4},
        {"one good answer does", PROBE_UP, "up", 0, 7},
        {"a failure alone doesn't bring it down", PROBE_DOWN, "up", 1, 7},
        {"a good one begins anew", PROBE_UP, "up", 0, 7},
    };
    json_t *record = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct probe probe = probe_of(steps[i].verdict, "");
        json_t *next = check_record_new(&probe, "s3cret", (int64_t)i + 1, record, FAILURES_MAX),
               *read;
        char *text;

        print_message("%s\n", steps[i].name);
        json_decref(record);
        record = next;
        assert_string_equal(check_record_text(record, "state"), steps[i].state);
        assert_int_equal(check_record_number(record, "failures"), steps[i].failures);
        assert_int_equal(check_record_number(record, "since"), steps[i].since);
        text = json_dumps(record, JSON_COMPACT);
        read = check_record_read(text, strlen(text));
        assert_true(json_equal(record, read)); /* what is written can be read */
        assert_null(strstr(text, "s3cret"));
        assert_non_null(strstr(text, "https://billing.example/?t=\xe2\x80\xa6"));
        json_decref(read);
        free(text);
    }
    json_decref(record);
}

static void what_is_no_record_is_not_read(void **state)
{
#define REST "\"since\":1,\"failures\":0,\"time_ms\":1,\"redirects\":[]"
    const struct {
        const char *name, *text;
        bool is_record;
    } cases[] = {
        {"a record", "{\"at\":1,\"verdict\":\"up\",\"state\":\"up\"," REST "}", true},
        {"nothing", "", false},
        {"half of one", "{\"at\":1,\"verdict\":\"up\"", false},
        {"a list", "[]", false},
        {"without a time", "{\"verdict\":\"up\",\"state\":\"up\"," REST "}", false},
        {"a time in words", "{\"at\":\"1\",\"verdict\":\"up\",\"state\":\"up\"," REST "}", false},
        {"another verdict", "{\"at\":1,\"verdict\":\"fine\",\"state\":\"up\"," REST "}", false},
        {"a state that is no text", "{\"at\":1,\"verdict\":\"up\",\"state\":1," REST "}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *record = check_record_read(cases[i].text, strlen(cases[i].text));

        print_message("%s\n", cases[i].name);
        assert_int_equal(record != NULL, cases[i].is_record);
        json_decref(record);
    }
}

static void days_of_a_certificate_are_whole_ones(void **state)
{
    enum { DAY_S = 86400, NOW_S = 1795611723 };
    const struct {
        const char *name;
        int64_t left_s, days;
    } cases[] = {
        {"a second less than a day", DAY_S - 1, 0},
        {"a day", DAY_S, 1},
        {"this second", 0, 0},
        {"a second ago", -1, -1},
        {"a day ago", -DAY_S, -1},
        {"a second more", -DAY_S - 1, -2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(probe_days_left(NOW_S + cases[i].left_s, NOW_S), cases[i].days);
    }
}

static void a_secret_is_left_out_of_an_address(void **state)
{
    const struct {
        const char *name, *url, *secret;
        size_t size;
        const char *shown;
    } cases[] = {
        {"at the end", "https://go.example/abc", "abc", 64, "https://go.example/\xe2\x80\xa6"},
        {"within", "https://x.example/abc/d", "abc", 64, "https://x.example/\xe2\x80\xa6/d"},
        {"not in it", "https://x.example/", "abc", 64, "https://x.example/"},
        {"there is none", "https://x.example/", "", 64, "https://x.example/"},
        {"cut", "https://x.example/", "", 9, "https://"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];

        print_message("%s\n", cases[i].name);
        place_hide(cases[i].url, cases[i].secret, out, cases[i].size);
        assert_string_equal(out, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_down_after_failures_in_a_row_and_later_says_nothing),
        cmocka_unit_test(what_is_no_record_is_not_read),
        cmocka_unit_test(days_of_a_certificate_are_whole_ones),
        cmocka_unit_test(a_secret_is_left_out_of_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
