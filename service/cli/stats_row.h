/* stats_row.h - a row of GET /v1/stats as it is shown on a terminal. */
#ifndef CLI_STATS_ROW_H
#define CLI_STATS_ROW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"

enum { STATS_LABEL_MAX = 40, STATS_LABEL_BYTES = 4 * STATS_LABEL_MAX + 1, STATS_COUNTS_CELLS = 33 };

struct stats_row {
    char label[STATS_LABEL_BYTES]; /* at most STATS_LABEL_MAX characters; safe to print */
    int64_t total, human, automated;
};

/* Reads a row of the group `group` that is named by its field `field` ("key", or the group's own)
 * and, if it has one, its name; a total has neither.  False: the counts are missing. */
MUST_USE bool stats_row_read(const json_t *json, const char *field, const char *group,
                             struct stats_row *row);

/* Cells that a text takes. */
size_t stats_row_width(const char *label);

/* Prints label and counts: `width` + STATS_COUNTS_CELLS cells; a longer label is cut. */
void stats_row_print(const struct stats_row *row, size_t width);

#endif
