/* asnfile.h - a list of autonomous systems in a file, as those who keep such lists write them.
 *
 * A line for each: its number, `AS` before it or not, in quotes or not; what comes behind a blank,
 * a comma, a semicolon or `#` is a name for the reader.  Blank lines, lines that begin with `#`,
 * and a first line that names columns (`ASN,Entity`) are passed over.
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

/* Appends those in the file.  False and `*err`, naming file and line, on failure; then the list may
 * have got some of them. */
MUST_USE bool asnfile_load(const char *path, struct asn_list *list, struct error *err);

#endif
