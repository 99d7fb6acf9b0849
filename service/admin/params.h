/* params.h - the brand and the number that most requests name. */
#ifndef ADMIN_PARAMS_H
#define ADMIN_PARAMS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct brand;
struct request;

/* The brand called `name`, or, when absent, the only one there is; NULL: the request, which holds
 * the site, was replied to. */
MUST_USE const struct brand *params_find_brand(struct request *request, struct slice name);

/* Plain decimal, 1…max. */
MUST_USE bool params_parse_number(struct slice text, uint32_t max, uint32_t *out);

#endif
