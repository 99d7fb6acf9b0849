/* brandlist.h - the brands that a key is for: "acme,globex"; no list means all. */
#ifndef CONFIG_BRANDLIST_H
#define CONFIG_BRANDLIST_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct error;

enum { BRANDLIST_MAX = 1024 }; /* bytes, with a NUL */

/* Copies a list as it is written in a key file.  False and `*err` when the list is too long, or has
 * an empty name, a name twice, or a character that no brand's name has. */
MUST_USE bool brandlist_parse(struct slice text, char out[static BRANDLIST_MAX], struct error *err);

/* Whether a list has a brand; NULL and "" have them all. */
bool brandlist_has(const char *list, struct slice brand);

#endif
