#include "service/ledger/tidy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>

#include "compact_lua.h"
#include "proto/counter.h"
#include "proto/table.h"
#include "service/base/log.h"
#include "service/ledger/ledger_private.h"
#include "service/redis/redis_link.h"

enum {
    N_TABLES = COUNTER_TABLES * COUNTER_BUCKETS,
    LEN_MIN = 8192,     /* a shorter table isn't worth a look */
    LEN_MAX = 48 << 20, /* nor one that a reply can't hold */
    TAIL_MIN = 4096,    /* grown by at least so much since the last time */
    RETRY_MS = 1000,
};

enum tidy_state { TIDY_IDLE, TIDY_READING, TIDY_WRITING };

struct tidy {
    uint32_t look_at[N_TABLES]; /* the length from which on a table is looked at again */
    uint16_t queue[N_TABLES];
    bool queued[N_TABLES];
    unsigned first, n_queued;
    enum tidy_state state;
    unsigned table; /* the one under way */
    size_t new_len;
    int64_t retry_ms;
};

struct tidy *tidy_new(void)
{
    struct tidy *tidy = calloc(1, sizeof(*tidy));

    for (size_t i = 0; tidy && i < N_TABLES; i++)
        tidy->look_at[i] = LEN_MIN;
    return tidy;
}

void tidy_free(struct tidy *tidy)
{
    free(tidy);
}

void tidy_note(struct ledger *ledger, const struct redisReply *key, const struct redisReply *len)
{
    struct tidy *tidy = ledger->tidy;
    enum counter_table table;
    unsigned bucket, n;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_table_parse(slice_make(key->str, key->len), &table, &bucket))
        return;
    n = table * COUNTER_BUCKETS + bucket;
    if (len->integer < tidy->look_at[n] || len->integer > LEN_MAX || tidy->queued[n])
        return;
    tidy->queued[n] = true;
    tidy->queue[(tidy->first + tidy->n_queued++) % N_TABLES] = (uint16_t)n;
}

static unsigned make_key(const struct ledger *ledger, struct counter_key *key)
{
    unsigned bucket = ledger->tidy->table % COUNTER_BUCKETS;

    counter_key_table(key, (enum counter_table)(ledger->tidy->table / COUNTER_BUCKETS), bucket,
                      ledger->options.n_shards);
    return counter_shard_of_bucket(bucket, ledger->options.n_shards);
}

void tidy_serve(struct ledger *ledger, int64_t now_ms)
{
    struct tidy *tidy = ledger->tidy;
    struct slice argv[2] = {slice_of("GET")};
    struct ledger_ticket ticket = {.what = LEDGER_TIDY_READ};
    struct counter_key key;

    if (tidy->state != TIDY_IDLE || tidy->n_queued == 0 || now_ms < tidy->retry_ms)
        return;
    tidy->table = tidy->queue[tidy->first];
    ticket.shard = make_key(ledger, &key);
    argv[1] = counter_key_slice(&key);
    if (!shard_is_ready(ledger, ticket.shard, now_ms) ||
        !redis_link_send(
            ledger->link,
            &(struct redis_command){
                .key = argv[1], .argv = argv, .argc = 2, .ticket = ledger_ticket_pack(&ticket)})) {
        tidy->retry_ms = now_ms + RETRY_MS;
        return;
    }
    tidy->state = TIDY_READING;
}

/* Done with the table under way: it is looked at again at twice that length. */
static void finish(struct tidy *tidy, size_t len)
{
    size_t next = 2 * len + TAIL_MIN;

    tidy->look_at[tidy->table] = next < LEN_MIN ? LEN_MIN : (uint32_t)next;
    tidy->queued[tidy->table] = false;
    tidy->first = (tidy->first + 1) % N_TABLES;
    tidy->n_queued--;
    tidy->state = TIDY_IDLE;
}

static bool send_compacted(struct ledger *ledger, const struct redisReply *old, struct slice table)
{
    struct ledger_ticket ticket = {.what = LEDGER_TIDY_WRITE};
    uint8_t digest[SHA_DIGEST_LENGTH];
    char sha[2 * SHA_DIGEST_LENGTH + 1], len[24];
    struct counter_key key;
    struct slice argv[7] = {slice_of("EVAL"), slice_make(compact_lua, sizeof(compact_lua)),
                            slice_of("1")};

    SHA1((const uint8_t *)old->str, old->len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(sha + 2 * i, 3, "%02x", digest[i]);
    snprintf(len, sizeof(len), "%zu", old->len);
    ticket.shard = make_key(ledger, &key);
    argv[3] = counter_key_slice(&key);
    argv[4] = slice_of(sha);
    argv[5] = slice_of(len);
    argv[6] = table;
    return redis_link_send(
        ledger->link,
        &(struct redis_command){
            .key = argv[3], .argv = argv, .argc = 7, .ticket = ledger_ticket_pack(&ticket)});
}

static void on_read(struct ledger *ledger, const struct redisReply *reply)
{
    struct tidy *tidy = ledger->tidy;
    struct slice old = slice_make(reply->str, reply->len);
    size_t base_len = table_base_len(old), len;
    uint8_t *table;
    bool sent = false;

    if (!table_is_sound(old)) {
        struct counter_key key;

        make_key(ledger, &key);
        log_error("ledger.table",
                  "key=%s err=\"holds what is not ours; counts in it may not be found\"", key.text);
        finish(tidy, LEN_MAX);
        return;
    }
    if (base_len > 0 && old.len - base_len < base_len + TAIL_MIN) { /* not long ago, by another */
        finish(tidy, base_len);
        return;
    }
    table = malloc(old.len + TABLE_RECORD_LEN);
    if (!table) {
        finish(tidy, old.len);
        return;
    }
    memcpy(table, old.ptr, old.len);
    len = table_compact(table, old.len);
    /* Links of a single click each don't get less; then leave them alone. */
    if (len < old.len - old.len / 4)
        sent = send_compacted(ledger, reply, slice_make((const char *)table, len));
    free(table);
    if (sent) {
        tidy->new_len = len;
        tidy->state = TIDY_WRITING;
    } else {
        finish(tidy, old.len);
    }
}

void tidy_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                   const struct redisReply *reply)
{
    struct tidy *tidy = ledger->tidy;

    if (ticket->what == LEDGER_TIDY_READ && reply && reply->type == REDIS_REPLY_STRING)
        on_read(ledger, reply);
    else if (ticket->what == LEDGER_TIDY_WRITE && reply && reply->type == REDIS_REPLY_INTEGER)
        finish(tidy, tidy->new_len);
    else /* an error, or the connection is lost: no matter, it will grow on */
        finish(tidy, LEN_MIN);
}
