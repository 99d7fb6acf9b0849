#define PCRE2_CODE_UNIT_WIDTH 8
#include "service/label/agent.h"

#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include "service/base/error.h"
#include "service/label/agent_data.h"

enum {
    /* Bounds what one pattern may cost on a text made to be slow; on browsers' agents the most
     * expensive one needs a hundredth. */
    MATCH_LIMIT = 200000,
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 256 * 1024,
};

/* A list of rules, compiled. */
struct family_rules {
    const struct agent_rule *rules;
    unsigned n_rules;
    const struct agent_name *names;
    unsigned n_names;
    pcre2_code **codes;
};

struct agent_rules {
    pcre2_code *bots;
    uint32_t preview, library; /* numbers of the groups; the third is of crawlers */
    struct family_rules browsers, systems;
};

struct agent_matcher {
    const struct agent_rules *rules;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *data;
};

static pcre2_code *compile(const char *pattern, size_t len, uint32_t options, struct error *err)
{
    PCRE2_UCHAR text[128];
    PCRE2_SIZE offset;
    int code;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code, &offset, NULL);

    if (!re) {
        pcre2_get_error_message(code, text, sizeof(text));
        error_set(err, "label: pattern of user agents, at byte %zu of '%.60s': %s", offset, pattern,
                  (const char *)text);
        return NULL;
    }
    /* Where there is no JIT, or no memory may be made executable, matching is interpreted: slower,
     * with the same result. */
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    return re;
}

static pcre2_code *compile_bots(struct error *err)
{
    size_t len = 0;
    pcre2_code *re;
    char *pattern;

    for (unsigned i = 0; i < agent_n_bots; i++)
        len += strlen(agent_bots[i]);
    pattern = malloc(len + 1);
    if (!pattern) {
        error_set(err, "label: out of memory");
        return NULL;
    }
    len = 0;
    for (unsigned i = 0; i < agent_n_bots; i++) {
        size_t piece_len = strlen(agent_bots[i]);

        memcpy(pattern + len, agent_bots[i], piece_len + 1);
        len += piece_len;
    }
    re = compile(pattern, len, PCRE2_NO_AUTO_CAPTURE, err);
    free(pattern);
    return re;
}

static bool compile_families(struct family_rules *families, struct error *err)
{
    families->codes = calloc(families->n_rules, sizeof(families->codes[0]));
    if (!families->codes) {
        error_set(err, "label: out of memory");
        return false;
    }
    for (unsigned i = 0; i < families->n_rules; i++) {
        const struct agent_rule *rule = &families->rules[i];

        families->codes[i] =
            compile(rule->regex, strlen(rule->regex), rule->nocase ? PCRE2_CASELESS : 0, err);
        if (!families->codes[i])
            return false;
    }
    return true;
}

static void free_families(struct family_rules *families)
{
    for (unsigned i = 0; families->codes && i < families->n_rules; i++)
        pcre2_code_free(families->codes[i]);
    free(families->codes);
}

struct agent_rules *agent_rules_new(struct error *err)
{
    struct agent_rules *rules = calloc(1, sizeof(*rules));
    bool ok = false;

    if (!rules) {
        error_set(err, "label: out of memory");
        goto out;
    }
    rules->browsers = (struct family_rules){agent_browser_rules, agent_n_browser_rules,
                                            agent_browser_names, agent_n_browser_names, NULL};
    rules->systems = (struct family_rules){agent_system_rules, agent_n_system_rules,
                                           agent_system_names, agent_n_system_names, NULL};
    rules->bots = compile_bots(err);
    if (!rules->bots || !compile_families(&rules->browsers, err) ||
        !compile_families(&rules->systems, err))
        goto out;
    rules->preview =
        (uint32_t)pcre2_substring_number_from_name(rules->bots, (PCRE2_SPTR) "preview");
    rules->library =
        (uint32_t)pcre2_substring_number_from_name(rules->bots, (PCRE2_SPTR) "library");
    ok = true;
out:
    if (!ok) {
        agent_rules_free(rules);
        rules = NULL;
    }
    return rules;
}

void agent_rules_free(struct agent_rules *rules)
{
    if (!rules)
        return;
    pcre2_code_free(rules->bots);
    free_families(&rules->browsers);
    free_families(&rules->systems);
    free(rules);
}

struct agent_matcher *agent_matcher_new(const struct agent_rules *rules)
{
    struct agent_matcher *matcher = calloc(1, sizeof(*matcher));

    if (!matcher)
        return NULL;
    matcher->rules = rules;
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    matcher->data = pcre2_match_data_create(16, NULL);
    if (!matcher->context || !matcher->stack || !matcher->data) {
        agent_matcher_free(matcher);
        return NULL;
    }
    pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
    pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return matcher;
}

void agent_matcher_free(struct agent_matcher *matcher)
{
    if (!matcher)
        return;
    pcre2_match_data_free(matcher->data);
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_context_free(matcher->context);
    free(matcher);
}

enum match { MATCH_NO, MATCH_YES, MATCH_TOO_LONG };

static enum match match(struct agent_matcher *m, const pcre2_code *re, struct slice text)
{
    int status = pcre2_match(re, (PCRE2_SPTR)text.ptr, text.len, 0, 0, m->data, m->context);

    if (status == PCRE2_ERROR_NOMATCH)
        return MATCH_NO;
    return status < 0 ? MATCH_TOO_LONG : MATCH_YES;
}

/* The text of group `number` of the last match; absent if it took no part. */
static struct slice captured(const struct agent_matcher *m, struct slice text, uint32_t number)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data) + (size_t)2 * number;

    if (number >= pcre2_get_ovector_count(m->data) || at[0] == PCRE2_UNSET)
        return slice_make(NULL, 0);
    return slice_make(text.ptr + at[0], at[1] - at[0]);
}

static enum click_reason find_bot(struct agent_matcher *m, struct slice text)
{
    switch (match(m, m->rules->bots, text)) {
    case MATCH_NO:
        return CLICK_REASON_NONE;
    case MATCH_TOO_LONG:
        return CLICK_REASON_UNCLASSIFIED;
    case MATCH_YES:
        break;
    }
    if (captured(m, text, m->rules->preview).ptr)
        return CLICK_REASON_LINK_PREVIEW;
    return captured(m, text, m->rules->library).ptr ? CLICK_REASON_LIBRARY : CLICK_REASON_CRAWLER;
}

static uint8_t family_of_name(const struct family_rules *families, struct slice name)
{
    for (unsigned i = 0; i < families->n_names; i++) {
        if (slice_equal(name, slice_of(families->names[i].text)))
            return families->names[i].family;
    }
    return 0; /* OTHER */
}

/* A rule that took too long is taken for one that doesn't match. */
static uint8_t find_family(struct agent_matcher *m, const struct family_rules *families,
                           struct slice text)
{
    for (unsigned i = 0; i < families->n_rules; i++) {
        if (match(m, families->codes[i], text) != MATCH_YES)
            continue;
        if (families->rules[i].family != AGENT_CAPTURE)
            return families->rules[i].family;
        return family_of_name(families, captured(m, text, 1));
    }
    return 0;
}

static bool has(struct slice text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static enum click_device device_of_android(struct slice text)
{
    if (has(text, "TV") || has(text, "BRAVIA") || has(text, "AFT"))
        return CLICK_DEVICE_OTHER;
    /* Phones say "Mobile", tablets don't: Chrome, "User-Agent reduction", and Android's own. */
    return has(text, "Mobile") ? CLICK_DEVICE_PHONE : CLICK_DEVICE_TABLET;
}

/* Form factors are not in uap-core, which names models.  An iPad that asks for desktop pages, as
 * they do by default since iPadOS 13, looks like a Macintosh and is a desktop here. */
static enum click_device find_device(enum click_system system, struct slice text)
{
    switch (system) {
    case CLICK_SYSTEM_IOS:
        return has(text, "iPad") ? CLICK_DEVICE_TABLET : CLICK_DEVICE_PHONE;
    case CLICK_SYSTEM_ANDROID:
    case CLICK_SYSTEM_HARMONYOS:
        return device_of_android(text);
    case CLICK_SYSTEM_KAIOS:
        return CLICK_DEVICE_PHONE;
    case CLICK_SYSTEM_WINDOWS:
        return has(text, "Windows Phone") ? CLICK_DEVICE_PHONE : CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_LINUX:
        if (has(text, "TV"))
            return CLICK_DEVICE_OTHER;
        return has(text, "Mobile") ? CLICK_DEVICE_PHONE : CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_MACOS:
    case CLICK_SYSTEM_CHROMEOS:
    case CLICK_SYSTEM_BSD:
        return CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_TIZEN:
    case CLICK_SYSTEM_OTHER:
    case CLICK_SYSTEMS:
        break;
    }
    return has(text, "Mobile") ? CLICK_DEVICE_PHONE : CLICK_DEVICE_OTHER;
}

struct agent agent_classify(struct agent_matcher *matcher, struct slice text)
{
    struct agent agent = {.reason = CLICK_REASON_NO_AGENT};

    if (text.len == 0)
        return agent;
    if (text.len > AGENT_TEXT_MAX)
        text.len = AGENT_TEXT_MAX;
    agent.reason = (uint8_t)find_bot(matcher, text);
    if (agent.reason != CLICK_REASON_NONE)
        return agent;
    agent.browser = find_family(matcher, &matcher->rules->browsers, text);
    agent.system = find_family(matcher, &matcher->rules->systems, text);
    agent.device = (uint8_t)find_device(agent.system, text);
    return agent;
}
