/* stats_pivot.h - statistics by time and something else: a row for each of the latter, with a curve
 * over time. */
#ifndef CLI_STATS_PIVOT_H
#define CLI_STATS_PIVOT_H
#include <stdbool.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "service/cli/stats_table.h"

/* Prints `rows`, which are grouped by "time,`field`", those with the most clicks first, and the
 * total.  False: they are not as the API documents, or no memory. */
MUST_USE bool stats_pivot_print(const json_t *rows, const json_t *total, const char *field,
                                const struct stats_table_options *options);

#endif
