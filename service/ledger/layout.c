#include "service/ledger/layout.h"

#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "service/base/clock.h"
#include "service/ledger/cause.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_cause.h"
#include "service/redis/redis_link.h"

enum { RETRY_MS = 5000, /* until somebody has put it right */ DECIMAL_MAX = 12 };

/* Answers what is written there, or nothing when it was not and now is. */
static bool ask(struct ledger *ledger)
{
    struct ledger_ticket ticket = {.what = LEDGER_LAYOUT};
    struct counter_key key;
    char number[DECIMAL_MAX];
    struct slice argv[5] = {slice_of("SET")};

    counter_key_shards(&key);
    snprintf(number, sizeof(number), "%u", ledger->options.n_shards);
    argv[1] = counter_key_slice(&key);
    argv[2] = slice_of(number);
    argv[3] = slice_of("NX");
    argv[4] = slice_of("GET");
    return redis_link_send(
        ledger->link,
        &(struct redis_command){
            .key = argv[1], .argv = argv, .argc = 5, .ticket = ledger_ticket_pack(&ticket)});
}

void layout_serve(struct ledger *ledger, int64_t now_ms)
{
    struct layout *layout = &ledger->layout;
    uint64_t epoch = ledger->shards[0].epoch;

    if (epoch == 0 || layout->is_asked || now_ms < layout->retry_ms ||
        now_ms < ledger->shards[0].retry_ms || (layout->is_agreed && layout->epoch == epoch))
        return;
    if (ask(ledger)) {
        layout->is_asked = true;
        layout->epoch = epoch;
    }
}

static void disagree(struct ledger *ledger, const char *other)
{
    static const struct redis_cause cause = {.name = "shards", .at = "redis.shards"};
    char text[160];

    snprintf(text, sizeof(text),
             "redis.shards is %u, but this Redis holds counts in %.20s shards: set it to that, or "
             "use another database",
             ledger->options.n_shards, other);
    ledger->layout.is_agreed = false;
    ledger->layout.retry_ms = clock_mono_ms() + RETRY_MS;
    cause_set(ledger, &cause, text, 0);
}

void layout_on_reply(struct ledger *ledger, const struct redisReply *reply)
{
    char number[DECIMAL_MAX];

    ledger->layout.is_asked = false;
    if (!reply)
        return;
    snprintf(number, sizeof(number), "%u", ledger->options.n_shards);
    if (reply->type == REDIS_REPLY_ERROR)
        shard_failed(ledger, 0, reply->str);
    else if (reply->type == REDIS_REPLY_NIL ||
             (reply->type == REDIS_REPLY_STRING && strcmp(reply->str, number) == 0))
        ledger->layout.is_agreed = true;
    else
        disagree(ledger, reply->type == REDIS_REPLY_STRING ? reply->str : "?");
}
