/* What is left of an agent without the names of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/label/agent_model.h"

static void test_models(void **state)
{
    const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"no brackets", "curl/8.5.0", "curl/8.5.0"},
        {"nothing", "", ""},
        {"a desktop's parts stay", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
         "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"},
        {"a phone's model goes", "Mozilla/5.0 (Linux; Android 9; M bot 54) Chrome/1",
         "Mozilla/5.0 (Linux; Android 9) Chrome/1"},
        {"with its build", "Mozilla/5.0 (Linux; Android 9; M bot Build/PPR1.1; wv) Chrome/1",
         "Mozilla/5.0 (Linux; Android 9) Chrome/1"},
        {"with brackets of its own", "A (Linux; Android 9; bot g(60) plus) Chrome/1",
         "A (Linux; Android 9) Chrome/1"},
        {"what is behind the brackets stays", "A (Android 9; x) Chrome/1 (compatible; Ebot/1)",
         "A (Android 9) Chrome/1 (compatible; Ebot/1)"},
        {"what is before the system stays", "A (Examplebot; Android 9; x) B",
         "A (Examplebot; Android 9) B"},
        {"a program with its version stays", "A (Linux; Android 9; Examplebot/1.0; x) B",
         "A (Linux; Android 9; Examplebot/1.0) B"},
        {"a model with a slash goes", "A (Linux; Android 9; SM-1/2; x) B",
         "A (Linux; Android 9) B"},
        {"an address stays", "A (Linux; Android 9; +http://bot.example/) B",
         "A (Linux; Android 9; +http://bot.example/) B"},
        {"a mail address stays", "A (Linux; Android 9; bot@example.org) B",
         "A (Linux; Android 9; bot@example.org) B"},
        {"Windows Phone", "M (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; HTC; Radar) B",
         "M (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0) B"},
        {"brackets that are never closed", "A (Linux; Android 9; M bot", "A (Linux; Android 9"},
        {"an open bracket at the end", "Android (", "Android ("},
        {"empty parts", "A (;;Android;;)", "A (;;Android)"},
        {"too many closing brackets", "A (Android; x)) bot", "A (Android)) bot"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[256];
        size_t len;

        print_message("%s\n", cases[i].name);
        len = agent_without_models(slice_of(cases[i].text), out);
        assert_int_equal(len, strlen(cases[i].want));
        assert_memory_equal(out, cases[i].want, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
