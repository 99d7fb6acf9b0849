/* csv.h - rows of separated values (RFC 4180), as spreadsheets and database clients write them.
 *
 * Fields are separated by one character, rows end in LF, CRLF or CR.  A field in double quotes may
 * hold separators, line ends and doubled quotes, and blanks may stand around its quotes.  A quote
 * inside any other field is an error, except in rows separated by tabs: programs that write those
 * quote nothing.  Pure, no allocation. */
#ifndef PROTO_CSV_H
#define PROTO_CSV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { CSV_FIELDS_MAX = 64 };

struct csv_row {
    struct slice field[CSV_FIELDS_MAX]; /* in the text that was read */
    unsigned n_fields;                  /* 1…CSV_FIELDS_MAX */
    uint64_t quoted;                    /* bit i: field i was in quotes */
    size_t len;     /* bytes of the row with its end: where the next one starts */
    size_t n_lines; /* line ends in these */
};

enum csv_status {
    CSV_OK,
    CSV_MORE,     /* the row is not complete; nothing was changed */
    CSV_QUOTES,   /* a quote in the wrong place, or one that isn't closed */
    CSV_TOO_MANY, /* more fields than CSV_FIELDS_MAX */
};

/*
 * Parses the row at the start of `text` (`len` bytes, at least 1), whose fields are separated by
 * `separator`.  `is_end`: no more text follows.
 *
 * On CSV_OK fills `*row`, and undoubles quotes in `text` itself.  On CSV_QUOTES and CSV_TOO_MANY
 * only row->len and row->n_lines are set: to the first line, so that one stray quote does not
 * swallow all that follows.
 */
MUST_USE enum csv_status csv_read(char *text, size_t len, bool is_end, char separator,
                                  struct csv_row *row);

/* Whether a value must be quoted in a row separated by commas. */
bool csv_needs_quotes(struct slice value);

/* Writes `value` as a field, quoted if needed; returns its length, at most 2 * value.len + 2. */
size_t csv_write(struct slice value, char *out);

/* Whether a spreadsheet would take a value for a formula: it begins with `=`, `+`, `-` or `@`, also
 * in their full-width forms (U+FF1D, FF0B, FF0D, FF20), with a tab or a line end. */
bool csv_is_formula(struct slice value);

#endif
