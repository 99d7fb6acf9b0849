/* check: asks every target of every brand whether it still answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/number.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/checks/places.h"
#include "service/checks/probe.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum { PARALLEL = 8, WAIT_MS = 1000, SOON_DAYS = 14 };

enum {
    CHECK_CONFIG,
    CHECK_BRAND,
    CHECK_OBJECT,
    CHECK_CLIENT,
    CHECK_ARG,
    CHECK_DIRECT,
    CHECK_CA,
    CHECK_JSON
};

static const struct cli_option options[] = {
    [CHECK_CONFIG] = CONFIG_OPTION,
    [CHECK_BRAND] = {"brand", "NAME", "only this one", CLI_BRANDS, 0},
    [CHECK_OBJECT] = {"object", "N", "{object} of kinds without a sample in checks.samples (1)",
                      NULL, 0},
    [CHECK_CLIENT] = {"client", "N", "{client} of them (1)", NULL, 0},
    [CHECK_ARG] = {"arg", "TEXT", "{arg} of them (x)", NULL, 0},
    [CHECK_DIRECT] = {"direct", NULL, "only the pages themselves, no links", NULL, 0},
    [CHECK_CA] = {"ca", "FILE", "PEM file of the authorities that vouch (checks.tls_ca)", CLI_FILES,
                  0},
    [CHECK_JSON] = {"json", NULL, "a JSON object per line", NULL, 0},
};

/* A place, and what came of asking for it. */
struct asked {
    const struct place *place;
    struct probe probe;
    char url[PLACE_URL_MAX], secret[TOKEN_TEXT_MAX + 1];
};

struct checker {
    bool as_json;
    size_t n, n_down, n_later;
};

/* --- the answers --- */

static const char *hidden(const char *url, const struct asked *asked,
                          char out[static PLACE_URL_MAX])
{
    place_hide(url, asked->secret, out, PLACE_URL_MAX);
    return out;
}

static void print_asked(const struct asked *asked)
{
    static const char *const words[] = {"up", "?", "DOWN"};
    const struct probe *probe = &asked->probe;
    const struct place *place = asked->place;
    int64_t days = probe_days_left(probe->certificate_s, clock_wall_ms() / 1000);
    long status = probe->hops[probe->n_hops - 1].status;
    char url[PLACE_URL_MAX];

    printf("%-4s ", words[probe->verdict]);
    if (status != 0)
        printf("%3ld", status);
    else
        fputs("  -", stdout);
    printf(" %6" PRId64 " ms  %-12.*s %-18s %-6s %s\n", probe->time_ms,
           SLICE_ARG(place->brand->name), place->name, place->by_link ? "link" : "direct",
           hidden(asked->url, asked, url));
    for (unsigned i = 1; i < probe->n_hops; i++)
        printf("%20s%ld to %s\n", "", probe->hops[i - 1].status,
               hidden(probe->hops[i].url, asked, url));
    if (probe->why[0])
        printf("%20s%s\n", "", probe->why);
    if (probe->has_certificate && days < SOON_DAYS)
        printf("%20sa certificate expires in %" PRId64 " day%s\n", "", days, days == 1 ? "" : "s");
    fflush(stdout);
}

static json_t *redirects_json(const struct asked *asked)
{
    const struct probe *probe = &asked->probe;
    json_t *redirects = json_array();
    char url[PLACE_URL_MAX];

    for (unsigned i = 1; i < probe->n_hops; i++)
        json_array_append_new(redirects,
                              json_pack("{sI ss}", "status", (json_int_t)probe->hops[i - 1].status,
                                        "to", hidden(probe->hops[i].url, asked, url)));
    return redirects;
}

static void print_json(const struct asked *asked)
{
    const struct probe *probe = &asked->probe;
    const struct place *place = asked->place;
    long status = probe->hops[probe->n_hops - 1].status;
    char url[PLACE_URL_MAX];
    json_t *json = json_pack(
        "{ss% ss ss ss so ss sb so sI so so so}", "brand", place->brand->name.ptr,
        place->brand->name.len, "target", place->name, "way", place->by_link ? "link" : "direct",
        "url", hidden(asked->url, asked, url), "status",
        status ? json_integer(status) : json_null(), "verdict", probe_verdict_name(probe->verdict),
        "ok", (int)(probe->verdict != PROBE_DOWN), "redirects", redirects_json(asked), "time_ms",
        (json_int_t)probe->time_ms, "certificate_days",
        probe->has_certificate
            ? json_integer(probe_days_left(probe->certificate_s, clock_wall_ms() / 1000))
            : json_null(),
        "must_contain", place->must_contain ? json_string(place->must_contain) : json_null(), "why",
        probe->why[0] ? json_string(probe->why) : json_null());

    if (json && json_dumpf(json, stdout, 0) == 0)
        putchar('\n');
    json_decref(json);
    fflush(stdout);
}

/* A place has answered, or not. */
static void on_done(void *owner, struct probe *probe)
{
    struct checker *c = owner;
    const struct asked *asked = probe->owner;

    if (c->as_json)
        print_json(asked);
    else
        print_asked(asked);
    c->n_down += probe->verdict == PROBE_DOWN;
    c->n_later += probe->verdict == PROBE_LATER;
    probe_clear(probe);
}

static int report(const struct checker *c)
{
    if (c->n_down > 0)
        return cli_fail("%zu of %zu %s answer; is the billing system up, and the "
                        "template right? checks.samples, or --object, names an object that exists",
                        c->n_down, c->n, cli_noun(c->n_down, "targets does not", "targets do not"));
    if (!c->as_json && c->n_later > 0)
        printf("%zu of %zu targets %s, of %zu nothing is known: ask again later\n",
               c->n - c->n_later, c->n, cli_noun(c->n - c->n_later, "answers", "answer"),
               c->n_later);
    else if (!c->as_json)
        printf(c->n == 1 ? "the only target answers\n" : "all %zu targets answer\n", c->n);
    return CLI_OK;
}

static int ask_all(const struct cli_args *args, const struct config *config,
                   const struct places *places)
{
    struct checker c = {.as_json = args->value[CHECK_JSON] != NULL, .n = places->n};
    struct prober_options prober_options = {
        .timeout_ms = config->checks.timeout_ms,
        .pace_ms = config->checks.pace_ms,
        .parallel = PARALLEL,
        .redirects_max = (unsigned)config->checks.redirects_max,
        .tls_ca = args->value[CHECK_CA] ? args->value[CHECK_CA] : config->checks.tls_ca,
        .owner = &c,
        .on_done = on_done,
    };
    struct prober *prober = prober_new(&prober_options);
    struct asked *asked = calloc(places->n, sizeof(*asked));
    int status = CLI_FAILED;

    if (!prober || !asked) {
        status = cli_fail("out of memory");
        goto out;
    }
    for (size_t i = 0; i < places->n; i++) {
        asked[i].place = &places->items[i];
        asked[i].probe.owner = &asked[i];
        if (!place_ask(places, asked[i].place, clock_wall_ms() / 1000, asked[i].url,
                       asked[i].secret, &asked[i].probe)) {
            status =
                cli_fail("no key mints for brand '%.*s'", SLICE_ARG(asked[i].place->brand->name));
            goto out;
        }
        prober_add(prober, &asked[i].probe);
    }
    while (!prober_is_idle(prober)) {
        prober_step(prober);
        if (!prober_is_idle(prober))
            prober_wait(prober, WAIT_MS);
    }
    status = report(&c);
out:
    prober_free(prober);
    free(asked);
    return status;
}

/* --- the command --- */

static bool read_sample(const struct cli_args *args, struct places_options *out)
{
    out->has_fallback = true;
    out->object = 1;
    out->client = 1;
    out->arg = args->value[CHECK_ARG] ? args->value[CHECK_ARG] : "x";
    return (!args->value[CHECK_OBJECT] ||
            number_parse_u32(slice_of(args->value[CHECK_OBJECT]), UINT32_MAX, &out->object)) &&
           (!args->value[CHECK_CLIENT] ||
            number_parse_u32(slice_of(args->value[CHECK_CLIENT]), UINT32_MAX, &out->client)) &&
           strlen(out->arg) <= TOKEN_ARG_MAX;
}

static int check(const struct cli_args *args, const struct config *config, struct site *site)
{
    struct places_options places_options = {.config = config,
                                            .site = site,
                                            .only_brand = args->value[CHECK_BRAND],
                                            .no_links = args->value[CHECK_DIRECT] != NULL};
    struct error err = {0};
    struct places *places;
    int status;

    if (!read_sample(args, &places_options))
        return cli_usage(&cli_check,
                         "--object and --client are numbers from 0 to %u, --arg has "
                         "at most %d characters",
                         UINT32_MAX, TOKEN_ARG_MAX);
    if (!places_check(config, site, &err) || !(places = places_new(&places_options, &err)))
        return cli_fail_error(&err);
    if (places->n > 0)
        status = ask_all(args, config, places);
    else if (places_options.only_brand)
        status =
            cli_fail("--brand: the configuration has no brand '%s'", places_options.only_brand);
    else
        status = cli_fail("no brand has a target or a home");
    places_free(places);
    return status;
}

static int run_check(const struct cli_args *args)
{
    struct config *config = NULL;
    struct error err = {0};
    struct site *site;
    int status;

    if (args->n_words > 0)
        return cli_usage(&cli_check, "'%s' is one word too many", args->words[0]);
    if (!(site = config_option_load(args->value[CHECK_CONFIG], &config, &err)))
        return cli_fail_error(&err);
    status = check(args, config, site);
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_check = {
    .name = "check",
    .usage = "-c FILE [OPTION…]",
    .summary = "asks every target of every brand whether it still answers",
    .notes =
        "Fetches what links lead to, by every template and rule, and the home pages: once\n"
        "directly, and once through a link of its own, which isn't counted. Redirects are\n"
        "followed and shown. Up is 2xx, and 401, what a page behind a login says; the page must\n"
        "hold the text that checks.samples gives as must_contain. 403, 429 and 503 tell nothing\n"
        "(?). A certificate of less than 14 days is named. The exit code is 1 when a target is\n"
        "down. hopcountd does the same by itself, with checks.every_s.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_check,
};
