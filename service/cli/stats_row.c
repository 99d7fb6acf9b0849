#include "service/cli/stats_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t stats_row_width(const char *label)
{
    size_t n = 0;

    for (; *label; label++)
        n += !is_continuation(*label);
    return n;
}

/* Appends at most STATS_LABEL_MAX characters; control characters, which could steer the terminal,
 * become question marks.  jansson has checked that it is UTF-8. */
static void add_label(char label[static STATS_LABEL_BYTES], const char *text)
{
    size_t n = strlen(label), cells = stats_row_width(label);

    while (*text && cells < STATS_LABEL_MAX) {
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

bool stats_row_read(const json_t *json, const char *field, const char *group, struct stats_row *row)
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

void stats_row_print(const struct stats_row *row, size_t width)
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
