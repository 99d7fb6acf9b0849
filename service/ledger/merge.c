#include "service/ledger/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "merge_lua.h"
#include "proto/counter.h"
#include "proto/table.h"
#include "service/base/background.h"
#include "service/base/log.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/trust.h"
#include "service/redis/redis_link.h"

/* Reads so many bytes of what was added, and the tables.  MGET costs Redis less, but reads all. */
static const char read_lua[] = "return {redis.call('GETRANGE', KEYS[1], 0, ARGV[1] - 1), "
                               "unpack(redis.call('MGET', unpack(KEYS, 2)))}";

enum {
    N_QUADS = COUNTER_TABLES * COUNTER_QUADS,
    STRINGS = COUNTER_QUAD + 1, /* what was added, and the tables */
    ADDED = 0,                  /* which of the strings; then come the tables */
    ARGC_HEAD = 3,              /* EVAL, script, number of keys */
    ARGC_NUMBER = 2,            /* the key of the number of shards, and ours */
    SHA_LEN = 2 * SHA_DIGEST_LENGTH,
    ADDED_MIN = 8192,     /* bytes added that are worth a look */
    SHARE = 4,            /* so many bytes of the tables for each that was added */
    BUSY_MAX = 8,         /* quads under way: their commands and answers travel together */
    BUSY_BYTES = 1 << 20, /* of them, unless it is one quad */
    LEN_MAX = 48 << 20,   /* of the strings that are read at once; more don't fit into an answer */
    PART_MAX = 15 << 20,  /* of what was added; with a table of LEN_MAX that fits into an answer */
    RETRY_MS = 1000,
};

struct quad {
    uint32_t look_at;   /* the length of what was added from which on it is looked at */
    uint32_t table_len; /* of the longest table that was seen; 0 = none yet */
    uint32_t added_len; /* of what was added the part that was, or is to be, read */
    uint32_t len;       /* of all that is read, while it is busy */
    uint8_t turn;       /* the table that is next, where they are read one by one */
    uint8_t n_apart;    /* so many are read one by one yet, for one of them may not be ours */
    bool has_warned;    /* of that */
    bool is_busy;       /* queued or under way */
};

struct merge {
    struct quad quads[N_QUADS];
    uint16_t queue[N_QUADS]; /* a ring */
    unsigned first, n_queued, n_busy;
    size_t busy_bytes;
    int64_t retry_ms;
};

/* What is read and written of a quad: the tables from `first` on. */
struct job {
    unsigned quad, first, n_tables, shard;
    struct counter_key keys[STRINGS];
    struct slice old[STRINGS]; /* of the answer */
    struct slice new[STRINGS]; /* what takes its place; empty: the table stays, nothing is left */
    char sha[STRINGS][SHA_LEN + 1], lens[STRINGS][24];
};

struct merge *merge_new(void)
{
    struct merge *merge = calloc(1, sizeof(*merge));

    for (size_t i = 0; merge && i < N_QUADS; i++)
        merge->quads[i].look_at = ADDED_MIN;
    return merge;
}

void merge_free(struct merge *merge)
{
    free(merge);
}

static unsigned shard_of(const struct ledger *ledger, unsigned n)
{
    return counter_shard_of_bucket(n % COUNTER_QUADS * COUNTER_QUAD, ledger->options.n_shards);
}

/* Names the strings of the job, and their shard. */
static void make_keys(const struct ledger *ledger, struct job *job)
{
    enum counter_table table = (enum counter_table)(job->quad / COUNTER_QUADS);
    unsigned quad = job->quad % COUNTER_QUADS, bucket = quad * COUNTER_QUAD + job->first;

    counter_key_added(&job->keys[ADDED], table, quad, ledger->options.n_shards);
    for (unsigned i = 0; i < job->n_tables; i++)
        counter_key_table(&job->keys[1 + i], table, bucket + i, ledger->options.n_shards);
    job->shard = shard_of(ledger, job->quad);
}

/* A ticket's `count` says which tables of which quad. */
static uint32_t job_pack(const struct job *job)
{
    return job->n_tables << 24 | job->first << 16 | job->quad;
}

static struct job job_unpack(uint32_t count)
{
    return (struct job){
        .quad = count & 0xffff, .first = count >> 16 & 0xff, .n_tables = count >> 24};
}

/* --- which --- */

/* Removes the first of the queue. */
static unsigned take_first(struct merge *merge)
{
    unsigned n = merge->queue[merge->first];

    merge->first = (merge->first + 1) % N_QUADS;
    merge->n_queued--;
    return n;
}

static void put_last(struct merge *merge, unsigned n)
{
    merge->queue[(merge->first + merge->n_queued++) % N_QUADS] = (uint16_t)n;
}

static void note(struct merge *merge, const struct redisReply *key, const struct redisReply *len)
{
    enum counter_table table;
    struct quad *quad;
    unsigned n;

    if (key->type != REDIS_REPLY_STRING || len->type != REDIS_REPLY_INTEGER ||
        !counter_added_parse(slice_make(key->str, key->len), &table, &n))
        return;
    n += table * COUNTER_QUADS;
    quad = &merge->quads[n];
    /* A longer table, of some 3 * 10^9 links in all, would no longer fit into an answer. */
    if (len->integer < quad->look_at || quad->is_busy || quad->table_len >= LEN_MAX)
        return;
    quad->is_busy = true;
    quad->added_len = len->integer < PART_MAX ? (uint32_t)len->integer : PART_MAX;
    put_last(merge, n);
}

void merge_note(struct ledger *ledger, const struct redisReply *grown)
{
    for (size_t i = 0; i + 1 < grown->elements; i += 2)
        note(ledger->merge, grown->element[i], grown->element[i + 1]);
}

/* Looks at the quad again when so much was added to its tables. */
static void look_again_at(struct quad *quad, size_t len)
{
    quad->look_at = len < ADDED_MIN ? ADDED_MIN : len < PART_MAX ? (uint32_t)len : PART_MAX;
}

/* When a part as long as that of the tables was added. */
static void look_again_later(struct quad *quad)
{
    look_again_at(quad, (size_t)quad->table_len * COUNTER_QUAD / SHARE);
}

/* --- reading --- */

/* All four tables are read, if all are ours, and are known to fit into an answer. */
static struct job choose(const struct merge *merge, unsigned n)
{
    const struct quad *quad = &merge->quads[n];
    size_t len = quad->added_len + (size_t)quad->table_len * COUNTER_QUAD;

    if (quad->table_len > 0 && len <= LEN_MAX && quad->n_apart == 0)
        return (struct job){.quad = n, .n_tables = COUNTER_QUAD};
    return (struct job){.quad = n, .first = quad->turn, .n_tables = 1};
}

static bool send_command(struct ledger *ledger, enum ledger_what what, const struct job *job,
                         const struct slice *argv, size_t argc)
{
    struct ledger_ticket ticket = {.what = what, .shard = job->shard, .count = job_pack(job)};

    return trust_is_ready(ledger, job->shard) &&
           redis_link_send(ledger->link,
                           &(struct redis_command){.key = counter_key_slice(&job->keys[ADDED]),
                                                   .argv = argv,
                                                   .argc = argc,
                                                   .ticket = ledger_ticket_pack(&ticket)});
}

static bool send_read(struct ledger *ledger, struct job *job)
{
    bool is_part = ledger->merge->quads[job->quad].added_len >= PART_MAX;
    char n_keys[24], part_max[24];
    struct slice argv[ARGC_HEAD + STRINGS + 1] = {slice_of("MGET")};
    size_t argc = 1;

    if (is_part) {
        snprintf(n_keys, sizeof(n_keys), "%u", 1 + job->n_tables);
        snprintf(part_max, sizeof(part_max), "%d", PART_MAX);
        argv[0] = slice_of("EVAL");
        argv[argc++] = slice_of(read_lua);
        argv[argc++] = slice_of(n_keys);
    }
    make_keys(ledger, job);
    for (size_t i = 0; i <= job->n_tables; i++)
        argv[argc++] = counter_key_slice(&job->keys[i]);
    if (is_part)
        argv[argc++] = slice_of(part_max);
    return send_command(ledger, LEDGER_MERGE_READ, job, argv, argc);
}

void merge_serve(struct ledger *ledger)
{
    struct merge *merge = ledger->merge;

    for (unsigned n_left = merge->n_queued;
         n_left > 0 && merge->n_busy < BUSY_MAX && ledger->now_ms >= merge->retry_ms; n_left--) {
        struct quad *quad = &merge->quads[merge->queue[merge->first]];
        struct job job = choose(merge, merge->queue[merge->first]);

        /* One shard whose server is down must not hold up those of all others. */
        if (!trust_is_ready(ledger, shard_of(ledger, job.quad))) {
            put_last(merge, take_first(merge));
            continue;
        }
        quad->len = quad->added_len + job.n_tables * quad->table_len;
        if (merge->n_busy > 0 && merge->busy_bytes + quad->len > BUSY_BYTES)
            break;
        if (!send_read(ledger, &job)) {
            merge->retry_ms = ledger->now_ms + RETRY_MS;
            break;
        }
        (void)take_first(merge);
        merge->n_busy++;
        merge->busy_bytes += quad->len;
    }
}

/* Takes the strings of the answer; nil is an empty one.  False: it isn't their answer. */
static bool take_strings(const struct redisReply *answer, struct job *job)
{
    if (!answer || answer->type != REDIS_REPLY_ARRAY || answer->elements != 1 + job->n_tables)
        return false;
    for (size_t i = 0; i <= job->n_tables; i++) {
        const struct redisReply *text = answer->element[i];

        if (text->type == REDIS_REPLY_STRING)
            job->old[i] = slice_make(text->str, text->len);
        else if (text->type == REDIS_REPLY_NIL)
            job->old[i] = slice_make("", 0);
        else
            return false;
    }
    return true;
}

/* True: all of them are tables, or what is added to tables. */
static bool check_strings(const struct ledger *ledger, struct job *job)
{
    struct quad *quad = &ledger->merge->quads[job->quad];
    size_t i = 0;

    while (i <= job->n_tables && table_is_sound(job->old[i]))
        i++;
    if (i > job->n_tables)
        return true;
    make_keys(ledger, job);
    if (!quad->has_warned)
        log_error("ledger.table",
                  "key=%s err=\"holds what is not ours; counts in it may not be found\"",
                  job->keys[i].text);
    quad->has_warned = true;
    return false;
}

/* Redis refuses what is sent, a string isn't ours, or no answer came, perhaps because it was too
 * long.  From now on each table is tried by itself, so that one doesn't hold up the others. */
static void go_around(struct quad *quad, const struct job *job)
{
    quad->n_apart = COUNTER_QUAD;
    quad->turn = (uint8_t)((job->first + job->n_tables) % COUNTER_QUAD);
    look_again_at(quad, (size_t)quad->added_len + quad->added_len / SHARE + ADDED_MIN);
}

/* --- writing --- */

static void write_sha(struct slice text, char out[static SHA_LEN + 1])
{
    uint8_t digest[SHA_DIGEST_LENGTH];

    SHA1((const uint8_t *)text.ptr, text.len, digest);
    sodium_bin2hex(out, SHA_LEN + 1, digest, sizeof(digest));
}

/* Which table this is, for the script. */
static struct slice which_table(struct slice table, char sha[static SHA_LEN + 1])
{
    if (table.len == 0 || table_generation(table) != 0)
        return slice_make(table.ptr, table.len < TABLE_RECORD_LEN ? 0 : TABLE_RECORD_LEN);
    write_sha(table, sha);
    return slice_make(sha, SHA_LEN);
}

static bool send_write(struct ledger *ledger, struct job *job)
{
    char n_keys[24], n_shards[24];
    struct slice argv[ARGC_HEAD + ARGC_NUMBER + 4 * STRINGS] = {
        slice_of("EVAL"), slice_make(merge_lua, sizeof(merge_lua))};
    size_t argc = ARGC_HEAD;
    struct counter_key number;

    snprintf(n_keys, sizeof(n_keys), "%u", 2 + job->n_tables);
    snprintf(n_shards, sizeof(n_shards), "%u", ledger->options.n_shards);
    argv[2] = slice_of(n_keys);
    make_keys(ledger, job);
    counter_key_shards(&number, job->shard);
    for (size_t i = 0; i <= job->n_tables; i++) {
        argv[argc++] = counter_key_slice(&job->keys[i]);
        if (i == ADDED)
            argv[argc++] = counter_key_slice(&number);
        snprintf(job->lens[i], sizeof(job->lens[i]), "%zu", job->old[i].len);
    }
    write_sha(job->old[ADDED], job->sha[ADDED]);
    for (size_t i = 0; i <= job->n_tables; i++) {
        argv[argc++] =
            i == ADDED ? slice_make(job->sha[i], SHA_LEN) : which_table(job->old[i], job->sha[i]);
        argv[argc++] = slice_of(job->lens[i]);
        argv[argc++] = job->new[i];
        if (i == ADDED)
            argv[argc++] = slice_of(n_shards);
    }
    return send_command(ledger, LEDGER_MERGE_WRITE, job, argv, argc);
}

/* Appends to `out`, of `len` bytes, what was added to other tables than the job's. */
static size_t keep_others(const struct job *job, uint8_t *out, size_t len)
{
    for (unsigned i = 0; i < COUNTER_QUAD; i++) {
        if (i < job->first || i >= job->first + job->n_tables)
            len = table_take_added(job->old[ADDED], i, out, len);
    }
    return len;
}

/* Makes what takes the place of what was read.  Returns the memory it is in, which the caller
 * frees; NULL: out of memory. */
static uint8_t *make_new(struct job *job)
{
    struct slice added = job->old[ADDED];
    size_t room = 0, longest = 0, at;
    uint8_t *memory, *records;
    uint32_t *scratch;

    for (size_t i = 1; i <= job->n_tables; i++) {
        room += job->old[i].len + TABLE_RECORD_LEN;
        if (job->old[i].len > longest)
            longest = job->old[i].len;
    }
    memory = malloc(room + added.len);
    records = malloc(longest + added.len);
    scratch = malloc(table_scratch_len(longest + added.len) * sizeof(*scratch));
    if (!memory || !records || !scratch) {
        free(memory);
        memory = NULL;
        goto out;
    }
    at = keep_others(job, memory, 0);
    job->new[ADDED] = slice_make((const char *)memory, at);
    for (unsigned i = 1; i <= job->n_tables; i++)
        job->new[i] = slice_make("", 0);
    for (unsigned i = 1; i <= job->n_tables; i++) {
        size_t len = job->old[i].len;

        memcpy(records, job->old[i].ptr, len);
        len = table_take_added(added, job->first + i - 1, records, len);
        if (len == job->old[i].len)
            continue; /* nothing was added to this one */
        len = table_compact(slice_make((const char *)records, len), randombytes_random(),
                            memory + at, scratch);
        job->new[i] = slice_make((const char *)memory + at, len);
        at += len;
        background_yield();
    }
out:
    free(scratch);
    free(records);
    return memory;
}

/* Remembers how long the tables are, as they were read or as they are written. */
static void note_lens(struct quad *quad, const struct job *job)
{
    size_t longest = job->n_tables == 1 ? quad->table_len : 0;

    for (size_t i = 1; i <= job->n_tables; i++) {
        size_t len = job->new[i].len ? job->new[i].len : job->old[i].len;

        if (len > longest)
            longest = len;
    }
    quad->table_len = longest < LEN_MAX ? (uint32_t)longest : LEN_MAX;
    look_again_later(quad);
}

/* Sends what takes the place of what was read.  False: nothing is to be written. */
static bool on_read(struct ledger *ledger, struct job *job, const struct redisReply *answer)
{
    struct quad *quad = &ledger->merge->quads[job->quad];
    uint8_t *memory;
    bool is_sent;

    if (!take_strings(answer, job) || !check_strings(ledger, job)) {
        go_around(quad, job);
        return false;
    }
    quad->added_len = (uint32_t)job->old[ADDED].len;
    note_lens(quad, job);
    /* Another process may have moved it. */
    if (quad->added_len < quad->look_at)
        return false;
    memory = make_new(job);
    is_sent = memory && send_write(ledger, job);
    if (is_sent) {
        note_lens(quad, job);
        quad->turn = (uint8_t)((job->first + 1) % COUNTER_QUAD);
        if (quad->n_apart > 0)
            quad->n_apart--;
    }
    free(memory);
    return is_sent;
}

void merge_on_answer(struct ledger *ledger, const struct ledger_ticket *ticket,
                     const struct redisReply *answer)
{
    struct merge *merge = ledger->merge;
    struct job job = job_unpack(ticket->count);
    struct quad *quad = &merge->quads[job.quad];

    background_yield();
    if (ticket->what == LEDGER_MERGE_READ && on_read(ledger, &job, answer))
        return; /* the answer to the write ends it */
    if (ticket->what == LEDGER_MERGE_WRITE && answer && answer->type == REDIS_REPLY_ERROR)
        go_around(quad, &job);
    quad->is_busy = false;
    merge->n_busy--;
    merge->busy_bytes -= quad->len;
}
