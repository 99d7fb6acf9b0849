#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "service/admin/session.h"

enum { NOW_MS = 1000 };

static const struct apikey key = {.name = "marketing", .hash = {1, 2, 3}};

static struct slice id_slice(const char *id)
{
    return slice_make(id, SESSION_ID_LEN);
}

static void a_session_is_found_by_its_id_until_it_is_over(void **state)
{
    const int64_t life_ms = (int64_t)SESSION_LIFE_S * 1000;
    const struct {
        const char *name;
        int64_t used_every_ms, at_ms;
        bool want;
    } cases[] = {
        {"at once", 0, NOW_MS, true},
        {"a moment before it was idle for too long", 0, NOW_MS + SESSION_IDLE_MS - 1, true},
        {"idle for too long", 0, NOW_MS + SESSION_IDLE_MS, false},
        {"used again and again", SESSION_IDLE_MS / 2, NOW_MS + life_ms - 1, true},
        {"used again and again, but too old", SESSION_IDLE_MS / 2, NOW_MS + life_ms, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sessions *sessions = sessions_new();
        char id[SESSION_ID_LEN + 1];

        print_message("%s\n", cases[i].name);
        sessions_open(sessions, &key, NOW_MS, id);
        for (int64_t t = NOW_MS; cases[i].used_every_ms && t < cases[i].at_ms - 1;
             t += cases[i].used_every_ms)
            assert_non_null(sessions_find(sessions, id_slice(id), t));
        assert_int_equal(sessions_find(sessions, id_slice(id), cases[i].at_ms) != NULL,
                         cases[i].want);
        sessions_free(sessions);
    }
}

static void only_the_whole_id_finds_a_session(void **state)
{
    struct sessions *sessions = sessions_new();
    char id[SESSION_ID_LEN + 1], other[SESSION_ID_LEN + 1];
    struct session *session = sessions_open(sessions, &key, NOW_MS, id);

    (void)state;
    assert_string_equal(session->key_name, "marketing");
    assert_memory_equal(session->key_hash, key.hash, sizeof(key.hash));
    assert_string_not_equal(session->csrf, id);
    memcpy(other, id, sizeof(id));
    other[SESSION_ID_LEN - 1] = other[SESSION_ID_LEN - 1] == '0' ? '1' : '0';
    assert_null(sessions_find(sessions, id_slice(other), NOW_MS));
    assert_null(sessions_find(sessions, slice_make(id, SESSION_ID_LEN - 1), NOW_MS));
    assert_null(sessions_find(sessions, (struct slice){0}, NOW_MS));
    session = sessions_find(sessions, id_slice(id), NOW_MS);
    assert_non_null(session);
    session_close(session);
    assert_null(sessions_find(sessions, id_slice(id), NOW_MS));
    sessions_free(sessions);
}

/* A key of its own, so that no key has too many. */
static struct apikey key_of(int i)
{
    return (struct apikey){.name = "k", .hash = {(uint8_t)(i / SESSIONS_PER_KEY_MAX), 1}};
}

static void a_full_table_gives_up_the_one_unused_the_longest(void **state)
{
    struct sessions *sessions = sessions_new();
    static char ids[SESSIONS_MAX + 1][SESSION_ID_LEN + 1];
    const int64_t later_ms = NOW_MS + SESSIONS_MAX;

    (void)state;
    for (int i = 0; i < SESSIONS_MAX; i++) {
        const struct apikey own = key_of(i);

        sessions_open(sessions, &own, NOW_MS + i, ids[i]);
    }
    assert_non_null(sessions_find(sessions, id_slice(ids[0]), later_ms));
    sessions_open(sessions, &key, later_ms, ids[SESSIONS_MAX]);
    assert_non_null(sessions_find(sessions, id_slice(ids[0]), later_ms));
    assert_null(sessions_find(sessions, id_slice(ids[1]), later_ms));
    assert_non_null(sessions_find(sessions, id_slice(ids[2]), later_ms));
    assert_non_null(sessions_find(sessions, id_slice(ids[SESSIONS_MAX]), later_ms));
    sessions_free(sessions);
}

static void the_sessions_of_one_key_end_no_others(void **state)
{
    struct sessions *sessions = sessions_new();
    const struct apikey other = {.name = "admin", .hash = {9}};
    static char ids[SESSIONS_MAX][SESSION_ID_LEN + 1];
    char id[SESSION_ID_LEN + 1];

    (void)state;
    sessions_open(sessions, &other, NOW_MS, id);
    for (int i = 0; i < SESSIONS_MAX; i++)
        sessions_open(sessions, &key, NOW_MS + 1 + i, ids[i]);
    assert_non_null(sessions_find(sessions, id_slice(id), NOW_MS + SESSIONS_MAX));
    for (int i = 0; i < SESSIONS_MAX; i++)
        assert_int_equal(sessions_find(sessions, id_slice(ids[i]), NOW_MS + SESSIONS_MAX) != NULL,
                         i >= SESSIONS_MAX - SESSIONS_PER_KEY_MAX);
    sessions_free(sessions);
}

static void a_look_at_a_session_does_not_use_it(void **state)
{
    struct sessions *sessions = sessions_new();
    char id[SESSION_ID_LEN + 1];

    (void)state;
    sessions_open(sessions, &key, NOW_MS, id);
    assert_non_null(sessions_peek(sessions, id_slice(id), NOW_MS + SESSION_IDLE_MS - 1));
    assert_null(sessions_peek(sessions, id_slice(id), NOW_MS + SESSION_IDLE_MS));
    assert_null(sessions_find(sessions, id_slice(id), NOW_MS + SESSION_IDLE_MS));
    sessions_free(sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_found_by_its_id_until_it_is_over),
        cmocka_unit_test(only_the_whole_id_finds_a_session),
        cmocka_unit_test(a_full_table_gives_up_the_one_unused_the_longest),
        cmocka_unit_test(the_sessions_of_one_key_end_no_others),
        cmocka_unit_test(a_look_at_a_session_does_not_use_it),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
