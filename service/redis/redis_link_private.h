/* redis_link_private.h - a link, as the files of its three topologies share it; see redis_link.h.
 *
 * redis_link.c passes every call to one of: itself (a single server), redis_link_sentinel.c (finds
 * the master's address), redis_link_cluster.c (many nodes and a map of slots). */
#ifndef REDIS_REDIS_LINK_PRIVATE_H
#define REDIS_REDIS_LINK_PRIVATE_H
#include <stdbool.h>
#include <stdint.h>

#include "service/redis/redis_conn.h"
#include "service/redis/redis_link.h"
#include "service/redis/redis_url.h"

struct error;
struct event;
struct event_base;
struct redis_cluster;
struct redis_link;

struct redis_topology_ops {
    bool (*start)(struct redis_link *link);
    void (*stop)(struct redis_link *link);
    bool (*send)(struct redis_link *link, const struct redis_command *command);
    uint64_t (*epoch)(const struct redis_link *link, struct slice key);
    void (*reconnect)(struct redis_link *link, struct slice key);
};

struct redis_link {
    struct event_base *base;
    struct redis_link_options options; /* its texts are copies */
    struct redis_url *url;
    struct ssl_ctx_st *tls;
    const struct redis_topology_ops *ops;
    char cause[REDIS_CONN_CAUSE_MAX];
    uint64_t epoch;

    /* single server and sentinel */
    struct redis_conn *conn;
    struct event *retry;
    unsigned n_failures;
    struct redis_conn *sentinel;
    unsigned sentinel_index;     /* of the sentinel to ask next */
    struct redis_address master; /* the master's address, as a sentinel reported it */
    bool has_master;

    struct redis_cluster *cluster;
};

extern const struct redis_topology_ops redis_sentinel_ops;
extern const struct redis_topology_ops redis_cluster_ops;

void redis_link_set_cause(struct redis_link *link, const char *cause);
void redis_link_changed(struct redis_link *link);
/* The options of a connection of this link, without owner and callbacks. */
struct redis_conn_options redis_link_conn_options(const struct redis_link *link);

/* For topologies that send all commands over link->conn. */
bool redis_link_send_one(struct redis_link *link, const struct redis_command *command);
uint64_t redis_link_epoch_one(const struct redis_link *link, struct slice key);
void redis_link_leave_one(struct redis_link *link, struct slice key);
/* The on_answer callback of link->conn; its owner is the link. */
void redis_link_pass_answer(void *owner, struct redis_conn *conn, uint64_t ticket,
                            const struct redisReply *answer);

/* Schedules `event` after a backoff that doubles from 50 ms to 5 s with the number of failures,
 * with ±50 % jitter, so that many pods don't reconnect at the same moment. */
void redis_link_back_off(struct event *event, unsigned n_failures);

#endif
