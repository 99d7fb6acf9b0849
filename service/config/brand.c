#include "service/config/brand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/click.h"
#include "proto/language.h"
#include "proto/number.h"
#include "service/base/error.h"
#include "service/config/brand_targets.h"
#include "service/config/config.h"
#include "service/config/pages.h"
#include "service/config/pool.h"
#include "service/config/texts.h"

struct brand_private {
    struct pool pool;
    struct brand_targets targets;
    struct texts *texts; /* the brand's own; NULL = those that are built in */
    struct pages pages;
};

/* Of the channels 0…7; `medium` is what analytics programs call them. */
static const struct {
    struct slice name, medium;
} channels[8] = {
    {{"unknown", 7}, {"link", 4}}, {{"mail", 4}, {"email", 5}},  {{"sms", 3}, {"sms", 3}},
    {{"pdf", 3}, {"pdf", 3}},      {{"qr", 2}, {"qr", 2}},       {{"portal", 6}, {"portal", 6}},
    {{"chat", 4}, {"chat", 4}},    {{"other", 5}, {"other", 5}},
};

/* --- reading --- */

const char *brand_kind_name(const struct brand *brand, uint8_t kind)
{
    const struct brand_target *target = kind < BRAND_KINDS ? brand->priv->targets.kind[kind] : NULL;

    return target ? target->name : NULL;
}

uint8_t brand_kind_find(const struct brand *brand, struct slice name)
{
    uint32_t number;

    for (uint8_t kind = 1; kind < BRAND_KINDS; kind++) {
        const struct brand_target *target = brand->priv->targets.kind[kind];

        if (target && slice_equal(slice_of(target->name), name))
            return kind;
    }
    if (!number_parse_u32(name, BRAND_KINDS - 1, &number) || name.ptr[0] == '0')
        return 0;
    return brand_kind_name(brand, (uint8_t)number) ? (uint8_t)number : 0;
}

static bool kind_needs(const struct brand *brand, uint8_t kind, enum template_value value)
{
    const struct brand_target *target = kind < BRAND_KINDS ? brand->priv->targets.kind[kind] : NULL;

    return target && target->needs >> value & 1;
}

bool brand_kind_needs_arg(const struct brand *brand, uint8_t kind)
{
    return kind_needs(brand, kind, TEMPLATE_ARG);
}

bool brand_kind_needs_object(const struct brand *brand, uint8_t kind)
{
    return kind_needs(brand, kind, TEMPLATE_OBJECT);
}

bool brand_kind_needs_client(const struct brand *brand, uint8_t kind)
{
    return kind_needs(brand, kind, TEMPLATE_CLIENT);
}

static bool rule_language_matches(const struct brand_rule *rule, struct slice accept_language)
{
    struct slice tag;

    if (rule->n_languages == 0)
        return true;
    tag = language_preferred(accept_language);
    for (unsigned i = 0; i < rule->n_languages; i++) {
        if (language_matches(tag, rule->languages[i]))
            return true;
    }
    return false;
}

static bool rule_matches(const struct brand_rule *rule, const struct token *token,
                         const struct target_facts *facts)
{
    bool is_country = rule->n_countries == 0;

    if (rule->variants && !(rule->variants >> token->variant & 1))
        return false;
    if (rule->devices && !(rule->devices >> facts->device & 1))
        return false;
    for (unsigned i = 0; i < rule->n_countries && !is_country; i++)
        is_country = memcmp(rule->countries[i], facts->country, 2) == 0;
    return is_country && rule_language_matches(rule, facts->language);
}

/* `tpl` NULL: one that does not fit. */
static size_t expand(const struct brand *brand, const struct token *token,
                     const struct template *tpl, char out[static SITE_TARGET_MAX])
{
    struct template_values values = {
        .object = token->object,
        .client = token->client,
        .campaign = token->campaign,
        .variant = token->variant,
        .channel = channels[token->channel & 7].name,
        .medium = channels[token->channel & 7].medium,
        .source = brand->name,
        .arg = slice_make(token->arg, token->arg_len),
    };
    char text[TOKEN_TEXT_MAX + 1];

    if (!tpl || (tpl->needs_arg && token->arg_len == 0))
        return 0;
    if (tpl->uses & 1u << TEMPLATE_TOKEN)
        values.token = slice_make(text, token_text(token, text));
    return template_expand(tpl, &values, out);
}

static const struct brand_target *find_target(const struct brand *brand, uint8_t kind)
{
    return kind < BRAND_KINDS ? brand->priv->targets.kind[kind] : NULL;
}

size_t brand_target(const struct brand *brand, const struct token *token,
                    const struct target_facts *facts, char out[static SITE_TARGET_MAX])
{
    const struct brand_target *target = find_target(brand, token->kind);
    const struct template *tpl = target ? &target->tpl : NULL;

    for (unsigned i = 0; target && i < target->n_rules; i++) {
        if (rule_matches(&target->rules[i], token, facts)) {
            tpl = &target->rules[i].tpl;
            break;
        }
    }
    return expand(brand, token, tpl, out);
}

bool brand_kind_is_of_invoices(const struct brand *brand, uint8_t kind)
{
    const struct brand_target *target = find_target(brand, kind);

    return target && target->is_of_invoices;
}

bool brand_kind_is_opt_out(const struct brand *brand, uint8_t kind)
{
    const struct brand_target *target = find_target(brand, kind);

    return target && target->is_opt_out;
}

uint32_t brand_kind_max_uses(const struct brand *brand, uint8_t kind)
{
    const struct brand_target *target = find_target(brand, kind);

    return target ? target->max_uses : 0;
}

/* What a link does by the state of its object, or of the one that has replaced it. */
static const struct brand_when *find_when(const struct brand_target *target,
                                          const struct target_facts *facts)
{
    if (facts->newest != 0 && target->when[STATE_REPLACED].what != BRAND_WHEN_SAME)
        return &target->when[STATE_REPLACED];
    return &target->when[facts->state < STATE_OBJECTS ? facts->state : STATE_UNKNOWN];
}

static uint32_t find_object(const struct brand_target *target, const struct token *token,
                            const struct target_facts *facts)
{
    return facts->newest != 0 && target->when[STATE_REPLACED].what == BRAND_WHEN_SAME
               ? facts->newest
               : token->object;
}

uint8_t brand_lead_kind(const struct brand *brand, const struct token *token,
                        const struct target_facts *facts, uint32_t *object)
{
    const struct brand_target *target = find_target(brand, token->kind);
    const struct brand_when *when = target ? find_when(target, facts) : NULL;

    *object = target ? find_object(target, token, facts) : token->object;
    if (!when || when->what == BRAND_WHEN_PAGE || when->what == BRAND_WHEN_TEMPLATE)
        return 0;
    return when->what == BRAND_WHEN_KIND ? when->kind : token->kind;
}

enum brand_leads brand_lead(const struct brand *brand, const struct token *token,
                            const struct target_facts *facts, char out[static SITE_TARGET_MAX],
                            size_t *len)
{
    const struct brand_target *target = find_target(brand, token->kind);
    struct token now = *token;
    const struct brand_when *when;

    if (!target)
        return BRAND_LEADS_NOWHERE;
    when = find_when(target, facts);
    now.object = find_object(target, token, facts);
    switch (when->what) {
    case BRAND_WHEN_PAGE:
        return BRAND_LEADS_TO_PAGE;
    case BRAND_WHEN_KIND:
        now.kind = when->kind;
        *len = brand_target(brand, &now, facts, out);
        break;
    case BRAND_WHEN_TEMPLATE:
        *len = expand(brand, &now, when->tpl, out);
        break;
    case BRAND_WHEN_DEFAULT:
    case BRAND_WHEN_SAME:
        *len = brand_target(brand, &now, facts, out);
        break;
    }
    if (*len == 0)
        return target->is_opt_out && token->client != 0 ? BRAND_LEADS_TO_OPT_OUT
                                                        : BRAND_LEADS_NOWHERE;
    return target->confirms || token->once ? BRAND_LEADS_TO_BUTTON : BRAND_LEADS_TO_URL;
}

/* --- building --- */

/* The way into the account, as pages offer it; false: there is none that fits any client. */
static bool account_url(const struct brand *brand, char out[static SITE_TARGET_MAX + 1])
{
    static const struct target_facts no_facts = {.language = {NULL, 0}};
    static const unsigned of_a_link =
        1u << TEMPLATE_ARG | 1u << TEMPLATE_TOKEN | 1u << TEMPLATE_OBJECT | 1u << TEMPLATE_CLIENT;
    const struct brand_target *target = brand->priv->targets.kind[TOKEN_KIND_LOGIN];
    struct token token = {.kind = TOKEN_KIND_LOGIN};
    size_t len;

    if (!target || target->needs >> TEMPLATE_ARG & 1 || target->tpl.uses & of_a_link)
        return false;
    len = brand_target(brand, &token, &no_facts, out);
    out[len] = '\0';
    return len > 0;
}

/* Sets `*texts` and the number of the brand's language among them. */
static bool find_texts(struct brand_private *priv, const struct config *config, unsigned index,
                       const struct texts **texts, int *language, struct error *err)
{
    const struct config_brand *from = &config->brands[index];
    char key[64];

    if (from->texts) {
        priv->texts = texts_load(*texts, from->texts, err);
        if (!priv->texts) {
            snprintf(key, sizeof(key), "brands[%u].texts", index);
            config_fail_prefix(config, err, key);
            return false;
        }
        *texts = priv->texts;
    }
    *language = texts_find(*texts, slice_of(from->language));
    if (*language >= 0)
        return true;
    snprintf(key, sizeof(key), "brands[%u].language", index);
    config_fail(config, err, key,
                "there are no texts in '%s'; add a file %s.yaml to the folder brands[%u].texts",
                from->language, from->language, index);
    return false;
}

static bool build_pages(struct brand *brand, struct brand_private *priv,
                        const struct config *config, const struct texts *built_in,
                        struct error *err)
{
    const struct config_brand *from = &config->brands[brand->index];
    char account[SITE_TARGET_MAX + 1];
    struct pages_options options = {
        .texts = built_in,
        .name = from->logo_text ? from->logo_text : from->name,
        .color = from->color,
        .account = account_url(brand, account) ? account : from->billing_url,
        .home = from->home,
        .support = from->support,
    };

    if (!find_texts(priv, config, brand->index, &options.texts, &options.language, err))
        return false;
    if (!pages_init(&priv->pages, &options)) {
        error_set(err, "%s: out of memory", config->path);
        return false;
    }
    brand->pages = &priv->pages;
    return true;
}

/* "https://host", without a slash at the end. */
static char *make_base_url(struct pool *pool, const struct config_brand *from)
{
    size_t size = strlen(from->hosts[0]) + sizeof("https://");
    char *url;

    if (from->base_url) {
        url = pool_text(pool, from->base_url);
        if (url && url[strlen(url) - 1] == '/')
            url[strlen(url) - 1] = '\0';
        return url;
    }
    url = pool_alloc(pool, size);
    if (url)
        snprintf(url, size, "https://%s", from->hosts[0]);
    return url;
}

static bool set_texts(struct brand *brand, struct pool *pool, const struct config_brand *from)
{
    char *name = pool_text(pool, from->name);

    brand->name = slice_of(name);
    brand->base_url = make_base_url(pool, from);
    brand->home = from->home ? pool_text(pool, from->home) : NULL;
    if (!name || !brand->base_url || (from->home && !brand->home))
        return false;
    brand->id = click_brand_id(brand->name);
    brand->has_revoked_page = from->revoked == 1;
    brand->renews = from->expired.renew;
    return true;
}

/* What a click asks of its kind before all else. */
static void set_kinds(struct brand *brand, const struct brand_targets *targets)
{
    for (unsigned kind = 1; kind < BRAND_KINDS; kind++) {
        const struct brand_target *target = targets->kind[kind];

        if (target && target->tracking == BRAND_TRACKING_AGGREGATE)
            brand->aggregate_kinds |= (uint16_t)(1u << kind);
        else if (target && target->tracking == BRAND_TRACKING_OFF)
            brand->untracked_kinds |= (uint16_t)(1u << kind);
        if (target && target->is_closed_until_known)
            brand->closed_kinds |= (uint16_t)(1u << kind);
    }
}

bool brand_init(struct brand *brand, const struct config *config, unsigned index,
                const struct texts *built_in, struct error *err)
{
    const struct config_brand *from = &config->brands[index];
    struct brand_private *priv = calloc(1, sizeof(*priv));

    *brand = (struct brand){.index = index, .priv = priv};
    if (!priv || !set_texts(brand, &priv->pool, from)) {
        error_set(err, "%s: out of memory", config->path);
        return false;
    }
    priv->targets.pool = &priv->pool;
    priv->targets.url_max = SITE_TARGET_MAX;
    if (!brand_targets_build(&priv->targets, config, index, err))
        return false;
    set_kinds(brand, &priv->targets);
    return build_pages(brand, priv, config, built_in, err);
}

void brand_clear(struct brand *brand)
{
    struct brand_private *priv = (struct brand_private *)brand->priv;

    if (priv) {
        pages_clear(&priv->pages);
        texts_free(priv->texts);
        pool_clear(&priv->pool);
    }
    free(priv);
    *brand = (struct brand){0};
}
