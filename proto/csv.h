/* csv.h - rows of comma-separated values (RFC 4180).
 *
 * Fields are separated by commas, rows end in LF or CRLF.  A field in double quotes may hold
 * commas, line ends and doubled quotes; a quote inside any other field is a fault.  Pure, no
 * allocation.
 */
#ifndef PROTO_CSV_H
#define PROTO_CSV_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { CSV_FIELDS_MAX = 64 };

struct csv_row {
    struct slice field[CSV_FIELDS_MAX]; /* in the text that was read */
    unsigned n_fields;                  /* 1…CSV_FIELDS_MAX */
    bool is_blank;                      /* an empty line: one field, empty, without quotes */
    size_t len;     /* bytes of the row with its end: where the next one starts */
    size_t n_lines; /* line ends in these */
};

enum csv_status {
    CSV_OK,
    CSV_MORE,     /* the row's end is not there yet; nothing was changed */
    CSV_QUOTES,   /* a quote where none may be, or one that isn't closed */
    CSV_TOO_MANY, /* more fields than CSV_FIELDS_MAX */
};

/*
 * Reads the row at the start of `text`, `len` bytes, 1 or more; `is_end`: no more will come.
 *
 * On CSV_OK fills `*row`, and undoubles quotes in `text` itself.  On CSV_QUOTES and CSV_TOO_MANY
 * only row->len and row->n_lines are set: to the first line, so that one stray quote does not
 * swallow all that follows.
 */
MUST_USE enum csv_status csv_read(char *text, size_t len, bool is_end, struct csv_row *row);

/* Whether a value needs quotes to be a field. */
bool csv_needs_quotes(struct slice value);

/* Writes `value` as a field, quoted if needed; returns its length, at most 2 * value.len + 2. */
size_t csv_write(struct slice value, char *out);

#endif
