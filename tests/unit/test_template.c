#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/template.h"
#include "proto/token.h"

#define HOST "https://b.example"

static void test_compile(void **state)
{
    const struct {
        const char *name, *text;
        bool utm;
        enum template_status want;
        size_t position; /* of what is wrong */
    } cases[] = {
        {"a plain URL", HOST "/", false, TEMPLATE_OK, 0},
        {"no path", HOST, false, TEMPLATE_OK, 0},
        {"http, and capitals in the scheme", "HTTP://b.example/", false, TEMPLATE_OK, 0},
        {"a port", HOST ":65535/", false, TEMPLATE_OK, 0},
        {"the least port", HOST ":1", false, TEMPLATE_OK, 0},
        {"an IPv6 host with a port", "http://[2001:db8::1]:8080/x", false, TEMPLATE_OK, 0},
        {"a query right after the host", HOST "?id={object}", false, TEMPLATE_OK, 0},
        {"a fragment right after the host", HOST "#{object}", false, TEMPLATE_OK, 0},
        {"every value", HOST "/{object}{client}{arg}{campaign}{variant}{channel}{token}", false,
         TEMPLATE_OK, 0},
        {"brackets in the query", HOST "/?a[]={object}", false, TEMPLATE_OK, 0},
        {"a percent escape", HOST "/%7Bx%7d", false, TEMPLATE_OK, 0},
        {"a question mark in the query", HOST "/?a?b", false, TEMPLATE_OK, 0},
        {"nothing", "", false, TEMPLATE_BAD_LENGTH, 0},
        {"another scheme", "ftp://b.example/", false, TEMPLATE_BAD_SCHEME, 0},
        {"a script", "javascript:alert(1)", false, TEMPLATE_BAD_SCHEME, 0},
        {"no scheme", "//b.example/", false, TEMPLATE_BAD_SCHEME, 0},
        {"a path alone", "/x", false, TEMPLATE_BAD_SCHEME, 0},
        {"one slash", "https:/b.example", false, TEMPLATE_BAD_SCHEME, 0},
        {"a value as scheme", "{arg}://b.example/", false, TEMPLATE_BAD_SCHEME, 0},
        {"a blank in front", " https://b.example/", false, TEMPLATE_BAD_SCHEME, 0},
        {"no host", "https:///x", false, TEMPLATE_BAD_HOST, 8},
        {"no host but a port", "https://:80/", false, TEMPLATE_BAD_HOST, 8},
        {"a user name", "https://a@b.example/", false, TEMPLATE_BAD_HOST, 9},
        {"a user name and a password", "https://a:1@b.example/", false, TEMPLATE_BAD_HOST, 11},
        {"a backslash ends no host", "https://b.example\\@evil.example/", false, TEMPLATE_BAD_HOST,
         17},
        {"two dots in the host", "https://b..example/", false, TEMPLATE_BAD_HOST, 10},
        {"a host in another script", "https://b\xc3\xbc.example/", false, TEMPLATE_BAD_HOST, 9},
        {"a percent escape in the host", "https://b%2eexample/", false, TEMPLATE_BAD_HOST, 9},
        {"an open bracket", "https://[::1/", false, TEMPLATE_BAD_HOST, 12},
        {"an empty bracket", "https://[]/", false, TEMPLATE_BAD_HOST, 9},
        {"letters after a bracket", "https://[::1]x/", false, TEMPLATE_BAD_HOST, 13},
        {"an empty port", HOST ":/", false, TEMPLATE_BAD_PORT, 18},
        {"port 0", HOST ":0/", false, TEMPLATE_BAD_PORT, 19},
        {"a port over 65535", HOST ":65536/", false, TEMPLATE_BAD_PORT, 22},
        {"letters as port", HOST ":http/", false, TEMPLATE_BAD_PORT, 18},
        {"a value as host", "https://{arg}/", false, TEMPLATE_VALUE_IN_HOST, 8},
        {"a value behind the host", HOST "{arg}/", false, TEMPLATE_VALUE_IN_HOST, 17},
        {"a value as port", HOST ":{object}/", false, TEMPLATE_VALUE_IN_HOST, 18},
        {"a value behind the port", HOST ":80{object}/", false, TEMPLATE_VALUE_IN_HOST, 20},
        {"a blank", HOST "/a b", false, TEMPLATE_BAD_CHARACTER, 19},
        {"a line feed", HOST "/a\nb", false, TEMPLATE_BAD_CHARACTER, 19},
        {"a carriage return at the end", HOST "/a\r", false, TEMPLATE_BAD_CHARACTER, 19},
        {"a DEL", HOST "/\x7f", false, TEMPLATE_BAD_CHARACTER, 18},
        {"UTF-8 as it is", HOST "/\xc3\xbc", false, TEMPLATE_BAD_CHARACTER, 18},
        {"a quote", HOST "/\"", false, TEMPLATE_BAD_CHARACTER, 18},
        {"a backslash", HOST "/\\", false, TEMPLATE_BAD_CHARACTER, 18},
        {"half a percent escape at the end", HOST "/%7", false, TEMPLATE_BAD_PERCENT, 18},
        {"a percent escape that is no hex", HOST "/%zz", false, TEMPLATE_BAD_PERCENT, 18},
        {"a value inside a percent escape", HOST "/%{object}", false, TEMPLATE_BAD_PERCENT, 18},
        {"an unknown value", HOST "/{invoice}", false, TEMPLATE_UNKNOWN_VALUE, 18},
        {"a value in capitals", HOST "/{Object}", false, TEMPLATE_UNKNOWN_VALUE, 18},
        {"a value with blanks", HOST "/{ object }", false, TEMPLATE_UNKNOWN_VALUE, 18},
        {"an empty value", HOST "/{}", false, TEMPLATE_UNKNOWN_VALUE, 18},
        {"a brace in braces", HOST "/{{object}}", false, TEMPLATE_UNKNOWN_VALUE, 18},
        {"what utm appends can't be named", HOST "/{utm_source}", false, TEMPLATE_UNKNOWN_VALUE,
         18},
        {"an unclosed brace", HOST "/{object", false, TEMPLATE_UNCLOSED, 18},
        {"an unclosed brace at the end", HOST "/{", false, TEMPLATE_UNCLOSED, 18},
        {"a closing brace alone", HOST "/object}", false, TEMPLATE_STRAY_BRACE, 24},
        {"two fragments", HOST "/#a#b", false, TEMPLATE_TWO_FRAGMENTS, 20},
        {"utm_ of its own without utm", HOST "/?utm_source=x", false, TEMPLATE_OK, 0},
        {"utm_ of its own and utm", HOST "/?utm_source=x", true, TEMPLATE_UTM_TWICE, 19},
        {"UTM_ of its own, further on", HOST "/?a=1&UTM_Medium=x", true, TEMPLATE_UTM_TWICE, 23},
        {"utm_ in a value is no parameter", HOST "/?a=utm_source", true, TEMPLATE_OK, 0},
        {"utm_ in the path is no parameter", HOST "/utm_source", true, TEMPLATE_OK, 0},
        {"utm_ in the fragment is no parameter", HOST "/#?utm_source", true, TEMPLATE_OK, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct template tpl;
        size_t position;

        print_message("%s\n", cases[i].name);
        assert_int_equal(template_compile(&tpl, slice_of(cases[i].text), cases[i].utm, &position),
                         cases[i].want);
        assert_int_equal(position, cases[i].position);
    }
}

static void test_a_NUL_is_no_end(void **state)
{
    static const char path[] = HOST "/\0x", host[] = "https://b\0c/", colon[] = HOST ":8\0/";
    struct template tpl;
    size_t position;

    (void)state;
    assert_int_equal(template_compile(&tpl, slice_make(path, sizeof(path) - 1), false, &position),
                     TEMPLATE_BAD_CHARACTER);
    assert_int_not_equal(
        template_compile(&tpl, slice_make(host, sizeof(host) - 1), false, &position), TEMPLATE_OK);
    assert_int_not_equal(
        template_compile(&tpl, slice_make(colon, sizeof(colon) - 1), false, &position),
        TEMPLATE_OK);
}

static void test_length(void **state)
{
    char text[TEMPLATE_TEXT_MAX + 2];
    struct template tpl;
    size_t position;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, HOST "/", sizeof(HOST));
    assert_int_equal(template_compile(&tpl, slice_make(text, TEMPLATE_TEXT_MAX), false, &position),
                     TEMPLATE_OK);
    assert_int_equal(tpl.expand_max, TEMPLATE_TEXT_MAX);
    assert_int_equal(
        template_compile(&tpl, slice_make(text, TEMPLATE_TEXT_MAX + 1), false, &position),
        TEMPLATE_BAD_LENGTH);
}

/* A literal and a value each take a part; the last value has no literal behind it. */
static void test_number_of_values(void **state)
{
    char text[TEMPLATE_TEXT_MAX] = HOST;
    struct template tpl;
    size_t position;

    (void)state;
    for (int i = 0; i < TEMPLATE_PARTS_MAX / 2; i++)
        strcat(text, "/{object}");
    assert_int_equal(template_compile(&tpl, slice_of(text), false, &position), TEMPLATE_OK);
    assert_int_equal(tpl.n_parts, TEMPLATE_PARTS_MAX);
    strcat(text, "{object}");
    assert_int_equal(template_compile(&tpl, slice_of(text), false, &position),
                     TEMPLATE_TOO_MANY_VALUES);
}

static void test_status_text(void **state)
{
    (void)state;
    for (int status = TEMPLATE_OK; status <= TEMPLATE_TOO_MANY_VALUES; status++) {
        for (int other = TEMPLATE_OK; other < status; other++)
            assert_string_not_equal(template_status_text((enum template_status)status),
                                    template_status_text((enum template_status)other));
    }
}

/* Everything set; the cases below change what they name. */
static const struct template_values FULL = {
    .object = 1234,
    .client = 77,
    .campaign = 12,
    .variant = 1,
    .channel = {"mail", 4},
    .medium = {"email", 5},
    .source = {"acme", 4},
    .arg = {"a~b.c_d-9", 9},
    .token = {"07d8", 4},
};

/* What `text` becomes, as a string in `out`. */
static const char *expand(const char *text, bool utm, const struct template_values *values,
                          char out[static 4096])
{
    struct template tpl;
    size_t position, len;

    assert_int_equal(template_compile(&tpl, slice_of(text), utm, &position), TEMPLATE_OK);
    assert_in_range(tpl.expand_max, 1, 4095);
    len = template_expand(&tpl, values, out);
    assert_in_range(len, 1, tpl.expand_max);
    out[len] = '\0';
    return out;
}

static void test_expand(void **state)
{
    const struct {
        const char *name, *text;
        bool utm;
        const char *want;
    } cases[] = {
        {"no value", HOST "/x", false, HOST "/x"},
        {"the object", HOST "/viewinvoice.php?id={object}", false, HOST "/viewinvoice.php?id=1234"},
        {"a value in path, query and fragment", HOST "/{object}?{client}#{campaign}", false,
         HOST "/1234?77#12"},
        {"all values", HOST "/{object}/{client}/{arg}/{campaign}/{variant}/{channel}/{token}",
         false, HOST "/1234/77/a~b.c_d-9/12/A/mail/07d8"},
        {"values side by side", HOST "/{object}{client}{object}", false, HOST "/1234771234"},
        {"utm without a query", HOST "/x", true,
         HOST "/x?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm behind a host alone", HOST, true,
         HOST "?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm behind a query", HOST "/?id={object}", true,
         HOST "/?id=1234&utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm behind an empty query", HOST "/?", true,
         HOST "/?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm behind a query that ends in &", HOST "/?a=1&", true,
         HOST "/?a=1&utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm behind a value", HOST "/{object}", true,
         HOST "/1234?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A"},
        {"utm before a fragment", HOST "/x#f", true,
         HOST "/x?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A#f"},
        {"utm before a fragment with a question mark", HOST "/x#f?{object}", true,
         HOST "/x?utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A#f?1234"},
        {"utm between query and fragment", HOST "/x?a=1#f", true,
         HOST "/x?a=1&utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A#f"},
        {"utm before an empty fragment", HOST "/?a={arg}#", true,
         HOST "/?a=a~b.c_d-9&utm_source=acme&utm_medium=email&utm_campaign=12&utm_content=A#"},
    };
    char out[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_string_equal(expand(cases[i].text, cases[i].utm, &FULL, out), cases[i].want);
    }
}

static void test_values_that_are_absent(void **state)
{
    static const char all[] = HOST "/{object}-{client}-{campaign}-{variant}-{arg}-{channel}";
    struct template_values none = {.medium = {"link", 4}, .source = {"a", 1}};
    char out[4096];

    (void)state;
    assert_string_equal(expand(all, false, &none, out), HOST "/0-0-0---");
    assert_string_equal(expand(HOST "/", true, &none, out), HOST "/?utm_source=a&utm_medium=link");
}

static void test_limits_of_values(void **state)
{
    static const char all[] = HOST "/{object}/{client}/{campaign}/{variant}";
    struct template_values most = {
        .object = UINT32_MAX, .client = UINT32_MAX, .campaign = UINT16_MAX, .variant = 7};
    char out[4096];

    (void)state;
    assert_string_equal(expand(all, false, &most, out), HOST "/4294967295/4294967295/65535/G");
}

/* Whatever a caller hands in, only unreserved characters and escapes come out. */
static void test_values_are_encoded(void **state)
{
    char bytes[TOKEN_ARG_MAX], out[4096];
    struct template_values values = {.arg = {"/?#&=%{}@ \r\n\xc3\xbc\"<>'\\", 19}};

    (void)state;
    assert_string_equal(expand(HOST "/{arg}", false, &values, out),
                        HOST "/%2F%3F%23%26%3D%25%7B%7D%40%20%0D%0A%C3%BC%22%3C%3E%27%5C");
    memset(bytes, '/', sizeof(bytes));
    values.arg = slice_make(bytes, sizeof(bytes));
    assert_int_equal(strlen(expand(HOST "/{arg}", false, &values, out)),
                     strlen(HOST "/") + 3 * TOKEN_ARG_MAX);
}

/* The longest values fill exactly what the compiled template announces. */
static void test_expand_max_is_reached(void **state)
{
    static const char all[] = HOST "/{object}{client}{arg}{campaign}{variant}{channel}{token}?x#y";
    char slashes[TEMPLATE_SOURCE_MAX + TOKEN_ARG_MAX], token[TOKEN_TEXT_MAX], out[4096];
    struct template_values most = {
        .object = UINT32_MAX, .client = UINT32_MAX, .campaign = UINT16_MAX, .variant = 7};
    struct template tpl;
    size_t position;

    (void)state;
    memset(slashes, '/', sizeof(slashes));
    memset(token, '7', sizeof(token));
    most.channel = slice_make(slashes, TEMPLATE_CHANNEL_MAX);
    most.medium = slice_make(slashes, TEMPLATE_CHANNEL_MAX);
    most.source = slice_make(slashes, TEMPLATE_SOURCE_MAX);
    most.arg = slice_make(slashes, TOKEN_ARG_MAX);
    most.token = slice_make(token, TOKEN_TEXT_MAX);
    for (int utm = 0; utm <= 1; utm++) {
        assert_int_equal(template_compile(&tpl, slice_of(all), utm, &position), TEMPLATE_OK);
        assert_int_equal(template_expand(&tpl, &most, out), tpl.expand_max);
    }
}

static void test_needs_arg(void **state)
{
    struct template tpl;
    size_t position;

    (void)state;
    assert_int_equal(template_compile(&tpl, slice_of(HOST "/{arg}"), true, &position), TEMPLATE_OK);
    assert_true(tpl.needs_arg);
    assert_int_equal(template_compile(&tpl, slice_of(HOST "/{token}"), true, &position),
                     TEMPLATE_OK);
    assert_false(tpl.needs_arg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_a_NUL_is_no_end),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_number_of_values),
        cmocka_unit_test(test_status_text),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_values_that_are_absent),
        cmocka_unit_test(test_limits_of_values),
        cmocka_unit_test(test_values_are_encoded),
        cmocka_unit_test(test_expand_max_is_reached),
        cmocka_unit_test(test_needs_arg),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
