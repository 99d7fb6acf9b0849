#include "service/base/roff.h"

#include <stdbool.h>

void roff_write(FILE *out, const char *text)
{
    bool begins = true; /* a line, where dots and quotes are commands */

    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out); /* a plain one may become a hyphen, which can't be copied */
        else
            fputc(*text, out);
        begins = *text == '\n';
    }
}
