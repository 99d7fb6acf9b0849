#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/ledger/aof.h"
#include "service/ledger/cause.h"
#include "service/ledger/layout.h"
#include "service/ledger/ledger_private.h"
#include "service/ledger/met.h"
#include "service/ledger/relabel.h"
#include "service/ledger/tidy.h"
#include "service/ledger/tidy_series.h"
#include "service/redis/redis_link.h"

enum { DECIMAL_MAX = 20 };

uint64_t ledger_ticket_pack(const struct ledger_ticket *ticket)
{
    return (uint64_t)ticket->what << 56 | (uint64_t)(ticket->shard & 0xff) << 48 |
           (uint64_t)(ticket->log & 0xffff) << 32 | ticket->count;
}

bool shard_init(struct ledger *ledger)
{
    ledger->shards = calloc(ledger->options.n_shards, sizeof(*ledger->shards));
    if (!ledger->shards)
        return false;
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        counter_key_rejected(&ledger->shards[s].tag, s);
        ledger->shards[s].with_script = true;
    }
    return true;
}

bool shard_is_ready(const struct ledger *ledger, unsigned shard, int64_t now_ms)
{
    const struct shard *s = &ledger->shards[shard];

    return ledger->layout.is_agreed && s->epoch != 0 && s->aof == AOF_SOUND &&
           s->retry_ms <= now_ms;
}

static void doubt(struct cursor *cursor)
{
    if (cursor->state == CURSOR_KNOWN)
        cursor->state = CURSOR_UNKNOWN;
    else
        cursor->in_doubt = true;
}

static void doubt_shard(struct ledger *ledger, unsigned shard)
{
    met_forget(ledger->met);
    for (unsigned i = 0; i < ledger->n_logs; i++)
        doubt(&ledger->logs[i]->cursors[shard]);
}

/* What we know is of the old connection: the server may have restarted, or be another. */
static void notice_connection(struct ledger *ledger, unsigned shard)
{
    struct shard *s = &ledger->shards[shard];
    uint64_t epoch = redis_link_epoch(ledger->link, counter_key_slice(&s->tag));

    if (epoch == s->epoch)
        return;
    s->epoch = epoch;
    if (epoch != 0)
        s->was_left = false;
    s->with_script = true;
    s->aof = AOF_NEW;
    s->aof_look_ms = 0;
    doubt_shard(ledger, shard);
}

/* --- asking --- */

static bool is_worth_asking(const struct ledger_log *log)
{
    return clicklog_is_live(log->log) || clicklog_first(log->log) < clicklog_tail(log->log);
}

/* One MGET for the unknown cursors among at most LEDGER_ASK_MAX logs from `first` on. */
static void ask(struct ledger *ledger, unsigned shard, unsigned first)
{
    struct counter_key keys[LEDGER_ASK_MAX];
    struct slice argv[LEDGER_ASK_MAX + 1] = {slice_of("MGET")};
    struct redis_command command = {.argv = argv};
    struct ledger_ticket ticket = {LEDGER_ASK, shard, first, 0};
    unsigned end =
        first + LEDGER_ASK_MAX < ledger->n_logs ? first + LEDGER_ASK_MAX : ledger->n_logs;
    bool any = false;

    /* All of them, known or not: so the answer needs no list to go with it. */
    for (unsigned i = first; i < end; i++, ticket.count++) {
        const struct ledger_log *log = ledger->logs[i];

        counter_key_cursor(&keys[ticket.count], shard, clicklog_id(log->log));
        argv[ticket.count + 1] = counter_key_slice(&keys[ticket.count]);
        any = any || (log->cursors[shard].state == CURSOR_UNKNOWN && is_worth_asking(log));
    }
    if (!any)
        return;
    command.key = argv[1];
    command.argc = ticket.count + 1;
    command.ticket = ledger_ticket_pack(&ticket);
    if (!redis_link_send(ledger->link, &command))
        return;
    for (unsigned i = first; i < end; i++) {
        struct cursor *cursor = &ledger->logs[i]->cursors[shard];

        if (cursor->state == CURSOR_UNKNOWN) {
            cursor->state = CURSOR_ASKED;
            cursor->in_doubt = false;
        }
    }
}

/* A cursor that nothing happened to for long: FLUSHALL tells nobody. */
static void sweep(struct ledger *ledger, unsigned shard, int64_t now_ms)
{
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct cursor *cursor = &ledger->logs[i]->cursors[shard];

        if (cursor->state == CURSOR_KNOWN && now_ms - cursor->known_ms > LEDGER_SWEEP_MS &&
            is_worth_asking(ledger->logs[i]))
            cursor->state = CURSOR_UNKNOWN;
    }
}

/* Cursors expire when their log is dead for 30 days; those of ours must not. */
static void touch(struct ledger *ledger, unsigned shard)
{
    char ttl[DECIMAL_MAX + 1];
    struct counter_key key;

    snprintf(ttl, sizeof(ttl), "%d", LEDGER_CURSOR_TTL_S);
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct ledger_ticket ticket = {LEDGER_TOUCH, shard, i, 0};
        struct slice argv[3] = {slice_of("EXPIRE")};

        if (!is_worth_asking(ledger->logs[i]) || ledger->logs[i]->cursors[shard].at == 0)
            continue;
        counter_key_cursor(&key, shard, clicklog_id(ledger->logs[i]->log));
        argv[1] = counter_key_slice(&key);
        argv[2] = slice_of(ttl);
        if (!redis_link_send(ledger->link,
                             &(struct redis_command){.key = argv[1],
                                                     .argv = argv,
                                                     .argc = 3,
                                                     .ticket = ledger_ticket_pack(&ticket)}))
            return;
    }
}

void shard_tend(struct ledger *ledger, int64_t now_ms)
{
    bool is_time_to_touch = now_ms - ledger->touched_ms > LEDGER_TOUCH_MS, is_down = false;

    ledger->now.connected = true;
    layout_serve(ledger, now_ms);
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        notice_connection(ledger, s);
        if (ledger->shards[s].epoch == 0) {
            ledger->now.connected = false;
            /* What we left, we left for a cause that says more. */
            is_down = is_down || !ledger->shards[s].was_left;
        } else {
            aof_serve(ledger, s, now_ms);
        }
        if (!shard_is_ready(ledger, s, now_ms))
            continue;
        sweep(ledger, s, now_ms);
        for (unsigned first = 0; first < ledger->n_logs; first += LEDGER_ASK_MAX)
            ask(ledger, s, first);
        if (is_time_to_touch)
            touch(ledger, s);
    }
    if (is_time_to_touch)
        ledger->touched_ms = now_ms;
    if (is_down && redis_link_cause(ledger->link)[0])
        cause_set_down(ledger, redis_link_cause(ledger->link));
}

/* --- answers --- */

/* A position as Redis holds it: absent = 0.  False: not one of ours. */
static bool parse_position(const struct redisReply *reply, uint64_t *out)
{
    uint64_t position = 0;

    if (reply->type == REDIS_REPLY_NIL) {
        *out = 0;
        return true;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0 || reply->len >= DECIMAL_MAX)
        return false;
    for (size_t i = 0; i < reply->len; i++) {
        if (reply->str[i] < '0' || reply->str[i] > '9')
            return false;
        position = position * 10 + (uint64_t)(reply->str[i] - '0');
    }
    *out = position;
    return true;
}

static void update_applied(struct ledger *ledger, struct ledger_log *log)
{
    uint64_t applied = UINT64_MAX;

    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (log->cursors[s].at < applied)
            applied = log->cursors[s].at;
    }
    clicklog_set_applied(log->log, applied);
}

static void set_cursor(struct ledger *ledger, struct ledger_log *log, unsigned shard, uint64_t at)
{
    struct cursor *cursor = &log->cursors[shard];

    if (at < cursor->at) {
        met_forget(ledger->met);
        log_warn("ledger.replay",
                 "shard=%u from=%" PRIu64 " to=%" PRIu64
                 " err=\"Redis has lost the newest counts\"",
                 shard, at, cursor->at);
    }
    if (at > clicklog_tail(log->log) && clicklog_is_live(log->log))
        log_error("ledger.cursor",
                  "shard=%u cursor=%" PRIu64 " tail=%" PRIu64
                  " err=\"another process has counted this log\"",
                  shard, at, clicklog_tail(log->log));
    /* What was covered beyond the cursor holds nothing for this shard, unless it went back. */
    if (at < cursor->at || cursor->covered < at)
        cursor->covered = at;
    cursor->at = at;
    if (at > cursor->high)
        cursor->high = at;
    cursor->known_ms = clock_mono_ms();
    cursor->state = cursor->in_doubt ? CURSOR_UNKNOWN : CURSOR_KNOWN;
    cursor->in_doubt = false;
    update_applied(ledger, log);
}

static void on_cursors(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *reply)
{
    bool ok = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == ticket->count;

    if (reply && reply->type == REDIS_REPLY_ERROR)
        shard_failed(ledger, ticket->shard, reply->str);
    else if (reply && !ok)
        shard_failed(ledger, ticket->shard, "an answer that is no list of cursors");
    else if (ok && ledger->is_down)
        cause_clear(ledger);
    for (unsigned i = 0; i < ticket->count; i++) {
        struct ledger_log *log = ledger->logs[ticket->log + i];
        struct cursor *cursor = &log->cursors[ticket->shard];
        uint64_t at;

        if (cursor->state != CURSOR_ASKED)
            continue;
        cursor->state = CURSOR_UNKNOWN;
        if (!ok)
            continue;
        if (!parse_position(reply->element[i], &at)) {
            shard_failed(ledger, ticket->shard, "a cursor that is no number; delete its key");
            continue;
        }
        set_cursor(ledger, log, ticket->shard, at);
    }
}

static void count_replayed(struct ledger *ledger, const struct cursor *cursor)
{
    uint64_t end = cursor->sent_to < cursor->high ? cursor->sent_to : cursor->high;

    if (end > cursor->at)
        ledger->replayed_shards += end - cursor->at;
}

static void on_applied(struct ledger *ledger, struct ledger_log *log, unsigned shard,
                       const struct redisReply *reply)
{
    struct cursor *cursor = &log->cursors[shard];
    uint64_t n_aside = (uint64_t)reply->element[1]->integer;

    ledger->shards[shard].n_failures = 0;
    ledger->shards[shard].with_script = false;
    cause_clear(ledger);
    count_replayed(ledger, cursor);
    ledger->now.n_batches++;
    if (n_aside > 0) {
        char quoted[LOG_QUOTE_MAX];

        met_forget(ledger->met); /* they may be among what was set aside */
        ledger->now.rejected += n_aside;
        log_error("ledger.set_aside", "shard=%u n=%" PRIu64 " err=%s", shard, n_aside,
                  log_quote(quoted, reply->element[2]->str));
    }
    set_cursor(ledger, log, shard, cursor->sent_to);
    for (size_t i = 0; i + 1 < reply->element[3]->elements; i += 2) {
        tidy_note(ledger, reply->element[3]->element[i], reply->element[3]->element[i + 1]);
        tidy_series_note(ledger, reply->element[3]->element[i], reply->element[3]->element[i + 1]);
    }
}

static bool is_applied(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer == 1 &&
           reply->element[1]->type == REDIS_REPLY_INTEGER &&
           reply->element[2]->type == REDIS_REPLY_STRING &&
           reply->element[3]->type == REDIS_REPLY_ARRAY;
}

static bool is_refused(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer == 0;
}

/* The cursor wasn't where we thought: it says where it is. */
static void on_refused(struct ledger *ledger, struct ledger_log *log, unsigned shard,
                       const struct redisReply *cursor_reply)
{
    struct cursor *cursor = &log->cursors[shard];
    uint64_t at;

    ledger->now.refused++;
    if (!parse_position(cursor_reply, &at)) {
        shard_failed(ledger, shard, "a cursor that is no number; delete its key");
        cursor->state = CURSOR_UNKNOWN;
        return;
    }
    if (at < cursor->at) /* then the other logs' may have gone back, too */
        doubt_shard(ledger, shard);
    cursor->in_doubt = false;
    set_cursor(ledger, log, shard, at);
}

static void on_batch(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *reply)
{
    struct ledger_log *log = ledger->logs[ticket->log];
    struct cursor *cursor = &log->cursors[ticket->shard];

    ledger->shards[ticket->shard].n_sent--;
    log->n_sent--;
    if (!reply || !is_applied(reply))
        met_forget(ledger->met);
    if (reply && is_applied(reply)) {
        on_applied(ledger, log, ticket->shard, reply);
    } else if (reply && is_refused(reply)) {
        on_refused(ledger, log, ticket->shard, reply->element[1]);
    } else {
        /* It may have been applied: ask. */
        cursor->state = CURSOR_UNKNOWN;
        if (reply)
            shard_failed(ledger, ticket->shard,
                         reply->type == REDIS_REPLY_ERROR ? reply->str
                                                          : "an answer that is not the script's");
    }
}

static void on_touched(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        doubt(&ledger->logs[ticket->log]->cursors[ticket->shard]);
}

void shard_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                    const struct redisReply *reply)
{
    switch (ticket->what) {
    case LEDGER_ASK:
        on_cursors(ledger, ticket, reply);
        break;
    case LEDGER_BATCH:
        on_batch(ledger, ticket, reply);
        break;
    case LEDGER_TOUCH:
        on_touched(ledger, ticket, reply);
        break;
    case LEDGER_LAYOUT:
        layout_on_reply(ledger, reply);
        break;
    case LEDGER_AOF_LOOK:
    case LEDGER_AOF_REWRITE:
        aof_on_reply(ledger, ticket, reply);
        break;
    case LEDGER_TIDY_READ:
    case LEDGER_TIDY_WRITE:
        tidy_on_reply(ledger, ticket, reply);
        break;
    case LEDGER_SERIES_READ:
    case LEDGER_SERIES_WRITE:
        tidy_series_on_reply(ledger, ticket, reply);
        break;
    case LEDGER_BEAT:
    case LEDGER_OFFER:
    case LEDGER_CLAIM:
        relabel_on_reply(ledger, ticket, reply);
        break;
    }
}
