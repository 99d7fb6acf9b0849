#include "service/config/brand_targets.h"

#include <stdlib.h>
#include <string.h>

#include "proto/click.h"
#include "proto/token.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/pool.h"
#include "service/config/preset.h"

enum { KEY_PATH_MAX = 96 };

/* What all steps need. */
struct builder {
    struct brand_targets *targets;
    const struct config *config;
    const struct config_brand *brand;
    unsigned index;
    struct error *err;
};

static const char *const fixed_names[] = {
    [TOKEN_KIND_VIEW] = "view", [TOKEN_KIND_PAY] = "pay", [TOKEN_KIND_LOGIN] = "login"};

uint8_t brand_targets_kind(const char *text)
{
    for (uint8_t kind = TOKEN_KIND_VIEW; kind <= TOKEN_KIND_LOGIN; kind++) {
        if (strcmp(text, fixed_names[kind]) == 0)
            return kind;
    }
    return (uint8_t)strtoul(text, NULL, 10);
}

static bool fail_memory(const struct builder *b)
{
    error_set(b->err, "%s: out of memory", b->config->path);
    return false;
}

static bool wants_utm(const struct builder *b, int utm)
{
    return utm == CONFIG_UTM_BRAND ? b->brand->utm : utm == CONFIG_UTM_YES;
}

/* Compiles a copy of `text`.  False: `wrong` says what is wrong, or is empty when memory is short.
 */
static bool compile(const struct builder *b, struct template *tpl, const char *text, bool utm,
                    char wrong[static 256])
{
    const char *kept = pool_text(b->targets->pool, text);
    enum template_status status;
    size_t position;

    wrong[0] = '\0';
    if (!kept)
        return false;
    status = template_compile(tpl, slice_of(kept), utm, &position);
    if (status != TEMPLATE_OK) {
        snprintf(wrong, 256, "'%.80s' %s (at character %zu)", text, template_status_text(status),
                 position + 1);
        return false;
    }
    if (tpl->expand_max > b->targets->url_max) {
        snprintf(wrong, 256, "may become %zu bytes long; at most %zu are allowed, use fewer values",
                 tpl->expand_max, b->targets->url_max);
        return false;
    }
    return true;
}

/* The target of a kind, made when there is none; NULL: out of memory. */
static struct brand_target *target_of(const struct builder *b, uint8_t kind)
{
    struct brand_target **slot = &b->targets->kind[kind];

    if (!*slot)
        *slot = pool_alloc(b->targets->pool, sizeof(**slot));
    if (*slot && kind <= TOKEN_KIND_LOGIN)
        (*slot)->name = fixed_names[kind];
    return *slot;
}

/* --- the preset's --- */

/* The whole template: `url` itself, or what billing_url and `url` make. */
static char *join(const struct builder *b, const char *url)
{
    const char *base = b->brand->billing_url;
    size_t base_len = base ? strlen(base) : 0;
    size_t size = base_len + strlen(url) + 2;
    bool slash = base_len && base[base_len - 1] == '/';
    char *out;

    if (strstr(url, "://") || !base)
        return pool_text(b->targets->pool, url);
    if (strcmp(url, ".") == 0)
        return pool_text(b->targets->pool, base);
    out = pool_alloc(b->targets->pool, size);
    if (out)
        snprintf(out, size, "%s%s%s", base, slash ? "" : "/", url);
    return out;
}

/* Lays `from` over what is there. */
static bool set_when(const struct builder *b, struct brand_target *target,
                     const struct config_when *from)
{
    for (unsigned i = 0; i < STATE_OBJECTS; i++) {
        if (from->of[i] && !(target->when_texts[i] = pool_text(b->targets->pool, from->of[i])))
            return false;
    }
    return true;
}

static bool add_preset_target(const struct builder *b, const struct preset *preset, unsigned i)
{
    const struct preset_target *from = &preset->targets[i];
    uint8_t kind = brand_targets_kind(from->kind);
    struct brand_target *target = target_of(b, kind);
    char wrong[256];

    if (!target || !(target->text = join(b, from->url)))
        return fail_memory(b);
    if (from->name && kind > TOKEN_KIND_LOGIN &&
        !(target->name = pool_text(b->targets->pool, from->name)))
        return fail_memory(b);
    target->is_of_invoices = from->object == 0;
    target->tracking = (enum brand_tracking)b->brand->tracking;
    target->is_closed_until_known = kind == TOKEN_KIND_LOGIN;
    if (!set_when(b, target, &from->when))
        return fail_memory(b);
    if (!target->name)
        snprintf(wrong, sizeof(wrong), "kind %u needs a name", kind);
    else if (compile(b, &target->tpl, target->text, wants_utm(b, from->utm), wrong))
        return true;
    if (!wrong[0])
        return fail_memory(b);
    error_set(b->err, "%s:%u: targets[%u].url: %s", preset->path, preset_target_line(preset, i), i,
              wrong);
    return false;
}

static bool add_preset(const struct builder *b)
{
    struct preset *preset = preset_load(b->brand->preset, b->err);
    char key[KEY_PATH_MAX];
    bool ok = false;

    snprintf(key, sizeof(key), "brands[%u].preset", b->index);
    if (!preset) {
        config_fail_prefix(b->config, b->err, key);
        return false;
    }
    if (preset->needs_billing_url && !b->brand->billing_url) {
        config_fail(b->config, b->err, key,
                    "preset %s starts from the billing system's address; "
                    "add billing_url: https://…",
                    preset->name);
        goto out;
    }
    for (unsigned i = 0; i < preset->n_targets; i++) {
        if (!add_preset_target(b, preset, i)) {
            config_fail_prefix(b->config, b->err, key);
            goto out;
        }
    }
    ok = true;
out:
    preset_free(preset);
    return ok;
}

/* --- the brand's own --- */

static bool fail_target(const struct builder *b, unsigned i, const char *key, const char *wrong)
{
    char path[KEY_PATH_MAX];

    snprintf(path, sizeof(path), "brands[%u].targets[%u].%s", b->index, i, key);
    if (!wrong[0])
        return fail_memory(b);
    config_fail(b->config, b->err, path, "%s", wrong);
    return false;
}

static bool set_conditions(const struct builder *b, struct brand_rule *rule,
                           const struct config_rule *from)
{
    struct pool *pool = b->targets->pool;

    for (unsigned i = 0; i < from->n_variant; i++) {
        char letter = from->variant[i][0]; /* of "none", or A to G */

        rule->variants |= (uint8_t)(1u << (letter == 'n' ? 0 : letter - 'A' + 1));
    }
    for (unsigned i = 0; i < from->n_device; i++) {
        for (unsigned device = 0; device < CLICK_DEVICES; device++) {
            if (strcmp(from->device[i], click_device_name(device)) == 0)
                rule->devices |= (uint8_t)(1u << device);
        }
    }
    rule->countries = pool_alloc(pool, (from->n_country + 1) * sizeof(*rule->countries));
    rule->languages = pool_alloc(pool, (from->n_language + 1) * sizeof(*rule->languages));
    if (!rule->countries || !rule->languages)
        return false;
    for (unsigned i = 0; i < from->n_country; i++, rule->n_countries++) {
        if (!(rule->countries[i] = pool_text(pool, from->country[i])))
            return false;
    }
    for (unsigned i = 0; i < from->n_language; i++, rule->n_languages++) {
        const char *text = pool_text(pool, from->language[i]);

        if (!text)
            return false;
        rule->languages[i] = slice_of(text);
    }
    return true;
}

static bool add_rules(const struct builder *b, struct brand_target *target, unsigned i)
{
    const struct config_target *from = &b->brand->targets[i];
    bool utm = wants_utm(b, (int)from->utm);

    target->rules = pool_alloc(b->targets->pool, (from->n_rules + 1) * sizeof(*target->rules));
    target->n_rules = 0;
    if (!target->rules)
        return fail_memory(b);
    for (unsigned r = 0; r < from->n_rules; r++, target->n_rules++) {
        char wrong[256], key[32];

        snprintf(key, sizeof(key), "rules[%u].url", r);
        if (!compile(b, &target->rules[r].tpl, from->rules[r].url, utm, wrong))
            return fail_target(b, i, key, wrong);
        if (!set_conditions(b, &target->rules[r], &from->rules[r]))
            return fail_memory(b);
    }
    return true;
}

static bool set_name(const struct builder *b, struct brand_target *target, uint8_t kind, unsigned i)
{
    const char *name = b->brand->targets[i].name;

    if (kind <= TOKEN_KIND_LOGIN) {
        if (name && strcmp(name, fixed_names[kind]) != 0)
            return fail_target(b, i, "name", "kinds 1 to 3 are view, pay and login; remove it");
        return true;
    }
    for (uint8_t other = TOKEN_KIND_VIEW; name && other <= TOKEN_KIND_LOGIN; other++) {
        if (strcmp(name, fixed_names[other]) == 0)
            return fail_target(b, i, "name",
                               "view, pay and login are kinds 1 to 3; choose another");
    }
    if (name && !(target->name = pool_text(b->targets->pool, name)))
        return fail_memory(b);
    if (!target->name)
        return fail_target(b, i, "name", "is missing; an own kind needs a name, such as renew");
    return true;
}

/* The page leads nowhere, so that what decides where to makes no sense for it. */
static bool make_opt_out(const struct builder *b, struct brand_target *target, unsigned i)
{
    const struct config_target *from = &b->brand->targets[i];

    if (brand_targets_kind(from->kind) <= TOKEN_KIND_LOGIN)
        return fail_target(b, i, "page", "is for kinds of your own; take one from 4 to 15");
    if (from->url || from->n_rules > 0 || from->confirm)
        return fail_target(b, i, "page",
                           "stands in place of url, rules and confirm; remove those or page");
    target->text = NULL;
    target->tpl = (struct template){0};
    target->is_of_invoices = false;
    target->is_opt_out = true;
    return true;
}

static bool add_target(const struct builder *b, unsigned i, unsigned *seen)
{
    const struct config_target *from = &b->brand->targets[i];
    uint8_t kind = brand_targets_kind(from->kind);
    struct brand_target *target = target_of(b, kind);
    char wrong[256];

    if (!target)
        return fail_memory(b);
    if (*seen >> kind & 1)
        return fail_target(b, i, "kind", "is there twice in this brand; remove one");
    *seen |= 1u << kind;
    if (!set_name(b, target, kind, i))
        return false;
    /* What a kind of the preset is stays so unless the brand says otherwise. */
    if (!target->text || from->object != 0)
        target->is_of_invoices = from->object == 0;
    target->tracking = (enum brand_tracking)(from->tracking < BRAND_TRACKINGS ? from->tracking
                                                                              : b->brand->tracking);
    if (from->max_uses > 0 && target->tracking != BRAND_TRACKING_FULL)
        return fail_target(b, i, "max_uses", "counts clicks by link, and its tracking is not full");
    target->max_uses = (uint32_t)from->max_uses;
    target->is_closed_until_known =
        from->until_known == 2 || (from->until_known == 0 && kind == TOKEN_KIND_LOGIN);
    target->confirms = from->confirm;
    if (from->page != 0)
        return make_opt_out(b, target, i);
    if (!set_when(b, target, &from->when))
        return fail_memory(b);
    if (from->url && !(target->text = pool_text(b->targets->pool, from->url)))
        return fail_memory(b);
    if (!target->text)
        return fail_target(b, i, "url", "is missing; the preset has no template for this kind");
    /* Without a template and a word on utm, the preset's compiled one stays as it is. */
    if ((from->url || from->utm != CONFIG_UTM_BRAND) &&
        !compile(b, &target->tpl, target->text, wants_utm(b, (int)from->utm), wrong))
        return fail_target(b, i, "url", wrong);
    return add_rules(b, target, i);
}

/* --- what became of the object --- */

static bool fail_when(const struct builder *b, const struct brand_target *target, unsigned state,
                      const char *wrong)
{
    char path[KEY_PATH_MAX];

    snprintf(path, sizeof(path), "brands[%u].targets", b->index);
    if (wrong[0])
        config_fail(b->config, b->err, path, "kind %s, when.%s: %s", target->name,
                    state_object_name(state), wrong);
    return wrong[0] ? false : fail_memory(b);
}

/* The kinds are all there. */
static bool resolve_when(const struct builder *b, struct brand_target *target, unsigned state)
{
    const char *text = target->when_texts[state];
    struct brand_when *when = &target->when[state];
    char wrong[256];

    if (strcmp(text, "same") == 0) {
        when->what = state == STATE_REPLACED ? BRAND_WHEN_SAME : BRAND_WHEN_DEFAULT;
        return true;
    }
    if (strcmp(text, "page") == 0) {
        when->what = BRAND_WHEN_PAGE;
        return state != STATE_UNPAID && state != STATE_PARTLY_PAID
                   ? true
                   : fail_when(b, target, state, "there is something to pay; it can't be a page");
    }
    if (strstr(text, "://")) {
        when->what = BRAND_WHEN_TEMPLATE;
        when->tpl = pool_alloc(b->targets->pool, sizeof(*when->tpl));
        return when->tpl && compile(b, when->tpl, text, b->brand->utm, wrong)
                   ? true
                   : fail_when(b, target, state, when->tpl ? wrong : "");
    }
    for (uint8_t kind = 1; kind < BRAND_KINDS; kind++) {
        const struct brand_target *other = b->targets->kind[kind];

        if (other && strcmp(other->name, text) == 0) {
            *when = (struct brand_when){.what = BRAND_WHEN_KIND, .kind = kind};
            return true;
        }
    }
    snprintf(wrong, sizeof(wrong),
             "the brand has no kind '%.40s'; a kind, page, same or a template", text);
    return fail_when(b, target, state, wrong);
}

/* --- the whole --- */

static bool check_names(const struct builder *b)
{
    struct brand_target *const *targets = b->targets->kind;

    for (unsigned kind = 1; kind < BRAND_KINDS; kind++) {
        for (unsigned other = 1; targets[kind] && other < kind; other++) {
            char key[KEY_PATH_MAX];

            if (!targets[other] || strcmp(targets[other]->name, targets[kind]->name) != 0)
                continue;
            snprintf(key, sizeof(key), "brands[%u].targets", b->index);
            config_fail(b->config, b->err, key, "kinds %u and %u are both called '%s'; rename one",
                        other, kind, targets[kind]->name);
            return false;
        }
    }
    return true;
}

/* Without a link there is no token for the template. */
static bool check_tracking(const struct builder *b, const struct brand_target *target)
{
    char path[KEY_PATH_MAX];

    if (target->tracking != BRAND_TRACKING_OFF || !(target->needs >> TEMPLATE_TOKEN & 1))
        return true;
    snprintf(path, sizeof(path), "brands[%u].targets", b->index);
    config_fail(b->config, b->err, path,
                "kind %s: its URL holds {token}, and with tracking: off there is none",
                target->name);
    return false;
}

bool brand_targets_build(struct brand_targets *targets, const struct config *config, unsigned index,
                         struct error *err)
{
    struct builder b = {targets, config, &config->brands[index], index, err};
    unsigned seen = 0;

    if (!add_preset(&b))
        return false;
    for (unsigned i = 0; i < b.brand->n_targets; i++) {
        if (!add_target(&b, i, &seen))
            return false;
    }
    for (unsigned kind = 1; kind < BRAND_KINDS; kind++) {
        struct brand_target *target = targets->kind[kind];

        for (unsigned i = 0; target && i < target->n_rules; i++)
            target->needs |= target->rules[i].tpl.uses;
        if (target)
            target->needs |= target->tpl.uses;
        if (target && !check_tracking(&b, target))
            return false;
    }
    if (!check_names(&b))
        return false;
    for (unsigned kind = 1; kind < BRAND_KINDS; kind++) {
        struct brand_target *target = targets->kind[kind];

        for (unsigned state = 1; target && state < STATE_OBJECTS; state++) {
            if (target->when_texts[state] && !resolve_when(&b, target, state))
                return false;
        }
    }
    return true;
}
