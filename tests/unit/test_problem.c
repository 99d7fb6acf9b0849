/* Kinds of problem: one table for the replies, their pages and the README. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/admin/problem.h"
#include "service/base/error.h"
#include "service/config/schema.h"

static void test_each_is_found_by_its_name(void **state)
{
    char type[PROBLEM_TYPE_MAX];

    (void)state;
    for (unsigned i = 0; i < PROBLEMS; i++) {
        const struct problem_text *text = problem_text((enum problem)i);

        assert_int_equal(problem_find(slice_of(text->name)), i);
        assert_string_equal(problem_type((enum problem)i, type) + strlen("/problems/"), text->name);
    }
    assert_int_equal(problem_find(slice_of("none")), PROBLEMS);
}

static void test_a_status_says_which(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 405, 409, 410, 413, 415, 429, 503};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        assert_int_equal(problem_text(problem_of_status(statuses[i], false))->status, statuses[i]);
    assert_int_equal(problem_of_status(400, true), PROBLEM_INVALID_PARAMETERS);
    assert_int_equal(problem_of_status(431, false), PROBLEM_MALFORMED_REQUEST);
}

static void test_the_readme_has_all(void **state)
{
    struct error err = {0};
    char *readme, *table = NULL;
    size_t len;
    FILE *out = open_memstream(&table, &len);

    (void)state;
    assert_non_null(out);
    fprintf(out, "| `type` | status | what it means | what to do |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < PROBLEMS; i++) {
        const struct problem_text *text = problem_text((enum problem)i);

        fprintf(out, "| `/problems/%s` | %d | %s. %s | %s |\n", text->name, text->status,
                text->title, text->meaning, text->remedy);
    }
    fclose(out);
    readme = schema_read_file(SOURCE_DIR "/service/admin/README.md", &len, &err);
    assert_non_null(readme);
    readme[len] = '\0';
    if (!strstr(readme, table)) {
        print_message("%s", table);
        fail_msg("the README's table of problems isn't this one");
    }
    free(readme);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found_by_its_name),
        cmocka_unit_test(test_a_status_says_which),
        cmocka_unit_test(test_the_readme_has_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
