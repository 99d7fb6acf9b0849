/* stats_table.h - a reply of GET /v1/stats as a table with bars and curves, for a terminal. */
#ifndef CLI_STATS_TABLE_H
#define CLI_STATS_TABLE_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "proto/compiler.h"

struct error;

struct stats_table_options {
    bool is_utf8;   /* of the terminal; else ASCII is drawn */
    size_t columns; /* of the terminal */
};

/* Prints to stdout.  False and `*err` when the reply isn't what the API documents. */
MUST_USE bool stats_table_print(const json_t *reply, const struct stats_table_options *options,
                                struct error *err);

#endif
