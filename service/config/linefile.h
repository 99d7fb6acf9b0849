/* linefile.h - small text files with a record per line: key file, API-key file.
 *
 * The text lies in sodium_malloc() memory, which is wiped when it is freed, and never in a stdio
 * buffer: it may hold keys.
 */
#ifndef CONFIG_LINEFILE_H
#define CONFIG_LINEFILE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct error;
struct linefile;

enum { LINEFILE_FIELDS_MAX = 5, LINEFILE_BYTES_MAX = 1 << 20 };

struct linefile_line {
    unsigned number;   /* from 1 */
    unsigned n_fields; /* 1…LINEFILE_FIELDS_MAX; what is too much is in the last one */
    struct slice field[LINEFILE_FIELDS_MAX]; /* borrowed from the file */
};

/* Reads a regular file of at most LINEFILE_BYTES_MAX.  NULL and `*err` naming the file and the
 * remedy on failure; one whose mode has a bit of `forbidden` is refused. */
MUST_USE struct linefile *linefile_load(const char *path, mode_t forbidden, struct error *err);
void linefile_free(struct linefile *file);

/* The next line that is neither blank nor starts with `#`; false at the end. */
MUST_USE bool linefile_next(struct linefile *file, struct linefile_line *line);

#endif
