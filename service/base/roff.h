/* roff.h - any text in a manual page, see man(7). */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H
#include <stdio.h>

/* Writes `text` so that roff shows it as it is: its backslashes, dashes, and dots and quotes at the
 * begin of a line.  Line feeds stay. */
void roff_write(FILE *out, const char *text);

#endif
