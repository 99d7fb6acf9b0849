#include "service/gateway/siblings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "claim_lua.h"
#include "proto/bytes.h"
#include "proto/counter.h"
#include "siblings_lua.h"

enum {
    HELD_MAX = 4096,
    CLAIMS_MAX = 4096,
    CLAIM_TTL_S = 3600, /* longer than a claim may wait, so that a claim can be sent again */
    CLAIM_WAIT_MS = 600000,
    SEND_MAX = 128,    /* clicks in one command */
    LIST_MAX = 32,     /* as in siblings.lua */
    MARGIN_MS = 10000, /* how much longer a list lives than its clicks matter */
    OFFER_LEN = GATEWAY_ORIGIN_LEN + CLICK_RECORD_LEN,
    NAME_LEN = GATEWAY_ORIGIN_LEN +
               8, /* length of the name of a click or of a claim: a process and a number */
    CLAIM_LEN = 2 * NAME_LEN,
    VALUE_MAX = OFFER_LEN,
    SECONDS_MAX = 24,
};

_Static_assert((int)GATEWAY_ORIGIN_LEN == (int)CLICK_LOG_ID_LEN, "records are sealed with it");
_Static_assert((int)LIST_MAX == (int)GATEWAY_FOUND_MAX, "what is told can be looked at together");
_Static_assert((int)CLAIM_LEN <= (int)VALUE_MAX, "there is room for either");

/* A click that waits for the clicks of other pods, or for its claim. */
struct waiting {
    struct gateway_click click;
    unsigned shard;
    bool is_sent;
    uint64_t claim;   /* of a claim: its number, which a repeated attempt keeps */
    int64_t since_ms; /* of a claim: when it was first sent */
};

struct siblings {
    struct siblings_options options;
    unsigned n_held, n_claims;
    uint64_t n_claimed; /* claims ever made */
    struct waiting held[HELD_MAX];
    struct waiting claims[CLAIMS_MAX];
    bool is_offered[COUNTER_SHARDS_MAX],
        is_claimed[COUNTER_SHARDS_MAX]; /* a command is under way */
    struct gateway_click
        told[SEND_MAX + SEND_MAX * LIST_MAX]; /* the clicks that one answer tells */
};

struct siblings *siblings_new(const struct siblings_options *options)
{
    struct siblings *siblings = calloc(1, sizeof(*siblings));

    if (siblings)
        siblings->options = *options;
    return siblings;
}

void siblings_free(struct siblings *siblings)
{
    free(siblings);
}

static unsigned shard_of(const struct siblings *siblings, const struct click *click)
{
    return counter_shard_of_client(click->brand, click->client, siblings->options.n_shards);
}

bool siblings_hold(struct siblings *siblings, const struct gateway_click *click)
{
    if (siblings->n_held == HELD_MAX)
        return false;
    siblings->held[siblings->n_held++] =
        (struct waiting){.click = *click, .shard = shard_of(siblings, &click->click)};
    return true;
}

void siblings_claim(struct siblings *siblings, const struct gateway_click *click, int64_t now_ms)
{
    if (siblings->n_claims < CLAIMS_MAX)
        siblings->claims[siblings->n_claims++] =
            (struct waiting){.click = *click,
                             .shard = shard_of(siblings, &click->click),
                             .claim = siblings->n_claimed++,
                             .since_ms = now_ms};
}

/* --- commands --- */

/* A command being built: keys, and one value for each. */
struct command {
    unsigned n;
    struct slice argv[GATEWAY_ARGV_KEY + 2 * SEND_MAX + 1];
    struct counter_key keys[SEND_MAX];
    uint8_t values[SEND_MAX][VALUE_MAX];
    size_t value_len;
};

static void write_name(uint8_t out[static NAME_LEN], const uint8_t *origin, uint64_t number)
{
    memcpy(out, origin, GATEWAY_ORIGIN_LEN);
    le64_store(out + GATEWAY_ORIGIN_LEN, number);
}

static bool send_command(struct siblings *siblings, struct command *command,
                         enum gateway_command what, unsigned shard, struct slice script,
                         int64_t ttl_s)
{
    const struct gateway_redis *redis = &siblings->options.redis;
    char n_keys[SECONDS_MAX], ttl[SECONDS_MAX];
    size_t argc = GATEWAY_ARGV_KEY;

    snprintf(n_keys, sizeof(n_keys), "%u", command->n);
    snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
    command->argv[0] = slice_of("EVAL");
    command->argv[1] = script;
    command->argv[2] = slice_of(n_keys);
    for (unsigned i = 0; i < command->n; i++)
        command->argv[argc++] = counter_key_slice(&command->keys[i]);
    command->argv[argc++] = slice_of(ttl);
    for (unsigned i = 0; i < command->n; i++)
        command->argv[argc++] = slice_make((const char *)command->values[i], command->value_len);
    return redis->send(redis->owner, what, shard, command->argv, argc);
}

static void send_offers(struct siblings *siblings, unsigned shard)
{
    struct command command = {.value_len = OFFER_LEN};
    struct waiting *chosen[SEND_MAX];

    for (unsigned i = 0; i < siblings->n_held && command.n < SEND_MAX; i++) {
        struct waiting *held = &siblings->held[i];
        const struct gateway_click *click = &held->click;
        uint8_t *value = command.values[command.n];

        if (held->shard != shard)
            continue;
        chosen[command.n] = held;
        counter_key_siblings(&command.keys[command.n], click->click.brand, click->click.client,
                             siblings->options.n_shards);
        memcpy(value, click->origin, GATEWAY_ORIGIN_LEN);
        click_encode(&click->click, click->number, click->origin, value + GATEWAY_ORIGIN_LEN);
        command.n++;
    }
    if (command.n == 0)
        return;
    siblings->is_offered[shard] = send_command(siblings, &command, GATEWAY_OFFER, shard,
                                               slice_make(siblings_lua, sizeof(siblings_lua)),
                                               (siblings->options.window_ms + MARGIN_MS) / 1000);
    for (unsigned i = 0; siblings->is_offered[shard] && i < command.n; i++)
        chosen[i]->is_sent = true;
}

static void send_claims(struct siblings *siblings, unsigned shard)
{
    struct command command = {.value_len = CLAIM_LEN};
    struct waiting *chosen[SEND_MAX];

    for (unsigned i = 0; i < siblings->n_claims && command.n < SEND_MAX; i++) {
        struct waiting *claim = &siblings->claims[i];
        const struct click *click = &claim->click.click;
        uint8_t *value = command.values[command.n];

        if (claim->shard != shard)
            continue;
        chosen[command.n] = claim;
        counter_key_claims(&command.keys[command.n], click->brand, click->client,
                           siblings->options.n_shards);
        write_name(value, claim->click.origin, claim->click.number);
        write_name(value + NAME_LEN, siblings->options.origin, claim->claim);
        command.n++;
    }
    if (command.n == 0)
        return;
    siblings->is_claimed[shard] =
        send_command(siblings, &command, GATEWAY_CLAIM, shard,
                     slice_make(claim_lua, sizeof(claim_lua)), CLAIM_TTL_S);
    for (unsigned i = 0; siblings->is_claimed[shard] && i < command.n; i++)
        chosen[i]->is_sent = true;
}

/* Judges the clicks whose server can't be reached with what this process knows. */
static void release_held(struct siblings *siblings)
{
    const struct siblings_options *o = &siblings->options;
    unsigned kept = 0;

    for (unsigned i = 0; i < siblings->n_held; i++) {
        struct waiting *held = &siblings->held[i];

        if (!held->is_sent && !o->redis.is_ready(o->redis.owner, held->shard))
            o->on_click(o->owner, &held->click);
        else
            siblings->held[kept++] = *held;
    }
    siblings->n_held = kept;
}

void siblings_serve(struct siblings *siblings, int64_t now_ms)
{
    const struct gateway_redis *redis = &siblings->options.redis;
    unsigned kept = 0;

    if (siblings->n_held > 0)
        release_held(siblings);
    for (unsigned s = 0; s < siblings->options.n_shards && siblings->n_held + siblings->n_claims;
         s++) {
        if (!redis->is_ready(redis->owner, s))
            continue;
        if (!siblings->is_offered[s])
            send_offers(siblings, s);
        if (!siblings->is_claimed[s])
            send_claims(siblings, s);
    }
    /* Claims that Redis did not answer for too long are given up; those clicks keep their label. */
    for (unsigned i = 0; i < siblings->n_claims; i++) {
        if (siblings->claims[i].is_sent || now_ms - siblings->claims[i].since_ms < CLAIM_WAIT_MS)
            siblings->claims[kept++] = siblings->claims[i];
    }
    siblings->n_claims = kept;
}

/* --- answers --- */

/* Reads a click from a list; false if it is this process' own, or damaged. */
static bool read_told(const struct siblings *siblings, const struct redisReply *entry,
                      struct gateway_click *out)
{
    const uint8_t *bytes;

    if (entry->type != REDIS_REPLY_STRING || entry->len != OFFER_LEN)
        return false;
    bytes = (const uint8_t *)entry->str;
    if (memcmp(bytes, siblings->options.origin, GATEWAY_ORIGIN_LEN) == 0)
        return false;
    *out = (struct gateway_click){.is_shared = true};
    memcpy(out->origin, bytes, GATEWAY_ORIGIN_LEN);
    out->number = le64_load(bytes + GATEWAY_ORIGIN_LEN);
    return click_decode(bytes + GATEWAY_ORIGIN_LEN, out->number, out->origin, &out->click) ==
           CLICK_OK;
}

/* Removes from the queue the clicks that this answer is about. */
static size_t take_held(struct siblings *siblings, unsigned shard)
{
    unsigned kept = 0;
    size_t n = 0;

    for (unsigned i = 0; i < siblings->n_held; i++) {
        struct waiting *held = &siblings->held[i];

        if (held->is_sent && held->shard == shard)
            siblings->told[n++] = held->click;
        else
            siblings->held[kept++] = *held;
    }
    siblings->n_held = kept;
    return n;
}

static int compare_times(const void *a, const void *b)
{
    const struct gateway_click *x = a, *y = b;

    if (x->click.time_ms != y->click.time_ms)
        return x->click.time_ms < y->click.time_ms ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void on_offers(struct siblings *siblings, unsigned shard, const struct redisReply *answer)
{
    const struct siblings_options *o = &siblings->options;
    size_t n = take_held(siblings, shard);
    size_t max = sizeof(siblings->told) / sizeof(siblings->told[0]);

    siblings->is_offered[shard] = false;
    if (answer && answer->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < answer->elements && n < max; i++)
            n += read_told(siblings, answer->element[i], &siblings->told[n]);
    }
    qsort(siblings->told, n, sizeof(siblings->told[0]), compare_times);
    for (size_t i = 0; i < n; i++)
        o->on_click(o->owner, &siblings->told[i]);
}

/* Handles the claims of the shard that were sent, in their order.  Without an answer they are sent
 * again. */
static void on_claims(struct siblings *siblings, unsigned shard, const struct redisReply *answer)
{
    const struct siblings_options *o = &siblings->options;
    bool ok = answer && answer->type == REDIS_REPLY_ARRAY;
    unsigned kept = 0;
    size_t n = 0;

    siblings->is_claimed[shard] = false;
    for (unsigned i = 0; i < siblings->n_claims; i++) {
        struct waiting *claim = &siblings->claims[i];
        bool is_asked = claim->is_sent && claim->shard == shard;
        bool is_answered = ok && is_asked && n < answer->elements;

        if (is_answered && answer->element[n++]->integer == 1)
            o->on_claimed(o->owner, &claim->click);
        if (is_asked)
            claim->is_sent = false;
        if (!is_answered)
            siblings->claims[kept++] = *claim;
    }
    siblings->n_claims = kept;
}

void siblings_on_answer(struct siblings *siblings, enum gateway_command what, unsigned shard,
                        const struct redisReply *answer)
{
    if (what == GATEWAY_OFFER)
        on_offers(siblings, shard, answer);
    else
        on_claims(siblings, shard, answer);
}
