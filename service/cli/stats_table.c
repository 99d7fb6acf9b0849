#include "service/cli/stats_table.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "service/base/error.h"

enum { LABEL_MAX = 40, LABEL_BYTES = 4 * LABEL_MAX + 1, BAR_CELLS = 24, SPARK_MAX = 80 };

struct row {
    char label[LABEL_BYTES];
    int64_t total, human, automated;
};

/* --- text that others chose --- */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t count_cells(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += !is_continuation(*text);
    return n;
}

/* Appends at most LABEL_MAX characters; control characters, which could steer the terminal, become
 * question marks.  jansson has checked that it is UTF-8. */
static void add_label(char label[static LABEL_BYTES], const char *text)
{
    size_t n = strlen(label), cells = count_cells(label);

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

static bool read_row(const json_t *json, struct row *row)
{
    const char *key = json_string_value(json_object_get(json, "key"));
    const char *name = json_string_value(json_object_get(json, "name"));
    json_int_t total, human, automated;

    if (json_unpack((json_t *)json, "{sI sI sI}", "total", &total, "human", &human, "automated",
                    &automated) != 0)
        return false;
    *row = (struct row){.total = total, .human = human, .automated = automated};
    if (key)
        add_label(row->label, key);
    if (name) {
        add_label(row->label, " ");
        add_label(row->label, name);
    }
    return true;
}

/* --- drawing --- */

static void repeat(const char *cell, int64_t n)
{
    while (n-- > 0)
        fputs(cell, stdout);
}

/* People first, then machines; whoever clicked at all is seen. */
static void draw_bar(const struct row *row, int64_t most, bool is_utf8)
{
    int64_t human = most ? row->human * BAR_CELLS / most : 0;
    int64_t automated = most ? row->automated * BAR_CELLS / most : 0;

    human += human == 0 && row->human > 0;
    automated += automated == 0 && row->automated > 0;
    repeat(is_utf8 ? "█" : "#", human);
    repeat(is_utf8 ? "░" : "-", automated);
}

static void draw_row(const struct row *row, int width, int64_t most, bool is_utf8)
{
    printf("%s%*s %10" PRId64 " %10" PRId64 " %10" PRId64 "  ", row->label,
           width - (int)count_cells(row->label), "", row->total, row->human, row->automated);
    draw_bar(row, most, is_utf8);
    putchar('\n');
}

/* One character for each row of time, neighbours summed up when there are too many. */
static bool draw_spark(const json_t *rows, bool is_utf8)
{
    static const char *const utf8[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "-", "=", "#", "#"};
    size_t n = json_array_size(rows), n_cells = n < SPARK_MAX ? n : SPARK_MAX;
    int64_t cells[SPARK_MAX] = {0}, most = 1;

    for (size_t i = 0; i < n; i++) {
        struct row row;

        if (!read_row(json_array_get(rows, i), &row))
            return false;
        cells[i * n_cells / n] += row.total;
    }
    for (size_t i = 0; i < n_cells; i++)
        most = cells[i] > most ? cells[i] : most;
    for (size_t i = 0; i < n_cells; i++) {
        int64_t height = (cells[i] * 8 + most - 1) / most;

        fputs((is_utf8 ? utf8 : ascii)[height], stdout);
    }
    fputs("\n\n", stdout);
    return true;
}

static void print_head(const json_t *reply)
{
    const char *as_of = json_string_value(json_object_get(reply, "as_of"));
    const char *tz = json_string_value(json_object_get(reply, "tz"));
    const char *from = json_string_value(json_object_get(reply, "from"));
    const char *to = json_string_value(json_object_get(reply, "to"));

    printf("%s to %s%s%s%s%s%s\n\n", from ? from : "?", to ? to : "?", tz ? ", by " : "",
           tz ? tz : "", tz ? " time" : "", as_of ? ", as of " : "", as_of ? as_of : "");
}

/* The widest label and the largest total. */
static bool measure(const json_t *rows, int *width, int64_t *most)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct row row;

        if (!read_row(json_array_get(rows, i), &row))
            return false;
        if ((int)count_cells(row.label) > *width)
            *width = (int)count_cells(row.label);
        if (row.total > *most)
            *most = row.total;
    }
    return true;
}

static bool print_rows(const json_t *rows, const json_t *total, const char *group, bool is_utf8)
{
    int width = (int)strlen(group) > 5 ? (int)strlen(group) : 5;
    struct row row;
    int64_t most = 0;

    if (!measure(rows, &width, &most))
        return false;
    printf("%-*s %10s %10s %10s\n", width, group, "total", "human", "automated");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (!read_row(json_array_get(rows, i), &row))
            return false;
        draw_row(&row, width, most, is_utf8);
    }
    if (!read_row(total, &row))
        return false;
    printf("%-*s %10" PRId64 " %10" PRId64 " %10" PRId64 "\n", width, "total", row.total, row.human,
           row.automated);
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

bool stats_table_print(const json_t *reply, const struct stats_table_options *options,
                       struct error *err)
{
    const json_t *rows = json_object_get(reply, "rows");
    const json_t *total = json_object_get(reply, "total");
    const char *group = json_string_value(json_object_get(reply, "group_by"));
    size_t n_all = (size_t)json_integer_value(json_object_get(reply, "n_rows"));
    size_t n = json_array_size(rows);

    if (!json_is_array(rows) || !json_is_object(total))
        goto odd;
    print_head(reply);
    if (group && strcmp(group, "time") == 0 && n > 1 && !draw_spark(rows, options->is_utf8))
        goto odd;
    if (!print_rows(rows, total, group ? group : "", options->is_utf8))
        goto odd;
    if (n_all > n)
        printf("(%zu of %zu rows; --limit shows more)\n", n, n_all);
    print_people(total);
    return true;
odd:
    error_set(err, "the reply is not a statistic; does --url name the admin address of hopcountd?");
    return false;
}
