#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/csv.h"

enum { TEXT_MAX = 400 };

/* Cases with another separator than a comma hold no comma. */
static char separator_of(const char *text)
{
    if (strchr(text, ','))
        return ',';
    return strchr(text, ';') ? ';' : '\t';
}

/* The fields in brackets, so that a table can hold them. */
static const char *fields_text(const struct csv_row *row, char out[static TEXT_MAX])
{
    size_t n = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < row->n_fields; i++)
        n += (size_t)snprintf(out + n, TEXT_MAX - n, "[%.*s]", SLICE_ARG(row->field[i]));
    return out;
}

static const struct {
    const char *name, *text;
    enum csv_status want;
    const char *fields; /* on CSV_OK */
    size_t len, n_lines;
} cases[] = {
    {"one field", "a\n", CSV_OK, "[a]", 2, 1},
    {"three fields, the second one empty", "a,,c\n", CSV_OK, "[a][][c]", 5, 1},
    {"empty fields only", ",\n", CSV_OK, "[][]", 2, 1},
    {"an empty line", "\nb\n", CSV_OK, "[]", 1, 1},
    {"CRLF", "a,b\r\nc\r\n", CSV_OK, "[a][b]", 5, 1},
    {"the last line without an end", "a,b", CSV_OK, "[a][b]", 3, 0},
    {"the last line with a CR alone", "a,b\r", CSV_OK, "[a][b]", 4, 1},
    {"a comma at the very end is one more field", "a,", CSV_OK, "[a][]", 2, 0},
    {"a CR ends a row", "a,b\rc,d\r", CSV_OK, "[a][b]", 4, 1},
    {"an empty line of CR", "\r\na,", CSV_OK, "[]", 2, 1},
    {"semicolons", "a;b;c\n", CSV_OK, "[a][b][c]", 6, 1},
    {"tabs", "a\tb\n", CSV_OK, "[a][b]", 4, 1},
    {"tabs, the first and the last field empty", "\tb\t\n", CSV_OK, "[][b][]", 4, 1},
    {"a quote in a field between tabs is a quote", "5\" disk\ta\"b\"\n", CSV_OK,
     "[5\" disk][a\"b\"]", 13, 1},
    {"a semicolon in quotes", "\"a;b\";c\n", CSV_OK, "[a;b][c]", 8, 1},
    {"quotes around", "\"a\",\"b\"\n", CSV_OK, "[a][b]", 8, 1},
    {"an empty field in quotes", "\"\"\n", CSV_OK, "[]", 3, 1},
    {"a comma in quotes", "\"a,b\",c\n", CSV_OK, "[a,b][c]", 8, 1},
    {"doubled quotes", "\"a\"\"b\"\"\",c\n", CSV_OK, "[a\"b\"][c]", 11, 1},
    {"nothing but doubled quotes", "\"\"\"\"\"\"\n", CSV_OK, "[\"\"]", 7, 1},
    {"line ends in quotes", "\"a\nb\r\nc\",d\ne\n", CSV_OK, "[a\nb\r\nc][d]", 11, 3},
    {"quotes, and the last line without an end", "a,\"b\"", CSV_OK, "[a][b]", 5, 0},
    {"quotes, and a CR alone at the end", "a,\"b\"\r", CSV_OK, "[a][b]", 6, 1},
    {"blanks are a part of a field", " a , b \n", CSV_OK, "[ a ][ b ]", 8, 1},
    {"a quote in the middle of a field", "a\"b,c\nd\n", CSV_QUOTES, NULL, 6, 1},
    {"blanks around quotes are left out", "a, \"b\" ,\t\"c\"\nd\n", CSV_OK, "[a][b][c]", 13, 1},
    {"blanks in quotes stay", "\" a \",b\n", CSV_OK, "[ a ][b]", 8, 1},
    {"blanks around quotes, separated by tabs", " \"a\" \t \"b\"\r\n", CSV_OK, "[a][b]", 12, 1},
    {"a blank, and a quote further in", "a, b\"c\n", CSV_QUOTES, NULL, 7, 1},
    {"text behind a quote", "\"a\"b,c\nd\n", CSV_QUOTES, NULL, 7, 1},
    {"a quote that isn't closed: the line is lost, not the rest", "a,\"b\nc\nd\n", CSV_QUOTES, NULL,
     5, 1},
    {"a quote that isn't closed, on the last line", "a,\"b", CSV_QUOTES, NULL, 4, 0},
    {"quotes, and a CR without LF", "\"a\",b\rb\n", CSV_OK, "[a][b]", 6, 1},
    {"a fault goes as far as a CR", "\"a\"x,\rb\n", CSV_QUOTES, NULL, 6, 1},
    {"CRs in quotes are lines", "\"a\rb\r\nc\",d\r", CSV_OK, "[a\rb\r\nc][d]", 11, 3},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TEXT_MAX], got[TEXT_MAX];
        struct csv_row row;

        print_message("%s\n", cases[i].name);
        strcpy(text, cases[i].text);
        assert_int_equal(csv_read(text, strlen(text), true, separator_of(cases[i].text), &row),
                         cases[i].want);
        assert_int_equal(row.len, cases[i].len);
        assert_int_equal(row.n_lines, cases[i].n_lines);
        if (cases[i].want != CSV_OK)
            continue;
        assert_string_equal(fields_text(&row, got), cases[i].fields);
    }
}

/* Cut anywhere, a row is either the same row or waits for more, unchanged. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].text);

        for (size_t cut = 1; cut <= len; cut++) {
            char text[TEXT_MAX], got[TEXT_MAX];
            struct csv_row row;
            enum csv_status status;

            strcpy(text, cases[i].text);
            status = csv_read(text, cut, false, separator_of(cases[i].text), &row);
            if (status == CSV_MORE) {
                assert_string_equal(text, cases[i].text);
                continue;
            }
            assert_int_equal(status, cases[i].want);
            assert_int_equal(row.len, cases[i].len);
            assert_int_equal(row.n_lines, cases[i].n_lines);
            if (status == CSV_OK)
                assert_string_equal(fields_text(&row, got), cases[i].fields);
        }
    }
}

static void test_number_of_fields(void **state)
{
    char text[2 * CSV_FIELDS_MAX + 2];
    struct csv_row row;

    (void)state;
    memset(text, ',', sizeof(text));
    text[CSV_FIELDS_MAX - 1] = '\n';
    assert_int_equal(csv_read(text, CSV_FIELDS_MAX, false, ',', &row), CSV_OK);
    assert_int_equal(row.n_fields, CSV_FIELDS_MAX);
    text[CSV_FIELDS_MAX - 1] = ',';
    text[CSV_FIELDS_MAX] = '\n';
    assert_int_equal(csv_read(text, CSV_FIELDS_MAX + 1, false, ',', &row), CSV_TOO_MANY);
    assert_int_equal(row.len, CSV_FIELDS_MAX + 1);
    assert_int_equal(row.n_lines, 1);
}

static void test_writing(void **state)
{
    const struct {
        const char *value, *want;
    } values[] = {
        {"", ""},           {"abc", "abc"},       {"a b", "a b"},       {"a,b", "\"a,b\""},
        {"\"", "\"\"\"\""}, {"a\nb", "\"a\nb\""}, {"a\rb", "\"a\rb\""}, {"=1+1", "=1+1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char out[TEXT_MAX], copy[TEXT_MAX];
        size_t len = csv_write(slice_of(values[i].value), out);
        struct csv_row row;

        out[len] = '\0';
        assert_string_equal(out, values[i].want);
        strcpy(copy, out);
        strcat(copy, "\n");
        assert_int_equal(csv_read(copy, strlen(copy), true, ',', &row), CSV_OK);
        assert_true(slice_equal(row.field[0], slice_of(values[i].value)));
    }
}

static void test_formulas(void **state)
{
    static const char *const formulas[] = {
        "=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"};
    static const char *const plain[] = {"", "a=1", "1", "\uff11", "\uff1c", "ü", "\xef", " =1"};

    (void)state;
    for (size_t i = 0; i < sizeof(formulas) / sizeof(formulas[0]); i++)
        assert_true(csv_is_formula(slice_of(formulas[i])));
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        assert_false(csv_is_formula(slice_of(plain[i])));
    assert_false(csv_is_formula((struct slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_number_of_fields),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_formulas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
