/* query.h - the query part of a URL as a list of parameters (WHATWG URL, "urlencoded parsing").
 *
 * Pure: no I/O, no clock, no allocation.  Stricter than a browser: a bad escape, a control
 * character, bytes that are no UTF-8 and a name given twice are refused instead of repaired.
 */
#ifndef PROTO_QUERY_H
#define PROTO_QUERY_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { QUERY_PARAMS_MAX = 32, QUERY_TEXT_MAX = 4096 };

struct query_param {
    struct slice name;
    struct slice value; /* "" for `name` and for `name=` */
};

/* Decoded parameters in the order of the text; the slices point into `text`. */
struct query {
    size_t n_params;
    struct query_param params[QUERY_PARAMS_MAX];
    char text[QUERY_TEXT_MAX];
};

enum query_status {
    QUERY_OK,
    QUERY_TOO_LONG, /* over QUERY_TEXT_MAX bytes */
    QUERY_TOO_MANY, /* over QUERY_PARAMS_MAX parameters */
    QUERY_BAD_TEXT, /* `%` without two hex digits, a control character, no UTF-8 */
    QUERY_NO_NAME,  /* `=value` */
    QUERY_TWICE,    /* two parameters of one name */
};

/*
 * Decodes `text`, what stands behind the `?` without it; an absent or empty one has no parameters.
 * `+` is a blank.  Empty parts, as in `a=1&&b=2`, are skipped.
 *
 * Returns QUERY_OK; on any other status `*out` holds no parameters, but for QUERY_TWICE and
 * QUERY_BAD_TEXT, where `*bad` is the name at fault if it is known (else absent).
 */
MUST_USE enum query_status query_parse(struct slice text, struct query *out, struct slice *bad);

/* The value of `name`, or an absent slice. */
struct slice query_find(const struct query *query, const char *name);

/*
 * Decodes percent escapes of `text` (of a path segment: `+` stays) into `out`, which holds
 * `out_max` bytes.  True and `*out_len`, or false on a bad escape, a control character, bytes that
 * are no UTF-8 or too little room.
 */
MUST_USE bool query_decode(struct slice text, char *out, size_t out_max, size_t *out_len);

/* True for valid UTF-8 (RFC 3629) free of control characters: C0, DEL, C1, the separators of lines
 * and paragraphs, the marks that turn the direction of text, and byte order marks. */
bool query_is_clean_text(struct slice text);

#endif
