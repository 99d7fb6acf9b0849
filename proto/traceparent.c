#include "proto/traceparent.h"

enum { VERSION_LEN = 2, FLAGS_LEN = 2 };
enum {
    TRACE_AT = VERSION_LEN + 1,
    SPAN_AT = TRACE_AT + TRACEPARENT_TRACE_LEN + 1,
    FLAGS_AT = SPAN_AT + TRACEPARENT_SPAN_LEN + 1,
    ALL_LEN = FLAGS_AT + FLAGS_LEN,
};

/* Upper case is not valid here. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

static bool is_id(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0')
            return is_hex(text);
    }
    return false;
}

bool traceparent_parse(struct slice text, struct traceparent *out)
{
    struct slice version, trace, span, flags;

    if (text.len < ALL_LEN || text.ptr[TRACE_AT - 1] != '-' || text.ptr[SPAN_AT - 1] != '-' ||
        text.ptr[FLAGS_AT - 1] != '-')
        return false;
    version = slice_make(text.ptr, VERSION_LEN);
    trace = slice_make(text.ptr + TRACE_AT, TRACEPARENT_TRACE_LEN);
    span = slice_make(text.ptr + SPAN_AT, TRACEPARENT_SPAN_LEN);
    flags = slice_make(text.ptr + FLAGS_AT, FLAGS_LEN);
    if (!is_hex(version) || slice_equal(version, slice_of("ff")) || !is_id(trace) || !is_id(span) ||
        !is_hex(flags))
        return false;
    /* Later versions may say more behind it. */
    if (text.len > ALL_LEN && (slice_equal(version, slice_of("00")) || text.ptr[ALL_LEN] != '-'))
        return false;
    memcpy(out->trace, trace.ptr, trace.len);
    memcpy(out->span, span.ptr, span.len);
    out->trace[trace.len] = out->span[span.len] = '\0';
    out->is_sampled = hex_value(flags.ptr[1]) & 1;
    return true;
}
