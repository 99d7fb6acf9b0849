/* fake_redis.h - a Redis server and the connection to it, for tests of the ledger's turns.
 *
 * Stands in for redis_link.c (a test program that includes this file links no other).  Commands are
 * queued when they are sent and run when the test calls fake_redis_answer(), one at a time, so that
 * a test decides what happens between any two.  Keys are strings; the batch script is done in C as
 * FORMATS.md "Batch" describes it: cursor, then appends to tables.
 */
#ifndef TESTS_FAKE_REDIS_H
#define TESTS_FAKE_REDIS_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/hll.h"
#include "proto/table.h"
#include "proto/waiting.h"
#include "service/ledger/ledger_state.h"
#include "service/ledger/ledger_turn.h"
#include "service/redis/redis_link.h"

enum { FAKE_KEYS_MAX = 16384, FAKE_ARGS_MAX = 4096, FAKE_QUEUE_MAX = 512 };

struct fake_text {
    char *ptr;
    size_t len;
};

struct fake_key {
    struct fake_text name, value;
};

struct fake_command {
    uint64_t ticket;
    size_t argc;
    struct fake_text *argv;
};

/* What happens to the command that is answered next. */
enum fake_fault {
    FAKE_WELL,
    FAKE_ANSWER_LOST, /* it runs, the connection breaks */
    FAKE_NOT_RUN,     /* the connection breaks before it runs */
    FAKE_ERROR,       /* refused: server.error says why */
    FAKE_GARBAGE,     /* it runs, and the answer is nonsense */
};

struct fake_keys {
    struct fake_key of[FAKE_KEYS_MAX];
    size_t n;
};

/* The server; a link to it is any pointer that isn't NULL. */
static struct fake_server {
    uint64_t epoch; /* 0: no connection */
    bool knows_script;
    const char *error;
    struct fake_keys keys, replica;
    struct fake_command queue[FAKE_QUEUE_MAX];
    size_t n_queued;
    bool refuses_compacted; /* the key has changed since it was read */
    size_t n_slots_max;     /* the most that people were loaded of, or looked at, at a time */
    unsigned n_asked, n_batches, n_with_script, n_reconnects, n_compacted;
} server;

/* --- what redis_link.h declares --- */

static struct fake_text fake_copy(const void *ptr, size_t len)
{
    struct fake_text text = {malloc(len + 1), len};

    memcpy(text.ptr, ptr, len);
    text.ptr[len] = '\0';
    return text;
}

bool redis_link_send(struct redis_link *link, const struct redis_command *command)
{
    struct fake_command *queued = &server.queue[server.n_queued];

    (void)link;
    if (server.epoch == 0 || server.n_queued == FAKE_QUEUE_MAX)
        return false;
    server.n_queued++;
    queued->ticket = command->ticket;
    queued->argc = command->argc;
    queued->argv = calloc(command->argc, sizeof(*queued->argv));
    for (size_t i = 0; i < command->argc; i++)
        queued->argv[i] = fake_copy(command->argv[i].ptr, command->argv[i].len);
    return true;
}

uint64_t redis_link_epoch(const struct redis_link *link, struct slice key)
{
    (void)link;
    (void)key;
    return server.epoch;
}

void redis_link_reconnect(struct redis_link *link, struct slice key)
{
    (void)link;
    (void)key;
    server.n_reconnects++;
}

const char *redis_link_cause(const struct redis_link *link)
{
    (void)link;
    return server.epoch ? "" : "127.0.0.1:6379: Connection refused";
}

/* --- keys --- */

static struct fake_text *fake_find(const struct fake_text *name)
{
    for (size_t i = 0; i < server.keys.n; i++) {
        if (server.keys.of[i].name.len == name->len &&
            memcmp(server.keys.of[i].name.ptr, name->ptr, name->len) == 0)
            return &server.keys.of[i].value;
    }
    return NULL;
}

static struct fake_text *fake_make(const struct fake_text *name)
{
    struct fake_text *value = fake_find(name);

    if (value)
        return value;
    assert_true(server.keys.n < FAKE_KEYS_MAX);
    server.keys.of[server.keys.n].name = fake_copy(name->ptr, name->len);
    server.keys.of[server.keys.n].value = fake_copy("", 0);
    return &server.keys.of[server.keys.n++].value;
}

static void fake_set(const struct fake_text *name, const struct fake_text *value)
{
    struct fake_text *to = fake_make(name);

    free(to->ptr);
    *to = fake_copy(value->ptr, value->len);
}

static void fake_append(const struct fake_text *name, const void *bytes, size_t len)
{
    struct fake_text *to = fake_make(name);

    to->ptr = realloc(to->ptr, to->len + len + 1);
    memcpy(to->ptr + to->len, bytes, len);
    to->len += len;
}

static void fake_free_keys(struct fake_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        free(keys->of[i].name.ptr);
        free(keys->of[i].value.ptr);
    }
    keys->n = 0;
}

/* The server's data as they are now: what a replica, or the append-only file, has. */
static inline void fake_redis_save(void)
{
    fake_free_keys(&server.replica);
    for (size_t i = 0; i < server.keys.n; i++) {
        const struct fake_key *key = &server.keys.of[i];

        server.replica.of[i].name = fake_copy(key->name.ptr, key->name.len);
        server.replica.of[i].value = fake_copy(key->value.ptr, key->value.len);
    }
    server.replica.n = server.keys.n;
}

/* The server is as it was saved; what came later is lost. */
static inline void fake_redis_restore(void)
{
    struct fake_keys lost = server.keys;

    server.keys = server.replica;
    server.replica = (struct fake_keys){.n = 0};
    fake_free_keys(&lost);
    fake_redis_save();
}

/* --- commands --- */

/* Of a key `hc:{sHH}:…`. */
static unsigned fake_shard_of(const struct fake_text *key)
{
    return (unsigned)strtoul(key->ptr + 5, NULL, 16);
}

static redisReply *fake_answer(int type)
{
    redisReply *answer = calloc(1, sizeof(*answer));

    answer->type = type;
    return answer;
}

static redisReply *fake_integer(long long number)
{
    redisReply *answer = fake_answer(REDIS_REPLY_INTEGER);

    answer->integer = number;
    return answer;
}

static redisReply *fake_string(int type, const void *ptr, size_t len)
{
    redisReply *answer = fake_answer(type);
    struct fake_text copy = fake_copy(ptr, len);

    answer->str = copy.ptr;
    answer->len = len;
    return answer;
}

static redisReply *fake_array(size_t n)
{
    redisReply *answer = fake_answer(REDIS_REPLY_ARRAY);

    answer->elements = n;
    answer->element = calloc(n + 1, sizeof(*answer->element));
    return answer;
}

static void fake_free_answer(redisReply *answer)
{
    if (!answer)
        return;
    for (size_t i = 0; i < answer->elements; i++)
        fake_free_answer(answer->element[i]);
    free(answer->element);
    free(answer->str);
    free(answer);
}

static redisReply *fake_value(const struct fake_text *name)
{
    const struct fake_text *value = fake_find(name);

    return value ? fake_string(REDIS_REPLY_STRING, value->ptr, value->len)
                 : fake_answer(REDIS_REPLY_NIL);
}

static void fake_report(redisReply *grown, const struct fake_text *key, size_t len)
{
    grown->element = realloc(grown->element, (grown->elements + 2) * sizeof(*grown->element));
    grown->element[grown->elements++] = fake_string(REDIS_REPLY_STRING, key->ptr, key->len);
    grown->element[grown->elements++] = fake_integer((long long)len);
}

enum { FAKE_TEXTS = 13 }; /* arguments of a batch before its texts */

/* Appends the batch's tables, whose texts are the first; returns the list of those that have grown
 * over another 4 KiB. */
static redisReply *fake_append_tables(const struct fake_command *command, size_t n_keys, size_t at)
{
    size_t n_tables = strtoul(command->argv[3 + n_keys + 3].ptr, NULL, 10);
    const struct fake_text *texts = &command->argv[3 + n_keys + FAKE_TEXTS];
    redisReply *grown = fake_array(0);

    for (size_t i = 0; i < n_tables; i++, at++) {
        size_t total;

        fake_append(&command->argv[at], texts[i].ptr, texts[i].len);
        total = fake_find(&command->argv[at])->len;
        if (total % 4096 < texts[i].len)
            fake_report(grown, &command->argv[at], total);
    }
    return grown;
}

/* The sorted set of slots is a text of scores, 8 bytes each, which are sorted.  Takes out the slot
 * of the score, and puts it in with that score. */
static void fake_unlist_slot(const struct fake_text *set, uint32_t slot)
{
    struct fake_text *all = fake_make(set), kept = fake_copy(all->ptr, all->len);

    kept.len = 0;
    for (size_t at = 0; at < all->len; at += 8) {
        if (waiting_score_slot(be64_load((const uint8_t *)all->ptr + at)) != slot) {
            memcpy(kept.ptr + kept.len, all->ptr + at, 8);
            kept.len += 8;
        }
    }
    fake_set(set, &kept);
    free(kept.ptr);
}

static int fake_by_score(const void *left, const void *right)
{
    return memcmp(left, right, 8);
}

static void fake_list_slot(const struct fake_text *set, uint64_t score)
{
    uint8_t listed[8];

    fake_unlist_slot(set, waiting_score_slot(score));
    be64_store(listed, score);
    fake_append(set, listed, sizeof(listed));
    qsort(fake_find(set)->ptr, fake_find(set)->len / 8, 8, fake_by_score);
}

/* people_slots.lua. */
static redisReply *fake_list_slots(const struct fake_command *command, size_t n_keys)
{
    const struct fake_text *all = fake_make(&command->argv[3 + 1]);
    uint64_t from = strtoull(command->argv[3 + n_keys + 1].ptr, NULL, 10);
    size_t n_max = strtoul(command->argv[3 + n_keys + 2].ptr, NULL, 10), n = 0;
    redisReply *answer = fake_array(1 + n_max);

    answer->element[n++] = fake_integer(1);
    for (size_t at = 0; at < all->len && n <= n_max; at += 8) {
        uint64_t score = be64_load((const uint8_t *)all->ptr + at);

        if (score >= from)
            answer->element[n++] = fake_integer((long long)score);
    }
    answer->elements = n;
    if (n - 1 > server.n_slots_max)
        server.n_slots_max = n - 1;
    return answer;
}

/* Appends the texts of the batch's people, which come behind those of tables, to the key of each
 * slot, and the slots to their list. */
static void fake_append_people(const struct fake_command *command, size_t n_keys)
{
    const struct fake_text *packed = &command->argv[3 + n_keys + 5];
    const uint8_t *bytes = (const uint8_t *)packed->ptr;
    const struct fake_text *text = &command->argv[3 + n_keys + FAKE_TEXTS] +
                                   strtoul(command->argv[3 + n_keys + 3].ptr, NULL, 10);

    for (size_t used = 5; used < packed->len; text++) {
        struct counter_key key;
        struct fake_text name = {.ptr = key.text};
        unsigned slot = bytes[used] == 0xce ? be32_load(bytes + used + 1) : bytes[used];

        used += bytes[used] == 0xce ? 5 : 1;
        counter_key_waiting(&key, fake_shard_of(&command->argv[3]), slot);
        name.len = key.len;
        fake_append(&name, text->ptr, text->len);
        fake_list_slot(&command->argv[3 + 4], waiting_score(slot, fake_find(&name)->len));
    }
}

static void fake_note_person(const struct fake_text *key, const void *person, size_t len)
{
    struct fake_text *known = fake_make(key);

    for (size_t at = 0; at < known->len; at += len) {
        if (memcmp(known->ptr + at, person, len) == 0)
            return;
    }
    fake_append(key, person, len);
}

/* Adds people to a key, each once; answers how much of `bytes` they are. */
static size_t fake_note_people(const struct fake_text *key, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    for (; n > 0; n--) {
        size_t len = bytes[used + 1];

        fake_note_person(key, bytes + used + 2, len);
        used += 2 + len;
    }
    return used;
}

/* The HyperLogLog of an hour whose people could be in a day's string. */
static void fake_hour_key(struct counter_key *hour_key, const struct fake_text *day, unsigned hour)
{
    int len = snprintf(hour_key->text, sizeof(hour_key->text), "%.10s%s%02u", day->ptr,
                       day->ptr + 11, hour);

    assert_memory_equal(day->ptr + 7, "}:uh:", 5);
    hour_key->len = (size_t)len;
}

/* A record for each of the people who follow. */
static void fake_check_records(const uint8_t *records, unsigned hour, const uint8_t *bytes,
                               size_t n)
{
    for (; n > 0; n--, records += HLL_RECORD_LEN, bytes += 2 + bytes[1]) {
        struct slice element = slice_make((const char *)bytes + 2, bytes[1]);

        assert_int_equal(be32_load(records), hll_record(hour, element));
    }
}

/* people_add.lua, as if no day's string were small: a HyperLogLog is a text of all clients'
 * numbers, each once. */
static redisReply *fake_add_people(const struct fake_command *command, size_t n_keys)
{
    const struct fake_text *packed = &command->argv[3 + n_keys + 5];
    const uint8_t *bytes = (const uint8_t *)packed->ptr;
    redisReply *answer = fake_array(3);
    size_t used = 5;

    for (size_t k = 3, n_of_run; k < n_keys; k += n_of_run) {
        size_t n = bytes[used] == 0xce ? be32_load(bytes + used + 1) : bytes[used];
        const struct fake_text *keys = &command->argv[3 + k];
        struct counter_key hour_key;
        size_t records_len, people_len = 0;
        unsigned hour;

        used += bytes[used] == 0xce ? 5 : 1;
        n_of_run = bytes[used++];
        assert_in_range(n_of_run, 2, 3);
        hour = bytes[used++];
        assert_in_range(hour, 0, 23);
        records_len = bytes[used] == 0xda ? be16_load(bytes + used + 1) : 0;
        assert_int_equal(records_len, n_of_run == 3 && n <= 512 ? n * HLL_RECORD_LEN : 0);
        used += (records_len > 0 ? 3U : 2U) + records_len;
        fake_check_records(bytes + used - records_len, hour, bytes + used,
                           records_len / HLL_RECORD_LEN);
        for (size_t i = 0; i < n_of_run; i++) {
            struct fake_text name = keys[i];

            if (n_of_run == 3 && i == 0) {
                fake_hour_key(&hour_key, &keys[i], hour);
                name = (struct fake_text){hour_key.text, hour_key.len};
            }
            people_len = fake_note_people(&name, bytes + used, n);
        }
        used += people_len;
    }
    assert_int_equal(used, packed->len);
    answer->element[0] = fake_integer(1);
    answer->element[1] = fake_integer(0);
    answer->element[2] = fake_string(REDIS_REPLY_STRING, "", 0);
    return answer;
}

/* people_done.lua. */
static redisReply *fake_end_slots(const struct fake_command *command, size_t n_keys)
{
    redisReply *answer = fake_array(1);

    for (size_t i = 2; i < n_keys; i++) {
        const struct fake_text *slot = &command->argv[3 + n_keys + 2 + 4 * (i - 2)];
        const struct fake_text *key = &command->argv[3 + i];
        struct fake_text *value = fake_find(key);
        size_t len = strtoul(slot[1].ptr, NULL, 10);

        if ((value ? value->len : 0) != len ||
            (len > 0 && memcmp(value->ptr + len - slot[2].len, slot[2].ptr, slot[2].len) != 0))
            continue;
        if (value)
            fake_set(key, &slot[3]);
        fake_unlist_slot(&command->argv[3 + 1], (uint32_t)strtoul(slot->ptr, NULL, 10));
    }
    answer->element[0] = fake_integer(1);
    return answer;
}

static redisReply *fake_run_people(const struct fake_command *command)
{
    size_t n_keys = command->argc > 2 ? strtoul(command->argv[2].ptr, NULL, 10) : 0;
    const struct fake_text *shards;
    redisReply *answer;

    if (strcmp(command->argv[0].ptr, "MGET") == 0) {
        answer = fake_array(command->argc - 1);
        for (size_t i = 1; i < command->argc; i++)
            answer->element[i - 1] = fake_value(&command->argv[i]);
        if (command->argc - 1 > server.n_slots_max)
            server.n_slots_max = command->argc - 1;
        return answer;
    }
    shards = fake_find(&command->argv[3]);
    if (!shards || strcmp(shards->ptr, command->argv[3 + n_keys].ptr) != 0) {
        answer = fake_array(1);
        answer->element[0] = fake_integer(0);
        return answer;
    }
    /* Its second key is the set of slots, or what is set aside. */
    if (strcmp(strchr(command->argv[4].ptr, '}'), "}:ws") != 0)
        return fake_add_people(command, n_keys);
    return strcmp(strchr(command->argv[5].ptr, '}'), "}:wq") == 0 ? fake_list_slots(command, n_keys)
                                                                  : fake_end_slots(command, n_keys);
}

/* compact.lua: replaces the first part of a key, if it is still what was read. */
static redisReply *fake_run_compact(const struct fake_command *command)
{
    const struct fake_text *key = &command->argv[3], *compacted = &command->argv[6];
    struct fake_text *value = fake_find(key);
    size_t len = strtoul(command->argv[5].ptr, NULL, 10);
    struct fake_text rest;

    if (!value || value->len < len || server.refuses_compacted)
        return fake_integer(0);
    rest = fake_copy(value->ptr + len, value->len - len);
    fake_set(key, compacted);
    fake_append(key, rest.ptr, rest.len);
    free(rest.ptr);
    server.n_compacted++;
    return fake_integer(1);
}

/* merge.lua: moves the first part of what was added to tables into them, if all is what was read,
 * and the number of shards is the sender's. */
static redisReply *fake_run_merge(const struct fake_command *command)
{
    size_t n_keys = strtoul(command->argv[2].ptr, NULL, 10);
    const struct fake_text *keys = &command->argv[3], *args = keys + n_keys;
    const struct fake_text *shards = fake_find(&keys[1]);
    struct fake_text *value = fake_find(&keys[0]);
    size_t len = strtoul(args[1].ptr, NULL, 10);
    struct fake_text rest;

    assert_int_equal(command->argc, 3 + n_keys + 4 + 3 * (n_keys - 2));
    if (!value || value->len < len || server.refuses_compacted || !shards ||
        strcmp(shards->ptr, args[3].ptr) != 0)
        return fake_integer(0);
    for (size_t i = 2; i < n_keys; i++) {
        const struct fake_text *which = &args[3 * i - 2], *table = fake_find(&keys[i]);

        assert_true(which->len == 0 || which->len == TABLE_RECORD_LEN);
        if (which->len != (table ? TABLE_RECORD_LEN : 0) ||
            (table && memcmp(which->ptr, table->ptr, which->len) != 0))
            return fake_integer(0);
    }
    rest = fake_copy(value->ptr + len, value->len - len);
    for (size_t i = 2; i < n_keys; i++) {
        if (args[3 * i].len > 0)
            fake_set(&keys[i], &args[3 * i]);
    }
    fake_set(&keys[0], &args[2]);
    fake_append(&keys[0], rest.ptr, rest.len);
    free(rest.ptr);
    server.n_compacted++;
    return fake_integer(1);
}

static redisReply *fake_run_batch(const struct fake_command *command)
{
    bool has_text = strcmp(command->argv[0].ptr, "EVAL") == 0;
    size_t n_keys = strtoul(command->argv[2].ptr, NULL, 10);
    const struct fake_text *from = &command->argv[3 + n_keys], *to = from + 1;
    const struct fake_text *cursor = fake_find(&command->argv[3]);
    redisReply *answer;

    server.n_with_script += has_text;
    if (!has_text && !server.knows_script)
        return fake_string(REDIS_REPLY_ERROR, "NOSCRIPT No matching script.", 28);
    server.knows_script = true;
    if (strcmp(cursor ? cursor->ptr : "0", from->ptr) != 0) {
        answer = fake_array(2);
        answer->element[0] = fake_integer(0);
        answer->element[1] = cursor ? fake_string(REDIS_REPLY_STRING, cursor->ptr, cursor->len)
                                    : fake_string(REDIS_REPLY_STRING, "0", 1);
        return answer;
    }
    server.n_batches++;
    fake_set(&command->argv[3], to);
    answer = fake_array(5);
    answer->element[4] = fake_integer(0);
    answer->element[0] = fake_integer(1);
    answer->element[1] = fake_integer(0);
    answer->element[2] = fake_string(REDIS_REPLY_STRING, "", 0);
    answer->element[3] = fake_append_tables(command, n_keys, 8);
    fake_append_people(command, n_keys);
    return answer;
}

static redisReply *fake_run(const struct fake_command *command)
{
    switch (ledger_ticket_unpack(command->ticket).what) {
    case LEDGER_ASK: {
        redisReply *answer = fake_array(command->argc - 1);

        server.n_asked++;
        for (size_t i = 1; i < command->argc; i++)
            answer->element[i - 1] = fake_value(&command->argv[i]);
        return answer;
    }
    case LEDGER_BATCH:
        return fake_run_batch(command);
    case LEDGER_RENEW:
        return fake_integer(fake_find(&command->argv[1]) != NULL);
    case LEDGER_LAYOUT: {
        redisReply *answer = fake_value(&command->argv[1]);

        if (answer->type == REDIS_REPLY_NIL)
            fake_set(&command->argv[1], &command->argv[2]);
        return answer;
    }
    case LEDGER_AOF_LOOK:
        return fake_string(REDIS_REPLY_STRING, "aof_enabled:0\r\n", 15);
    case LEDGER_FACTS: {
        redisReply *answer = fake_array(2); /* nothing waits */

        answer->element[0] = fake_integer(0);
        answer->element[1] = fake_array(0);
        return answer;
    }
    case LEDGER_PEOPLE:
        return fake_run_people(command);
    case LEDGER_TABLE_READ:
        return fake_value(&command->argv[1]);
    case LEDGER_TABLE_WRITE:
        return fake_run_compact(command);
    case LEDGER_MERGE_READ: { /* MGET; or of the first a part only */
        bool is_part = strcmp(command->argv[0].ptr, "EVAL") == 0;
        size_t first = is_part ? 3 : 1, n_keys = command->argc - first - is_part;
        redisReply *answer = fake_array(n_keys);
        size_t len_max = 48 << 20;

        if (is_part)
            len_max = strtoul(command->argv[first + n_keys].ptr, NULL, 10);
        for (size_t i = 0; i < n_keys; i++)
            answer->element[i] = fake_value(&command->argv[first + i]);
        assert_true(is_part || answer->element[0]->len < len_max);
        if (answer->element[0]->len > len_max)
            answer->element[0]->len = len_max;
        return answer;
    }
    case LEDGER_MERGE_WRITE:
        return fake_run_merge(command);
    default:
        return fake_integer(0);
    }
}

/* The connection is lost: what was sent and not answered gets no answer. */
static inline void fake_redis_disconnect(struct ledger *ledger, int64_t now_ms)
{
    server.epoch = 0;
    for (size_t i = 0; i < server.n_queued; i++) {
        struct fake_command *command = &server.queue[i];

        for (size_t k = 0; k < command->argc; k++)
            free(command->argv[k].ptr);
        free(command->argv);
        ledger_turn_on_answer(ledger, command->ticket, NULL, now_ms);
    }
    server.n_queued = 0;
}

static inline void fake_redis_connect(void)
{
    static uint64_t epochs;

    server.epoch = ++epochs;
}

/* Runs and answers the oldest command; false: there is none. */
static inline bool fake_redis_answer(struct ledger *ledger, enum fake_fault fault, int64_t now_ms)
{
    struct fake_command command;
    redisReply *answer;
    uint64_t ticket;

    if (server.n_queued == 0)
        return false;
    command = server.queue[0];
    ticket = command.ticket;
    if (fault == FAKE_NOT_RUN) {
        fake_redis_disconnect(ledger, now_ms);
        return true;
    }
    answer = fault == FAKE_ERROR
                 ? fake_string(REDIS_REPLY_ERROR, server.error, strlen(server.error))
                 : fake_run(&command);
    if (fault == FAKE_ANSWER_LOST) {
        fake_free_answer(answer);
        fake_redis_disconnect(ledger, now_ms);
        return true;
    }
    if (fault == FAKE_GARBAGE) {
        fake_free_answer(answer);
        answer = fake_string(REDIS_REPLY_STATUS, "QUEUED", 6);
    }
    memmove(server.queue, server.queue + 1, --server.n_queued * sizeof(server.queue[0]));
    for (size_t k = 0; k < command.argc; k++)
        free(command.argv[k].ptr);
    free(command.argv);
    ledger_turn_on_answer(ledger, ticket, answer, now_ms);
    fake_free_answer(answer);
    return true;
}

/* How often the link was counted, over all tables and what was added to them. */
static inline int64_t fake_redis_count(uint64_t link_id)
{
    int64_t n = 0;

    for (size_t i = 0; i < server.keys.n; i++) {
        const struct fake_key *key = &server.keys.of[i];
        struct slice name = slice_make(key->name.ptr, key->name.len), none = {0};
        struct table_link link;
        enum counter_table table;
        unsigned number;

        if ((counter_table_parse(name, &table, &number) ||
             counter_added_parse(name, &table, &number)) &&
            table == COUNTER_LINKS &&
            table_find_link(slice_make(key->value.ptr, key->value.len), none, link_id, &link))
            n += link.human + link.automated;
    }
    return n;
}

/* How many slots the set of a shard lists, */
static inline size_t fake_slots_listed(unsigned shard)
{
    struct counter_key key;
    const struct fake_text *slots;

    counter_key_waiting_slots(&key, shard);
    slots = fake_find(&(struct fake_text){key.text, key.len});
    return slots ? slots->len / 8 : 0;
}

/* and the earliest of them. */
static inline uint32_t fake_first_slot(unsigned shard)
{
    struct counter_key key;

    counter_key_waiting_slots(&key, shard);
    return waiting_score_slot(
        be64_load((const uint8_t *)fake_find(&(struct fake_text){key.text, key.len})->ptr));
}

static inline void fake_redis_clear(void)
{
    fake_free_keys(&server.keys);
    fake_free_keys(&server.replica);
    memset(&server, 0, sizeof(server));
}

#endif
