/* asnfile.h - a file with a list of autonomous systems, in the forms in which such lists are
 * published.
 *
 * Each line holds a number, with or without `AS` before it, with or without quotes; text behind a
 * blank, comma, semicolon or `#` is a name for people.  Blank lines, lines that begin with `#`, and
 * a first line of column names (`ASN,Entity`) are skipped.
 */
#ifndef CONFIG_ASNFILE_H
#define CONFIG_ASNFILE_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"

struct error;

/* A growing list of numbers; begins as {0}.  The caller frees `numbers`. */
struct asn_list {
    uint32_t *numbers;
    unsigned n, max;
};

/* False: out of memory. */
MUST_USE bool asn_list_add(struct asn_list *list, uint32_t number);

/* Appends the numbers in the file.  False and `*err`, naming file and line, on failure; then the
 * list may hold some of them. */
MUST_USE bool asnfile_load(const char *path, struct asn_list *list, struct error *err);

#endif
