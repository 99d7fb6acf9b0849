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

static void test_choose(void **state)
{
    static const char *const have[] = {"en", "de", "fr", "pt", "zh-TW", "pt-BR", "he", "nb"};
    const struct {
        const char *name, *field, *want;
    } cases[] = {
        {"no field", NULL, "en"},
        {"an empty one", "", "en"},
        {"the wish itself", "de", "de"},
        {"in capitals", "DE", "de"},
        {"as browsers send it", "de-AT,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"},
        {"a region alone", "de-AT", "de"},
        {"a script and a region", "de-Latn-CH", "de"},
        {"a region that there is", "pt-BR,en;q=0.5", "pt-BR"},
        {"a region that there is, with an underscore", "pt_BR", "pt-BR"},
        {"a region that there isn't", "pt-AO", "pt"},
        {"only another region is there", "zh-HK", "zh-TW"},
        {"a language without a region, where only one with is there", "zh", "zh-TW"},
        {"the first wish isn't there, the second is", "sv,fr;q=0.9,de;q=0.8", "fr"},
        {"the best of those that are there stands last", "sv,de;q=0.3,fr;q=0.9", "fr"},
        {"the first of equals", "fr,de", "fr"},
        {"English by a wish, not as what is left", "sv,en;q=0.2,de;q=0.1", "en"},
        {"none is there", "sv,da;q=0.9", "en"},
        {"anything", "*", "en"},
        {"anything is better than that one", "de;q=0.5,*", "en"},
        {"that one is better than anything", "de,*;q=0.5", "de"},
        {"anything but English", "en;q=0,*", "de"},
        {"anything but English and German", "*;q=0.5,en;q=0,de;q=0", "fr"},
        {"English refused in one region only", "en-US;q=0,*", "en"},
        {"nothing but what is refused", "en;q=0", "en"},
        {"refused, and nothing else there", "de;q=0,sv", "en"},
        {"an old code", "iw", "he"},
        {"a new code with a region", "he-IL", "he"},
        {"Norwegian by its common name", "no", "nb"},
        {"a longer word", "den,frr", "en"},
        {"a shorter one", "d,f", "en"},
        {"what is no field", ";;;q=1,,=,\"de\"", "en"},
        {"no header is smuggled in", "de\r\nX: y", "en"},
    };
    struct slice tags[sizeof(have) / sizeof(have[0])];
    unsigned n = sizeof(have) / sizeof(have[0]);

    (void)state;
    for (unsigned i = 0; i < n; i++)
        tags[i] = slice_of(have[i]);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned chosen = language_choose(slice_of(cases[i].field), tags, n, 0);

        print_message("%s\n", cases[i].name);
        assert_in_range(chosen, 0, n - 1);
        assert_string_equal(have[chosen], cases[i].want);
    }
    assert_string_equal(have[language_choose(slice_of("sv"), tags, n, 2)], "fr");
    assert_string_equal(have[language_choose(slice_of("*"), tags, n, 2)], "fr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_choose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
