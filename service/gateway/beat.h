/* beat.h - the heartbeat of the processes at one Redis.  Every second each process writes a line
 * with its status, reads the lines of the others, and agrees with them on the salt of the day
 * (FORMATS.md "Redis keyspace", "Siblings").
 *
 * The lines are kept in one hash per hour.  The hash expires, so lines of processes that are gone
 * need no cleaning up.  A line belongs to a state_dir: a process started on it after a crash takes
 * over the line.
 *
 * The salt keys the hashes of networks and visitors that workers make (label/salt.h).  All pods use
 * the same salt, so that a number means the same network in all of them.  Every UTC day has a new
 * salt.  Redis deletes it after two days; then addresses can't be tried against old hashes any
 * more. */
#ifndef GATEWAY_BEAT_H
#define GATEWAY_BEAT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway_click.h"
#include "service/gateway/gateway_redis.h"

struct beat;
struct clock_gap;
struct pod;
struct pod_table;
struct redisReply;
struct salt;

struct beat_options {
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* of this process */
    struct salt *salt;     /* the salt that the workers use; only this module changes it */
    const char *state_dir; /* for the call only; NULL: no state_dir */
    struct gateway_redis redis;
    void *owner; /* passed to the three callbacks */
    /* Sets the status of this process: as_of_ms, lag_ms, pending and connected. */
    void (*describe)(void *owner, struct pod *self);
    /* The salt has changed: numbers of networks made before can't be compared with new ones. */
    void (*on_salt)(void *owner);
    /* Redis has a salt of a new day, and will delete that of the day before yesterday. */
    void (*on_day)(void *owner);
};

/* `wall_ms`: Unix time.  NULL: out of memory. */
MUST_USE struct beat *beat_new(const struct beat_options *options, int64_t wall_ms);
void beat_free(struct beat *beat);

/* Sends a last beat and stops.  The last beat removes our line, unless clicks are pending: then the
 * line stays, so that the health page of the other processes shows us as missing. */
void beat_leave(struct beat *beat, int64_t wall_ms);
/* Whether all beats have been answered. */
bool beat_is_quiet(const struct beat *beat);

/* Call in each pass of the ledger thread: sends a beat when one is due, and drops a salt whose day
 * is over. */
void beat_serve(struct beat *beat, int64_t now_ms, int64_t wall_ms);
/* Handles the answer to a GATEWAY_BEAT command; NULL = no answer came. */
void beat_on_answer(struct beat *beat, const struct redisReply *answer);

/* How far our clock and that of Redis were apart at the last answer; changes in beat_on_answer(),
 * which also logs it when that is too far. */
const struct clock_gap *beat_clock_gap(const struct beat *beat);

/* Number of processes that are alive, this one included; 0: not known. */
unsigned beat_n_pods(const struct beat *beat);
/* All lines as last read, and this process as in its last line.  Both change in beat_on_answer().
 */
const struct pod_table *beat_table(const struct beat *beat);
const struct pod *beat_self(const struct beat *beat);

#endif
