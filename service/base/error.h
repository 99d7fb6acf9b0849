/* error.h - why starting or loading failed: one line for the user, written where the failure
 * happened. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include "proto/compiler.h"

enum { ERROR_TEXT_MAX = 512 };

/* Caller's memory; start from `struct error err = {0}`. */
struct error {
    char text[ERROR_TEXT_MAX]; /* "" = no error */
};

/* Sets the text, cut to fit.  `err` may be NULL.  A text says what is wrong, where, and what to do:
 * "/etc/hopcount.yaml:12: brands[0].preset: unknown preset 'whmsc'; one of: whmcs, …". */
void error_set(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts `format` and ": " before the present text. */
void error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
