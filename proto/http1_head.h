/* http1_head.h - what the parts of the head parser share; for http1*.c only. */
#ifndef PROTO_HTTP1_HEAD_H
#define PROTO_HTTP1_HEAD_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "proto/http1.h"
#include "proto/slice.h"

/* A head while its lines are read. */
struct http1_head {
    const struct http1_rules *rules;
    struct http1_request *request;
    struct http1_refusal *refusal;
    unsigned n_fields;
    bool has_host;           /* a Host field */
    bool has_content_length; /* a Content-Length field */
    bool says_close, says_keep_alive;
};

/* Always false, for `return http1_refuse(…)`. */
static inline bool http1_refuse(struct http1_head *head, unsigned status, const char *reason)
{
    head->refusal->status = status;
    head->refusal->reason = reason;
    return false;
}

/* The method's name as it stands in the request line; 405 or 501 when it is none of ours. */
MUST_USE bool http1_read_method(struct http1_head *head, struct slice name);

/* The target, of bytes that may stand in one. */
MUST_USE bool http1_read_target(struct http1_head *head, struct slice target);

enum { HTTP1_FIELD_UNKNOWN = 255 };

/* The number of a field that means something here, by its name of valid bytes. */
unsigned http1_find_field(struct slice name);

/* A line of the field `id`, not UNKNOWN; the value with the blanks around it. */
MUST_USE bool http1_read_field(struct http1_head *head, unsigned id, struct slice value);

/* After the last field line. */
MUST_USE bool http1_finish(struct http1_head *head);

#endif
