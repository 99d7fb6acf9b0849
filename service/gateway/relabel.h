/* relabel.h - looks for mail gateways among the clicks that come, and relabels theirs.
 *
 * Part of the ledger's thread, and the one header of this folder that the ledger calls.  Only
 * clicks that this process logs are looked at, each once: never those of earlier starts, nor what
 * is replayed.  A relabelling is a record in a log of its own, which the ledger folds and applies,
 * exactly once, as it does with clicks.  A crash between finding a click and appending that record
 * costs the relabelling, never the click.
 */
#ifndef GATEWAY_RELABEL_H
#define GATEWAY_RELABEL_H
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
    struct clickstore *store;              /* till relabel_free(), as is `salt` */
    struct salt *salt;                     /* of the workers */
    unsigned n_shards;
    const char *state_dir; /* for the call only; NULL: there is none */
    struct gateway_redis redis;
    void (*describe)(void *owner, struct pod *self); /* both: `redis.owner`; see beat.h */
    void (*on_day)(void *owner);
};

/* NULL: out of memory. */
MUST_USE struct relabel *relabel_new(const struct relabel_options *options);
void relabel_free(struct relabel *relabel);

/* Each turn: first looks at what was appended to each live log since `*looked_to`, which moves up;
 * then does the rest. */
void relabel_look_at_log(struct relabel *relabel, struct clicklog *log, uint64_t *looked_to);
void relabel_serve(struct relabel *relabel, int64_t now_ms);
void relabel_on_reply(struct relabel *relabel, enum gateway_command what, unsigned shard,
                      const struct redisReply *reply);

/* What is known of the processes at this Redis. */
struct beat *relabel_beat(const struct relabel *relabel);

struct relabel_stats {
    uint64_t relabelled[CLICK_REASONS]; /* clicks, by why */
    unsigned n_pods;                    /* processes at this Redis, this one too; 0 = not known */
};
struct relabel_stats relabel_stats(const struct relabel *relabel);

#endif
