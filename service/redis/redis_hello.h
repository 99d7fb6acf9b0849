/* redis_hello.h - what we say first on a connection, and what the server says of itself. */
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
    bool is_sentinel;    /* the sentinels' credentials, no database, any version */
    bool must_be_master; /* or the server is refused */
};

/* Adds HELLO 2 [AUTH user password] SETNAME name, and SELECT unless it is database 0: HELLO needs
 * no permission, and its reply has version and role.  Returns how many replies will come, 0: out of
 * memory. */
MUST_USE unsigned redis_hello_write(const struct redis_hello *hello, struct evbuffer *out);

/* Looks at a reply, the first if `is_first`; false and `why` when this server can't be used. */
MUST_USE bool redis_hello_check(const struct redis_hello *hello, const struct redisReply *reply,
                                bool is_first, char why[static REDIS_HELLO_WHY_MAX]);

#endif
