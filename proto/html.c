#include "proto/html.h"

#include <string.h>

/* What stands for the byte at `c`. */
static struct slice html_of(const char *c)
{
    switch (*c) {
    case '&':
        return slice_of("&amp;");
    case '<':
        return slice_of("&lt;");
    case '>':
        return slice_of("&gt;");
    case '"':
        return slice_of("&quot;");
    case '\'':
        return slice_of("&#39;");
    default:
        return slice_make(c, 1);
    }
}

size_t html_escaped_len(struct slice text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        len += html_of(text.ptr + i).len;
    return len;
}

size_t html_escape(struct slice text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        struct slice html = html_of(text.ptr + i);

        memcpy(out + len, html.ptr, html.len);
        len += html.len;
    }
    return len;
}
