/* lead.h - where a click on a link would lead now, and why, for people who look a link up. */
#ifndef ADMIN_LEAD_H
#define ADMIN_LEAD_H
#include <jansson.h>

#include "proto/compiler.h"

struct brand;
struct request;
struct token;

/*
 * Adds to `object`: target (null: to no URL), state (of the token's object; null: nothing was
 * said), replaced_by (an object, or null), revoked, used_up, opted_out, and why (a sentence). Rules
 * may send a client elsewhere by country, device or language; this is for one of whom none is
 * known.
 *
 * Returns `object`; or NULL, and `object`, which may be NULL, is freed.
 */
MUST_USE json_t *lead_set(json_t *object, const struct request *request, const struct brand *brand,
                          const struct token *token);

#endif
