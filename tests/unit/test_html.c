#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/html.h"

static void test_escape(void **state)
{
    const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"plain text", "Acme", "Acme"},
        {"nothing", "", ""},
        {"a URL", "https://x/?a=1&b='\"<>", "https://x/?a=1&amp;b=&#39;&quot;&lt;&gt;"},
        {"what is escaped already", "&amp;", "&amp;amp;"},
        {"letters of more than one byte", "für", "für"},
        {"a byte that is no UTF-8", "\xff<", "\xff&lt;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice text = slice_of(cases[i].text);
        char out[64];

        print_message("%s\n", cases[i].name);
        memset(out, '#', sizeof(out));
        assert_int_equal(html_escaped_len(text), strlen(cases[i].want));
        assert_int_equal(html_escape(text, out), strlen(cases[i].want));
        assert_memory_equal(out, cases[i].want, strlen(cases[i].want));
        assert_int_equal(out[strlen(cases[i].want)], '#');
    }
    assert_int_equal(html_escaped_len((struct slice){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
