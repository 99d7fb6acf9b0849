#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/users.h"

#define BRANDS                                                                          \
    "keys: keys\nbrands:\n"                                                             \
    "  - {name: acme, hosts: [go.acme.example], base_url: 'https://go.acme.example'}\n" \
    "  - {name: globex, hosts: [go.globex.example], base_url: 'https://go.globex.example'}\n"
#define PROXY "  proxy: {user_header: X-User, groups_header: X-Groups}\n"
#define TRUSTED "public: {trusted_proxies: [10.0.0.0/8]}\n"
#define TABLE                                                                  \
    TRUSTED "admin:\n" PROXY "  users:\n"                                      \
            "    - {user: mallory@acme.example, role: read, brands: [acme]}\n" \
            "    - {group: bosses, role: admin}\n"                             \
            "    - {user: Bob, role: name, brands: [globex, acme]}\n"          \
            "    - {user: '*@acme.example', role: read}\n" BRANDS

static struct config *parse(const char *text)
{
    struct error err = {0};
    struct config *config = config_parse("/etc/hopcount.yaml", text, strlen(text), &err);

    if (!config)
        print_message("%s\n", err.text);
    assert_non_null(config);
    return config;
}

static struct users *load(const char *text)
{
    struct error err = {0};
    struct config *config = parse(text);
    struct users *users = users_new(config, &err);

    assert_non_null(users);
    config_free(config);
    return users;
}

static void the_first_entry_that_fits_counts(void **state)
{
    const unsigned all =
        APIKEY_STATS_READ | APIKEY_LINKS_WRITE | APIKEY_EVENTS_WRITE | APIKEY_ADMIN;
    const struct {
        const char *name, *group;
        unsigned scopes; /* 0 = nobody */
        const char *brands;
    } cases[] = {
        {"mallory@acme.example", "bosses", APIKEY_STATS_READ, "acme"},
        {"MALLORY@Acme.example", NULL, APIKEY_STATS_READ, "acme"},
        {"eve@evil.example", "bosses", all, NULL},
        {"eve@evil.example", "Bosses", 0, NULL},
        {"eve@evil.example", "boss", 0, NULL},
        {"eve@evil.example", NULL, 0, NULL},
        {"Bob", NULL, APIKEY_STATS_READ | APIKEY_LINKS_WRITE, "globex,acme"},
        {"bob", NULL, 0, NULL}, /* it is no address */
        {"Bob2", NULL, 0, NULL},
        {"eve@acme.example", NULL, APIKEY_STATS_READ, NULL},
        {"eve@evil-acme.example", NULL, 0, NULL},
        {"eve@acme.example.evil.example", NULL, 0, NULL},
        {"@acme.example", NULL, 0, NULL},
        {"", NULL, 0, NULL},
    };
    struct users *users = load(TABLE);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice group = slice_of(cases[i].group);
        const struct users_role *role =
            users_find(users, slice_of(cases[i].name), &group, cases[i].group != NULL);

        print_message("%s, %s\n", cases[i].name, cases[i].group ? cases[i].group : "-");
        assert_int_equal(role ? role->scopes : 0, cases[i].scopes);
        if (role && cases[i].brands)
            assert_string_equal(role->brands, cases[i].brands);
        else if (role)
            assert_null(role->brands);
        if (role)
            assert_ptr_equal(users_find_hash(users, role->hash), role);
    }
    users_free(users);
}

/* So sessions end when something is changed that they depend on, and in no other case. */
static void each_change_gives_the_entries_other_hashes(void **state)
{
    static const struct {
        const char *name, *text;
        bool same;
    } cases[] = {
        {"nothing", TABLE, true},
        {"something else", "log_level: debug\n" TABLE, true},
        {"another field",
         TRUSTED "admin:\n  proxy: {user_header: X-Use}\n  users:\n"
                 "    - {user: mallory@acme.example, role: read, brands: [acme]}\n" BRANDS,
         false},
        {"an entry less",
         TRUSTED "admin:\n" PROXY "  users:\n"
                 "    - {user: mallory@acme.example, role: read, brands: [acme]}\n" BRANDS,
         false},
    };
    struct users *users = load(TABLE);
    const struct users_role *role = users_find(users, slice_of("mallory@acme.example"), NULL, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct users *other = load(cases[i].text);

        print_message("%s\n", cases[i].name);
        assert_int_equal(users_find_hash(other, role->hash) != NULL, cases[i].same);
        users_free(other);
    }
    users_free(users);
}

static void a_table_that_lets_nobody_in_or_is_ambiguous_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {TRUSTED "admin:\n" PROXY BRANDS, "nobody could sign in"},
        {"admin:\n" PROXY "  users: [{user: a, role: read}]\n" BRANDS, "public.trusted_proxies"},
        {TRUSTED "admin:\n  users: [{user: a, role: read}]\n" BRANDS, "nothing says who"},
        {TRUSTED "admin:\n  proxy: {groups_header: X-G}\n" BRANDS, "user_header is missing"},
        {TRUSTED "admin:\n" PROXY "  users: [{role: read}]\n" BRANDS, "a user or a group"},
        {TRUSTED "admin:\n" PROXY "  users: [{user: a, group: b, role: read}]\n" BRANDS,
         "a user or a group"},
        {TRUSTED "admin:\n" PROXY "  users: [{user: a, role: read, brands: [x]}]\n" BRANDS,
         "admin.users[0].brands: there is no brand 'x'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        struct config *config = parse(cases[i].text);

        assert_null(users_new(config, &err));
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_non_null(strstr(err.text, "/etc/hopcount.yaml:"));
        config_free(config);
    }
}

static void names_are_printable_and_not_too_long(void **state)
{
    char name[USERS_NAME_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_true(config_is_person(slice_make(name, 1)));
    assert_true(config_is_person(slice_make(name, USERS_NAME_MAX)));
    assert_false(config_is_person(slice_make(name, USERS_NAME_MAX + 1)));
    assert_false(config_is_person(slice_make(name, 0)));
    for (int c = 0; c < 256; c++) {
        bool want = c > ' ' && c <= '~' && c != ',' && c != '"' && c != '\\';

        name[1] = (char)c;
        assert_int_equal(config_is_person(slice_make(name, 3)), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_entry_that_fits_counts),
        cmocka_unit_test(each_change_gives_the_entries_other_hashes),
        cmocka_unit_test(a_table_that_lets_nobody_in_or_is_ambiguous_is_refused),
        cmocka_unit_test(names_are_printable_and_not_too_long),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
