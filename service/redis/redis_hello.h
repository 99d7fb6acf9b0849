/* redis_hello.h - the greeting on a new connection: what we send, and what the server must answer.
 */
#ifndef REDIS_REDIS_HELLO_H
#define REDIS_REDIS_HELLO_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"

struct evbuffer;
struct redis_url;
struct redisReply;

enum { REDIS_HELLO_WHY_MAX = 96 };

struct redis_hello {
    const struct redis_url *url;
    const char *name;
    bool is_sentinel; /* use the sentinels' credentials, select no database, accept any version */
    bool must_be_master; /* otherwise the server is refused */
};

/* Adds HELLO 2 [AUTH user password] SETNAME name, and SELECT unless the database is 0.  HELLO is
 * used because it needs no permission and its answer holds version and role.  Returns how many
 * answers will come; 0: out of memory. */
MUST_USE unsigned redis_hello_write(const struct redis_hello *hello, struct evbuffer *out);

/* Checks one of these answers, the first if `is_first`; false and `why` when the server can't be
 * used. */
MUST_USE bool redis_hello_check(const struct redis_hello *hello, const struct redisReply *answer,
                                bool is_first, char why[static REDIS_HELLO_WHY_MAX]);

#endif
