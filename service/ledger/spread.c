#include "service/ledger/spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "proto/cells.h"
#include "proto/lone.h"
#include "proto/series.h"
#include "service/base/background.h"
#include "service/base/log.h"
#include "service/ledger/batch.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/pack.h"
#include "service/redis/redis_link.h"
#include "spread_lua.h"

enum {
    DAYS = 32, /* 1…31 */
    DAY_S = 86400,
    BUSY_DAY = 256,    /* clicks; of fewer the series would take more memory than they do */
    MOVED_MAX = 32768, /* at a time; more follow when as many have come again */
    WORTH_LEN = 256,   /* as SERIES_LEN_MIN of compact.c */
    CHUNK_MAX = 65520, /* bytes of records under one key; what a 16-bit length holds */
    HEAD_LEN = 8,      /* of a text, and its time to live */
    FIRST_SERIES = 3,  /* keys before those of series */
    ARGC_HEAD = 3,     /* EVAL, script, number of keys */
    ARGC_TAIL = 6,
};

/* Lone clicks that are moved, and the series that they become. */
struct spread {
    const struct ledger *ledger;
    const struct counter_series *of;
    int64_t month_s;
    struct lone *moved; /* by day, then hour */
    size_t n_moved;
    uint8_t *records; /* of one key, before they are summed up */
    uint8_t *sums;    /* and after it */
    uint64_t *work;   /* of series_compact() */
    struct pack series, cells;
    struct counter_key *keys;
    size_t n_keys, keys_max;
};

static void spread_clear(struct spread *spread)
{
    free(spread->moved);
    free(spread->records);
    free(spread->sums);
    free(spread->work);
    free(spread->series.bytes);
    free(spread->cells.bytes);
    free(spread->keys);
}

/* False: out of memory. */
static bool spread_init(struct spread *spread, size_t n_moved)
{
    size_t points = n_moved * COUNTER_DIMS, bytes = points * SERIES_RECORD_LEN;
    size_t cell_bytes = n_moved * CELLS_RECORD_LEN;

    /* A key per dimension of hours and days of each day, and of the month, one of cells of each
     * day; and long ones twice. */
    spread->keys_max = FIRST_SERIES + (2 * DAYS + 1) * COUNTER_DIMS + DAYS +
                       3 * (bytes / CHUNK_MAX + 1) + cell_bytes / CHUNK_MAX;
    spread->series.size = PACK_HEAD_LEN + 3 * bytes + spread->keys_max * HEAD_LEN + CHUNK_MAX;
    spread->moved = malloc((n_moved + 1) * sizeof(*spread->moved));
    spread->records = malloc(bytes + 1);
    spread->sums = malloc(bytes + SERIES_RECORD_LEN);
    spread->work = malloc(2 * points * sizeof(*spread->work) + 1);
    spread->series.bytes = malloc(spread->series.size);
    spread->cells.size = PACK_HEAD_LEN + cell_bytes + (spread->keys_max + 2) * HEAD_LEN + CHUNK_MAX;
    spread->cells.bytes = malloc(spread->cells.size);
    spread->keys = malloc(spread->keys_max * sizeof(*spread->keys));
    return spread->moved && spread->records && spread->sums && spread->work &&
           spread->series.bytes && spread->cells.bytes && spread->keys;
}

/* --- which clicks are moved --- */

static size_t count_busy(struct slice records, bool is_busy[static DAYS])
{
    size_t clicks[DAYS] = {0}, rows[DAYS] = {0}, at = 0, n = 0;
    struct lone lone;

    while (lone_next(records, &at, &lone)) {
        clicks[lone.day] += (size_t)abs(lone.count);
        rows[lone.day]++;
    }
    for (unsigned day = 0; day < DAYS; day++) {
        /* Whoever looks for a click looks from day 1 on. */
        is_busy[day] = day > 0 && clicks[day] >= BUSY_DAY;
        n += is_busy[day] ? rows[day] : 0;
    }
    return n < MOVED_MAX ? n : MOVED_MAX;
}

/* Takes clicks of busy days out of the records; returns the length of what is left. */
static size_t take_busy(struct spread *spread, const bool is_busy[static DAYS], size_t n_max,
                        uint8_t *records, size_t len)
{
    size_t at = 0, left = 0;
    struct lone lone;

    while (lone_next(slice_make((const char *)records, len), &at, &lone)) {
        if (is_busy[lone.day] && spread->n_moved < n_max) {
            spread->moved[spread->n_moved++] = lone;
        } else {
            memmove(records + left, records + at - LONE_LEN, LONE_LEN);
            left += LONE_LEN;
        }
    }
    return left;
}

/* --- what they become --- */

/* Packs `len` bytes of spread->records, summed up, for a key. */
static void pack_key(struct spread *spread, const struct counter_series *series, int64_t time_s,
                     size_t len)
{
    size_t end =
        series_compact(slice_make((const char *)spread->records, len), spread->work, spread->sums);

    /* Behind the head, which is only right at the beginning of a series. */
    for (size_t at = SERIES_RECORD_LEN, n; at < end; at += n) {
        uint8_t *out = pack_open(&spread->series, CHUNK_MAX);

        n = end - at < CHUNK_MAX ? end - at : CHUNK_MAX;
        memcpy(out, spread->sums + at, n);
        pack_close(&spread->series, n);
        pack_number(&spread->series,
                    (uint32_t)batch_retention_s(spread->ledger->batch, series->interval));
        counter_key_series(&spread->keys[spread->n_keys++], series, time_s,
                           spread->ledger->options.n_shards);
    }
}

/* What some of the clicks count in a dimension, as records from `len` on; returns where they end.
 */
static size_t put_dim(struct spread *spread, const struct counter_series *series, size_t first,
                      size_t end, enum counter_dim dim, size_t len)
{
    for (size_t i = first; i < end; i++) {
        struct series_point point;

        if (lone_point(&spread->moved[i], series->interval, dim, &point)) {
            series_put(spread->records + len, &point);
            len += SERIES_RECORD_LEN;
        }
    }
    return len;
}

/* Those clicks, in all keys of the interval that hold `time_s`. */
static void put_keys(struct spread *spread, enum counter_interval interval, int64_t time_s,
                     size_t first, size_t end)
{
    struct counter_series series = *spread->of;
    bool all = series.campaign == COUNTER_ALL_CAMPAIGNS;
    size_t len = 0;

    series.interval = interval;
    for (int dim = 0; dim < COUNTER_DIMS; dim++) {
        series.dim = (enum counter_dim)dim;
        if (dim == COUNTER_DIM_CAMPAIGN && !all)
            continue;
        len = put_dim(spread, &series, first, end, series.dim, len);
        if (!all) /* it has all dimensions under one key */
            continue;
        pack_key(spread, &series, time_s, len);
        len = 0;
    }
    if (!all)
        pack_key(spread, &series, time_s, len);
}

/* Cells of the day of some of the clicks: each was in none while it was a lone click. */
static void put_cells(struct spread *spread, int64_t day_s, size_t first, size_t end)
{
    const struct counter_cells of = {spread->of->brand, (uint16_t)spread->of->campaign};

    while (first < end) {
        uint8_t *out = pack_open(&spread->cells, CHUNK_MAX);
        size_t len = 0;

        for (; first < end && len + CELLS_RECORD_LEN <= CHUNK_MAX; len += CELLS_RECORD_LEN)
            cells_put(out + len, cells_of_lone(&spread->moved[first++]));
        pack_close(&spread->cells, len);
        counter_key_cells(&spread->keys[spread->n_keys++], &of, day_s,
                          spread->ledger->options.n_shards);
    }
}

static int64_t day_of(const struct spread *spread, size_t moved)
{
    return spread->month_s + (int64_t)(spread->moved[moved].day - 1) * DAY_S;
}

/* The end of the clicks that are of the same day as the first. */
static size_t end_of_day(const struct spread *spread, size_t first)
{
    size_t end = first + 1;

    while (end < spread->n_moved && spread->moved[end].day == spread->moved[first].day)
        end++;
    return end;
}

static void put_series(struct spread *spread)
{
    bool all = spread->of->campaign == COUNTER_ALL_CAMPAIGNS;

    for (size_t first = 0, end; first < spread->n_moved; first = end) {
        end = end_of_day(spread, first);
        put_keys(spread, COUNTER_HOURS, day_of(spread, first), first, end);
        if (all)
            put_keys(spread, COUNTER_DAYS, day_of(spread, first), first, end);
    }
    put_keys(spread, all ? COUNTER_MONTHS : COUNTER_DAYS, spread->month_s, 0, spread->n_moved);
}

/* Behind the series, as their keys are. */
static void put_all_cells(struct spread *spread)
{
    const struct ledger_options *options = &spread->ledger->options;

    pack_number(&spread->cells, options->cells_len_max);
    pack_number(&spread->cells, (uint32_t)options->retention_cells_s);
    if (options->retention_cells_s == 0 || spread->of->campaign == COUNTER_ALL_CAMPAIGNS)
        return;
    for (size_t first = 0, end; first < spread->n_moved; first = end) {
        end = end_of_day(spread, first);
        put_cells(spread, day_of(spread, first), first, end);
    }
}

/* --- the command --- */

static bool send(struct spread *spread, const struct ledger_ticket *ticket, struct slice old,
                 struct slice left)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    char sha[2 * SHA_DIGEST_LENGTH + 1], len[24], n_keys[24], n_shards[24];
    size_t argc = ARGC_HEAD + spread->n_keys + ARGC_TAIL;
    struct slice *argv = malloc(argc * sizeof(*argv)), *tail = argv + ARGC_HEAD + spread->n_keys;
    bool sent;

    if (!argv)
        return false;
    SHA1((const uint8_t *)old.ptr, old.len, digest);
    sodium_bin2hex(sha, sizeof(sha), digest, sizeof(digest));
    snprintf(len, sizeof(len), "%zu", old.len);
    snprintf(n_keys, sizeof(n_keys), "%zu", spread->n_keys);
    snprintf(n_shards, sizeof(n_shards), "%u", spread->ledger->options.n_shards);
    argv[0] = slice_of("EVAL");
    argv[1] = slice_make(spread_lua, sizeof(spread_lua));
    argv[2] = slice_of(n_keys);
    for (size_t i = 0; i < spread->n_keys; i++)
        argv[ARGC_HEAD + i] = counter_key_slice(&spread->keys[i]);
    tail[0] = slice_of(sha);
    tail[1] = slice_of(len);
    tail[2] = left;
    tail[3] = slice_of(n_shards);
    tail[4] = pack_end(&spread->series);
    tail[5] = pack_end(&spread->cells);
    sent = redis_link_send(spread->ledger->link,
                           &(struct redis_command){.key = argv[ARGC_HEAD],
                                                   .argv = argv,
                                                   .argc = argc,
                                                   .ticket = ledger_ticket_pack(ticket)});
    free(argv);
    return sent;
}

bool spread_send(struct ledger *ledger, const struct ledger_ticket *ticket, struct slice key,
                 const struct counter_series *of, int64_t month_s, struct slice old)
{
    struct spread spread = {.ledger = ledger, .of = of, .month_s = month_s};
    size_t head_len = lone_head_len(old), len = old.len - head_len, n_busy;
    uint8_t *left = malloc(LONE_LEN + len + 1), *records = left + LONE_LEN;
    bool is_busy[DAYS], sent = false;

    if (!left)
        return false;
    memcpy(records, old.ptr + head_len, len);
    len = lone_sum_up(records, len / LONE_LEN) * LONE_LEN;
    n_busy = count_busy(slice_make((const char *)records, len), is_busy);
    if (spread_init(&spread, n_busy)) {
        len = LONE_LEN + take_busy(&spread, is_busy, n_busy, records, len);
        lone_put_head(left, len);
        memcpy(spread.keys[0].text, key.ptr, key.len);
        spread.keys[0].len = key.len;
        counter_key_rejected(&spread.keys[1], ticket->shard);
        counter_key_shards(&spread.keys[2], ticket->shard);
        spread.n_keys = FIRST_SERIES;
        pack_begin(&spread.series);
        pack_begin(&spread.cells);
        put_series(&spread);
        put_all_cells(&spread);
        background_yield();
        /* A string that has grown by APPEND takes up to twice the memory of one that was SET. */
        if (len < old.len || old.len >= WORTH_LEN)
            sent = send(&spread, ticket, old, slice_make((const char *)left, len));
    }
    spread_clear(&spread);
    free(left);
    return sent;
}

const struct redisReply *spread_take_answer(struct ledger *ledger, unsigned shard,
                                            const struct redisReply *answer)
{
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 4 ||
        answer->element[1]->type != REDIS_REPLY_INTEGER ||
        answer->element[2]->type != REDIS_REPLY_STRING ||
        answer->element[3]->type != REDIS_REPLY_ARRAY)
        return NULL;
    if (answer->element[1]->integer > 0) {
        char quoted[LOG_QUOTE_MAX];

        ledger->now.rejected += (uint64_t)answer->element[1]->integer;
        log_error("ledger.set_aside", "shard=%u n=%lld err=%s", shard, answer->element[1]->integer,
                  log_quote(quoted, answer->element[2]->str));
    }
    return answer->element[3];
}
