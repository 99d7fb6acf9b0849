/* doctor: the Redis that counts: version, what it would lose, and its clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/counter.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/cli/doctor.h"
#include "service/config/config.h"
#include "service/daemon/redis_settings.h"
#include "service/redis/redis_link.h"

enum { TRY_MS = 20, VERSION_MIN = 7, VALUE_MAX = 128, SEEN_MAX = 64 };

/* One command at a time. */
struct asker {
    struct event_base *base;
    struct redis_link *link;
    const struct redis_command *command;
    bool is_sent;
    char *answer; /* a text; a list's integers or texts with blanks between */
    char error[256];
};

static char *text_of(const struct redisReply *reply)
{
    char *text = NULL;

    if (reply->type == REDIS_REPLY_STRING)
        return strndup(reply->str, reply->len);
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        asprintf(&text, "%s %s", reply->element[0]->str, reply->element[1]->str) < 0)
        return NULL;
    return text ? text : strdup("");
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct asker *a = owner;

    (void)ticket;
    if (!answer) {
        a->is_sent = false; /* the connection was lost: asked again on the next */
        return;
    }
    if (answer->type == REDIS_REPLY_ERROR)
        snprintf(a->error, sizeof(a->error), "%s", answer->str);
    else
        a->answer = text_of(answer);
    event_base_loopbreak(a->base);
}

/* It is time to try, or to try again. */
static void on_try(evutil_socket_t fd, short events, void *arg)
{
    struct asker *a = arg;

    (void)fd;
    (void)events;
    if (!a->is_sent)
        a->is_sent = redis_link_send(a->link, a->command);
}

/* The answer, for free(); NULL and a->error. */
static char *ask(struct asker *a, const struct redis_command *command, int64_t timeout_ms)
{
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    struct timeval pause = {.tv_usec = TRY_MS * 1000};
    struct event *try_again = event_new(a->base, -1, EV_PERSIST, on_try, a);

    a->command = command;
    a->is_sent = false;
    a->answer = NULL;
    a->error[0] = '\0';
    if (try_again && event_add(try_again, &pause) == 0 && event_base_loopexit(a->base, &limit) == 0)
        event_base_dispatch(a->base);
    if (try_again)
        event_free(try_again);
    if (!a->answer && !a->error[0])
        snprintf(a->error, sizeof(a->error), "%s",
                 redis_link_cause(a->link)[0] ? redis_link_cause(a->link) : "no answer in time");
    return a->answer;
}

/* The value of a line "name:value" of INFO; "" = there is none. */
static const char *value(const char *info, const char *name, char out[static VALUE_MAX])
{
    char line[VALUE_MAX];
    const char *at;
    int n = snprintf(line, sizeof(line), "\n%s:", name);

    at = strstr(info, line);
    out[0] = '\0';
    if (at)
        snprintf(out, VALUE_MAX, "%.*s", (int)strcspn(at + n, "\r\n"), at + n);
    return out;
}

static void say_kept(struct doctor *d, const char *info)
{
    char text[VALUE_MAX];
    bool has_aof = strcmp(value(info, "aof_enabled", text), "1") == 0;

    value(info, "maxmemory_policy", text);
    doctor_say(d, strcmp(text, "noeviction") == 0 ? DOCTOR_GOOD : DOCTOR_FIX, "redis",
               "maxmemory-policy", "%s%s", text,
               strcmp(text, "noeviction") == 0
                   ? ""
                   : " deletes counts and cursors when memory is short; set noeviction");
    if (!has_aof)
        doctor_say(d, DOCTOR_FIX, "redis", "appendonly",
                   "no: a crash takes counts with it, back to the last snapshot; clicks younger "
                   "than ledger.retain_s are counted again, others aren't; set appendonly yes");
    else if (strcmp(value(info, "aof_last_write_status", text), "ok") != 0)
        doctor_say(d, DOCTOR_FIX, "redis", "appendonly",
                   "its last write failed (%s); look at the disk of Redis", text);
    else
        doctor_say(d, DOCTOR_GOOD, "redis", "appendonly", "yes, and its last write went well");
}

static void say_replicas(struct doctor *d, const char *info)
{
    char text[VALUE_MAX];

    if (strcmp(value(info, "role", text), "master") != 0)
        doctor_say(d, DOCTOR_FIX, "redis", "role",
                   "a %s, which takes no counts; let redis.url lead to the master", text);
    else if (strcmp(value(info, "connected_slaves", text), "0") == 0)
        doctor_say(
            d, DOCTOR_NOTE, "redis", "replicas",
            "none: clicks wait while this server is down, and counts are as safe as its disk");
    else
        doctor_say(d, DOCTOR_GOOD, "redis", "replicas", "%s", text);
}

static void say_server(struct doctor *d, const char *info)
{
    char version[VALUE_MAX], valkey[VALUE_MAX];
    bool is_valkey = value(info, "valkey_version", valkey)[0] != '\0';

    value(info, "redis_version", version);
    if (strtol(version, NULL, 10) < VERSION_MIN)
        doctor_say(d, DOCTOR_FIX, "redis", "version", "%s; hopcount needs Redis 7.0 or Valkey 8",
                   version);
    else
        doctor_say(d, DOCTOR_GOOD, "redis", "version", "%s %s", is_valkey ? "Valkey" : "Redis",
                   is_valkey ? valkey : version);
    say_kept(d, info);
    say_replicas(d, info);
}

/* Each server that holds a shard, once. */
static bool look_at_servers(struct doctor *d, struct asker *a)
{
    char seen[SEEN_MAX][VALUE_MAX];
    unsigned n_seen = 0;

    for (unsigned s = 0; s < (unsigned)d->config->redis.shards; s++) {
        struct slice argv[1] = {slice_of("INFO")};
        struct counter_key key;
        char id[VALUE_MAX];
        char *info;
        bool is_new = true;

        counter_key_server(&key, s);
        info =
            ask(a, &(struct redis_command){.key = counter_key_slice(&key), .argv = argv, .argc = 1},
                2 * d->config->redis.timeout_ms);
        if (!info) {
            doctor_say(d, DOCTOR_FIX, "redis", "answer", "%s", a->error);
            return false;
        }
        value(info, "run_id", id);
        for (unsigned i = 0; i < n_seen; i++)
            is_new = is_new && strcmp(seen[i], id) != 0;
        if (is_new && n_seen < SEEN_MAX) {
            memcpy(seen[n_seen++], id, VALUE_MAX);
            say_server(d, info);
        }
        free(info);
    }
    return true;
}

static void look_at_clock_and_shards(struct doctor *d, struct asker *a)
{
    struct slice time_argv[1] = {slice_of("TIME")}, get_argv[2] = {slice_of("GET")};
    int64_t timeout_ms = 2 * d->config->redis.timeout_ms;
    struct counter_key key;
    long long s = 0, us = 0;
    char *answer;

    counter_key_shards(&key, 0);
    get_argv[1] = counter_key_slice(&key);
    answer = ask(a, &(struct redis_command){.key = get_argv[1], .argv = time_argv, .argc = 1},
                 timeout_ms);
    if (answer && sscanf(answer, "%lld %lld", &s, &us) == 2)
        doctor_say_clock(d, "redis", s * 1000 + us / 1000);
    free(answer);
    answer = ask(a, &(struct redis_command){.key = get_argv[1], .argv = get_argv, .argc = 2},
                 timeout_ms);
    if (answer && answer[0] && strtoll(answer, NULL, 10) != d->config->redis.shards)
        doctor_say(d, DOCTOR_FIX, "redis", "shards",
                   "its counts are in %s shards, redis.shards says %lld; nothing is counted until "
                   "they agree",
                   answer, (long long)d->config->redis.shards);
    free(answer);
}

/* The URL of what counts, for free(); NULL: the private server doesn't run. */
static char *find_url(struct doctor *d)
{
    char *url = redis_settings_find_url(d->config);

    if (url && !d->config->redis.url && access(url + strlen("unix://"), F_OK) != 0) {
        free(url);
        url = NULL;
    }
    return url;
}

void doctor_look_at_redis(struct doctor *d)
{
    char *url = find_url(d);
    struct error err = {0};
    struct asker a = {.base = event_base_new()};
    struct redis_link_options options = {
        .url = url,
        .name = "hopcount-cli",
        .timeout_ms = d->config->redis.timeout_ms,
        .limits = {.bytes = 1 << 20, .elements = 1024},
        .owner = &a,
        .on_answer = on_answer,
    };

    if (!url) {
        doctor_say(d, DOCTOR_NOTE, "redis", "answer",
                   "the private redis-server runs with hopcountd, which doesn't run");
    } else if (!a.base || !(a.link = redis_link_new(a.base, &options, &err))) {
        doctor_say(d, DOCTOR_FIX, "redis", "answer", "%s", a.base ? err.text : "out of memory");
    } else if (look_at_servers(d, &a)) {
        look_at_clock_and_shards(d, &a);
    }
    redis_link_free(a.link);
    event_loop_free(a.base);
    free(url);
}
