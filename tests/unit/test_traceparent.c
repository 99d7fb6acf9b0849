#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void test_parse(void **state)
{
    const struct {
        const char *name, *text;
        bool want, is_sampled;
    } cases[] = {
        {"sampled", "00-" TRACE "-" SPAN "-01", true, true},
        {"not sampled", "00-" TRACE "-" SPAN "-00", true, false},
        {"other flags are passed over", "00-" TRACE "-" SPAN "-fe", true, false},
        {"a later version", "01-" TRACE "-" SPAN "-01", true, true},
        {"a later version that says more", "cc-" TRACE "-" SPAN "-01-what", true, true},
        {"a later version with a longer field", "cc-" TRACE "-" SPAN "-01a", false, false},
        {"version 0 says no more", "00-" TRACE "-" SPAN "-01-what", false, false},
        {"version ff is none", "ff-" TRACE "-" SPAN "-01", false, false},
        {"a version that is no hex", "0x-" TRACE "-" SPAN "-01", false, false},
        {"a trace of zeros", "00-00000000000000000000000000000000-" SPAN "-01", false, false},
        {"a span of zeros", "00-" TRACE "-0000000000000000-01", false, false},
        {"upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false},
        {"a quote in the span", "00-" TRACE "-00f067aa0ba902\"7-01", false, false},
        {"flags that are no hex", "00-" TRACE "-" SPAN "-0g", false, false},
        {"one byte short", "00-" TRACE "-" SPAN "-0", false, false},
        {"another separator", "00_" TRACE "-" SPAN "-01", false, false},
        {"nothing", "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traceparent out = {.trace = "as before"};

        print_message("%s\n", cases[i].name);
        assert_int_equal(traceparent_parse(slice_of(cases[i].text), &out), cases[i].want);
        assert_string_equal(out.trace, cases[i].want ? TRACE : "as before");
        if (cases[i].want) {
            assert_string_equal(out.span, SPAN);
            assert_int_equal(out.is_sampled, cases[i].is_sampled);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
