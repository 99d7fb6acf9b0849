/* ledger_state.h - the structs that the parts of the ledger thread share.  See ledger.h.
 *
 * The parts, from the top layer down:
 *
 *   ledger_thread.c  the thread and its timers; statistics for other threads
 *   ledger_turn.c    one turn over all logs and shards; hands each answer to its part
 *   sender.c         folds a range of a log and sends it to all shards that stand at its beginning
 *   cursor.c         the cursor of each log and shard: asked for, known, or in a batch under way
 *   invoices.c       takes facts from the queue and adds them to invoices and their sums
 *   people.c         counts people when it is sure that their clicks are no mail gateway's
 *   merge.c          moves what was added to tables into them
 *   compact.c        sums up series, and tables of states, that have grown
 *   spread.c         moves clicks that are counted one by one to the series
 *   trust.c          whether a server may be trusted with a batch, and if not, why not
 *   batch.c          what a fold holds, as the arguments of the batch script
 *   fold.c           clicks summed up into increments of counters
 *
 * A cursor, one per log and shard:
 *
 *               connection lost or new, refused, error, not confirmed for long
 *        ┌──────────────────────────────────────────────────────────┐
 *        ▼                                                          │
 *     UNKNOWN ── cursors asked ──▶ ASKED ── answer ──▶ KNOWN ── batch ──▶ SENT
 *                                                        ▲               │
 *                                                        └── applied ────┘
 */
#ifndef LEDGER_LEDGER_STATE_H
#define LEDGER_LEDGER_STATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/counter.h"
#include "service/gateway/pod.h"
#include "service/ledger/ledger.h"

struct batch;
struct click;
struct clicklog;
struct compact;
struct event;
struct event_base;
struct fold;
struct fold_invoices;
struct invoices;
struct ledger_log;
struct merge;
struct people;
struct people_sent;
struct redisReply;
struct redis_link;
struct relabel;
struct use_limits;

enum { LEDGER_LOGS_MAX = 65536 }; /* a ticket has 16 bits for the log */

enum cursor_state { CURSOR_UNKNOWN, CURSOR_ASKED, CURSOR_KNOWN, CURSOR_SENT };

struct cursor {
    uint64_t at;      /* what Redis holds, as far as we know */
    uint64_t covered; /* the log holds nothing for this shard from `at` up to here */
    uint64_t sent_to; /* SENT: the cursor once the batch is applied */
    uint64_t high;    /* the highest `at` so far: positions below are replayed */
    uint64_t mark;    /* of relabellings: how many there were when people.c looked last */
    int64_t known_ms; /* when `at` was last confirmed, monotonic */
    enum cursor_state state;
    bool in_doubt; /* ASKED, SENT: ask again, whatever the answer */
};

struct ledger_log {
    struct clicklog *log;
    unsigned index;
    int64_t sent_ms;    /* when the last batch went out, monotonic */
    bool is_batch_full; /* the batch built last had no room for all that was pending */
    uint64_t read_to;   /* damaged records below were counted */
    uint64_t n_damaged;
    uint64_t lost_to;        /* gaps below were counted */
    uint64_t looked_to;      /* gateway/relabel.c has seen the clicks below */
    uint64_t start;          /* the first position there was when we found the log */
    unsigned n_sent;         /* cursors that are SENT */
    bool is_stale;           /* so old that an absent cursor may have expired */
    struct cursor cursors[]; /* one per shard */
};

/* The number of shards, as written down in a shard; see trust.h. */
struct layout {
    bool is_agreed; /* until then nothing is sent to the shard */
    bool is_asked;
    uint64_t epoch;   /* of the connection on which it was asked */
    int64_t retry_ms; /* not before, monotonic */
};

/* See trust.h. */
enum aof_state { AOF_NEW, AOF_ASKED, AOF_WAIT, AOF_SOUND };

struct shard {
    uint64_t epoch;   /* of the connection; 0 = there is none */
    int64_t retry_ms; /* not before, monotonic */
    unsigned n_failures;
    unsigned n_sent;  /* batches under way */
    bool with_script; /* the server may not know the script */
    bool was_left;    /* we closed the connection, to get another */
    bool knows_payments;
    bool must_renew;    /* its cursors are to get a new time to live on this connection */
    int64_t renewed_ms; /* when they last did */
    struct layout layout;
    int64_t payments_in, payments[FUNNEL_OUTCOMES]; /* as of the last answer that told them */
    struct counter_key tag;                         /* any key of the shard, for routing */
    enum aof_state aof;
    bool aof_begun;                    /* on this connection a new file was begun */
    int64_t aof_look_ms, aof_until_ms; /* look not before, wait not longer; monotonic */
};

struct ledger {
    struct clickstore *store;
    struct ledger_options options;
    pthread_t thread;
    bool has_thread;
    struct event_base *base;
    struct redis_link *link;
    struct event *tick, *wake, *click;
    int64_t tick_ms; /* the tick's period */
    int wake_fd;
    bool is_leaving; /* stopping: the other processes are being told */
    atomic_bool stopping, draining;
    atomic_uint drain_asked; /* how often ledger_drain() was called */

    struct fold *fold;
    struct fold_invoices *invoices;               /* of the fold */
    _Atomic(struct fold_invoices *) new_invoices; /* takes their place in the next turn; or NULL */
    struct batch *batch;
    struct people_sent *people_sent;
    struct people *people; /* counts them when their clicks have waited */
    struct click *clicks;  /* batch_max of them */
    struct compact *compact;
    struct merge *merge;
    struct invoices *adder;    /* of facts to invoices and sums */
    struct use_limits *limits; /* NULL = there are none */
    struct relabel *relabel;   /* NULL: mail gateways are not looked for */
    struct ledger_log **logs;
    unsigned n_logs, logs_max;
    struct shard *shards; /* n_shards of them */
    int64_t now_ms;       /* monotonic, of the turn or answer under way */
    unsigned first_log;   /* the log that is served first, so that none starves */
    bool is_down;         /* the cause is that of a connection */

    uint64_t replayed_shards; /* replayed positions, summed over shards */
    struct ledger_stats now;  /* of this thread */
    int64_t rate_at_ms;       /* when clicks_per_s was last measured, monotonic; 0 = never */
    uint64_t rate_applied;    /* and what was applied then */
    double clicks_per_s;

    pthread_mutex_t mutex;
    pthread_cond_t drained_changed;
    struct ledger_stats stats; /* under the mutex */
    struct pod_table pods;     /* under the mutex, as is `self` */
    struct pod self;
    bool has_next_limits; /* under the mutex, as is the next: they are to be taken */
    struct use_limits *next_limits;
    unsigned drained; /* under the mutex: the drain_asked as of which all was applied */
};

/* What an answer is about; in 64 bits: what 8, shard 8, log (or first log) 16, count 32. */
enum ledger_what {
    LEDGER_ASK = 1,
    LEDGER_BATCH,
    LEDGER_RENEW,
    LEDGER_TABLE_READ,
    LEDGER_TABLE_WRITE,
    LEDGER_MERGE_READ,
    LEDGER_MERGE_WRITE,
    LEDGER_SERIES_READ,
    LEDGER_SERIES_WRITE,
    LEDGER_AOF_LOOK,
    LEDGER_AOF_REWRITE,
    LEDGER_LAYOUT,
    LEDGER_FACTS, /* of these three `log` is the job */
    LEDGER_BLOCKS,
    LEDGER_INVOICES,
    LEDGER_PEOPLE,
    LEDGER_GATEWAY /* `count` is the gateway_command */
};

struct ledger_ticket {
    enum ledger_what what;
    unsigned shard, log, count;
};

static inline uint64_t ledger_ticket_pack(const struct ledger_ticket *ticket)
{
    return (uint64_t)ticket->what << 56 | (uint64_t)(ticket->shard & 0xff) << 48 |
           (uint64_t)(ticket->log & 0xffff) << 32 | ticket->count;
}

static inline struct ledger_ticket ledger_ticket_unpack(uint64_t packed)
{
    return (struct ledger_ticket){
        .what = (enum ledger_what)(packed >> 56),
        .shard = (unsigned)(packed >> 48 & 0xff),
        .log = (unsigned)(packed >> 32 & 0xffff),
        .count = (unsigned)(packed & 0xffffffff),
    };
}

#endif
