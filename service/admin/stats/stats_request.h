/* stats_request.h - how every request for statistics begins. */
#ifndef ADMIN_STATS_REQUEST_H
#define ADMIN_STATS_REQUEST_H
#include <stdbool.h>

#include "proto/compiler.h"
#include "service/admin/stats/stats_query.h"

struct request;

/* Reads the parameters of what was asked into `*out`, which borrows the request.  Who downloads
 * gets a file of that name.  False: a reply with the error was sent.  Call stats_query_clear() in
 * either case. */
MUST_USE bool stats_request_read(struct request *request, enum stats_asked asked,
                                 const char *file_name, struct stats_query *out);

#endif
