/* problem.h - the kinds of problem that the API replies with: one table makes the `type` and
 * `title` of problem documents (RFC 9457), the pages under /problems/, and the table of the README.
 */
#ifndef ADMIN_PROBLEM_H
#define ADMIN_PROBLEM_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"
#include "proto/slice.h"

/* Their names are in URLs that programs compare: they are added to, and never changed. */
enum problem {
    PROBLEM_MALFORMED_REQUEST,
    PROBLEM_INVALID_JSON,
    PROBLEM_INVALID_FIELDS,
    PROBLEM_INVALID_PARAMETERS,
    PROBLEM_COUNTED_APART,
    PROBLEM_NO_API_KEY,
    PROBLEM_MISSING_SCOPE,
    PROBLEM_OTHER_BRAND,
    PROBLEM_CROSS_SITE,
    PROBLEM_FORBIDDEN,
    PROBLEM_UNKNOWN_LINK,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_NOT_FOR_ONE_USE,
    PROBLEM_LINK_ENDED,
    PROBLEM_TOO_LARGE,
    PROBLEM_NOT_JSON,
    PROBLEM_TOO_MANY_REQUESTS,
    PROBLEM_REDIS_UNAVAILABLE,
    PROBLEM_NO_MINTING_KEY,
    PROBLEM_BUSY,
    PROBLEMS
};

enum { PROBLEM_TYPE_MAX = 40 };

struct problem_text {
    const char *name; /* "invalid-fields" */
    int status;       /* of replies with it */
    const char *title;
    const char *meaning; /* one sentence or more */
    const char *remedy;  /* what the caller can do */
};

const struct problem_text *problem_text(enum problem problem);

/* The problem of that name; PROBLEMS: there is none. */
enum problem problem_find(struct slice name);

/* What a reply with this status is about when its code says no more. */
enum problem problem_of_status(int status, bool has_parameter);

/* Its URI, "/problems/invalid-fields": a reference with the whole path, so that it is the same text
 * at every instance.  Returns `out`. */
const char *problem_type(enum problem problem, char out[static PROBLEM_TYPE_MAX]);

#endif
