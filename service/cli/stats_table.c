#include "service/cli/stats_table.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"

enum {
    LABEL_MAX = 40,
    LABEL_BYTES = 4 * LABEL_MAX + 1,
    COUNTS_CELLS = 33,
    BAR_MAX = 24,
    BAR_MIN = 6,
    LABEL_MIN = 12,
    CURVE_LABEL = 10,
    CURVE_MIN = 8,
    CURVE_MAX = 60,
    CURVE_CELLS_MAX = 200,
    LEGEND = 21,
};

/* A row of GET /v1/stats as it is shown. */
struct stats_row {
    char label[LABEL_BYTES]; /* at most LABEL_MAX characters; safe to print */
    int64_t total, human, automated;
};

/* --- a row --- */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Cells that a text takes. */
static size_t label_width(const char *label)
{
    size_t n = 0;

    for (; *label; label++)
        n += !is_continuation(*label);
    return n;
}

/* Appends at most LABEL_MAX characters; control characters, which could steer the terminal,
 * become question marks.  jansson has checked that it is UTF-8. */
static void add_label(char label[static LABEL_BYTES], const char *text)
{
    size_t n = strlen(label), cells = label_width(label);

    while (*text && cells < LABEL_MAX) {
        unsigned char c = (unsigned char)*text;
        bool is_c1 = c == 0xc2 && (unsigned char)text[1] < 0xa0;

        cells++;
        if (c < 0x20 || c == 0x7f || is_c1) {
            label[n++] = '?';
            text += is_c1 ? 2 : 1;
            continue;
        }
        do
            label[n++] = *text++;
        while (is_continuation(*text));
    }
    label[n] = '\0';
}

/* Reads a row of the group `group` that is named by its field `field` ("key", or the group's own)
 * and, if it has one, its name; a total has neither.  False: the counts are missing. */
static bool read_row(const json_t *json, const char *field, const char *group,
                     struct stats_row *row)
{
    const char *key = json_string_value(json_object_get(json, field));
    const char *name = json_string_value(json_object_get(json, "name"));
    json_int_t total, human, automated;

    if (json_unpack((json_t *)json, "{sI sI sI}", "total", &total, "human", &human, "automated",
                    &automated) != 0)
        return false;
    *row = (struct stats_row){.total = total, .human = human, .automated = automated};
    if (key)
        add_label(row->label, key);
    if (!name && key && strcmp(key, "0") == 0 && strcmp(group, "campaign") == 0)
        name = "(none)";
    if (name) {
        add_label(row->label, " ");
        add_label(row->label, name);
    }
    return true;
}

/* Prints label and counts: `width` + COUNTS_CELLS cells; a longer label is cut. */
static void print_row(const struct stats_row *row, size_t width)
{
    const char *at = row->label;
    size_t cells = 0;

    for (; *at && (cells < width || is_continuation(*at)); at++) {
        cells += !is_continuation(*at);
        putchar(*at);
    }
    printf("%*s %10" PRId64 " %10" PRId64 " %10" PRId64, (int)(width - cells), "", row->total,
           row->human, row->automated);
}

/* --- a curve in one line of text --- */

/* Prints `n` counts as at most `n_cells` (up to CURVE_CELLS_MAX) characters; neighbours are summed
 * up when there are more.  Without UTF-8 it is drawn in ASCII. */
static void print_curve(const int64_t *counts, size_t n, size_t n_cells, bool is_utf8)
{
    static const char *const utf8[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "-", "=", "#", "#"};
    int64_t cells[CURVE_CELLS_MAX] = {0}, most = 1;

    if (n_cells > CURVE_CELLS_MAX)
        n_cells = CURVE_CELLS_MAX;
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

/* --- by time and something else: a row for each of the latter, with a curve over time --- */

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
    struct line *line = NULL;

    if (!time || !read_row(json, field, field, &row))
        return false;
    if (pivot->time && strcmp(pivot->time, time) != 0)
        pivot->at++;
    pivot->time = time;
    for (size_t i = 0; i < pivot->n && !line; i++) {
        if (strcmp(pivot->lines[i].sum.label, row.label) == 0)
            line = &pivot->lines[i];
    }
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
    size_t columns = at_least(options->columns, COUNTS_CELLS + LABEL_MIN + CURVE_MIN + 2);
    size_t most = columns - COUNTS_CELLS - CURVE_MIN - 2;
    size_t width = at_least(strlen(field), 5), curve;
    struct stats_row sum;

    for (size_t i = 0; i < pivot->n; i++)
        width = at_least(label_width(pivot->lines[i].sum.label), width);
    width = width < most ? width : most;
    curve = columns - width - COUNTS_CELLS - 2;
    curve = curve < CURVE_MAX ? curve : CURVE_MAX;
    printf("%-*s %10s %10s %10s  %s\n", (int)width, field, "total", "human", "automated",
           curve < strlen("people over time") ? "people" : "people over time");
    for (size_t i = 0; i < pivot->n; i++) {
        const struct line *line = &pivot->lines[i];

        print_row(&line->sum, width);
        fputs("  ", stdout);
        print_curve(line->sum.human > 0 ? line->human : line->all, pivot->n_times, curve,
                    options->is_utf8);
        putchar('\n');
    }
    if (!read_row(total, "", "", &sum))
        return;
    snprintf(sum.label, sizeof(sum.label), "total");
    print_row(&sum, width);
    putchar('\n');
}

/* Prints `rows`, which are grouped by "time,`field`", those with the most clicks first, and the
 * total.  False: they are not as the API documents, or no memory. */
static bool print_by_time(const json_t *rows, const json_t *total, const char *field,
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
    for (size_t i = 0; i < pivot.n; i++) {
        free(pivot.lines[i].human);
        free(pivot.lines[i].all);
    }
    free(pivot.lines);
    return ok;
}

/* --- the table --- */

static void repeat(const char *cell, int64_t n)
{
    while (n-- > 0)
        fputs(cell, stdout);
}

/* People first, then machines.  A count above 0 takes at least one cell. */
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
    size_t n = json_array_size(rows), cells = options->columns - CURVE_LABEL;
    int64_t *human = calloc(n, sizeof(*human)), *automated = calloc(n, sizeof(*automated));
    bool ok = human && automated;

    for (size_t i = 0; ok && i < n; i++) {
        struct stats_row row;

        ok = read_row(json_array_get(rows, i), "key", "time", &row);
        if (ok) {
            human[i] = row.human;
            automated[i] = row.automated;
        }
    }
    if (ok) {
        printf("%-*s", CURVE_LABEL, "people");
        print_curve(human, n, cells, options->is_utf8);
        printf("\n%-*s", CURVE_LABEL, "machines");
        print_curve(automated, n, cells, options->is_utf8);
        fputs("\n\n", stdout);
    }
    free(human);
    free(automated);
    return ok;
}

/* Counts of several dimensions together may lack clicks: says so. */
static void print_coverage(const json_t *coverage)
{
    const char *from = json_string_value(json_object_get(coverage, "from"));
    double share = json_number_value(json_object_get(coverage, "share"));

    if (!coverage || share >= 1)
        return;
    printf("of %.2f %% of the clicks: the others were not counted by several dimensions together",
           share * 100);
    if (from)
        printf("; from %s on all were", from);
    putchar('\n');
}

static void print_head(const json_t *reply)
{
    const char *as_of = json_string_value(json_object_get(reply, "as_of"));
    const char *tz = json_string_value(json_object_get(reply, "tz"));
    const char *from = json_string_value(json_object_get(reply, "from"));
    const char *to = json_string_value(json_object_get(reply, "to"));

    printf("%s to %s%s%s%s\n", from ? from : "?", to ? to : "?", tz ? ", by " : "", tz ? tz : "",
           tz ? " time" : "");
    printf("complete up to %s\n", as_of ? as_of : "a moment that is not known");
    print_coverage(json_object_get(reply, "coverage"));
    putchar('\n');
}

/* The widest label and the largest total. */
static bool measure(const json_t *rows, const char *group, size_t *width, int64_t *most)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct stats_row row;

        if (!read_row(json_array_get(rows, i), "key", group, &row))
            return false;
        if (label_width(row.label) > *width)
            *width = label_width(row.label);
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
    /* The columns that labels and bars share: first labels, while bars have BAR_MIN. */
    room = options->columns > COUNTS_CELLS + 2 + BAR_MIN + LABEL_MIN
               ? options->columns - COUNTS_CELLS - 2 - BAR_MIN
               : LABEL_MIN;
    width = width < room ? width : room;
    bar = room + BAR_MIN - width < BAR_MAX ? room + BAR_MIN - width : BAR_MAX;
    printf("%-*s %10s %10s %10s", (int)width, group, "total", "human", "automated");
    if (width + COUNTS_CELLS + LEGEND <= options->columns)
        fputs(options->is_utf8 ? "  █ people ░ machines" : "  # people - machines", stdout);
    putchar('\n');
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (!read_row(json_array_get(rows, i), "key", group, &row))
            return false;
        print_row(&row, width);
        fputs(row.total > 0 ? "  " : "", stdout);
        draw_bar(&row, most, bar, options->is_utf8);
        putchar('\n');
    }
    if (!read_row(total, "key", group, &row))
        return false;
    snprintf(row.label, sizeof(row.label), "total");
    print_row(&row, width);
    putchar('\n');
    return true;
}

/* Distinct clients and visitors, if they were asked for. */
static void print_people(const json_t *total, const json_t *by)
{
    json_int_t clients, visitors;

    if (json_unpack((json_t *)total, "{sI sI}", "clients", &clients, "visitors", &visitors) != 0)
        return;
    printf("\ndistinct clients   %10" PRId64 "  by the number in the link\n", (int64_t)clients);
    printf("visitors           %10" PRId64 "  by links without one; each counts once a day\n",
           (int64_t)visitors);
    if (json_is_string(by) && strcmp(json_string_value(by), "days") == 0)
        puts("(both are of days of UTC, not of your time zone: the hours of this period are not "
             "known; see retention.client_hours_days)");
}

/* The table that suits the grouping. */
static bool print_table(const json_t *rows, const json_t *total, const char *group,
                        const struct stats_table_options *options)
{
    static const char over_time[] = "time,";

    if (strncmp(group, over_time, sizeof(over_time) - 1) == 0)
        return print_by_time(rows, total, group + sizeof(over_time) - 1, options);
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
    print_people(total, json_object_get(reply, "clients_by"));
    return true;
odd:
    error_set(err, "the reply is not a statistic; does --url name the admin address of hopcountd?");
    return false;
}
