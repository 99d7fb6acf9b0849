/* html.h - any text as HTML shows it, between tags and in quoted attributes.  Pure. */
#ifndef PROTO_HTML_H
#define PROTO_HTML_H
#include <stddef.h>

#include "proto/slice.h"

/* The length of html_escape()'s result. */
size_t html_escaped_len(struct slice text);

/* Writes `text` with its markup (& < > " ') escaped, without a NUL; `out` has room for
 * html_escaped_len() bytes.  Returns the length. */
size_t html_escape(struct slice text, char *out);

#endif
