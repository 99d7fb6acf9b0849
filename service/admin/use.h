/* use.h - requests to use links up that wait for Redis. */
#ifndef ADMIN_USE_H
#define ADMIN_USE_H
#include <stdint.h>

#include "service/state/one_use.h"

struct server;

/* one_use_options.on_use of server->one_use; its owner is the server. */
void use_on_outcome(void *owner, uint64_t ticket, enum one_use_outcome outcome);

/* Replies to all that wait; for the end of the process. */
void use_drop_all(struct server *server);

#endif
