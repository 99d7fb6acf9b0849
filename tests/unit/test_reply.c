#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/config/site.h"
#include "service/public/counters.h"
#include "service/public/reply.h"

#define NOW_S INT64_C(1795373682) /* 2026-11-22T18:54:42Z */

static void assert_text(const char *got, size_t len, const char *want)
{
    char *copy = calloc(1, len + 1);

    assert_non_null(copy);
    memcpy(copy, got, len);
    assert_string_equal(copy, want);
    free(copy);
}

static void test_redirect(void **state)
{
    static const struct {
        const char *name;
        enum reply_connection connection;
        const char *fields;
    } cases[] = {
        {"the connection stays open", REPLY_KEEP, ""},
        {"it stays open for HTTP/1.0", REPLY_KEEP_10, "Connection: keep-alive\r\n"},
        {"it closes", REPLY_CLOSE, "Connection: close\r\n"},
    };
    struct reply reply;

    (void)state;
    reply_init(&reply, NOW_S);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[REPLY_REDIRECT_MAX], want[REPLY_REDIRECT_MAX];
        size_t len = reply_redirect_start(&reply, out);

        print_message("%s\n", cases[i].name);
        memcpy(out + len, "https://a.example/", 18);
        len += 18;
        len += reply_redirect_end(cases[i].connection, out + len);
        snprintf(want, sizeof(want),
                 "HTTP/1.1 302 Found\r\n"
                 "Date: Sun, 22 Nov 2026 18:54:42 GMT\r\n"
                 "Cache-Control: private, no-store\r\n"
                 "Referrer-Policy: no-referrer\r\n"
                 "X-Robots-Tag: noindex, nofollow\r\n"
                 "Content-Length: 0\r\n"
                 "Location: https://a.example/\r\n"
                 "%s\r\n",
                 cases[i].fields);
        assert_text(out, len, want);
    }
}

static void test_date(void **state)
{
    static const struct {
        const char *name;
        int64_t now_s;
        const char *want;
    } cases[] = {
        {"the epoch", 0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"RFC 9110's example", 784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"a leap day", 1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
        {"the last second of a year", 1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
    };
    struct reply reply;

    (void)state;
    reply_init(&reply, NOW_S);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        reply_set_date(&reply, cases[i].now_s);
        assert_string_equal(reply.date, cases[i].want);
        assert_non_null(strstr(reply.redirect, cases[i].want));
    }
}

static const struct page_text page = {.type = {"text/html", 9},
                                      .csp = {"default-src 'none'", 18},
                                      .language = {"de", 2},
                                      .body_len = 3,
                                      .n_parts = 3,
                                      .parts = {{"<p", 2}, {NULL, 0}, {">", 1}}};

#define PAGE_HEAD(status)                     \
    "HTTP/1.1 " status "\r\n"                 \
    "Date: Sun, 22 Nov 2026 18:54:42 GMT\r\n" \
    "Cache-Control: private, no-store\r\n"    \
    "Referrer-Policy: no-referrer\r\n"        \
    "X-Robots-Tag: noindex, nofollow\r\n"

static void test_page(void **state)
{
    struct reply reply;
    char out[REPLY_MAX];

    (void)state;
    reply_init(&reply, NOW_S);
    assert_text(out, reply_page(&reply, 404, &page, false, REPLY_KEEP, out),
                PAGE_HEAD("404 Not Found") "X-Content-Type-Options: nosniff\r\n"
                                           "Content-Type: text/html\r\n"
                                           "Content-Security-Policy: default-src 'none'\r\n"
                                           "X-Frame-Options: DENY\r\n"
                                           "Content-Language: de\r\n"
                                           "Content-Length: 3\r\n\r\n<p>");
    assert_text(out, reply_page(&reply, 410, &page, true, REPLY_CLOSE, out),
                PAGE_HEAD("410 Gone") "X-Content-Type-Options: nosniff\r\n"
                                      "Content-Type: text/html\r\n"
                                      "Content-Security-Policy: default-src 'none'\r\n"
                                      "X-Frame-Options: DENY\r\n"
                                      "Content-Language: de\r\n"
                                      "Content-Length: 3\r\nConnection: close\r\n\r\n");
    assert_text(out, reply_page(&reply, 405, NULL, false, REPLY_CLOSE, out),
                PAGE_HEAD("405 Method Not Allowed") "Allow: GET, HEAD\r\n"
                                                    "Content-Length: 0\r\n"
                                                    "Connection: close\r\n\r\n");
}

static void test_a_body_that_does_not_fit_is_left_out(void **state)
{
    static char body[REPLY_BODY_MAX + 1];
    struct page_text large = page;
    struct reply reply;
    char *out = malloc(REPLY_MAX);
    size_t len;

    (void)state;
    assert_non_null(out);
    reply_init(&reply, NOW_S);
    memset(body, 'x', sizeof(body));
    large.n_parts = 1;
    large.parts[0] = slice_make(body, REPLY_BODY_MAX);
    large.body_len = REPLY_BODY_MAX;
    len = reply_page(&reply, 404, &large, false, REPLY_CLOSE, out);
    assert_true(len > REPLY_BODY_MAX && len <= REPLY_MAX);
    large.parts[0] = slice_make(body, REPLY_BODY_MAX + 1);
    large.body_len = REPLY_BODY_MAX + 1;
    assert_text(out, reply_page(&reply, 404, &large, false, REPLY_KEEP, out),
                PAGE_HEAD("404 Not Found") "Content-Length: 0\r\n\r\n");
    free(out);
}

static void test_every_outcome_has_a_name_and_a_status_line(void **state)
{
    struct reply reply;
    char out[REPLY_MAX];

    (void)state;
    reply_init(&reply, NOW_S);
    for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
        size_t len = reply_page(&reply, outcome_status(outcome), NULL, false, REPLY_KEEP, out);

        assert_non_null(outcome_name(outcome));
        assert_true(len > 0 && len <= REPLY_HEAD_MAX);
        assert_int_equal(strtoul(out + 9, NULL, 10), outcome_status(outcome));
    }
    assert_null(outcome_name(OUTCOMES));
    assert_int_equal(outcome_status(OUTCOMES), 0);
    for (unsigned end = 0; end < CLOSE_REASONS; end++)
        assert_non_null(close_reason_name(end));
    assert_null(close_reason_name(CLOSE_REASONS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_a_body_that_does_not_fit_is_left_out),
        cmocka_unit_test(test_every_outcome_has_a_name_and_a_status_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
