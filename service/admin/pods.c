#include "service/admin/pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

enum { HOUR_S = 3600, FIRST_MS = 250 };

/* In this order: the write, its expiry, and the lines of this hour and the one before. */
enum { COMMAND_WRITE, COMMAND_EXPIRE, COMMAND_READ, COMMAND_READ_BEFORE, COMMANDS };
/* At the end: away with the lines of this hour and the one before, or the last word. */
enum { FAREWELL_NOW, FAREWELL_BEFORE, FAREWELLS };

struct pods {
    struct server *server;
    struct event *tick;
    struct pod self; /* id and host; the rest as of the last line */
    struct counter_key now_key, before_key;
    char line[POD_LINE_MAX];
    size_t line_len; /* of the round that runs; 0 = none does */
    struct pod_table found, known;
    bool is_leaving;
    void (*on_left)(void *arg);
    void *left_arg;
};

/* This process as it is now. */
static struct pod read_self(const struct pods *pods)
{
    struct ledger_stats ledger = {.lag_ms = 0};
    struct pod self = pods->self;

    if (pods->server->sources.ledger)
        ledger_stats(pods->server->sources.ledger, &ledger);
    self.at_s = clock_wall_ms() / 1000;
    self.as_of_ms = ledger.as_of_ms;
    self.lag_ms = ledger.lag_ms;
    self.pending = ledger.pending;
    self.connected = ledger.connected;
    return self;
}

/* --- a round --- */

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
        command->argv[2] = slice_of(pods->self.id);
        command->argv[3] = slice_make(pods->line, pods->line_len);
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

static void on_pods_reply(void *owner, size_t index, const struct redisReply *reply)
{
    struct pods *pods = owner;

    if (index < COMMAND_READ || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const struct redisReply *id = reply->element[i], *line = reply->element[i + 1];
        struct pod pod;

        /* Anything may stand in Redis. */
        if (id->type == REDIS_REPLY_STRING && line->type == REDIS_REPLY_STRING &&
            pod_read_line(slice_make(id->str, id->len), slice_make(line->str, line->len), &pod))
            pod_table_add(&pods->found, &pod);
    }
}

static void say_farewell(struct pods *pods);

static void on_pods_done(void *owner, const char *cause)
{
    struct pods *pods = owner;

    pods->line_len = 0;
    if (!cause) {
        pod_table_finish(&pods->found, &pods->known, clock_mono_ms(), clock_wall_ms());
        pods->known = pods->found;
    }
    if (pods->is_leaving)
        say_farewell(pods);
}

static void arm(struct pods *pods)
{
    int64_t every_ms = pods->known.is_read ? pod_every_ms(pods->known.n) : FIRST_MS;
    const struct timeval every = {.tv_sec = every_ms / 1000, .tv_usec = every_ms % 1000 * 1000};

    evtimer_add(pods->tick, &every);
}

/* Writes the line into `pods`; false: no memory. */
static bool make_line(struct pods *pods)
{
    struct pod self = read_self(pods);

    counter_key_pods(&pods->now_key, self.at_s);
    counter_key_pods(&pods->before_key, self.at_s - HOUR_S);
    pods->line_len = pod_write_line(&self, pods->line);
    return pods->line_len > 0;
}

/* It is time to say how we are. */
static void on_pods_tick(evutil_socket_t fd, short events, void *arg)
{
    struct pods *pods = arg;
    const struct fetch_options options = {
        .n_commands = COMMANDS,
        .owner = pods,
        .on_command = on_pods_command,
        .on_reply = on_pods_reply,
        .on_done = on_pods_done,
    };

    (void)fd;
    (void)events;
    arm(pods);
    if (!pods->server->fetches || pods->line_len > 0 || !make_line(pods))
        return;
    pods->found.n = 0;
    fetch_start(pods->server->fetches, &options);
}

/* --- the end --- */

static void on_farewell_command(void *owner, size_t index, struct fetch_command *command)
{
    struct pods *pods = owner;

    command->key = counter_key_slice(index == FAREWELL_NOW ? &pods->now_key : &pods->before_key);
    command->argv[0] = slice_of(pods->self.pending > 0 ? "HSET" : "HDEL");
    command->argv[1] = command->key;
    command->argv[2] = slice_of(pods->self.id);
    command->argv[3] = slice_make(pods->line, pods->line_len);
    command->argc = pods->self.pending > 0 ? 4 : 3;
}

static void on_farewell_reply(void *owner, size_t index, const struct redisReply *reply)
{
    (void)owner;
    (void)index;
    (void)reply;
}

static void on_farewell_done(void *owner, const char *cause)
{
    struct pods *pods = owner;

    (void)cause;
    pods->on_left(pods->left_arg);
}

/* Clicks that are left keep the line in Redis: somebody is to miss them. */
static void say_farewell(struct pods *pods)
{
    struct fetch_options options = {
        .owner = pods,
        .on_command = on_farewell_command,
        .on_reply = on_farewell_reply,
        .on_done = on_farewell_done,
    };

    pods->self = read_self(pods);
    options.n_commands = pods->self.pending > 0 ? 1 : FAREWELLS;
    if (pods->server->fetches && make_line(pods))
        fetch_start(pods->server->fetches, &options);
    else
        pods->on_left(pods->left_arg);
}

void pods_leave(struct pods *pods, void (*on_left)(void *arg), void *arg)
{
    pods->on_left = on_left;
    pods->left_arg = arg;
    pods->is_leaving = true;
    evtimer_del(pods->tick);
    if (pods->line_len == 0)
        say_farewell(pods);
}

/* --- the object --- */

/* Of the state_dir, wherever it is mounted; without one, of this process. */
static void make_id(struct pods *pods, const char *state_dir)
{
    unsigned char hash[crypto_generichash_BYTES];
    char text[POD_HOST_MAX + 64];
    struct stat at;

    randombytes_buf(hash, sizeof(hash));
    if (state_dir && stat(state_dir, &at) == 0) {
        snprintf(text, sizeof(text), "%s:%llu:%llu", pods->self.host, (unsigned long long)at.st_dev,
                 (unsigned long long)at.st_ino);
        crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, strlen(text), NULL, 0);
    }
    sodium_bin2hex(pods->self.id, sizeof(pods->self.id), hash, POD_ID_LEN / 2);
}

struct pods *pods_new(struct server *server, struct event_base *base, const char *state_dir)
{
    struct pods *pods = calloc(1, sizeof(*pods));
    const struct timeval soon = {0};

    if (!pods || !(pods->tick = evtimer_new(base, on_pods_tick, pods)) ||
        evtimer_add(pods->tick, &soon) != 0) {
        pods_free(pods);
        return NULL;
    }
    pods->server = server;
    if (gethostname(pods->self.host, sizeof(pods->self.host) - 1) != 0)
        pods->self.host[0] = '\0';
    snprintf(pods->self.version, sizeof(pods->self.version), "%s", HOPCOUNT_VERSION);
    rfc3339_format(server->started_ms / 1000, 0, pods->self.started_at);
    make_id(pods, state_dir);
    return pods;
}

void pods_free(struct pods *pods)
{
    if (!pods)
        return;
    if (pods->tick)
        event_free(pods->tick);
    free(pods);
}

struct pods_age pods_age(const struct pods *pods)
{
    struct pod self = read_self(pods);

    return pod_table_age(&pods->known, &self, clock_mono_ms(), clock_wall_ms());
}

static bool is_self(const struct pods *pods, const struct pod *pod)
{
    return strcmp(pod->id, pods->self.id) == 0;
}

static json_t *pod_json(const struct pods *pods, const struct pod *pod, int64_t now_ms)
{
    bool self = is_self(pods, pod);
    /* What we said last is of a time when Redis still listened. */
    struct pod said = self ? read_self(pods) : *pod;
    char as_of[RFC3339_TEXT_MAX];

    rfc3339_format(said.as_of_ms / 1000, 0, as_of);
    return json_pack("{ss ss ss sI so sf sI sb sb sb}", "host", said.host, "version", said.version,
                     "started_at", said.started_at, "seen_s",
                     (json_int_t)(self ? 0 : (now_ms - pod->heard_ms) / 1000), "as_of",
                     said.as_of_ms > 0 ? json_string(as_of) : json_null(), "lag_s",
                     (double)said.lag_ms / 1000, "pending", (json_int_t)said.pending, "connected",
                     (int)said.connected, "alive",
                     (int)(self || pod_is_alive(&pods->known, pod, now_ms)), "self", (int)self);
}

json_t *pods_json(const struct pods *pods)
{
    int64_t now_ms = clock_mono_ms();
    json_t *array = json_array();

    for (size_t i = 0; i < pods->known.n; i++) {
        const struct pod *pod = &pods->known.pods[i];

        if (is_self(pods, pod) || (now_ms - pod->heard_ms) / 1000 <= POD_FORGOTTEN_S)
            json_array_append_new(array, pod_json(pods, pod, now_ms));
    }
    return array;
}
