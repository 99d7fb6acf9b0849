#include "service/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_set(struct error *err, const char *format, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
}

void error_prefix(struct error *err, const char *format, ...)
{
    char rest[ERROR_TEXT_MAX];
    va_list args;
    size_t len;

    if (!err)
        return;
    memcpy(rest, err->text, sizeof(rest));
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", rest);
}
