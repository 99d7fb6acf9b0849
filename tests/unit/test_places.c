/* Tests service/checks/places.c: which pages of a configuration are looked at, and by which URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

#include "files.h"
#include "service/base/error.h"
#include "service/checks/places.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "temp_dir.h"

enum { NOW_S = 1795000000, CONFIG_MAX = 4096 };

static const char BRAND[] =
    "keys: keys\nbrands:\n"
    "  - name: acme\n    hosts: [go.acme.example]\n    base_url: https://go.acme.example\n"
    "    home: https://www.acme.example/\n"
    "    targets:\n";

struct made {
    char *dir;
    struct config *config;
    struct site *site;
};

/* A site of one brand with these targets, and `checks`. */
static struct made make(const char *targets, const char *checks)
{
    struct made made = {.dir = temp_dir_new()};
    struct error err = {0};
    char text[CONFIG_MAX], path[128];

    assert_non_null(made.dir);
    write_file_in(made.dir, "keys",
                  "1 mint 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
    snprintf(text, sizeof(text), "%s%s%s", BRAND, targets, checks);
    write_file_in(made.dir, "hopcount.yaml", text);
    snprintf(path, sizeof(path), "%s/hopcount.yaml", made.dir);
    made.site = site_load(path, &made.config, &err);
    if (!made.site)
        fail_msg("%s", err.text);
    return made;
}

static void unmake(struct made *made)
{
    site_unref(made->site);
    config_free(made->config);
    temp_dir_free(made->dir);
}

static struct places *list(const struct made *made, bool no_links)
{
    const struct places_options options = {
        .config = made->config, .site = made->site, .no_links = no_links};
    struct error err = {0};
    struct places *places = places_new(&options, &err);

    if (!places)
        fail_msg("%s", err.text);
    return places;
}

static const struct place *find(const struct places *places, const char *name, bool by_link)
{
    for (size_t i = 0; i < places->n; i++) {
        if (strcmp(places->items[i].name, name) == 0 && places->items[i].by_link == by_link)
            return &places->items[i];
    }
    return NULL;
}

static void assert_url(const struct places *places, const char *name, const char *url)
{
    const struct place *place = find(places, name, false);

    if (!place)
        fail_msg("no place '%s'", name);
    assert_string_equal(place->shown, url);
}

static void test_each_target_directly_and_by_a_link(void **state)
{
    struct made made = make(
        "      - { kind: 2, url: \"https://b.example/pay/{object}\" }\n"
        "      - { kind: 4, name: news, url: \"https://b.example/news\" }\n",
        "checks: { samples: [ { brand: acme, kind: pay, object: 77, must_contain: Due } ] }\n");
    struct places *places = list(&made, false);

    (void)state;
    assert_int_equal(places->n, 5);
    assert_url(places, "home", "https://www.acme.example/");
    assert_url(places, "pay", "https://b.example/pay/77");
    assert_string_equal(find(places, "pay", false)->must_contain, "Due");
    assert_url(places, "news", "https://b.example/news");
    assert_null(find(places, "news", false)->must_contain);
    assert_string_equal(find(places, "pay", true)->shown, "https://go.acme.example/…");
    assert_non_null(find(places, "news", true));
    for (size_t i = 0; i < places->n; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(places->items[i].id, places->items[j].id);
    }
    places_free(places);

    places = list(&made, true);
    assert_int_equal(places->n, 3);
    assert_null(find(places, "pay", true));
    places_free(places);
    unmake(&made);
}

static void test_a_target_without_its_sample_is_not_looked_at(void **state)
{
    struct made made = make("      - { kind: 2, url: \"https://b.example/pay/{object}\" }\n", "");
    struct places_options options = {.config = made.config, .site = made.site};
    struct places *places = list(&made, false);
    struct error err = {0};

    (void)state;
    assert_int_equal(places->n, 2);
    assert_true(find(places, "pay", false)->lacks_sample);
    assert_null(find(places, "pay", true));
    places_free(places);

    options.has_fallback = true;
    options.object = 5;
    places = places_new(&options, &err);
    assert_non_null(places);
    assert_url(places, "pay", "https://b.example/pay/5");
    assert_non_null(find(places, "pay", true));
    places_free(places);

    options.only_brand = "globex";
    places = places_new(&options, &err);
    assert_non_null(places);
    assert_int_equal(places->n, 0);
    places_free(places);
    unmake(&made);
}

static void test_rules_and_states(void **state)
{
    struct made made =
        make("      - kind: 2\n        url: \"https://b.example/pay/{object}\"\n"
             "        rules:\n"
             "          - { country: [AT], url: \"https://at.example/{object}\" }\n"
             "          - { language: [de], url: \"https://de.example/{object}\" }\n"
             "          - { variant: [B], url: \"https://b.example/b/{object}\" }\n"
             "          - { device: [phone], url: \"https://at.example/{object}\" }\n"
             "        when: { paid: \"https://b.example/thanks/{object}\", cancelled: page }\n",
             "checks: { samples: [ { brand: acme, kind: pay, object: 77 } ] }\n");
    struct places *places = list(&made, false);

    (void)state;
    assert_url(places, "pay", "https://b.example/pay/77");
    assert_url(places, "pay rules[0]", "https://at.example/77");
    assert_url(places, "pay rules[1]", "https://de.example/77");
    assert_string_equal(find(places, "pay rules[1]", false)->language, "de");
    assert_url(places, "pay rules[2]", "https://b.example/b/77");
    /* A link can't make its reader come from a country or hold a phone. */
    assert_null(find(places, "pay rules[0]", true));
    assert_non_null(find(places, "pay rules[1]", true));
    assert_non_null(find(places, "pay rules[2]", true));
    assert_null(find(places, "pay rules[3]", false)); /* the page of rules[0] */
    assert_url(places, "pay when paid", "https://b.example/thanks/77");
    assert_null(find(places, "pay when paid", true));
    assert_null(find(places, "pay when cancelled", false)); /* a page of ours */
    places_free(places);
    unmake(&made);
}

static void test_a_secret_is_fresh_and_hidden(void **state)
{
    struct made made =
        make("      - { kind: 2, url: \"https://b.example/pay?t={token}&i={object}\" }\n",
             "checks: { samples: [ { brand: acme, kind: pay, object: 77 } ] }\n");
    struct places *places = list(&made, false);
    char url[PLACE_URL_MAX], secret[TOKEN_TEXT_MAX + 1], shown[PLACE_URL_MAX + 8];
    struct token token;

    (void)state;
    for (int by_link = 0; by_link < 2; by_link++) {
        const struct place *place = find(places, "pay", by_link);
        struct probe probe = {0};

        assert_non_null(place);
        assert_true(place_ask(places, place, NOW_S, url, secret, &probe));
        assert_ptr_equal(probe.url, url);
        assert_int_equal(probe.is_link, by_link);
        assert_non_null(strstr(url, secret));
        assert_int_equal(site_open_token(made.site, place->brand, slice_of(secret), &token),
                         TOKEN_OK);
        assert_true(token.silent);
        assert_int_equal(token.object, 77);
        assert_int_equal(token.issued_min, (NOW_S - TOKEN_EPOCH_S) / 60);
        place_hide(url, secret, shown, sizeof(shown));
        assert_null(strstr(shown, secret));
        assert_string_equal(shown, place->shown);
    }
    assert_string_equal(find(places, "pay", false)->shown, "https://b.example/pay?t=…&i=77");
    place_hide("https://b.example/", "", shown, sizeof(shown));
    assert_string_equal(shown, "https://b.example/");
    places_free(places);
    unmake(&made);
}

static void test_samples_that_fit_nothing(void **state)
{
    static const struct {
        const char *sample, *says;
    } cases[] = {
        {"{ brand: acme, kind: renew, object: 1 }",
         "checks.samples[0].kind: brand 'acme' has no kind 'renew'"},
        {"{ brand: acme, kind: pay }",
         "checks.samples[0].object: is missing; the target of 'pay' has {object}"},
        {"{ brand: acme, kind: sso, client: 5 }",
         "checks.samples[0].arg: is missing; the target of 'sso' has {arg}"},
        {"{ brand: acme, kind: sso, arg: x }",
         "checks.samples[0].client: is missing; the target of 'sso' has {client}"},
        {"{ brand: acme, kind: home }", NULL},
        {"{ brand: acme, kind: pay, object: 1 }", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char checks[256];
        struct error err = {0};
        struct made made;
        bool ok;

        snprintf(checks, sizeof(checks), "checks: { samples: [ %s ] }\n", cases[i].sample);
        made = make("      - { kind: 2, url: \"https://b.example/pay/{object}\" }\n"
                    "      - { kind: 5, name: sso, url: \"https://b.example/s/{client}/{arg}\" }\n",
                    checks);
        print_message("%s\n", cases[i].sample);
        ok = places_check(made.config, made.site, &err);
        assert_int_equal(ok, cases[i].says == NULL);
        if (cases[i].says && !strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
        unmake(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_target_directly_and_by_a_link),
        cmocka_unit_test(test_a_target_without_its_sample_is_not_looked_at),
        cmocka_unit_test(test_rules_and_states),
        cmocka_unit_test(test_a_secret_is_fresh_and_hidden),
        cmocka_unit_test(test_samples_that_fit_nothing),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
