/* Request heads: whatever pieces the bytes come in, the outcome is that of the whole; and what a
 * complete head holds lies inside of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* In memory of its own that ends with the bytes, so that reading further is noticed. */
static enum http1_status parse_copy(const uint8_t *data, size_t len, struct http1_scan *scan,
                                    struct http1_request *request, struct http1_refusal *refusal)
{
    char *copy = malloc(len ? len : 1);
    enum http1_status status;

    check(copy != NULL);
    memcpy(copy, data, len);
    status = http1_parse(slice_make(copy, len), scan, request, refusal);
    free(copy);
    return status;
}

static void check_slice(struct slice s, const char *start, size_t len)
{
    check(s.ptr == NULL ? s.len == 0 : s.ptr >= start && s.ptr + s.len <= start + len);
}

static void check_request(const struct http1_request *r, const char *start)
{
    size_t len = r->head_len;

    check(len >= 18 && len <= HTTP1_HEAD_MAX && memcmp(start + len - 4, "\r\n\r\n", 4) == 0);
    check(r->method == HTTP1_POST || r->content_length == 0);
    check(r->content_length <= HTTP1_BODY_MAX);
    check(r->path.len > 0 && r->path.ptr[0] == '/');
    check_slice(r->query, start, len);
    check_slice(r->authority, start, len);
    check_slice(r->host, start, len);
    check(r->host.len <= r->authority.len && r->host.len <= HTTP1_HOST_MAX);
    check(r->minor_version == 0 || r->host.len > 0);
    check(memchr(r->path.ptr, ' ', r->path.len) == NULL);
    for (unsigned i = 0; i < HTTP1_FIELDS; i++) {
        check_slice(r->field[i], start, len);
        check(!r->field[i].len || !memchr(r->field[i].ptr, '\n', r->field[i].len));
    }
    check(slice_equal(http1_find_value(slice_make(start, len), slice_of("cookie")),
                      r->field[HTTP1_COOKIE]));
    check(r->n_forwarded_for + r->n_forwarded <= HTTP1_FIELDS_MAX);
    for (unsigned i = 0; i < r->n_forwarded_for; i++)
        check_slice(r->forwarded_for[i], start, len);
    for (unsigned i = 0; i < r->n_forwarded; i++)
        check_slice(r->forwarded[i], start, len);
}

static void check_pieces(const uint8_t *data, size_t size, size_t step, enum http1_status want,
                         const struct http1_refusal *want_refusal, size_t want_len)
{
    enum http1_status status = HTTP1_INCOMPLETE;
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};
    size_t n = 0;

    while (status == HTTP1_INCOMPLETE && n < size) {
        n = n + step < size ? n + step : size;
        status = parse_copy(data, n, &scan, &request, &refusal);
    }
    check(status == want);
    if (status == HTTP1_REFUSED)
        check(refusal.status == want_refusal->status && refusal.reason == want_refusal->reason &&
              refusal.is_head == want_refusal->is_head);
    if (status == HTTP1_COMPLETE)
        check(request.head_len == want_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 64, 1000};
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};
    enum http1_status status;
    const char *start = (const char *)data;

    status = http1_parse(slice_make(start, size), &scan, &request, &refusal);
    if (status == HTTP1_COMPLETE)
        check_request(&request, start);
    if (status == HTTP1_INCOMPLETE)
        check(size < HTTP1_HEAD_MAX);
    /* Small steps through long inputs would take the time of all the rest. */
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (size / steps[i] <= 400)
            check_pieces(data, size, steps[i], status, &refusal, request.head_len);
    }
    return 0;
}
