/* server.h - what the handlers of the admin address share.  Only the API thread uses it, except for
 * fields that say otherwise and fields that never change. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "service/admin/admin_options.h"
#include "service/base/counter64.h"

struct anomalies;
struct apikeys;
struct attempts;
struct audit;
struct auth;
struct cache;
struct event_base;
struct erasure;
struct fetches;
struct invoices_job;
struct live;
struct mailbox;
struct oidc;
struct one_use;
struct pods;
struct request;
struct sessions_signed_out;
struct signins;
struct site;
struct stats_job;
struct use_job;

enum { SERVER_PACKED_MAX = 64 };

/* A body that never changes, and the same packed; NULL when packing does not pay. */
struct packed {
    const char *of; /* NULL = a free place */
    void *bytes;
    size_t len;
};

struct server {
    struct event_base *base;                /* of the API thread */
    struct mailbox *to_api;                 /* requests; from the front */
    struct mailbox *to_front;               /* parcels of replies; from any thread */
    struct site *site;                      /* requests hold references of their own */
    struct auth *auth;                      /* keys and their rates */
    struct sessions_signed_out *signed_out; /* of the dashboard */
    struct attempts *attempts;              /* to sign in that failed */
    struct audit *audit;                    /* who did what */
    struct oidc *oidc;                      /* people who sign in at a provider */
    struct signins *signins;                /* refusals of wrong keys that are held back */
    struct fetches *fetches;                /* queries to Redis under way; NULL = no Redis */
    struct one_use *one_use;                /* NULL = no Redis */
    struct erasure *erasures;               /* of clients, under way */
    char *redis_url;                        /* NULL = no Redis */
    int64_t timeout_ms;                     /* of a command */
    struct use_job *use_jobs;               /* requests that wait for it */
    uint64_t last_use;                      /* ticket of the last one */
    struct cache *cache;                    /* replies of the last second */
    struct live *live;                      /* streams of /v1/live */
    struct pods *pods;                      /* the processes at this Redis */
    struct anomalies *anomalies;            /* what is unusual in the clicks of campaigns */
    struct admin_sources sources;           /* counters, which any thread may read */
    unsigned n_shards;
    int64_t retention_hours_s, retention_days_s;
    int64_t retention_cells_s;        /* 0 = there are no cells (proto/cells.h) */
    int64_t logs_retain_s;            /* of segments that were applied */
    int64_t started_ms;               /* wall clock */
    int64_t retention_client_hours_s; /* 0 = people are counted by days only */

    _Atomic int state;         /* enum admin_state; written by main */
    counter64 reload_s;        /* Unix second of the last good load; main */
    counter64 reload_failures; /* main */
    counter64 reload_ok;       /* 1 = the last reload went well; main */

    struct packed packed[SERVER_PACKED_MAX];
    struct stats_job *stats_jobs; /* under way */
    unsigned n_tops;              /* lists of top.c being made */
    struct invoices_job *lists;   /* of invoices, that are sent whole */
    counter64 n_queries_failed;   /* that Redis didn't answer */

    _Atomic unsigned n_open;       /* requests that are being answered; any thread */
    _Atomic uint64_t n_replies[6]; /* by hundreds of the status; any thread */
    counter64 n_connections;       /* that are open; the front */
    counter64 n_evicted;           /* connections closed to make room for others; the front */
    unsigned connections_max;
};

#endif
