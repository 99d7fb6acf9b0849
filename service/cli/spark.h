/* spark.h - a curve in one line of text. */
#ifndef CLI_SPARK_H
#define CLI_SPARK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPARK_CELLS_MAX = 200 };

/* Prints `n` counts as at most `n_cells` (up to SPARK_CELLS_MAX) characters; neighbours are summed
 * up when there are more.  Without UTF-8 it is drawn in ASCII. */
void spark_print(const int64_t *counts, size_t n, size_t n_cells, bool is_utf8);

#endif
