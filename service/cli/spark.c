#include "service/cli/spark.h"

#include <stdio.h>

void spark_print(const int64_t *counts, size_t n, size_t n_cells, bool is_utf8)
{
    static const char *const utf8[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "-", "=", "#", "#"};
    int64_t cells[SPARK_CELLS_MAX] = {0}, most = 1;

    if (n_cells > SPARK_CELLS_MAX)
        n_cells = SPARK_CELLS_MAX;
    if (n_cells > n)
        n_cells = n;
    for (size_t i = 0; i < n && n_cells > 0; i++)
        cells[i * n_cells / n] += counts[i];
    for (size_t i = 0; i < n_cells; i++)
        most = cells[i] > most ? cells[i] : most;
    for (size_t i = 0; i < n_cells; i++) {
        /* Below 0 for a moment, while clicks are relabelled. */
        int64_t height = cells[i] > 0 ? (cells[i] * 8 + most - 1) / most : 0;

        fputs((is_utf8 ? utf8 : ascii)[height], stdout);
    }
}
