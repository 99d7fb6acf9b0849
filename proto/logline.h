/* logline.h - a log line of `key=value` pairs as JSON.  Pure. */
#ifndef PROTO_LOGLINE_H
#define PROTO_LOGLINE_H
#include <stddef.h>

#include "proto/slice.h"

/* Room for any line of that many bytes: an escape like \x01 becomes \u0001. */
#define LOGLINE_JSON_MAX(len) (6 * (len) + 3)

/*
 * Writes `line`, pairs apart by blanks, as one JSON object with its NUL: `level=warn n=3 err="a
 * \"b\""` becomes {"level":"warn","n":3,"err":"a \"b\""}.  What looks like a number of JSON becomes
 * one, true and false too; all else is text.  In quotes, \x01 is the byte 1.  Bytes that are no
 * UTF-8 become U+FFFD.  Words without a '=' are left out, and a pair that no longer fits with all
 * behind it. Returns the length; `out_max` is at least 3.
 */
size_t logline_to_json(struct slice line, char *out, size_t out_max);

#endif
