/* siblings.h - what the pods on one Redis tell one another of clicks, for those on the links of one
 * mail may come to different pods (FORMATS.md "Siblings").
 *
 * A click of this process that may be a gateway's is held, added to a short list of its client's in
 * Redis, and handed back with what the list says that other pods had: all of them in the order of
 * time, so that every pod judges them as one pod would.  Who finds a gateway claims its clicks
 * before it relabels them, so that only one pod does.
 *
 * No redirect waits for this, and a click waits for one answer at most: when a server can't be
 * asked, or the queue of fixed length is full, it is judged with what this process knows.
 */
#ifndef GATEWAY_SIBLINGS_H
#define GATEWAY_SIBLINGS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/gateway/gateway.h"
#include "service/gateway/gateway_redis.h"

struct redisReply;
struct siblings;

struct siblings_options {
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* of this process */
    unsigned n_shards;
    int64_t window_ms; /* so long clicks have to do with one another */
    struct gateway_redis redis;
    void *owner; /* handed to both */
    /* Of this process, held till now, or of another, which may be told more than once. */
    void (*on_click)(void *owner, const struct gateway_click *click);
    /* This process, and no other, is to relabel the click; as given to siblings_claim(). */
    void (*on_claimed)(void *owner, const struct gateway_click *click);
};

/* NULL: out of memory. */
MUST_USE struct siblings *siblings_new(const struct siblings_options *options);
void siblings_free(struct siblings *siblings);

/* Holds a click of this process that other pods are to know of; on_click() follows.  False: there
 * is no room. */
MUST_USE bool siblings_hold(struct siblings *siblings, const struct gateway_click *click);
/* Asks for the right to relabel. */
void siblings_claim(struct siblings *siblings, const struct gateway_click *click, int64_t now_ms);

/* Sends what is waiting. */
void siblings_serve(struct siblings *siblings, int64_t now_ms);
/* To GATEWAY_OFFER or GATEWAY_CLAIM. */
void siblings_on_reply(struct siblings *siblings, enum gateway_command what, unsigned shard,
                       const struct redisReply *reply);

#endif
