/* schema_checker.h - what the two halves of schema_check() share: the walk (schema_check.c) and the
 * values (schema_value.c). */
#ifndef CONFIG_SCHEMA_CHECKER_H
#define CONFIG_SCHEMA_CHECKER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <yaml.h>

#include "proto/compiler.h"
#include "service/config/schema.h"

struct schema_lines;

enum { SCHEMA_PATH_MAX = 256 };

struct checker {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    FILE *out;
    struct schema_lines *lines;
    struct error *err;
    const char *file;
    char path[SCHEMA_PATH_MAX]; /* of the key being read */
    size_t path_len;
};

static inline unsigned checker_line(const struct checker *c)
{
    return (unsigned)c->event.start_mark.line + 1;
}

/* Sets "file:line: path: …".  Always false, so that a caller can return it. */
bool checker_fail(struct checker *c, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);

/* Checks the current event as the single value of `key` and writes it. */
MUST_USE bool checker_put_scalar(struct checker *c, const struct schema_key *key);

/* Writes the default of each key whose bit in `seen` is clear; `first`: nothing precedes. */
void checker_put_defaults(struct checker *c, const struct schema_key *keys, uint64_t seen,
                          bool first);

#endif
