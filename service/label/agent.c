#define PCRE2_CODE_UNIT_WIDTH 8
#include "service/label/agent.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>
#include <sodium.h>

#include "proto/bytes.h"
#include "service/base/error.h"
#include "service/label/agent_data.h"
#include "service/label/agent_model.h"

enum {
    /* Steps that matching one pattern may take.  Bounds the cost of a text made to be slow; the
     * most expensive agent of a browser needs a hundredth of it. */
    MATCH_LIMIT = 200000,
    /* The same bound while many new agents arrive (agent_classify_hurriedly()). */
    HURRIED_MATCH_LIMIT = 2000,
    JIT_STACK_MIN = 32 * 1024,
    JIT_STACK_MAX = 256 * 1024,
};

/*
 * Why each pattern is compiled on its own, and not all of them as one.  Measured over the 4673
 * agents of people in tests/labels (PCRE2 10.42, JIT):
 *
 * One program of the 1559 patterns of bots takes 816 us on an agent that none of them matches,
 * which is the usual case, and 10 ms at worst.  Its alternatives share no first letter, so PCRE2
 * tries them all at each byte.  Compiled one by one they take 166 us, for each is searched by its
 * rarest letter.  With the filter below, which rules out nearly all of them, the patterns of bots
 * and the 542 of browsers and systems take 9 us together.
 */
enum { GRAM = 3, GRAM_BITS = 4096, GRAMS_MAX = 4 };

/* A Bloom filter: which sequences of three bytes a text holds, in lower case.  May report a
 * sequence that the text doesn't hold. */
struct gram_set {
    uint64_t words[GRAM_BITS / 64];
};

/* Up to GRAMS_MAX three-byte sequences that every match of a rule holds.  A rule whose sequences
 * are missing in the text is skipped without running its pattern. */
struct needs {
    uint16_t grams[GRAMS_MAX];
    unsigned n_grams;
};

/* A list of rules, compiled. */
struct family_rules {
    const struct agent_rule *rules;
    unsigned n_rules;
    const struct agent_name *names;
    unsigned n_names;
    pcre2_code **codes;
    struct needs *needs; /* of each rule, in the same order */
};

struct agent_rules {
    struct family_rules bots, browsers, systems;
    pcre2_code *people[AGENT_PEOPLE_REGEXES];
};

struct agent_matcher {
    const struct agent_rules *rules;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *data;
    struct gram_set grams;               /* of the text being matched */
    bool gave_up;                        /* a pattern exceeded the match limit on this text */
    char without_models[AGENT_TEXT_MAX]; /* the text being classified, without names of models */
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
    /* Without JIT (no support, or executable memory is forbidden) PCRE2 interprets the pattern:
     * slower, with the same result. */
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    return re;
}

static unsigned small_letter(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a') : (uint8_t)c;
}

static unsigned hash_gram(const char *p)
{
    return (small_letter(p[0]) * 961U + small_letter(p[1]) * 31U + small_letter(p[2])) % GRAM_BITS;
}

static void fill_grams(struct gram_set *set, struct slice text)
{
    *set = (struct gram_set){0};
    for (size_t i = 0; i + GRAM <= text.len; i++) {
        unsigned gram = hash_gram(text.ptr + i);

        set->words[gram / 64] |= UINT64_C(1) << gram % 64;
    }
}

static bool has_grams(const struct gram_set *set, const struct needs *needs)
{
    for (unsigned i = 0; i < needs->n_grams; i++) {
        if (!(set->words[needs->grams[i] / 64] >> needs->grams[i] % 64 & 1))
            return false;
    }
    return true;
}

static bool compile_families(struct family_rules *families, struct error *err)
{
    families->codes = calloc(families->n_rules, sizeof(families->codes[0]));
    families->needs = calloc(families->n_rules, sizeof(families->needs[0]));
    if (!families->codes || !families->needs) {
        error_set(err, "label: out of memory");
        return false;
    }
    for (unsigned i = 0; i < families->n_rules; i++) {
        const struct agent_rule *rule = &families->rules[i];
        struct needs *needs = &families->needs[i];

        families->codes[i] =
            compile(rule->regex, strlen(rule->regex), rule->nocase ? PCRE2_CASELESS : 0, err);
        if (!families->codes[i])
            return false;
        /* Takes sequences from the end: the last letters of "Safari/" are rarer than the first ones
         * of "Version/". */
        for (size_t end = strlen(rule->needs); end >= GRAM && needs->n_grams < GRAMS_MAX; end--)
            needs->grams[needs->n_grams++] = (uint16_t)hash_gram(rule->needs + end - GRAM);
    }
    return true;
}

static void free_families(struct family_rules *families)
{
    for (unsigned i = 0; families->codes && i < families->n_rules; i++)
        pcre2_code_free(families->codes[i]);
    free(families->codes);
    free(families->needs);
}

struct agent_rules *agent_rules_new(struct error *err)
{
    struct agent_rules *rules = calloc(1, sizeof(*rules));
    bool ok = false;

    if (!rules) {
        error_set(err, "label: out of memory");
        goto out;
    }
    rules->bots = (struct family_rules){.rules = agent_bot_rules, .n_rules = agent_n_bot_rules};
    rules->browsers = (struct family_rules){.rules = agent_browser_rules,
                                            .n_rules = agent_n_browser_rules,
                                            .names = agent_browser_names,
                                            .n_names = agent_n_browser_names};
    rules->systems = (struct family_rules){.rules = agent_system_rules,
                                           .n_rules = agent_n_system_rules,
                                           .names = agent_system_names,
                                           .n_names = agent_n_system_names};
    if (!compile_families(&rules->bots, err) || !compile_families(&rules->browsers, err) ||
        !compile_families(&rules->systems, err))
        goto out;
    for (unsigned i = 0; i < AGENT_PEOPLE_REGEXES; i++) {
        const char *regex = agent_people_regexes[i];

        rules->people[i] = compile(regex, strlen(regex), PCRE2_CASELESS, err);
        if (!rules->people[i])
            goto out;
    }
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
    free_families(&rules->bots);
    free_families(&rules->browsers);
    free_families(&rules->systems);
    for (unsigned i = 0; i < AGENT_PEOPLE_REGEXES; i++)
        pcre2_code_free(rules->people[i]);
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

static bool match(struct agent_matcher *m, const pcre2_code *re, struct slice text)
{
    int status = pcre2_match(re, (PCRE2_SPTR)text.ptr, text.len, 0, 0, m->data, m->context);

    if (status < 0 && status != PCRE2_ERROR_NOMATCH)
        m->gave_up = true;
    return status >= 0;
}

/* The family whose name the first group of the last match has captured; 0 if that took no part. */
static uint8_t captured_family(const struct agent_matcher *m, const struct family_rules *families,
                               struct slice text)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data) + 2;
    struct slice name;

    if (pcre2_get_ovector_count(m->data) < 2 || at[0] == PCRE2_UNSET)
        return 0;
    name = slice_make(text.ptr + at[0], at[1] - at[0]);
    for (unsigned i = 0; i < families->n_names; i++) {
        if (slice_equal(name, slice_of(families->names[i].text)))
            return families->names[i].family;
    }
    return 0;
}

/* The family of the first rule that matches; 0 (OTHER or NONE) if no rule does.  A rule
 * that exceeds the match limit counts as one that doesn't match. */
static uint8_t find_family(struct agent_matcher *m, const struct family_rules *families,
                           struct slice text)
{
    for (unsigned i = 0; i < families->n_rules; i++) {
        if (!has_grams(&m->grams, &families->needs[i]) || !match(m, families->codes[i], text))
            continue;
        if (families->rules[i].family != AGENT_CAPTURE)
            return families->rules[i].family;
        return captured_family(m, families, text);
    }
    return 0;
}

static bool has(struct slice text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* True for "SMART-TV", "GoogleTV" and "Android TV"; false for a phone called STV100 and a tablet
 * called BTV-W09. */
static bool has_tv(struct slice text)
{
    for (size_t i = 0; i + 2 <= text.len; i++) {
        unsigned char before = i > 0 ? (unsigned char)text.ptr[i - 1] : ' ';
        unsigned char after = i + 2 < text.len ? (unsigned char)text.ptr[i + 2] : ' ';

        if (memcmp(text.ptr + i, "TV", 2) == 0 && !isupper(before) && !isdigit(before) &&
            !isalnum(after))
            return true;
    }
    return false;
}

/* Phones send "Mobile", tablets don't (Chrome, "User-Agent reduction"; Android's own browser).
 * Opera's old browsers for phones don't send it, and don't always name the system. */
static bool has_mobile(struct slice text)
{
    return has(text, "Mobile") || has(text, "Opera Mini") || has(text, "Opera Mobi");
}

/*
 * Why a rule of our own: uap-core names models but no form factors, and the packages that know form
 * factors hold them in code, which a build can't turn into a table.  They are no more accurate
 * either.  Of the 4624 agents of people whose form the packages in tests/labels know by their
 * screens, this rule gets 0.8 % wrong, ua-parser-js 1 0.6 %, mobile-detect 0.3 % and bowser 1.3 %;
 * of the newest 952 this rule and the first two packages get none wrong.  Most errors are old
 * tablets that call themselves phones: of the 6807 tablets of Matomo's device-detector this rule
 * gets 15 % wrong, ua-parser-js 20 %.  The names of mobile-detect would find 1 % more of them, and
 * turn as many phones into tablets.
 *
 * An iPad that asks for desktop pages, as they do by default since iPadOS 13, looks like a
 * Macintosh and is a desktop here.
 */
static enum click_device find_device(struct agent_matcher *m, enum click_system system,
                                     struct slice text)
{
    switch (system) {
    case CLICK_SYSTEM_IOS:
        return has(text, "iPad") ? CLICK_DEVICE_TABLET : CLICK_DEVICE_PHONE;
    case CLICK_SYSTEM_ANDROID:
    case CLICK_SYSTEM_HARMONYOS:
        if (has_tv(text) || has(text, "BRAVIA") || has(text, " AFT"))
            return CLICK_DEVICE_OTHER;
        /* One tablet in five sends "Mobile" as phones do.  Of these, the ones with a tablet's model
         * name are recognised. */
        return has_mobile(text) && !match(m, m->rules->people[AGENT_NAMES_TABLET], text)
                   ? CLICK_DEVICE_PHONE
                   : CLICK_DEVICE_TABLET;
    case CLICK_SYSTEM_KAIOS:
        return CLICK_DEVICE_PHONE;
    case CLICK_SYSTEM_WINDOWS:
        return has(text, "Windows Phone") ? CLICK_DEVICE_PHONE : CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_LINUX:
        if (has_tv(text))
            return CLICK_DEVICE_OTHER;
        return has_mobile(text) ? CLICK_DEVICE_PHONE : CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_MACOS:
    case CLICK_SYSTEM_CHROMEOS:
    case CLICK_SYSTEM_BSD:
        return CLICK_DEVICE_DESKTOP;
    case CLICK_SYSTEM_TIZEN:
    case CLICK_SYSTEM_OTHER:
    case CLICK_SYSTEMS:
        break;
    }
    return has_mobile(text) ? CLICK_DEVICE_PHONE : CLICK_DEVICE_OTHER;
}

/*
 * Whether a person's program sent `text`: the text names a browser, an engine, a phone or a mail
 * program, and doesn't say "compatible; NAME" of another program.  Four in five programs that are
 * on no list name nothing but themselves, so this test finds them.
 */
static bool is_of_people(struct agent_matcher *m, struct slice text)
{
    pcre2_code *const *people = m->rules->people;

    return !match(m, people[AGENT_COMPATIBLE_OTHER], text) &&
           (match(m, people[AGENT_NAMES_BROWSER], text) ||
            match(m, people[AGENT_NAMES_DEVICE], text) ||
            match(m, people[AGENT_BEGINS_AS_PEOPLE], text));
}

/* Tells machine from person.  The lists of machines are tried first, because they also tell which
 * kind of machine it is. */
static enum click_reason find_reason(struct agent_matcher *m, struct slice text)
{
    struct slice words;
    enum click_reason reason;

    if (text.len == 0)
        return CLICK_REASON_NO_AGENT;
    words = slice_make(m->without_models, agent_without_models(text, m->without_models));
    m->gave_up = false;
    fill_grams(&m->grams, words);
    reason = find_family(m, &m->rules->bots, words);
    if (reason == CLICK_REASON_NONE && !m->gave_up && !is_of_people(m, text))
        reason = CLICK_REASON_UNKNOWN_PROGRAM;
    return reason == CLICK_REASON_NONE && m->gave_up ? CLICK_REASON_UNCLASSIFIED : reason;
}

struct agent agent_classify(struct agent_matcher *matcher, struct slice text)
{
    struct agent agent = {0};

    if (text.len > AGENT_TEXT_MAX)
        text.len = AGENT_TEXT_MAX;
    agent.reason = (uint8_t)find_reason(matcher, text);
    if (text.len > 0) {
        uint8_t digest[crypto_generichash_BYTES];

        /* 32 bits are enough to tell the visitors behind one address apart. */
        crypto_generichash(digest, sizeof(digest), (const uint8_t *)text.ptr, text.len, NULL, 0);
        agent.text_hash = le32_load(digest);
        if (agent.text_hash == 0)
            agent.text_hash = 1;
    }
    if (click_reason_label(agent.reason) != CLICK_HUMAN)
        return agent;
    fill_grams(&matcher->grams, text);
    agent.browser = find_family(matcher, &matcher->rules->browsers, text);
    agent.system = find_family(matcher, &matcher->rules->systems, text);
    agent.device = (uint8_t)find_device(matcher, agent.system, text);
    return agent;
}

struct agent agent_classify_hurriedly(struct agent_matcher *matcher, struct slice text)
{
    struct agent agent = {0};

    if (text.len > AGENT_TEXT_MAX)
        text.len = AGENT_TEXT_MAX;
    pcre2_set_match_limit(matcher->context, HURRIED_MATCH_LIMIT);
    agent.reason = (uint8_t)find_reason(matcher, text);
    pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
    if (agent.reason == CLICK_REASON_NONE)
        agent.reason = CLICK_REASON_UNCLASSIFIED;
    return agent;
}
