#include "service/label/label.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/http1.h"
#include "service/base/error.h"
#include "service/label/agent.h"
#include "service/label/agent_cache.h"
#include "service/label/geo.h"
#include "service/label/headers.h"
#include "service/label/known.h"
#include "service/label/salt.h"

enum {
    CACHE_SETS = 4096, /* of three agents each, 256 KiB; a day brings some thousands */
    /* New agents per second that are matched against all patterns: each takes about 20 µs, 200 at
     * worst, so together 0.5 % of a core, 5 % at worst.  Agents beyond this number are only tested
     * for being a machine, so that a flood of new agents can't turn declared bots into people.
     * Their result isn't cached, so that a flood can't evict the agents of people. */
    NEW_AGENTS_PER_S = 256,
};

struct label_rules {
    struct agent_rules *agents;
    struct geo *geo; /* NULL: no file of countries is configured */
    struct geo
        *asns; /* NULL: no file of autonomous systems is configured, or `labels.asns` is empty */
    struct known *known;
    const struct salt *salt;
};

struct labeler {
    struct agent_matcher *matcher;
    struct agent_cache *cache;
    const struct label_rules *rules;
    struct geo_reader *geo, *asns;
    struct labeler_counters *counters;
    int64_t second;       /* the second that `n_new` counts in */
    unsigned n_new;       /* new agents classified in that second */
    uint64_t hash_key[2]; /* secret, so that nobody can construct agents that collide */
};

struct label_rules *label_rules_new(const char *country_file, struct error *err)
{
    const struct geo_options geo = {.path = country_file};
    struct label_rules *rules = calloc(1, sizeof(*rules));
    bool ok = false;

    if (!rules) {
        error_set(err, "label: out of memory");
        goto out;
    }
    rules->agents = agent_rules_new(err);
    if (!rules->agents)
        goto out;
    if (country_file && !(rules->geo = geo_new(&geo, err)))
        goto out;
    ok = true;
out:
    if (!ok) {
        label_rules_free(rules);
        rules = NULL;
    }
    return rules;
}

bool label_rules_set_origin(struct label_rules *rules, const struct label_origin *origin,
                            struct error *err)
{
    const struct geo_options asns = {.path = origin->asn_file, .what = GEO_DB_ASNS};

    rules->salt = origin->salt;
    rules->known = origin->known;
    if (!origin->asn_file || !known_has_asns(origin->known))
        return true;
    rules->asns = geo_new(&asns, err);
    return rules->asns != NULL;
}

void label_rules_free(struct label_rules *rules)
{
    if (!rules)
        return;
    agent_rules_free(rules->agents);
    geo_free(rules->geo);
    geo_free(rules->asns);
    known_free(rules->known);
    free(rules);
}

struct labeler *labeler_new(const struct label_rules *rules, struct labeler_counters *counters,
                            struct error *err)
{
    struct labeler *labeler = calloc(1, sizeof(*labeler));
    bool ok = false;

    if (!labeler)
        goto out;
    randombytes_buf(labeler->hash_key, sizeof(labeler->hash_key));
    labeler->matcher = agent_matcher_new(rules->agents);
    labeler->cache = agent_cache_new(CACHE_SETS);
    labeler->rules = rules;
    labeler->counters = counters;
    labeler->geo = geo_reader_new(rules->geo);
    labeler->asns = geo_reader_new(rules->asns);
    ok = labeler->matcher && labeler->cache && labeler->geo && labeler->asns;
out:
    if (!ok) {
        error_set(err, "label: out of memory, or more than %d workers", GEO_READERS_MAX);
        labeler_free(labeler);
        labeler = NULL;
    }
    return labeler;
}

void labeler_free(struct labeler *labeler)
{
    if (!labeler)
        return;
    agent_matcher_free(labeler->matcher);
    agent_cache_free(labeler->cache);
    geo_reader_free(labeler->geo);
    geo_reader_free(labeler->asns);
    free(labeler);
}

/* Multiplies two words and folds the 128-bit product by xor. */
static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/*
 * A keyed hash that multiplies and folds sixteen bytes at a time, as wyhash does.  SipHash takes
 * ten times as long, 3 % of a redirect, and there is little to protect: a sender who makes two
 * agents collide gets one labelled as the other, which sending that other agent would do as well.
 */
static uint64_t hash_agent(const struct labeler *labeler, struct slice text)
{
    const uint64_t *key = labeler->hash_key;
    const uint8_t *p = (const uint8_t *)text.ptr;
    uint64_t hash = key[0] ^ text.len, last[2] = {0};
    size_t left = text.len;

    for (; left > sizeof(last); left -= sizeof(last), p += sizeof(last))
        hash = fold_product(le64_load(p) ^ key[1], le64_load(p + 8) ^ hash);
    if (left)
        memcpy(last, p, left);
    hash = fold_product(last[0] ^ key[1], last[1] ^ hash);
    return fold_product(hash ^ key[0], key[1] | 1);
}

static struct agent find_agent(struct labeler *labeler, struct slice text, int64_t now_ms)
{
    const struct agent *known;
    struct agent agent;
    uint64_t key;

    if (text.len > AGENT_TEXT_MAX)
        text.len = AGENT_TEXT_MAX;
    key = hash_agent(labeler, text);
    known = agent_cache_find(labeler->cache, key);
    if (known) {
        counter64_add(&labeler->counters->hits, 1);
        return *known;
    }
    if (now_ms / 1000 != labeler->second) {
        labeler->second = now_ms / 1000;
        labeler->n_new = 0;
    }
    if (labeler->n_new++ >= NEW_AGENTS_PER_S) {
        counter64_add(&labeler->counters->hurried, 1);
        return agent_classify_hurriedly(labeler->matcher, text);
    }
    counter64_add(&labeler->counters->full, 1);
    agent = agent_classify(labeler->matcher, text);
    agent_cache_put(labeler->cache, key, agent);
    return agent;
}

/* The surest sign decides: the method, then the stated purpose, then the agent. */
static enum click_reason find_reason(const struct http1_request *request, const struct agent *agent)
{
    enum click_reason purpose;

    if (request->method == HTTP1_HEAD)
        return CLICK_REASON_HEAD;
    purpose = headers_purpose(request);
    if (purpose != CLICK_REASON_NONE)
        return purpose;
    if (agent->reason == CLICK_REASON_NO_AGENT && headers_say_navigation(request))
        return CLICK_REASON_NONE;
    return agent->reason;
}

/* Sets the fields that the detection of mail gateways and the count of visitors need. */
static void set_origin(struct labeler *labeler, const struct label_source *source,
                       const struct agent *agent, struct label *label)
{
    const struct label_rules *rules = labeler->rules;
    const uint8_t *ip = source->ip;
    uint32_t asn;

    if (source->has_client)
        label->network = salt_network(rules->salt, ip);
    else if (label->label == CLICK_HUMAN && agent->text_hash != 0)
        label->visitor = salt_visitor(rules->salt, ip, agent->text_hash);
    if (known_has_address(rules->known, ip)) {
        label->hints |= CLICK_HINT_RANGE;
        /* A visitor, once counted, can't be taken out when the click is relabelled. */
        label->visitor = 0;
    }
    if (rules->asns && (asn = geo_asn(labeler->asns, ip)) && known_has_asn(rules->known, asn))
        label->hints |= CLICK_HINT_ASN;
}

struct label labeler_label(struct labeler *labeler, const struct label_source *source,
                           int64_t now_ms)
{
    const struct http1_request *request = source->request;
    struct agent agent = find_agent(labeler, request->field[HTTP1_USER_AGENT], now_ms);
    enum click_reason reason = find_reason(request, &agent);

    struct label label = {
        .label = (uint8_t)click_reason_label(reason),
        .reason = (uint8_t)reason,
        .device = agent.device,
        .browser = agent.browser,
        .system = agent.system,
        .referrer = (uint8_t)headers_referrer(request->field[HTTP1_REFERER]),
    };

    geo_country(labeler->geo, source->ip, label.country);
    if (labeler->rules->salt)
        set_origin(labeler, source, &agent, &label);
    return label;
}
