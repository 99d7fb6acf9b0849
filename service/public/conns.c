#include "service/public/conns.h"

#include <stdlib.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/public/trusted_proxy.h"

enum { LINGER_WAIT_MS = 2 * 1000 };

struct conns *conns_new(const struct conns_options *options, struct error *err)
{
    struct conns *conns = calloc(1, sizeof(*conns));
    bool ok = false;

    if (!conns)
        goto out;
    conns->options = *options;
    deadline_list_init(&conns->waiting[CONN_IDLE], options->config->idle_s * 1000 + CONNS_SLACK_MS);
    deadline_list_init(&conns->waiting[CONN_HEAD], options->config->head_s * 1000);
    deadline_list_init(&conns->waiting[CONN_SENDING], CONNS_TAKE_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_LINGERING], LINGER_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_NEW], INT64_MAX);
    conns->pool = calloc(options->connections_max, sizeof(*conns->pool));
    if (!conns->pool || !held_pool_init(&conns->held_pool, CONNS_HELD_BLOCKS))
        goto out;
    counter64_set(&options->counters->open_max, options->connections_max);
    ok = true;
out:
    if (!ok) {
        error_set(err, "public: out of memory for %u connections", options->connections_max);
        conns_free(conns);
        conns = NULL;
    }
    return conns;
}

static void close_all(struct conns *conns, enum conn_state state)
{
    struct deadline *d;

    while ((d = deadline_first(&conns->waiting[state])))
        conn_close(conn_of_deadline(d), CLOSE_DRAIN);
}

void conns_free(struct conns *conns)
{
    if (!conns)
        return;
    if (conns->pool) {
        conns_flush(conns);
        for (unsigned state = CONN_IDLE; state < CONN_STATES; state++)
            close_all(conns, state);
    }
    held_pool_clear(&conns->held_pool);
    free(conns->pool);
    free(conns);
}

/* Idle connections that were used keep their place for CONNS_SLACK_MS: they go to the end before
 * one is taken for the longest idle. */
static void sort_used(struct conns *conns)
{
    struct deadline_list *idle = &conns->waiting[CONN_IDLE];
    struct deadline *d;

    while ((d = deadline_first(idle)) && conn_of_deadline(d)->was_used) {
        conn_of_deadline(d)->was_used = false;
        deadline_append(idle, d, conns->options.clock->mono_ms);
    }
}

/* The connection that will be missed the least; NULL: there is none. */
static struct conn *find_least_missed(struct conns *conns)
{
    static const enum conn_state order[] = {CONN_LINGERING, CONN_SENDING, CONN_IDLE, CONN_HEAD};
    struct conn *conn = NULL;

    conns_flush(conns);
    sort_used(conns);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !conn; i++)
        conn = conn_find_oldest(conns, order[i], NULL);
    return conn;
}

bool conns_give_up_one(struct conns *conns)
{
    struct conn *conn = find_least_missed(conns);
    int64_t now_ms = conns->options.clock->mono_ms;

    if (!conn || conn->state == CONN_HEAD ||
        (conn->state == CONN_IDLE && now_ms - conn->deadline.since_ms < CONNS_SLACK_MS))
        return false;
    conn_close(conn, CLOSE_EVICTED);
    return true;
}

void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer)
{
    const struct config_public *config = conns->options.config;
    uint8_t ip[IP_LEN] = {0};

    if (conns->n_open >= conns->options.connections_max) {
        struct conn *conn = find_least_missed(conns);

        if (conn)
            conn_close(conn, CLOSE_EVICTED);
    }
    if (!address_ip(peer, ip) ||
        !conn_start(conns, fd, ip,
                    config->client_address == CONFIG_CLIENT_PROXY_PROTOCOL &&
                        trusted_proxy_is(config, ip)))
        close(fd);
}

void conns_tick(struct conns *conns)
{
    int64_t now_ms = conns->options.clock->mono_ms;
    struct deadline *d;

    conns_flush(conns);
    for (unsigned state = CONN_IDLE; state < CONN_STATES; state++) {
        while ((d = deadline_due(&conns->waiting[state], now_ms)))
            conn_expire(conn_of_deadline(d));
    }
}

void conns_drain(struct conns *conns)
{
    conns->is_draining = true;
}

void conns_close_idle(struct conns *conns, int64_t silent_ms)
{
    struct deadline *ring = &conns->waiting[CONN_IDLE].ring, *next;
    int64_t now_ms = conns->options.clock->mono_ms;

    conns_flush(conns);
    for (struct deadline *d = ring->next; d != ring; d = next) {
        struct conn *conn = conn_of_deadline(d);

        next = d->next;
        if (conn->n_requests > 0 || now_ms - d->since_ms >= silent_ms)
            conn_close(conn, CLOSE_DRAIN);
    }
}

unsigned conns_n_open(const struct conns *conns)
{
    return conns->n_open;
}
