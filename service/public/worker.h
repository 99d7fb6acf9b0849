/* worker.h - a worker of the public port: a thread with an event loop, listening sockets,
 * connections and a click log of its own.  Workers share nothing that changes.
 *
 *     main ── worker_reload, worker_drain, worker_finish, worker_stop ──▶ worker
 *                       (messages, taken between two turns of its loop)
 */
#ifndef PUBLIC_WORKER_H
#define PUBLIC_WORKER_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/public/counters.h"

struct clicklog;
struct config_public;
struct error;
struct label_rules;
struct site;
struct state_table;
struct worker;

struct worker_options {
    unsigned index;
    unsigned connections_max;
    const struct config_public *config;    /* borrowed as long as the worker */
    int *listen_fds;                       /* one per config->addresses; taken, set to -1 */
    const struct label_rules *label_rules; /* borrowed as long as the worker */
    struct clicklog *log;                  /* borrowed as long as the worker */
    const struct state_table *states;      /* borrowed as long as the worker */
    bool sync_clicks;                      /* clicks are on disk before the replies leave */
};

/* Makes a worker that answers from `site`, of which it takes a reference, and starts its thread.
 * NULL and `*err` on failure; then the sockets are the caller's or closed (-1). */
MUST_USE struct worker *worker_new(const struct worker_options *options, struct site *site,
                                   struct error *err);

/* From now on answers from `site`, of which it takes a reference.  Does not wait. */
void worker_reload(struct worker *worker, struct site *site);

/* From now on every reply says Connection: close.  Still accepts. */
void worker_drain(struct worker *worker);

/* Accepts what waits in the sockets' queues, closes them and the idle connections; the thread ends
 * when the other connections have been answered, or `limit_ms` later. */
void worker_finish(struct worker *worker, int64_t limit_ms);

/* Whether the thread has ended; any thread. */
bool worker_has_ended(const struct worker *worker);

/* The thread ends after this turn of its loop; connections are cut. */
void worker_stop(struct worker *worker);

/* Waits for the thread's end, which worker_finish() or worker_stop() has asked for, and frees.
 * NULL is allowed. */
void worker_free(struct worker *worker);

/* Its counters, as long as the worker; any thread. */
const struct worker_counters *worker_counters(const struct worker *worker);

#endif
