#include "service/cli/stats_pivot.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cli/spark.h"
#include "service/cli/stats_row.h"

enum { CURVE_MIN = 8, CURVE_MAX = 60, LABEL_MIN = 12 };

struct line {
    struct stats_row sum;
    int64_t *human, *all; /* by time */
};

struct pivot {
    struct line *lines;
    size_t n, n_times;
    const char *time; /* of the row before; borrowed */
    size_t at;        /* its number */
};

static void clear(struct pivot *pivot)
{
    for (size_t i = 0; i < pivot->n; i++) {
        free(pivot->lines[i].human);
        free(pivot->lines[i].all);
    }
    free(pivot->lines);
}

static struct line *find_line(const struct pivot *pivot, const char *label)
{
    for (size_t i = 0; i < pivot->n; i++) {
        if (strcmp(pivot->lines[i].sum.label, label) == 0)
            return &pivot->lines[i];
    }
    return NULL;
}

/* NULL: no memory. */
static struct line *add_line(struct pivot *pivot, const struct stats_row *row)
{
    struct line *lines = realloc(pivot->lines, (pivot->n + 1) * sizeof(*lines));
    struct line *line;

    if (!lines)
        return NULL;
    pivot->lines = lines;
    line = &lines[pivot->n++];
    *line = (struct line){.sum = *row};
    line->sum.total = line->sum.human = line->sum.automated = 0;
    line->human = calloc(pivot->n_times, sizeof(int64_t));
    line->all = calloc(pivot->n_times, sizeof(int64_t));
    return line->human && line->all ? line : NULL;
}

static size_t count_times(const json_t *rows)
{
    const char *before = NULL;
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *time = json_string_value(json_object_get(json_array_get(rows, i), "time"));

        n += !before || !time || strcmp(before, time) != 0;
        before = time;
    }
    return n;
}

static bool add_row(struct pivot *pivot, const json_t *json, const char *field)
{
    const char *time = json_string_value(json_object_get(json, "time"));
    struct stats_row row;
    struct line *line;

    if (!time || !stats_row_read(json, field, field, &row))
        return false;
    if (pivot->time && strcmp(pivot->time, time) != 0)
        pivot->at++;
    pivot->time = time;
    line = find_line(pivot, row.label);
    if (!line && !(line = add_line(pivot, &row)))
        return false;
    line->sum.total += row.total;
    line->sum.human += row.human;
    line->sum.automated += row.automated;
    line->human[pivot->at] += row.human;
    line->all[pivot->at] += row.total;
    return true;
}

static int by_total(const void *a, const void *b)
{
    const struct line *left = a, *right = b;

    if (left->sum.total != right->sum.total)
        return left->sum.total < right->sum.total ? 1 : -1;
    return strcmp(left->sum.label, right->sum.label);
}

static size_t at_least(size_t n, size_t least)
{
    return n > least ? n : least;
}

static void print_lines(const struct pivot *pivot, const json_t *total, const char *field,
                        const struct stats_table_options *options)
{
    size_t columns = at_least(options->columns, STATS_COUNTS_CELLS + LABEL_MIN + CURVE_MIN + 2);
    size_t most = columns - STATS_COUNTS_CELLS - CURVE_MIN - 2;
    size_t width = at_least(strlen(field), 5), curve;
    struct stats_row sum;

    for (size_t i = 0; i < pivot->n; i++)
        width = at_least(stats_row_width(pivot->lines[i].sum.label), width);
    width = width < most ? width : most;
    curve = columns - width - STATS_COUNTS_CELLS - 2;
    curve = curve < CURVE_MAX ? curve : CURVE_MAX;
    printf("%-*s %10s %10s %10s  %s\n", (int)width, field, "total", "human", "automated",
           curve < strlen("people over time") ? "people" : "people over time");
    for (size_t i = 0; i < pivot->n; i++) {
        const struct line *line = &pivot->lines[i];

        stats_row_print(&line->sum, width);
        fputs("  ", stdout);
        spark_print(line->sum.human > 0 ? line->human : line->all, pivot->n_times, curve,
                    options->is_utf8);
        putchar('\n');
    }
    if (!stats_row_read(total, "", "", &sum))
        return;
    snprintf(sum.label, sizeof(sum.label), "total");
    stats_row_print(&sum, width);
    putchar('\n');
}

bool stats_pivot_print(const json_t *rows, const json_t *total, const char *field,
                       const struct stats_table_options *options)
{
    struct pivot pivot = {.n_times = count_times(rows)};
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(rows); i++)
        ok = add_row(&pivot, json_array_get(rows, i), field);
    if (ok) {
        if (pivot.n > 0)
            qsort(pivot.lines, pivot.n, sizeof(pivot.lines[0]), by_total);
        print_lines(&pivot, total, field, options);
    }
    clear(&pivot);
    return ok;
}
