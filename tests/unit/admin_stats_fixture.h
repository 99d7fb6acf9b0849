/* admin_stats_fixture.h - sites of one brand and of two, and queries of them. */
#ifndef TESTS_ADMIN_STATS_FIXTURE_H
#define TESTS_ADMIN_STATS_FIXTURE_H
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
#include "proto/click.h"
#include "service/admin/stats/stats_write.h"
#include "service/base/error.h"
#include "service/base/zone.h"
#include "service/config/config.h"
#include "service/config/site.h"
#include "temp_dir.h"

static const char ONE_BRAND[] =
    "keys: keys\nbrands:\n"
    "  - name: acme\n    hosts: [go.acme.example]\n    base_url: https://go.acme.example\n"
    "    preset: whmcs\n    billing_url: https://billing.acme.example\n"
    "    targets:\n      - { kind: 4, name: renew, url: \"https://billing.acme.example/r\" }\n";
static const char OTHER_BRAND[] =
    "  - name: globex\n    hosts: [go.globex.example]\n    base_url: https://go.globex.example\n"
    "    preset: whmcs\n    billing_url: https://billing.globex.example\n"
    "    targets:\n      - { kind: 4, name: book, url: \"https://billing.globex.example/b\" "
    "}\n";

static const char SAME_NAME[] =
    "  - name: globex\n    hosts: [go.globex.example]\n    base_url: https://go.globex.example\n"
    "    preset: whmcs\n    billing_url: https://billing.globex.example\n"
    "    targets:\n      - { kind: 5, name: renew, url: \"https://billing.globex.example/b\" "
    "}\n";

struct sites {
    struct site *one, *two;  /* of one brand, of two */
    struct site *same_names; /* of two that call different kinds the same */
};

static inline struct site *make_site(const char *dir, const char *brands, const char *more)
{
    struct error err = {0};
    struct config *config = NULL;
    struct site *site;
    char text[2048], path[128];

    snprintf(text, sizeof(text), "%s%s", brands, more);
    write_file_in(dir, "hopcount.yaml", text);
    snprintf(path, sizeof(path), "%s/hopcount.yaml", dir);
    site = site_load(path, &config, &err);
    if (!site)
        print_message("%s\n", err.text);
    assert_non_null(site);
    config_free(config);
    return site;
}

static inline int set_up(void **state)
{
    struct sites *sites = calloc(1, sizeof(*sites));
    char *dir = temp_dir_new();

    assert_true(sodium_init() >= 0);

    write_file_in(dir, "keys",
                  "1 mint 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    sites->one = make_site(dir, ONE_BRAND, "");
    sites->two = make_site(dir, ONE_BRAND, OTHER_BRAND);
    sites->same_names = make_site(dir, ONE_BRAND, SAME_NAME);
    temp_dir_free(dir);
    *state = sites;
    return 0;
}

static inline int tear_down(void **state)
{
    struct sites *sites = *state;

    site_unref(sites->one);
    site_unref(sites->two);
    site_unref(sites->same_names);
    free(sites);
    return 0;
}

static inline int64_t at(const char *text)
{
    int64_t time_s;

    assert_true(rfc3339_parse(slice_of(text), &time_s));
    return time_s;
}

static inline void take(struct stats_query *out, const char *text, const struct site *site,
                        struct query *query)
{
    const struct stats_asker asker = {.site = site, .now_s = at("2026-11-22T12:00:00Z")};
    struct stats_fault fault;
    struct slice bad;

    assert_int_equal(query_parse(slice_of(text), query, &bad), QUERY_OK);
    if (!stats_query_init(out, query, &asker, &fault)) {
        print_message("%s: %s\n", fault.list[0].parameter, fault.list[0].detail);
        fail();
    }
}

#endif
