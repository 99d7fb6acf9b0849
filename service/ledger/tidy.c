#include "service/ledger/tidy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "compact_lua.h"
#include "proto/counter.h"
#include "proto/table.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_link.h"

enum {
    N_TABLES = COUNTER_TABLES * COUNTER_BUCKETS,
    LEN_MIN = 8192,        /* a shorter table isn't worth a look */
    LEN_MAX = 48 << 20,    /* nor one that a reply can't hold */
    TAIL_MIN = 4096,       /* grown by at least so much since the last time */
    AT_ONCE = 16,          /* tables under way: their commands and replies travel together */
    AT_ONCE_LEN = 1 << 20, /* bytes under way, unless it is one table */
    RETRY_MS = 1000,
};

struct table_state {
    uint32_t len;     /* as of the last note */
    uint32_t look_at; /* the length from which on it is looked at again */
    bool is_busy;     /* queued or under way */
};

struct tidy {
    struct table_state tables[N_TABLES];
    uint16_t queue[N_TABLES]; /* a ring */
    unsigned first, n_queued;
    unsigned n_running;
    size_t running_len;
    int64_t retry_ms;
};

struct tidy *tidy_new(void)
{
    struct tidy *tidy = calloc(1, sizeof(*tidy));

    for (size_t i = 0; tidy && i < N_TABLES; i++)
        tidy->tables[i].look_at = LEN_MIN;
    return tidy;
}

void tidy_free(struct tidy *tidy)
{
    free(tidy);
}

void tidy_note(struct ledger *ledger, const struct redisReply *key, const struct redisReply *len)
{
    struct tidy *tidy = ledger->tidy;
    struct table_state *state;
    enum counter_table table;
    unsigned bucket, n;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_table_parse(slice_make(key->str, key->len), &table, &bucket))
        return;
    n = table * COUNTER_BUCKETS + bucket;
    state = &tidy->tables[n];
    if (len->integer < state->look_at || len->integer > LEN_MAX || state->is_busy)
        return;
    state->is_busy = true;
    state->len = (uint32_t)len->integer;
    tidy->queue[(tidy->first + tidy->n_queued++) % N_TABLES] = (uint16_t)n;
}

static unsigned make_key(const struct ledger *ledger, unsigned n, struct counter_key *key)
{
    unsigned bucket = n % COUNTER_BUCKETS;

    counter_key_table(key, (enum counter_table)(n / COUNTER_BUCKETS), bucket,
                      ledger->options.n_shards);
    return counter_shard_of_bucket(bucket, ledger->options.n_shards);
}

bool tidy_send_read(struct ledger *ledger, const struct ledger_ticket *ticket, struct slice key)
{
    struct slice argv[2] = {slice_of("GET"), key};

    return shard_is_ready(ledger, ticket->shard, clock_mono_ms()) &&
           redis_link_send(
               ledger->link,
               &(struct redis_command){
                   .key = key, .argv = argv, .argc = 2, .ticket = ledger_ticket_pack(ticket)});
}

static bool send_read(struct ledger *ledger, unsigned n)
{
    struct ledger_ticket ticket = {.what = LEDGER_TIDY_READ, .count = n};
    struct counter_key key;

    ticket.shard = make_key(ledger, n, &key);
    return tidy_send_read(ledger, &ticket, counter_key_slice(&key));
}

void tidy_serve(struct ledger *ledger, int64_t now_ms)
{
    struct tidy *tidy = ledger->tidy;

    while (tidy->n_queued > 0 && tidy->n_running < AT_ONCE && now_ms >= tidy->retry_ms) {
        unsigned n = tidy->queue[tidy->first];
        size_t len = tidy->tables[n].len;

        if (tidy->n_running > 0 && tidy->running_len + len > AT_ONCE_LEN)
            break;
        if (!send_read(ledger, n)) {
            tidy->retry_ms = now_ms + RETRY_MS;
            break;
        }
        tidy->first = (tidy->first + 1) % N_TABLES;
        tidy->n_queued--;
        tidy->n_running++;
        tidy->running_len += len;
    }
}

/* The table is looked at again at twice that length. */
static void look_again_at(struct tidy *tidy, unsigned n, size_t len)
{
    size_t next = 2 * len + TAIL_MIN;

    tidy->tables[n].look_at = next < LEN_MIN ? LEN_MIN : (uint32_t)next;
}

static void finish(struct tidy *tidy, unsigned n)
{
    tidy->tables[n].is_busy = false;
    tidy->n_running--;
    tidy->running_len -= tidy->tables[n].len;
}

bool tidy_send_compacted(struct ledger *ledger, const struct ledger_ticket *ticket,
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

static bool send_compacted(struct ledger *ledger, unsigned n, const struct redisReply *old,
                           struct slice table)
{
    struct ledger_ticket ticket = {.what = LEDGER_TIDY_WRITE, .count = n};
    struct counter_key key;

    ticket.shard = make_key(ledger, n, &key);
    return tidy_send_compacted(ledger, &ticket, counter_key_slice(&key),
                               slice_make(old->str, old->len), table);
}

/* Sums the table up; false, and nothing was sent, when that is not worth it. */
static bool compact(struct ledger *ledger, unsigned n, const struct redisReply *reply)
{
    struct slice old = slice_make(reply->str, reply->len);
    uint8_t *table = malloc(old.len + TABLE_RECORD_LEN);
    uint32_t *scratch = malloc(table_scratch_len(old.len) * sizeof(*scratch));
    bool sent = false;

    look_again_at(ledger->tidy, n, old.len);
    if (table && scratch) {
        size_t len = table_compact(old, table, scratch);

        /* Links of a single click each don't get less; then leave them alone. */
        if (len < old.len - old.len / 4 &&
            send_compacted(ledger, n, reply, slice_make((const char *)table, len))) {
            look_again_at(ledger->tidy, n, len);
            sent = true;
        }
    }
    free(table);
    free(scratch);
    return sent;
}

/* False: nothing is to be written. */
static bool on_read(struct ledger *ledger, unsigned n, const struct redisReply *reply)
{
    struct slice old = slice_make(reply->str, reply->len);
    size_t base_len = table_base_len(old);

    if (!table_is_sound(old)) {
        struct counter_key key;

        make_key(ledger, n, &key);
        log_error("ledger.table",
                  "key=%s err=\"holds what is not ours; counts in it may not be found\"", key.text);
        look_again_at(ledger->tidy, n, LEN_MAX);
        return false;
    }
    if (base_len > 0 && old.len - base_len < base_len + TAIL_MIN) { /* not long ago, by another */
        look_again_at(ledger->tidy, n, base_len);
        return false;
    }
    return compact(ledger, n, reply);
}

void tidy_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                   const struct redisReply *reply)
{
    unsigned n = ticket->count;

    background_yield();
    if (ticket->what == LEDGER_TIDY_READ && reply && reply->type == REDIS_REPLY_STRING) {
        if (on_read(ledger, n, reply))
            return; /* the answer to the write ends it */
    } else if (ticket->what == LEDGER_TIDY_READ || !reply || reply->type != REDIS_REPLY_INTEGER) {
        /* An error, or the connection is lost: no matter, it will grow on. */
        look_again_at(ledger->tidy, n, LEN_MIN);
    }
    finish(ledger->tidy, n);
}
