/* server.h - what the handlers of the admin address share; only the admin thread touches it, but
 * for the fields that say otherwise. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H
#include <stdatomic.h>
#include <stdint.h>

#include "service/admin/admin.h"
#include "service/base/counter64.h"

struct apikeys;
struct attempts;
struct auth;
struct cache;
struct event_base;
struct fetches;
struct live;
struct pods;
struct request;
struct sessions;
struct site;
struct stats_job;

struct server {
    struct event_base *base;
    struct site *site;         /* requests hold references of their own */
    struct auth *auth;         /* keys and their rates */
    struct sessions *sessions; /* of the dashboard */
    struct attempts *attempts; /* to sign in that failed */
    struct fetches *fetches;   /* queries to Redis under way; NULL = no Redis */
    struct cache *cache;       /* replies of the last second */
    struct live *live;         /* streams of /v1/live */
    struct pods *pods;         /* the processes at this Redis */
    struct admin_sources sources;
    unsigned n_shards;
    int64_t retention_hours_s, retention_days_s;
    int64_t started_ms; /* wall clock */

    _Atomic int state;         /* enum admin_state; written by main */
    counter64 reload_s;        /* Unix second of the last good load; main */
    counter64 reload_failures; /* main */
    counter64 reload_ok;       /* 1 = the last reload went well; main */

    char *openapi_json;           /* made when it is first asked for */
    struct stats_job *stats_jobs; /* under way */
    unsigned n_tops;              /* lists of top.c being made */
    unsigned n_open;              /* requests without a whole reply yet */
    uint64_t n_replies[6];        /* by hundreds of the status */
    uint64_t n_queries_failed;    /* that Redis didn't answer */
};

#endif
