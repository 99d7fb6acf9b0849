/* relabel.h - finds the clicks of mail gateways among new clicks, and relabels them.
 *
 * Runs in the ledger thread; the ledger calls no other header of this folder.  Only clicks that
 * this process logs are looked at, each once: never those of earlier starts, nor replayed ones.  A
 * relabelling is a record in a log of its own; the ledger folds and applies it exactly once, like a
 * click.  A crash between finding a click and appending the record loses the relabelling, never the
 * click. */
#ifndef GATEWAY_RELABEL_H
#define GATEWAY_RELABEL_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click_names.h"
#include "proto/compiler.h"
#include "service/gateway/gateway_redis.h"

struct beat;
struct clicklog;
struct clickstore;
struct gateway_options;
struct pod;
struct redisReply;
struct relabel;
struct salt;

struct relabel_options {
    const struct gateway_options *gateway; /* for the call only */
    struct clickstore *store;              /* must live until relabel_free(), as must `salt` */
    struct salt *salt;                     /* the salt that the workers use */
    unsigned n_shards;
    const char *state_dir; /* for the call only; NULL: no state_dir */
    struct gateway_redis redis;
    void (*describe)(void *owner, struct pod *self); /* both: `redis.owner`; see beat.h */
    void (*on_day)(void *owner);
};

/* NULL: out of memory. */
MUST_USE struct relabel *relabel_new(const struct relabel_options *options);
void relabel_free(struct relabel *relabel);

/* Call in each pass for each live log: looks at the clicks appended since `*looked_to`, which moves
 * up. */
void relabel_look_at_log(struct relabel *relabel, struct clicklog *log, uint64_t *looked_to);
void relabel_serve(struct relabel *relabel, int64_t now_ms);
void relabel_on_answer(struct relabel *relabel, enum gateway_command what, unsigned shard,
                       const struct redisReply *answer);

/* The longest time between a click and another one that makes it a gateway's. */
int64_t relabel_window_ms(const struct relabel *relabel);

/* The heartbeat, which knows the other processes. */
struct beat *relabel_beat(const struct relabel *relabel);

struct relabel_stats {
    uint64_t relabelled[CLICK_REASONS]; /* relabelled clicks, by reason */
    unsigned n_pods;        /* processes at this Redis, this one included; 0 = not known */
    bool knows_clock;       /* Redis has told its time */
    int64_t clock_ahead_ms; /* of Redis' clock, at least; see clock_gap.h */
};
struct relabel_stats relabel_stats(const struct relabel *relabel);

#endif
