/* ledger.h - the Redis side of the ledger: a thread that reads the click logs, folds records into
 * counters and applies them in batches, each exactly once (FORMATS.md "Cursor", "Batch").
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/funnel.h"
#include "service/gateway/relabel.h"

struct clickstore;
struct error;
struct gateway_options;
struct ledger;
struct pod;
struct pod_table;
struct salt;
struct site;
struct use_limits;

struct ledger_options {
    const char *redis_url;      /* service/redis/redis_url.h */
    unsigned n_shards;          /* 1, or a power of two up to 256 */
    int64_t flush_ms;           /* longest a click waits for its batch */
    unsigned batch_max;         /* records in a batch */
    int64_t timeout_ms;         /* of a connect and of a command */
    int64_t retention_states_s; /* how long states that end (proto/state.h) are kept */
    int64_t retention_hours_s;  /* how long hour buckets are kept */
    int64_t retention_days_s;
    int64_t retention_cells_s; /* how long cells (proto/cells.h) are kept; 0 = none are counted */
    uint32_t cells_len_max;    /* bytes of cells of a campaign's day; at most 2^25 */
    int64_t retention_client_hours_s; /* how long people are kept by the hour; 0 = by days only */
    int64_t
        retention_invoices_s; /* how long what is kept of an invoice is, after its last change */
    int64_t window_s;         /* a payment is credited to a click that is not older */
    /* When clicks are a mail gateway's, for the call only; NULL: gateways are not looked for. */
    const struct gateway_options *gateway;
    const char *state_dir;     /* with `gateway`, for the call only; NULL: there is none */
    struct salt *salt;         /* of the workers, with `gateway`; till ledger_free() */
    bool has_private_redis;    /* its append-only file is written anew every day */
    struct use_limits *limits; /* the ledger's from now on, also on failure; NULL = none */
};

/* Starts the thread.  A Redis that is down is no failure.  Borrows `store` till ledger_free(),
 * copies `options`.  NULL and `*err` when the URL, a certificate or n_shards is wrong. */
MUST_USE struct ledger *ledger_new(struct clickstore *store, const struct ledger_options *options,
                                   struct error *err);
/* From now on `limits`, which the ledger owns, count; NULL = none.  Any thread. */
void ledger_set_limits(struct ledger *ledger, struct use_limits *limits);
/* Applies what is pending without waiting for more; returns true when nothing is left, false when
 * `wait_ms` have passed before.  Clicks that workers append meanwhile count as pending, too. */
MUST_USE bool ledger_drain(struct ledger *ledger, int64_t wait_ms);
/* Tells the other processes, if Redis answers soon; stops the thread.  What is pending stays in the
 * logs.  NULL is allowed. */
void ledger_free(struct ledger *ledger);

/* Which kinds have an invoice as their object: those of the brands of `site`.  Until it is told,
 * all have.  Any thread, but one at a time. */
void ledger_use_site(struct ledger *ledger, const struct site *site);

struct ledger_stats {
    uint64_t applied;  /* clicks of the logs that Redis holds; goes back when Redis lost some */
    uint64_t pending;  /* clicks of the logs that Redis doesn't hold yet */
    uint64_t replayed; /* applied again after the cursor had gone back */
    uint64_t refused;  /* batches the cursor refused: they had been applied before */
    uint64_t rejected; /* increments set aside: wrong type or overflow */
    uint64_t lost_gap; /* clicks gone from Redis and from the log */
    uint64_t n_batches;
    struct relabel_stats gateway;
    /* Payments that all processes have told, and what became of them; -1 = not known yet */
    int64_t payments_in, payments[FUNNEL_OUTCOMES];
    /* Entries of the queues of facts, of all processes, which are in no sum yet; -1 = not known */
    int64_t facts_waiting;
    int64_t
        people_as_of_ms; /* Unix time up to which clients and visitors are counted; 0 = unknown */
    int64_t lag_ms;      /* age of the oldest pending click */
    int64_t as_of_ms;    /* Unix time up to which Redis holds every click of this process */
    bool connected;
    char cause[32];       /* why nothing is applied: "oom", "noauth", "down" …; "" = no problem */
    char last_error[128]; /* the error text of Redis or the system */
};
/* What is known of the processes at this Redis, and of this one: id, host, version, started_at.
 * Any thread. */
void ledger_pods(struct ledger *ledger, struct pod_table *table, struct pod *self);
/* Any thread. */
void ledger_stats(struct ledger *ledger, struct ledger_stats *out);

#endif
