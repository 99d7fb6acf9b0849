#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/language.h"

static void test_preferred(void **state)
{
    const struct {
        const char *name, *field, *want;
    } cases[] = {
        {"one language", "de", "de"},
        {"as browsers send it", "de-AT,de;q=0.9,en-US;q=0.8,en;q=0.7", "de-AT"},
        {"the best stands last", "en;q=0.5, fr", "fr"},
        {"the first of equals", "nl,fr", "nl"},
        {"blanks around everything", " en ; q=0.5 ,\tfr ; q=0.6 ", "fr"},
        {"a capital Q", "en;Q=0.1,fr;q=0.2", "fr"},
        {"three digits", "en;q=0.899,fr;q=0.9", "fr"},
        {"q=1.000", "en;q=0.999,fr;q=1.000", "fr"},
        {"not wanted", "en;q=0", ""},
        {"anything", "*", ""},
        {"anything, best of all", "*,en;q=0.1", "en"},
        {"nothing", "", ""},
        {"commas alone", ",,,", ""},
        {"a weight over 1", "en;q=1.5,fr;q=0.1", "fr"},
        {"a weight that is no number", "en;q=x,fr;q=0.1", "fr"},
        {"a weight with too many digits", "en;q=0.1234,fr;q=0.1", "fr"},
        {"a weight without value", "en;q=,fr;q=0.1", "fr"},
        {"another parameter", "en;level=1,fr;q=0.1", "fr"},
        {"a tag with other characters", "e!n,fr;q=0.1", "fr"},
        {"an underscore, as Java and Android write it", "pt_BR,pt;q=0.9", "pt_BR"},
        {"the entry after the 16th is not looked at",
         "a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,"
         "a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,a;q=0.1,b;q=0.2,c",
         "b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_true(
            slice_equal(language_preferred(slice_of(cases[i].field)), slice_of(cases[i].want)));
    }
    assert_int_equal(language_preferred((struct slice){NULL, 0}).len, 0);
}

static void test_matches(void **state)
{
    const struct {
        const char *tag, *range;
        bool want;
    } cases[] = {
        {"de", "de", true},
        {"de-AT", "de", true},
        {"DE-at", "de-AT", true},
        {"de", "de-AT", false},
        {"den", "de", false},
        {"d", "de", false},
        {"", "de", false},
        {"de-", "de", true},
        {"pt_BR", "pt-br", true},
        {"pt-BR", "pt_br", true},
        {"pt_BR", "pt", true},
        {"pt_PT", "pt-br", false},
        {"pt", "pt_br", false},
        {"ptx_BR", "pt-br", false},
        {"zh_Hant_TW", "zh-hant", true},
        {"zh-Hant", "zh-hant-tw", false},
        {"iw", "he", true},
        {"he", "iw", true},
        {"iw-IL", "he", true},
        {"he-IL", "iw", true},
        {"iw_IL", "he-il", true},
        {"no", "nb", true},
        {"nb", "no", true},
        {"nb-NO", "no", true},
        {"no-NO", "nb", true},
        {"nn-NO", "no", true},
        {"nn", "nb", false},
        {"in-ID", "id", true},
        {"ji", "yi", true},
        {"mo", "ro", true},
        {"tl-PH", "fil", true},
        {"sr-Latn", "sh", true},
        {"en-IW", "en-he", false},
        {"iwx", "he", false},
        {"id", "ID", true},
        {"in", "IN", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("'%s' for '%s'\n", cases[i].tag, cases[i].range);
        assert_int_equal(language_matches(slice_of(cases[i].tag), slice_of(cases[i].range)),
                         cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
