/* beat.h - says every second that this process is alive, and agrees with the others at this Redis
 * on the salt of the day (FORMATS.md "Siblings").
 *
 * The salt keys the hashes of networks and visitors that workers make (label/salt.h).  All pods
 * hash with the same one, so that they mean the same network by a number.  Every UTC day has
 * another; Redis forgets it after two days, and then nobody can try addresses against old hashes.
 */
#ifndef GATEWAY_BEAT_H
#define GATEWAY_BEAT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway.h"
#include "service/gateway/gateway_redis.h"

struct beat;
struct redisReply;
struct salt;

struct beat_options {
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* of this process */
    struct salt *salt;                  /* of the workers; only this module changes it */
    struct gateway_redis redis;
    void *owner; /* handed to both */
    /* Workers use another salt from now on: what they hashed before can't be compared any more. */
    void (*on_salt)(void *owner);
    /* Redis has a salt of a new day, and will forget that of the day before yesterday. */
    void (*on_day)(void *owner);
};

/* `wall_ms`: Unix.  NULL: out of memory. */
MUST_USE struct beat *beat_new(const struct beat_options *options, int64_t wall_ms);
void beat_free(struct beat *beat);

/* Each turn: sends a beat when it is time, and drops a salt whose day is over. */
void beat_serve(struct beat *beat, int64_t now_ms, int64_t wall_ms);
/* To GATEWAY_BEAT. */
void beat_on_reply(struct beat *beat, const struct redisReply *reply);

/* Processes that are alive, this one too; 0: not known. */
unsigned beat_n_pods(const struct beat *beat);

#endif
