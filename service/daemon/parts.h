/* parts.h - the parts of hopcountd: started in this order, stopped in reverse order.
 *
 *     configuration, site ─▶ listening sockets ─▶ click store ─▶ Redis ─▶ ledger ─▶ states ─▶
 *     sinks ─▶ workers ─▶ checks ─▶ admin ─▶ reports */
#ifndef DAEMON_PARTS_H
#define DAEMON_PARTS_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/label/salt.h"

struct access_log;
struct admin;
struct access;
struct checks;
struct clickstore;
struct config;
struct error;
struct event_log;
struct label_rules;
struct ledger;
struct private_redis;
struct reports;
struct sinks;
struct site;
struct state_feed;
struct state_table;
struct worker;

/* Caller's memory; {0} before parts_start(). */
struct parts {
    struct config *config; /* as read at the start; keys that need a restart are read from here */
    struct site *site;
    struct clickstore *store;
    struct private_redis *private_redis; /* NULL: the configuration has a redis.url */
    char *redis_url;
    struct salt salt; /* salts the workers' hashes; the ledger thread changes it */
    struct ledger *ledger;
    struct event_log *events;   /* what other programs tell, on its way to Redis … */
    struct state_table *states; /* … and what all pods know of it, which workers look up */
    struct state_feed *state_feed;
    struct sinks *sinks; /* the other readers of the click log */
    struct label_rules *label_rules;
    struct access_log *access_log; /* NULL: no request is logged */
    unsigned n_workers;
    struct worker **workers;
    struct checks *checks;   /* NULL: nothing is looked at */
    struct reports *reports; /* NULL: none are sent */
    struct admin *admin;
};

/* Reads the configuration and starts all parts.  Signals must be blocked, so that no thread
 * receives any.  False and `*err` (file, line, key, remedy) on failure; call parts_stop() to undo
 * what was started. */
MUST_USE bool parts_start(struct parts *parts, const char *config_path, struct error *err);

/* Stops all running parts in reverse order; workers that have not ended are cut off. */
void parts_stop(struct parts *parts);

/* Reads the configuration and all files that it names.  False and `*err` on failure; `*config` is
 * then what was read, or NULL.  The caller frees all three. */
MUST_USE bool parts_load(const char *config_path, struct config **config, struct site **site,
                         struct access **access, struct error *err);

/* Initialises libraries.  Call first, once in a process. */
MUST_USE bool parts_init_libraries(struct error *err);

#endif
