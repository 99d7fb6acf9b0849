/* beat.h - what the processes at one Redis know of one another: every second each says that it is
 * alive and how it is, reads what the others say, and they agree on the salt of the day (FORMATS.md
 * "Redis keyspace", "Siblings").
 *
 * The lines stand in a hash per hour that expires, so what is gone is forgotten without a cleaner.
 * A line belongs to a state_dir: who starts on it after a crash goes on with the line.
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
struct pod;
struct pod_table;
struct redisReply;
struct salt;

struct beat_options {
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* of this process */
    struct salt *salt;                  /* of the workers; only this module changes it */
    const char *state_dir;              /* for the call only; NULL: there is none */
    struct gateway_redis redis;
    void *owner; /* handed to all three */
    /* Sets how this process is now: as_of_ms, lag_ms, pending and connected. */
    void (*describe)(void *owner, struct pod *self);
    /* Workers use another salt from now on: what they hashed before can't be compared any more. */
    void (*on_salt)(void *owner);
    /* Redis has a salt of a new day, and will forget that of the day before yesterday. */
    void (*on_day)(void *owner);
};

/* `wall_ms`: Unix.  NULL: out of memory. */
MUST_USE struct beat *beat_new(const struct beat_options *options, int64_t wall_ms);
void beat_free(struct beat *beat);

/* No more beats but one, which takes our line away; unless clicks are pending: then the line stays,
 * so that the health page of the others shows us as missing. */
void beat_leave(struct beat *beat, int64_t wall_ms);
/* All beats have been answered. */
bool beat_is_quiet(const struct beat *beat);

/* Each turn: sends a beat when it is time, and drops a salt whose day is over. */
void beat_serve(struct beat *beat, int64_t now_ms, int64_t wall_ms);
/* To GATEWAY_BEAT. */
void beat_on_reply(struct beat *beat, const struct redisReply *reply);

/* Processes that are alive, this one too; 0: not known. */
unsigned beat_n_pods(const struct beat *beat);
/* All lines as last read, and this process as in its last line.  They change in beat_on_reply(). */
const struct pod_table *beat_table(const struct beat *beat);
const struct pod *beat_self(const struct beat *beat);

#endif
