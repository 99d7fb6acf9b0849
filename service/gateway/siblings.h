/* siblings.h - exchanges clicks between the pods at one Redis, because the clicks on the links of
 * one mail may reach different pods (FORMATS.md "Siblings").
 *
 * A click of this process that may be a gateway's is held and added to a short list of its client
 * in Redis.  It is handed back together with the other pods' clicks in that list, ordered by time,
 * so that every pod judges them as a single pod would.  A pod that finds a gateway claims its
 * clicks before it relabels them, so that only one pod does.
 *
 * No redirect waits for this, and a click waits for one answer at most.  When the server can't be
 * reached, or the queue of fixed length is full, the click is judged with what this process knows.
 */
#ifndef GATEWAY_SIBLINGS_H
#define GATEWAY_SIBLINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway_click.h"
#include "service/gateway/gateway_redis.h"

struct redisReply;
struct siblings;

struct siblings_options {
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* of this process */
    unsigned n_shards;
    int64_t window_ms; /* how far apart two clicks may influence each other */
    struct gateway_redis redis;
    void *owner; /* passed to both callbacks */
    /* A click to judge: of this process, held until now, or of another, which may be passed more
     * than once. */
    void (*on_click)(void *owner, const struct gateway_click *click);
    /* The claim on the click succeeded: this process, and no other, is to relabel it.  The click is
     * as given to siblings_claim(). */
    void (*on_claimed)(void *owner, const struct gateway_click *click);
};

/* NULL: out of memory. */
MUST_USE struct siblings *siblings_new(const struct siblings_options *options);
void siblings_free(struct siblings *siblings);

/* Holds a click of this process and tells other pods about it; on_click() follows.  False: the
 * queue is full. */
MUST_USE bool siblings_hold(struct siblings *siblings, const struct gateway_click *click);
/* Claims the click, so that only this process relabels it; on_claimed() follows if the claim
 * succeeds. */
void siblings_claim(struct siblings *siblings, const struct gateway_click *click, int64_t now_ms);

/* Sends what is queued. */
void siblings_serve(struct siblings *siblings, int64_t now_ms);
/* Handles the answer to a GATEWAY_OFFER or GATEWAY_CLAIM command; NULL = no answer came. */
void siblings_on_answer(struct siblings *siblings, enum gateway_command what, unsigned shard,
                        const struct redisReply *answer);

#endif
