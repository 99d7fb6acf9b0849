/* sink_names.h - the brands of a site by the numbers that records have. */
#ifndef SINKS_SINK_NAMES_H
#define SINKS_SINK_NAMES_H
#include <stdint.h>

#include "proto/compiler.h"

struct brand;
struct site;
struct sink_names;

/* Takes a reference to `site`; NULL: out of memory. */
MUST_USE struct sink_names *sink_names_new(struct site *site);
void sink_names_free(struct sink_names *names);

/* The brand of that number, which lives as long as `names`; NULL: none. */
const struct brand *sink_names_find(const struct sink_names *names, uint32_t brand_id);

#endif
