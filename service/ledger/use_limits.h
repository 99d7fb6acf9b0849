/* use_limits.h - how many clicks by people a link is good for, by brand and kind: what the ledger
 * has to know of the configuration (brands[].targets[].max_uses).
 */
#ifndef LEDGER_USE_LIMITS_H
#define LEDGER_USE_LIMITS_H
#include <stdint.h>

#include "proto/compiler.h"

struct click;
struct config;
struct use_limits;

/* Borrows `config` for the call only.  NULL: no kind has a limit, or out of memory. */
MUST_USE struct use_limits *use_limits_new(const struct config *config);
/* NULL is allowed. */
void use_limits_free(struct use_limits *limits);

/* The limit of the kind of the click; 0 = there is none.  `limits` may be NULL. */
uint32_t use_limits_find(const struct use_limits *limits, const struct click *click);

#endif
