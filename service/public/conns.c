#include "service/public/conns.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/public/trusted_proxy.h"

enum {
    SEND_WAIT_MS = 30 * 1000, /* for a client to take at most CONNS_OUTPUT_MAX bytes */
    LINGER_WAIT_MS = 2 * 1000,
};

struct conns *conns_new(const struct conns_options *options, struct error *err)
{
    struct conns *conns = calloc(1, sizeof(*conns));
    bool ok = false;

    if (!conns)
        goto out;
    conns->options = *options;
    deadline_list_init(&conns->waiting[CONN_IDLE], options->config->idle_s * 1000 + CONNS_SLACK_MS);
    deadline_list_init(&conns->waiting[CONN_HEAD], options->config->head_s * 1000);
    deadline_list_init(&conns->waiting[CONN_SENDING], SEND_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_LINGERING], LINGER_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_NEW], INT64_MAX);
    conns->pool = calloc(options->connections_max, sizeof(*conns->pool));
    conns->blocks = calloc(CONNS_BLOCKS_MAX, sizeof(*conns->blocks));
    if (!conns->pool || !conns->blocks)
        goto out;
    counter64_set(&options->stats->open_max, options->connections_max);
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
        conn_close(conn_of_deadline(d), CONN_END_DRAIN);
}

void conns_free(struct conns *conns)
{
    if (!conns)
        return;
    if (conns->pool && conns->blocks) {
        conns_flush(conns);
        for (unsigned state = CONN_IDLE; state < CONN_STATES; state++)
            close_all(conns, state);
    }
    free(conns->pool);
    free(conns->blocks);
    free(conns);
}

static void set_open(struct conns *conns, unsigned n_open)
{
    conns->n_open = n_open;
    counter64_set(&conns->options.stats->open, n_open);
}

static struct conn *take_conn(struct conns *conns)
{
    struct conn *conn = conns->free_conns;

    if (conn)
        conns->free_conns = conn->next_free;
    else if (conns->n_made < conns->options.connections_max)
        conn = &conns->pool[conns->n_made++];
    if (conn)
        set_open(conns, conns->n_open + 1);
    return conn;
}

void conns_put(struct conns *conns, struct conn *conn)
{
    conn->next_free = conns->free_conns;
    conns->free_conns = conn;
    set_open(conns, conns->n_open - 1);
}

/* Ends the connection that will be missed the least. */
static void evict(struct conns *conns)
{
    static const enum conn_state order[] = {CONN_LINGERING, CONN_IDLE, CONN_HEAD, CONN_SENDING};

    conns_flush(conns);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct deadline *d = deadline_first(&conns->waiting[order[i]]);

        if (d) {
            conn_close(conn_of_deadline(d), CONN_END_EVICTED);
            return;
        }
    }
}

void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer)
{
    const struct config_public *config = conns->options.config;
    uint8_t ip[IP_LEN] = {0};
    struct conn *conn;

    if (conns->n_open >= conns->options.connections_max)
        evict(conns);
    conn = take_conn(conns);
    if (!conn || !address_ip(peer, ip)) {
        if (conn)
            conns_put(conns, conn);
        close(fd);
        return;
    }
    counter64_add(&conns->options.stats->accepted, 1);
    conn->conns = conns;
    conn_start(conn, fd, ip,
               config->client_address == CONFIG_CLIENT_PROXY_PROTOCOL &&
                   trusted_proxy_is(config, ip));
}

static void expire_due(struct conns *conns, enum conn_state state)
{
    int64_t now_ms = conns->options.turn->mono_ms;
    struct deadline *d;

    while ((d = deadline_due(&conns->waiting[state], now_ms)))
        conn_expire(conn_of_deadline(d));
}

void conns_tick(struct conns *conns)
{
    conns_flush(conns);
    for (unsigned state = CONN_IDLE; state < CONN_STATES; state++)
        expire_due(conns, state);
}

void conns_sync(struct conns *conns)
{
    if (conns->options.sync_log)
        clicklog_sync(conns->options.sync_log);
}

void conns_flush(struct conns *conns)
{
    const char *at = conns->out;

    if (conns->n_queued == 0)
        return;
    conns_sync(conns);
    for (size_t i = 0; i < conns->n_queued; i++) {
        const struct queued *q = &conns->queue[i];

        q->conn->is_queued = false;
        conn_send(q->conn, at, q->len, q->then);
        at += q->len;
    }
    conns->n_queued = conns->out_len = 0;
}

void conns_queue(struct conns *conns, struct conn *conn, size_t len, enum conn_then then)
{
    if (!conns->options.sync_log && conns->n_queued == 0) {
        conn_send(conn, conns->out, len, then);
        return;
    }
    assert(conns->n_queued < CONNS_QUEUE_MAX);
    conn->is_queued = true;
    conns->queue[conns->n_queued++] = (struct queued){.conn = conn, .len = len, .then = then};
    conns->out_len += len;
    if (conns->n_queued == CONNS_QUEUE_MAX)
        conns_flush(conns);
}

struct block *conns_take_block(struct conns *conns)
{
    struct deadline *oldest = deadline_first(&conns->waiting[CONN_HEAD]);
    struct block *block;

    if (!conns->free_blocks && conns->n_blocks_made == CONNS_BLOCKS_MAX && oldest &&
        !conn_of_deadline(oldest)->is_queued)
        conn_expire(conn_of_deadline(oldest));
    block = conns->free_blocks;
    if (block)
        conns->free_blocks = block->next_free;
    else if (conns->n_blocks_made < CONNS_BLOCKS_MAX)
        block = &conns->blocks[conns->n_blocks_made++];
    if (block)
        counter64_add(&conns->options.stats->heads, 1);
    return block;
}

void conns_put_block(struct conns *conns, struct block *block)
{
    counter64 *heads = &conns->options.stats->heads;

    block->next_free = conns->free_blocks;
    conns->free_blocks = block;
    counter64_set(heads, counter64_get(heads) - 1);
}

void conns_drain(struct conns *conns)
{
    conns->is_draining = true;
}

void conns_close_idle(struct conns *conns, int64_t silent_ms)
{
    struct deadline *ring = &conns->waiting[CONN_IDLE].ring, *next;
    int64_t now_ms = conns->options.turn->mono_ms;

    conns_flush(conns);
    for (struct deadline *d = ring->next; d != ring; d = next) {
        struct conn *conn = conn_of_deadline(d);

        next = d->next;
        if (conn->n_requests > 0 || now_ms - d->since_ms >= silent_ms)
            conn_close(conn, CONN_END_DRAIN);
    }
}

unsigned conns_n_open(const struct conns *conns)
{
    return conns->n_open;
}
