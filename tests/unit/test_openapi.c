#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/admin/openapi.h"

static void yaml_becomes_json(void **state)
{
    const struct {
        const char *name, *yaml, *want; /* NULL: refused */
    } cases[] = {
        {"a mapping", "a: 1\nb: [x, y]\n", "{\"a\":1,\"b\":[\"x\",\"y\"]}"},
        {"a text that looks like a number", "a: \"200\"", "{\"a\":\"200\"}"},
        {"a key that looks like a number", "200: a", "{\"200\":\"a\"}"},
        {"numbers", "[0, -1, 4294967295, 1.5, 1e3]", "[0,-1,4294967295,1.5,1000.0]"},
        {"what only looks like one", "[1.2.3, 2026-11-22, e, ., '-', +]",
         "[\"1.2.3\",\"2026-11-22\",\"e\",\".\",\"-\",\"+\"]"},
        {"truths and nothing", "[true, false, null, ~, \"true\"]",
         "[true,false,null,null,\"true\"]"},
        {"the truths of YAML 1.1 are texts", "[yes, no, on, off]",
         "[\"yes\",\"no\",\"on\",\"off\"]"},
        {"an alias", "a: &x {b: 1}\nc: *x", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
        {"a folded text", "a: >-\n  one\n  two\n", "{\"a\":\"one two\"}"},
        {"nothing at all", "", NULL},
        {"no YAML", "a: [1", NULL},
        {"a key that is no text", "{[a]: b}", NULL},
        {"an alias of what it is in", "&x [*x]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *json = openapi_to_json(slice_of(cases[i].yaml));

        print_message("%s\n", cases[i].name);
        if (cases[i].want) {
            assert_non_null(json);
            assert_string_equal(json, cases[i].want);
        } else {
            assert_null(json);
        }
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
