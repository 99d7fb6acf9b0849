#include "service/ledger/tidy_series.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "proto/series.h"
#include "service/base/log.h"
#include "service/ledger/ledger_private.h"
#include "service/ledger/tidy.h"

enum {
    QUEUE_MAX = 2048,
    SMALL_MAX = 1024, /* days of campaigns that are over: they come all at once, and are small */
    JOBS_MAX = 16,    /* under way at once: each waits for a batch or two */
    LEN_MIN = 256,    /* what is shorter is only written to be shorter still */
    LEN_MAX = 48 << 20,
    TAIL_MIN = 4096, /* grown by at least so much since the last time; as in batch.lua */
    RETRY_MS = 1000,
};

/* A series to be summed up. */
struct job {
    struct counter_key key;
    unsigned shard;
    bool is_over; /* its time is: nothing more is to be expected */
    bool is_busy; /* a command is under way */
};

struct tidy_series {
    struct job queue[QUEUE_MAX];
    unsigned first, n_queued;
    struct job jobs[JOBS_MAX];
    int64_t retry_ms;
};

struct tidy_series *tidy_series_new(void)
{
    return calloc(1, sizeof(struct tidy_series));
}

void tidy_series_free(struct tidy_series *tidy)
{
    free(tidy);
}

static bool is_queued(const struct tidy_series *tidy, const struct job *job)
{
    for (unsigned i = 0; i < tidy->n_queued; i++) {
        const struct job *other = &tidy->queue[(tidy->first + i) % QUEUE_MAX];

        if (slice_equal(counter_key_slice(&other->key), counter_key_slice(&job->key)))
            return true;
    }
    return false;
}

void tidy_series_note(struct ledger *ledger, const struct redisReply *key,
                      const struct redisReply *len)
{
    struct tidy_series *tidy = ledger->tidy_series;
    struct counter_series series;
    struct job job = {.is_busy = false};
    int64_t period_s;
    bool is_small;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_series_parse(slice_make(key->str, key->len), &series, &job.shard, &period_s) ||
        job.shard >= ledger->options.n_shards || tidy->n_queued == QUEUE_MAX ||
        len->integer > LEN_MAX)
        return;
    /* Where one begins, the one before it is over. */
    job.is_over = len->integer == 0;
    is_small = job.is_over && series.campaign != COUNTER_ALL_CAMPAIGNS;
    if (is_small && tidy->n_queued >= SMALL_MAX)
        return;
    counter_key_series(&job.key, &series, job.is_over ? period_s - 1 : period_s,
                       ledger->options.n_shards);
    if (job.is_over || !is_queued(tidy, &job))
        tidy->queue[(tidy->first + tidy->n_queued++) % QUEUE_MAX] = job;
}

static void start(struct ledger *ledger, unsigned slot, int64_t now_ms)
{
    struct tidy_series *tidy = ledger->tidy_series;
    struct job *job = &tidy->jobs[slot];
    struct ledger_ticket ticket = {.what = LEDGER_SERIES_READ, .log = slot};

    *job = tidy->queue[tidy->first];
    ticket.shard = job->shard;
    if (!tidy_send_read(ledger, &ticket, counter_key_slice(&job->key))) {
        tidy->retry_ms = now_ms + RETRY_MS;
        return;
    }
    job->is_busy = true;
    tidy->first = (tidy->first + 1) % QUEUE_MAX;
    tidy->n_queued--;
}

void tidy_series_serve(struct ledger *ledger, int64_t now_ms)
{
    struct tidy_series *tidy = ledger->tidy_series;

    for (unsigned i = 0; i < JOBS_MAX && tidy->n_queued > 0 && now_ms >= tidy->retry_ms; i++) {
        if (!tidy->jobs[i].is_busy)
            start(ledger, i, now_ms);
    }
}

/* Sums up what was read and sends it back; false: it stays as it is. */
static bool send_compacted(struct ledger *ledger, const struct ledger_ticket *read,
                           struct slice old)
{
    const struct job *job = &ledger->tidy_series->jobs[read->log];
    struct ledger_ticket ticket = {LEDGER_SERIES_WRITE, job->shard, read->log, 0};
    size_t n = old.len / SERIES_RECORD_LEN, len;
    uint64_t *work = malloc(2 * n * sizeof(*work) + old.len + SERIES_RECORD_LEN);
    uint8_t *out = (uint8_t *)(work + 2 * n);
    bool sent = false;

    if (!work)
        return false;
    len = series_compact(old, work, out);
    /* A string that was appended to may take twice its length; one that is set does not. */
    if (len < old.len || old.len >= LEN_MIN)
        sent = tidy_send_compacted(ledger, &ticket, counter_key_slice(&job->key), old,
                                   slice_make((const char *)out, len));
    free(work);
    return sent;
}

static bool is_worth_it(const struct job *job, struct slice series)
{
    size_t base_len = series_base_len(series);

    if (series.len > LEN_MAX || series.len == base_len)
        return false;
    /* Another process may have been first. */
    return job->is_over || series.len >= 2 * base_len + TAIL_MIN;
}

void tidy_series_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                          const struct redisReply *reply)
{
    struct job *job = &ledger->tidy_series->jobs[ticket->log % JOBS_MAX];
    struct slice series;

    job->is_busy = false;
    /* An error, nothing there, or the connection is lost: no matter. */
    if (ticket->what != LEDGER_SERIES_READ || !reply || reply->type != REDIS_REPLY_STRING)
        return;
    series = slice_make(reply->str, reply->len);
    if (!is_worth_it(job, series))
        return;
    if (!series_is_sound(series)) {
        log_error("ledger.series",
                  "key=%s err=\"holds what is not ours; counts in it may not be found\"",
                  job->key.text);
        return;
    }
    job->is_busy = send_compacted(ledger, ticket, series);
}
