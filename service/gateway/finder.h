/* finder.h - finds the clicks of this process that are a mail gateway's or repeats, together with
 * what the other pods at its Redis know.
 *
 *   gateway, gateway_judge, repeat   whose clicks these are: pure
 *   siblings                         clicks of the same clients at other pods
 *   beat                             whether there are others, and the salt of the day
 *
 * No log and no clock: clicks and times come in, what is found goes out.
 */
#ifndef GATEWAY_FINDER_H
#define GATEWAY_FINDER_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway_redis.h"

struct beat;
struct click;
struct finder;
struct gateway_options;
struct pod;
struct redisReply;
struct salt;

struct finder_options {
    const struct gateway_options *gateway; /* for the call only */
    struct salt *salt;                     /* of the workers; till finder_free() */
    unsigned n_shards;
    const char *state_dir; /* for the call only; NULL: there is none */
    struct gateway_redis redis;
    void *owner; /* handed to all three */
    /* This process, and no other, is to append this relabelling to its log. */
    void (*on_found)(void *owner, const struct click *relabelling);
    void (*describe)(void *owner, struct pod *self); /* both: see beat.h */
    void (*on_day)(void *owner);
};

/* Times: `now_ms` monotonic, `wall_ms` Unix.  NULL: out of memory. */
MUST_USE struct finder *finder_new(const struct finder_options *options, int64_t wall_ms);
void finder_free(struct finder *finder);

/* A click of this process, each once. */
void finder_look_at(struct finder *finder, const struct click *click);
/* That comes soon. */
void finder_expect(struct finder *finder, const struct click *click);
/* Each turn, after the clicks: tells other pods, says that this process is alive. */
void finder_serve(struct finder *finder, int64_t now_ms, int64_t wall_ms);
void finder_on_reply(struct finder *finder, enum gateway_command what, unsigned shard,
                     const struct redisReply *reply);

/* What is known of the other processes. */
struct beat *finder_beat(const struct finder *finder);

#endif
