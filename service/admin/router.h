/* router.h - which handler answers a request: one table of routes. */
#ifndef ADMIN_ROUTER_H
#define ADMIN_ROUTER_H
#include <stdbool.h>
#include <stddef.h>

#include "service/admin/request.h"

enum {
    ROUTE_PARAMS_MAX = 28,
    ROUTER_BODY_MAX = 64 << 10,     /* bytes of a body, unless the route says otherwise */
    ROUTER_LONG_BODY_MAX = 4 << 20, /* of the routes that take long ones, for who has a key */
};

#define ROUTE_ANY_PARAM "*"

struct route {
    enum request_method method;
    unsigned scope;   /* what the key must allow, enum apikey_scope; 0 = no key is asked for */
    const char *path; /* "/v1/links/{}": `{}` is one segment, found in request->arg */
    void (*handle)(struct request *request); /* takes the request */
    const char *params[ROUTE_PARAMS_MAX]; /* names allowed in the query; NULL ends, ROUTE_ANY_PARAM
                                             allows all */
    size_t body_max;                      /* bytes; 0 = ROUTER_BODY_MAX */
    unsigned shared;   /* by which links that share a view it may be asked, too (shares.h) */
    bool tells_strays; /* the handler refuses parameters that aren't in `params`, together with all
                          else that is wrong with the query (faults_add_strays()) */
    bool is_for_front; /* answered by the front itself, in its thread: for probes and metrics */
};

/* Whether the front answers the request itself, by router_handle(). */
bool router_is_for_front(const struct request *request);

/* The longest body that the route of the request takes; more than ROUTER_BODY_MAX only with a known
 * API key. */
size_t router_body_max(const struct request *request);

/* Answers: checks path, method, key, rate, body and the names of the parameters, then calls the
 * handler.  Takes the request. */
void router_handle(struct request *request);

#endif
