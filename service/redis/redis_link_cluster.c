/* A link to a Redis Cluster: one connection per master, a map of slots, MOVED and ASK are followed.
 */
#include "service/redis/redis_link_private.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "service/redis/resp.h"
#include "service/redis/slot_map.h"

enum {
    NODES_MAX = 128,
    NO_NODE = 255,
    COMMANDS_MAX = 4096,
    HOPS_MAX = 5,
    REFRESH_MS = 10000,
    REFRESH_SOON_MS = 100,    /* wait after a redirection, because others follow it */
    MAP_BYTES_MAX = 16 << 20, /* of CLUSTER SLOTS: at worst a range per slot, with replicas */
    MAP_ELEMENTS_MAX = 1 << 18,
};

/* Tickets of a connection: the number of a command, or one of: */
enum { TICKET_MAP = COMMANDS_MAX, TICKET_ASKING };

struct node {
    struct redis_link *link;
    struct redis_conn *conn; /* NULL: the entry is free */
    struct redis_address address;
    struct event *retry;
    uint64_t epoch;
    unsigned n_failures, n_slots;
};

/* A command in flight; kept until its answer, because it may have to be sent to another node. */
struct command {
    uint64_t ticket;
    struct evbuffer *bytes; /* NULL: the entry is free */
    unsigned slot, hops;
};

struct redis_cluster {
    struct node nodes[NODES_MAX];
    uint8_t slots[SLOT_COUNT];        /* number of the node, or NO_NODE */
    uint64_t slot_epochs[SLOT_COUNT]; /* epoch in which the slot came to that node */
    struct command commands[COMMANDS_MAX];
    uint16_t free_commands[COMMANDS_MAX];
    unsigned n_free;
    struct event *refresh;
    bool is_asking; /* CLUSTER SLOTS is under way */
    unsigned n_failures, node_index;
};

static void on_conn_answer(void *owner, struct redis_conn *conn, uint64_t ticket,
                           const struct redisReply *answer);
static void on_conn_state(void *owner, struct redis_conn *conn);

static void refresh_in(struct redis_link *link, int wait_ms)
{
    const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};

    event_add(link->cluster->refresh, &wait);
}

static bool is_ready(const struct node *node)
{
    return node->conn && redis_conn_state(node->conn) == REDIS_CONN_READY;
}

/* --- nodes --- */

/* The backoff after a failure is over. */
static void on_node_retry(evutil_socket_t fd, short events, void *arg)
{
    struct node *node = arg;

    (void)fd;
    (void)events;
    if (redis_conn_state(node->conn) == REDIS_CONN_DOWN)
        redis_conn_connect(node->conn, &node->address);
}

static void node_clear(struct node *node)
{
    redis_conn_free(node->conn);
    node->conn = NULL;
    if (node->retry)
        event_free(node->retry);
    node->retry = NULL;
}

static bool node_init(struct redis_link *link, struct node *node,
                      const struct redis_address *address)
{
    struct redis_conn_options options = redis_link_conn_options(link);

    *node = (struct node){.link = link, .address = *address};
    if (options.limits.bytes < MAP_BYTES_MAX)
        options.limits.bytes = MAP_BYTES_MAX;
    if (options.limits.elements < MAP_ELEMENTS_MAX)
        options.limits.elements = MAP_ELEMENTS_MAX;
    options.owner = node;
    options.on_answer = on_conn_answer;
    options.on_state = on_conn_state;
    node->conn = redis_conn_new(link->base, &options);
    node->retry = evtimer_new(link->base, on_node_retry, node);
    if (!node->conn || !node->retry) {
        node_clear(node);
        return false;
    }
    redis_conn_connect(node->conn, &node->address);
    return true;
}

/* The node with that address; a new one is connected to.  NULL: the table of nodes is full. */
static struct node *find_node(struct redis_link *link, const struct redis_address *address)
{
    struct node *free_node = NULL;

    for (unsigned i = 0; i < NODES_MAX; i++) {
        struct node *node = &link->cluster->nodes[i];

        if (!node->conn)
            free_node = free_node ? free_node : node;
        else if (node->address.port == address->port &&
                 strcmp(node->address.host, address->host) == 0) {
            if (redis_conn_state(node->conn) == REDIS_CONN_DOWN &&
                !event_pending(node->retry, EV_TIMEOUT, NULL))
                redis_conn_connect(node->conn, address);
            return node;
        }
    }
    return free_node && node_init(link, free_node, address) ? free_node : NULL;
}

static void set_slot(struct redis_link *link, unsigned slot, unsigned number)
{
    struct redis_cluster *cluster = link->cluster;

    if (cluster->slots[slot] == number)
        return;
    if (cluster->slots[slot] != NO_NODE)
        cluster->nodes[cluster->slots[slot]].n_slots--;
    cluster->nodes[number].n_slots++;
    cluster->slots[slot] = (uint8_t)number;
    cluster->slot_epochs[slot] = ++link->epoch;
}

/* --- the map --- */

static bool take_range(struct redis_link *link, const struct redisReply *answer,
                       const struct redis_address *from)
{
    struct slot_range range;
    struct node *node;

    if (!slot_parse_range(answer, from, &range) || !(node = find_node(link, &range.master)))
        return false;
    for (unsigned slot = range.first; slot <= range.last; slot++)
        set_slot(link, slot, (unsigned)(node - link->cluster->nodes));
    return true;
}

/* Closes connections to nodes that serve no slots: former masters, and seeds listed under another
 * address.  Skips `busy`, which is in a callback. */
static void close_idle_nodes(struct redis_link *link, const struct node *busy)
{
    for (unsigned i = 0; i < NODES_MAX; i++) {
        struct node *node = &link->cluster->nodes[i];

        if (!node->conn || node->n_slots > 0)
            continue;
        if (redis_conn_state(node->conn) == REDIS_CONN_DOWN && node != busy)
            node_clear(node);
        else
            redis_conn_close(node->conn, "serves no slots");
    }
}

static void on_map(struct redis_link *link, struct node *node, const struct redisReply *answer)
{
    struct redis_cluster *cluster = link->cluster;
    size_t n = 0;

    cluster->is_asking = false;
    if (answer && answer->type == REDIS_REPLY_ARRAY) {
        while (n < answer->elements && take_range(link, answer->element[n], &node->address))
            n++;
    }
    if (!answer || answer->type != REDIS_REPLY_ARRAY || n == 0 || n < answer->elements) {
        if (answer && answer->type == REDIS_REPLY_ERROR)
            redis_link_set_cause(link, answer->str);
        else if (answer)
            redis_link_set_cause(link, "the cluster has no map of its slots");
        redis_link_back_off(cluster->refresh, cluster->n_failures++);
        return;
    }
    cluster->n_failures = 0;
    redis_link_set_cause(link, "");
    close_idle_nodes(link, node);
    refresh_in(link, REFRESH_MS);
    redis_link_changed(link);
}

/* Sends CLUSTER SLOTS to a connected node, another one each time; if none is connected, connects to
 * the next seed. */
static void ask_map(struct redis_link *link)
{
    const struct slice argv[] = {slice_of("CLUSTER"), slice_of("SLOTS")};
    struct redis_cluster *cluster = link->cluster;

    if (cluster->is_asking)
        return;
    cluster->node_index++;
    for (unsigned i = 0; i < NODES_MAX; i++) {
        struct node *node = &cluster->nodes[(cluster->node_index + i) % NODES_MAX];

        if (is_ready(node) && redis_conn_send(node->conn, argv, 2, TICKET_MAP)) {
            cluster->is_asking = true;
            return;
        }
    }
    (void)find_node(link, &link->url->hosts[cluster->node_index % link->url->n_hosts]);
    redis_link_back_off(cluster->refresh, cluster->n_failures++);
}

/* The slot map is to be read again. */
static void on_refresh(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    ask_map(arg);
}

/* --- commands --- */

static void release_command(struct redis_cluster *cluster, unsigned number)
{
    evbuffer_free(cluster->commands[number].bytes);
    cluster->commands[number].bytes = NULL;
    cluster->free_commands[cluster->n_free++] = (uint16_t)number;
}

static bool send_to(struct node *node, const struct command *command, bool asking)
{
    const struct slice word = slice_of("ASKING");
    unsigned number = (unsigned)(command - node->link->cluster->commands);

    if (!is_ready(node) || (asking && !redis_conn_send(node->conn, &word, 1, TICKET_ASKING)))
        return false;
    return redis_conn_send_bytes(node->conn, command->bytes, number);
}

static bool send_command(struct redis_link *link, const struct redis_command *command)
{
    struct redis_cluster *cluster = link->cluster;
    unsigned slot = slot_of_key(command->key), number;
    struct command *kept;

    if (cluster->slots[slot] == NO_NODE || cluster->n_free == 0)
        return false;
    number = cluster->free_commands[--cluster->n_free];
    kept = &cluster->commands[number];
    *kept = (struct command){.ticket = command->ticket, .slot = slot, .bytes = evbuffer_new()};
    if (!kept->bytes) {
        cluster->n_free++;
        return false;
    }
    if (!resp_write_command(kept->bytes, command->argv, command->argc) ||
        !send_to(&cluster->nodes[cluster->slots[slot]], kept, false)) {
        release_command(cluster, number);
        return false;
    }
    return true;
}

/* Follows MOVED and ASK; false: the error is passed to the owner.  In either case the command has
 * not run. */
static bool redirect(struct node *from, struct command *command, const struct redisReply *answer)
{
    struct redis_link *link = from->link;
    struct slot_redirection redirection;
    struct node *to;

    if (!slot_parse_redirection(answer->str, &redirection) || ++command->hops > HOPS_MAX)
        return false;
    if (redirection.to.host[0] == '\0')
        memcpy(redirection.to.host, from->address.host, sizeof(redirection.to.host));
    to = find_node(link, &redirection.to);
    if (!to)
        return false;
    if (!redirection.is_ask) {
        set_slot(link, redirection.slot, (unsigned)(to - link->cluster->nodes));
        refresh_in(link, REFRESH_SOON_MS);
        redis_link_changed(link);
    }
    return send_to(to, command, redirection.is_ask);
}

static void on_command_answer(struct node *node, unsigned number, const struct redisReply *answer)
{
    struct redis_link *link = node->link;
    struct command *command = &link->cluster->commands[number];
    uint64_t ticket = command->ticket;

    if (answer && answer->type == REDIS_REPLY_ERROR) {
        if (redirect(node, command, answer))
            return;
        if (strncmp(answer->str, "CLUSTERDOWN", 11) == 0)
            refresh_in(link, REFRESH_SOON_MS);
    }
    release_command(link->cluster, number);
    link->options.on_answer(link->options.owner, ticket, answer);
}

/* --- callbacks of the connections --- */

static void on_conn_answer(void *owner, struct redis_conn *conn, uint64_t ticket,
                           const struct redisReply *answer)
{
    struct node *node = owner;

    (void)conn;
    if (ticket == TICKET_MAP)
        on_map(node->link, node, answer);
    else if (ticket != TICKET_ASKING)
        on_command_answer(node, (unsigned)ticket, answer);
}

static void on_conn_state(void *owner, struct redis_conn *conn)
{
    struct node *node = owner;
    struct redis_link *link = node->link;

    if (redis_conn_state(conn) == REDIS_CONN_READY) {
        node->epoch = ++link->epoch;
        node->n_failures = 0;
        refresh_in(link, 0);
    } else {
        if (node->n_slots > 0 || link->cluster->n_failures > 0)
            redis_link_set_cause(link, redis_conn_cause(conn));
        refresh_in(link, REFRESH_SOON_MS);
        /* Nodes without slots are connected to only when a redirection or the map names them. */
        if (node->n_slots > 0)
            redis_link_back_off(node->retry, node->n_failures++);
    }
    redis_link_changed(link);
}

/* --- functions of the topology --- */

static bool start(struct redis_link *link)
{
    struct redis_cluster *cluster = calloc(1, sizeof(*cluster));

    link->cluster = cluster;
    if (!cluster || !(cluster->refresh = evtimer_new(link->base, on_refresh, link)))
        return false;
    memset(cluster->slots, NO_NODE, sizeof(cluster->slots));
    for (unsigned i = 0; i < COMMANDS_MAX; i++)
        cluster->free_commands[i] = (uint16_t)(COMMANDS_MAX - 1 - i);
    cluster->n_free = COMMANDS_MAX;
    ask_map(link); /* connects to the first seed */
    return true;
}

static void stop(struct redis_link *link)
{
    struct redis_cluster *cluster = link->cluster;

    if (!cluster)
        return;
    for (unsigned i = 0; i < NODES_MAX; i++)
        node_clear(&cluster->nodes[i]);
    if (cluster->refresh)
        event_free(cluster->refresh);
    free(cluster);
}

static uint64_t epoch(const struct redis_link *link, struct slice key)
{
    const struct redis_cluster *cluster = link->cluster;
    unsigned slot = slot_of_key(key), number = cluster->slots[slot];

    if (number == NO_NODE || !is_ready(&cluster->nodes[number]))
        return 0;
    return cluster->nodes[number].epoch > cluster->slot_epochs[slot] ? cluster->nodes[number].epoch
                                                                     : cluster->slot_epochs[slot];
}

static void reconnect(struct redis_link *link, struct slice key)
{
    unsigned number = link->cluster->slots[slot_of_key(key)];

    refresh_in(link, REFRESH_SOON_MS);
    if (number != NO_NODE)
        redis_conn_close(link->cluster->nodes[number].conn, "closed by us");
}

const struct redis_topology_ops redis_cluster_ops = {
    .start = start,
    .stop = stop,
    .send = send_command,
    .epoch = epoch,
    .reconnect = reconnect,
};
