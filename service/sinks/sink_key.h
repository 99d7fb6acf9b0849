/* sink_key.h - secrets of sinks, from files: the key of hashed fields, passwords. */
#ifndef SINKS_SINK_KEY_H
#define SINKS_SINK_KEY_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "service/sinks/record.h"

struct error;

enum { SINK_SECRET_MAX = 256 };

/* Makes a key of the first line of the file, which has at least 16 characters and which others
 * can't read.  False and `*err` on failure. */
MUST_USE bool sink_key_load(const char *path, uint8_t key[static RECORD_KEY_LEN],
                            struct error *err);

/* Reads a password, the first line of a file that others can't read; it has no blanks.  False and
 * `*err` on failure. */
MUST_USE bool sink_password_load(const char *path, char out[static SINK_SECRET_MAX],
                                 struct error *err);

#endif
