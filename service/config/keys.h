/* keys.h - the key file: a line `kid state hex-key` per key; state is mint, verify or revoked. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H
#include "proto/compiler.h"
#include "proto/token.h"

struct error;

/* Reads a key file into sodium_malloc() memory, read-only afterwards.  Blank lines and lines that
 * start with `#` are skipped.  NULL and `*err` naming file, line and remedy on failure; a file
 * that others may write is refused, one that others may read is too. */
MUST_USE struct token_keyring *keys_load(const char *path, struct error *err);
void keys_free(struct token_keyring *ring);

#endif
