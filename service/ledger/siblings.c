#include "service/ledger/siblings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "claim_lua.h"
#include "pods_lua.h"
#include "proto/bytes.h"
#include "proto/counter.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/relabel.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"
#include "siblings_lua.h"

enum {
    BEAT_MS = 1000, /* so soon do the others learn of a new process */
    ALIVE_S = 30,   /* a process that was silent for so long is gone */
    DAY_S = 86400,
    SALT_TTL_S = 2 * DAY_S,
    OFFERS_MAX = 4096, /* clicks that wait */
    CLAIMS_MAX = 4096,
    CLAIM_TTL_S = 3600, /* longer than a claim may wait, so that it can be asked again */
    CLAIM_WAIT_MS = 600000,
    SEND_MAX = 128, /* clicks in one command */
    LIST_MAX = GATEWAY_FOUND_MAX,
    MARGIN_MS = 10000, /* a list lives so much longer than the clicks in it matter */
    ENTRY_LEN = GATEWAY_ORIGIN_LEN + CLICK_RECORD_LEN,
    FIELD_LEN = GATEWAY_ORIGIN_LEN + 8,
    ARGV_HEAD = 3, /* EVAL, script, number of keys */
    DECIMAL_MAX = 24,
};

_Static_assert((int)GATEWAY_ORIGIN_LEN == (int)CLICK_LOG_ID_LEN, "records are sealed with it");

struct claim {
    struct gateway_click click;
    int64_t since_ms;
    bool is_sent;
};

struct siblings {
    uint8_t origin[GATEWAY_ORIGIN_LEN];
    unsigned n_shards;
    int64_t window_ms;
    bool has_others; /* as of the last answer */
    bool beat_sent;
    int64_t beat_ms; /* when the next one is due, monotonic; 0 = now */
    int64_t beat_s;  /* Unix time of the one under way, whose day the salt is of */
    unsigned n_offers, n_claims;
    struct gateway_click offers[OFFERS_MAX];
    struct claim claims[CLAIMS_MAX];
    bool offer_sent[COUNTER_SHARDS_MAX], claim_sent[COUNTER_SHARDS_MAX];
};

/* A command being built: so many keys, and one value for each. */
struct command {
    unsigned n;
    struct slice argv[ARGV_HEAD + 2 * SEND_MAX + 2];
    struct counter_key keys[SEND_MAX];
    uint8_t values[SEND_MAX][ENTRY_LEN];
    size_t value_len;
    char n_text[DECIMAL_MAX], second[DECIMAL_MAX];
};

struct siblings *siblings_new(const uint8_t origin[static GATEWAY_ORIGIN_LEN], unsigned n_shards,
                              int64_t window_ms)
{
    struct siblings *siblings = calloc(1, sizeof(*siblings));

    if (!siblings)
        return NULL;
    memcpy(siblings->origin, origin, sizeof(siblings->origin));
    siblings->n_shards = n_shards;
    siblings->window_ms = window_ms;
    return siblings;
}

void siblings_free(struct siblings *siblings)
{
    free(siblings);
}

bool siblings_offer(struct siblings *siblings, const struct gateway_click *click)
{
    if (!siblings->has_others || siblings->n_offers == OFFERS_MAX || click->click.client == 0)
        return false;
    siblings->offers[siblings->n_offers++] = *click;
    return true;
}

void siblings_claim(struct siblings *siblings, const struct gateway_click *click, int64_t now_ms)
{
    if (siblings->n_claims < CLAIMS_MAX)
        siblings->claims[siblings->n_claims++] = (struct claim){*click, now_ms, false};
}

static unsigned shard_of(const struct siblings *siblings, const struct gateway_click *click)
{
    return counter_shard_of_client(click->click.brand, click->click.client, siblings->n_shards);
}

static bool send_command(struct ledger *ledger, enum ledger_what what, unsigned shard,
                         struct slice key, const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {.what = what, .shard = shard};

    return redis_link_send(
        ledger->link,
        &(struct redis_command){
            .key = key, .argv = argv, .argc = argc, .ticket = ledger_ticket_pack(&ticket)});
}

/* --- who is there, and the salt of the day --- */

static bool send_beat(struct ledger *ledger, struct siblings *siblings)
{
    struct counter_key pods, salt;
    char alive[DECIMAL_MAX], ttl[DECIMAL_MAX], fresh[2 * SALT_LEN + 1];
    uint8_t random[SALT_LEN];

    siblings->beat_s = clock_wall_ms() / 1000;
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(fresh, sizeof(fresh), random, sizeof(random));
    counter_key_alive(&pods);
    counter_key_salt(&salt, siblings->beat_s);
    snprintf(alive, sizeof(alive), "%d", ALIVE_S);
    snprintf(ttl, sizeof(ttl), "%d", SALT_TTL_S);
    {
        const struct slice argv[] = {
            slice_of("EVAL"),
            slice_make(pods_lua, sizeof(pods_lua)),
            slice_of("2"),
            counter_key_slice(&pods),
            counter_key_slice(&salt),
            slice_make((const char *)siblings->origin, sizeof(siblings->origin)),
            slice_of(alive),
            slice_of(fresh),
            slice_of(ttl),
        };

        return send_command(ledger, LEDGER_BEAT, 0, argv[3], argv, sizeof(argv) / sizeof(argv[0]));
    }
}

/* What isn't a salt, of another version of this program say, is as good as none. */
static bool read_salt(const struct redisReply *text, uint8_t salt[static SALT_LEN])
{
    size_t len;

    return text->len == (size_t)2 * SALT_LEN &&
           sodium_hex2bin(salt, SALT_LEN, text->str, text->len, NULL, &len, NULL) == 0 &&
           len == SALT_LEN && !sodium_is_zero(salt, SALT_LEN);
}

static void on_beat(struct ledger *ledger, struct siblings *siblings,
                    const struct redisReply *reply)
{
    uint8_t salt[SALT_LEN];

    siblings->beat_sent = false;
    siblings->has_others = false;
    ledger->now.n_pods = 0;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return;
    ledger->now.n_pods = (unsigned)reply->element[0]->integer;
    siblings->has_others = reply->element[0]->integer > 1;
    if (read_salt(reply->element[1], salt))
        relabel_set_salt(ledger, salt, siblings->beat_s / DAY_S);
}

/* --- offers and claims --- */

static void add_to_command(struct command *command, const struct gateway_click *click,
                           unsigned n_shards, enum ledger_what what)
{
    uint8_t *value = command->values[command->n];
    struct counter_key *key = &command->keys[command->n];

    memcpy(value, click->origin, GATEWAY_ORIGIN_LEN);
    if (what == LEDGER_OFFER) {
        click_encode(&click->click, click->number, click->origin, value + GATEWAY_ORIGIN_LEN);
        counter_key_siblings(key, click->click.brand, click->click.client, n_shards);
    } else {
        le64_store(value + GATEWAY_ORIGIN_LEN, click->number);
        counter_key_claims(key, click->click.brand, click->click.client, n_shards);
    }
    command->n++;
}

/* `first` and `second` are the script's own arguments. */
static bool send_built(struct ledger *ledger, struct command *command, enum ledger_what what,
                       unsigned shard, struct slice script, struct slice first, struct slice second)
{
    size_t argc = ARGV_HEAD, len = what == LEDGER_OFFER ? ENTRY_LEN : FIELD_LEN;

    snprintf(command->n_text, sizeof(command->n_text), "%u", command->n);
    command->argv[0] = slice_of("EVAL");
    command->argv[1] = script;
    command->argv[2] = slice_of(command->n_text);
    for (unsigned i = 0; i < command->n; i++)
        command->argv[argc++] = counter_key_slice(&command->keys[i]);
    command->argv[argc++] = first;
    command->argv[argc++] = second;
    for (unsigned i = 0; i < command->n; i++)
        command->argv[argc++] = slice_make((const char *)command->values[i], len);
    return send_command(ledger, what, shard, command->argv[ARGV_HEAD], command->argv, argc);
}

static void send_offers(struct ledger *ledger, struct siblings *siblings, unsigned shard)
{
    struct command command = {.n = 0};
    char seconds[DECIMAL_MAX], longest[DECIMAL_MAX];
    unsigned kept = 0;

    for (unsigned i = 0; i < siblings->n_offers; i++) {
        const struct gateway_click *click = &siblings->offers[i];

        if (command.n < SEND_MAX && shard_of(siblings, click) == shard)
            add_to_command(&command, click, siblings->n_shards, LEDGER_OFFER);
        else
            siblings->offers[kept++] = *click;
    }
    if (command.n == 0)
        return;
    /* Those that can't be sent now are too old when they can. */
    siblings->n_offers = kept;
    snprintf(seconds, sizeof(seconds), "%lld", (long long)(siblings->window_ms + MARGIN_MS) / 1000);
    snprintf(longest, sizeof(longest), "%d", LIST_MAX);
    siblings->offer_sent[shard] = send_built(ledger, &command, LEDGER_OFFER, shard,
                                             slice_make(siblings_lua, sizeof(siblings_lua)),
                                             slice_of(seconds), slice_of(longest));
}

static void send_claims(struct ledger *ledger, struct siblings *siblings, unsigned shard)
{
    struct command command = {.n = 0};
    char seconds[DECIMAL_MAX];
    unsigned chosen[SEND_MAX];

    for (unsigned i = 0; i < siblings->n_claims && command.n < SEND_MAX; i++) {
        const struct gateway_click *click = &siblings->claims[i].click;

        if (shard_of(siblings, click) != shard)
            continue;
        chosen[command.n] = i;
        add_to_command(&command, click, siblings->n_shards, LEDGER_CLAIM);
    }
    if (command.n == 0)
        return;
    snprintf(seconds, sizeof(seconds), "%d", CLAIM_TTL_S);
    siblings->claim_sent[shard] = send_built(
        ledger, &command, LEDGER_CLAIM, shard, slice_make(claim_lua, sizeof(claim_lua)),
        slice_make((const char *)siblings->origin, sizeof(siblings->origin)), slice_of(seconds));
    for (unsigned i = 0; siblings->claim_sent[shard] && i < command.n; i++)
        siblings->claims[chosen[i]].is_sent = true;
}

/* Claims that Redis didn't answer for so long are given up: those clicks keep their label. */
static void forget_old_claims(struct siblings *siblings, int64_t now_ms)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < siblings->n_claims; i++) {
        if (siblings->claims[i].is_sent || now_ms - siblings->claims[i].since_ms < CLAIM_WAIT_MS)
            siblings->claims[kept++] = siblings->claims[i];
    }
    siblings->n_claims = kept;
}

void siblings_serve(struct ledger *ledger, struct siblings *siblings, int64_t now_ms)
{
    if (!siblings->beat_sent && now_ms >= siblings->beat_ms && ledger->shards[0].epoch != 0) {
        siblings->beat_sent = send_beat(ledger, siblings);
        siblings->beat_ms = now_ms + BEAT_MS;
    }
    for (unsigned s = 0; s < siblings->n_shards && siblings->n_offers + siblings->n_claims; s++) {
        if (!trust_is_ready(ledger, s))
            continue;
        if (!siblings->offer_sent[s])
            send_offers(ledger, siblings, s);
        if (!siblings->claim_sent[s])
            send_claims(ledger, siblings, s);
    }
    if (siblings->n_claims > 0)
        forget_old_claims(siblings, now_ms);
}

/* --- answers --- */

static void add_sibling(struct ledger *ledger, const struct siblings *siblings,
                        const struct redisReply *entry)
{
    struct gateway_click click = {.is_shared = true};
    const uint8_t *bytes;

    if (entry->type != REDIS_REPLY_STRING || entry->len != ENTRY_LEN)
        return;
    bytes = (const uint8_t *)entry->str;
    if (memcmp(bytes, siblings->origin, GATEWAY_ORIGIN_LEN) == 0)
        return;
    memcpy(click.origin, bytes, GATEWAY_ORIGIN_LEN);
    click.number = le64_load(bytes + GATEWAY_ORIGIN_LEN);
    if (click_decode(bytes + GATEWAY_ORIGIN_LEN, click.number, click.origin, &click.click) ==
        CLICK_OK)
        relabel_add_sibling(ledger, &click);
}

static void on_offers(struct ledger *ledger, struct siblings *siblings, unsigned shard,
                      const struct redisReply *reply)
{
    siblings->offer_sent[shard] = false;
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < reply->elements; i++)
        add_sibling(ledger, siblings, reply->element[i]);
}

/* Claims of the shard that were sent, in their order.  Without an answer they are asked again: a
 * claim that was granted is granted again. */
static void on_claims(struct ledger *ledger, struct siblings *siblings, unsigned shard,
                      const struct redisReply *reply)
{
    bool ok = reply && reply->type == REDIS_REPLY_ARRAY;
    unsigned kept = 0;
    size_t n = 0;

    siblings->claim_sent[shard] = false;
    for (unsigned i = 0; i < siblings->n_claims; i++) {
        struct claim *claim = &siblings->claims[i];
        bool is_answered = ok && claim->is_sent && shard_of(siblings, &claim->click) == shard &&
                           n < reply->elements;

        if (is_answered && reply->element[n++]->integer == 1)
            relabel_append(ledger, &claim->click);
        if (claim->is_sent && shard_of(siblings, &claim->click) == shard)
            claim->is_sent = false;
        if (!is_answered)
            siblings->claims[kept++] = *claim;
    }
    siblings->n_claims = kept;
}

void siblings_on_reply(struct ledger *ledger, struct siblings *siblings,
                       const struct ledger_ticket *ticket, const struct redisReply *reply)
{
    char quoted[LOG_QUOTE_MAX];

    if (reply && reply->type == REDIS_REPLY_ERROR)
        log_warn("ledger.siblings", "err=%s effect=\"each pod finds gateways by its own clicks\"",
                 log_quote(quoted, reply->str));
    if (ticket->what == LEDGER_BEAT)
        on_beat(ledger, siblings, reply);
    else if (ticket->what == LEDGER_OFFER)
        on_offers(ledger, siblings, ticket->shard, reply);
    else
        on_claims(ledger, siblings, ticket->shard, reply);
}
