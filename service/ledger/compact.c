#include "service/ledger/compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "compact_lua.h"
#include "proto/cells.h"
#include "proto/counter.h"
#include "proto/funnel.h"
#include "proto/lone.h"
#include "proto/series.h"
#include "proto/state.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/spread.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

enum {
    LEN_MAX = 48 << 20, /* a longer one doesn't fit into an answer */
    TAIL_MIN = 4096, /* a key is looked at after it has grown by so many bytes; as in batch.lua */
    RETRY_MS = 1000,

    TABLE_LEN_MIN = 8192, /* a shorter table isn't worth a look */
    TABLES_BUSY_MAX =
        16, /* tables of states under way: their commands and answers travel together */
    TABLES_LEN_MAX = 1 << 20, /* bytes of tables under way, unless it is one table */

    SERIES_QUEUE_MAX = 2048,
    SERIES_SMALL_MAX =
        1024,             /* of campaigns' days that are over: they come together, and are small */
    SERIES_BUSY_MAX = 16, /* series under way: each waits for a batch or two */
    SERIES_LEN_MIN = 256, /* a shorter one is written only if that makes it shorter */
};

struct table_state {
    uint32_t len;     /* as of the last note */
    uint32_t look_at; /* the length from which on it is looked at again */
    bool is_busy;     /* queued or under way */
};

struct tables {
    struct table_state states[COUNTER_BUCKETS];
    uint16_t queue[COUNTER_BUCKETS]; /* a ring */
    unsigned first, n_queued;
    unsigned n_busy;
    size_t busy_len;
    int64_t retry_ms;
};

/* What is summed up: time series, cells, sums of invoices; and lone clicks, by spread.c. */
struct summing {
    bool (*is_sound)(struct slice old);
    size_t (*base_len)(struct slice old);
    size_t (*compact)(struct slice old, uint64_t *work, uint8_t *out);
    size_t (*room)(struct slice old); /* that `out` needs */
    unsigned record_len;              /* `work` has two numbers for each */
};

/* A series to be compacted. */
struct job {
    struct counter_key key;
    unsigned shard;
    const struct summing *summing;
    bool is_over; /* its day or month is over: no more records are expected */
    bool is_busy; /* a command is under way */
};

struct series_jobs {
    struct job queue[SERIES_QUEUE_MAX]; /* a ring */
    unsigned first, n_queued;
    struct job busy[SERIES_BUSY_MAX];
    int64_t retry_ms;
};

struct compact {
    struct tables tables;
    struct series_jobs series;
};

static size_t room_for_head(struct slice old)
{
    return old.len + SERIES_RECORD_LEN;
}

static size_t compact_funnel(struct slice old, uint64_t *work, uint8_t *out)
{
    (void)work;
    return funnel_compact(old, out);
}

static const struct summing of_series = {series_is_sound, series_base_len, series_compact,
                                         room_for_head, SERIES_RECORD_LEN};
static const struct summing of_cells = {cells_are_sound, cells_base_len, cells_compact,
                                        room_for_head, CELLS_RECORD_LEN};
static const struct summing of_lone = {.is_sound = lone_is_sound, .base_len = series_base_len};
static const struct summing of_invoices = {funnel_is_sound, funnel_base_len, compact_funnel,
                                           funnel_compact_room, FUNNEL_CELL_LEN};

static bool is_lone(const struct job *job)
{
    return job->summing == &of_lone;
}

struct compact *compact_new(void)
{
    struct compact *compact = calloc(1, sizeof(*compact));

    for (size_t i = 0; compact && i < COUNTER_BUCKETS; i++)
        compact->tables.states[i].look_at = TABLE_LEN_MIN;
    return compact;
}

void compact_free(struct compact *compact)
{
    free(compact);
}

static bool send_read(struct ledger *ledger, const struct ledger_ticket *ticket, struct slice key)
{
    struct slice argv[2] = {slice_of("GET"), key};

    return trust_is_ready(ledger, ticket->shard) &&
           redis_link_send(
               ledger->link,
               &(struct redis_command){
                   .key = key, .argv = argv, .argc = 2, .ticket = ledger_ticket_pack(ticket)});
}

/* Replaces the part of the key that was read, `old`, if it is still the same. */
static bool send_compacted(struct ledger *ledger, const struct ledger_ticket *ticket,
                           struct slice key, struct slice old, struct slice compacted)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    char sha[2 * SHA_DIGEST_LENGTH + 1], len[24];
    struct slice argv[7] = {slice_of("EVAL"), slice_make(compact_lua, sizeof(compact_lua)),
                            slice_of("1"), key};

    SHA1((const uint8_t *)old.ptr, old.len, digest);
    sodium_bin2hex(sha, sizeof(sha), digest, sizeof(digest));
    snprintf(len, sizeof(len), "%zu", old.len);
    argv[4] = slice_of(sha);
    argv[5] = slice_of(len);
    argv[6] = compacted;
    return redis_link_send(
        ledger->link,
        &(struct redis_command){
            .key = key, .argv = argv, .argc = 7, .ticket = ledger_ticket_pack(ticket)});
}

/* --- tables of states --- */

static void note_table(struct ledger *ledger, const struct redisReply *key,
                       const struct redisReply *len)
{
    struct tables *tables = &ledger->compact->tables;
    struct table_state *state;
    enum counter_table table;
    unsigned bucket;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_table_parse(slice_make(key->str, key->len), &table, &bucket) ||
        table != COUNTER_STATES)
        return;
    state = &tables->states[bucket];
    if (len->integer < state->look_at || len->integer > LEN_MAX || state->is_busy)
        return;
    state->is_busy = true;
    state->len = (uint32_t)len->integer;
    tables->queue[(tables->first + tables->n_queued++) % COUNTER_BUCKETS] = (uint16_t)bucket;
}

static void serve_tables(struct ledger *ledger)
{
    struct tables *tables = &ledger->compact->tables;

    while (tables->n_queued > 0 && tables->n_busy < TABLES_BUSY_MAX &&
           ledger->now_ms >= tables->retry_ms) {
        unsigned bucket = tables->queue[tables->first];
        struct ledger_ticket ticket = {.what = LEDGER_TABLE_READ, .count = bucket};
        size_t len = tables->states[bucket].len;
        struct counter_key key;

        if (tables->n_busy > 0 && tables->busy_len + len > TABLES_LEN_MAX)
            break;
        ticket.shard = counter_shard_of_bucket(bucket, ledger->options.n_shards);
        counter_key_table(&key, COUNTER_STATES, bucket, ledger->options.n_shards);
        if (!send_read(ledger, &ticket, counter_key_slice(&key))) {
            tables->retry_ms = ledger->now_ms + RETRY_MS;
            break;
        }
        tables->first = (tables->first + 1) % COUNTER_BUCKETS;
        tables->n_queued--;
        tables->n_busy++;
        tables->busy_len += len;
    }
}

/* Looks at the table again when it has twice that length. */
static void look_again_at(struct tables *tables, unsigned bucket, size_t len)
{
    size_t next = 2 * len + TAIL_MIN;

    tables->states[bucket].look_at = next < TABLE_LEN_MIN ? TABLE_LEN_MIN : (uint32_t)next;
}

/* Sends the table back without what has expired, or was said again; false: it would get hardly
 * shorter, and nothing was sent. */
static bool compact_table(struct ledger *ledger, unsigned bucket, struct slice old)
{
    unsigned n_shards = ledger->options.n_shards;
    struct ledger_ticket ticket = {.what = LEDGER_TABLE_WRITE,
                                   .shard = counter_shard_of_bucket(bucket, n_shards),
                                   .count = bucket};
    uint8_t *table = malloc(old.len);
    struct counter_key key;
    bool sent = false;
    size_t len;

    look_again_at(&ledger->compact->tables, bucket, old.len);
    if (!table)
        return false;
    memcpy(table, old.ptr, old.len);
    len =
        state_compact(table, old.len, clock_wall_ms() - ledger->options.retention_states_s * 1000);
    if (len < old.len - old.len / 4) {
        counter_key_table(&key, COUNTER_STATES, bucket, n_shards);
        sent = send_compacted(ledger, &ticket, counter_key_slice(&key), old,
                              slice_make((const char *)table, len));
        if (sent)
            look_again_at(&ledger->compact->tables, bucket, len);
    }
    free(table);
    return sent;
}

/* False: nothing is to be written. */
static bool on_table_read(struct ledger *ledger, unsigned bucket, struct slice old)
{
    struct counter_key key;

    if (state_is_sound(old))
        return compact_table(ledger, bucket, old);
    counter_key_table(&key, COUNTER_STATES, bucket, ledger->options.n_shards);
    log_error("ledger.table", "key=%s err=\"holds what is not ours; states may not be found\"",
              key.text);
    look_again_at(&ledger->compact->tables, bucket, LEN_MAX);
    return false;
}

void compact_on_table(struct ledger *ledger, const struct ledger_ticket *ticket,
                      const struct redisReply *answer)
{
    struct tables *tables = &ledger->compact->tables;
    unsigned n = ticket->count;

    background_yield();
    if (ticket->what == LEDGER_TABLE_READ && answer && answer->type == REDIS_REPLY_STRING) {
        if (on_table_read(ledger, n, slice_make(answer->str, answer->len)))
            return; /* the answer to the write ends it */
    } else if (ticket->what == LEDGER_TABLE_READ || !answer ||
               answer->type != REDIS_REPLY_INTEGER) {
        /* An error, or the connection was lost.  The table is looked at again when it has grown. */
        look_again_at(tables, n, TABLE_LEN_MIN);
    }
    tables->states[n].is_busy = false;
    tables->n_busy--;
    tables->busy_len -= tables->states[n].len;
}

/* --- series --- */

static bool is_queued(const struct series_jobs *series_jobs, const struct job *job)
{
    for (unsigned i = 0; i < series_jobs->n_queued; i++) {
        const struct job *other = &series_jobs->queue[(series_jobs->first + i) % SERIES_QUEUE_MAX];

        if (slice_equal(counter_key_slice(&other->key), counter_key_slice(&job->key)))
            return true;
    }
    return false;
}

static void note_series(struct ledger *ledger, const struct redisReply *key,
                        const struct redisReply *len)
{
    struct series_jobs *series_jobs = &ledger->compact->series;
    struct counter_series series;
    struct job job = {.summing = &of_series};
    int64_t period_s;
    bool is_small;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_series_parse(slice_make(key->str, key->len), &series, &job.shard, &period_s) ||
        job.shard >= ledger->options.n_shards || series_jobs->n_queued == SERIES_QUEUE_MAX ||
        len->integer > LEN_MAX)
        return;
    /* When a series begins, the one of the period before is over. */
    job.is_over = len->integer == 0;
    if (series.interval == COUNTER_ALONE)
        job.summing = &of_lone;
    is_small = job.is_over && (series.campaign != COUNTER_ALL_CAMPAIGNS || is_lone(&job));
    if (is_small && series_jobs->n_queued >= SERIES_SMALL_MAX)
        return;
    counter_key_series(&job.key, &series, job.is_over ? period_s - 1 : period_s,
                       ledger->options.n_shards);
    if (job.is_over || !is_queued(series_jobs, &job))
        series_jobs->queue[(series_jobs->first + series_jobs->n_queued++) % SERIES_QUEUE_MAX] = job;
}

/* The same of cells of a campaign's day. */
static void note_cells(struct ledger *ledger, const struct redisReply *key,
                       const struct redisReply *len)
{
    struct series_jobs *series_jobs = &ledger->compact->series;
    struct counter_cells cells;
    struct job job = {.summing = &of_cells};
    int64_t day_s;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_cells_parse(slice_make(key->str, key->len), &cells, &job.shard, &day_s) ||
        job.shard >= ledger->options.n_shards || series_jobs->n_queued == SERIES_QUEUE_MAX ||
        len->integer > LEN_MAX)
        return;
    job.is_over = len->integer == 0;
    if (job.is_over && series_jobs->n_queued >= SERIES_SMALL_MAX)
        return;
    counter_key_cells(&job.key, &cells, job.is_over ? day_s - 1 : day_s, ledger->options.n_shards);
    if (job.is_over || !is_queued(series_jobs, &job))
        series_jobs->queue[(series_jobs->first + series_jobs->n_queued++) % SERIES_QUEUE_MAX] = job;
}

/* The same of sums of invoices, which are looked at when they have grown only. */
static void note_funnel(struct ledger *ledger, const struct redisReply *key,
                        const struct redisReply *len)
{
    struct series_jobs *series_jobs = &ledger->compact->series;
    struct job job = {.summing = &of_invoices};

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_funnel_parse(slice_make(key->str, key->len), &job.shard) ||
        key->len >= COUNTER_KEY_MAX || job.shard >= ledger->options.n_shards ||
        series_jobs->n_queued == SERIES_QUEUE_MAX || len->integer > LEN_MAX)
        return;
    memcpy(job.key.text, key->str, key->len);
    job.key.len = key->len;
    if (!is_queued(series_jobs, &job))
        series_jobs->queue[(series_jobs->first + series_jobs->n_queued++) % SERIES_QUEUE_MAX] = job;
}

static void read_series(struct ledger *ledger, unsigned slot)
{
    struct series_jobs *series_jobs = &ledger->compact->series;
    struct job *job = &series_jobs->busy[slot];
    struct ledger_ticket ticket = {.what = LEDGER_SERIES_READ, .log = slot};

    *job = series_jobs->queue[series_jobs->first];
    ticket.shard = job->shard;
    if (!send_read(ledger, &ticket, counter_key_slice(&job->key))) {
        series_jobs->retry_ms = ledger->now_ms + RETRY_MS;
        return;
    }
    job->is_busy = true;
    series_jobs->first = (series_jobs->first + 1) % SERIES_QUEUE_MAX;
    series_jobs->n_queued--;
}

static bool compact_lone(struct ledger *ledger, const struct ledger_ticket *read, struct slice old)
{
    const struct job *job = &ledger->compact->series.busy[read->log];
    struct ledger_ticket ticket = {LEDGER_SERIES_WRITE, job->shard, read->log, 0};
    struct slice key = counter_key_slice(&job->key);
    struct counter_series of;
    int64_t month_s;

    return counter_series_parse(key, &of, &ticket.shard, &month_s) &&
           spread_send(ledger, &ticket, key, &of, month_s, old);
}

/* Compacts what was read and sends it back; false: the series stays as it is. */
static bool compact_series(struct ledger *ledger, const struct ledger_ticket *read,
                           struct slice old)
{
    const struct job *job = &ledger->compact->series.busy[read->log];
    struct ledger_ticket ticket = {LEDGER_SERIES_WRITE, job->shard, read->log, 0};
    size_t n = old.len / job->summing->record_len, len;
    uint64_t *work = malloc(2 * n * sizeof(*work) + job->summing->room(old));
    uint8_t *out = (uint8_t *)(work + 2 * n);
    bool sent = false;

    if (!work)
        return false;
    len = job->summing->compact(old, work, out);
    /* Redis reserves up to twice the length of a string that grew by APPEND, and the exact length
     * of one written by SET.  So a long series is written even if it got no shorter. */
    if (len < old.len || old.len >= SERIES_LEN_MIN)
        sent = send_compacted(ledger, &ticket, counter_key_slice(&job->key), old,
                              slice_make((const char *)out, len));
    free(work);
    return sent;
}

static bool is_worth_it(const struct job *job, struct slice series)
{
    size_t base_len = job->summing->base_len(series);

    if (series.len > LEN_MAX || series.len == base_len)
        return false;
    /* Another process may have compacted it. */
    return job->is_over || series.len >= 2 * base_len + TAIL_MIN;
}

void compact_on_series(struct ledger *ledger, const struct ledger_ticket *ticket,
                       const struct redisReply *answer)
{
    struct job *job = &ledger->compact->series.busy[ticket->log % SERIES_BUSY_MAX];
    struct slice series;

    job->is_busy = false;
    if (ticket->what == LEDGER_SERIES_WRITE && is_lone(job) && answer) {
        const struct redisReply *grown = spread_take_answer(ledger, ticket->shard, answer);

        if (grown)
            compact_note(ledger, grown); /* series to which lone clicks were moved */
    }
    /* An error, no such key, or the connection was lost: the series stays as it is. */
    if (ticket->what != LEDGER_SERIES_READ || !answer || answer->type != REDIS_REPLY_STRING)
        return;
    series = slice_make(answer->str, answer->len);
    if (!is_worth_it(job, series))
        return;
    if (!job->summing->is_sound(series)) {
        log_error("ledger.series",
                  "key=%s err=\"holds what is not ours; counts in it may not be found\"",
                  job->key.text);
        return;
    }
    job->is_busy = is_lone(job) ? compact_lone(ledger, ticket, series)
                                : compact_series(ledger, ticket, series);
}

/* --- both --- */

void compact_note(struct ledger *ledger, const struct redisReply *grown)
{
    for (size_t i = 0; i + 1 < grown->elements; i += 2) {
        note_table(ledger, grown->element[i], grown->element[i + 1]);
        note_series(ledger, grown->element[i], grown->element[i + 1]);
        note_cells(ledger, grown->element[i], grown->element[i + 1]);
        note_funnel(ledger, grown->element[i], grown->element[i + 1]);
    }
}

void compact_serve(struct ledger *ledger)
{
    struct series_jobs *series_jobs = &ledger->compact->series;

    serve_tables(ledger);
    for (unsigned i = 0; i < SERIES_BUSY_MAX && series_jobs->n_queued > 0 &&
                         ledger->now_ms >= series_jobs->retry_ms;
         i++) {
        if (!series_jobs->busy[i].is_busy)
            read_series(ledger, i);
    }
}
