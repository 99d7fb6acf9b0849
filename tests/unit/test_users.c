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
            assert_ptr_equal(users_find_hash(users, role->hash, slice_of(cases[i].name)), role);
    }
    users_free(users);
}

/* So sessions end when something is changed that they depend on, and in no other case. */
static void who_may_do_the_same_as_before_stays_signed_in(void **state)
{
#define WITH(proxy, entries) TRUSTED "admin:\n" proxy "  users:\n" entries BRANDS
#define MALLORY "    - {user: mallory@acme.example, role: read, brands: [acme]}\n"
#define BOSSES "    - {group: bosses, role: admin}\n"
#define BOB "    - {user: Bob, role: name, brands: [globex, acme]}\n"
#define ANYBODY "    - {user: '*@acme.example', role: read}\n"
    static const struct {
        const char *name, *text;
        bool mallory, boss, bob, eve; /* stay; eve@acme.example came by `*` */
    } cases[] = {
        {"nothing", TABLE, true, true, true, true},
        {"something else", "log_level: debug\n" TABLE, true, true, true, true},
        {"another field", WITH("  proxy: {user_header: X-Use}\n", MALLORY BOSSES BOB ANYBODY),
         false, false, false, false},
        {"one is gone", WITH(PROXY, BOSSES BOB ANYBODY), false, true, true, true},
        {"one is new", WITH(PROXY, MALLORY "    - {user: Carol, role: admin}\n" BOSSES BOB ANYBODY),
         true, true, true, true},
        {"another order", WITH(PROXY, BOB MALLORY BOSSES ANYBODY), true, true, false, true},
        {"one has another role",
         WITH(PROXY,
              MALLORY BOSSES "    - {user: Bob, role: read, brands: [globex, acme]}\n" ANYBODY),
         true, true, false, true},
        {"one has other brands",
         WITH(PROXY, MALLORY BOSSES "    - {user: Bob, role: name, brands: [acme]}\n" ANYBODY),
         true, true, false, true},
        {"a group has another role",
         WITH(PROXY, MALLORY "    - {group: bosses, role: read}\n" BOB ANYBODY), true, false, true,
         true},
        {"one who came by `*` is named",
         WITH(PROXY, "    - {user: Eve@acme.example, role: read, "
                     "brands: [acme]}\n" MALLORY BOSSES BOB ANYBODY),
         true, true, true, false},
        {"one who came by `*` is named, and may do the same",
         WITH(PROXY, "    - {user: Eve@acme.example, role: read}\n" MALLORY BOSSES BOB ANYBODY),
         true, true, true, true},
        {"a group that somebody may be in comes first",
         WITH(PROXY, MALLORY "    - {group: staff, role: read}\n" BOSSES BOB ANYBODY), true, false,
         false, false},
        {"a group comes last",
         WITH(PROXY, MALLORY BOSSES BOB ANYBODY "    - {group: a, role: read}\n"), true, true, true,
         true},
    };
    const struct slice boss = slice_of("bosses");
    struct users *users = load(TABLE);
    const struct {
        const char *name;
        const struct users_role *role;
    } people[] = {
        {"mallory@acme.example", users_find(users, slice_of("mallory@acme.example"), NULL, 0)},
        {"alice@evil.example", users_find(users, slice_of("alice@evil.example"), &boss, 1)},
        {"Bob", users_find(users, slice_of("Bob"), NULL, 0)},
        {"eve@acme.example", users_find(users, slice_of("eve@acme.example"), NULL, 0)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bool stay[] = {cases[i].mallory, cases[i].boss, cases[i].bob, cases[i].eve};
        struct users *other = load(cases[i].text);

        print_message("%s\n", cases[i].name);
        for (size_t k = 0; k < sizeof(people) / sizeof(people[0]); k++) {
            const struct users_role *role =
                users_find_hash(other, people[k].role->hash, slice_of(people[k].name));

            print_message("  %s\n", people[k].name);
            assert_int_equal(role != NULL, stay[k]);
        }
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

static void a_proxy_that_names_people_is_no_network_of_strangers(void **state)
{
    static const struct {
        const char *networks;
        bool is_refused;
    } cases[] = {
        {"'0.0.0.0/0'", true},
        {"'::/0'", true},
        {"'::ffff:0.0.0.0/96'", true},
        {"'::/64'", true},
        {"[10.1.2.3, '0.0.0.0/0']", true},
        {"['0.0.0.0/1', '128.0.0.0/1']", true},
        {"'10.0.0.0/7'", true},
        {"'10.0.0.0/8'", false},
        {"'2000::/3'", true},
        {"'2000::/15'", true},
        {"'2001::/16'", false},
        {"'fc00::/6'", true},
        {"'fc00::/7'", false},
        {"'fd00::/8'", false},
        {"['10.1.2.3', '2001:db8::1']", false},
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned has_proxy = 0; has_proxy < 2; has_proxy++) {
            struct error err = {0};
            struct config *config;
            struct users *users;

            snprintf(text, sizeof(text), "public: {trusted_proxies: %s}\nadmin:\n%s" BRANDS,
                     cases[i].networks,
                     has_proxy ? PROXY "  users: [{user: a, role: admin}]\n"
                               : "  listen: 127.0.0.1:8081\n");
            print_message("%s%s\n", cases[i].networks, has_proxy ? ", names people" : "");
            config = parse(text);
            users = users_new(config, &err);
            assert_int_equal(users == NULL, cases[i].is_refused && has_proxy);
            if (!users) {
                assert_non_null(strstr(err.text, "/etc/hopcount.yaml:1: public.trusted_proxies: "));
                assert_non_null(strstr(err.text, "admin.proxy"));
                assert_non_null(strstr(err.text, "own address"));
            }
            users_free(users);
            config_free(config);
        }
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
        cmocka_unit_test(who_may_do_the_same_as_before_stays_signed_in),
        cmocka_unit_test(a_table_that_lets_nobody_in_or_is_ambiguous_is_refused),
        cmocka_unit_test(a_proxy_that_names_people_is_no_network_of_strangers),
        cmocka_unit_test(names_are_printable_and_not_too_long),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
