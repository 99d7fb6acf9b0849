/* check: asks every target of every brand whether it still answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/click.h"
#include "proto/number.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/cli/http.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum { PARALLEL = 8, TIMEOUT_MS = 15000, KINDS = 16, DAY_S = 86400, SOON_DAYS = 14 };

enum { CHECK_CONFIG, CHECK_BRAND, CHECK_OBJECT, CHECK_CLIENT, CHECK_ARG, CHECK_CA, CHECK_JSON };

static const struct cli_option options[] = {
    [CHECK_CONFIG] = CONFIG_OPTION,
    [CHECK_BRAND] = {"brand", "NAME", "only this one", NULL, 0},
    [CHECK_OBJECT] = {"object", "N", "what to put in for {object} (1)", NULL, 0},
    [CHECK_CLIENT] = {"client", "N", "what to put in for {client} (1)", NULL, 0},
    [CHECK_ARG] = {"arg", "TEXT", "what to put in for {arg} (x)", NULL, 0},
    [CHECK_CA] = {"ca", "FILE", "PEM file of the authorities that vouch for the targets", "@file",
                  0},
    [CHECK_JSON] = {"json", NULL, "a JSON object per target and line", NULL, 0},
};

/* A page that links lead to. */
struct place {
    const struct brand *brand;
    const char *kind; /* or "home" */
    char *url;
};

struct checker {
    const struct cli_args *args;
    const struct site *site;
    struct token sample;
    struct place *places;
    size_t n_places, places_max;
    struct error *err;
};

static bool add_place(struct checker *c, const struct brand *brand, const char *kind,
                      const char *url)
{
    for (size_t i = c->n_places; i > 0 && c->places[i - 1].brand == brand; i--) {
        if (strcmp(c->places[i - 1].url, url) == 0)
            return true; /* two rules may lead to one page */
    }
    if (c->n_places == c->places_max) {
        size_t max = c->places_max ? 2 * c->places_max : 64;
        struct place *grown = realloc(c->places, max * sizeof(*grown));

        if (!grown)
            goto out;
        c->places = grown;
        c->places_max = max;
    }
    c->places[c->n_places] = (struct place){.brand = brand, .kind = kind, .url = strdup(url)};
    if (c->places[c->n_places].url) {
        c->n_places++;
        return true;
    }
out:
    error_set(c->err, "out of memory");
    return false;
}

/* The page of a kind for these facts, with the sample's values. */
static bool add_target(struct checker *c, const struct brand *brand, uint8_t kind, uint8_t variant,
                       const struct target_facts *facts)
{
    struct token token = c->sample;
    char text[TOKEN_TEXT_MAX + 1], url[SITE_TARGET_MAX + 1];
    size_t text_len, len;

    token.kid = brand->mint_kid;
    token.kind = kind;
    token.variant = variant;
    if (token_seal(site_keys(c->site), brand->name, &token, text, &text_len) != TOKEN_FAULT_NONE) {
        error_set(
            c->err,
            "no key of the key file mints for brand '%.*s', or --arg has other characters than "
            "A-Z a-z 0-9 . _ ~ -",
            SLICE_ARG(brand->name));
        return false;
    }
    len = brand_target(brand, &token, facts, url);
    url[len] = '\0';
    return len == 0 || add_place(c, brand, brand_kind_name(brand, kind), url);
}

/* A click that the rule is for. */
static bool add_rule(struct checker *c, const struct brand *brand, uint8_t kind,
                     const struct config_rule *rule)
{
    struct target_facts facts = {.device = CLICK_DEVICE_OTHER};
    uint8_t variant = 0;

    if (rule->n_country > 0)
        memcpy(facts.country, rule->country[0], 2);
    if (rule->n_language > 0)
        facts.language = slice_of(rule->language[0]);
    for (unsigned i = 0; rule->n_device > 0 && i < CLICK_DEVICES; i++) {
        if (strcmp(rule->device[0], click_device_name(i)) == 0)
            facts.device = (uint8_t)i;
    }
    if (rule->n_variant > 0 && rule->variant[0][1] == '\0')
        variant = (uint8_t)(slice_lower(rule->variant[0][0]) - 'a' + 1);
    return add_target(c, brand, kind, variant, &facts);
}

static bool add_brand(struct checker *c, const struct brand *brand, const struct config_brand *from)
{
    const struct target_facts plain = {.device = CLICK_DEVICE_OTHER};

    if (brand->home && !add_place(c, brand, "home", brand->home))
        return false;
    for (int kind = 1; kind < KINDS; kind++) {
        if (brand_kind_name(brand, (uint8_t)kind) &&
            !add_target(c, brand, (uint8_t)kind, 0, &plain))
            return false;
    }
    for (unsigned i = 0; i < from->n_targets; i++) {
        const struct config_target *target = &from->targets[i];
        uint8_t kind = brand_kind_find(brand, slice_of(target->kind));

        for (unsigned j = 0; kind != 0 && j < target->n_rules; j++) {
            if (!add_rule(c, brand, kind, &target->rules[j]))
                return false;
        }
    }
    return true;
}

static bool add_brands(struct checker *c, const struct config *config)
{
    const char *only = c->args->value[CHECK_BRAND];

    for (unsigned i = 0; i < config->n_brands; i++) {
        if ((!only || strcmp(config->brands[i].name, only) == 0) &&
            !add_brand(c, site_brand_at(c->site, i), &config->brands[i]))
            return false;
    }
    if (c->n_places == 0 && only)
        error_set(c->err, "--brand: the configuration has no brand '%s'", only);
    else if (c->n_places == 0)
        error_set(c->err, "no brand has a target or a home");
    return c->n_places > 0;
}

/* --- the answers --- */

enum verdict { VERDICT_OK, VERDICT_LATER, VERDICT_DEAD };

/* A page behind a login answers 401 to a stranger.  403 may be meant for programs like this one,
 * 429 says that we ask too often, 503 that the page is away for a while: nothing is known then. */
static enum verdict judge(const struct http_probe *probe)
{
    if ((probe->status >= 200 && probe->status < 400) || probe->status == 401)
        return VERDICT_OK;
    if (probe->status == 403 || probe->status == 429 || probe->status == 503)
        return VERDICT_LATER;
    return VERDICT_DEAD;
}

/* Whole days until the certificate expires; negative: it has. */
static int64_t certificate_days(const struct http_probe *probe)
{
    int64_t left_s = probe->certificate_s - clock_wall_ms() / 1000;

    return left_s >= 0 ? left_s / DAY_S : (left_s - DAY_S + 1) / DAY_S;
}

static void print_probe(const struct http_probe *probe)
{
    static const char *const words[] = {"ok", "?", "DEAD"};
    const struct place *place = probe->owner;

    printf("%-4s ", words[judge(probe)]);
    if (probe->status != 0)
        printf("%3ld", probe->status);
    else
        fputs("  -", stdout);
    printf(" %6ld ms  %-12.*s %-10s %s\n", probe->time_ms, SLICE_ARG(place->brand->name),
           place->kind, place->url);
    if (probe->status == 0)
        printf("%20s%s\n", "", probe->error);
    else if (probe->location)
        printf("%20sto %s\n", "", probe->location);
    if (probe->has_certificate && certificate_days(probe) < SOON_DAYS)
        printf("%20sits certificate expires in %" PRId64 " days\n", "", certificate_days(probe));
    fflush(stdout);
}

static void print_probe_json(const struct http_probe *probe)
{
    const struct place *place = probe->owner;
    static const char *const words[] = {"ok", "later", "dead"};
    json_t *json =
        json_pack("{ss% ss ss sb ss so sI so ss? ss?}", "brand", place->brand->name.ptr,
                  place->brand->name.len, "kind", place->kind, "url", place->url, "ok",
                  (int)(judge(probe) != VERDICT_DEAD), "verdict", words[judge(probe)], "status",
                  probe->status ? json_integer(probe->status) : json_null(), "time_ms",
                  (json_int_t)probe->time_ms, "certificate_days",
                  probe->has_certificate ? json_integer(certificate_days(probe)) : json_null(),
                  "location", probe->location, "error", probe->error[0] ? probe->error : NULL);

    if (json && json_dumpf(json, stdout, 0) == 0)
        putchar('\n');
    json_decref(json);
    fflush(stdout);
}

static int ask(struct checker *c)
{
    bool as_json = c->args->value[CHECK_JSON] != NULL;
    struct http_probe *probes = calloc(c->n_places, sizeof(*probes));
    size_t n_dead = 0, n_later = 0;
    bool ok;

    if (!probes)
        return cli_fail("out of memory");
    for (size_t i = 0; i < c->n_places; i++) {
        probes[i].url = c->places[i].url;
        probes[i].ca_file = c->args->value[CHECK_CA];
        probes[i].owner = &c->places[i];
    }
    ok = http_probe_all(probes, c->n_places, PARALLEL, TIMEOUT_MS,
                        as_json ? print_probe_json : print_probe, c->err);
    for (size_t i = 0; i < c->n_places; i++) {
        n_dead += judge(&probes[i]) == VERDICT_DEAD;
        n_later += judge(&probes[i]) == VERDICT_LATER;
        free(probes[i].location);
    }
    free(probes);
    if (!ok)
        return cli_fail_error(c->err);
    if (n_dead > 0)
        return cli_fail("%zu of %zu targets do not answer; is the billing system up, and the "
                        "template right? --object names an object that exists",
                        n_dead, c->n_places);
    if (!as_json && n_later > 0)
        printf("%zu of %zu targets answer, of %zu nothing is known: ask again later\n",
               c->n_places - n_later, c->n_places, n_later);
    else if (!as_json)
        printf("all %zu targets answer\n", c->n_places);
    return CLI_OK;
}

/* --- the command --- */

static bool read_sample(const struct cli_args *args, struct token *sample)
{
    const char *arg = args->value[CHECK_ARG] ? args->value[CHECK_ARG] : "x";

    *sample =
        (struct token){.object = 1,
                       .client = 1,
                       .campaign = 1,
                       .issued_min = (uint32_t)((clock_wall_ms() / 1000 - TOKEN_EPOCH_S) / 60),
                       .silent = true};
    if ((args->value[CHECK_OBJECT] &&
         !number_parse_u32(slice_of(args->value[CHECK_OBJECT]), UINT32_MAX, &sample->object)) ||
        (args->value[CHECK_CLIENT] &&
         !number_parse_u32(slice_of(args->value[CHECK_CLIENT]), UINT32_MAX, &sample->client)) ||
        strlen(arg) > TOKEN_ARG_MAX)
        return false;
    sample->arg_len = (uint8_t)strlen(arg);
    memcpy(sample->arg, arg, sample->arg_len);
    return true;
}

static int run_check(const struct cli_args *args)
{
    struct config *config = NULL;
    struct error err = {0};
    struct checker c = {.args = args, .err = &err};
    struct site *site;
    int status;

    if (args->n_words > 0)
        return cli_usage(&cli_check, "'%s' is one word too many", args->words[0]);
    if (!(site = config_option_load(args->value[CHECK_CONFIG], &config, &err)))
        return cli_fail_error(&err);
    c.site = site;
    if (!read_sample(args, &c.sample))
        status = cli_usage(&cli_check,
                           "--object and --client are numbers from 0 to %u, --arg has "
                           "at most %d characters",
                           UINT32_MAX, TOKEN_ARG_MAX);
    else
        status = add_brands(&c, config) ? ask(&c) : cli_fail_error(&err);
    for (size_t i = 0; i < c.n_places; i++)
        free(c.places[i].url);
    free(c.places);
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_check = {
    .name = "check",
    .usage = "-c FILE [OPTION…]",
    .summary = "asks every target of every brand whether it still answers",
    .notes =
        "Fetches what a click would lead to, by every template and rule, and the home pages,\n"
        "with sample values; follows no redirect. Alive is 2xx, 3xx, and 401, what a page behind "
        "a\n"
        "login says. 403, 429 and 503 tell nothing (?). A certificate of less than 14 days is\n"
        "named. The exit code is 1 when a target is dead.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_check,
};
