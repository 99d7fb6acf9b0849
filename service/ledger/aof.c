#include "service/ledger/aof.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/ledger/cause.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_cause.h"
#include "service/redis/redis_link.h"

enum {
    LOOK_MS = 100,        /* between two looks whether the new file is done */
    PATIENCE_MS = 300000, /* for a file of many GB on a slow disk; the clicks wait in the log */
};

static bool send_words(struct ledger *ledger, unsigned shard, enum ledger_what what,
                       const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {what, shard, 0, 0};
    struct redis_command command = {
        .key = counter_key_slice(&ledger->shards[shard].tag),
        .argv = argv,
        .argc = argc,
        .ticket = ledger_ticket_pack(&ticket),
    };

    return redis_link_send(ledger->link, &command);
}

static bool ask_info(struct ledger *ledger, unsigned shard)
{
    const struct slice argv[] = {slice_of("INFO"), slice_of("persistence"), slice_of("memory")};

    return send_words(ledger, shard, LEDGER_AOF_LOOK, argv, 3);
}

static bool begin_rewrite(struct ledger *ledger, unsigned shard)
{
    const struct slice argv[] = {slice_of("BGREWRITEAOF")};

    return send_words(ledger, shard, LEDGER_AOF_REWRITE, argv, 1);
}

/* Shards of one connection have one epoch: the first of them asks for all. */
static unsigned first_of_server(const struct ledger *ledger, unsigned shard)
{
    unsigned first = 0;

    while (ledger->shards[first].epoch != ledger->shards[shard].epoch)
        first++;
    return first;
}

void aof_serve(struct ledger *ledger, unsigned shard, int64_t now_ms)
{
    struct shard *s = &ledger->shards[shard];
    unsigned first = first_of_server(ledger, shard);

    if (first != shard) {
        s->aof = ledger->shards[first].aof == AOF_SOUND ? AOF_SOUND : AOF_NEW;
        return;
    }
    if (s->aof == AOF_SOUND || s->aof == AOF_ASKED || now_ms < s->aof_look_ms)
        return;
    if (s->aof == AOF_NEW) {
        s->aof_until_ms = now_ms + PATIENCE_MS;
        s->aof_begun = false;
    }
    if (ask_info(ledger, shard))
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

/* Whatever the reason, clicks are counted: it is no worse than without the question. */
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
    int64_t now_ms = clock_mono_ms();

    if (now_ms > s->aof_until_ms) {
        give_up(ledger, shard, "a new append-only file takes too long");
        return;
    }
    s->aof = AOF_WAIT;
    s->aof_look_ms = now_ms + LOOK_MS;
}

static void on_error(struct ledger *ledger, unsigned shard, const char *text)
{
    struct redis_cause cause = redis_cause_of(text);

    if (cause.is_known)
        cause_set(ledger, &cause, text, shard);
    if (strstr(text, "in progress") || (cause.is_known && strcmp(cause.name, "noperm") != 0))
        wait_on(ledger, shard);
    else
        give_up(ledger, shard, text);
}

/* A cursor that is evicted can't be told from one that a failover or FLUSHALL took away. */
static void warn_of_eviction(unsigned shard, const char *info)
{
    if (strstr(info, "maxmemory_policy:") && !says(info, "maxmemory:0") &&
        !says(info, "maxmemory_policy:noeviction"))
        log_warn("ledger.eviction",
                 "shard=%u err=\"Redis evicts keys when its memory is full: without their cursors "
                 "clicks are counted twice\" hint=\"set maxmemory-policy noeviction\"",
                 shard);
}

static void on_look(struct ledger *ledger, unsigned shard, const char *info)
{
    struct shard *s = &ledger->shards[shard];

    if (s->aof_look_ms == 0) /* the first look of this connection */
        warn_of_eviction(shard, info);
    if (says(info, "loading:1"))
        cause_set_down(ledger, "LOADING Redis is reading its data");
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

/* Nothing waits for it: without an answer the file is written anew a day later. */
void aof_forget(struct ledger *ledger)
{
    if (ledger->options.has_private_redis && ledger->shards[0].aof == AOF_SOUND)
        (void)begin_rewrite(ledger, 0);
}

void aof_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *reply)
{
    struct shard *s = &ledger->shards[ticket->shard];

    if (s->aof != AOF_ASKED) /* of an old connection */
        return;
    if (!reply) {
        s->aof = AOF_NEW;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        on_error(ledger, ticket->shard, reply->str);
    } else if (ticket->what == LEDGER_AOF_REWRITE) {
        s->aof_begun = true;
        wait_on(ledger, ticket->shard);
    } else if (reply->type == REDIS_REPLY_STRING) {
        on_look(ledger, ticket->shard, reply->str);
    } else {
        give_up(ledger, ticket->shard, "INFO is not answered by a text");
    }
}
