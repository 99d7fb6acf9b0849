/* slot_map.h - which node of a cluster holds which slot, by number of the node. */
#ifndef REDIS_SLOT_MAP_H
#define REDIS_SLOT_MAP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/redis/redis_url.h"

struct redisReply;

enum { SLOT_COUNT = 16384 };

/* CRC16 (XMODEM) modulo 16384 of the key, or of what is between its first { and the next } if
 * that isn't empty (Redis Cluster specification). */
unsigned slot_of_key(struct slice key);

/* What MOVED or ASK say: "MOVED 3999 127.0.0.1:6381"; an empty host (before the colon) is that of
 * the node that answered. */
struct slot_redirection {
    bool is_ask;
    unsigned slot;
    struct redis_address to; /* host "" = the same as of who answered */
};

/* False: not one of the two. */
MUST_USE bool slot_parse_redirection(const char *error, struct slot_redirection *out);

/* An element of the reply to CLUSTER SLOTS. */
struct slot_range {
    unsigned first, last; /* both included */
    struct redis_address master;
};

/* `from` is who answered: the host of a node that says none of its own.  False: not such an
 * element. */
MUST_USE bool slot_parse_range(const struct redisReply *reply, const struct redis_address *from,
                               struct slot_range *out);

#endif
