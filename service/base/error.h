/* error.h - why starting (or loading) failed: one line for a person, made where it happened. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include "proto/compiler.h"

enum { ERROR_TEXT_MAX = 512 };

/* Caller's memory; start from `struct error err = {0}`. */
struct error {
    char text[ERROR_TEXT_MAX]; /* "" = no error */
};

/* Sets the text; longer ones are cut.  `err` may be NULL.  Says what was wrong, where, and what to
 * do: "/etc/hopcount.yaml:12: brands[0].preset: unknown preset 'whmsc'; one of: whmcs, …". */
void error_set(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts `format` and ": " before the text that is there. */
void error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
