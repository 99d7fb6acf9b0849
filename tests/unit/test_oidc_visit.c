#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/token.h"
#include "service/admin/oidc_visit.h"

enum { NOW_S = 1800000000, LIFE_S = 600 };

static struct token_keyring *make_ring(uint8_t first)
{
    struct token_keyring *ring = calloc(1, sizeof(*ring));
    const uint8_t secret[TOKEN_KEY_LEN] = {first};

    assert_non_null(ring);
    token_keyring_init(ring);
    token_keyring_set(ring, 7, TOKEN_KEY_MINT, secret);
    return ring;
}

static void what_was_sealed_opens_until_it_is_too_old(void **state)
{
    struct token_keyring *ring = make_ring(1), *other = make_ring(2);
    char view[OIDC_VISIT_VIEW_MAX + 2], text[OIDC_VISIT_TEXT_MAX + 1];
    struct oidc_visit visit, opened;

    (void)state;
    memset(view, 'x', sizeof(view));
    for (size_t len = 0; len <= OIDC_VISIT_VIEW_MAX + 1; len += OIDC_VISIT_VIEW_MAX) {
        oidc_visit_start(&visit, slice_make(view, len), NOW_S);
        assert_int_equal(strlen(visit.view), len);
        assert_true(oidc_visit_seal(&visit, ring, text));
        assert_true(oidc_visit_open(&opened, ring, slice_of(text), NOW_S + LIFE_S - 1, LIFE_S));
        assert_memory_equal(&opened, &visit, sizeof(visit));
        assert_false(oidc_visit_open(&opened, ring, slice_of(text), NOW_S + LIFE_S, LIFE_S));
        assert_false(oidc_visit_open(&opened, ring, slice_of(text), NOW_S - 301, LIFE_S));
        assert_false(oidc_visit_open(&opened, other, slice_of(text), NOW_S, LIFE_S));
        for (size_t i = 0; i < strlen(text); i++)
            assert_false(oidc_visit_open(&opened, ring, slice_make(text, i), NOW_S, LIFE_S));
    }
    assert_false(oidc_visit_open(&opened, ring, (struct slice){0}, NOW_S, LIFE_S));
    free(ring);
    free(other);
}

static void each_visit_has_secrets_of_its_own(void **state)
{
    struct oidc_visit one, other;

    (void)state;
    oidc_visit_start(&one, (struct slice){0}, NOW_S);
    oidc_visit_start(&other, (struct slice){0}, NOW_S);
    assert_string_not_equal(one.state, other.state);
    assert_string_not_equal(one.nonce, other.nonce);
    assert_string_not_equal(one.verifier, other.verifier);
    assert_string_not_equal(one.state, one.nonce);
    assert_string_not_equal(one.nonce, one.verifier);
    assert_true(oidc_visit_has_state(&one, slice_of(one.state)));
    assert_false(oidc_visit_has_state(&one, slice_of(other.state)));
    assert_false(oidc_visit_has_state(&one, slice_make(one.state, 42)));
    assert_false(oidc_visit_has_state(&one, (struct slice){0}));
}

static void a_view_is_an_address_of_the_dashboard_or_none(void **state)
{
    static const struct {
        const char *view;
        bool want;
    } cases[] = {
        {"campaigns?from=7d&brand=acme%20x", true},
        {"?from=2026-01-01T00:00Z,+1", true},
        {"", true},
        {"/v1/session", false},
        {"//evil.example", false},
        {"https://evil.example", false},
        {"a\r\nb", false},
        {"a b", false},
        {"a#b", false},
        {"a\\b", false},
        {"\xc3\xa4", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct oidc_visit visit;

        print_message("%s\n", cases[i].view);
        oidc_visit_start(&visit, slice_of(cases[i].view), NOW_S);
        assert_string_equal(visit.view, cases[i].want ? cases[i].view : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens_until_it_is_too_old),
        cmocka_unit_test(each_visit_has_secrets_of_its_own),
        cmocka_unit_test(a_view_is_an_address_of_the_dashboard_or_none),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
