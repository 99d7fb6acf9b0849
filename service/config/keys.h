/* keys.h - the key file: a line `kid state hex-key [brands]` per key (FORMATS.md "Key file"). */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/token.h"

struct error;

enum { KEYS_KIDS = 256 };

/* The brands that each key is for. */
struct keys_brands {
    char *list[KEYS_KIDS];    /* by kid, as in brandlist.h; NULL = all.  Owned. */
    unsigned line[KEYS_KIDS]; /* of the file */
};

/* Reads a key file into sodium_malloc() memory, read-only afterwards, and fills `*brands`.  Blank
 * lines and lines that start with `#` are skipped.  NULL and `*err` naming file, line and remedy on
 * failure; a file that others may write is refused, one that others may read is too.
 * keys_brands_clear() in either case. */
MUST_USE struct token_keyring *keys_load(const char *path, struct keys_brands *brands,
                                         struct error *err);
void keys_free(struct token_keyring *ring);
void keys_brands_clear(struct keys_brands *brands);

#endif
