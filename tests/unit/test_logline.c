#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/logline.h"

static void test_to_json(void **state)
{
    const struct {
        const char *name, *line, *want;
    } cases[] = {
        {"nothing", "", "{}"},
        {"texts and numbers", "level=warn n=3 share=-0.5 at=redis.down",
         "{\"level\":\"warn\",\"n\":3,\"share\":-0.5,\"at\":\"redis.down\"}"},
        {"what is no number of JSON is a text", "a=007 b=1. c=.5 d=1e3 e=- f=+1 g=1.2.3",
         "{\"a\":\"007\",\"b\":\"1.\",\"c\":\".5\",\"d\":\"1e3\",\"e\":\"-\",\"f\":\"+1\",\"g\":"
         "\"1."
         "2.3\"}"},
        {"an id of 16 digits stays a text", "link=1234567890123456 n=123456789012345",
         "{\"link\":\"1234567890123456\",\"n\":123456789012345}"},
        {"truths", "ok=true bad=false odd=\"true\"",
         "{\"ok\":true,\"bad\":false,\"odd\":\"true\"}"},
        {"a number in quotes is a text", "file=\"12\"", "{\"file\":\"12\"}"},
        {"quotes, backslashes and blanks in quotes", "err=\"a \\\"b\\\" \\\\ c\" n=1",
         "{\"err\":\"a \\\"b\\\" \\\\ c\",\"n\":1}"},
        {"control bytes", "err=\"a\\x01b\\x7fc\"", "{\"err\":\"a\\u0001b\\u007fc\"}"},
        {"a lone backslash", "err=\"a\\qb\" path=c\\d",
         "{\"err\":\"a\\\\qb\",\"path\":\"c\\\\d\"}"},
        {"quotes that do not end", "err=\"abc", "{\"err\":\"abc\"}"},
        {"a backslash at the end", "err=\"abc\\", "{\"err\":\"abc\\\\\"}"},
        {"an empty value", "a= b=\"\"", "{\"a\":\"\",\"b\":\"\"}"},
        {"words without a value are left out", "hello a=1 world =x", "{\"a\":1}"},
        {"UTF-8 stays", "name=\"M\xc3\xbcller\"", "{\"name\":\"M\xc3\xbcller\"}"},
        {"no UTF-8", "a=\"\xff\xc3\" b=\xed\xa0\x80",
         "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"b\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[512];
        size_t len = logline_to_json(slice_of(cases[i].line), out, sizeof(out));

        print_message("%s\n", cases[i].name);
        assert_string_equal(out, cases[i].want);
        assert_int_equal(len, strlen(out));
    }
}

/* Whatever the room, what comes out is whole. */
static void test_room(void **state)
{
    static const char line[] = "a=1 err=\"\\x01\xff\" b=2";
    static const char *const wants[] = {"{}", "{\"a\":1}",
                                        "{\"a\":1,\"err\":\"\\u0001\xef\xbf\xbd\"}",
                                        "{\"a\":1,\"err\":\"\\u0001\xef\xbf\xbd\",\"b\":2}"};

    (void)state;
    for (size_t max = 3; max <= LOGLINE_JSON_MAX(sizeof(line) - 1); max++) {
        char out[LOGLINE_JSON_MAX(sizeof(line) - 1)];
        size_t len = logline_to_json(slice_of(line), out, max), best = 0;

        assert_true(len < max);
        for (size_t i = 0; i < 4; i++) {
            if (strlen(wants[i]) < max)
                best = i;
        }
        assert_string_equal(out, wants[best]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_to_json), cmocka_unit_test(test_room)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
