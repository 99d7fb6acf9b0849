#include "service/cli/reshard_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "proto/number.h"
#include "proto/waiting.h"
#include "service/cli/scan.h"
#include "service/cli/talk.h"

enum {
    DECIMAL_MAX = 24,
    CARRIED_MAX =
        32, /* keys that are copied at a time: tables of some MB, where there are 10^8 links */
    UNEVEN_SAID = 10,
};

static struct slice decimal(char text[static DECIMAL_MAX], int64_t number)
{
    return slice_make(text, (size_t)snprintf(text, DECIMAL_MAX, "%" PRId64, number));
}

/* --- finding keys --- */

/* What to do with a key that was found; false: stop. */
typedef bool on_key(struct reshard_move *move, const struct reshard_key *key, struct slice text);

/* A scan whose keys are handed on with what is to become of them. */
struct reshard_scan {
    struct reshard_move *move;
    on_key *each;
};

static bool look_at(void *owner, struct slice text)
{
    struct reshard_scan *scan = owner;
    struct reshard_key key;

    reshard_look_at(text, &scan->move->n, &key);
    return scan->each(scan->move, &key, text);
}

static bool scan(struct reshard_move *move, struct talk *talk, on_key *each)
{
    struct reshard_scan scan = {.move = move, .each = each};

    return scan_keys(talk, move->n.from > move->n.to ? move->n.from : move->n.to, "hc:*", look_at,
                     &scan);
}

/* --- one value --- */

/* What a key holds, and until when. */
struct value {
    struct talk *talk;
    bool exists, is_text;
    uint8_t *bytes;
    size_t len;
    int64_t expires_ms; /* Unix; -1 = never, -2 = the key is gone */
};

static void on_bytes(void *owner, const struct redisReply *answer)
{
    struct value *value = owner;

    if (answer->type != REDIS_REPLY_STRING)
        return;
    value->bytes = malloc(answer->len + 1);
    if (!value->bytes) {
        talk_fail(value->talk, "out of memory");
        return;
    }
    memcpy(value->bytes, answer->str, answer->len);
    value->len = answer->len;
    value->exists = true;
}

static void on_expiry(void *owner, const struct redisReply *answer)
{
    struct value *value = owner;

    value->expires_ms = answer->type == REDIS_REPLY_INTEGER ? answer->integer : -1;
}

static void value_clear(struct value *value)
{
    free(value->bytes);
    value->bytes = NULL;
    value->len = 0;
    value->exists = false;
}

/* `how` is GET or DUMP; the value is there after talk_wait(). */
static bool ask_value(struct talk *talk, const char *how, struct slice key, struct value *value)
{
    const struct slice expiry[2] = {slice_of("PEXPIRETIME"), key}, get[2] = {slice_of(how), key};

    *value = (struct value){.talk = talk, .expires_ms = -1, .is_text = strcmp(how, "GET") == 0};
    return talk_send(talk, key, expiry, 2, on_expiry, value) &&
           talk_send(talk, key, get, 2, on_bytes, value);
}

/* Both overwrite what is there. */
static bool put_value(struct talk *talk, struct slice key, const struct value *value)
{
    char at[DECIMAL_MAX];
    struct slice bytes = slice_make((const char *)value->bytes, value->len);
    const struct slice set[5] = {slice_of("SET"), key, bytes, slice_of("PXAT"),
                                 decimal(at, value->expires_ms)};
    const struct slice restore[6] = {
        slice_of("RESTORE"), key, slice_of("0"), bytes, slice_of("REPLACE"), slice_of("ABSTTL")};
    struct slice until[6];

    if (value->is_text)
        return talk_send(talk, key, set, value->expires_ms < 0 ? 3 : 5, NULL, NULL);
    memcpy(until, restore, sizeof(until));
    if (value->expires_ms >= 0)
        until[2] = set[4];
    return talk_send(talk, key, until, 6, NULL, NULL);
}

/* --- keys that are copied as they are --- */

/* From one shard to one, or to several that are parts of it. */
struct carried {
    struct counter_key from, name; /* `name` has no shard */
    unsigned first, n_parts;
    bool is_event, is_staged;
    struct value value;
};

struct reshard_copier {
    struct carried carried[CARRIED_MAX];
    size_t n;
};

static bool put_carried(struct reshard_move *move, struct carried *c)
{
    unsigned shard;

    if (!c->value.exists)
        return true; /* it has expired meanwhile */
    if (c->is_event && reshard_event_shard(slice_make((const char *)c->value.bytes, c->value.len),
                                           move->n.to, &shard)) {
        c->first = shard;
        c->n_parts = 1;
    }
    move->n_keys++;
    move->n_bytes += c->value.len;
    for (unsigned t = c->first; t < c->first + c->n_parts; t++) {
        struct counter_key to;

        if (!reshard_make_key(&to, t, slice_make(c->name.text, c->name.len), c->is_staged))
            continue; /* it was read from Redis under a name as long */
        if (move->source == move->target && strcmp(to.text, c->from.text) == 0)
            continue;
        if (!put_value(move->target, counter_key_slice(&to), &c->value))
            return false;
    }
    return true;
}

/* Writes what was asked for. */
static bool flush(struct reshard_move *move)
{
    struct reshard_copier *copier = move->copier;
    bool ok = talk_wait(move->source);

    for (size_t i = 0; ok && i < copier->n; i++)
        ok = put_carried(move, &copier->carried[i]);
    ok = ok && talk_wait(move->target);
    for (size_t i = 0; i < copier->n; i++)
        value_clear(&copier->carried[i].value);
    copier->n = 0;
    return ok;
}

static void keep_key(struct counter_key *out, struct slice text)
{
    out->len = text.len < sizeof(out->text) ? text.len : sizeof(out->text) - 1;
    memcpy(out->text, text.ptr, out->len);
    out->text[out->len] = '\0';
}

static bool carry(struct reshard_move *move, const struct reshard_key *key, struct slice text,
                  const struct carried *how)
{
    struct carried *c;

    if (move->copier->n == CARRIED_MAX && !flush(move))
        return false;
    c = &move->copier->carried[move->copier->n++];
    *c = *how;
    keep_key(&c->from, text);
    keep_key(&c->name, key->name);
    return ask_value(move->source, c->is_event ? "GET" : "DUMP", counter_key_slice(&c->from),
                     &c->value);
}

/* --- keys that every shard has: parted, or put together --- */

/* The shards of the old number that become one with `shard`: from `*first` to below `*end`. */
static void siblings(const struct reshard_move *move, unsigned shard, unsigned *first,
                     unsigned *end)
{
    unsigned n = move->n.from / move->n.to;

    *first = shard / n * n;
    *end = *first + n;
}

static bool get_of_shard(struct reshard_move *move, const struct reshard_key *key, unsigned shard,
                         struct value *out)
{
    struct counter_key from;

    *out = (struct value){.expires_ms = -1};
    return !reshard_make_key(&from, shard, key->name, false) ||
           (ask_value(move->source, "GET", counter_key_slice(&from), out) &&
            talk_wait(move->source));
}

static void on_exists(void *owner, const struct redisReply *answer)
{
    *(bool *)owner = *(bool *)owner || (answer->type == REDIS_REPLY_INTEGER && answer->integer > 0);
}

/* Of shards that become one the first that has the key is the one that it is put together for. */
static bool is_done_by_another(struct reshard_move *move, const struct reshard_key *key, bool *out)
{
    unsigned first, end;

    siblings(move, key->shard, &first, &end);
    *out = false;
    for (unsigned s = first; s < key->shard; s++) {
        struct counter_key other;
        struct slice argv[2] = {slice_of("EXISTS")};

        if (!reshard_make_key(&other, s, key->name, false))
            continue;
        argv[1] = counter_key_slice(&other);
        if (!talk_send(move->source, argv[1], argv, 2, on_exists, out))
            return false;
    }
    return talk_wait(move->source);
}

/* Puts a text that was made into the shard, staged. */
static bool stage(struct reshard_move *move, const struct reshard_key *key, unsigned shard,
                  struct value *value)
{
    struct counter_key to;

    move->n_keys++;
    move->n_bytes += value->len;
    value->is_text = true;
    return !reshard_make_key(&to, shard, key->name, true) ||
           (put_value(move->target, counter_key_slice(&to), value) && talk_wait(move->target));
}

static bool append(struct value *all, const struct value *more)
{
    uint8_t *bytes = realloc(all->bytes, all->len + more->len + 1);

    if (!bytes) {
        talk_fail(all->talk, "out of memory");
        return false;
    }
    memcpy(bytes + all->len, more->bytes, more->len);
    all->bytes = bytes;
    all->len += more->len;
    if (!all->exists || more->expires_ms < 0 ||
        (all->expires_ms >= 0 && more->expires_ms > all->expires_ms))
        all->expires_ms = more->expires_ms;
    all->exists = true;
    return true;
}

/* Of a list of blocks, and of people who wait, each part of the shard gets its own. */
static bool split_list(struct reshard_move *move, const struct reshard_key *key)
{
    unsigned n_parts, first = reshard_parts(key->shard, &move->n, &n_parts);
    struct value all;
    bool ok = get_of_shard(move, key, key->shard, &all);

    for (unsigned t = first; ok && all.exists && t < first + n_parts; t++) {
        struct value part = {.talk = move->source};

        ok = append(&part, &all);
        if (ok && key->what == RESHARD_BLOCKS)
            part.len = reshard_keep_blocks(part.bytes, part.len, key->brand, t, move->n.to);
        else if (ok)
            part.len = waiting_keep_shard(part.bytes, part.len, t, move->n.to);
        ok = ok && (part.len == 0 || stage(move, key, t, &part));
        value_clear(&part);
    }
    value_clear(&all);
    return ok;
}

/* Texts of shards that become one, one behind the other. */
static bool join_texts(struct reshard_move *move, const struct reshard_key *key)
{
    struct value all = {.talk = move->source};
    unsigned first, end, n_parts;
    bool ok = true;

    siblings(move, key->shard, &first, &end);
    for (unsigned s = first; ok && s < end; s++) {
        struct value one;

        ok = get_of_shard(move, key, s, &one);
        if (ok && one.exists) {
            if (key->what == RESHARD_SUMS)
                one.len = reshard_drop_heads(one.bytes, one.len);
            ok = append(&all, &one);
        }
        value_clear(&one);
    }
    ok = ok &&
         (!all.exists || stage(move, key, reshard_parts(key->shard, &move->n, &n_parts), &all));
    value_clear(&all);
    return ok;
}

/* --- hashes, sorted sets and streams of shards that become one --- */

/* Their parts, in the order in which they came: field and number, member and score; or id, name and
 * value. */
struct parts {
    struct talk *talk;
    struct part {
        char *text;
        size_t len;
        uint64_t ms, seq; /* of an entry of a stream */
    } * all;
    size_t n;
};

static void parts_clear(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        free(parts->all[i].text);
    free(parts->all);
}

static struct part *add_part(struct parts *parts, const struct redisReply *text)
{
    struct part *all = parts->all;

    if ((parts->n & (parts->n - 1)) == 0)
        all = realloc(all, (parts->n ? 2 * parts->n : 1) * sizeof(*all));
    if (all) {
        parts->all = all;
        all[parts->n] = (struct part){.text = malloc(text->len + 1), .len = text->len};
        if (all[parts->n].text) {
            memcpy(all[parts->n].text, text->str, text->len);
            return &all[parts->n++];
        }
    }
    talk_fail(parts->talk, "out of memory");
    return NULL;
}

/* The answer to HGETALL, or to ZRANGE with scores. */
static void on_fields(void *owner, const struct redisReply *answer)
{
    struct parts *parts = owner;

    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        if (!add_part(parts, answer->element[i]))
            return;
    }
}

/* The answer to XRANGE: {{id, {name, value}}, …}. */
static void on_entries(void *owner, const struct redisReply *answer)
{
    struct parts *parts = owner;

    for (size_t i = 0; answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const struct redisReply *entry = answer->element[i];
        struct part *part;

        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
            entry->element[1]->type != REDIS_REPLY_ARRAY || entry->element[1]->elements != 2)
            continue;
        part = add_part(parts, entry->element[1]->element[1]);
        if (!part)
            return;
        sscanf(entry->element[0]->str, "%" SCNu64 "-%" SCNu64, &part->ms, &part->seq);
    }
}

static int by_id(const void *left, const void *right)
{
    const struct part *a = left, *b = right;

    if (a->ms != b->ms)
        return a->ms < b->ms ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* Adds numbers to the fields of a hash; or members to a sorted set with their scores, so that a
 * slot of several shards is listed once. */
static bool write_pairs(struct reshard_move *move, struct slice to, const struct parts *parts,
                        bool is_set)
{
    for (size_t i = 0; i + 1 < parts->n; i += 2) {
        const struct part *part = &parts->all[i];
        struct slice name = slice_make(part[0].text, part[0].len);
        struct slice number = slice_make(part[1].text, part[1].len);
        const struct slice argv[4] = {slice_of(is_set ? "ZADD" : "HINCRBY"), to,
                                      is_set ? number : name, is_set ? name : number};

        if (!talk_send(move->target, to, argv, 4, NULL, NULL))
            return false;
    }
    return true;
}

/* In the order of their ids; of two with the same id the second gets the next one. */
static bool write_entries(struct reshard_move *move, struct slice to, struct parts *parts)
{
    if (parts->n > 1)
        qsort(parts->all, parts->n, sizeof(*parts->all), by_id);
    for (size_t i = 0; i < parts->n; i++) {
        struct part *part = &parts->all[i];
        const struct part *last = i > 0 ? part - 1 : part;
        struct slice argv[5] = {
            slice_of("XADD"), to, {NULL, 0}, slice_of("e"), slice_make(part->text, part->len)};
        char id[2 * DECIMAL_MAX];

        if (i > 0 && by_id(part, last) <= 0) {
            part->ms = last->ms;
            part->seq = last->seq + 1;
        }
        snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, part->ms, part->seq);
        argv[2] = slice_of(id);
        if (!talk_send(move->target, to, argv, 5, NULL, NULL))
            return false;
    }
    return true;
}

static bool join_parts(struct reshard_move *move, const struct reshard_key *key)
{
    struct slice hash[2] = {slice_of("HGETALL")};
    struct slice set[5] = {
        slice_of("ZRANGE"), {NULL, 0}, slice_of("0"), slice_of("-1"), slice_of("WITHSCORES")};
    struct slice stream[4] = {slice_of("XRANGE"), {NULL, 0}, slice_of("-"), slice_of("+")};
    const struct slice *read = key->what == RESHARD_TOLD    ? stream
                               : key->what == RESHARD_SLOTS ? set
                                                            : hash;
    size_t argc = read == stream ? 4 : read == set ? 5 : 2;
    struct slice expiry[2] = {slice_of("PEXPIRETIME")}, drop[2] = {slice_of("UNLINK")};
    struct value value = {.expires_ms = -1};
    struct parts parts = {.talk = move->source};
    struct counter_key from, to;
    unsigned first, end, n_parts;
    char at[DECIMAL_MAX];
    bool ok = true;

    siblings(move, key->shard, &first, &end);
    for (unsigned s = first; ok && s < end; s++) {
        if (!reshard_make_key(&from, s, key->name, false))
            continue;
        hash[1] = set[1] = stream[1] = expiry[1] = counter_key_slice(&from);
        ok = talk_send(move->source, hash[1], read, argc, read == stream ? on_entries : on_fields,
                       &parts) &&
             (s != key->shard || talk_send(move->source, hash[1], expiry, 2, on_expiry, &value)) &&
             talk_wait(move->source);
    }
    ok =
        ok && reshard_make_key(&to, reshard_parts(key->shard, &move->n, &n_parts), key->name, true);
    if (ok) {
        /* What an interrupted attempt has left would be added to. */
        drop[1] = counter_key_slice(&to);
        ok = talk_send(move->target, drop[1], drop, 2, NULL, NULL) &&
             (read == stream ? write_entries(move, drop[1], &parts)
                             : write_pairs(move, drop[1], &parts, read == set));
    }
    if (ok && value.expires_ms >= 0) {
        const struct slice argv[3] = {slice_of("PEXPIREAT"), drop[1],
                                      decimal(at, value.expires_ms)};

        ok = talk_send(move->target, drop[1], argv, 3, NULL, NULL);
    }
    move->n_keys++;
    ok = ok && talk_wait(move->target);
    parts_clear(&parts);
    return ok;
}

/* --- the steps --- */

/* A key that every shard has. */
static bool copy_of_each(struct reshard_move *move, const struct reshard_key *key,
                         struct slice text)
{
    struct carried how = {.is_staged = true};
    bool is_done;

    how.first = reshard_parts(key->shard, &move->n, &how.n_parts);
    if (move->n.to >= move->n.from) {
        if (key->what == RESHARD_BLOCKS || key->what == RESHARD_WAITING)
            return split_list(move, key);
        if (key->what != RESHARD_CURSOR && key->what != RESHARD_SLOTS && key->what != RESHARD_LIST)
            how.n_parts = 1; /* all shards are added up: the first part has all */
        return carry(move, key, text, &how);
    }
    if (!is_done_by_another(move, key, &is_done))
        return false;
    if (is_done)
        return true;
    if (key->what == RESHARD_CURSOR)
        return carry(move, key, text, &how);
    return key->what == RESHARD_TALLY || key->what == RESHARD_TOLD || key->what == RESHARD_SLOTS
               ? join_parts(move, key)
               : join_texts(move, key);
}

static bool copy_key(struct reshard_move *move, const struct reshard_key *key, struct slice text)
{
    struct carried whole = {.first = key->to, .n_parts = 1};
    struct carried event = {.is_event = true};

    switch (key->what) {
    case RESHARD_ALONE:
    case RESHARD_DROPPED:
    case RESHARD_STAGED:
        return true;
    case RESHARD_WHOLE:
        /* What is elsewhere than the old number says is a copy that we have made. */
        return key->shard != key->from || (key->from == key->to && move->source == move->target) ||
               carry(move, key, text, &whole);
    case RESHARD_EVENT:
        event.first = reshard_parts(key->shard, &move->n, &event.n_parts);
        return key->shard >= move->n.from || carry(move, key, text, &event);
    case RESHARD_CURSOR:
    case RESHARD_BLOCKS:
    case RESHARD_WAITING:
    case RESHARD_SLOTS:
    case RESHARD_LIST:
    case RESHARD_SUMS:
    case RESHARD_TALLY:
    case RESHARD_TOLD:
        return key->shard >= move->n.from || copy_of_each(move, key, text);
    }
    return true;
}

bool reshard_copy(struct reshard_move *move)
{
    bool ok;

    move->copier = calloc(1, sizeof(*move->copier));
    if (!move->copier) {
        talk_fail(move->source, "out of memory");
        return false;
    }
    ok = scan(move, move->source, copy_key) && flush(move);
    for (size_t i = 0; i < move->copier->n; i++)
        value_clear(&move->copier->carried[i].value);
    free(move->copier);
    move->copier = NULL;
    return ok;
}

static bool delete_key(struct reshard_move *move, const struct reshard_key *key, struct slice text)
{
    const struct slice argv[2] = {slice_of("UNLINK"), text};

    switch (key->what) {
    case RESHARD_ALONE:
    case RESHARD_STAGED:
        return true;
    case RESHARD_EVENT: /* whether it was copied here nobody can tell; it expires */
        return key->shard < move->n.to || talk_send(move->target, text, argv, 2, NULL, NULL);
    case RESHARD_WHOLE:
        return key->shard == key->to || talk_send(move->target, text, argv, 2, NULL, NULL);
    case RESHARD_DROPPED:
    case RESHARD_CURSOR:
    case RESHARD_BLOCKS:
    case RESHARD_WAITING:
    case RESHARD_SLOTS:
    case RESHARD_LIST:
    case RESHARD_SUMS:
    case RESHARD_TALLY:
    case RESHARD_TOLD:
        return talk_send(move->target, text, argv, 2, NULL, NULL);
    }
    return true;
}

bool reshard_delete_old(struct reshard_move *move)
{
    return scan(move, move->target, delete_key) && talk_wait(move->target);
}

static bool rename_key(struct reshard_move *move, const struct reshard_key *key, struct slice text)
{
    /* SCAN may show a key twice. */
    static const char script[] =
        "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end";
    struct counter_key to;
    struct slice argv[5] = {slice_of("EVAL"), slice_of(script), slice_of("2"), text};

    if (key->what != RESHARD_STAGED || !reshard_make_key(&to, key->shard, key->name, false))
        return true;
    argv[4] = counter_key_slice(&to);
    return talk_send(move->target, text, argv, 5, NULL, NULL);
}

bool reshard_rename_staged(struct reshard_move *move)
{
    return scan(move, move->target, rename_key) && talk_wait(move->target);
}

/* --- cursors of shards that become one --- */

static bool is_lost(const struct reshard_move *move, struct slice log)
{
    char id[2 * CLICK_LOG_ID_LEN + 1];

    snprintf(id, sizeof(id), "%.*s", (int)log.len, log.ptr);
    return move->lost && strstr(move->lost, id);
}

/* Looks at the cursors of a log in all shards that become one, for the first that has one. */
static bool check_log(struct reshard_move *move, const struct reshard_key *key, struct slice text)
{
    unsigned first, end;
    struct value mine;
    bool is_done, ok;

    (void)text;
    if (key->what != RESHARD_CURSOR || key->shard >= move->n.from)
        return true;
    if (!is_done_by_another(move, key, &is_done))
        return false;
    ok = is_done || get_of_shard(move, key, key->shard, &mine);
    if (!ok || is_done)
        return ok;
    siblings(move, key->shard, &first, &end);
    for (unsigned s = first; ok && s < end; s++) {
        struct slice log = slice_make(key->name.ptr + 4, key->name.len - 4); /* behind "cur:" */
        struct value other;

        ok = get_of_shard(move, key, s, &other);
        if (ok &&
            (other.len != mine.len ||
             (mine.len > 0 && memcmp(other.bytes, mine.bytes, mine.len) != 0)) &&
            !is_lost(move, log)) {
            if (move->n_uneven++ < UNEVEN_SAID)
                fprintf(stderr,
                        "log %.*s: applied up to %.*s in shard %u, up to %.*s in shard %u\n",
                        (int)log.len, log.ptr, (int)mine.len, (const char *)mine.bytes, key->shard,
                        (int)other.len, other.exists ? (const char *)other.bytes : "", s);
            value_clear(&other);
            break;
        }
        value_clear(&other);
    }
    value_clear(&mine);
    return ok;
}

bool reshard_check_cursors(struct reshard_move *move)
{
    move->n_uneven = 0;
    return move->n.to >= move->n.from || scan(move, move->source, check_log);
}

/* --- the queue of facts --- */

static void on_waiting(void *owner, const struct redisReply *answer)
{
    if (answer->type == REDIS_REPLY_INTEGER)
        *(uint64_t *)owner += (uint64_t)answer->integer;
}

bool reshard_check_queue(struct reshard_move *move)
{
    move->n_waiting = 0;
    for (unsigned s = 0; s < move->n.from; s++) {
        struct counter_key changes, queue;
        struct slice incr[2] = {slice_of("INCR")}, xlen[2] = {slice_of("XLEN")};

        counter_key_changes(&changes, s);
        counter_key_facts(&queue, s);
        incr[1] = counter_key_slice(&changes);
        xlen[1] = counter_key_slice(&queue);
        if (!talk_send(move->source, incr[1], incr, 2, NULL, NULL) ||
            !talk_send(move->source, xlen[1], xlen, 2, on_waiting, &move->n_waiting))
            return false;
    }
    return talk_wait(move->source);
}
