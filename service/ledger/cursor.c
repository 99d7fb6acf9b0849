#include "service/ledger/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/number.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/ledger/batch.h"
#include "service/ledger/invoices.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    ASK_MAX = 64,     /* cursors asked for in one command */
    SWEEP_MS = 10000, /* after this time without a confirmation a cursor is asked for */
    RENEW_MS = 3600000,
    DECIMAL_MAX = 20,
};

bool cursor_init_shards(struct ledger *ledger)
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

static void doubt(struct cursor *cursor)
{
    if (cursor->state == CURSOR_KNOWN)
        cursor->state = CURSOR_UNKNOWN;
    else
        cursor->in_doubt = true;
}

static void doubt_shard(struct ledger *ledger, unsigned shard)
{
    people_sent_forget(ledger->people_sent);
    for (unsigned i = 0; i < ledger->n_logs; i++)
        doubt(&ledger->logs[i]->cursors[shard]);
}

/* A new connection may lead to a server that has restarted, or to another one: its cursors are
 * unknown. */
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
    s->must_renew = true;
    s->aof = AOF_NEW;
    s->aof_look_ms = 0;
    doubt_shard(ledger, shard);
}

void cursor_notice_connections(struct ledger *ledger)
{
    bool is_down = false;

    ledger->now.connected = true;
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        notice_connection(ledger, s);
        if (ledger->shards[s].epoch != 0)
            continue;
        ledger->now.connected = false;
        /* If we closed the connection ourselves, the answer that made us do so is the better cause.
         */
        is_down = is_down || !ledger->shards[s].was_left;
    }
    if (is_down && redis_link_cause(ledger->link)[0])
        trust_on_down(ledger, redis_link_cause(ledger->link));
}

/* --- asking --- */

static bool is_worth_asking(const struct ledger_log *log)
{
    return clicklog_is_live(log->log) || clicklog_first(log->log) < clicklog_tail(log->log);
}

/* One MGET for the unknown cursors among at most ASK_MAX logs from `first` on. */
static void ask(struct ledger *ledger, unsigned shard, unsigned first)
{
    struct counter_key keys[ASK_MAX];
    struct slice argv[ASK_MAX + 1] = {slice_of("MGET")};
    struct redis_command command = {.argv = argv};
    struct ledger_ticket ticket = {LEDGER_ASK, shard, first, 0};
    unsigned end = first + ASK_MAX < ledger->n_logs ? first + ASK_MAX : ledger->n_logs;
    bool any = false;

    /* Asks for all cursors of the range, known ones too: the order of the answer tells whose each
     * is. */
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

/* The cursors of logs that no process has open expire after 30 days; ours must not. */
static void renew(struct ledger *ledger, unsigned shard)
{
    char ttl[DECIMAL_MAX + 1];
    struct counter_key key;

    snprintf(ttl, sizeof(ttl), "%d", BATCH_CURSOR_TTL_S);
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct ledger_ticket ticket = {LEDGER_RENEW, shard, i, 0};
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

/* Which cursors a new process has in Redis is known only once they were told. */
static bool is_told(const struct ledger *ledger, unsigned shard)
{
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        enum cursor_state state = ledger->logs[i]->cursors[shard].state;

        if ((state == CURSOR_UNKNOWN || state == CURSOR_ASKED) && is_worth_asking(ledger->logs[i]))
            return false;
    }
    return true;
}

void cursor_renew(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->options.n_shards; i++) {
        struct shard *s = &ledger->shards[i];

        if ((!s->must_renew && ledger->now_ms - s->renewed_ms <= RENEW_MS) ||
            !trust_is_ready(ledger, i) || !is_told(ledger, i))
            continue;
        s->must_renew = false;
        s->renewed_ms = ledger->now_ms;
        renew(ledger, i);
    }
}

void cursor_serve(struct ledger *ledger, unsigned shard)
{
    /* Cursors become unknown that were not confirmed for SWEEP_MS: a FLUSHALL breaks no connection
     * and fails no command. */
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct cursor *cursor = &ledger->logs[i]->cursors[shard];

        if (cursor->state == CURSOR_KNOWN && ledger->now_ms - cursor->known_ms > SWEEP_MS &&
            is_worth_asking(ledger->logs[i]))
            cursor->state = CURSOR_UNKNOWN;
    }
    for (unsigned first = 0; first < ledger->n_logs; first += ASK_MAX)
        ask(ledger, shard, first);
}

/* --- answers --- */

/* Reads a position as Redis holds it; an absent key is 0.  False: the value is no position. */
static bool parse_position(const struct redisReply *answer, uint64_t *out)
{
    if (answer->type == REDIS_REPLY_NIL) {
        *out = 0;
        return true;
    }
    return answer->type == REDIS_REPLY_STRING &&
           number_parse(slice_make(answer->str, answer->len), INT64_MAX, out);
}

static void set_cursor(struct ledger *ledger, struct ledger_log *log, unsigned shard, uint64_t at)
{
    struct cursor *cursor = &log->cursors[shard];
    uint64_t applied = UINT64_MAX;

    if (at < cursor->at) {
        people_sent_forget(ledger->people_sent);
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
    /* Between the cursor and `covered` the log holds nothing for this shard; that stays true unless
     * the cursor went back. */
    if (at < cursor->at || cursor->covered < at)
        cursor->covered = at;
    cursor->at = at;
    if (at > cursor->high)
        cursor->high = at;
    cursor->known_ms = ledger->now_ms;
    cursor->state = cursor->in_doubt ? CURSOR_UNKNOWN : CURSOR_KNOWN;
    cursor->in_doubt = false;
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (log->cursors[s].at < applied)
            applied = log->cursors[s].at;
    }
    clicklog_set_applied(log->log, applied);
}

void cursor_on_asked(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *answer)
{
    bool ok = answer && answer->type == REDIS_REPLY_ARRAY && answer->elements == ticket->count;

    if (answer && answer->type == REDIS_REPLY_ERROR)
        trust_on_error(ledger, ticket->shard, answer->str);
    else if (answer && !ok)
        trust_on_error(ledger, ticket->shard, "an answer that is no list of cursors");
    else if (ok && ledger->is_down)
        trust_on_success(ledger);
    for (unsigned i = 0; i < ticket->count; i++) {
        struct ledger_log *log = ledger->logs[ticket->log + i];
        struct cursor *cursor = &log->cursors[ticket->shard];
        uint64_t at;

        if (cursor->state != CURSOR_ASKED)
            continue;
        cursor->state = CURSOR_UNKNOWN;
        if (!ok)
            continue;
        if (!parse_position(answer->element[i], &at)) {
            trust_on_error(ledger, ticket->shard, "a cursor that is no number; delete its key");
            continue;
        }
        set_cursor(ledger, log, ticket->shard, at);
    }
}

static void on_applied(struct ledger *ledger, struct ledger_log *log, unsigned shard,
                       const struct redisReply *answer)
{
    struct cursor *cursor = &log->cursors[shard];
    uint64_t n_aside = (uint64_t)answer->element[1]->integer;
    uint64_t replayed_to = cursor->sent_to < cursor->high ? cursor->sent_to : cursor->high;

    ledger->shards[shard].with_script = false;
    trust_on_write(ledger, shard);
    if (replayed_to > cursor->at && !clicklog_holds_relabels(log->log))
        ledger->replayed_shards += replayed_to - cursor->at;
    ledger->now.n_batches++;
    if (n_aside > 0) {
        char quoted[LOG_QUOTE_MAX];

        people_sent_forget(ledger->people_sent); /* their increments may be among those set aside */
        ledger->now.rejected += n_aside;
        log_error("ledger.set_aside", "shard=%u n=%" PRIu64 " err=%s", shard, n_aside,
                  log_quote(quoted, answer->element[2]->str));
    }
    set_cursor(ledger, log, shard, cursor->sent_to);
    invoices_on_batch(ledger, shard, answer->element[4]->integer);
}

static bool is_applied(const struct redisReply *answer)
{
    return answer->type == REDIS_REPLY_ARRAY && answer->elements == 5 &&
           answer->element[0]->type == REDIS_REPLY_INTEGER && answer->element[0]->integer == 1 &&
           answer->element[1]->type == REDIS_REPLY_INTEGER &&
           answer->element[2]->type == REDIS_REPLY_STRING &&
           answer->element[3]->type == REDIS_REPLY_ARRAY &&
           answer->element[4]->type == REDIS_REPLY_INTEGER;
}

/* The batch did not begin at the cursor.  The script has answered where the cursor is. */
static void on_refused(struct ledger *ledger, struct ledger_log *log, unsigned shard,
                       const struct redisReply *cursor_answer)
{
    struct cursor *cursor = &log->cursors[shard];
    uint64_t at;

    ledger->now.refused++;
    if (!parse_position(cursor_answer, &at)) {
        trust_on_error(ledger, shard, "a cursor that is no number; delete its key");
        cursor->state = CURSOR_UNKNOWN;
        return;
    }
    if (at < cursor->at) /* then those of other logs may have gone back, too */
        doubt_shard(ledger, shard);
    cursor->in_doubt = false;
    set_cursor(ledger, log, shard, at);
}

const struct redisReply *cursor_on_batch(struct ledger *ledger, const struct ledger_ticket *ticket,
                                         const struct redisReply *answer)
{
    struct ledger_log *log = ledger->logs[ticket->log];
    struct cursor *cursor = &log->cursors[ticket->shard];

    ledger->shards[ticket->shard].n_sent--;
    log->n_sent--;
    if (!answer || !is_applied(answer))
        people_sent_forget(ledger->people_sent);
    if (answer && is_applied(answer)) {
        on_applied(ledger, log, ticket->shard, answer);
        return answer->element[3];
    }
    if (answer && answer->type == REDIS_REPLY_ARRAY && answer->elements == 2 &&
        answer->element[0]->type == REDIS_REPLY_INTEGER && answer->element[0]->integer == 0) {
        on_refused(ledger, log, ticket->shard, answer->element[1]);
    } else {
        /* The batch may have been applied: ask. */
        cursor->state = CURSOR_UNKNOWN;
        if (answer)
            trust_on_error(ledger, ticket->shard,
                           answer->type == REDIS_REPLY_ERROR
                               ? answer->str
                               : "an answer that is not the script's");
    }
    return NULL;
}

void cursor_on_renewed(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *answer)
{
    if (answer && answer->type == REDIS_REPLY_INTEGER && answer->integer == 0)
        doubt(&ledger->logs[ticket->log]->cursors[ticket->shard]);
}
