/* A link to one server of a fixed address, with a retry that backs off. */
#include "service/redis/redis_link_private.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>

static void on_reply(void *owner, struct redis_conn *conn, uint64_t ticket,
                     const struct redisReply *reply)
{
    struct redis_link *link = owner;

    (void)conn;
    link->options.on_reply(link->options.owner, ticket, reply);
}

/* The connection is READY or DOWN. */
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

/* The wait after a failure is over. */
static void on_retry(evutil_socket_t fd, short events, void *arg)
{
    struct redis_link *link = arg;

    (void)fd;
    (void)events;
    redis_conn_connect(link->conn, &link->url->hosts[0]);
}

static bool start(struct redis_link *link)
{
    struct redis_conn_options options = redis_link_conn_options(link);

    options.owner = link;
    options.on_reply = on_reply;
    options.on_state = on_state;
    link->conn = redis_conn_new(link->base, &options);
    link->retry = evtimer_new(link->base, on_retry, link);
    if (!link->conn || !link->retry)
        return false;
    redis_conn_connect(link->conn, &link->url->hosts[0]);
    return true;
}

static void stop(struct redis_link *link)
{
    redis_conn_free(link->conn);
    if (link->retry)
        event_free(link->retry);
}

const struct redis_topology_ops redis_single_ops = {
    .start = start,
    .stop = stop,
    .send = redis_link_send_one,
    .epoch = redis_link_epoch_one,
    .reconnect = redis_link_leave_one,
};
