#include "service/redis/redis_link_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "service/base/error.h"
#include "service/redis/redis_stream.h"

enum { BACK_OFF_MIN_MS = 50, BACK_OFF_MAX_MS = 5000, BACK_OFF_DOUBLINGS = 7 };

void redis_link_set_cause(struct redis_link *link, const char *cause)
{
    snprintf(link->cause, sizeof(link->cause), "%s", cause);
}

void redis_link_changed(struct redis_link *link)
{
    if (link->options.on_change)
        link->options.on_change(link->options.owner);
}

struct redis_conn_options redis_link_conn_options(const struct redis_link *link)
{
    return (struct redis_conn_options){
        .url = link->url,
        .tls = link->tls,
        .name = link->options.name,
        .timeout_ms = link->options.timeout_ms,
        .limits = link->options.limits,
    };
}

void redis_link_back_off(struct event *event, unsigned n_failures)
{
    unsigned doublings = n_failures < BACK_OFF_DOUBLINGS ? n_failures : BACK_OFF_DOUBLINGS;
    uint32_t wait_ms = (uint32_t)BACK_OFF_MIN_MS << doublings;
    struct timeval tv;

    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    wait_ms = wait_ms / 2 + randombytes_uniform(wait_ms + 1);
    tv = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    event_add(event, &tv);
}

bool redis_link_send_one(struct redis_link *link, const struct redis_command *command)
{
    return redis_conn_send(link->conn, command->argv, command->argc, command->ticket);
}

uint64_t redis_link_epoch_one(const struct redis_link *link, struct slice key)
{
    (void)key;
    return redis_conn_state(link->conn) == REDIS_CONN_READY ? link->epoch : 0;
}

void redis_link_leave_one(struct redis_link *link, struct slice key)
{
    (void)key;
    redis_conn_close(link->conn, "closed by us");
}

void redis_link_pass_answer(void *owner, struct redis_conn *conn, uint64_t ticket,
                            const struct redisReply *answer)
{
    struct redis_link *link = owner;

    (void)conn;
    link->options.on_answer(link->options.owner, ticket, answer);
}

/* --- a single server: a fixed address --- */

/* The connection became READY or DOWN. */
static void on_state(void *owner, struct redis_conn *conn)
{
    struct redis_link *link = owner;

    if (redis_conn_state(conn) == REDIS_CONN_READY) {
        link->epoch++;
        link->n_failures = 0;
        redis_link_set_cause(link, "");
    } else {
        redis_link_set_cause(link, redis_conn_cause(conn));
        redis_link_back_off(link->retry, link->n_failures++);
    }
    redis_link_changed(link);
}

/* The backoff after a failure is over. */
static void on_retry(evutil_socket_t fd, short events, void *arg)
{
    struct redis_link *link = arg;

    (void)fd;
    (void)events;
    redis_conn_connect(link->conn, &link->url->hosts[0]);
}

static bool start_single(struct redis_link *link)
{
    struct redis_conn_options options = redis_link_conn_options(link);

    options.owner = link;
    options.on_answer = redis_link_pass_answer;
    options.on_state = on_state;
    link->conn = redis_conn_new(link->base, &options);
    link->retry = evtimer_new(link->base, on_retry, link);
    if (!link->conn || !link->retry)
        return false;
    redis_conn_connect(link->conn, &link->url->hosts[0]);
    return true;
}

static void stop_single(struct redis_link *link)
{
    redis_conn_free(link->conn);
    if (link->retry)
        event_free(link->retry);
}

static const struct redis_topology_ops single_ops = {
    .start = start_single,
    .stop = stop_single,
    .send = redis_link_send_one,
    .epoch = redis_link_epoch_one,
    .reconnect = redis_link_leave_one,
};

/* --- any topology --- */

struct redis_link *redis_link_new(struct event_base *base, const struct redis_link_options *options,
                                  struct error *err)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    bool ok = false;

    if (!link || sodium_init() < 0)
        goto out;
    link->base = base;
    link->options = *options;
    link->options.url = NULL;
    link->options.name = strdup(options->name);
    if (!link->options.name)
        goto out;
    if (!(link->url = redis_url_parse(options->url, err)))
        goto out;
    if (link->url->tls && !(link->tls = redis_tls_new(link->url, err)))
        goto out;
    switch (link->url->topology) {
    case REDIS_SINGLE:
        link->ops = &single_ops;
        break;
    case REDIS_SENTINEL:
        link->ops = &redis_sentinel_ops;
        break;
    case REDIS_CLUSTER:
        link->ops = &redis_cluster_ops;
        break;
    }
    ok = link->ops->start(link);
out:
    if (!ok) {
        if (err && err->text[0] == '\0')
            error_set(err, "redis: out of memory");
        redis_link_free(link);
        link = NULL;
    }
    return link;
}

void redis_link_free(struct redis_link *link)
{
    if (!link)
        return;
    if (link->ops)
        link->ops->stop(link);
    redis_tls_free(link->tls);
    redis_url_free(link->url);
    free((char *)link->options.name);
    free(link);
}

bool redis_link_send(struct redis_link *link, const struct redis_command *command)
{
    return link->ops->send(link, command);
}

uint64_t redis_link_epoch(const struct redis_link *link, struct slice key)
{
    return link->ops->epoch(link, key);
}

void redis_link_reconnect(struct redis_link *link, struct slice key)
{
    link->ops->reconnect(link, key);
}

const char *redis_link_cause(const struct redis_link *link)
{
    return link->cause;
}
