/* stats_request.h - reads the parameters of a request for statistics, or replies with the error. */
#ifndef ADMIN_STATS_REQUEST_H
#define ADMIN_STATS_REQUEST_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/admin/stats/stats_query.h"

struct request;

/* Reads the parameters into `*out`, which borrows the request.  A download gets the name
 * `file_name`. False: a reply with the error was sent.  Call stats_query_clear() in either case. */
MUST_USE bool stats_request_read(struct request *request, enum stats_asked asked,
                                 const char *file_name, struct stats_query *out);

#endif
