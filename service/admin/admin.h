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

#include <jansson.h>

#include "proto/compiler.h"
#include "service/admin/admin_options.h"

struct admin;
struct access;
struct error;
struct site;

enum { ADMIN_CONNECTIONS_MIN = 16, ADMIN_CONNECTIONS_MAX = 512 };

/* How many connections the address takes at once when the process may have so many descriptors:
 * an eighth of them, within these limits. */
unsigned admin_connections_max(uint64_t n_descriptors);

/*
 * Binds the addresses and starts the threads, in state STARTING.  Takes a reference of `site`;
 * takes `access` (freed on failure, too).  Copies `*options` and `*sources`.
 *
 * NULL and `*err` on failure: an address is in use, the Redis URL is wrong, no memory.
 */
MUST_USE struct admin *admin_new(const struct admin_options *options,
                                 const struct admin_sources *sources, struct site *site,
                                 struct access *access, struct error *err);

/* Takes effect with the next probe.  From main's thread. */
void admin_set_state(struct admin *admin, enum admin_state state);

/* A reload went well: from now on requests are answered from `site` and `access`, referenced and
 * taken as in admin_new().  From main's thread; does not wait. */
void admin_reload(struct admin *admin, struct site *site, struct access *access);
/* A reload failed and the old configuration stays: for the metrics. */
void admin_note_reload_failure(struct admin *admin);

/* Asks the API as a key of the brand `brand` would that may read statistics: GET `path`.  Waits for
 * the reply, from any thread but the admin address' own, and before admin_free().  A new reference;
 * NULL when it failed. */
MUST_USE json_t *admin_ask(struct admin *admin, const char *brand, const char *path);

/* Stops the threads, closes all connections, frees.  NULL is allowed. */
void admin_free(struct admin *admin);

#endif
