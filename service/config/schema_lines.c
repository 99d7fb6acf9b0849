#include "service/config/schema_lines.h"

#include <stdlib.h>
#include <string.h>

bool schema_lines_add(struct schema_lines *lines, const char *key, unsigned line)
{
    char *copy;

    if (lines->n == lines->cap) {
        size_t cap = lines->cap ? lines->cap * 2 : 64;
        struct schema_line *entries = realloc(lines->entries, cap * sizeof(*entries));

        if (!entries)
            return false;
        lines->entries = entries;
        lines->cap = cap;
    }
    copy = strdup(key);
    if (!copy)
        return false;
    lines->entries[lines->n++] = (struct schema_line){.key = copy, .line = line};
    return true;
}

/* Whether `holder` is `key` or holds it; the length of `holder` then, else 0. */
static size_t match(const char *holder, const char *key)
{
    size_t len = strlen(holder);

    if (strncmp(holder, key, len) != 0)
        return 0;
    return key[len] == '\0' || key[len] == '.' || key[len] == '[' ? len : 0;
}

/* A plain walk: it only happens on the way to an error message. */
unsigned schema_lines_find(const struct schema_lines *lines, const char *key)
{
    unsigned line = 1;
    size_t best = 0;

    for (size_t i = 0; i < lines->n; i++) {
        size_t len = match(lines->entries[i].key, key);

        if (len > best) {
            best = len;
            line = lines->entries[i].line;
        }
    }
    return line;
}

void schema_lines_clear(struct schema_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->entries[i].key);
    free(lines->entries);
    *lines = (struct schema_lines){0};
}
