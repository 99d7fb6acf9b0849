/* private_redis.h - runs a Redis or Valkey server of our own when the configuration names none.
 *
 * Its files are in `state_dir`/redis: a Unix socket, an append-only file (everysec).  It has no TCP
 * port and evicts nothing.  A thread watches it and restarts it, with backoff, whenever it ends.
 * It doesn't outlive us (PR_SET_PDEATHSIG); a server left behind by an earlier hopcountd is stopped
 * before a new one starts. */
#ifndef REDIS_PRIVATE_REDIS_H
#define REDIS_PRIVATE_REDIS_H
#include <stdint.h>

#include "proto/compiler.h"

struct error;
struct private_redis;

struct private_redis_options {
    const char *state_dir; /* made if absent */
    const char *program;   /* NULL = redis-server, or else valkey-server, from PATH */
    int64_t start_wait_ms; /* longest wait for its first reply; 0 = 10 s */
};

/*
 * Starts the server and waits until it answers, or until start_wait_ms has passed while it is still
 * loading a large file.  Call after signals are set up and before other threads start; the watching
 * thread blocks all signals.
 *
 * NULL and `*err` on failure: the program isn't there or too old (below 7.0), the directory can't
 * be made, the path is too long for a socket, or the server ended at once (`*err` has its last log
 * line).
 */
MUST_USE struct private_redis *private_redis_start(const struct private_redis_options *options,
                                                   struct error *err);

/* "unix:///var/lib/hopcount/redis/redis.sock"; valid as long as the object. */
const char *private_redis_url(const struct private_redis *redis);

/* Sends SIGTERM, waits until the server has saved and ended (SIGKILL after 10 s), and frees.  Call
 * after all users of the server have ended.  NULL is allowed. */
void private_redis_stop(struct private_redis *redis);

#endif
