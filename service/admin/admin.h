/* admin.h - the admin address: probes, metrics, the JSON API and the dashboard, in two threads of
 * their own.
 *
 * Nothing here can touch a redirect: both threads have their own event loops, and read the counters
 * of workers, click store and ledger as snapshots.  The front (front.h) speaks HTTP and answers
 * probes and metrics itself; the API thread does all that takes time, with its own Redis link.
 *
 *     main ── admin_set_state, admin_reload ──▶ API thread ──▶ Redis (queries)
 *                                                 ▲    │
 *                                        requests │    │ replies
 *                                                 │    ▼
 *        snapshots of worker, clickstore, ──────▶ front ◀──▶ clients
 *        ledger (metrics)
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct admin;
struct apikeys;
struct clickstore;
struct config_admin;
struct config_public;
struct error;
struct event_log;
struct ledger;
struct site;
struct worker;

enum { ADMIN_CONNECTIONS_MIN = 16, ADMIN_CONNECTIONS_MAX = 512 };

/* How many connections the address takes at once when the process may have so many descriptors:
 * an eighth of them, within these limits. */
unsigned admin_connections_max(uint64_t n_descriptors);

struct admin_options {
    const struct config_admin *config;  /* borrowed for the call only */
    const struct config_public *public; /* its trusted_proxies; borrowed until admin_free() */
    const char *redis_url;              /* as of the ledger; NULL = statistics answer 503 */
    unsigned n_shards;                  /* as of the ledger */
    int64_t timeout_ms;                 /* longest a query may wait for Redis; 0 = 2 s */
    int64_t retention_hours_s;          /* as of the ledger: how far back statistics are whole */
    int64_t retention_days_s;
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
};

/*
 * Binds the addresses and starts the threads, in state STARTING.  Takes a reference of `site`;
 * takes `keys` (freed on failure, too), which may be NULL: then every request that needs a key is
 * refused.  Copies `*options` and `*sources`.
 *
 * NULL and `*err` on failure: an address is in use, the Redis URL is wrong, no memory.
 */
MUST_USE struct admin *admin_new(const struct admin_options *options,
                                 const struct admin_sources *sources, struct site *site,
                                 struct apikeys *keys, struct error *err);

/* What /readyz says: 503, 200, 503.  Readiness does not depend on Redis or the disk. */
enum admin_state { ADMIN_STARTING, ADMIN_READY, ADMIN_DRAINING };

/* Takes effect with the next probe.  From main's thread. */
void admin_set_state(struct admin *admin, enum admin_state state);

/* A reload went well: from now on requests are answered from `site` and `keys`, referenced and
 * taken as in admin_new().  From main's thread; does not wait. */
void admin_reload(struct admin *admin, struct site *site, struct apikeys *keys);
/* A reload failed and the old configuration stays: for the metrics. */
void admin_note_reload_failure(struct admin *admin);

/* Stops the threads, closes all connections, frees.  NULL is allowed. */
void admin_free(struct admin *admin);

#endif
