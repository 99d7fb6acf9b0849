#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/query.h"

/* Writes the parameters as `name=value;…`, so that a table can hold what is wanted. */
static void flatten(const struct query *query, char *out, size_t out_len)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < query->n_params; i++)
        n += (size_t)snprintf(out + n, out_len - n, "%.*s=%.*s;", SLICE_ARG(query->params[i].name),
                              SLICE_ARG(query->params[i].value));
}

static void test_parse(void **state)
{
    const struct {
        const char *name, *text;
        enum query_status want;
        const char *params, *bad;
    } cases[] = {
        {"nothing", "", QUERY_OK, "", ""},
        {"one parameter", "brand=acme", QUERY_OK, "brand=acme;", ""},
        {"order is kept", "b=2&a=1", QUERY_OK, "b=2;a=1;", ""},
        {"a name alone is an empty value", "a", QUERY_OK, "a=;", ""},
        {"an empty value", "a=", QUERY_OK, "a=;", ""},
        {"further equals signs belong to the value", "a=b=c", QUERY_OK, "a=b=c;", ""},
        {"empty parts are skipped", "&a=1&&b=2&", QUERY_OK, "a=1;b=2;", ""},
        {"plus is a blank", "a=b+c", QUERY_OK, "a=b c;", ""},
        {"escapes of either case", "a=%2b%2B", QUERY_OK, "a=++;", ""},
        {"an escaped name", "%61=1", QUERY_OK, "a=1;", ""},
        {"an escaped ampersand does not split", "a=1%262", QUERY_OK, "a=1&2;", ""},
        {"UTF-8 of two, three and four bytes", "a=%c3%bc%e2%82%ac%f0%9f%98%80", QUERY_OK,
         "a=\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80;", ""},
        {"half an escape at the end", "a=%2", QUERY_BAD_TEXT, "", "a"},
        {"an escape that is no hex", "a=%zz", QUERY_BAD_TEXT, "", "a"},
        {"a lone percent sign in the name", "%=1", QUERY_BAD_TEXT, "", ""},
        {"a NUL", "a=%00", QUERY_BAD_TEXT, "", "a"},
        {"a line feed", "a=%0a", QUERY_BAD_TEXT, "", "a"},
        {"DEL", "a=%7f", QUERY_BAD_TEXT, "", "a"},
        {"a C1 control character", "a=%c2%85", QUERY_BAD_TEXT, "", "a"},
        {"a lone continuation byte", "a=%80", QUERY_BAD_TEXT, "", "a"},
        {"an overlong slash", "a=%c0%af", QUERY_BAD_TEXT, "", "a"},
        {"an overlong sequence of three", "a=%e0%80%af", QUERY_BAD_TEXT, "", "a"},
        {"a surrogate", "a=%ed%a0%80", QUERY_BAD_TEXT, "", "a"},
        {"past the last code point", "a=%f4%90%80%80", QUERY_BAD_TEXT, "", "a"},
        {"a sequence cut by the end", "a=%e2%82", QUERY_BAD_TEXT, "", "a"},
        {"a value without a name", "=1", QUERY_NO_NAME, "", ""},
        {"a name given twice", "a=1&b=2&a=3", QUERY_TWICE, "", "a"},
        {"a name given twice, once escaped", "a=1&%61=3", QUERY_TWICE, "", "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct query query;
        struct slice bad;
        char text[256];

        print_message("%s\n", cases[i].name);
        assert_int_equal(query_parse(slice_of(cases[i].text), &query, &bad), cases[i].want);
        flatten(&query, text, sizeof(text));
        assert_string_equal(text, cases[i].params);
        assert_true(slice_equal(bad, slice_of(cases[i].bad)));
    }
}

static void test_limits(void **state)
{
    char text[QUERY_TEXT_MAX + 1];
    struct query query;
    struct slice bad;
    size_t n = 0;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(query_parse(slice_make(text, QUERY_TEXT_MAX), &query, &bad), QUERY_OK);
    assert_int_equal(query.params[0].name.len, QUERY_TEXT_MAX);
    assert_int_equal(query_parse(slice_make(text, QUERY_TEXT_MAX + 1), &query, &bad),
                     QUERY_TOO_LONG);
    for (int i = 0; i < QUERY_PARAMS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "p%d=1&", i);
    assert_int_equal(query_parse(slice_make(text, n), &query, &bad), QUERY_OK);
    assert_int_equal(query.n_params, QUERY_PARAMS_MAX);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "one=more");
    assert_int_equal(query_parse(slice_make(text, n), &query, &bad), QUERY_TOO_MANY);
    assert_int_equal(query.n_params, 0);
}

static void test_find(void **state)
{
    struct query query;
    struct slice bad;

    (void)state;
    assert_int_equal(query_parse(slice_of("brand=acme&tz="), &query, &bad), QUERY_OK);
    assert_true(slice_equal(query_find(&query, "brand"), slice_of("acme")));
    assert_non_null(query_find(&query, "tz").ptr);
    assert_int_equal(query_find(&query, "tz").len, 0);
    assert_null(query_find(&query, "bran").ptr);
    assert_null(query_find(&query, "brands").ptr);
}

static void test_decode(void **state)
{
    char out[8];
    size_t len = 99;

    (void)state;
    assert_true(query_decode(slice_of("a%2Fb+c"), out, sizeof(out), &len));
    assert_true(slice_equal(slice_make(out, len), slice_of("a/b+c")));
    assert_true(query_decode(slice_of("12345678"), out, sizeof(out), &len));
    assert_int_equal(len, 8);
    assert_false(query_decode(slice_of("123456789"), out, sizeof(out), &len));
    assert_false(query_decode(slice_of("%0d"), out, sizeof(out), &len));
    assert_int_equal(len, 8);
}

static void test_clean_text(void **state)
{
    const struct {
        const char *name, *text;
        bool want;
    } cases[] = {
        {"nothing", "", true},
        {"letters of any script", "Erste Mahnung \xe2\x80\x93 \xe4\xb8\xad \xf0\x9f\x98\x80", true},
        {"HTML, which is only text", "<b>&amp;", true},
        {"a line feed", "a\nb", false},
        {"DEL", "a\x7f", false},
        {"the last of C1", "\xc2\x9f", false},
        {"the first behind C1", "\xc2\xa0", true},
        {"the last before the line separator", "\xe2\x80\xa7", true},
        {"the line separator", "\xe2\x80\xa8", false},
        {"a mark that turns the direction",
         "invoice\xe2\x80\xae"
         "fdp",
         false},
        {"the first behind them", "\xe2\x80\xaf", true},
        {"an isolate", "\xe2\x81\xa6", false},
        {"the first behind the isolates", "\xe2\x81\xaa", true},
        {"a byte order mark", "\xef\xbb\xbf", false},
        {"a byte that is no UTF-8", "\xff", false},
        {"a surrogate", "\xed\xa0\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(query_is_clean_text(slice_of(cases[i].text)), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_find),       cmocka_unit_test(test_decode),
        cmocka_unit_test(test_clean_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
