/* share_bounds.h - what may be asked by a link that shares a view: that view's figures, and no
 * others.  No I/O and no clock. */
#ifndef ADMIN_SHARE_BOUNDS_H
#define ADMIN_SHARE_BOUNDS_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/query.h"

/* What a query is refused for. */
struct share_fault {
    const char *parameter; /* borrowed from `share`, or constant */
    const char *detail;    /* goes on behind its name: "must be …" */
};

/*
 * Whether a query asks for no more than `share` shows: {filters: {from, to, compare, campaign, …},
 * tz}, all texts.  The period lies in that of the view (at `now_s`), days are those of the same
 * time zone, it is compared with the same period or none, and each filter of the view is there,
 * with some of its values, if they are figures that are asked for.  Anything else in the query
 * picks among these.  False, and `*fault`.
 */
MUST_USE bool share_bounds_allow(const json_t *share, const struct query *query, int64_t now_s,
                                 bool are_figures, struct share_fault *fault);

#endif
