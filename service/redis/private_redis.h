/* private_redis.h - a Redis or Valkey server of our own, for when the configuration names none.
 *
 * Lives in `state_dir`/redis: Unix socket, append-only file (everysec), no TCP port, no eviction.
 * A thread watches it and starts it again, with backoff, whenever it dies.  It doesn't outlive us
 * (PR_SET_PDEATHSIG), and one that an earlier hopcountd left behind is stopped before a new starts.
 */
#ifndef REDIS_PRIVATE_REDIS_H
#define REDIS_PRIVATE_REDIS_H
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct private_redis;

struct private_redis_options {
    const char *state_dir; /* made if absent */
    const char *program;   /* NULL = redis-server or else valkey-server, found in PATH */
    int64_t start_wait_ms; /* longest to wait for its first answer; 0 = 10 s */
};

/*
 * Starts it and waits until it answers, or (while it still loads a large file) until start_wait_ms
 * passed.  Call before threads start and with signals set up: the watching thread blocks them all.
 *
 * NULL and `*err` on failure: the program isn't there or too old (below 7.0), the directory can't
 * be made, the path is too long for a socket, or it ended at once (with its last log line).
 */
MUST_USE struct private_redis *private_redis_start(const struct private_redis_options *options,
                                                   struct error *err);

/* "unix:///var/lib/hopcount/redis/redis.sock", as long as the object. */
const char *private_redis_url(const struct private_redis *redis);

/* SIGTERM, waits until it has saved and ended (SIGKILL after 10 s), frees.  NULL is allowed.  After
 * all that use it have ended. */
void private_redis_stop(struct private_redis *redis);

#endif
