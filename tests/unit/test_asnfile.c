/* Lists of autonomous systems, as those who keep them write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "files.h"
#include "service/base/error.h"
#include "service/config/asnfile.h"
#include "temp_dir.h"

static char *dir;
static char path[128];

static void test_lists(void **state)
{
    const struct {
        const char *name, *text;
        unsigned n;
        uint32_t last;
    } cases[] = {
        {"nothing", "", 0, 0},
        {"a number a line", "22843\n26211\n", 2, 26211},
        {"with AS", "AS22843\nas26211\n", 2, 26211},
        {"names behind a blank, a tab or #", "AS1 One Ltd\nAS2\tTwo, Inc.\nAS3# Three\n", 3, 3},
        {"comments, blank lines, no line end", "# kept by a.example\n\n  AS7", 1, 7},
        {"a table with columns", "ASN,Entity\n174,\"Cogent, Inc\"\n8075,Microsoft\n", 2, 8075},
        {"a table in quotes", "\"asn\",\"name\"\n\"8075\",\"Microsoft\"\n", 1, 8075},
        {"semicolons", "AS1;one\nAS2;two\n", 2, 2},
        {"the lines of another system", "AS1\r\nAS2 two\r\n", 2, 2},
        {"the largest", "4294967295\n", 1, UINT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct asn_list list = {0};
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        write_file(path, cases[i].text);
        assert_true(asnfile_load(path, &list, &err));
        assert_int_equal(list.n, cases[i].n);
        if (list.n > 0)
            assert_true(list.numbers[list.n - 1] == cases[i].last);
        free(list.numbers);
    }
}

static void test_refusals(void **state)
{
    const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"a word", "AS1\nMicrosoft\n", ":2: 'Microsoft' is not an autonomous system"},
        {"a network", "10.0.0.0/8\n", ":1: '10.0.0.0/8' is not"},
        {"columns that are not in the first line", "1\nASN,Entity\n", ":2: 'ASN,Entity' is not"},
        {"0", "AS0\n", ":1: 'AS0' is not"},
        {"one more than the largest", "4294967296\n", ":1: '4294967296' is not"},
        {"only the letters", "AS\n", ":1: 'AS' is not"},
        {"a sign", "-1\n", ":1: '-1' is not"},
    };
    struct asn_list list = {0};
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        write_file(path, cases[i].text);
        err.text[0] = '\0';
        assert_false(asnfile_load(path, &list, &err));
        assert_non_null(strstr(err.text, cases[i].want));
        assert_non_null(strstr(err.text, path));
    }
    print_message("no file\n");
    assert_int_equal(remove(path), 0);
    assert_false(asnfile_load(path, &list, &err));
    free(list.numbers);
}

static void test_many(void **state)
{
    enum { N = 5000 };
    struct asn_list list = {0};
    struct error err = {0};
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    for (unsigned i = 1; i <= N; i++)
        fprintf(f, "AS%u Name %u\n", i, i);
    assert_int_equal(fclose(f), 0);
    assert_true(asnfile_load(path, &list, &err));
    assert_int_equal(list.n, N);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(list.numbers[i], i + 1);
    free(list.numbers);
}

/* The list that is shipped. */
static void test_shipped(void **state)
{
    struct asn_list list = {0};
    struct error err = {0};

    (void)state;
    assert_true(asnfile_load(SOURCE_DIR "/deploy/gateway-asns.txt", &list, &err));
    assert_in_range(list.n, 10, 1000);
    for (unsigned i = 0; i < list.n; i++) {
        for (unsigned k = 0; k < i; k++)
            assert_true(list.numbers[i] != list.numbers[k]);
    }
    free(list.numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_shipped),
    };
    int failed;

    if (sodium_init() < 0)
        return 1;

    dir = temp_dir_new();
    snprintf(path, sizeof(path), "%s/asns.txt", dir);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_dir_free(dir);
    return failed;
}
