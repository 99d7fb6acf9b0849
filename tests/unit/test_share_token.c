#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/token.h"
#include "service/admin/share_token.h"
#include "tests/unit/token_ring.h"

enum { NOW_S = 1800000000 };

static const struct share_token token = {
    .id = "0123456789abcdef", .brand = 0x01020304, .expires_s = NOW_S + 86400, .maker = {1, 2, 3}};

static void a_text_opens_where_its_key_is_until_it_expires(void **state)
{
    const struct {
        const char *name;
        uint8_t kid, first;
        enum token_key_state state;
        int64_t after_s;
        bool want;
    } cases[] = {
        {"at once", 7, 1, TOKEN_KEY_MINT, 0, true},
        {"with a key that only verifies by now", 7, 1, TOKEN_KEY_VERIFY, 0, true},
        {"a second before it expires", 7, 1, TOKEN_KEY_MINT, 86399, true},
        {"on the second", 7, 1, TOKEN_KEY_MINT, 86400, false},
        {"with a key that was revoked", 7, 1, TOKEN_KEY_REVOKED, 0, false},
        {"with another key of that kid", 7, 2, TOKEN_KEY_MINT, 0, false},
        {"without a key of that kid", 8, 1, TOKEN_KEY_MINT, 0, false},
    };
    struct token_keyring *maker = make_ring(7, TOKEN_KEY_MINT, 1);
    char text[SHARE_TEXT_MAX + 1];

    (void)state;
    assert_true(share_token_seal(&token, maker, text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token_keyring *ring = make_ring(cases[i].kid, cases[i].state, cases[i].first);
        struct share_token opened;

        print_message("%s\n", cases[i].name);
        assert_int_equal(share_token_open(&opened, ring, slice_of(text), NOW_S + cases[i].after_s),
                         cases[i].want);
        if (cases[i].want) {
            assert_string_equal(opened.id, token.id);
            assert_int_equal(opened.brand, token.brand);
            assert_int_equal(opened.expires_s, token.expires_s);
            assert_memory_equal(opened.maker, token.maker, sizeof(token.maker));
        }
        free(ring);
    }
    free(maker);
}

static void no_changed_text_opens(void **state)
{
    struct token_keyring *ring = make_ring(7, TOKEN_KEY_MINT, 1);
    char text[SHARE_TEXT_MAX + 1], changed[SHARE_TEXT_MAX + 2];
    struct share_token opened;
    size_t len;

    (void)state;
    assert_true(share_token_seal(&token, ring, text));
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, text, len + 1);
        changed[i] = text[i] == 'A' ? 'B' : 'A';
        assert_false(share_token_open(&opened, ring, slice_of(changed), NOW_S));
        assert_false(share_token_open(&opened, ring, slice_make(text, i), NOW_S));
    }
    snprintf(changed, sizeof(changed), "%sA", text);
    assert_false(share_token_open(&opened, ring, slice_of(changed), NOW_S));
    assert_false(share_token_is(slice_of("hc_abc")));
    free(ring);
}

static void without_a_key_nothing_is_sealed(void **state)
{
    struct token_keyring *ring = make_ring(0, TOKEN_KEY_MINT, 1);
    char text[SHARE_TEXT_MAX + 1];

    (void)state;
    assert_false(share_token_seal(&token, ring, text));
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_opens_where_its_key_is_until_it_expires),
        cmocka_unit_test(no_changed_text_opens),
        cmocka_unit_test(without_a_key_nothing_is_sealed),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
