/* gateway_redis.h - how this folder sends commands to Redis: over the connection of its caller, the
 * ledger's thread, which knows whether the server of a shard can be trusted.
 */
#ifndef GATEWAY_GATEWAY_REDIS_H
#define GATEWAY_GATEWAY_REDIS_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

/* Which command an answer is to. */
enum gateway_command { GATEWAY_BEAT, GATEWAY_OFFER, GATEWAY_CLAIM };

/* Index of the first key in the argv of EVAL; it tells which server the command goes to. */
enum { GATEWAY_ARGV_KEY = 3 };

struct gateway_redis {
    void *owner; /* handed to both */
    /* Sends an EVAL with at least one key; false: the server can't be reached.  If true, the answer
     * is given to relabel_on_reply(), NULL when there was none; never from within send(). */
    bool (*send)(void *owner, enum gateway_command what, unsigned shard, const struct slice *argv,
                 size_t argc);
    /* Whether the shard's server takes commands now. */
    bool (*is_ready)(void *owner, unsigned shard);
};

#endif
