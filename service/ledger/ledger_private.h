/* ledger_private.h - what the parts of the ledger thread share; see ledger.h.
 *
 *   ledger.c    the thread, its timers, the statistics
 *   shard.c     per log and shard the cursor: asked for, known, in a batch under way
 *   round.c     one turn: fold a range of a log, send it to all shards that stand at its beginning
 *   tidy.c      sums up tables that have grown
 *   tidy_series.c   the same of series, and of those whose time is over
 *   aof.c       sees to a sound append-only file before the first batch of a connection
 *   cause.c     why it doesn't go on
 *   layout.c    whether all agree on the number of shards
 *   relabel.c   clicks of mail gateways, found among those that come
 *   siblings.c  the same among several pods
 *
 * A cursor, one per log and shard:
 *
 *               connection lost or new, refused, error, swept
 *        ┌──────────────────────────────────────────────────────────┐
 *        ▼                                                          │
 *     UNKNOWN ── cursors asked ──▶ ASKED ── answer ──▶ KNOWN ── batch ──▶ SENT
 *                                                        ▲               │
 *                                                        └── applied ────┘
 */
#ifndef LEDGER_LEDGER_PRIVATE_H
#define LEDGER_LEDGER_PRIVATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/counter.h"
#include "service/ledger/ledger.h"

struct batch;
struct click;
struct clicklog;
struct event;
struct event_base;
struct fold;
struct ledger_log;
struct met;
struct redisReply;
struct redis_link;
struct relabel;
struct tidy;
struct tidy_series;

enum {
    LEDGER_LOGS_MAX = 65536, /* a ticket has 16 bits for the log */
    LEDGER_ASK_MAX = 64,     /* cursors asked for in one command */
    LEDGER_SWEEP_MS = 10000, /* a cursor is looked at as often, even if nothing happens */
    LEDGER_TOUCH_MS = 3600000,
    LEDGER_CURSOR_TTL_S = 30 * 86400,
};

enum cursor_state { CURSOR_UNKNOWN, CURSOR_ASKED, CURSOR_KNOWN, CURSOR_SENT };

struct cursor {
    uint64_t at;      /* what Redis holds, as far as we know */
    uint64_t covered; /* up to here there is nothing (more) for this shard; at least `at` */
    uint64_t sent_to; /* SENT: where the batch leads */
    uint64_t high;    /* the highest `at` there ever was: what is below is replayed */
    int64_t known_ms; /* when `at` was last confirmed, monotonic */
    enum cursor_state state;
    bool in_doubt; /* ASKED, SENT: whatever the answer, ask again */
};

struct ledger_log {
    struct clicklog *log;
    unsigned index;
    int64_t sent_ms;  /* when the last batch went out, monotonic */
    uint64_t read_to; /* damaged records below were counted */
    uint64_t n_damaged;
    uint64_t lost_to;        /* gaps below were counted */
    uint64_t looked_to;      /* relabel.c has seen the clicks below */
    uint64_t start;          /* the first position there was when we found the log */
    unsigned n_sent;         /* cursors that are SENT */
    bool is_stale;           /* so old that a cursor which isn't there may have expired */
    struct cursor cursors[]; /* one per shard */
};

/* See aof.h. */
enum aof_state { AOF_NEW, AOF_ASKED, AOF_WAIT, AOF_SOUND };

struct shard {
    uint64_t epoch;   /* of the connection; 0 = there is none */
    int64_t retry_ms; /* not before, monotonic */
    unsigned n_failures;
    unsigned n_sent;        /* batches under way */
    bool with_script;       /* the server may not know the script */
    bool was_left;          /* there is no connection because we wanted another */
    struct counter_key tag; /* any key of the shard, for routing */
    enum aof_state aof;
    bool aof_begun;                    /* on this connection a new file was begun */
    int64_t aof_look_ms, aof_until_ms; /* look not before, wait not longer; monotonic */
};

/* See layout.h. */
struct layout {
    bool is_agreed; /* nothing is sent to any shard before */
    bool is_asked;
    uint64_t epoch;   /* of shard 0, on which it was asked */
    int64_t retry_ms; /* not before, monotonic */
};

struct ledger {
    struct clickstore *store;
    struct ledger_options options;
    pthread_t thread;
    bool has_thread;
    struct event_base *base;
    struct redis_link *link;
    struct event *tick, *wake;
    int wake_fd;
    atomic_bool stopping, draining;
    atomic_uint drain_asked; /* how often ledger_drain() was called */

    struct fold *fold;
    struct batch *batch;
    struct met *met;
    struct click *clicks; /* batch_max of them */
    struct tidy *tidy;
    struct tidy_series *tidy_series;
    struct relabel *relabel; /* NULL: nobody asked for it */
    struct ledger_log **logs;
    unsigned n_logs, logs_max;
    struct shard *shards; /* n_shards of them */
    struct layout layout;
    int64_t touched_ms;
    unsigned turn; /* the log that is served first, so that none starves */
    bool again;    /* there is a whole batch waiting: go on without the tick */
    bool is_down;  /* the cause is that of a connection */

    uint64_t replayed_shards; /* replayed positions, summed over shards */
    struct ledger_stats now;  /* of this thread */

    pthread_mutex_t mutex;
    pthread_cond_t drained_changed;
    struct ledger_stats stats; /* under the mutex */
    unsigned drained;          /* under the mutex: the drain_asked as of which all was applied */
};

/* What an answer is about; in 64 bits: what 8, shard 8, log (or first log) 16, count 32. */
enum ledger_what {
    LEDGER_ASK = 1,
    LEDGER_BATCH,
    LEDGER_TOUCH,
    LEDGER_TIDY_READ,
    LEDGER_TIDY_WRITE,
    LEDGER_SERIES_READ,
    LEDGER_SERIES_WRITE,
    LEDGER_AOF_LOOK,
    LEDGER_AOF_REWRITE,
    LEDGER_LAYOUT,
    LEDGER_BEAT,
    LEDGER_OFFER,
    LEDGER_CLAIM
};

struct ledger_ticket {
    enum ledger_what what;
    unsigned shard, log, count;
};

/* --- shard.c --- */

bool shard_init(struct ledger *ledger);
/* Notices new connections, asks for unknown cursors, refreshes their time to live. */
void shard_tend(struct ledger *ledger, int64_t now_ms);
/* A batch may be sent to the shard now. */
bool shard_is_ready(const struct ledger *ledger, unsigned shard, int64_t now_ms);
void shard_on_reply(struct ledger *ledger, const struct ledger_ticket *ticket,
                    const struct redisReply *reply);
uint64_t ledger_ticket_pack(const struct ledger_ticket *ticket);

/* --- round.c --- */

/* Folds and sends what may be sent of one log. */
void round_serve(struct ledger *ledger, struct ledger_log *log, int64_t now_ms);

/* --- ledger.c --- */

/* One turn over everything; from any callback of the thread. */
void ledger_turn(struct ledger *ledger);

#endif
