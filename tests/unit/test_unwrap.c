#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/unwrap.h"

#define LINK "https://go.acme.example/07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m"
#define ENCODED "https%3A%2F%2Fgo.acme.example%2F07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m"

static void test_unwrap(void **state)
{
    const struct {
        const char *name, *url;
        enum unwrap_status want;
        const char *by, *inside;
    } cases[] = {
        {"a link of ours", LINK, UNWRAP_PLAIN, NULL, NULL},
        {"a token alone", "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", UNWRAP_PLAIN, NULL,
         NULL},
        {"nothing", "", UNWRAP_PLAIN, NULL, NULL},
        {"a scheme alone", "https://", UNWRAP_PLAIN, NULL, NULL},
        {"Safe Links",
         "https://nam02.safelinks.protection.outlook.com/?url=" ENCODED
         "&data=05%7C01%7C&sdata=x%3D&reserved=0",
         UNWRAP_OPENED, "Safe Links", LINK},
        {"Safe Links of an attachment",
         "https://eur01.safelinks.protection.outlook.com/ap/w-59584e83/?url=" ENCODED "&data=x",
         UNWRAP_OPENED, "Safe Links", LINK},
        {"Safe Links copied from a mail's source, host in capitals",
         "https://EUR01.SafeLinks.protection.outlook.com/?data=x&amp;url=" ENCODED
         "&amp;reserved=0",
         UNWRAP_OPENED, "Safe Links", LINK},
        {"Safe Links of Teams",
         "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/"
         "atp-safelinks.html?url=" ENCODED "&locale=en",
         UNWRAP_OPENED, "Safe Links", LINK},
        {"Safe Links cut off before the link", "https://nam02.safelinks.protection.outlook.com/?ur",
         UNWRAP_BROKEN, "Safe Links", NULL},
        {"Safe Links cut off within an escape",
         "https://nam02.safelinks.protection.outlook.com/?url=https%3A%2", UNWRAP_BROKEN,
         "Safe Links", NULL},
        {"Safe Links of something that is no link",
         "https://nam02.safelinks.protection.outlook.com/?url=mailto%3Aa%40b.example",
         UNWRAP_BROKEN, "Safe Links", NULL},
        {"a host that only ends alike",
         "https://evilsafelinks.protection.outlook.com/?url=" ENCODED, UNWRAP_PLAIN, NULL, NULL},
        {"URL Defense 1", "https://urldefense.proofpoint.com/v1/url?u=" ENCODED "&k=x%3D&r=y",
         UNWRAP_OPENED, "URL Defense v1", LINK},
        {"URL Defense 2",
         "https://urldefense.proofpoint.com/v2/url?u=https-3A__go.acme.example_"
         "07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m-3Fa-3D1-26b-2D&d=DwMF&c=x&e=",
         UNWRAP_OPENED, "URL Defense v2", LINK "?a=1&b-"},
        {"URL Defense 3", "https://urldefense.com/v3/__" LINK "__;!!Abc-Def!ghi_JKL$",
         UNWRAP_OPENED, "URL Defense v3", LINK},
        {"URL Defense 3 whose two slashes became one",
         "https://urldefense.com/v3/__https:/go.acme.example/x__;!!a!b$", UNWRAP_OPENED,
         "URL Defense v3", "https://go.acme.example/x"},
        {"URL Defense 3 with a character taken out",
         "https://urldefense.com/v3/__https://go.acme.example/x*y__;Iw!!a!b$", UNWRAP_OPENED,
         "URL Defense v3", "https://go.acme.example/x#y"},
        {"URL Defense 3 with a run of three taken out, one of two bytes",
         "https://urldefense.us/v3/__https://go.acme.example/**B?q=1__;I8O8Iw!!a!b$", UNWRAP_OPENED,
         "URL Defense v3", "https://go.acme.example/#\xc3\xbc#?q=1"},
        {"URL Defense 3 with fewer bytes than were taken out",
         "https://urldefense.com/v3/__https://go.acme.example/x*y**Z__;!!a!b$", UNWRAP_OPENED,
         "URL Defense v3", "https://go.acme.example/xy"},
        {"URL Defense 3 cut off", "https://urldefense.com/v3/__https://go.acme.example/07d8",
         UNWRAP_BROKEN, "URL Defense v3", NULL},
        {"URL Defense 3 with a control character taken out",
         "https://urldefense.com/v3/__https://go.acme.example/*__;Cg!!a!b$", UNWRAP_BROKEN,
         "URL Defense v3", NULL},
        {"Mimecast", "https://protect-eu.mimecast.com/s/AbCdEf?domain=go.acme.example",
         UNWRAP_SEALED, "Mimecast", NULL},
        {"Mimecast, newer", "https://url.uk.m.mimecastprotect.com/s/AbCdEf?domain=acme.example",
         UNWRAP_SEALED, "Mimecast", NULL},
        {"Barracuda", "https://linkprotect.cudasvc.com/url?a=" ENCODED "&c=E,1,x&typo=1",
         UNWRAP_OPENED, "Barracuda", LINK},
        {"Cisco", "https://secure-web.cisco.com/1AbC-d_e/" ENCODED, UNWRAP_OPENED, "Cisco", LINK},
        {"Google, as q", "https://www.google.com/url?q=" ENCODED "&sa=D&usg=x", UNWRAP_OPENED,
         "Google", LINK},
        {"Google, as url, another country",
         "https://www.google.de/url?sa=t&rct=j&url=" ENCODED "&usg=x#frag", UNWRAP_OPENED, "Google",
         LINK},
        {"Google's page of results", "https://www.google.com/search?q=" ENCODED, UNWRAP_PLAIN, NULL,
         NULL},
        {"Bing", "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9nby5hY21lLmV4YW1wbGUveA&ntb=1",
         UNWRAP_OPENED, "Bing", "https://go.acme.example/x"},
        {"DuckDuckGo", "https://duckduckgo.com/l/?uddg=" ENCODED "&rut=1", UNWRAP_OPENED,
         "DuckDuckGo", LINK},
        {"Yahoo",
         "https://r.search.yahoo.com/_ylt=A;_ylu=B/RV=2/RE=1/RO=10/RU=" ENCODED "/RK=2/RS=c-",
         UNWRAP_OPENED, "Yahoo", LINK},
        {"Facebook", "https://l.facebook.com/l.php?u=" ENCODED "&h=AT", UNWRAP_OPENED, "Facebook",
         LINK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[UNWRAP_MAX] = "";
        const char *by = NULL;

        print_message("%s\n", cases[i].name);
        assert_int_equal(unwrap_link(slice_of(cases[i].url), &by, out), cases[i].want);
        if (cases[i].by)
            assert_string_equal(by, cases[i].by);
        if (cases[i].inside)
            assert_string_equal(out, cases[i].inside);
    }
}

static void test_all(void **state)
{
#define SAFE "https://nam02.safelinks.protection.outlook.com/?url="
    const struct {
        const char *name, *url;
        bool ok;
        unsigned n;
        const char *by, *inside, *why; /* by: the last one */
    } cases[] = {
        {"a link of ours", LINK, true, 0, NULL, "", ""},
        {"one gateway", SAFE ENCODED, true, 1, "Safe Links", LINK, ""},
        {"two", "https://urldefense.com/v3/__" SAFE ENCODED "__;!!a!b$", true, 2, "Safe Links",
         LINK, ""},
        {"as many as are taken off, and one more", SAFE SAFE SAFE SAFE SAFE SAFE LINK, true, 5,
         "Safe Links", SAFE LINK, ""},
        {"one whose server alone knows", SAFE "https%3A%2F%2Fprotect-eu.mimecast.com%2Fs%2FA",
         false, 1, "Safe Links", "https://protect-eu.mimecast.com/s/A",
         "Mimecast wrapped this link, and only its server knows the link inside: follow the link, "
         "or ask for the mail as it was sent"},
        {"cut off", "https://urldefense.com/v3/__https://go", false, 0, NULL, "",
         "URL Defense v3 wrapped this link, but the link inside is cut off or damaged"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct unwrapped out;

        print_message("%s\n", cases[i].name);
        assert_int_equal(unwrap_all(slice_of(cases[i].url), &out), cases[i].ok);
        assert_int_equal(out.n, cases[i].n);
        assert_string_equal(out.url, cases[i].inside);
        assert_string_equal(out.why, cases[i].why);
        if (cases[i].by)
            assert_string_equal(out.by[out.n - 1], cases[i].by);
    }
#undef SAFE
}

static void test_longest(void **state)
{
    static const char head[] = "https://duckduckgo.com/l/?uddg=https://h/";
    char url[UNWRAP_MAX + 1], out[UNWRAP_MAX];
    const char *by;

    (void)state;
    memset(url, 'x', sizeof(url));
    memcpy(url, head, sizeof(head) - 1);
    assert_int_equal(unwrap_link(slice_make(url, UNWRAP_MAX - 1), &by, out), UNWRAP_OPENED);
    assert_int_equal(strlen(out), UNWRAP_MAX - 1 - (sizeof(head) - 1) + strlen("https://h/"));
    assert_int_equal(unwrap_link(slice_make(url, UNWRAP_MAX), &by, out), UNWRAP_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unwrap), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_longest)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
