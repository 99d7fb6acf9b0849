#include "service/cli/stats_table.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"
#include "service/cli/spark.h"
#include "service/cli/stats_pivot.h"
#include "service/cli/stats_row.h"

enum { BAR_MAX = 24, BAR_MIN = 6, LABEL_MIN = 12, SPARK_LABEL = 10, LEGEND = 21 };

static void repeat(const char *cell, int64_t n)
{
    while (n-- > 0)
        fputs(cell, stdout);
}

/* People first, then machines; whoever clicked at all is seen. */
static void draw_bar(const struct stats_row *row, int64_t most, size_t cells, bool is_utf8)
{
    int64_t human = most ? row->human * (int64_t)cells / most : 0;
    int64_t automated = most ? row->automated * (int64_t)cells / most : 0;

    human += human == 0 && row->human > 0;
    automated += automated == 0 && row->automated > 0;
    repeat(is_utf8 ? "█" : "#", human);
    repeat(is_utf8 ? "░" : "-", automated);
}

/* People and machines over time, each by its own scale: machines would flatten people. */
static bool draw_curves(const json_t *rows, const struct stats_table_options *options)
{
    size_t n = json_array_size(rows), cells = options->columns - SPARK_LABEL;
    int64_t *human = calloc(n, sizeof(*human)), *automated = calloc(n, sizeof(*automated));
    bool ok = human && automated;

    for (size_t i = 0; ok && i < n; i++) {
        struct stats_row row;

        ok = stats_row_read(json_array_get(rows, i), "key", "time", &row);
        if (ok) {
            human[i] = row.human;
            automated[i] = row.automated;
        }
    }
    if (ok) {
        printf("%-*s", SPARK_LABEL, "people");
        spark_print(human, n, cells, options->is_utf8);
        printf("\n%-*s", SPARK_LABEL, "machines");
        spark_print(automated, n, cells, options->is_utf8);
        fputs("\n\n", stdout);
    }
    free(human);
    free(automated);
    return ok;
}

static void print_head(const json_t *reply)
{
    const char *as_of = json_string_value(json_object_get(reply, "as_of"));
    const char *tz = json_string_value(json_object_get(reply, "tz"));
    const char *from = json_string_value(json_object_get(reply, "from"));
    const char *to = json_string_value(json_object_get(reply, "to"));

    printf("%s to %s%s%s%s\n", from ? from : "?", to ? to : "?", tz ? ", by " : "", tz ? tz : "",
           tz ? " time" : "");
    printf("complete up to %s\n\n", as_of ? as_of : "a moment that is not known");
}

/* The widest label and the largest total. */
static bool measure(const json_t *rows, const char *group, size_t *width, int64_t *most)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct stats_row row;

        if (!stats_row_read(json_array_get(rows, i), "key", group, &row))
            return false;
        if (stats_row_width(row.label) > *width)
            *width = stats_row_width(row.label);
        if (row.total > *most)
            *most = row.total;
    }
    return true;
}

static bool print_rows(const json_t *rows, const json_t *total, const char *group,
                       const struct stats_table_options *options)
{
    size_t width = strlen(group) > 5 ? strlen(group) : 5, room, bar;
    struct stats_row row;
    int64_t most = 0;

    if (!measure(rows, group, &width, &most))
        return false;
    /* What is left for labels when bars are as short as they may be, and for bars. */
    room = options->columns > STATS_COUNTS_CELLS + 2 + BAR_MIN + LABEL_MIN
               ? options->columns - STATS_COUNTS_CELLS - 2 - BAR_MIN
               : LABEL_MIN;
    width = width < room ? width : room;
    bar = room + BAR_MIN - width < BAR_MAX ? room + BAR_MIN - width : BAR_MAX;
    printf("%-*s %10s %10s %10s", (int)width, group, "total", "human", "automated");
    if (width + STATS_COUNTS_CELLS + LEGEND <= options->columns)
        fputs(options->is_utf8 ? "  █ people ░ machines" : "  # people - machines", stdout);
    putchar('\n');
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (!stats_row_read(json_array_get(rows, i), "key", group, &row))
            return false;
        stats_row_print(&row, width);
        fputs(row.total > 0 ? "  " : "", stdout);
        draw_bar(&row, most, bar, options->is_utf8);
        putchar('\n');
    }
    if (!stats_row_read(total, "key", group, &row))
        return false;
    snprintf(row.label, sizeof(row.label), "total");
    stats_row_print(&row, width);
    putchar('\n');
    return true;
}

/* Who clicked, however often; absent unless it was asked for. */
static void print_people(const json_t *total)
{
    json_int_t clients, visitors;

    if (json_unpack((json_t *)total, "{sI sI}", "clients", &clients, "visitors", &visitors) != 0)
        return;
    printf("\ndistinct clients   %10" PRId64 "  by the number in the link\n", (int64_t)clients);
    printf("visitors           %10" PRId64 "  by links without one; each counts once a day\n",
           (int64_t)visitors);
}

/* The table that suits the grouping. */
static bool print_table(const json_t *rows, const json_t *total, const char *group,
                        const struct stats_table_options *options)
{
    static const char over_time[] = "time,";

    if (strncmp(group, over_time, sizeof(over_time) - 1) == 0)
        return stats_pivot_print(rows, total, group + sizeof(over_time) - 1, options);
    if (strcmp(group, "time") == 0 && json_array_size(rows) > 1 && !draw_curves(rows, options))
        return false;
    return print_rows(rows, total, group, options);
}

bool stats_table_print(const json_t *reply, const struct stats_table_options *options,
                       struct error *err)
{
    const json_t *rows = json_object_get(reply, "rows");
    const json_t *total = json_object_get(reply, "total");
    const char *group = json_string_value(json_object_get(reply, "group_by"));
    size_t n_all = (size_t)json_integer_value(json_object_get(reply, "n_rows"));
    size_t n = json_array_size(rows);
    const char *last = json_string_value(json_object_get(json_array_get(rows, n - 1), "key"));

    if (!json_is_array(rows) || !json_is_object(total))
        goto odd;
    print_head(reply);
    if (!print_table(rows, total, group ? group : "", options))
        goto odd;
    /* The row that sums up the others is none of them. */
    n -= n > 0 && last && strncmp(last, "(rest)", 6) == 0;
    if (n_all > n)
        printf("(%zu of %zu rows; --limit shows more)\n", n, n_all);
    print_people(total);
    return true;
odd:
    error_set(err, "the reply is not a statistic; does --url name the admin address of hopcountd?");
    return false;
}
