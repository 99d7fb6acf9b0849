/* admin_options.h - what the admin address is given: options, the parts of the process that it
 * looks at, and the state that it tells. */
#ifndef ADMIN_ADMIN_OPTIONS_H
#define ADMIN_ADMIN_OPTIONS_H
#include <stdint.h>

struct access_log;
struct checks;
struct clickstore;
struct config_admin;
struct config_public;
struct event_log;
struct ledger;
struct reports;
struct sinks;
struct state_feed;
struct state_table;
struct worker;

struct admin_options {
    const struct config_admin *config;  /* borrowed for the call only */
    const struct config_public *public; /* its trusted_proxies; borrowed until admin_free() */
    const char *redis_url;              /* as of the ledger; NULL = statistics answer 503 */
    unsigned n_shards;                  /* as of the ledger */
    int64_t timeout_ms;                 /* longest a query may wait for Redis; 0 = 2 s */
    int64_t retention_hours_s;          /* as of the ledger: how far back statistics are whole */
    int64_t retention_days_s;
    int64_t retention_cells_s;        /* 0 = there are no cells */
    int64_t logs_retain_s;            /* of segments that were applied */
    int64_t retention_client_hours_s; /* 0 = people are counted by days only */
};

/* Where the metrics come from; all borrowed until admin_free().  Each may be absent. */
struct admin_sources {
    struct worker *const *workers;
    unsigned n_workers;
    struct clickstore *store;
    struct ledger *ledger;
    struct event_log *events;
    const struct state_table *states;
    const struct state_feed *state_feed;
    struct sinks *sinks;
    struct checks *checks;
    struct reports *reports;
    struct access_log *access_log; /* NULL: no request is logged */
};

/* What /readyz says: 503, 200, 503.  Readiness does not depend on Redis or the disk. */
enum admin_state { ADMIN_STARTING, ADMIN_READY, ADMIN_DRAINING };

#endif
