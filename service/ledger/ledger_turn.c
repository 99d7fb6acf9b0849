#include "service/ledger/ledger_turn.h"

#include <stdlib.h>
#include <string.h>

#include "proto/click.h"
#include "service/base/clock.h"
#include "service/clicklog/clicklog.h"
#include "service/gateway/pod.h"
#include "service/gateway/relabel.h"
#include "service/ledger/batch.h"
#include "service/ledger/compact.h"
#include "service/ledger/cursor.h"
#include "service/ledger/fold.h"
#include "service/ledger/invoices.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/merge.h"
#include "service/ledger/people.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/sender.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    CLICKS_MIN = 256,
    CLOCKS_APART_S = 3600,
    RATE_MS = 5000, /* for the clicks per second that pods tell one another */
    FLUSHES = 50,   /* in which a relabelling reaches Redis at the latest */
    /*
     * Groups of campaigns, and slots of people, in a batch, for each shard.  Redis serves nobody
     * else during the script, whose time is that of its commands, some 1 to 2 µs each: one for each
     * such group, three for each slot, and up to 768 for what is added to tables.  So a batch of
     * clicks that are all of other campaigns, or ten seconds apart, as in the backlog of a quiet
     * site, ends after 1024 of them, with some 3000 commands.
     * With 8192 such clicks in a batch each would cost Redis a quarter to two fifths less, but
     * others would wait some ten times as long (bench/README.md "Many campaigns"); more shards give
     * both.
     *
     * The time that a batch took is not looked at: from here it holds the network, and whatever
     * Redis did for others.  Smaller batches cost more, so that a Redis which is slow because it
     * has much to do would get more to do.
     */
    SPREAD_MAX = 1024,
};

/* --- the logs --- */

/* The newest click of the log is older than a cursor lives, so the log's cursors may have expired.
 */
static bool is_stale(const struct clicklog *log)
{
    return !clicklog_is_live(log) && clock_wall_ms() - clicklog_newest_ms(log) >
                                         (int64_t)(BATCH_CURSOR_TTL_S - CLOCKS_APART_S) * 1000;
}

static bool add_log(struct ledger *ledger, struct clicklog *log)
{
    size_t n_shards = ledger->options.n_shards;
    struct ledger_log *entry;

    if (ledger->n_logs == ledger->logs_max) {
        unsigned max = ledger->logs_max ? 2 * ledger->logs_max : 16;
        struct ledger_log **logs = realloc(ledger->logs, max * sizeof(*logs));

        if (!logs)
            return false;
        ledger->logs = logs;
        ledger->logs_max = max;
    }
    entry = calloc(1, sizeof(*entry) + n_shards * sizeof(entry->cursors[0]));
    if (!entry)
        return false;
    entry->log = log;
    entry->index = ledger->n_logs;
    entry->start = clicklog_first(log);
    entry->is_stale = is_stale(log);
    ledger->logs[ledger->n_logs++] = entry;
    return true;
}

/* Logs of earlier starts, and those that workers have opened since. */
static void find_logs(struct ledger *ledger)
{
    const struct clicklog *last = ledger->n_logs ? ledger->logs[ledger->n_logs - 1]->log : NULL;
    struct clicklog *log;

    while (ledger->n_logs < LEDGER_LOGS_MAX && (log = clicklog_next(ledger->store, last))) {
        if (!add_log(ledger, log))
            return; /* next time */
        last = log;
    }
}

/* --- mail gateways --- */

static bool send_for_gateway(void *owner, enum gateway_command what, unsigned shard,
                             const struct slice *argv, size_t argc)
{
    struct ledger *ledger = owner;
    struct ledger_ticket ticket = {.what = LEDGER_GATEWAY, .shard = shard, .count = what};

    return redis_link_send(ledger->link,
                           &(struct redis_command){.key = argv[GATEWAY_ARGV_KEY],
                                                   .argv = argv,
                                                   .argc = argc,
                                                   .ticket = ledger_ticket_pack(&ticket)});
}

static bool is_ready_for_gateway(void *owner, unsigned shard)
{
    return trust_is_ready(owner, shard);
}

/* Clicks counted per second, of which those of RATE_MS ago weigh a third.  What Redis has lost, or
 * what a log of an earlier start holds, is no click of now. */
static double measure_rate(struct ledger *ledger)
{
    int64_t now_ms = clock_mono_ms(), past_ms = now_ms - ledger->rate_at_ms;
    uint64_t applied = ledger->now.applied;
    double share = past_ms < RATE_MS ? (double)past_ms / RATE_MS : 1;

    if (ledger->rate_at_ms > 0 && past_ms > 0)
        ledger->clicks_per_s +=
            share * ((applied > ledger->rate_applied
                          ? (double)(applied - ledger->rate_applied) * 1000 / (double)past_ms
                          : 0) -
                     ledger->clicks_per_s);
    ledger->rate_at_ms = now_ms;
    ledger->rate_applied = applied;
    return ledger->clicks_per_s;
}

static void describe(void *owner, struct pod *self)
{
    struct ledger *ledger = owner;

    ledger_turn_count(ledger);
    self->clicks_per_s = measure_rate(ledger);
    self->as_of_ms = ledger->now.as_of_ms;
    self->lag_ms = ledger->now.lag_ms;
    self->pending = ledger->now.pending;
    self->connected = ledger->now.connected;
    self->n_shards = ledger->options.n_shards;
}

/* The salt of a day that is over is still in the append-only file of a private server. */
static void on_day(void *owner)
{
    trust_rewrite_private_aof(owner);
}

static struct relabel *make_relabel(struct ledger *ledger)
{
    const struct relabel_options options = {
        .gateway = ledger->options.gateway,
        .store = ledger->store,
        .salt = ledger->options.salt,
        .n_shards = ledger->options.n_shards,
        .state_dir = ledger->options.state_dir,
        .describe = describe,
        .redis = {ledger, send_for_gateway, is_ready_for_gateway},
        .on_day = on_day,
    };

    return relabel_new(&options);
}

static void look_for_gateways(struct ledger *ledger)
{
    if (!ledger->relabel)
        return;
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        struct ledger_log *log = ledger->logs[i];

        if (clicklog_is_live(log->log) && !clicklog_holds_relabels(log->log))
            relabel_look_at_log(ledger->relabel, log->log, &log->looked_to);
    }
    relabel_serve(ledger->relabel, ledger->now_ms);
    find_logs(ledger); /* the search for gateways may have opened a log */
}

/* --- a turn --- */

void ledger_turn(struct ledger *ledger, int64_t now_ms)
{
    struct fold_invoices *invoices = atomic_exchange(&ledger->new_invoices, NULL);

    ledger->now_ms = now_ms;
    if (invoices) { /* the configuration was loaded again */
        free(ledger->invoices);
        ledger->invoices = invoices;
        ledger->fold->invoices = invoices;
    }
    find_logs(ledger);
    cursor_notice_connections(ledger);
    look_for_gateways(ledger); /* which says whether we are connected */
    trust_serve_layout(ledger);
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (ledger->shards[s].epoch != 0)
            trust_serve_aof(ledger, s);
        if (trust_is_ready(ledger, s))
            cursor_serve(ledger, s);
    }
    cursor_renew(ledger);
    for (unsigned i = 0; i < ledger->n_logs; i++)
        sender_serve(ledger, ledger->logs[(ledger->first_log + i) % ledger->n_logs]);
    ledger->first_log++;
    invoices_serve(ledger);
    people_serve(ledger);
    merge_serve(ledger);
    compact_serve(ledger);
}

void ledger_turn_on_answer(struct ledger *ledger, uint64_t packed, const struct redisReply *answer,
                           int64_t now_ms)
{
    struct ledger_ticket unpacked = ledger_ticket_unpack(packed), *ticket = &unpacked;
    const struct redisReply *grown;

    ledger->now_ms = now_ms;
    switch (ticket->what) {
    case LEDGER_ASK:
        cursor_on_asked(ledger, ticket, answer);
        break;
    case LEDGER_BATCH:
        grown = cursor_on_batch(ledger, ticket, answer);
        if (grown) {
            merge_note(ledger, grown);
            compact_note(ledger, grown);
        }
        break;
    case LEDGER_FACTS:
    case LEDGER_BLOCKS:
    case LEDGER_INVOICES:
        grown = invoices_on_answer(ledger, ticket, answer);
        if (grown)
            compact_note(ledger, grown);
        break;
    case LEDGER_PEOPLE:
        people_on_answer(ledger, ticket, answer);
        break;
    case LEDGER_RENEW:
        cursor_on_renewed(ledger, ticket, answer);
        break;
    case LEDGER_LAYOUT:
        trust_on_layout(ledger, ticket->shard, answer);
        break;
    case LEDGER_AOF_LOOK:
    case LEDGER_AOF_REWRITE:
        trust_on_aof(ledger, ticket, answer);
        break;
    case LEDGER_TABLE_READ:
    case LEDGER_TABLE_WRITE:
        compact_on_table(ledger, ticket, answer);
        break;
    case LEDGER_MERGE_READ:
    case LEDGER_MERGE_WRITE:
        merge_on_answer(ledger, ticket, answer);
        break;
    case LEDGER_SERIES_READ:
    case LEDGER_SERIES_WRITE:
        compact_on_series(ledger, ticket, answer);
        break;
    case LEDGER_GATEWAY:
        relabel_on_answer(ledger->relabel, (enum gateway_command)ticket->count, ticket->shard,
                          answer);
        break;
    }
}

/* --- progress --- */

static void add_log_stats(struct ledger *ledger, struct ledger_log *log, int64_t *oldest_ms)
{
    uint64_t applied = UINT64_MAX, tail = clicklog_tail(log->log), done;
    struct click oldest;

    if (clicklog_holds_relabels(log->log))
        return;
    /* The position up to which all shards in Redis have the log. */
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (log->cursors[s].covered < applied)
            applied = log->cursors[s].covered;
    }
    if (applied < log->start)
        applied = log->start;
    /* After a power cut Redis may hold more than the log. */
    done = (applied < tail ? applied : tail) - log->start;
    ledger->now.applied += done > log->n_damaged ? done - log->n_damaged : 0;
    if (applied >= tail)
        return;
    ledger->now.pending += tail - applied;
    if (clicklog_peek(log->log, applied, &oldest) && oldest.time_ms < *oldest_ms)
        *oldest_ms = oldest.time_ms;
}

bool ledger_turn_is_drained(const struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->n_logs; i++) {
        const struct ledger_log *log = ledger->logs[i];

        for (unsigned s = 0; s < ledger->options.n_shards; s++) {
            const struct cursor *cursor = &log->cursors[s];

            /* For an empty log no cursor is asked for. */
            if (clicklog_first(log->log) < clicklog_tail(log->log) &&
                (cursor->state != CURSOR_KNOWN || cursor->at < clicklog_tail(log->log)))
                return false;
        }
    }
    return invoices_is_idle(ledger->adder);
}

bool ledger_turn_is_idle(const struct ledger *ledger)
{
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        if (!trust_is_ready(ledger, s))
            return false;
    }
    return ledger_turn_is_drained(ledger);
}

/* Payments are known when all shards have told theirs. */
static void add_payments(struct ledger *ledger)
{
    struct ledger_stats *now = &ledger->now;

    now->payments_in = 0;
    memset(now->payments, 0, sizeof(now->payments));
    for (unsigned s = 0; s < ledger->options.n_shards; s++) {
        const struct shard *shard = &ledger->shards[s];

        if (!shard->knows_payments) {
            now->payments_in = -1;
            return;
        }
        now->payments_in += shard->payments_in;
        for (unsigned k = 0; k < FUNNEL_OUTCOMES; k++)
            now->payments[k] += shard->payments[k];
    }
}

void ledger_turn_count(struct ledger *ledger)
{
    int64_t wall_ms = clock_wall_ms(), oldest_ms = wall_ms;

    ledger->now.applied = ledger->now.pending = 0;
    for (unsigned i = 0; i < ledger->n_logs; i++)
        add_log_stats(ledger, ledger->logs[i], &oldest_ms);
    ledger->now.lag_ms = wall_ms - oldest_ms;
    ledger->now.as_of_ms = oldest_ms;
    ledger->now.replayed = ledger->replayed_shards / ledger->options.n_shards;
    add_payments(ledger);
    ledger->now.facts_waiting = invoices_n_waiting(ledger->adder);
    ledger->now.people_as_of_ms = people_as_of_ms(ledger->people);
    if (ledger->relabel)
        ledger->now.gateway = relabel_stats(ledger->relabel);
}

/* --- init and clear --- */

/* How long a click by a person may still be relabelled: as long as another click of the gateway may
 * follow, and until the relabelling, perhaps of another process that is slow, is in Redis.  That is
 * a matter of a few flushes. */
static int64_t hold_ms(const struct ledger *ledger)
{
    int64_t window_ms = ledger->relabel ? relabel_window_ms(ledger->relabel) : 0;

    return window_ms + FLUSHES * ledger->options.flush_ms;
}

bool ledger_turn_init(struct ledger *ledger, int64_t now_ms)
{
    unsigned max = ledger->options.batch_max;
    struct batch_options options = {
        .people_sent = ledger->people_sent = people_sent_new(),
        .records_max = max,
        .n_shards = ledger->options.n_shards,
        .retention_hours_s = ledger->options.retention_hours_s,
        .retention_days_s = ledger->options.retention_days_s,
        .retention_cells_s = ledger->options.retention_cells_s,
        .cells_len_max = ledger->options.cells_len_max,
    };

    ledger->now_ms = now_ms;
    ledger->clicks = calloc(max > CLICKS_MIN ? max : CLICKS_MIN, sizeof(*ledger->clicks));
    ledger->fold = fold_new(max);
    ledger->batch = ledger->people_sent ? batch_new(&options) : NULL;
    if (ledger->fold) {
        ledger->fold->with_cells = ledger->options.retention_cells_s > 0;
        ledger->fold->spread_max = SPREAD_MAX * ledger->options.n_shards;
    }
    ledger->compact = compact_new();
    ledger->merge = merge_new();
    ledger->adder = invoices_new(ledger->options.n_shards);
    if (ledger->options.gateway && !(ledger->relabel = make_relabel(ledger)))
        return false;
    ledger->options.gateway = NULL; /* the caller's, */
    ledger->options.state_dir = NULL;
    ledger->people = people_new(ledger->options.n_shards, hold_ms(ledger));
    return ledger->clicks && ledger->fold && ledger->batch && ledger->compact && ledger->merge &&
           ledger->adder && ledger->people && cursor_init_shards(ledger);
}

void ledger_turn_clear(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->n_logs; i++)
        free(ledger->logs[i]);
    free(ledger->logs);
    free(ledger->shards);
    free(ledger->clicks);
    free(ledger->invoices);
    free(atomic_load(&ledger->new_invoices));
    fold_free(ledger->fold);
    batch_free(ledger->batch);
    people_sent_free(ledger->people_sent);
    people_free(ledger->people);
    compact_free(ledger->compact);
    merge_free(ledger->merge);
    invoices_free(ledger->adder);
    relabel_free(ledger->relabel);
}
