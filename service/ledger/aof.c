#include "service/ledger/aof.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "service/base/log.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_link.h"

/* A server that has been up for longer has not lost anything lately: so that a crash of ours alone
 * doesn't make a large Redis write itself out. */
enum { RESTARTED_MAX_S = 300 };

void aof_note_loss(struct ledger *ledger, unsigned shard)
{
    struct shard *s = &ledger->shards[shard];

    if (s->epoch != 0 && s->aof_epoch != s->epoch)
        s->aof_is_due = true;
}

static bool send_words(struct ledger *ledger, unsigned shard, enum ledger_what what,
                       const char *word)
{
    struct ledger_ticket ticket = {.what = what, .shard = shard};
    struct slice argv[1] = {slice_of(word)};

    return redis_link_send(ledger->link, &(struct redis_command){
                                             .key = counter_key_slice(&ledger->shards[shard].tag),
                                             .argv = argv,
                                             .argc = 1,
                                             .ticket = ledger_ticket_pack(&ticket),
                                         });
}

/* Shards of one connection have one epoch: the server is asked once. */
static void mark_done(struct ledger *ledger, uint64_t epoch)
{
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (ledger->shards[s].epoch == epoch) {
            ledger->shards[s].aof_epoch = epoch;
            ledger->shards[s].aof_is_due = false;
        }
    }
}

void aof_serve(struct ledger *ledger, unsigned shard)
{
    struct shard *s = &ledger->shards[shard];

    if (s->aof_is_due && s->epoch != 0 && send_words(ledger, shard, LEDGER_AOF_LOOK, "INFO"))
        mark_done(ledger, s->epoch);
}

static bool is_stump_possible(const char *info)
{
    const char *uptime = strstr(info, "uptime_in_seconds:");

    return uptime && strtoull(uptime + strlen("uptime_in_seconds:"), NULL, 10) < RESTARTED_MAX_S &&
           strstr(info, "aof_enabled:1");
}

static void on_rewrite(const struct redisReply *reply)
{
    char quoted[LOG_QUOTE_MAX];

    if (reply->type == REDIS_REPLY_ERROR)
        log_warn("ledger.aof",
                 "err=%s hint=\"Redis has restarted and lost its newest counts: run BGREWRITEAOF, "
                 "or its next restart may count some twice\"",
                 log_quote(quoted, reply->str));
    else
        log_info("ledger.aof", "text=\"Redis writes its append-only file anew\"");
}

void aof_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                  const struct redisReply *reply)
{
    if (!reply) /* then the connection is new, and the loss will be noted again */
        return;
    if (ticket->what == LEDGER_AOF_REWRITE) {
        on_rewrite(reply);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        on_rewrite(reply);
        return;
    }
    if (reply->type == REDIS_REPLY_STRING && is_stump_possible(reply->str) &&
        !send_words(ledger, ticket->shard, LEDGER_AOF_REWRITE, "BGREWRITEAOF"))
        ledger->shards[ticket->shard].aof_epoch = 0;
}
