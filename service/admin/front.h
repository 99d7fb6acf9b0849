/* front.h - the thread that speaks HTTP on the admin address: accepts, reads heads and bodies, and
 * answers probes and metrics itself.
 *
 * The front hands all other requests to the API thread and sends the replies of that.  So neither a
 * slow API request nor a client that sends or reads slowly delays a probe.
 *
 *     clients ──▶ front ── request ──▶ API thread ──▶ Redis
 *        ▲         │ ▲                     │
 *        └─────────┘ └────── parcels ──────┘
 */
#ifndef ADMIN_FRONT_H
#define ADMIN_FRONT_H
#include <stdbool.h>

#include "proto/compiler.h"

struct config_admin;
struct config_public;
struct error;
struct front;
struct server;

struct front_options {
    struct server *server;              /* borrowed as long as the front; gets its `to_front` */
    const struct config_admin *config;  /* borrowed for the call only */
    const struct config_public *public; /* trusted_proxies; borrowed as long as the front */
};

/* Binds the addresses; front_start() begins to accept.  NULL and `*err`: an address is in use, no
 * memory, no descriptors. */
MUST_USE struct front *front_new(const struct front_options *options, struct error *err);
MUST_USE bool front_start(struct front *front);

/* Stops the thread, closes all connections, frees.  Call it after the API thread has ended;
 * requests that the thread has not taken are dropped.  NULL is allowed. */
void front_free(struct front *front);

#endif
