/* rows.h - reads a table row by row, whatever program wrote it (FORMATS.md "Tables of links"): the
 * first row names the fields of what each other row describes. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/csv.h"
#include "proto/slice.h"

struct error;

enum {
    ROWS_ROW_MAX = 64 << 10, /* bytes of a row */
    ROWS_PASSED = 0xfe,      /* in rows_row.column: no field; passed through */
    ROWS_EMPTY = 0xff,       /* without a name, and nothing may stand in it */
};

/* A row; borrowed for the call. */
struct rows_row {
    uint64_t line; /* where it starts, from 1 */
    unsigned n_columns;
    const uint8_t *column;     /* of each the number of its field, ROWS_PASSED or ROWS_EMPTY */
    const struct csv_row *csv; /* may have fewer fields than there are columns */
};

enum rows_then {
    ROWS_GOOD,
    ROWS_BAD,  /* `*err` is reported with the line, and the next row is read */
    ROWS_STOP, /* `*err` is reported, and nothing more is read */
};

struct rows_options {
    int in_fd;
    /* What rows describe: fields 0 … n_fields - 1, at most 32; find returns -1 for no field. */
    int n_fields;
    const char *(*field_name)(int field);
    int (*field_find)(struct slice name);
    bool (*is_option)(int field); /* whether it may also be given as an option of that name */
    uint32_t needed;              /* bits of the fields that must be columns */
    const char *example;          /* "kind,object,client,…" */
    bool can_pass;                /* there is an option --pass … */
    bool pass;                    /* … and it was given: unknown columns are passed through */
    bool show_progress;
    void *owner;                                                   /* the argument of: */
    void (*on_header)(void *owner, const struct rows_row *header); /* may be NULL */
    enum rows_then (*on_row)(void *owner, const struct rows_row *row, struct error *err);
};

struct rows_result {
    bool has_header;
    uint64_t n_good, n_bad;
};

/* Reads in_fd to its end; bad rows are reported on stderr with their line.  False, after saying why
 * on stderr: a bad header, no header, a failure to read, ROWS_STOP. */
MUST_USE bool rows_read(const struct rows_options *options, struct rows_result *result);

/* The value of column `i`, without the blanks around it; empty also for the two marks by which
 * database clients write that there is none, NULL and \N. */
struct slice rows_value(const struct rows_row *row, unsigned i);

/* Reports a row that turned out to be bad later. */
void rows_print_fault(uint64_t line, const char *what);

#endif
