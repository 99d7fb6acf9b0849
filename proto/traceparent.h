/* traceparent.h - the header by which requests are followed through several programs (W3C Trace
 * Context, level 1).  Pure: no I/O, no clock, no allocation. */
#ifndef PROTO_TRACEPARENT_H
#define PROTO_TRACEPARENT_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/slice.h"

enum { TRACEPARENT_TRACE_LEN = 32, TRACEPARENT_SPAN_LEN = 16 };

/* Lower-case hexadecimal digits, each with a NUL. */
struct traceparent {
    char trace[TRACEPARENT_TRACE_LEN + 1];
    char span[TRACEPARENT_SPAN_LEN + 1]; /* of the caller */
    bool is_sampled;                     /* the caller records this trace */
};

/* Reads "00-<trace>-<span>-<flags>", and of a later version what comes first.  False, and `*out` is
 * left alone: it is not such a text, or an id is all zeros. */
MUST_USE bool traceparent_parse(struct slice text, struct traceparent *out);

#endif
