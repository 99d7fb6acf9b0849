/* use_limits.h - how often people may use a link, by brand and kind (max_uses in the
 * configuration).  The ledger counts the uses, so it needs these limits.
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

/* The limit of the click's kind; 0 = the kind has none.  `limits` may be NULL. */
uint32_t use_limits_find(const struct use_limits *limits, const struct click *click);

#endif
