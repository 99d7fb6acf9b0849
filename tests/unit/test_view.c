#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/token.h"
#include "proto/view.h"

#define NOW_S INT64_C(1795348800)

static struct token_keyring ring;
static const uint8_t id[VIEW_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

static void test_who_may_open_it(void **state)
{
    const struct token link = {.kid = 1, .link_id = 77}, other = {.kid = 1, .link_id = 78},
                       by_other_key = {.kid = 2, .link_id = 77};
    const struct {
        const char *name, *brand;
        const struct token *token;
        int64_t after_s;
        enum view_status want;
    } cases[] = {
        {"at once", "acme", &link, 0, VIEW_OK},
        {"in the last minute", "acme", &link, 3599, VIEW_OK},
        {"after an hour", "acme", &link, 3600, VIEW_EXPIRED},
        {"for another link", "acme", &other, 0, VIEW_FOREIGN},
        {"for another link, late", "acme", &other, 9999, VIEW_FOREIGN},
        {"for a link of another key", "acme", &by_other_key, 0, VIEW_FOREIGN},
        {"for another brand", "acne", &link, 0, VIEW_FOREIGN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[VIEW_TEXT_LEN];
        uint8_t got[VIEW_ID_LEN] = {0};

        print_message("%s\n", cases[i].name);
        view_seal(&ring, slice_of("acme"), &link, NOW_S, id, text);
        assert_int_equal(view_open(&ring, slice_of(cases[i].brand), cases[i].token,
                                   NOW_S + cases[i].after_s, slice_make(text, sizeof(text)), got),
                         cases[i].want);
        assert_int_equal(memcmp(got, id, VIEW_ID_LEN) == 0, cases[i].want == VIEW_OK);
    }
}

/* Made by another implementation, from FORMATS.md alone. */
static void test_vector(void **state)
{
    const struct token link = {.kid = 1, .link_id = 77};
    char text[VIEW_TEXT_LEN];

    (void)state;
    view_seal(&ring, slice_of("acme"), &link, 0, id, text);
    assert_memory_equal(text, "00000f01081g81860w47zh1dn6m1kpyq7s1mfarp6xggp", VIEW_TEXT_LEN);
}

static void test_changed_texts(void **state)
{
    const struct token link = {.kid = 1, .link_id = 77};
    char text[VIEW_TEXT_LEN + 1], changed[VIEW_TEXT_LEN + 1];
    uint8_t got[VIEW_ID_LEN];

    (void)state;
    view_seal(&ring, slice_of("acme"), &link, NOW_S, id, text);
    text[VIEW_TEXT_LEN] = '0';
    for (size_t i = 0; i < VIEW_TEXT_LEN; i++) {
        memcpy(changed, text, sizeof(changed));
        changed[i] = changed[i] == 'z' ? 'y' : 'z';
        assert_int_equal(view_open(&ring, slice_of("acme"), &link, NOW_S,
                                   slice_make(changed, VIEW_TEXT_LEN), got),
                         VIEW_FOREIGN);
    }
    for (size_t len = 0; len <= VIEW_TEXT_LEN + 1; len++)
        assert_int_equal(
            view_open(&ring, slice_of("acme"), &link, NOW_S, slice_make(text, len), got),
            len == VIEW_TEXT_LEN ? VIEW_OK : VIEW_FOREIGN);
    assert_int_equal(view_open(&ring, slice_of("acme"), &link, NOW_S, slice_make(NULL, 0), got),
                     VIEW_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_open_it),
        cmocka_unit_test(test_vector),
        cmocka_unit_test(test_changed_texts),
    };
    static const uint8_t keys[2][TOKEN_KEY_LEN] = {{1}, {2}};

    if (sodium_init() < 0)
        return 1;
    token_keyring_init(&ring);
    token_keyring_set(&ring, 1, TOKEN_KEY_MINT, keys[0]);
    token_keyring_set(&ring, 2, TOKEN_KEY_VERIFY, keys[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
