/* params.h - the brand that a request is about. */
#ifndef ADMIN_PARAMS_H
#define ADMIN_PARAMS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct brand;
struct faults;
struct request;

/* Whether the request's key is for a brand. */
bool params_sees(const struct request *request, const struct brand *brand);
/* The brand of that id, if there is one and the request's key is for it; else NULL. */
const struct brand *params_find_brand_id(const struct request *request, uint32_t id);

/* The brand called `name`, or, when absent, the only one that the request's key is for; NULL: what
 * is wrong was added to `*faults`.  The site, which the request holds, owns the brand. */
const struct brand *params_take_brand(const struct request *request, struct slice name,
                                      struct faults *faults);
/* The same when nothing else can be wrong; NULL: the request was replied to. */
MUST_USE const struct brand *params_find_brand(struct request *request, struct slice name);
/* The same of a query that takes `brand` alone; tells its strays (router.h), too. */
MUST_USE const struct brand *params_read_brand(struct request *request);

/* What is wrong with a text that people give a thing, of valid UTF-8 and not empty; NULL: nothing.
 */
const char *params_text_fault(struct slice text);

#endif
