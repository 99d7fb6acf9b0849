/* append.h - adds a line to a key file, atomically: a reader sees the old or the new file, and of
 * two processes that add at once both succeed. */
#ifndef CLI_APPEND_H
#define CLI_APPEND_H
#include <stdbool.h>

#include "proto/compiler.h"

struct append;
struct error;

/* Locks the file's folder, at most 10 s.  NULL and `*err` on failure. */
MUST_USE struct append *append_begin(const char *path, struct error *err);
/* Unlocks.  NULL is allowed. */
void append_end(struct append *append);

/* Whether the file is there already. */
bool append_exists(const struct append *append);

/* Replaces the file by one with `line` (without a newline) at its end.  A new file gets mode 0600;
 * mode and owner of an old one stay. */
MUST_USE bool append_commit(struct append *append, const char *line, struct error *err);

#endif
