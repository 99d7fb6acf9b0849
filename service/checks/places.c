#include "service/checks/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/slice.h"
#include "proto/state.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/site.h"

enum { KINDS = 16, HOME = 0 };

struct builder {
    const struct places_options *options;
    struct places *places;
    struct error *err;
};

/* --- the URL of a place --- */

static bool seal(const struct places *places, const struct place *place, int64_t now_s,
                 struct token *token, char text[static TOKEN_TEXT_MAX + 1])
{
    size_t len;

    *token = place->token;
    token->kid = place->brand->mint_kid;
    token->issued_min = (uint32_t)((now_s - TOKEN_EPOCH_S) / 60);
    return token_seal(site_keys(places->site), place->brand->name, token, text, &len) ==
           TOKEN_FAULT_NONE;
}

bool place_ask(const struct places *places, const struct place *place, int64_t now_s,
               char url[static PLACE_URL_MAX], char secret[static TOKEN_TEXT_MAX + 1],
               struct probe *out)
{
    struct token token;
    size_t len = 0;

    secret[0] = '\0';
    url[0] = '\0';
    if (place->kind == HOME) {
        snprintf(url, PLACE_URL_MAX, "%s", place->brand->home);
    } else if (!seal(places, place, now_s, &token, secret)) {
        return false;
    } else if (place->by_link) {
        snprintf(url, PLACE_URL_MAX, "%s/%s", place->brand->base_url, secret);
    } else {
        (void)!brand_lead(place->brand, &token, &place->facts, url, &len);
        url[len] = '\0';
        if (!strstr(url, secret))
            secret[0] = '\0';
    }
    out->url = url;
    out->must_contain = place->must_contain;
    out->language = place->language;
    out->is_link = place->by_link;
    out->lands_on_page = place->lands_on_page;
    return true;
}

void place_hide(const char *url, const char *secret, char *out, size_t size)
{
    const char *at = secret[0] ? strstr(url, secret) : NULL;

    if (at)
        snprintf(out, size, "%.*s…%s", (int)(at - url), url, at + strlen(secret));
    else
        snprintf(out, size, "%s", url);
}

/* --- the list --- */

static uint64_t make_id(const struct place *place)
{
    char text[2 * PLACE_NAME_MAX + 16];
    uint8_t hash[crypto_generichash_BYTES];
    int len = snprintf(text, sizeof(text), "%.*s|%s|%s", SLICE_ARG(place->brand->name), place->name,
                       place->by_link ? "link" : "direct");

    crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, (unsigned long long)len, NULL, 0);
    return be64_load(hash);
}

static void clear_place(struct place *place)
{
    free(place->must_contain);
    free(place->language);
    free(place->shown);
}

/* Two rules may lead to one page. */
static bool is_known(const struct places *places, const struct place *new)
{
    for (size_t i = places->n; i > 0 && places->items[i - 1].brand == new->brand; i--) {
        const struct place *old = &places->items[i - 1];

        if (!new->by_link && !old->by_link && strcmp(old->shown, new->shown) == 0)
            return true;
    }
    return false;
}

/* Owns what `place` points to, whatever comes of it. */
static bool add_place(struct builder *b, struct place *place)
{
    struct places *places = b->places;
    char url[PLACE_URL_MAX], secret[TOKEN_TEXT_MAX + 1], shown[PLACE_URL_MAX + 8] = "";
    struct probe unused;

    if (!place->lacks_sample) {
        if (!place_ask(places, place, TOKEN_EPOCH_S, url, secret, &unused)) {
            error_set(b->err,
                      "no key of the key file mints for brand '%.*s', or the sample's arg has "
                      "other characters than A-Z a-z 0-9 . _ ~ -",
                      SLICE_ARG(place->brand->name));
            goto out;
        }
        place_hide(url, secret, shown, sizeof(shown));
    }
    if (!(place->shown = strdup(shown)))
        goto no_memory;
    if (!place->lacks_sample && is_known(places, place)) {
        clear_place(place);
        return true;
    }
    if (places->n == places->max) {
        size_t max = places->max ? 2 * places->max : 64;
        struct place *grown = realloc(places->items, max * sizeof(*grown));

        if (!grown)
            goto no_memory;
        places->items = grown;
        places->max = max;
    }
    place->id = make_id(place);
    places->items[places->n++] = *place;
    return true;
no_memory:
    error_set(b->err, "out of memory");
out:
    clear_place(place);
    return false;
}

/* A place like `from`, with texts of its own. */
static bool add_copy(struct builder *b, const struct place *from, const char *must_contain,
                     const char *language)
{
    struct place place = *from;

    place.must_contain = must_contain ? strdup(must_contain) : NULL;
    place.language = language ? strdup(language) : NULL;
    if (place.language)
        place.facts.language = slice_of(place.language);
    if ((must_contain && !place.must_contain) || (language && !place.language)) {
        clear_place(&place);
        error_set(b->err, "out of memory");
        return false;
    }
    return add_place(b, &place);
}

static const struct config_sample *find_sample(const struct config *config,
                                               const struct brand *brand, const char *kind)
{
    for (unsigned i = 0; i < config->checks.n_samples; i++) {
        const struct config_sample *sample = &config->checks.samples[i];

        if (!slice_equal(slice_of(sample->brand), brand->name))
            continue;
        if (kind ? brand_kind_find(brand, slice_of(sample->kind)) ==
                       brand_kind_find(brand, slice_of(kind))
                 : strcmp(sample->kind, "home") == 0)
            return sample;
    }
    return NULL;
}

/* Directly, and through a link if one can lead there.  `has_link` false: who clicks decides. */
static bool add_ways(struct builder *b, struct place *place, const struct config_sample *sample,
                     const char *language, bool has_link)
{
    const char *must_contain = sample ? sample->must_contain : NULL;
    char url[SITE_TARGET_MAX + 1];
    size_t len = 0;
    enum brand_leads leads;

    place->facts.language = language ? slice_of(language) : (struct slice){0};
    leads = place->lacks_sample ? BRAND_LEADS_TO_URL
                                : brand_lead(place->brand, &place->token, &place->facts, url, &len);
    place->by_link = false;
    place->lands_on_page = leads != BRAND_LEADS_TO_URL;
    if (leads == BRAND_LEADS_NOWHERE)
        return true;
    if (place->lacks_sample)
        return add_copy(b, place, NULL, NULL);
    if ((leads == BRAND_LEADS_TO_URL || leads == BRAND_LEADS_TO_BUTTON) &&
        !add_copy(b, place, must_contain, language))
        return false;
    place->by_link = true;
    /* Minting gives the target itself where nothing is tracked. */
    return !has_link || b->options->no_links || place->brand->untracked_kinds >> place->kind & 1 ||
           add_copy(b, place, must_contain, language);
}

/* A click that the rule is for. */
static bool add_rule(struct builder *b, const struct place *of, unsigned index,
                     const struct config_rule *rule, const struct config_sample *sample)
{
    struct place place = *of;

    snprintf(place.name, sizeof(place.name), "%.40s rules[%u]", of->name, index);
    if (rule->n_country > 0)
        memcpy(place.facts.country, rule->country[0], 2);
    for (unsigned i = 0; rule->n_device > 0 && i < CLICK_DEVICES; i++) {
        if (strcmp(rule->device[0], click_device_name(i)) == 0)
            place.facts.device = (uint8_t)i;
    }
    if (rule->n_variant > 0 && rule->variant[0][1] == '\0')
        place.token.variant = (uint8_t)(slice_lower(rule->variant[0][0]) - 'a' + 1);
    return add_ways(b, &place, sample, rule->n_language > 0 ? rule->language[0] : NULL,
                    rule->n_country == 0 && rule->n_device == 0);
}

/* Templates for invoices that were paid, cancelled …: no link leads there before that. */
static bool add_states(struct builder *b, const struct place *of,
                       const struct config_sample *sample)
{
    for (unsigned state = STATE_UNKNOWN + 1; state < STATE_OBJECTS; state++) {
        struct place place = *of;
        uint32_t object;

        place.facts.state = (uint8_t)state;
        if (brand_lead_kind(place.brand, &place.token, &place.facts, &object) != 0)
            continue; /* the target of a kind, which has a place of its own */
        snprintf(place.name, sizeof(place.name), "%.40s when %s", of->name,
                 state_object_name(state));
        if (!add_ways(b, &place, sample, NULL, false))
            return false;
    }
    return true;
}

static void set_sample(const struct places_options *options, const struct config_sample *sample,
                       struct place *place)
{
    const struct brand *brand = place->brand;
    const char *arg = sample ? sample->arg : options->has_fallback ? options->arg : NULL;

    place->token = (struct token){
        .kind = place->kind,
        .object = sample ? (uint32_t)sample->object : options->object,
        .client = sample ? (uint32_t)sample->client : options->client,
        .ttl_code = token_ttl_code_for(3600),
        .silent = true,
    };
    if (arg) {
        place->token.arg_len = (uint8_t)strnlen(arg, TOKEN_ARG_MAX);
        memcpy(place->token.arg, arg, place->token.arg_len);
    }
    place->facts.device = CLICK_DEVICE_OTHER;
    place->lacks_sample =
        !sample && !options->has_fallback &&
        (brand_kind_needs_object(brand, place->kind) ||
         brand_kind_needs_client(brand, place->kind) || brand_kind_needs_arg(brand, place->kind) ||
         brand_kind_is_opt_out(brand, place->kind));
}

static bool add_kind(struct builder *b, const struct brand *brand, const struct config_brand *from,
                     uint8_t kind)
{
    struct place place = {.brand = brand, .kind = kind};
    const char *name = brand_kind_name(brand, kind);
    const struct config_sample *sample = find_sample(b->options->config, brand, name);

    snprintf(place.name, sizeof(place.name), "%s", name);
    set_sample(b->options, sample, &place);
    if (!add_ways(b, &place, sample, NULL, true))
        return false;
    if (place.lacks_sample)
        return true;
    for (unsigned i = 0; i < from->n_targets; i++) {
        const struct config_target *target = &from->targets[i];

        for (unsigned j = 0;
             brand_kind_find(brand, slice_of(target->kind)) == kind && j < target->n_rules; j++) {
            if (!add_rule(b, &place, j, &target->rules[j], sample))
                return false;
        }
    }
    return add_states(b, &place, sample);
}

static bool add_brand(struct builder *b, const struct brand *brand, const struct config_brand *from)
{
    struct place home = {.brand = brand, .kind = HOME, .name = "home"};
    const struct config_sample *sample = find_sample(b->options->config, brand, NULL);

    if (brand->home && !add_copy(b, &home, sample ? sample->must_contain : NULL, NULL))
        return false;
    for (uint8_t kind = 1; kind < KINDS; kind++) {
        if (brand_kind_name(brand, kind) && !add_kind(b, brand, from, kind))
            return false;
    }
    return true;
}

struct places *places_new(const struct places_options *options, struct error *err)
{
    struct places *places = calloc(1, sizeof(*places));
    struct builder b = {.options = options, .places = places, .err = err};
    bool ok = places != NULL;

    if (!ok) {
        error_set(err, "out of memory");
        return NULL;
    }
    places->site = site_ref(options->site);
    for (unsigned i = 0; ok && i < options->config->n_brands; i++) {
        const struct config_brand *from = &options->config->brands[i];

        if (!options->only_brand || strcmp(from->name, options->only_brand) == 0)
            ok = add_brand(&b, site_brand_at(options->site, i), from);
    }
    if (!ok) {
        places_free(places);
        places = NULL;
    }
    return places;
}

void places_free(struct places *places)
{
    if (!places)
        return;
    for (size_t i = 0; i < places->n; i++)
        clear_place(&places->items[i]);
    free(places->items);
    site_unref(places->site);
    free(places);
}

/* NULL, or what the sample lacks. */
static const char *find_lack(const struct brand *brand, uint8_t kind,
                             const struct config_sample *sample)
{
    if (brand_kind_needs_object(brand, kind) && sample->object == 0)
        return "object";
    if (brand_kind_needs_client(brand, kind) && sample->client == 0)
        return "client";
    return brand_kind_needs_arg(brand, kind) && !sample->arg ? "arg" : NULL;
}

bool places_check(const struct config *config, const struct site *site, struct error *err)
{
    for (unsigned i = 0; i < config->checks.n_samples; i++) {
        const struct config_sample *sample = &config->checks.samples[i];
        const struct brand *brand = site_find_brand(site, slice_of(sample->brand));
        uint8_t kind = brand ? brand_kind_find(brand, slice_of(sample->kind)) : 0;
        const char *lack = kind != 0 ? find_lack(brand, kind, sample) : NULL;
        char key[64];

        if (kind == 0 && strcmp(sample->kind, "home") != 0) {
            snprintf(key, sizeof(key), "checks.samples[%u].kind", i);
            config_fail(config, err, key, "brand '%s' has no kind '%s'", sample->brand,
                        sample->kind);
            return false;
        }
        if (lack) {
            snprintf(key, sizeof(key), "checks.samples[%u].%s", i, lack);
            config_fail(config, err, key, "is missing; the target of '%s' has {%s}", sample->kind,
                        lack);
            return false;
        }
    }
    return true;
}
