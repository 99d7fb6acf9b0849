/* erase: takes a client's counters out of Redis, and tells the sinks. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
#include "proto/number.h"
#include "proto/table.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/config.h"
#include "service/daemon/redis_settings.h"
#include "service/redis/redis_link.h"
#include "service/sinks/sink_erasures.h"
#include "service/state/audit_entry.h"

enum {
    PATIENCE_S = 15,  /* for all of it; Redis may just be failing over */
    RETRY_MS = 20,    /* until the link is up */
    ROUNDS_MAX = 100, /* a table that others rewrite faster than that is not ours alone */
};

enum { ERASE_CONFIG, ERASE_BRAND, ERASE_CLIENT };

static const struct cli_option options[] = {
    [ERASE_CONFIG] = CONFIG_OPTION,
    [ERASE_BRAND] = {"brand", "NAME", "whose client; needed when there are several", CLI_BRANDS, 0},
    [ERASE_CLIENT] = {"client", "N", "the client's number", NULL, 0},
};

enum eraser_state {
    ERASER_READING,
    ERASER_REPLACING,
    ERASER_FORGETTING,
    ERASER_AWAITING,
    ERASER_LISTING,
    ERASER_SCANNING,
    ERASER_HEARING,
    ERASER_UNTELLING,
    ERASER_AUDITING,
    ERASER_ANONYMIZING,
    ERASER_DROPPING,
    ERASER_RECORDING,
    ERASER_DONE,
    ERASER_FAILED
};

enum {
    SHORT_LIVED = 2,
    SCAN_MAX = 64,
    HEAR_MAX = 500,     /* entries of the stream `told` in one answer, of 5 elements each */
    AUDIT_MAX = 100,    /* entries of the audit log in one answer */
    STREAM_ID_MAX = 42, /* two numbers of up to 20 digits */
    ANSWER_ELEMENTS = 4096
};

/* Reads the table that the client is counted in, replaces it by one without the client, and reads
 * again, until there is nothing to take out: another may have added to it or compacted it.  Then
 * deletes what the pods have told one another of the client's newest clicks.  Then looks at the
 * blocks of invoices, shard by shard, and does with each that names the client as with the table;
 * and deletes from the stream of each shard what the client asked for on our pages.  In the audit
 * log, read from the newest entry on, each that names the client is added without the number and
 * then deleted, and at last an entry says that a client was erased.  The event that tells the sinks
 * is written when all of that is done. */
struct eraser {
    uint32_t brand, client;
    unsigned n_shards, shard;      /* of the blocks that are looked at */
    uint32_t *blocks;              /* numbers of all blocks of the shard */
    size_t n_blocks, at;           /* those before `at` were looked at */
    bool is_block;                 /* `key` is a block's */
    char heard[STREAM_ID_MAX + 2]; /* behind it the stream `told` is read: "(id", "-" at first */
    char (*told)[STREAM_ID_MAX];   /* ids of what is to be deleted from it */
    size_t n_told;
    bool is_heard; /* these are the last of the shard */
    const char *brand_name;
    bool is_audited;                     /* admin.audit_days isn't 0 */
    size_t audit_at;                     /* entries of the audit log that were looked at */
    struct audit_entry found[AUDIT_MAX]; /* those that name the client */
    char *named[AUDIT_MAX];              /* as they are in Redis; malloc()ed */
    size_t n_found;
    int64_t n_entries;      /* that the client was taken out of */
    struct audit_entry own; /* says that a client was erased, and by whom */
    struct counter_key key;
    struct counter_key short_lived[SHORT_LIVED];
    unsigned n_forgotten; /* of these */
    enum eraser_state state;
    bool in_flight;
    unsigned tries;      /* commands since the last thing was done with */
    uint64_t round;      /* the ticket: a reply to an earlier one is not listened to */
    int64_t n_clicks;    /* what the part being replaced held of the client */
    int64_t n_lost;      /* the same, when no reply told whether it was replaced */
    int64_t n_erased;    /* what was taken out: clicks, */
    int64_t n_invoices;  /* invoices, */
    int64_t n_requests;  /* and entries of `told` */
    char *table;         /* the part that was read, and then what replaces it */
    size_t len, new_len; /* of both */
    char sha[2 * SHA_DIGEST_LENGTH + 1];
    struct event_base *base;
    struct redis_link *link;
    struct error *err;
};

static void finish(struct eraser *e, enum eraser_state state)
{
    e->state = state;
    event_base_loopbreak(e->base);
}

static void fail(struct eraser *e, const char *text)
{
    error_set(e->err, "Redis, key %s: %s", e->key.text, text);
    finish(e, ERASER_FAILED);
}

/* --- what is sent --- */

static bool send_read(struct eraser *e)
{
    const struct slice argv[] = {slice_of("GET"), counter_key_slice(&e->key)};

    return redis_link_send(e->link, &(struct redis_command){.key = counter_key_slice(&e->key),
                                                            .argv = argv,
                                                            .argc = 2,
                                                            .ticket = e->round});
}

/* The ledger's script for compaction: it replaces the part that was read if that is still the same,
 * and keeps what was appended meanwhile. */
static bool send_replacement(struct eraser *e)
{
    struct counter_key changes;
    char len[24];
    struct slice argv[8] = {slice_of("EVAL"), slice_make(compact_lua, sizeof(compact_lua)),
                            slice_of(e->is_block ? "2" : "1"), counter_key_slice(&e->key)};
    size_t argc = 4;

    counter_key_changes(&changes, e->shard);
    if (e->is_block) /* so that a process that has read the block doesn't write it back */
        argv[argc++] = counter_key_slice(&changes);
    argv[argc++] = slice_of(e->sha);
    argv[argc++] = slice_make(len, (size_t)snprintf(len, sizeof(len), "%zu", e->len));
    argv[argc++] = slice_make(e->table, e->new_len);
    return redis_link_send(e->link, &(struct redis_command){.key = counter_key_slice(&e->key),
                                                            .argv = argv,
                                                            .argc = argc,
                                                            .ticket = e->round});
}

/* Not by DEL, to which the ledger's user has no other need to be entitled. */
static bool send_forget(struct eraser *e)
{
    const struct slice key = counter_key_slice(&e->short_lived[e->n_forgotten]);
    const struct slice argv[] = {slice_of("EXPIRE"), key, slice_of("0")};

    e->key = e->short_lived[e->n_forgotten]; /* what a failure names */
    return redis_link_send(
        e->link, &(struct redis_command){.key = key, .argv = argv, .argc = 3, .ticket = e->round});
}

static bool send_await(struct eraser *e)
{
    struct slice argv[2] = {slice_of("XLEN")};

    counter_key_facts(&e->key, e->shard);
    argv[1] = counter_key_slice(&e->key);
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = argv[1], .argv = argv, .argc = 2, .ticket = e->round});
}

static bool send_list(struct eraser *e)
{
    struct slice argv[2] = {slice_of("GET")};

    counter_key_blocks(&e->key, e->shard, e->brand);
    argv[1] = counter_key_slice(&e->key);
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = argv[1], .argv = argv, .argc = 2, .ticket = e->round});
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
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = argv[1], .argv = argv, .argc = 1 + n, .ticket = e->round});
}

static bool send_hear(struct eraser *e)
{
    char count[12];
    struct slice argv[] = {slice_of("XRANGE"), {NULL, 0},         slice_of(e->heard),
                           slice_of("+"),      slice_of("COUNT"), {NULL, 0}};

    counter_key_told(&e->key, e->shard);
    argv[1] = counter_key_slice(&e->key);
    argv[5] = slice_make(count, (size_t)snprintf(count, sizeof(count), "%d", HEAR_MAX));
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = argv[1], .argv = argv, .argc = 6, .ticket = e->round});
}

static bool send_untell(struct eraser *e)
{
    struct slice argv[2 + HEAR_MAX] = {slice_of("XDEL"), counter_key_slice(&e->key)};

    for (size_t i = 0; i < e->n_told; i++)
        argv[2 + i] = slice_of(e->told[i]);
    return redis_link_send(
        e->link, &(struct redis_command){
                     .key = argv[1], .argv = argv, .argc = 2 + e->n_told, .ticket = e->round});
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
    return redis_link_send(
        e->link,
        &(struct redis_command){.key = argv[1], .argv = argv, .argc = 5, .ticket = e->round});
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
    is_sent = is_sent && redis_link_send(e->link, &(struct redis_command){.key = argv[1],
                                                                          .argv = argv,
                                                                          .argc = 2 + 2 * n,
                                                                          .ticket = e->round});
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
    return redis_link_send(
        e->link, &(struct redis_command){
                     .key = argv[1], .argv = argv, .argc = 2 + e->n_found, .ticket = e->round});
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
    case ERASER_DONE:
    case ERASER_FAILED:
        break;
    }
    return true;
}

static void send_next(struct eraser *e)
{
    if (e->in_flight || e->state == ERASER_DONE || e->state == ERASER_FAILED)
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

static void on_table(struct eraser *e, const struct redisReply *answer)
{
    struct slice table = slice_make(answer->str, answer->len);
    struct table_item item;

    if (answer->type == REDIS_REPLY_NIL) {
        e->n_erased += e->n_lost;
        e->state = ERASER_FORGETTING;
    } else if (answer->type != REDIS_REPLY_STRING || !table_is_sound(table)) {
        fail(e, "holds what is not hopcount's; nothing was changed");
    } else if (!table_find_item(table, e->brand, e->client, &item)) {
        e->n_erased += e->n_lost;
        e->state = ERASER_FORGETTING;
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
        e->n_clicks = 0;
        for (int kind = 0; kind < TABLE_KINDS; kind++)
            e->n_clicks += item.human[kind] + item.automated[kind];
        e->n_lost = 0; /* still there, so it was not */
        e->state = ERASER_REPLACING;
    }
}

/* The next blocks, or behind the last of a shard what is told. */
static void go_on_scanning(struct eraser *e)
{
    e->tries = 0;
    if (e->at < e->n_blocks) {
        e->state = ERASER_SCANNING;
    } else {
        snprintf(e->heard, sizeof(e->heard), "-");
        e->state = ERASER_HEARING;
    }
}

/* The next entries of the stream, or the next shard. */
static void go_on_hearing(struct eraser *e)
{
    e->tries = 0;
    if (!e->is_heard) {
        e->state = ERASER_HEARING;
    } else if (++e->shard < e->n_shards) {
        e->state = ERASER_AWAITING;
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
        e->n_invoices += e->n_lost;
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
    e->n_clicks = n;
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
        finish(e, ERASER_DONE);
    }
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct eraser *e = owner;

    if (ticket != e->round)
        return;
    e->in_flight = false;
    if (!answer) { /* the connection was lost; what happened, reading will tell */
        e->n_lost = e->state == ERASER_REPLACING ? e->n_clicks : 0;
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
    } else if (e->state == ERASER_READING && e->is_block) {
        on_block(e, answer);
    } else if (e->state == ERASER_READING) {
        on_table(e, answer);
    } else if (e->state == ERASER_REPLACING) {
        if (answer->type == REDIS_REPLY_INTEGER && answer->integer == 1)
            *(e->is_block ? &e->n_invoices : &e->n_erased) += e->n_clicks;
        e->state = ERASER_READING;
    } else if (e->state == ERASER_FORGETTING && ++e->n_forgotten == SHORT_LIVED) {
        e->is_block = true;
        e->state = ERASER_AWAITING;
    } else if (e->state == ERASER_LISTING) {
        on_list(e, answer);
    } else if (e->state == ERASER_SCANNING) {
        on_scanned(e, answer);
    } else if (e->state == ERASER_HEARING) {
        on_heard(e, answer);
    } else if (e->state == ERASER_UNTELLING) {
        /* Not what was answered: after a lost answer the entries are gone already. */
        e->n_requests += (int64_t)e->n_told;
        go_on_hearing(e);
    } else if (e->state == ERASER_AUDITING) {
        on_audit(e, answer);
    } else if (e->state == ERASER_ANONYMIZING) {
        e->state = ERASER_DROPPING;
    } else if (e->state == ERASER_DROPPING) {
        e->n_entries += (int64_t)e->n_found;
        e->state = ERASER_AUDITING;
    } else if (e->state == ERASER_RECORDING) {
        finish(e, ERASER_DONE);
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

/* --- the command --- */

static bool run_loop(struct eraser *e)
{
    const struct timeval limit = {.tv_sec = PATIENCE_S}, pause = {.tv_usec = RETRY_MS * 1000};
    struct event *try_again = event_new(e->base, -1, EV_PERSIST, on_try, e);

    if (!try_again || event_add(try_again, &pause) != 0 ||
        event_base_loopexit(e->base, &limit) != 0) {
        error_set(e->err, "out of memory");
        e->state = ERASER_FAILED;
    } else {
        event_base_dispatch(e->base);
    }
    if (try_again)
        event_free(try_again);
    if (e->state == ERASER_AWAITING && !redis_link_cause(e->link)[0])
        error_set(
            e->err,
            "clicks wait in %s to be added to invoices, which a running hopcountd does: start "
            "one, then call this again",
            e->key.text);
    else if (e->state != ERASER_DONE && e->state != ERASER_FAILED)
        error_set(e->err, "Redis does not answer: %s",
                  redis_link_cause(e->link)[0] ? redis_link_cause(e->link) : "no answer in time");
    return e->state == ERASER_DONE;
}

/* The private redis-server of a configuration without redis.url has its socket in state_dir. */
static char *find_url(const struct config *config)
{
    char *private_url = NULL, *url;

    if (!config->redis.url &&
        asprintf(&private_url, "unix://%s/redis/redis.sock", config->state_dir) < 0)
        return NULL;
    url = redis_settings_url(&config->redis, private_url);
    free(private_url);
    return url;
}

static bool erase(struct eraser *e, const struct config *config)
{
    struct redis_link_options link = {
        .url = find_url(config),
        .name = "hopcount-cli",
        .timeout_ms = config->redis.timeout_ms,
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = ANSWER_ELEMENTS},
        .owner = e,
        .on_answer = on_answer};
    bool ok = false;

    e->n_shards = (unsigned)config->redis.shards;
    counter_key_table(&e->key, COUNTER_CLIENTS, counter_bucket_of_item(e->brand, e->client),
                      (unsigned)config->redis.shards);
    counter_key_siblings(&e->short_lived[0], e->brand, e->client, (unsigned)config->redis.shards);
    counter_key_claims(&e->short_lived[1], e->brand, e->client, (unsigned)config->redis.shards);
    e->told = calloc(HEAR_MAX, sizeof(*e->told));
    e->base = event_base_new();
    if (!link.url || !e->base || !e->told)
        error_set(e->err, "out of memory");
    else if ((e->link = redis_link_new(e->base, &link, e->err)) != NULL)
        ok = run_loop(e);
    redis_link_free(e->link);
    event_loop_free(e->base);
    free((char *)link.url);
    free(e->table);
    free(e->blocks);
    free(e->told);
    forget_found(e);
    return ok;
}

static bool find_brand(const struct config *config, const char *name, struct eraser *out,
                       struct error *err)
{
    if (!name && config->n_brands != 1) {
        error_set(err, "--brand: which one? The configuration has several");
        return false;
    }
    for (unsigned i = 0; i < config->n_brands; i++) {
        if (!name || strcmp(config->brands[i].name, name) == 0) {
            out->brand = click_brand_id(slice_of(config->brands[i].name));
            out->brand_name = config->brands[i].name;
            return true;
        }
    }
    error_set(err, "--brand: the configuration has no brand '%s'", name);
    return false;
}

/* The entry of the audit log: without the client's number, of course. */
static void describe_erasure(struct eraser *e, const struct config *config)
{
    const struct passwd *user = getpwuid(getuid());
    char host[256] = "", who[2 * AUDIT_WHO_MAX];

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    snprintf(who, sizeof(who), "%.60s@%.64s", user ? user->pw_name : "-", host);
    e->is_audited = config->admin.audit_days > 0;
    e->own = (struct audit_entry){.action = AUDIT_ERASE, .n = 1};
    randombytes_buf(&e->own.id, sizeof(e->own.id));
    audit_set_text(e->own.who, sizeof(e->own.who), slice_of(who));
    audit_set_text(e->own.brand, sizeof(e->own.brand), slice_of(e->brand_name));
    audit_entry_erase_client(&e->own);
}

/* What Redis has nothing of the sinks may have. */
static bool tell_sinks(const struct eraser *e, const struct config *config)
{
    const struct sink_erasure erasure = {
        .brand = e->brand, .client = e->client, .at_ms = clock_wall_ms()};

    if (config->n_sinks == 0)
        return true;
    if (!sink_erasures_leave(config->state_dir, &erasure, e->err))
        return false;
    printf("client %" PRIu32 ": the sinks are told as soon as hopcountd runs\n", e->client);
    return true;
}

static int run_erase(const struct cli_args *args)
{
    const char *path = args->value[ERASE_CONFIG], *client = args->value[ERASE_CLIENT];
    struct error err = {0};
    struct eraser e = {.err = &err};
    struct config *config;
    int status = CLI_OK;

    if (args->n_words > 0)
        return cli_usage(&cli_erase, "'%s' is one word too many", args->words[0]);
    if (!number_parse_u32(slice_of(client), UINT32_MAX, &e.client) || e.client == 0)
        return cli_usage(&cli_erase, "--client: a number from 1 to %u is needed", UINT32_MAX);
    config = config_load(path ? path : CONFIG_OPTION_DEFAULT, &err);
    if (!config)
        return cli_fail_error(&err);
    log_set_level(LOG_LEVEL_ERROR); /* a link that is down is told once, by us */
    if (!find_brand(config, args->value[ERASE_BRAND], &e, &err) ||
        (config->n_sinks > 0 && !sink_erasures_check(config->state_dir, &err))) {
        status = cli_fail_error(&err);
        goto out;
    }
    describe_erasure(&e, config);
    if (!erase(&e, config)) {
        status = cli_fail_error(&err);
        goto out;
    }
    if (e.n_erased == 0 && e.n_invoices == 0 && e.n_requests == 0 && e.n_entries == 0) {
        printf("client %" PRIu32 ": nothing is counted\n", e.client);
    } else {
        printf("client %" PRIu32 ": %" PRId64 " click%s", e.client, e.n_erased,
               e.n_erased == 1 ? "" : "s");
        if (e.n_invoices > 0)
            printf(", %" PRId64 " invoice%s", e.n_invoices, e.n_invoices == 1 ? "" : "s");
        if (e.n_requests > 0)
            printf(", %" PRId64 " request%s", e.n_requests, e.n_requests == 1 ? "" : "s");
        if (e.n_entries > 0)
            printf(", %" PRId64 " entr%s of the audit log", e.n_entries,
                   e.n_entries == 1 ? "y" : "ies");
        printf(" erased\n");
    }
    if (!tell_sinks(&e, config))
        status = cli_fail_error(&err);
out:
    config_free(config);
    return status;
}

const struct cli_command cli_erase = {
    .name = "erase",
    .usage = "-c FILE --client N [--brand NAME]",
    .summary = "takes a client's counters out of Redis, and tells the sinks",
    .notes =
        "Erases what is counted of the client, what is kept of its invoices (mails, clicks,\n"
        "payments), what it asked for on pages of ours, and what the pods have told one another\n"
        "of its clicks; afterwards nothing in Redis names it, but for an opt-out, which stays.\n"
        "The audit log keeps that somebody was erased, by whom and when, without the number.\n"
        "Sums over clients (campaigns, objects, links, distinct clients) stay, and so do the\n"
        "client's links: nothing is revoked. Click logs name the client until they are deleted,\n"
        "which is ledger.retain_s after Redis has them: a click not applied yet is counted when\n"
        "it is, so repeat this once that time has passed. With sinks: in the configuration each\n"
        "sink gets a record client.erased; for that, run it as the user of hopcountd where its\n"
        "state_dir is.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_erase,
};
