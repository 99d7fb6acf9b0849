#include "service/state/eraser.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "compact_lua.h"
#include "proto/bytes.h"
#include "proto/click.h"
#include "proto/counter.h"
#include "proto/event.h"
#include "proto/funnel.h"
#include "proto/table.h"
#include "proto/waiting.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/redis/redis_link.h"
#include "service/state/audit_entry.h"

enum {
    RETRY_MS = 20,    /* until the link is up */
    ROUNDS_MAX = 100, /* a table that others rewrite faster than that is not ours alone */
    WHY_MAX = 512,
};

enum eraser_state {
    ERASER_READING,
    ERASER_REPLACING,
    ERASER_FORGETTING,
    ERASER_SLOTTING,
    ERASER_AWAITING,
    ERASER_LISTING,
    ERASER_SCANNING,
    ERASER_HEARING,
    ERASER_UNTELLING,
    ERASER_AUDITING,
    ERASER_ANONYMIZING,
    ERASER_DROPPING,
    ERASER_RECORDING,
    ERASER_ENDED
};

/* What `key` is. */
enum eraser_what { ERASER_ADDED, ERASER_TABLE, ERASER_SLOT, ERASER_BLOCK };

enum {
    SHORT_LIVED = 2,
    SCAN_MAX = 64,
    HEAR_MAX = 500,     /* entries of a stream in one answer, of 5 elements each */
    AUDIT_MAX = 100,    /* entries of the audit log in one answer */
    STREAM_ID_MAX = 42, /* two numbers of up to 20 digits */
    ANSWER_ELEMENTS = 4096
};

/* Reads what was added to the table that the client is counted in, replaces it by the same without
 * the client, and reads again, until there is nothing to take out: another may have added to it.
 * Then does so with the table: in this order, for the ledger moves what was added into the table.
 * Then deletes what the pods have told one another of the client's newest clicks.  Then looks,
 * shard by shard, at the clicks that wait for their people to be counted, and at the blocks of
 * invoices, and does with each that names the client as with the table; and deletes from the
 * streams of each shard what the client asked for on our pages, and which links it used up.  In the
 * audit log, read from the newest entry on, each that names the client is added without the number
 * and then deleted, and at last an entry says that a client was erased. */
struct eraser {
    uint32_t brand, client;
    unsigned n_shards, shard; /* of the blocks that are looked at */
    uint32_t *blocks;         /* numbers of all blocks of the shard */
    size_t n_blocks, at;      /* those before `at` were looked at */
    uint32_t *slots;          /* that have clicks which wait, of the shard */
    size_t n_slots, slot_at;  /* those before `slot_at` were looked at */
    enum eraser_what what;
    bool is_of_uses;               /* the stream `used` is read, not `told` */
    char heard[STREAM_ID_MAX + 2]; /* behind it the stream is read: "(id", "-" at first */
    char (*told)[STREAM_ID_MAX];   /* ids of what is to be deleted from it */
    size_t n_told;
    bool is_heard; /* these are the last of the stream */
    const char *brand_name;
    bool is_audited;                     /* admin.audit_days isn't 0 */
    size_t audit_at;                     /* entries of the audit log that were looked at */
    struct audit_entry found[AUDIT_MAX]; /* those that name the client */
    char *named[AUDIT_MAX];              /* as they are in Redis; malloc()ed */
    size_t n_found;
    struct audit_entry own; /* says that a client was erased, and by whom */
    struct counter_key key;
    struct counter_key short_lived[SHORT_LIVED];
    unsigned n_forgotten; /* of these */
    enum eraser_state state;
    bool in_flight;
    unsigned tries; /* commands since the last thing was done with */
    uint64_t round; /* the ticket: a reply to an earlier one is not listened to */
    int64_t n_held; /* what the part being replaced held of the client */
    int64_t n_lost; /* the same, when no reply told whether it was replaced */
    struct eraser_counts counts;
    char *table;         /* the part that was read, and then what replaces it */
    size_t len, new_len; /* of both */
    char sha[2 * SHA_DIGEST_LENGTH + 1];
    struct redis_link *link;
    struct event *tick, *limit;
    char why[WHY_MAX]; /* it failed */
    enum eraser_state stopped_at;
    void (*on_end)(void *owner, const struct eraser_counts *counts, const char *why);
    void *owner;
};

/* The last thing that is done with it. */
static void finish(struct eraser *e)
{
    e->stopped_at = e->state;
    e->state = ERASER_ENDED;
    event_del(e->tick);
    event_del(e->limit);
    /* Not from within a callback of the link, which the owner may free. */
    event_active(e->limit, EV_TIMEOUT, 1);
}

static void fail(struct eraser *e, const char *text)
{
    snprintf(e->why, sizeof(e->why), "Redis, key %s: %s", e->key.text, text);
    finish(e);
}

/* --- what is sent --- */

static bool send_argv(const struct eraser *e, struct slice key, const struct slice *argv,
                      size_t argc)
{
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = key, .argv = argv, .argc = argc, .ticket = e->round});
}

static bool send_read(struct eraser *e)
{
    const struct slice argv[] = {slice_of("GET"), counter_key_slice(&e->key)};

    return send_argv(e, counter_key_slice(&e->key), argv, 2);
}

/* The ledger's script for compaction: it replaces the part that was read if that is still the same,
 * and keeps what was appended meanwhile. */
static bool send_replacement(struct eraser *e)
{
    struct counter_key changes;
    char len[24];
    struct slice argv[8] = {slice_of("EVAL"), slice_make(compact_lua, sizeof(compact_lua)),
                            slice_of(e->what == ERASER_BLOCK ? "2" : "1"),
                            counter_key_slice(&e->key)};
    size_t argc = 4;

    counter_key_changes(&changes, e->shard);
    if (e->what ==
        ERASER_BLOCK) /* so that a process that has read the block doesn't write it back */
        argv[argc++] = counter_key_slice(&changes);
    argv[argc++] = slice_of(e->sha);
    argv[argc++] = slice_make(len, (size_t)snprintf(len, sizeof(len), "%zu", e->len));
    argv[argc++] = slice_make(e->table, e->new_len);
    return send_argv(e, counter_key_slice(&e->key), argv, argc);
}

/* Not by DEL, to which the ledger's user has no other need to be entitled. */
static bool send_forget(struct eraser *e)
{
    const struct slice key = counter_key_slice(&e->short_lived[e->n_forgotten]);
    const struct slice argv[] = {slice_of("EXPIRE"), key, slice_of("0")};

    e->key = e->short_lived[e->n_forgotten]; /* what a failure names */
    return send_argv(e, key, argv, 3);
}

/* Those of the set, and those that older builds have listed. */
static bool send_slots(struct eraser *e)
{
    static const char script[] =
        "local slots = redis.call('ZRANGE', KEYS[1], 0, -1) "
        "local old = redis.call('GET', KEYS[2]) or '' "
        "for at = 1, #old, 8 do slots[#slots + 1] = tostring(struct.unpack('>I4', old, at)) end "
        "return slots";
    struct counter_key list;
    struct slice argv[5] = {slice_of("EVAL"), slice_of(script), slice_of("2")};

    counter_key_waiting_slots(&e->key, e->shard);
    counter_key_waiting_list(&list, e->shard);
    argv[3] = counter_key_slice(&e->key);
    argv[4] = counter_key_slice(&list);
    return send_argv(e, argv[3], argv, 5);
}

static bool send_await(struct eraser *e)
{
    struct slice argv[2] = {slice_of("XLEN")};

    counter_key_facts(&e->key, e->shard);
    argv[1] = counter_key_slice(&e->key);
    return send_argv(e, argv[1], argv, 2);
}

static bool send_list(struct eraser *e)
{
    struct slice argv[2] = {slice_of("GET")};

    counter_key_blocks(&e->key, e->shard, e->brand);
    argv[1] = counter_key_slice(&e->key);
    return send_argv(e, argv[1], argv, 2);
}

static size_t n_to_scan(const struct eraser *e)
{
    size_t left = e->n_blocks - e->at;

    return left < SCAN_MAX ? left : (size_t)SCAN_MAX;
}

static bool send_scan(struct eraser *e)
{
    struct counter_key keys[SCAN_MAX];
    struct slice argv[1 + SCAN_MAX] = {slice_of("MGET")};
    size_t n = n_to_scan(e);

    for (size_t i = 0; i < n; i++) {
        counter_key_block(&keys[i], e->brand, e->blocks[e->at + i], e->n_shards);
        argv[1 + i] = counter_key_slice(&keys[i]);
    }
    return send_argv(e, argv[1], argv, 1 + n);
}

static bool send_hear(struct eraser *e)
{
    char count[12];
    struct slice argv[] = {slice_of("XRANGE"), {NULL, 0},         slice_of(e->heard),
                           slice_of("+"),      slice_of("COUNT"), {NULL, 0}};

    if (e->is_of_uses)
        counter_key_used(&e->key, e->shard);
    else
        counter_key_told(&e->key, e->shard);
    argv[1] = counter_key_slice(&e->key);
    argv[5] = slice_make(count, (size_t)snprintf(count, sizeof(count), "%d", HEAR_MAX));
    return send_argv(e, argv[1], argv, 6);
}

static bool send_untell(struct eraser *e)
{
    struct slice argv[2 + HEAR_MAX] = {slice_of("XDEL"), counter_key_slice(&e->key)};

    for (size_t i = 0; i < e->n_told; i++)
        argv[2 + i] = slice_of(e->told[i]);
    return send_argv(e, argv[1], argv, 2 + e->n_told);
}

/* From the newest on: what is added meanwhile moves the others away from the end, so that none is
 * passed over. */
static bool send_audit(struct eraser *e)
{
    char first[24], last[24];
    struct slice argv[5] = {slice_of("ZRANGE")};

    counter_key_audit(&e->key);
    argv[1] = counter_key_slice(&e->key);
    argv[2] = slice_make(first, (size_t)snprintf(first, sizeof(first), "%zu", e->audit_at));
    argv[3] = slice_make(
        last, (size_t)snprintf(last, sizeof(last), "%zu", e->audit_at + (size_t)AUDIT_MAX - 1));
    argv[4] = slice_of("REV");
    return send_argv(e, argv[1], argv, 5);
}

/* Adds `n` entries to the audit log. */
static bool send_entries(struct eraser *e, const struct audit_entry *entries, size_t n)
{
    struct slice argv[2 + 2 * AUDIT_MAX] = {slice_of("ZADD"), counter_key_slice(&e->key)};
    char scores[AUDIT_MAX][24], *members[AUDIT_MAX] = {NULL};
    bool is_sent = true;

    for (size_t i = 0; i < n && is_sent; i++) {
        members[i] = audit_entry_write(&entries[i]);
        is_sent = members[i] != NULL;
        argv[2 + 2 * i] = slice_make(scores[i], (size_t)snprintf(scores[i], sizeof(scores[i]),
                                                                 "%" PRId64, entries[i].at_ms));
        argv[3 + 2 * i] = slice_of(members[i]);
    }
    is_sent = is_sent && send_argv(e, argv[1], argv, 2 + 2 * n);
    for (size_t i = 0; i < n; i++)
        free(members[i]);
    return is_sent;
}

static bool send_anonymous(struct eraser *e)
{
    struct audit_entry entries[AUDIT_MAX];

    for (size_t i = 0; i < e->n_found; i++) {
        entries[i] = e->found[i];
        audit_entry_erase_client(&entries[i]);
    }
    return send_entries(e, entries, e->n_found);
}

static bool send_drop(struct eraser *e)
{
    struct slice argv[2 + AUDIT_MAX] = {slice_of("ZREM"), counter_key_slice(&e->key)};

    for (size_t i = 0; i < e->n_found; i++)
        argv[2 + i] = slice_of(e->named[i]);
    return send_argv(e, argv[1], argv, 2 + e->n_found);
}

static bool send_command(struct eraser *e)
{
    switch (e->state) {
    case ERASER_READING:
        return send_read(e);
    case ERASER_REPLACING:
        return send_replacement(e);
    case ERASER_FORGETTING:
        return send_forget(e);
    case ERASER_SLOTTING:
        return send_slots(e);
    case ERASER_AWAITING:
        return send_await(e);
    case ERASER_LISTING:
        return send_list(e);
    case ERASER_SCANNING:
        return send_scan(e);
    case ERASER_HEARING:
        return send_hear(e);
    case ERASER_UNTELLING:
        return send_untell(e);
    case ERASER_AUDITING:
        return send_audit(e);
    case ERASER_ANONYMIZING:
        return send_anonymous(e);
    case ERASER_DROPPING:
        return send_drop(e);
    case ERASER_RECORDING:
        return send_entries(e, &e->own, 1);
    case ERASER_ENDED:
        break;
    }
    return true;
}

static void send_next(struct eraser *e)
{
    if (e->in_flight || e->state == ERASER_ENDED)
        return;
    e->round++;
    if (++e->tries > ROUNDS_MAX) {
        fail(e, "it changes all the time; try again");
        return;
    }
    e->in_flight = send_command(e);
    if (!e->in_flight)
        e->tries--; /* the link isn't up; on_try comes again */
}

/* --- what is answered --- */

static void describe(struct eraser *e, const char *bytes, size_t len)
{
    uint8_t digest[SHA_DIGEST_LENGTH];

    SHA1((const uint8_t *)bytes, len, digest);
    sodium_bin2hex(e->sha, sizeof(e->sha), digest, sizeof(digest));
    e->len = len;
}

/* Nothing is left of the client in what was added, or in the table. */
static void go_on_counts(struct eraser *e)
{
    e->counts.clicks += e->n_lost;
    e->n_lost = 0;
    e->tries = 0;
    if (e->what == ERASER_TABLE) {
        e->state = ERASER_FORGETTING;
        return;
    }
    e->what = ERASER_TABLE;
    counter_key_table(&e->key, COUNTER_CLIENTS, counter_bucket_of_item(e->brand, e->client),
                      e->n_shards);
    e->state = ERASER_READING;
}

static void on_table(struct eraser *e, const struct redisReply *answer)
{
    struct slice table = slice_make(answer->str, answer->len), none = {0};
    struct table_item item;

    if (answer->type == REDIS_REPLY_NIL) {
        go_on_counts(e);
    } else if (answer->type != REDIS_REPLY_STRING || !table_is_sound(table)) {
        fail(e, "holds what is not hopcount's; nothing was changed");
    } else if (!table_find_item(table, none, e->brand, e->client, &item)) {
        go_on_counts(e);
    } else {
        free(e->table);
        e->table = malloc(table.len);
        if (!e->table) {
            fail(e, "out of memory");
            return;
        }
        memcpy(e->table, table.ptr, table.len);
        describe(e, table.ptr, table.len);
        e->new_len = table_erase_item((uint8_t *)e->table, table.len, e->brand, e->client);
        e->n_held = 0;
        for (int kind = 0; kind < TABLE_KINDS; kind++)
            e->n_held += item.human[kind] + item.automated[kind];
        e->n_lost = 0; /* still there, so it was not */
        e->state = ERASER_REPLACING;
    }
}

/* --- clicks that wait --- */

/* The next slot, or behind the last of a shard its blocks. */
static void go_on_waiting(struct eraser *e)
{
    e->tries = 0;
    e->n_lost = 0;
    if (e->slot_at < e->n_slots) {
        e->what = ERASER_SLOT;
        counter_key_waiting(&e->key, e->shard, e->slots[e->slot_at]);
        e->state = ERASER_READING;
    } else {
        e->what = ERASER_BLOCK;
        e->state = ERASER_AWAITING;
    }
}

static void on_slots(struct eraser *e, const struct redisReply *answer)
{
    size_t n = answer->type == REDIS_REPLY_ARRAY ? answer->elements : 0;

    free(e->slots);
    e->n_slots = e->slot_at = 0;
    e->slots = calloc(n + 1, sizeof(*e->slots));
    if (!e->slots) {
        fail(e, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        e->slots[e->n_slots++] = (uint32_t)strtoul(answer->element[i]->str, NULL, 10);
    go_on_waiting(e);
}

/* Takes the client's records out of `text`, in place; returns how many, and the new length. */
static size_t take_out(const struct eraser *e, char *text, size_t *len)
{
    size_t at = 0, kept = 0, before = 0, n = 0;
    struct waiting who;

    while (waiting_next(slice_make(text, *len), &at, &who)) {
        if (who.brand == e->brand && who.id == e->client && !who.is_visitor) {
            n++;
        } else {
            memmove(text + kept, text + before, at - before);
            kept += at - before;
        }
        before = at;
    }
    *len = kept;
    return n;
}

static void on_slot(struct eraser *e, const struct redisReply *answer)
{
    size_t n = 0, len = answer->type == REDIS_REPLY_STRING ? answer->len : 0;

    free(e->table);
    e->table = malloc(len ? len : 1);
    if (!e->table) {
        fail(e, "out of memory");
        return;
    }
    if (len > 0) {
        memcpy(e->table, answer->str, len);
        n = take_out(e, e->table, &len);
    }
    if (n == 0) {
        e->counts.waiting += e->n_lost;
        e->slot_at++;
        go_on_waiting(e);
        return;
    }
    describe(e, answer->str, answer->len);
    e->new_len = len;
    e->n_held = (int64_t)n;
    e->n_lost = 0;
    e->state = ERASER_REPLACING;
}

/* --- invoices, and streams --- */

/* The next blocks, or behind the last of a shard its streams. */
static void go_on_scanning(struct eraser *e)
{
    e->tries = 0;
    if (e->at < e->n_blocks) {
        e->state = ERASER_SCANNING;
    } else {
        e->is_of_uses = false;
        snprintf(e->heard, sizeof(e->heard), "-");
        e->state = ERASER_HEARING;
    }
}

/* The next entries of the stream, the next stream, or the next shard. */
static void go_on_hearing(struct eraser *e)
{
    e->tries = 0;
    if (!e->is_heard) {
        e->state = ERASER_HEARING;
    } else if (!e->is_of_uses) {
        e->is_of_uses = true;
        snprintf(e->heard, sizeof(e->heard), "-");
        e->state = ERASER_HEARING;
    } else if (++e->shard < e->n_shards) {
        e->state = ERASER_SLOTTING;
    } else {
        e->state = ERASER_AUDITING;
    }
}

/* {id, {'e', event}}; false: not an entry as the ledger writes it, which is left alone. */
static bool read_told(const struct redisReply *entry, const char **id, struct event *out)
{
    const struct redisReply *fields;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->type != REDIS_REPLY_STRING || entry->element[0]->len >= STREAM_ID_MAX ||
        entry->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    *id = entry->element[0]->str;
    fields = entry->element[1];
    return fields->elements == 2 && fields->element[1]->type == REDIS_REPLY_STRING &&
           event_told_get(slice_make(fields->element[1]->str, fields->element[1]->len), out);
}

static void on_heard(struct eraser *e, const struct redisReply *answer)
{
    size_t n = answer->type == REDIS_REPLY_ARRAY ? answer->elements : 0;

    e->n_told = 0;
    e->is_heard = n < HEAR_MAX;
    for (size_t i = 0; i < n && i < HEAR_MAX; i++) {
        const char *id = NULL;
        struct event event;
        bool is_event = read_told(answer->element[i], &id, &event);

        if (id)
            snprintf(e->heard, sizeof(e->heard), "(%s", id);
        if (is_event && event.brand == e->brand && event.client == e->client)
            snprintf(e->told[e->n_told++], STREAM_ID_MAX, "%s", id);
    }
    if (e->n_told > 0) {
        e->tries = 0;
        e->state = ERASER_UNTELLING;
    } else {
        go_on_hearing(e);
    }
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

/* A block may be listed several times. */
static void on_list(struct eraser *e, const struct redisReply *answer)
{
    size_t n = answer->type == REDIS_REPLY_STRING ? answer->len / sizeof(uint32_t) : 0;

    free(e->blocks);
    e->n_blocks = e->at = 0;
    e->blocks = calloc(n ? n : 1, sizeof(*e->blocks));
    if (!e->blocks) {
        fail(e, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        e->blocks[i] = be32_load((const uint8_t *)answer->str + i * sizeof(uint32_t));
    qsort(e->blocks, n, sizeof(*e->blocks), by_number);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || e->blocks[i] != e->blocks[i - 1])
            e->blocks[e->n_blocks++] = e->blocks[i];
    }
    go_on_scanning(e);
}

/* Goes on to the first block that names the client. */
static void on_scanned(struct eraser *e, const struct redisReply *answer)
{
    size_t n = n_to_scan(e);

    for (size_t i = 0; i < n && answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const struct redisReply *block = answer->element[i];

        if (block->type == REDIS_REPLY_STRING &&
            funnel_count_client(slice_make(block->str, block->len), e->client) > 0) {
            e->at += i;
            counter_key_block(&e->key, e->brand, e->blocks[e->at], e->n_shards);
            e->state = ERASER_READING;
            e->tries = 0;
            return;
        }
    }
    e->at += n;
    go_on_scanning(e);
}

static void on_block(struct eraser *e, const struct redisReply *answer)
{
    struct slice block = slice_make(answer->str, answer->len);
    unsigned n = 0;

    if (answer->type == REDIS_REPLY_STRING)
        n = funnel_count_client(block, e->client);
    if (n == 0) {
        e->counts.invoices += e->n_lost;
        e->n_lost = 0;
        e->at++;
        go_on_scanning(e);
        return;
    }
    free(e->table);
    e->table = malloc(block.len);
    if (!e->table) {
        fail(e, "out of memory");
        return;
    }
    memcpy(e->table, block.ptr, block.len);
    describe(e, block.ptr, block.len);
    e->new_len = funnel_erase_client((uint8_t *)e->table, block.len, e->client);
    e->n_held = n;
    e->n_lost = 0;
    e->state = ERASER_REPLACING;
}

static void forget_found(struct eraser *e)
{
    for (size_t i = 0; i < e->n_found; i++)
        free(e->named[i]);
    e->n_found = 0;
}

/* The same entries are read again when something was found among them, so that nothing is passed
 * over, whatever others add. */
static void on_audit(struct eraser *e, const struct redisReply *answer)
{
    size_t n = answer->type == REDIS_REPLY_ARRAY ? answer->elements : 0;

    forget_found(e);
    e->tries = 0;
    for (size_t i = 0; i < n && i < AUDIT_MAX; i++) {
        const struct redisReply *member = answer->element[i];
        struct audit_entry *entry = &e->found[e->n_found];

        if (member->type != REDIS_REPLY_STRING ||
            !audit_entry_read(slice_make(member->str, member->len), entry) ||
            entry->client != e->client || strcmp(entry->brand, e->brand_name) != 0)
            continue;
        if (!(e->named[e->n_found] = strdup(member->str))) {
            fail(e, "out of memory");
            return;
        }
        e->n_found++;
    }
    if (e->n_found > 0) {
        e->state = ERASER_ANONYMIZING;
    } else if (n == AUDIT_MAX) {
        e->audit_at += n;
    } else if (e->is_audited) {
        e->own.at_ms = clock_wall_ms();
        e->state = ERASER_RECORDING;
    } else {
        finish(e);
    }
}

static void on_read(struct eraser *e, const struct redisReply *answer)
{
    switch (e->what) {
    case ERASER_ADDED:
    case ERASER_TABLE:
        on_table(e, answer);
        break;
    case ERASER_SLOT:
        on_slot(e, answer);
        break;
    case ERASER_BLOCK:
        on_block(e, answer);
        break;
    }
}

static void on_replaced(struct eraser *e, const struct redisReply *answer)
{
    int64_t *const counts[] = {[ERASER_ADDED] = &e->counts.clicks,
                               [ERASER_TABLE] = &e->counts.clicks,
                               [ERASER_SLOT] = &e->counts.waiting,
                               [ERASER_BLOCK] = &e->counts.invoices};

    if (answer->type == REDIS_REPLY_INTEGER && answer->integer == 1)
        *counts[e->what] += e->n_held;
    e->state = ERASER_READING;
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct eraser *e = owner;

    if (ticket != e->round)
        return;
    e->in_flight = false;
    if (!answer) { /* the connection was lost; what happened, reading will tell */
        e->n_lost = e->state == ERASER_REPLACING ? e->n_held : 0;
        if (e->state == ERASER_REPLACING)
            e->state = ERASER_READING;
        return;
    }
    if (e->state == ERASER_AWAITING && answer->type == REDIS_REPLY_INTEGER && answer->integer > 0) {
        e->tries = 0; /* on_try asks again, until our patience is over */
        return;
    }
    if (e->state == ERASER_AWAITING &&
        (answer->type == REDIS_REPLY_INTEGER ||
         (answer->type == REDIS_REPLY_ERROR && strncmp(answer->str, "WRONGTYPE", 9) == 0))) {
        e->state = ERASER_LISTING;
    } else if (answer->type == REDIS_REPLY_ERROR) {
        fail(e, answer->str);
    } else if (e->state == ERASER_READING) {
        on_read(e, answer);
    } else if (e->state == ERASER_REPLACING) {
        on_replaced(e, answer);
    } else if (e->state == ERASER_FORGETTING && ++e->n_forgotten == SHORT_LIVED) {
        e->tries = 0;
        e->state = ERASER_SLOTTING;
    } else if (e->state == ERASER_SLOTTING) {
        on_slots(e, answer);
    } else if (e->state == ERASER_LISTING) {
        on_list(e, answer);
    } else if (e->state == ERASER_SCANNING) {
        on_scanned(e, answer);
    } else if (e->state == ERASER_HEARING) {
        on_heard(e, answer);
    } else if (e->state == ERASER_UNTELLING) {
        /* Not what was answered: after a lost answer the entries are gone already. */
        *(e->is_of_uses ? &e->counts.uses : &e->counts.requests) += (int64_t)e->n_told;
        go_on_hearing(e);
    } else if (e->state == ERASER_AUDITING) {
        on_audit(e, answer);
    } else if (e->state == ERASER_ANONYMIZING) {
        e->state = ERASER_DROPPING;
    } else if (e->state == ERASER_DROPPING) {
        e->counts.entries += (int64_t)e->n_found;
        e->state = ERASER_AUDITING;
    } else if (e->state == ERASER_RECORDING) {
        finish(e);
    }
    send_next(e);
}

/* It is time to try, or to try again. */
static void on_try(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    send_next(arg);
}

/* --- begin and end --- */

/* Says how far it came.  Of a shard all is taken out before the next, and what was is gone. */
static void add_progress(struct eraser *e)
{
    static const char *const of_states[] = {
        [ERASER_FORGETTING] = "what the pods told one another of its clicks",
        [ERASER_SLOTTING] = "what waits to be counted",
        [ERASER_AWAITING] = "its invoices",
        [ERASER_LISTING] = "its invoices",
        [ERASER_SCANNING] = "its invoices",
        [ERASER_HEARING] = "what it asked for and used up",
        [ERASER_UNTELLING] = "what it asked for and used up",
        [ERASER_AUDITING] = "the audit log",
        [ERASER_ANONYMIZING] = "the audit log",
        [ERASER_DROPPING] = "the audit log",
        [ERASER_RECORDING] = "the entry of the audit log that says so",
        [ERASER_ENDED] = NULL,
    };
    static const char *const of_whats[] = {[ERASER_ADDED] = "its counts",
                                           [ERASER_TABLE] = "its counts",
                                           [ERASER_SLOT] = "what waits to be counted",
                                           [ERASER_BLOCK] = "its invoices"};
    const char *part = of_states[e->stopped_at] ? of_states[e->stopped_at] : of_whats[e->what];
    char shard[48] = "";
    size_t at = strlen(e->why);

    if (e->n_shards > 1 && e->shard < e->n_shards)
        snprintf(shard, sizeof(shard), " of shard %u (of 0 to %u)", e->shard, e->n_shards - 1);
    snprintf(e->why + at, sizeof(e->why) - at,
             "; it stopped at %s%s, and %" PRId64 " clicks and %" PRId64
             " invoices are erased: call it again",
             part, shard, e->counts.clicks, e->counts.invoices);
}

/* It has ended, or our patience has. */
static void on_limit(evutil_socket_t fd, short events, void *arg)
{
    struct eraser *e = arg;
    const char *cause = redis_link_cause(e->link);

    (void)fd;
    (void)events;
    if (e->state != ERASER_ENDED)
        e->stopped_at = e->state;
    if (e->state == ERASER_AWAITING && !cause[0])
        snprintf(e->why, sizeof(e->why),
                 "clicks wait in %s to be added to invoices, which a running hopcountd does: start "
                 "one",
                 e->key.text);
    else if (e->state != ERASER_ENDED)
        snprintf(e->why, sizeof(e->why), "Redis does not answer: %s",
                 cause[0] ? cause : "no answer in time");
    e->state = ERASER_ENDED;
    event_del(e->tick);
    if (e->why[0])
        add_progress(e);
    e->on_end(e->owner, &e->counts, e->why[0] ? e->why : NULL);
}

struct eraser *eraser_new(struct event_base *base, const struct eraser_options *options,
                          struct error *err)
{
    const struct timeval limit = {.tv_sec = ERASER_PATIENCE_S},
                         pause = {.tv_usec = RETRY_MS * 1000};
    struct eraser *e = calloc(1, sizeof(*e));
    const struct redis_link_options link = {
        .url = options->redis_url,
        .name = options->name,
        .timeout_ms = options->timeout_ms,
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = ANSWER_ELEMENTS},
        .owner = e,
        .on_answer = on_answer};

    if (!e || !(e->told = calloc(HEAR_MAX, sizeof(*e->told))) ||
        !(e->tick = event_new(base, -1, EV_PERSIST, on_try, e)) ||
        !(e->limit = event_new(base, -1, 0, on_limit, e)) || event_add(e->tick, &pause) != 0 ||
        event_add(e->limit, &limit) != 0) {
        error_set(err, "out of memory");
        goto out;
    }
    e->brand = click_brand_id(slice_of(options->brand));
    e->brand_name = options->brand;
    e->client = options->client;
    e->n_shards = options->n_shards;
    e->on_end = options->on_end;
    e->owner = options->owner;
    e->is_audited = options->own != NULL;
    if (options->own)
        e->own = *options->own;
    counter_key_added(&e->key, COUNTER_CLIENTS,
                      counter_bucket_of_item(e->brand, e->client) / COUNTER_QUAD, e->n_shards);
    counter_key_siblings(&e->short_lived[0], e->brand, e->client, e->n_shards);
    counter_key_claims(&e->short_lived[1], e->brand, e->client, e->n_shards);
    if ((e->link = redis_link_new(base, &link, err)) != NULL)
        return e;
out:
    eraser_free(e);
    return NULL;
}

void eraser_free(struct eraser *e)
{
    if (!e)
        return;
    e->state = ERASER_ENDED;
    e->round++; /* what is in flight is not listened to */
    redis_link_free(e->link);
    if (e->tick)
        event_free(e->tick);
    if (e->limit)
        event_free(e->limit);
    free(e->table);
    free(e->slots);
    free(e->blocks);
    free(e->told);
    forget_found(e);
    free(e);
}
