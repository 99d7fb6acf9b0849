/* router.h - which handler answers a request: one table of routes. */
#ifndef ADMIN_ROUTER_H
#define ADMIN_ROUTER_H
#include "service/admin/request.h"

enum { ROUTE_PARAMS_MAX = 20 };

#define ROUTE_ANY_PARAM "*"

struct route {
    enum request_method method;
    const char *path; /* "/v1/links/{}": `{}` is one segment, found in request->arg */
    unsigned scope;   /* what the key must allow, enum apikey_scope; 0 = no key is asked for */
    void (*handle)(struct request *request); /* takes the request */
    const char *params[ROUTE_PARAMS_MAX]; /* names allowed in the query; NULL ends, ROUTE_ANY_PARAM
                                             allows all */
};

/* Answers: checks path, method, key, rate and the names of the parameters, then calls the handler.
 * Takes the request. */
void router_handle(struct request *request);

#endif
