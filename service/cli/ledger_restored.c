#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "proto/counter.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/base/error.h"
#include "service/cli/command.h"
#include "service/cli/ledger.h"
#include "service/cli/local_time.h"
#include "service/cli/scan.h"
#include "service/cli/talk.h"
#include "service/ledger/batch.h"

enum {
    BEFORE_ID = 13, /* "hc:{sHH}:cur:" */
    ID_LEN = 2 * CLICK_LOG_ID_LEN,
    /* A process renews its cursors once an hour (ledger/cursor.h).  The rest is for a copy that
     * took a while, and for clocks. */
    RENEWED_S = 3600 + 600,
};

/* A cursor in Redis; once merged, a log. */
struct known {
    struct counter_key key;
    uint64_t at;     /* of all shards that have one, the lowest */
    int64_t heard_s; /* when a process last moved or renewed it, by the clock of Redis */
    bool has_at, has_end;
};

struct listing {
    struct talk *talk;
    struct known *logs;
    size_t n, max;
    int64_t started_s; /* the server */
};

static const char *id_of(const struct known *known)
{
    return known->key.text + BEFORE_ID;
}

/* --- reading --- */

static void on_position(void *owner, const struct redisReply *answer)
{
    struct known *known = owner;

    known->has_at = answer->type == REDIS_REPLY_STRING &&
                    number_parse(slice_make(answer->str, answer->len), INT64_MAX, &known->at);
}

static void on_end(void *owner, const struct redisReply *answer)
{
    struct known *known = owner;

    known->has_end = answer->type == REDIS_REPLY_INTEGER && answer->integer > 0;
    known->heard_s = known->has_end ? answer->integer / 1000 - BATCH_CURSOR_TTL_S : 0;
}

static bool on_key(void *owner, struct slice key)
{
    struct listing *list = owner;
    struct known *known;

    if (key.len != BEFORE_ID + ID_LEN)
        return true;
    if (list->n == list->max) {
        size_t max = list->max ? 2 * list->max : 256;
        struct known *more = realloc(list->logs, max * sizeof(*more));

        if (!more) {
            talk_fail(list->talk, "out of memory");
            return false;
        }
        list->logs = more;
        list->max = max;
    }
    known = &list->logs[list->n++];
    *known = (struct known){.key.len = key.len};
    memcpy(known->key.text, key.ptr, key.len);
    return true;
}

static bool ask_for_all(struct listing *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct known *known = &list->logs[i];
        const struct slice get[2] = {slice_of("GET"), counter_key_slice(&known->key)};
        const struct slice end[2] = {slice_of("PEXPIRETIME"), get[1]};

        if (!talk_send(list->talk, get[1], get, 2, on_position, known) ||
            !talk_send(list->talk, get[1], end, 2, on_end, known))
            return false;
    }
    return talk_wait(list->talk);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(id_of(a), id_of(b), ID_LEN);
}

/* One entry per log.  A cursor that expired meanwhile, or that SCAN has shown twice, is dropped. */
static void merge(struct listing *list)
{
    size_t n = 0;

    if (list->n > 0)
        qsort(list->logs, list->n, sizeof(*list->logs), by_id);
    for (size_t i = 0; i < list->n; i++) {
        const struct known *known = &list->logs[i];

        if (!known->has_at || !known->has_end)
            continue;
        if (n == 0 || by_id(&list->logs[n - 1], known) != 0) {
            list->logs[n++] = *known;
            continue;
        }
        if (known->at < list->logs[n - 1].at)
            list->logs[n - 1].at = known->at;
        if (known->heard_s > list->logs[n - 1].heard_s)
            list->logs[n - 1].heard_s = known->heard_s;
    }
    list->n = n;
}

static void on_info(void *owner, const struct redisReply *answer)
{
    struct listing *list = owner;
    const char *text = answer->type == REDIS_REPLY_STRING ? answer->str : "";
    const char *now = strstr(text, "server_time_usec:"), *up = strstr(text, "uptime_in_seconds:");
    long long now_us, up_s;

    if (now && up && sscanf(now, "server_time_usec:%lld", &now_us) == 1 &&
        sscanf(up, "uptime_in_seconds:%lld", &up_s) == 1)
        list->started_s = now_us / 1000000 - up_s;
    else
        talk_fail(list->talk, "INFO server does not tell since when Redis runs");
}

static bool read_all(struct listing *list, unsigned n_shards)
{
    const struct slice info[2] = {slice_of("INFO"), slice_of("server")};
    struct counter_key key;

    counter_key_shards(&key, 0);
    if (!talk_send(list->talk, counter_key_slice(&key), info, 2, on_info, list) ||
        !scan_keys(list->talk, n_shards, "hc:{s??}:cur:*", on_key, list) || !ask_for_all(list))
        return false;
    merge(list);
    return true;
}

/* --- what became of them --- */

static bool is_heard(const struct listing *list, const struct known *log)
{
    return log->heard_s >= list->started_s;
}

static bool is_silent(const struct listing *list, const struct known *log, int64_t copied_s)
{
    return !is_heard(list, log) && log->heard_s >= copied_s - RENEWED_S;
}

static int print_json(const struct listing *list, int64_t copied_s, size_t n_heard)
{
    json_t *silent = json_array(), *out = json_object();
    char text[RFC3339_TEXT_MAX];
    int status = CLI_OK;

    json_object_set_new(out, "redis_started_at",
                        json_string(rfc3339_format(list->started_s, 0, text)));
    json_object_set_new(out, "copied_at", json_string(rfc3339_format(copied_s, 0, text)));
    json_object_set_new(out, "heard", json_integer((json_int_t)n_heard));
    for (size_t i = 0; i < list->n; i++) {
        const struct known *log = &list->logs[i];

        if (is_silent(list, log, copied_s))
            json_array_append_new(silent, json_pack("{s:s#, s:I, s:s}", "log", id_of(log), ID_LEN,
                                                    "applied", (json_int_t)log->at, "heard_at",
                                                    rfc3339_format(log->heard_s, 0, text)));
    }
    json_object_set_new(out, "silent", silent);
    if (json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0)
        status = cli_fail("out of memory");
    putchar('\n');
    json_decref(out);
    return status;
}

static void print_text(const struct listing *list, int64_t copied_s, size_t n_heard,
                       size_t n_silent)
{
    char text[RFC3339_TEXT_MAX];

    printf("Redis has run since %s\n", local_time_format(list->started_s, text));
    printf("%zu %s counted on: processes have told of %s since\n", n_heard,
           cli_noun(n_heard, "log is", "logs are"), cli_noun(n_heard, "it", "them"));
    if (n_silent == 0) {
        printf("no other log was open when the copy was made: none is missing\n");
        return;
    }
    printf("%zu %s in use up to %d minutes before the copy was made, and no process has told of "
           "%s since\n%-32s  %10s  %s\n",
           n_silent, cli_noun(n_silent, "log is missing: it was", "logs are missing: they were"),
           RENEWED_S / 60, cli_noun(n_silent, "it", "them"), "log", "applied", "last told of");
    for (size_t i = 0; i < list->n; i++) {
        const struct known *log = &list->logs[i];

        if (is_silent(list, log, copied_s))
            printf("%.*s  %10" PRIu64 "  %s\n", ID_LEN, id_of(log), log->at,
                   local_time_format(log->heard_s, text));
    }
    printf("what they hold from these positions on is lost, unless their volumes are there: "
           "hopcount ledger drain DIR\n");
}

int ledger_restored(const struct ledger_place *place, int64_t copied_s, bool as_json)
{
    struct listing list = {.n = 0};
    struct error err = {0};
    size_t n_heard = 0, n_silent = 0;
    int status = CLI_OK;

    list.talk = talk_new(place->redis_url, place->timeout_ms, &err);
    if (!list.talk)
        return cli_fail_error(&err);
    if (!read_all(&list, place->n_shards)) {
        status = cli_fail("%s", talk_why(list.talk));
        goto out;
    }
    if (copied_s > list.started_s) {
        char text[RFC3339_TEXT_MAX];

        status = cli_fail("--copied lies after %s, when Redis started: it is to say when the copy "
                          "was made that Redis was restored from",
                          local_time_format(list.started_s, text));
        goto out;
    }
    for (size_t i = 0; i < list.n; i++) {
        n_heard += is_heard(&list, &list.logs[i]);
        n_silent += is_silent(&list, &list.logs[i], copied_s);
    }
    if (as_json)
        status = print_json(&list, copied_s, n_heard);
    else
        print_text(&list, copied_s, n_heard, n_silent);
out:
    free(list.logs);
    talk_free(list.talk);
    return status;
}
