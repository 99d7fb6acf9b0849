/* finder.h - finds the clicks of this process that are a mail gateway's or repeats, using the
 * clicks of the other pods at its Redis as well.
 *
 *   gateway, gateway_judge, repeat   decide which clicks are a machine's; pure
 *   siblings                         clicks of the same clients at other pods
 *   beat                             which other pods there are, and the salt of the day
 *
 * Reads no log and no clock: clicks and times are passed in, relabellings are passed to on_found().
 */
#ifndef GATEWAY_FINDER_H
#define GATEWAY_FINDER_H
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway.h"
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
    struct salt *salt; /* the salt of the workers; must live until finder_free() */
    unsigned n_shards;
    const char *state_dir; /* for the call only; NULL: no state_dir */
    struct gateway_redis redis;
    void *owner; /* passed to the three callbacks */
    /* A click was found.  This process, and no other, is to append `relabelling` to its log. */
    void (*on_found)(void *owner, const struct click *relabelling);
    void (*describe)(void *owner, struct pod *self); /* see beat.h, as is on_day */
    void (*on_day)(void *owner);
};

/* `now_ms` is monotonic, `wall_ms` Unix time.  NULL: out of memory. */
MUST_USE struct finder *finder_new(const struct finder_options *options, int64_t wall_ms);
void finder_free(struct finder *finder);

/* Takes a click of this process; call once for each. */
void finder_look_at(struct finder *finder, const struct click *click);
/* Prefetches what finder_look_at() of this click will need, as gateway_expect() does. */
void finder_expect(struct finder *finder, const struct click *click, enum gateway_step step);
/* Call in each pass of the ledger thread, after the clicks: exchanges clicks with other pods, and
 * sends the heartbeat. */
void finder_serve(struct finder *finder, int64_t now_ms, int64_t wall_ms);
void finder_on_answer(struct finder *finder, enum gateway_command what, unsigned shard,
                      const struct redisReply *answer);

/* See gateway_window_ms(). */
int64_t finder_window_ms(const struct finder *finder);

/* The heartbeat, which knows the other processes. */
struct beat *finder_beat(const struct finder *finder);

#endif
