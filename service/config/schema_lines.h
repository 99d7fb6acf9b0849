/* schema_lines.h - where each key of a file stands, so that later checks can name its line. */
#ifndef CONFIG_SCHEMA_LINES_H
#define CONFIG_SCHEMA_LINES_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"

struct schema_line {
    char *key; /* "brands[0].hosts[1]" */
    unsigned line;
};

/* Caller's memory; start from {0}. */
struct schema_lines {
    struct schema_line *entries;
    size_t n, cap;
};

/* False: out of memory. */
MUST_USE bool schema_lines_add(struct schema_lines *lines, const char *key, unsigned line);
/* The line of `key`, or of the nearest key that holds it; 1 when there is none. */
unsigned schema_lines_find(const struct schema_lines *lines, const char *key);
void schema_lines_clear(struct schema_lines *lines);

#endif
