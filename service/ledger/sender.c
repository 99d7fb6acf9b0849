#include "service/ledger/sender.h"

#include <inttypes.h>

#include <sodium.h>

#include "proto/click.h"
#include "proto/rfc3339.h"
#include "service/base/background.h"
#include "service/base/log.h"
#include "service/clicklog/clicklog.h"
#include "service/ledger/batch.h"
#include "service/ledger/fold.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    SHARD_SENT_MAX = 4, /* batches of one shard under way, of so many logs */
    READ_MAX = 256,     /* records decoded at a time: they stay in the processor's cache */
    AHEAD = 8,          /* clicks between fetching and adding */
    BARE_MS =
        5000, /* between two moves of a cursor over a range that holds nothing for its shard */
};

/* Positions of a log. */
struct range {
    uint64_t from, to;
};

static bool may_send(const struct ledger *ledger, const struct ledger_log *log, unsigned shard)
{
    return log->cursors[shard].state == CURSOR_KNOWN && trust_is_ready(ledger, shard) &&
           ledger->shards[shard].n_sent < SHARD_SENT_MAX;
}

/* The range begins at the lowest cursor and ends at the next higher one, so that all cursors become
 * equal and later ranges serve all shards. */
static bool find_range(const struct ledger *ledger, const struct ledger_log *log, struct range *out)
{
    uint64_t tail = clicklog_tail(log->log), from = UINT64_MAX, to = tail;

    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (may_send(ledger, log, s) && log->cursors[s].covered < from)
            from = log->cursors[s].covered;
    }
    if (from >= tail)
        return false;
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (log->cursors[s].covered > from && log->cursors[s].covered < to)
            to = log->cursors[s].covered;
    }
    *out = (struct range){from, to};
    return true;
}

static void send_batch(struct ledger *ledger, struct ledger_log *log, unsigned shard, uint64_t to)
{
    struct cursor *cursor = &log->cursors[shard];
    struct ledger_ticket ticket = {LEDGER_BATCH, shard, log->index, 0};
    struct batch_range range = {
        .log_id = clicklog_id(log->log),
        .from = cursor->at,
        .to = to,
        .shard = shard,
        .with_script = ledger->shards[shard].with_script,
    };
    struct batch_command command;

    batch_build(ledger->batch, &range, &command);
    background_yield();
    if (!redis_link_send(ledger->link,
                         &(struct redis_command){.key = command.key,
                                                 .argv = command.argv,
                                                 .argc = command.argc,
                                                 .ticket = ledger_ticket_pack(&ticket)})) {
        people_sent_forget(ledger->people_sent);
        return;
    }
    cursor->sent_to = to;
    cursor->state = CURSOR_SENT;
    ledger->shards[shard].n_sent++;
    log->n_sent++;
}

/* Says which positions are lost, and when they were written at the latest. */
static void log_lost(const struct ledger_log *log, uint64_t from, uint64_t to)
{
    /* New labels of clicks, and events, are no clicks: nobody is to add them to those. */
    const char *what = clicklog_holds_relabels(log->log) ? "ledger.lost_records" : "ledger.lost";
    char id[2 * CLICK_LOG_ID_LEN + 1], made[RFC3339_TEXT_MAX], before[RFC3339_TEXT_MAX] = "";
    struct click next;

    sodium_bin2hex(id, sizeof(id), clicklog_id(log->log), CLICK_LOG_ID_LEN);
    rfc3339_format(clicklog_created_ms(log->log) / 1000, 0, made);
    if (clicklog_peek(log->log, to, &next)) /* rounded up: the lost ones are older */
        rfc3339_format((next.time_ms + 999) / 1000, 0, before);
    log_error(what,
              "n=%" PRIu64 " log=%s from=%" PRIu64 " to=%" PRIu64 " since=%s before=%s err=\"%s\"",
              to - from, id, from, to, made, before,
              log->is_stale ? "a log is older than cursors in Redis live; whether it was counted "
                              "can't be told, and it is not counted again"
                            : "Redis has lost counts of what the log no longer holds\" "
                              "hint=\"raise ledger.retain_s and ledger.retain_max_bytes");
}

/* Moves the cursor over positions that are gone, and counts the clicks that are lost. */
static void skip_gap(struct ledger *ledger, struct ledger_log *log, unsigned shard, uint64_t to)
{
    uint64_t from = log->cursors[shard].at;

    if (from < log->lost_to)
        from = log->lost_to;
    if (to > from) {
        /* A relabelling or an event is no click. */
        if (!clicklog_holds_relabels(log->log))
            ledger->now.lost_gap += to - from;
        log->lost_to = to;
        log_lost(log, from, to);
    }
    batch_begin(ledger->batch, NULL);
    send_batch(ledger, log, shard, to);
}

/*
 * The clicks below `to` can't be counted: their segments were deleted.  In a log whose cursor may
 * have expired these are all clicks, because they were most likely counted: a process that is
 * stopped normally leaves only segments that are kept for a replay.
 */
static void skip_gaps(struct ledger *ledger, struct ledger_log *log)
{
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        bool all = log->is_stale && log->cursors[s].at == 0;
        uint64_t to = all ? clicklog_tail(log->log) : clicklog_first(log->log);

        if (may_send(ledger, log, s) && log->cursors[s].covered < to)
            skip_gap(ledger, log, s, to);
    }
}

/* The position after the first `n` clicks from `at` on.  Goes on slot by slot, because damaged
 * records and gaps in between may have any length. */
static uint64_t position_after(struct ledger *ledger, struct ledger_log *log, uint64_t at, size_t n)
{
    while (n > 0) {
        size_t n_clicks, passed = clicklog_read(log->log, at, 1, ledger->clicks, &n_clicks);

        if (passed == 0)
            break;
        at += passed;
        n -= n_clicks;
    }
    return at;
}

/* Adds clicks while there is room for them; returns how many were added.  What a click needs is
 * fetched from memory while those before it are added. */
static size_t fold_all(struct fold *fold, const struct click *clicks, size_t n)
{
    size_t i;

    for (i = 0; i < n && i < AHEAD; i++)
        fold_expect(fold, &clicks[i], false);
    for (i = 0; i < n; i++) {
        if (i + AHEAD < n)
            fold_expect(fold, &clicks[i + AHEAD], false);
        if (i + AHEAD / 2 < n)
            fold_expect(fold, &clicks[i + AHEAD / 2], true);
        if (!fold_add(fold, &clicks[i]))
            break;
    }
    return i;
}

/* Reads and folds until the range ends, the batch has its records, or the fold is full; returns the
 * position reached. */
static uint64_t fold_range(struct ledger *ledger, struct ledger_log *log, const struct range *range)
{
    struct range left = *range;
    bool full = false;

    ledger->fold->limits = ledger->limits;
    ledger->fold->sent = ledger->people_sent;
    if (left.to - left.from > ledger->options.batch_max)
        left.to = left.from + ledger->options.batch_max;
    fold_clear(ledger->fold, (unsigned)(left.to - left.from));
    while (left.from < left.to && !full) {
        size_t n_clicks, n, passed;
        uint64_t to = left.to;

        /* A replay stops at the position up to which the log was read before, so that no damaged
         * record is counted twice. */
        if (left.from < log->read_to && log->read_to < to)
            to = log->read_to;
        if (to - left.from > READ_MAX)
            to = left.from + READ_MAX;
        passed =
            clicklog_read(log->log, left.from, (size_t)(to - left.from), ledger->clicks, &n_clicks);
        if (passed == 0)
            break;
        n = fold_all(ledger->fold, ledger->clicks, n_clicks);
        full = n < n_clicks;
        if (full)
            passed = (size_t)(position_after(ledger, log, left.from, n) - left.from);
        left.from += passed;
        if (left.from > log->read_to) {
            log->n_damaged += passed - n;
            log->read_to = left.from;
        }
        background_yield();
    }
    log->is_batch_full = full;
    /* Segments were deleted after skip_gaps(): the next turn counts the missing clicks. */
    return clicklog_first(log->log) > range->from ? range->from : left.from;
}

static void send_all(struct ledger *ledger, struct ledger_log *log, const struct range *range)
{
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        struct cursor *cursor = &log->cursors[s];

        if (cursor->covered != range->from || !may_send(ledger, log, s))
            continue;
        if (batch_has(ledger->batch, s))
            send_batch(ledger, log, s, range->to);
        else
            cursor->covered = range->to;
    }
}

/* Every BARE_MS moves cursors over ranges that hold nothing for their shard. */
static void move_bare_cursors(struct ledger *ledger, struct ledger_log *log)
{
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        struct cursor *cursor = &log->cursors[s];

        if (cursor->covered == cursor->at || !may_send(ledger, log, s) ||
            (ledger->now_ms - cursor->known_ms < BARE_MS && !atomic_load(&ledger->draining)))
            continue;
        batch_begin(ledger->batch, NULL);
        send_batch(ledger, log, s, cursor->covered);
    }
}

static bool is_time(const struct ledger *ledger, const struct ledger_log *log,
                    const struct range *range)
{
    if (ledger->now_ms - log->sent_ms >= ledger->options.flush_ms || atomic_load(&ledger->draining))
        return true;
    /* A whole batch is pending, and all shards have the same cursor. */
    return log->n_sent == 0 && (log->is_batch_full ||
                                clicklog_tail(log->log) - range->from >= ledger->options.batch_max);
}

void sender_serve(struct ledger *ledger, struct ledger_log *log)
{
    struct range range;

    skip_gaps(ledger, log);
    if (find_range(ledger, log, &range) && is_time(ledger, log, &range)) {
        uint64_t to = fold_range(ledger, log, &range);

        if (to > range.from) {
            range.to = to;
            batch_begin(ledger->batch, ledger->fold);
            background_yield();
            send_all(ledger, log, &range);
            log->sent_ms = ledger->now_ms;
        }
    }
    move_bare_cursors(ledger, log);
}
