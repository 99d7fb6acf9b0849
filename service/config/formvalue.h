/* formvalue.h - values of links and events as people, tables and requests write them. */
#ifndef CONFIG_FORMVALUE_H
#define CONFIG_FORMVALUE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/base/log.h"

/* A value for a message: quoted, cut, without control bytes. */
struct formvalue_quoted {
    char text[LOG_QUOTE_MAX];
};
const char *formvalue_quote(struct formvalue_quoted *out, struct slice value);

/* A whole number of digits alone, with blanks around it, or as 1003.0; at most `max`. */
MUST_USE bool formvalue_number(struct slice value, uint64_t max, uint64_t *out);
MUST_USE bool formvalue_u32(struct slice value, uint32_t max, uint32_t *out);

/* The Unix second at which a day as 2026-12-31 begins (UTC); or a time, as RFC 3339 and databases
 * write it, 2026-12-31 12:00:00 being taken as UTC. */
MUST_USE bool formvalue_day(struct slice value, int64_t *out_s);

/* A … G in either case is 1 … 7, "none" is 0. */
MUST_USE bool formvalue_variant(struct slice value, uint8_t *out);

#endif
