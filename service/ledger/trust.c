#include "service/ledger/trust.h"

#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "service/base/log.h"
#include "service/ledger/ledger_state.h"
#include "service/redis/redis_cause.h"
#include "service/redis/redis_link.h"

enum {
    BACK_OFF_MIN_MS = 100,
    BACK_OFF_MAX_MS = 10000,
    BACK_OFF_DOUBLINGS = 7,
    LAYOUT_RETRY_MS = 5000,   /* between two questions, until the configuration is corrected */
    AOF_LOOK_MS = 100,        /* between two looks whether the new file is done */
    AOF_PATIENCE_MS = 300000, /* for a file of many GB on a slow disk; the clicks wait in the log */
    DECIMAL_MAX = 12,
};

bool trust_is_ready(const struct ledger *ledger, unsigned shard)
{
    const struct shard *s = &ledger->shards[shard];

    return ledger->shards[0].layout.is_agreed && s->layout.is_agreed && s->epoch != 0 &&
           s->aof == AOF_SOUND && s->retry_ms <= ledger->now_ms;
}

static bool send_words(struct ledger *ledger, unsigned shard, enum ledger_what what,
                       const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {.what = what, .shard = shard};

    return redis_link_send(ledger->link, &(struct redis_command){
                                             .key = counter_key_slice(&ledger->shards[shard].tag),
                                             .argv = argv,
                                             .argc = argc,
                                             .ticket = ledger_ticket_pack(&ticket),
                                         });
}

/* --- the cause --- */

/* True when the cause has changed. */
static bool note(struct ledger *ledger, const char *name, const char *text, bool is_down)
{
    ledger->is_down = is_down;
    snprintf(ledger->now.last_error, sizeof(ledger->now.last_error), "%s", text);
    if (strcmp(ledger->now.cause, name) == 0)
        return false;
    snprintf(ledger->now.cause, sizeof(ledger->now.cause), "%s", name);
    return true;
}

/* Each cause is logged under an `at` of its own: log.h writes one line per `at` and second. */
static void set_cause(struct ledger *ledger, const struct redis_cause *cause, const char *text,
                      unsigned shard)
{
    char quoted[LOG_QUOTE_MAX];

    if (note(ledger, cause->name, text, false))
        log_warn(cause->at, "shard=%u err=%s", shard, log_quote(quoted, text));
}

void trust_on_down(struct ledger *ledger, const char *text)
{
    const char *reason = strstr(text, ": ");
    struct redis_cause cause = redis_cause_of(reason ? reason + 2 : text);
    char quoted[LOG_QUOTE_MAX];

    if (ledger->now.cause[0] && !ledger->is_down)
        return;          /* its error is the cause */
    if (!cause.is_known) /* a known cause, such as a wrong password, does not mean that the server
                            is down */
        cause = (struct redis_cause){.name = "down", .at = "redis.down"};
    if (note(ledger, cause.name, text, true))
        log_warn(cause.at, "err=%s", log_quote(quoted, text));
}

void trust_on_success(struct ledger *ledger)
{
    if (ledger->now.cause[0] == '\0')
        return;
    log_info("ledger.recovered", "cause=%s", ledger->now.cause);
    ledger->now.cause[0] = '\0';
    ledger->now.last_error[0] = '\0';
}

void trust_on_write(struct ledger *ledger, unsigned shard)
{
    ledger->shards[shard].n_failures = 0;
    trust_on_success(ledger);
}

void trust_on_error(struct ledger *ledger, unsigned shard, const char *error)
{
    struct redis_cause cause = redis_cause_of(error);
    struct shard *s = &ledger->shards[shard];
    unsigned doublings = s->n_failures < BACK_OFF_DOUBLINGS ? s->n_failures : BACK_OFF_DOUBLINGS;
    uint32_t wait_ms = (uint32_t)BACK_OFF_MIN_MS << doublings;

    if (cause.remedy == REDIS_SEND_SCRIPT) {
        s->with_script = true;
        return;
    }
    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    s->retry_ms = ledger->now_ms + wait_ms / 2 + randombytes_uniform(wait_ms + 1);
    s->n_failures++;
    set_cause(ledger, &cause, error, shard);
    if (cause.remedy == REDIS_RECONNECT)
        redis_link_reconnect(ledger->link, counter_key_slice(&s->tag));
}

/* --- the number of shards --- */

/* Shard 0 was agreed on first: another process may be about to move the counts, and a number that
 * is written to a shard that never had one would let counts in that belong elsewhere. */
static bool is_agreed(const struct ledger *ledger, unsigned shard)
{
    const struct shard *s = &ledger->shards[shard];

    return s->layout.is_agreed && s->layout.epoch == s->epoch;
}

/* Redis answers the number that was stored before, or nil when ours is stored now. */
static bool ask_layout(struct ledger *ledger, unsigned shard)
{
    struct counter_key key;
    char number[DECIMAL_MAX];
    struct slice argv[5] = {slice_of("SET")};

    counter_key_shards(&key, shard);
    snprintf(number, sizeof(number), "%u", ledger->options.n_shards);
    argv[1] = counter_key_slice(&key);
    argv[2] = slice_of(number);
    argv[3] = slice_of("NX");
    argv[4] = slice_of("GET");
    return send_words(ledger, shard, LEDGER_LAYOUT, argv, 5);
}

void trust_serve_layout(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->options.n_shards; i++) {
        struct shard *s = &ledger->shards[i];

        if (s->epoch == 0 || s->layout.is_asked || ledger->now_ms < s->layout.retry_ms ||
            ledger->now_ms < s->retry_ms || is_agreed(ledger, i) ||
            (i > 0 && !is_agreed(ledger, 0)))
            continue;
        if (ask_layout(ledger, i)) {
            s->layout.is_asked = true;
            s->layout.is_agreed = false;
            s->layout.epoch = s->epoch;
        }
    }
}

static void disagree(struct ledger *ledger, unsigned shard, const char *other)
{
    static const struct redis_cause cause = {.name = "shards", .at = "redis.shards"};
    char text[192];

    if (strchr(other, '>'))
        snprintf(text, sizeof(text),
                 "the counts of this Redis are being moved to another number of shards (%.20s); "
                 "`hopcount reshard` goes on where it stopped",
                 other);
    else if (strcmp(other, "moved") == 0)
        snprintf(text, sizeof(text),
                 "the counts of this Redis were moved to another by `hopcount reshard`; set "
                 "redis.url to that");
    else
        snprintf(text, sizeof(text),
                 "redis.shards is %u, but this Redis holds counts in %.20s shards: set it to that, "
                 "or move them with `hopcount reshard`, or use another database",
                 ledger->options.n_shards, other);
    ledger->shards[shard].layout.is_agreed = false;
    ledger->shards[shard].layout.retry_ms = ledger->now_ms + LAYOUT_RETRY_MS;
    set_cause(ledger, &cause, text, shard);
}

void trust_on_layout(struct ledger *ledger, unsigned shard, const struct redisReply *answer)
{
    struct layout *layout = &ledger->shards[shard].layout;
    char number[DECIMAL_MAX];

    layout->is_asked = false;
    if (!answer)
        return;
    snprintf(number, sizeof(number), "%u", ledger->options.n_shards);
    if (answer->type == REDIS_REPLY_ERROR)
        trust_on_error(ledger, shard, answer->str);
    else if (answer->type == REDIS_REPLY_NIL ||
             (answer->type == REDIS_REPLY_STRING && strcmp(answer->str, number) == 0))
        layout->is_agreed = true;
    else
        disagree(ledger, shard, answer->type == REDIS_REPLY_STRING ? answer->str : "?");
}

/* --- the append-only file --- */

static bool begin_rewrite(struct ledger *ledger, unsigned shard)
{
    const struct slice argv[] = {slice_of("BGREWRITEAOF")};

    return send_words(ledger, shard, LEDGER_AOF_REWRITE, argv, 1);
}

void trust_serve_aof(struct ledger *ledger, unsigned shard)
{
    const struct slice info[] = {slice_of("INFO"), slice_of("persistence"), slice_of("memory")};
    struct shard *s = &ledger->shards[shard];
    unsigned first = 0;

    /* Shards on one connection have the same epoch; the first of them asks for all. */
    while (ledger->shards[first].epoch != s->epoch)
        first++;
    if (first != shard) {
        s->aof = ledger->shards[first].aof == AOF_SOUND ? AOF_SOUND : AOF_NEW;
        return;
    }
    if (s->aof == AOF_SOUND || s->aof == AOF_ASKED || ledger->now_ms < s->aof_look_ms)
        return;
    if (s->aof == AOF_NEW) {
        s->aof_until_ms = ledger->now_ms + AOF_PATIENCE_MS;
        s->aof_begun = false;
    }
    if (send_words(ledger, shard, LEDGER_AOF_LOOK, info, 3))
        s->aof = AOF_ASKED;
}

/* `line` is one of INFO's. */
static bool says(const char *info, const char *line)
{
    const char *at = info;

    while ((at = strstr(at, line))) {
        char after = at[strlen(line)];

        if ((at == info || at[-1] == '\n') && (after == '\r' || after == '\n' || after == '\0'))
            return true;
        at++;
    }
    return false;
}

/* Cannot verify the append-only file: proceed as if unchecked. */
static void give_up(struct ledger *ledger, unsigned shard, const char *why)
{
    char quoted[LOG_QUOTE_MAX];

    log_warn("ledger.aof",
             "shard=%u err=%s hint=\"allow BGREWRITEAOF and INFO, or have redis-check-aof mend a "
             "cut append-only file before Redis starts\"",
             shard, log_quote(quoted, why));
    ledger->shards[shard].aof = AOF_SOUND;
}

static void wait_on(struct ledger *ledger, unsigned shard)
{
    struct shard *s = &ledger->shards[shard];

    if (ledger->now_ms > s->aof_until_ms) {
        give_up(ledger, shard, "a new append-only file takes too long");
        return;
    }
    s->aof = AOF_WAIT;
    s->aof_look_ms = ledger->now_ms + AOF_LOOK_MS;
}

static void on_look(struct ledger *ledger, unsigned shard, const char *info)
{
    struct shard *s = &ledger->shards[shard];

    /* At the first look of this connection.  We can't tell an evicted cursor from one lost by a
     * failover or FLUSHALL. */
    if (s->aof_look_ms == 0 && strstr(info, "maxmemory_policy:") && !says(info, "maxmemory:0") &&
        !says(info, "maxmemory_policy:noeviction"))
        log_warn("ledger.eviction",
                 "shard=%u err=\"Redis evicts keys when its memory is full: without their cursors "
                 "clicks are counted twice\" hint=\"set maxmemory-policy noeviction\"",
                 shard);
    if (says(info, "loading:1"))
        trust_on_down(ledger, "LOADING Redis is reading its data");
    if (says(info, "loading:1") || says(info, "aof_rewrite_in_progress:1") ||
        says(info, "aof_rewrite_scheduled:1"))
        wait_on(ledger, shard);
    else if (s->aof_begun || !says(info, "aof_enabled:1") || !says(info, "aof_rewrites:0"))
        s->aof = AOF_SOUND;
    else if (begin_rewrite(ledger, shard))
        log_info("ledger.aof", "shard=%u text=\"Redis writes its append-only file anew\"", shard);
    else
        s->aof = AOF_NEW;
}

void trust_rewrite_private_aof(struct ledger *ledger)
{
    if (ledger->options.has_private_redis && ledger->shards[0].aof == AOF_SOUND)
        (void)begin_rewrite(ledger, 0);
}

void trust_on_aof(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *answer)
{
    struct shard *s = &ledger->shards[ticket->shard];

    if (s->aof != AOF_ASKED) /* of an old connection */
        return;
    if (!answer) {
        s->aof = AOF_NEW;
    } else if (answer->type == REDIS_REPLY_ERROR) {
        struct redis_cause cause = redis_cause_of(answer->str);

        if (cause.is_known)
            set_cause(ledger, &cause, answer->str, ticket->shard);
        if (strstr(answer->str, "in progress") ||
            (cause.is_known && strcmp(cause.name, "noperm") != 0))
            wait_on(ledger, ticket->shard);
        else
            give_up(ledger, ticket->shard, answer->str);
    } else if (ticket->what == LEDGER_AOF_REWRITE) {
        s->aof_begun = true;
        wait_on(ledger, ticket->shard);
    } else if (answer->type == REDIS_REPLY_STRING) {
        on_look(ledger, ticket->shard, answer->str);
    } else {
        give_up(ledger, ticket->shard, "INFO is not answered by a text");
    }
}
