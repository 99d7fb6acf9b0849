/* revocations.h - what is revoked, as replies show it. */
#ifndef ADMIN_REVOCATIONS_H
#define ADMIN_REVOCATIONS_H
#include <stdint.h>

#include <jansson.h>

#include "proto/event.h"

struct request;

/* {issued_before, at, by} of an object, client or campaign of a brand; null when it is not revoked.
 * A new reference. */
json_t *revocations_json(const struct request *request, enum event_scope scope, uint32_t brand,
                         uint32_t id);

#endif
