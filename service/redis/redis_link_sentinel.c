/* A link to the master that the sentinels name.
 *
 *        ┌── no answer, unknown master: the next sentinel ──┐
 *        ▼                                                  │
 *   ask a sentinel ──▶ connect to the master, which must say that it is one
 *        ▲                       │
 *        │                       ▼
 *        └── DOWN, or every ──  READY
 *            WATCH_MS: still the one?
 *
 * The watch guards against an old master on our side of a partition: it accepts our writes until it
 * learns that another master was elected, and then discards them. */
#include "service/redis/redis_link_private.h"

#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/number.h"

enum { WATCH_MS = 3000 };

/* Limits of a sentinel's answers, of which that to HELLO is the longest. */
static const struct resp_limits sentinel_limits = {.bytes = 64 << 10, .elements = 1024};

static void fail(struct redis_link *link, const char *cause)
{
    redis_link_set_cause(link, cause);
    redis_link_back_off(link->retry, link->n_failures++);
}

static void watch(struct redis_link *link)
{
    const struct timeval wait = {.tv_sec = WATCH_MS / 1000, .tv_usec = WATCH_MS % 1000 * 1000};

    event_add(link->retry, &wait);
}

static void ask(struct redis_link *link)
{
    const struct slice argv[] = {slice_of("SENTINEL"), slice_of("get-master-addr-by-name"),
                                 slice_of(link->url->master)};

    if (redis_conn_state(link->sentinel) == REDIS_CONN_READY) {
        if (!redis_conn_send(link->sentinel, argv, 3, 0))
            redis_conn_close(link->sentinel, "cannot ask");
    } else if (redis_conn_state(link->sentinel) == REDIS_CONN_DOWN) {
        redis_conn_connect(link->sentinel,
                           &link->url->hosts[link->sentinel_index % link->url->n_hosts]);
    }
}

/* Asks a sentinel: after a backoff, or to check that the master is still the same. */
static void on_retry(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    ask(arg);
}

/* --- connection to a sentinel --- */

static void on_sentinel_state(void *owner, struct redis_conn *conn)
{
    struct redis_link *link = owner;

    if (redis_conn_state(conn) == REDIS_CONN_READY) {
        ask(link);
        return;
    }
    link->sentinel_index++;
    if (redis_conn_state(link->conn) == REDIS_CONN_READY) {
        watch(link); /* only this sentinel failed: the watch asks the next one */
    } else if (link->sentinel_index % link->url->n_hosts != 0) {
        redis_link_set_cause(link, redis_conn_cause(conn));
        ask(link);
    } else { /* no sentinel gave an answer */
        fail(link, redis_conn_cause(conn));
        redis_link_changed(link);
    }
}

static bool parse_address(const struct redisReply *answer, struct redis_address *out)
{
    const struct redisReply *host, *port;
    uint32_t number;

    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2)
        return false;
    host = answer->element[0];
    port = answer->element[1];
    if (host->type != REDIS_REPLY_STRING || host->len >= sizeof(out->host) || host->len == 0 ||
        port->type != REDIS_REPLY_STRING ||
        !number_parse_u32(slice_make(port->str, port->len), 65535, &number) || number == 0)
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->host, host->str, host->len);
    out->port = (uint16_t)number;
    return true;
}

static void on_master_known(struct redis_link *link, const struct redis_address *address)
{
    bool same = link->has_master && strcmp(link->master.host, address->host) == 0 &&
                link->master.port == address->port;

    link->master = *address;
    link->has_master = true;
    if (redis_conn_state(link->conn) == REDIS_CONN_DOWN)
        redis_conn_connect(link->conn, &link->master);
    else if (!same)
        redis_conn_close(link->conn, "the sentinels name another master");
    else
        watch(link);
}

static void on_sentinel_answer(void *owner, struct redis_conn *conn, uint64_t ticket,
                               const struct redisReply *answer)
{
    struct redis_link *link = owner;
    struct redis_address address;
    char why[REDIS_CONN_CAUSE_MAX];

    (void)ticket;
    if (!answer) /* on_sentinel_state() follows */
        return;
    if (parse_address(answer, &address)) {
        on_master_known(link, &address);
        return;
    }
    if (answer->type == REDIS_REPLY_ERROR)
        snprintf(why, sizeof(why), "%.120s", answer->str);
    else
        snprintf(why, sizeof(why), "this sentinel knows no master '%.60s'", link->url->master);
    redis_conn_close(conn, why);
}

/* --- connection to the master --- */

static void on_state(void *owner, struct redis_conn *conn)
{
    struct redis_link *link = owner;

    if (redis_conn_state(conn) == REDIS_CONN_READY) {
        link->epoch++;
        link->n_failures = 0;
        redis_link_set_cause(link, "");
        watch(link);
    } else {
        fail(link, redis_conn_cause(conn));
    }
    redis_link_changed(link);
}

static bool start(struct redis_link *link)
{
    struct redis_conn_options options = redis_link_conn_options(link);

    options.owner = link;
    options.is_sentinel = true;
    options.limits = sentinel_limits;
    options.on_answer = on_sentinel_answer;
    options.on_state = on_sentinel_state;
    link->sentinel = redis_conn_new(link->base, &options);
    options.is_sentinel = false;
    options.limits = link->options.limits;
    options.must_be_master = true;
    options.on_answer = redis_link_pass_answer;
    options.on_state = on_state;
    link->conn = redis_conn_new(link->base, &options);
    link->retry = evtimer_new(link->base, on_retry, link);
    if (!link->sentinel || !link->conn || !link->retry)
        return false;
    ask(link);
    return true;
}

static void stop(struct redis_link *link)
{
    redis_conn_free(link->sentinel);
    redis_conn_free(link->conn);
    if (link->retry)
        event_free(link->retry);
}

const struct redis_topology_ops redis_sentinel_ops = {
    .start = start,
    .stop = stop,
    .send = redis_link_send_one,
    .epoch = redis_link_epoch_one,
    .reconnect = redis_link_leave_one,
};
