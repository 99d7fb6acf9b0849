/* slot_map.h - the slots of a Redis Cluster: hash of a key, redirections, CLUSTER SLOTS. */
#ifndef REDIS_SLOT_MAP_H
#define REDIS_SLOT_MAP_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/redis/redis_url.h"

struct redisReply;

enum { SLOT_COUNT = 16384 };

/* CRC16 (XMODEM) modulo 16384 of the key; if the key has a non-empty part between its first { and
 * the next }, of that part only (Redis Cluster specification). */
unsigned slot_of_key(struct slice key);

/* A MOVED or ASK error, "MOVED 3999 127.0.0.1:6381".  An empty host means the node that sent it. */
struct slot_redirection {
    bool is_ask;
    unsigned slot;
    struct redis_address to; /* host "" = the host of the node that sent it */
};

/* False: `error` is neither MOVED nor ASK. */
MUST_USE bool slot_parse_redirection(const char *error, struct slot_redirection *out);

/* An element of the answer to CLUSTER SLOTS. */
struct slot_range {
    unsigned first, last; /* both included */
    struct redis_address master;
};

/* `from` is the node that answered; its host is used for nodes whose host is missing.  False: not a
 * valid element. */
MUST_USE bool slot_parse_range(const struct redisReply *answer, const struct redis_address *from,
                               struct slot_range *out);

#endif
