/* http.h - HTTP requests of the command line, by libcurl. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* A page that may be there or not. */
struct http_probe {
    const char *url;
    const char *ca_file; /* PEM, who vouches for the server; NULL: the system's authorities */
    void *owner;         /* the caller's */
    long status;         /* 0 = no reply */
    long time_ms;        /* until the reply was read */
    char error[256];     /* why there is none */
    char *location;      /* of a redirect, or NULL; free() */
    bool has_certificate;
    int64_t certificate_s; /* Unix: when the server's certificate expires */
    void *handle;          /* libcurl's, while it is being asked */
};

/* Asks all of them, `parallel` at a time; calls on_done after each, in the order in which they
 * answer.  False and `*err` when it could not even be tried. */
MUST_USE bool http_probe_all(struct http_probe *probes, size_t n, unsigned parallel,
                             long timeout_ms, void (*on_done)(const struct http_probe *probe),
                             struct error *err);

#endif
