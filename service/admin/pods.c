#include "service/admin/pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <sodium.h>

#include "proto/counter.h"
#include "proto/rfc3339.h"
#include "service/admin/fetch.h"
#include "service/admin/server.h"
#include "service/base/clock.h"
#include "service/ledger/ledger.h"

enum { ID_BYTES = 8, HOST_MAX = 256, HOUR_S = 3600, POD_LINE_MAX = 4096 };

/* In this order: the write, its expiry, and the lines of this hour and the one before. */
enum { COMMAND_WRITE, COMMAND_EXPIRE, COMMAND_READ, COMMAND_READ_BEFORE, COMMANDS };

struct pods {
    struct server *server;
    struct event *tick;
    char id[2 * ID_BYTES + 1]; /* of this process */
    char host[HOST_MAX];
    struct counter_key now_key, before_key;
    char *line;    /* ours, of the round that runs; NULL = none does */
    json_t *found; /* id -> line, of the round that runs */
    json_t *known; /* of the last round */
};

static char *make_line(const struct pods *pods, int64_t now_s)
{
    struct ledger_stats ledger = {.lag_ms = 0};
    char started[RFC3339_TEXT_MAX], *text;
    json_t *line;

    if (pods->server->sources.ledger)
        ledger_stats(pods->server->sources.ledger, &ledger);
    rfc3339_format(pods->server->started_ms / 1000, 0, started);
    line = json_pack("{ss ss ss sI sf sI sb}", "host", pods->host, "version", HOPCOUNT_VERSION,
                     "started_at", started, "at", (json_int_t)now_s, "lag_s",
                     (double)ledger.lag_ms / 1000, "pending", (json_int_t)ledger.pending,
                     "connected", (int)ledger.connected);
    text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    return text;
}

static void on_pods_command(void *owner, size_t index, struct fetch_command *command)
{
    struct pods *pods = owner;

    command->key =
        counter_key_slice(index == COMMAND_READ_BEFORE ? &pods->before_key : &pods->now_key);
    command->argv[1] = command->key;
    command->argc = 2;
    switch (index) {
    case COMMAND_WRITE:
        command->argv[0] = slice_of("HSET");
        command->argv[2] = slice_of(pods->id);
        command->argv[3] = slice_of(pods->line);
        command->argc = 4;
        break;
    case COMMAND_EXPIRE:
        command->argv[0] = slice_of("EXPIRE");
        command->argv[2] = slice_of("7200");
        command->argc = 3;
        break;
    default:
        command->argv[0] = slice_of("HGETALL");
        break;
    }
}

/* Takes what has the shape of a line; anything may stand in Redis. */
static void take_line(json_t *found, const struct redisReply *id, const struct redisReply *text)
{
    const char *host, *version, *started;
    json_int_t at, pending;
    double lag_s;
    int connected;
    json_t *line, *other;

    if (id->type != REDIS_REPLY_STRING || text->type != REDIS_REPLY_STRING ||
        id->len != 2 * ID_BYTES || text->len > POD_LINE_MAX || json_object_size(found) >= PODS_MAX)
        return;
    line = json_loadb(text->str, text->len, JSON_REJECT_DUPLICATES, NULL);
    if (!line || json_unpack(line, "{ss ss ss sI sF sI sb !}", "host", &host, "version", &version,
                             "started_at", &started, "at", &at, "lag_s", &lag_s, "pending",
                             &pending, "connected", &connected) != 0) {
        json_decref(line);
        return;
    }
    other = json_object_get(found, id->str);
    if (other && json_integer_value(json_object_get(other, "at")) >= at)
        json_decref(line);
    else
        json_object_set_new(found, id->str, line);
}

static void on_pods_reply(void *owner, size_t index, const struct redisReply *reply)
{
    struct pods *pods = owner;

    if (index < COMMAND_READ || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        take_line(pods->found, reply->element[i], reply->element[i + 1]);
}

static void on_pods_done(void *owner, const char *cause)
{
    struct pods *pods = owner;

    if (cause) {
        json_decref(pods->found);
    } else {
        json_decref(pods->known);
        pods->known = pods->found;
    }
    pods->found = NULL;
    free(pods->line);
    pods->line = NULL;
}

/* It is time to say how we are. */
static void on_pods_tick(evutil_socket_t fd, short events, void *arg)
{
    struct fetch_options options = {
        .n_commands = COMMANDS,
        .on_command = on_pods_command,
        .on_reply = on_pods_reply,
        .on_done = on_pods_done,
    };
    const struct timeval every = {.tv_sec = PODS_EVERY_S};
    int64_t now_s = clock_wall_ms() / 1000;
    struct pods *pods = arg;

    (void)fd;
    (void)events;
    evtimer_add(pods->tick, &every);
    if (!pods->server->fetches || pods->line)
        return;
    pods->line = make_line(pods, now_s);
    pods->found = json_object();
    if (!pods->line || !pods->found) {
        on_pods_done(pods, "out of memory");
        return;
    }
    counter_key_pods(&pods->now_key, now_s);
    counter_key_pods(&pods->before_key, now_s - HOUR_S);
    options.owner = pods;
    fetch_start(pods->server->fetches, &options);
}

struct pods *pods_new(struct server *server, struct event_base *base)
{
    struct pods *pods = calloc(1, sizeof(*pods));
    const struct timeval soon = {.tv_usec = 100000}; /* the link is being made */
    unsigned char id[ID_BYTES];

    if (!pods || !(pods->tick = evtimer_new(base, on_pods_tick, pods)) ||
        evtimer_add(pods->tick, &soon) != 0) {
        pods_free(pods);
        return NULL;
    }
    pods->server = server;
    if (gethostname(pods->host, sizeof(pods->host) - 1) != 0)
        pods->host[0] = '\0';
    randombytes_buf(id, sizeof(id));
    sodium_bin2hex(pods->id, sizeof(pods->id), id, sizeof(id));
    return pods;
}

void pods_free(struct pods *pods)
{
    if (!pods)
        return;
    if (pods->tick)
        event_free(pods->tick);
    free(pods->line);
    json_decref(pods->found);
    json_decref(pods->known);
    free(pods);
}

json_t *pods_json(const struct pods *pods)
{
    int64_t now_s = clock_wall_ms() / 1000;
    json_t *array = json_array(), *line;
    const char *id;

    json_object_foreach(pods->known, id, line)
    {
        json_t *shown = json_copy(line);
        json_int_t age_s = now_s - json_integer_value(json_object_get(line, "at"));

        json_object_del(shown, "at");
        json_object_set_new(shown, "seen_s", json_integer(age_s > 0 ? age_s : 0));
        json_object_set_new(shown, "self", json_boolean(strcmp(id, pods->id) == 0));
        json_array_append_new(array, shown);
    }
    return array;
}
