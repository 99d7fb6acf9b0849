/* private_redis_place.h - the private redis-server's files, socket and program, and a server that
 * is still running there. */
#ifndef REDIS_PRIVATE_REDIS_PLACE_H
#define REDIS_PRIVATE_REDIS_PLACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "proto/compiler.h"

struct error;

enum { PRIVATE_REDIS_TEXT_MAX = 4096 };

struct private_redis_place {
    char program[PRIVATE_REDIS_TEXT_MAX];
    char dir[PRIVATE_REDIS_TEXT_MAX]; /* absolute */
    char url[PRIVATE_REDIS_TEXT_MAX];
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int dir_fd; /* of `dir`, -1 = not open; used because others could replace a path */
};

/* Fills `*place`, makes the directory and the configuration, finds the program; a directory that
 * others may change is refused.  False and `*err` on failure.  Either way private_redis_leave() has
 * to be called at the end. */
MUST_USE bool private_redis_prepare(struct private_redis_place *place, const char *state_dir,
                                    const char *program, struct error *err);

/* Closes what `*place` holds; the files stay. */
void private_redis_leave(struct private_redis_place *place);

/* Waits for a server that an earlier hopcountd left behind, and stops it; false and `*err` when it
 * doesn't end. */
MUST_USE bool private_redis_stop_leftover(const struct private_redis_place *place, int64_t wait_ms,
                                          struct error *err);

/* A connected socket to the server, for close(2); -1: no server is listening. */
MUST_USE int private_redis_connect(const struct private_redis_place *place);

/* The last line of the server's log, "" when there is none. */
void private_redis_last_log_line(const struct private_redis_place *place, char *out, size_t size);

#endif
