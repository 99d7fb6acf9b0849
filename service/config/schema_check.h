/* schema_check.h - the first pass over a YAML file: checks it against the table, key by key, and
 * writes it anew, complete with defaults, for libcyaml to fill the structs from. */
#ifndef CONFIG_SCHEMA_CHECK_H
#define CONFIG_SCHEMA_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/compiler.h"

struct error;
struct schema_key;
struct schema_lines;

/*
 * Writes the document to `out` as JSON (which is YAML): every key with a value or a default,
 * numbers in place of words (auto, true, choices), lists where a single text may stand for one,
 * absolute paths.  Adds the line of every key to `*lines`.  False and `*err` on failure.
 */
MUST_USE bool schema_check(const struct schema_key *keys, const char *file, const char *text,
                           size_t len, FILE *out, struct schema_lines *lines, struct error *err);

#endif
