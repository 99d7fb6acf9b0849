#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/admin/oidc_provider.h"
#include "service/base/error.h"

#define ISSUER "https://id.acme.example"
#define RIGHT                                                                    \
    "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"" ISSUER "/auth\"," \
    "\"token_endpoint\":\"" ISSUER "/token\",\"jwks_uri\":\"" ISSUER "/jwks\""

static void only_a_good_answer_takes_the_place_of_the_last_one(void **state)
{
    const struct {
        const char *name, *text;
        bool want;
    } cases[] = {
        {"nothing", "", false},
        {"no JSON", "<html>", false},
        {"no object", "[]", false},
        {"another issuer", "{\"issuer\":\"https://evil.example\"}", false},
        {"no endpoints", "{\"issuer\":\"" ISSUER "\"}", false},
        {"one that isn't safe, after others that are",
         RIGHT ",\"userinfo_endpoint\":\"http://a.example/\"}", false},
        {"a good one, of a provider that has no userinfo_endpoint any more", RIGHT "}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oidc_provider provider = {.jwks_uri = NULL};
        struct error err = {0};

        print_message("%s\n", cases[i].name);
        assert_true(oidc_provider_read(
            &provider, slice_of(RIGHT ",\"userinfo_endpoint\":\"" ISSUER "/me\"}"), ISSUER, &err));
        assert_int_equal(oidc_provider_read(&provider, slice_of(cases[i].text), ISSUER, &err),
                         cases[i].want);
        assert_string_equal(provider.token_endpoint, ISSUER "/token");
        if (cases[i].want)
            assert_null(provider.userinfo_endpoint);
        else
            assert_string_equal(provider.userinfo_endpoint, ISSUER "/me");
        oidc_provider_clear(&provider);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_good_answer_takes_the_place_of_the_last_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
