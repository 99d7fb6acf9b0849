#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/token.h"
#include "service/admin/session.h"
#include "tests/unit/token_ring.h"

enum { NOW_S = 1800000000 };

static const struct apikey key = {.name = "marketing", .hash = {1, 2, 3}};
/* Of an API key, and of people with the shortest and the longest name. */
#define TEN "0123456789"
#define LONGEST TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "@a.example"
_Static_assert(sizeof(LONGEST) - 1 == USERS_NAME_MAX, "that isn't the longest name");
static const char *const users[] = {"", "a", LONGEST};

enum { N_USERS = sizeof(users) / sizeof(users[0]) };

static void a_session_opens_until_it_is_over(void **state)
{
    const struct {
        const char *name;
        int64_t used_after_s, after_s;
        bool want;
    } cases[] = {
        {"at once", 0, 0, true},
        {"by a pod whose clock is behind", 0, -SESSION_AHEAD_S, true},
        {"from the future", 0, -SESSION_AHEAD_S - 1, false},
        {"a moment before it was idle for too long", 0, SESSION_IDLE_S - 1, true},
        {"idle for too long", 0, SESSION_IDLE_S, false},
        {"used since", SESSION_LIFE_S - 100, SESSION_LIFE_S - 1, true},
        {"used since, but too old", SESSION_LIFE_S - 100, SESSION_LIFE_S, false},
    };
    struct token_keyring *ring = make_ring(7, TOKEN_KEY_MINT, 1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[SESSION_TEXT_MAX + 1];
        struct session session, opened;

        print_message("%s\n", cases[i].name);
        session_start(&session, key.hash, users[i % N_USERS], NOW_S);
        session.used_s += cases[i].used_after_s;
        assert_true(session_seal(&session, ring, text));
        assert_int_equal(session_open(&opened, ring, slice_of(text), NOW_S + cases[i].after_s),
                         cases[i].want);
        if (!cases[i].want)
            continue;
        assert_memory_equal(opened.id, session.id, sizeof(session.id));
        assert_memory_equal(opened.key_hash, key.hash, sizeof(key.hash));
        assert_string_equal(opened.user, users[i % N_USERS]);
        assert_int_equal(opened.started_s, session.started_s);
        assert_int_equal(opened.used_s, session.used_s);
        assert_string_equal(opened.csrf, session.csrf);
        assert_int_equal(strlen(opened.csrf), SESSION_CSRF_LEN);
    }
    free(ring);
}

static void each_session_is_another(void **state)
{
    struct session one, other;

    (void)state;
    session_start(&one, key.hash, "", NOW_S);
    session_start(&other, key.hash, "", NOW_S);
    assert_memory_not_equal(one.id, other.id, sizeof(one.id));
    assert_string_not_equal(one.csrf, other.csrf);
}

/* Each byte changed, each length, and the same text under other keys. */
static void check_that_only_the_whole_text_opens(const char *user)
{
    struct token_keyring *ring = make_ring(7, TOKEN_KEY_MINT, 1);
    struct token_keyring *others[] = {
        make_ring(7, TOKEN_KEY_MINT, 2), make_ring(8, TOKEN_KEY_MINT, 1),
        make_ring(7, TOKEN_KEY_REVOKED, 1), make_ring(0, TOKEN_KEY_ABSENT, 0)};
    char text[SESSION_TEXT_MAX + 1], changed[SESSION_TEXT_MAX + 2];
    struct token_keyring *verifying = make_ring(7, TOKEN_KEY_VERIFY, 1);
    struct session session;
    size_t len;

    session_start(&session, key.hash, user, NOW_S);
    assert_true(session_seal(&session, ring, text));
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, text, len + 1);
        changed[i] = text[i] == 'A' ? 'B' : 'A';
        assert_false(session_open(&session, ring, slice_of(changed), NOW_S));
        assert_false(session_open(&session, ring, slice_make(text, i), NOW_S));
    }
    memcpy(changed, text, len);
    memcpy(changed + len, "A", 2);
    assert_false(session_open(&session, ring, slice_of(changed), NOW_S));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(session_open(&session, others[i], slice_of(text), NOW_S));
        free(others[i]);
    }
    assert_true(session_open(&session, verifying, slice_of(text), NOW_S));
    free(verifying);
    free(ring);
}

static void only_the_whole_text_under_its_key_opens(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_USERS; i++)
        check_that_only_the_whole_text_opens(users[i]);
}

static void without_a_key_nothing_is_sealed(void **state)
{
    struct token_keyring *none = make_ring(0, TOKEN_KEY_ABSENT, 0);
    struct token_keyring *revoked = make_ring(3, TOKEN_KEY_REVOKED, 1);
    char text[SESSION_TEXT_MAX + 1];
    struct session session;

    (void)state;
    session_start(&session, key.hash, "", NOW_S);
    assert_false(session_seal(&session, none, text));
    assert_false(session_seal(&session, revoked, text));
    free(none);
    free(revoked);
}

static void a_session_is_signed_out_for_as_long_as_its_cookie_opens(void **state)
{
    struct sessions_signed_out *out = sessions_signed_out_new();
    static struct session sessions[SESSIONS_SIGNED_OUT_MAX + 1];

    (void)state;
    assert_non_null(out);
    for (int i = 0; i <= SESSIONS_SIGNED_OUT_MAX; i++) {
        session_start(&sessions[i], key.hash, "", NOW_S);
        assert_false(sessions_is_signed_out(out, &sessions[i]));
        sessions_sign_out(out, &sessions[i], NOW_S + i);
        assert_true(sessions_is_signed_out(out, &sessions[i]));
    }
    /* The table is full: the oldest has given way, no other. */
    assert_false(sessions_is_signed_out(out, &sessions[0]));
    assert_true(sessions_is_signed_out(out, &sessions[1]));
    sessions_signed_out_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_opens_until_it_is_over),
        cmocka_unit_test(each_session_is_another),
        cmocka_unit_test(only_the_whole_text_under_its_key_opens),
        cmocka_unit_test(without_a_key_nothing_is_sealed),
        cmocka_unit_test(a_session_is_signed_out_for_as_long_as_its_cookie_opens),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
