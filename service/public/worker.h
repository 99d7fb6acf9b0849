/* worker.h - a worker of the public port: a thread with an event loop, listening sockets,
 * connections and a click log of its own.  Workers share nothing that changes, but the log of
 * events, which presses append to.
 *
 *     main ── worker_reload, worker_drain, worker_finish, worker_stop ──▶ worker
 *                       (messages, taken between two passes of its loop)
 */
#ifndef PUBLIC_WORKER_H
#define PUBLIC_WORKER_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/public/counters.h"

struct access_ring;
struct clicklog;
struct config_public;
struct error;
struct event_log;
struct label_rules;
struct site;
struct state_table;
struct worker;

struct worker_options {
    unsigned index;
    unsigned connections_max;
    const struct config_public *config;    /* borrowed as long as the worker lives */
    int *listen_fds;                       /* one per config->addresses; taken, set to -1 */
    bool honours_gpc;                      /* see answer.h */
    const struct label_rules *label_rules; /* borrowed as long as the worker lives */
    struct clicklog *log;                  /* borrowed as long as the worker lives */
    const struct state_table *states;      /* borrowed as long as the worker lives */
    struct event_log *events;              /* borrowed as long as the worker lives */
    const char *redis_url;                 /* for the call only; NULL: one-time links answer 503 */
    unsigned n_shards;
    bool sync_clicks;           /* replies wait until their clicks are on disk */
    struct access_ring *access; /* borrowed as long as the worker lives; NULL: no access log */
};

/* Makes a worker that answers from `site`, takes a reference to it, and starts the thread.  NULL
 * and `*err` on failure; each socket is then either still the caller's, or closed and set to -1. */
MUST_USE struct worker *worker_new(const struct worker_options *options, struct site *site,
                                   struct error *err);

/* From now on the worker answers from `site`, to which it takes a reference.  Does not wait. */
void worker_reload(struct worker *worker, struct site *site);

/* Makes the loop pass once more, as loop_passes will tell: an idle one sleeps for as long as it
 * likes.  Does not wait. */
void worker_poke(struct worker *worker);

/* From now on every reply has Connection: close.  New connections are still accepted. */
void worker_drain(struct worker *worker);

/* Accepts the connections that wait in the queues, then closes the listening sockets and idle
 * connections.  The thread ends when the other connections have been answered, or after `limit_ms`.
 */
void worker_finish(struct worker *worker, int64_t limit_ms);

/* Whether the thread has ended; any thread. */
bool worker_has_ended(const struct worker *worker);

/* Ends the thread after this pass of its loop; open connections are cut. */
void worker_stop(struct worker *worker);

/* Waits for the end of the thread, requested by worker_finish() or worker_stop(), and frees.  NULL
 * is allowed. */
void worker_free(struct worker *worker);

/* The worker's counters, valid as long as the worker; any thread. */
const struct worker_counters *worker_counters(const struct worker *worker);

#endif
