/* http.h - HTTP requests of the command line, by libcurl. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/compiler.h"

struct error;

enum { HTTP_BODY_MAX = 64 << 20 };

struct http_request {
    const char *method; /* NULL = GET */
    const char *url;
    const char *api_key; /* sent as bearer; NULL = none */
    const char *accept;
    const char *body; /* JSON; NULL = none */
    long timeout_ms;
};

struct http_reply {
    long status;
    char *body; /* with a NUL behind it; free() */
    size_t body_len;
};

/* Follows no redirect.  False and `*err` when there is no reply; then nothing is to be freed. */
MUST_USE bool http_ask(const struct http_request *request, struct http_reply *reply,
                       struct error *err);

#endif
