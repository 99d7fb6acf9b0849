/* gateway_redis.h - how this folder sends commands to Redis: over the connection of its caller, the
 * ledger thread, which knows whether the server of a shard can be trusted. */
#ifndef GATEWAY_GATEWAY_REDIS_H
#define GATEWAY_GATEWAY_REDIS_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

/* The command that an answer belongs to. */
enum gateway_command { GATEWAY_BEAT, GATEWAY_OFFER, GATEWAY_CLAIM };
enum { GATEWAY_COMMANDS = GATEWAY_CLAIM + 1 };

/* Index of the first key in the argv of EVAL; the key decides which server gets the command. */
enum { GATEWAY_ARGV_KEY = 3 };

struct gateway_redis {
    void *owner; /* passed to both callbacks */
    /* Sends an EVAL with at least one key; false: the server can't be reached.  If true, the answer
     * is passed to relabel_on_answer() later, never from within send(); NULL when no answer came.
     */
    bool (*send)(void *owner, enum gateway_command what, unsigned shard, const struct slice *argv,
                 size_t argc);
    /* Whether the shard's server accepts commands now. */
    bool (*is_ready)(void *owner, unsigned shard);
};

#endif
