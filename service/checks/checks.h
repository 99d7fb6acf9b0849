/* checks.h - looks at the pages that links lead to, again and again, in a thread of its own.
 *
 * Of all processes at one Redis one looks: the one with the lease, which another takes some seconds
 * after it wasn't renewed.  What is found lies in Redis, so whoever looks next goes on where the
 * last one stopped; a page that was just being asked for is asked for again.  Every process reads
 * what was found, for its metrics and its API.  Without Redis nothing is looked at. */
#ifndef CHECKS_CHECKS_H
#define CHECKS_CHECKS_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"

struct checks;
struct config;
struct error;
struct place;
struct site;

enum { CHECKS_HISTORY = 100 }; /* records of a page that Redis keeps */

struct checks_options {
    const struct config *config; /* with checks.every_s; borrowed for the call */
    struct site *site;           /* of that configuration; a reference is taken */
    const char *redis_url;       /* of the counters */
};

/* Starts the thread.  NULL and `*err` on failure. */
MUST_USE struct checks *checks_new(const struct checks_options *options, struct error *err);
void checks_free(struct checks *checks);

/* Takes over another list of pages; the interval stays.  NULL does nothing. */
void checks_reload(struct checks *checks, const struct config *config, struct site *site);

/* Whether this process looks. */
bool checks_is_checker(struct checks *checks);
int64_t checks_every_s(const struct checks *checks);

/* Calls `visit` for each page, in the order of the configuration.  `record` (check_record.h) is
 * NULL when none is known.  Both are borrowed for the call, during which the thread waits. */
void checks_visit(struct checks *checks,
                  void (*visit)(void *owner, const struct place *place, const json_t *record),
                  void *owner);

#endif
