#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "files.h"
#include "service/base/error.h"
#include "service/config/texts.h"
#include "tests/unit/temp_dir.h"

#define WHOLE                                                                                    \
    "bad_request_title: a\nbad_request_text: a\nnot_found_title: a\nnot_found_text: a\n"         \
    "expired_title: a\nexpired_text: a\nrevoked_title: a\nrevoked_text: a\nused_title: "         \
    "a\nused_text: a\nlater_title: a\nlater_text: a\nsettled_title: a\n"                         \
    "settled_text: a\nhome_title: a\nhome_text: a\nonward_title: a\nonward_text: a\n"            \
    "confirm_title: a\nconfirm_text: a\nopt_out_title: a\nopt_out_text: a\nopted_out_title: "    \
    "a\nopted_out_text: a\nrenewed_title: a\nrenewed_text: a\nrenew_button: a\nopt_out_button: " \
    "a\nunsure_title: a\nunsure_text: a\nview_title: "                                           \
    "a\nview_text: a\nagain: a\ngo_on: "                                                         \
    "a\naccount_link: a\nhome_link: a\n"

struct file {
    const char *name, *text;
};

enum { FILES_MAX = 4 };

static struct texts *built_in;

/* The texts of a folder with these files; NULL and `*err`. */
static struct texts *load(const struct file files[static FILES_MAX], struct error *err)
{
    char *folder = temp_dir_new();
    struct texts *texts;

    assert_non_null(folder);
    for (unsigned i = 0; i < FILES_MAX && files[i].name; i++)
        write_file_in(folder, files[i].name, files[i].text);
    texts = texts_load(built_in, folder, err);
    temp_dir_free(folder);
    return texts;
}

static void test_built_in(void **state)
{
    static const char *const languages[] = {"en", "de", "fr", "es", "pt", "it", "nl", "pl"};

    (void)state;
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
        assert_true(texts_find(built_in, slice_of(languages[i])) >= 0);
    assert_int_equal(texts_find(built_in, slice_of("sv")), -1);
    assert_int_equal(texts_find(built_in, slice_of("de-AT")), -1);
}

static void test_own_texts(void **state)
{
    const struct {
        const char *name;
        struct file files[FILES_MAX];
        const char *accept_language;
        enum text text;
        const char *tag, *want; /* want NULL = as built in */
    } cases[] = {
        {"one line", {{"de.yaml", "help: Fragen?"}}, "de", TEXT_HELP, "de", "Fragen?"},
        {"the other lines stay", {{"de.yaml", "help: Fragen?"}}, "de", TEXT_GO_ON, "de", NULL},
        {"other languages stay", {{"de.yaml", "help: Fragen?"}}, "fr", TEXT_HELP, "fr", NULL},
        {"markup is shown as it is written",
         {{"en.yaml", "help: \"<a href='x'>R&D</a>\""}},
         "en",
         TEXT_HELP,
         "en",
         "&lt;a href=&#39;x&#39;&gt;R&amp;D&lt;/a&gt;"},
        {"a quote can't end an attribute",
         {{"en.yaml", "help: 'say \"hello\"'"}},
         "en",
         TEXT_HELP,
         "en",
         "say &quot;hello&quot;"},
        {"a region takes its language's lines",
         {{"de-CH.yaml", "go_on: Los"}},
         "de-CH",
         TEXT_GO_ON,
         "de-CH",
         "Los"},
        {"and the others are the language's",
         {{"de-CH.yaml", "go_on: Los"}},
         "de-CH",
         TEXT_HELP,
         "de-CH",
         NULL},
        {"a region takes the brand's own lines of its language",
         {{"de.yaml", "help: Fragen?"}, {"de-CH.yaml", "go_on: Los"}},
         "de-CH",
         TEXT_HELP,
         "de-CH",
         "Fragen?"},
        {"an underscore is a hyphen",
         {{"pt_BR.yaml", "help: Ajuda?"}},
         "pt-BR",
         TEXT_HELP,
         "pt-BR",
         "Ajuda?"},
        {"a language of its own",
         {{"sv.yaml", WHOLE "help: Hj\xc3\xa4lp?"}},
         "sv-SE,en;q=0.5",
         TEXT_HELP,
         "sv",
         "Hj\xc3\xa4lp?"},
        {"what an editor and a mount leave there is no file of texts",
         {{"de.yaml", "help: Fragen?"}, {".de.yaml.swp", "x"}, {"de.yaml~", "x"}, {"README", "x"}},
         "de",
         TEXT_HELP,
         "de",
         "Fragen?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        struct texts *texts = load(cases[i].files, &err);
        const struct texts_language *language;
        struct slice want;

        print_message("%s\n", cases[i].name);
        assert_string_equal(err.text, "");
        assert_non_null(texts);
        language = texts_choose(texts, slice_of(cases[i].accept_language), 0);
        want = cases[i].want
                   ? slice_of(cases[i].want)
                   : texts_choose(built_in, slice_of(cases[i].tag), 0)->text[cases[i].text];
        assert_true(slice_equal(language->tag, slice_of(cases[i].tag)));
        assert_true(slice_equal(language->text[cases[i].text], want));
        texts_free(texts);
    }
}

static void test_bad_texts(void **state)
{
    const struct {
        const char *name;
        struct file files[FILES_MAX];
        const char *want[2];
    } cases[] = {
        {"an unknown key",
         {{"de.yaml", "help: a\nhlp: b"}},
         {"/de.yaml:2: hlp: unknown key", "did you mean 'help'?"}},
        {"a key twice",
         {{"de.yaml", "help: a\nhelp: b"}},
         {"/de.yaml:2: help: is there twice", ""}},
        {"a key without a value", {{"de.yaml", "\nhelp:"}}, {"/de.yaml:2: help: has no value", ""}},
        {"a list", {{"de.yaml", "help: [a]"}}, {"/de.yaml:1: help: wants a single value", ""}},
        {"a control character",
         {{"de.yaml", "help: \"a\\u0007\""}},
         {"/de.yaml:1: help: holds a control character", ""}},
        {"an empty file", {{"de.yaml", ""}}, {"/de.yaml:1: the file is empty", ""}},
        {"no YAML", {{"de.yaml", "help: 'a"}}, {"/de.yaml:", "not readable as YAML"}},
        {"no UTF-8", {{"de.yaml", "help: \xff"}}, {"/de.yaml:1: ", "write UTF-8 text"}},
        {"a new language that lacks a line",
         {{"sv.yaml", WHOLE}},
         {"/sv.yaml: help is missing", "isn't built in"}},
        {"a new language that has one line only",
         {{"sv.yaml", "help: a"}},
         {"/sv.yaml: bad_request_title is missing", ""}},
        {"a name that is no language", {{"texts.de.yaml", "help: a"}}, {"'texts.de' is not a", ""}},
        {"another suffix", {{"de.yml", "help: a"}}, {"/de.yml: is not read; call it de.yaml", ""}},
        {"one language twice",
         {{"de.yaml", "help: a"}, {"DE.yaml", "help: b"}},
         {"there is a file for 'DE' already", ""}},
        {"one region twice",
         {{"pt-br.yaml", "help: a"}, {"pt_BR.yaml", "help: b"}},
         {"there is a file for 'pt-br' already", ""}},
        {"no file", {{"README", "x"}}, {"holds no file such as de.yaml", ""}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_null(load(cases[i].files, &err));
        print_message("  %s\n", err.text);
        assert_non_null(strstr(err.text, cases[i].want[0]));
        assert_non_null(strstr(err.text, cases[i].want[1]));
    }
}

static void test_no_folder(void **state)
{
    struct error err = {0};

    (void)state;
    assert_null(texts_load(built_in, "/nonexistent/texts", &err));
    assert_non_null(strstr(err.text, "/nonexistent/texts: cannot read: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_own_texts),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_no_folder),
    };
    struct error err = {0};
    int failed;

    built_in = texts_new(&err);
    if (!built_in) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    texts_free(built_in);
    return failed;
}
