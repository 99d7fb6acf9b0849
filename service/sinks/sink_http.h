/* sink_http.h - POST requests of a sink: bounded in time and in what is read, aborted when the
 * process stops, following no redirect.
 *
 * By HTTP/1 each request has a connection of its own: where something answers twice, the second
 * answer would be taken for that to the next request, whose records would be lost if it is refused.
 */
#ifndef SINKS_SINK_HTTP_H
#define SINKS_SINK_HTTP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"

struct curl_slist;
struct error;
struct sink_http;

struct sink_http_options {
    int64_t timeout_ms; /* of a request, from the look-up of the name to the last byte */
    bool allow_private; /* addresses of this host and of private networks too */
    const char *tls_ca; /* PEM file; NULL: the authorities of the system */
    const char *username, *password; /* NULL: none */
    /* A request must never be sent twice.  libcurl sends it again when a connection that was used
     * before closes without an answer, so by HTTP/2, too, each request has its own. */
    bool never_repeats;
    const atomic_bool *stopping;
    /* For so long after that the answer is still waited for, once the whole request was sent. */
    int64_t answer_ms;
    const atomic_bool *is_cut; /* when it is set, no longer; NULL: it never is */
};

/* Copies `options`; the texts are kept till sink_http_free().  NULL: out of memory. */
MUST_USE struct sink_http *sink_http_new(const struct sink_http_options *options);
void sink_http_free(struct sink_http *http);

enum { SINK_HTTP_BODY_MAX = 4096, SINK_HTTP_ERROR_MAX = 128 };

struct sink_http_answer {
    long status;            /* 0: there was no answer, `error` says why */
    int64_t retry_after_ms; /* Retry-After, at most an hour; 0 = none */
    char error[SINK_HTTP_ERROR_MAX];
    char body[SINK_HTTP_BODY_MAX]; /* its beginning, with a NUL; what comes after it isn't waited
                                      for */
    size_t body_len;
};

struct sink_http_request {
    const char *url;
    struct curl_slist *headers; /* the caller's */
    const char *body;
    size_t body_len;
};

void sink_http_post(struct sink_http *http, const struct sink_http_request *request,
                    struct sink_http_answer *answer);

/* NULL, or what is wrong with the URL of a sink. */
const char *sink_http_check_url(const char *url);

#endif
