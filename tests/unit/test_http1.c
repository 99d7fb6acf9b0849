/* The rules for request heads; each case whole, byte by byte, cut anywhere, and pipelined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http1.h"

enum { OK = 0 };

#define HOST "Host: go.acme.example\r\n"
#define GET "GET /abc HTTP/1.1\r\n"
#define GET0 "GET /abc HTTP/1.0\r\n"
#define POST "POST /abc HTTP/1.1\r\n" HOST

/* A head, and the status of its refusal, or OK. */
struct head_case {
    const char *name, *text;
    unsigned want;
};

static const struct head_case request_lines[] = {
    {"a plain request", GET HOST "\r\n", OK},
    {"HTTP/1.0", GET0 HOST "\r\n", OK},
    {"HEAD", "HEAD / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"an empty line before the request", "\r\n" GET HOST "\r\n", OK},
    {"four empty lines before", "\r\n\r\n\r\n\r\n" GET HOST "\r\n", OK},
    {"five empty lines before", "\r\n\r\n\r\n\r\n\r\n" GET HOST "\r\n", 400},
    {"a bare LF before", "\n" GET HOST "\r\n", 400},
    {"a bare CR before", "\r" GET HOST "\r\n", 400},
    {"a blank before the method", " " GET HOST "\r\n", 400},
    {"no method", " /abc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"no version (HTTP/0.9)", "GET /abc\r\n" HOST "\r\n", 400},
    {"a method alone", "GET\r\n" HOST "\r\n", 400},
    {"an empty target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"two blanks before the target", "GET  /abc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"two blanks before the version", "GET /abc  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a blank behind the version", "GET /abc HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"a tab in place of a blank", "GET\t/abc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a tab before the version", "GET /abc\tHTTP/1.1\r\n" HOST "\r\n", 400},
    {"a bare LF behind the request line", "GET /abc HTTP/1.1\n" HOST "\r\n", 400},
    {"a bare CR behind the request line", "GET /abc HTTP/1.1\r" HOST "\r\n", 400},
    {"two CRs behind the request line", "GET /abc HTTP/1.1\r\r\n" HOST "\r\n", 400},
    {"a CR in the target", "GET /a\rbc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a control byte in the target",
     "GET /a\x01"
     "bc HTTP/1.1\r\n" HOST "\r\n",
     400},
    {"DEL in the target",
     "GET /a\x7f"
     "bc HTTP/1.1\r\n" HOST "\r\n",
     400},
    {"a blank in the target", "GET /a bc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"DEL in the target", "GET /a\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a stray, and a control byte behind it", "GET /a#\x01 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a stray before the path of a URL", "GET http://a.example#x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a stray in the host of a URL", "GET http://\xc3\xa4.example/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a stray first in the target", "GET #/a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a stray, and HTTP/2.0", "GET /a#x HTTP/2.0\r\n" HOST "\r\n", 505},
    {"a fragment in the target", "GET /a#bc HTTP/1.1\r\n" HOST "\r\n", OK},
    {"a byte over 0x7f in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", OK},
    {"what linkifiers drag along", "GET /abc>\"|')] HTTP/1.1\r\n" HOST "\r\n", OK},
    {"a target of asterisk form", "GET * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a relative target", "GET abc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a target of a query only", "GET ?a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"a target of authority form", "GET go.acme.example:80 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target", "GET http://a.example/b HTTP/1.1\r\n" HOST "\r\n", OK},
    {"an absolute target, https in capitals", "GET HTTPS://a.example/b HTTP/1.1\r\n" HOST "\r\n",
     OK},
    {"an absolute target without a path", "GET http://a.example HTTP/1.1\r\n" HOST "\r\n", OK},
    {"an absolute target of another scheme", "GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target without a host", "GET http:///b HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target cut behind the scheme", "GET http:// HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target with a user", "GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target with a bad port", "GET http://a.example:x/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"an absolute target does not spare Host", "GET http://a.example/ HTTP/1.1\r\n\r\n", 400},
    {"OPTIONS", "OPTIONS /abc HTTP/1.1\r\n" HOST "\r\n", OK},
    {"OPTIONS as haproxy checks", "OPTIONS / HTTP/1.0\r\n\r\n", OK},
    {"OPTIONS of all", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"OPTIONS with a body", "OPTIONS / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 400},
    {"PUT", "PUT /abc HTTP/1.1\r\n" HOST "\r\n", 405},
    {"DELETE", "DELETE /abc HTTP/1.1\r\n" HOST "\r\n", 405},
    {"TRACE", "TRACE /abc HTTP/1.1\r\n" HOST "\r\n", 405},
    {"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", 405},
    {"PATCH", "PATCH /abc HTTP/1.1\r\n" HOST "\r\n", 405},
    {"PROPFIND", "PROPFIND /abc HTTP/1.1\r\n" HOST "\r\n", 405},
    {"a method nobody knows", "BREW /abc HTTP/1.1\r\n" HOST "\r\n", 501},
    {"methods are told apart by case", "get /abc HTTP/1.1\r\n" HOST "\r\n", 501},
    {"a method that begins like GET", "GETS /abc HTTP/1.1\r\n" HOST "\r\n", 501},
    {"a method of all token bytes", "a!#$%&'*+-.^_`|~0 /abc HTTP/1.1\r\n" HOST "\r\n", 501},
    {"a method that is no token", "G@T /abc HTTP/1.1\r\n" HOST "\r\n", 400},
    {"HTTP/0.9 by name", "GET /abc HTTP/0.9\r\n" HOST "\r\n", 505},
    {"HTTP/1.2", "GET /abc HTTP/1.2\r\n" HOST "\r\n", 505},
    {"HTTP/2.0", "GET /abc HTTP/2.0\r\n" HOST "\r\n", 505},
    {"HTTP/3", "GET /abc HTTP/3\r\n" HOST "\r\n", 505},
    {"the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"a version of two digits", "GET /abc HTTP/1.10\r\n" HOST "\r\n", 400},
    {"a version without a dot", "GET /abc HTTP/11\r\n" HOST "\r\n", 400},
    {"a version in lower case", "GET /abc http/1.1\r\n" HOST "\r\n", 400},
    {"another protocol", "GET /abc RTSP/1.0\r\n" HOST "\r\n", 400},
    {"the name of the protocol alone", "GET /abc HTTP/\r\n" HOST "\r\n", 400},
};

static const struct head_case field_lines[] = {
    {"no Host in HTTP/1.1", GET "Accept: */*\r\n\r\n", 400},
    {"no field at all in HTTP/1.1", GET "\r\n", 400},
    {"no Host in HTTP/1.0", GET0 "\r\n", OK},
    {"two Hosts", GET HOST HOST "\r\n", 400},
    {"two Hosts in HTTP/1.0", GET0 HOST HOST "\r\n", 400},
    {"two Hosts, one in capitals", GET HOST "HOST: go.acme.example\r\n\r\n", 400},
    {"a Host with a port", GET "Host: a.example:8080\r\n\r\n", OK},
    {"a Host with the highest port", GET "Host: a.example:65535\r\n\r\n", OK},
    {"a Host with a port too high", GET "Host: a.example:65536\r\n\r\n", 400},
    {"a Host with an empty port", GET "Host: a.example:\r\n\r\n", OK},
    {"a Host with a port of letters", GET "Host: a.example:80a\r\n\r\n", 400},
    {"a Host with a port of six digits", GET "Host: a.example:000080\r\n\r\n", 400},
    {"a Host with two ports", GET "Host: a.example:80:80\r\n\r\n", 400},
    {"an empty Host", GET "Host:\r\n\r\n", 400},
    {"a Host of a port only", GET "Host: :80\r\n\r\n", 400},
    {"a Host with a path", GET "Host: a.example/b\r\n\r\n", 400},
    {"a Host with a user", GET "Host: u@a.example\r\n\r\n", 400},
    {"a Host of two names", GET "Host: a.example, b.example\r\n\r\n", 400},
    {"a Host with a blank", GET "Host: a example\r\n\r\n", 400},
    {"a Host with a byte over 0x7f", GET "Host: \xc3\xa4.example\r\n\r\n", 400},
    {"a Host that would need decoding", GET "Host: a%2eexample\r\n\r\n", 400},
    {"a Host with an underscore", GET "Host: a_b.example\r\n\r\n", OK},
    {"a Host of IPv4", GET "Host: 192.0.2.1:80\r\n\r\n", OK},
    {"a Host of IPv6", GET "Host: [2001:db8::1]\r\n\r\n", OK},
    {"a Host of IPv6 with a port", GET "Host: [2001:db8::1]:80\r\n\r\n", OK},
    {"a Host of IPv6 without brackets", GET "Host: 2001:db8::1\r\n\r\n", 400},
    {"a Host of a bracket only", GET "Host: [\r\n\r\n", 400},
    {"a Host of empty brackets", GET "Host: []\r\n\r\n", 400},
    {"a Host of no IPv6 in brackets", GET "Host: [a.example]\r\n\r\n", 400},
    {"a Host of IPv4 in brackets", GET "Host: [192.0.2.1]\r\n\r\n", 400},
    {"a Host of IPv6 with something behind", GET "Host: [2001:db8::1]a\r\n\r\n", 400},
    {"Transfer-Encoding: chunked", GET HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"Transfer-Encoding of a POST", POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"Transfer-Encoding: identity", GET HOST "transfer-encoding: identity\r\n\r\n", 400},
    {"an empty Transfer-Encoding", GET HOST "Transfer-Encoding:\r\n\r\n", 400},
    {"Transfer-Encoding in HTTP/1.0", GET0 HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"Transfer-Encoding and Content-Length",
     POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"Content-Length: 0 of a GET", GET HOST "Content-Length: 0\r\n\r\n", OK},
    {"Content-Length: 1 of a GET", GET HOST "Content-Length: 1\r\n\r\n", 400},
    {"a large Content-Length of a GET", GET HOST "Content-Length: 9999999\r\n\r\n", 400},
    {"Content-Length: 5 of a HEAD", "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 400},
    {"Content-Length: 00", GET HOST "Content-Length: 00\r\n\r\n", 400},
    {"Content-Length: +0", GET HOST "Content-Length: +0\r\n\r\n", 400},
    {"Content-Length: -0", GET HOST "Content-Length: -0\r\n\r\n", 400},
    {"Content-Length: 0x0", GET HOST "Content-Length: 0x0\r\n\r\n", 400},
    {"Content-Length: 0, 0", GET HOST "Content-Length: 0, 0\r\n\r\n", 400},
    {"an empty Content-Length", GET HOST "Content-Length:\r\n\r\n", 400},
    {"two equal Content-Lengths", GET HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
    {"a POST without a body", POST "Content-Length: 0\r\n\r\n", OK},
    {"a POST that does not speak of a body", POST "\r\n", OK},
    {"a POST with the longest body", POST "Content-Length: 1024\r\n\r\n", OK},
    {"a POST with a body too long", POST "Content-Length: 1025\r\n\r\n", 413},
    {"a POST with a body beyond any number", POST "Content-Length: 99999999999999999999999\r\n\r\n",
     413},
    {"a POST with a length that begins with zero", POST "Content-Length: 010\r\n\r\n", 400},
    {"a POST with a negative length", POST "Content-Length: -5\r\n\r\n", 400},
    {"a POST with two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"Expect: 100-continue", POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", OK},
    {"Expect in capitals", POST "Content-Length: 5\r\nExpect: 100-CONTINUE\r\n\r\n", OK},
    {"another Expect", GET HOST "Expect: 200-ok\r\n\r\n", 417},
    {"an empty Expect", GET HOST "Expect:\r\n\r\n", 417},
    {"a bare LF behind a field", GET "Host: go.acme.example\n\r\n", 400},
    {"a bare CR behind a field", GET "Host: go.acme.example\rAccept: a\r\n\r\n", 400},
    {"a bare LF as the last line", GET HOST "\n", 400},
    {"two CRs as the last line", GET HOST "\r\r\n", 400},
    {"a control byte in a value",
     GET HOST "Accept: a\x01"
              "b\r\n\r\n",
     400},
    {"ESC in a value",
     GET HOST "Accept: a\x1b"
              "b\r\n\r\n",
     400},
    {"DEL in a value",
     GET HOST "Accept: a\x7f"
              "b\r\n\r\n",
     400},
    {"a tab in a value", GET HOST "Accept: a\tb\t\r\n\r\n", OK},
    {"bytes over 0x7f in a value", GET HOST "User-Agent: \xff\xfe\x80\r\n\r\n", OK},
    {"a blank before the colon", GET "Host : go.acme.example\r\n\r\n", 400},
    {"a tab before the colon", GET "Host\t: go.acme.example\r\n\r\n", 400},
    {"an empty field name", GET HOST ": a\r\n\r\n", 400},
    {"a blank in a field name", GET HOST "A b: a\r\n\r\n", 400},
    {"a field name that is no token", GET HOST "A(b): a\r\n\r\n", 400},
    {"a byte over 0x7f in a field name", GET HOST "A\xc3\xa4: a\r\n\r\n", 400},
    {"a control byte in a field name", GET HOST "A\x02: a\r\n\r\n", 400},
    {"a line without a colon", GET HOST "Accept\r\n\r\n", 400},
    {"a folded line", GET HOST "Accept: a\r\n b\r\n\r\n", 400},
    {"a line folded by a tab", GET HOST "Accept: a\r\n\tb\r\n\r\n", 400},
    {"a blank before the first field", GET " " HOST "\r\n", 400},
    {"an empty value", GET HOST "Accept:\r\n\r\n", OK},
    {"a value of blanks", GET HOST "Accept: \t \r\n\r\n", OK},
    {"a name of all token bytes", GET HOST "a!#$%&'*+-.^_`|~0: 1\r\n\r\n", OK},
};

/* Parses a copy that ends where its memory ends, so that reading further is noticed. */
static enum http1_status parse(const char *text, size_t len, struct http1_scan *scan,
                               struct http1_request *request, struct http1_refusal *refusal)
{
    static char *copy;
    enum http1_status status;

    free(copy); /* that of the last call: the request borrows it until now */
    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    status = http1_parse(slice_make(copy, len), scan, request, refusal);
    if (len == 0) {
        free(copy);
        copy = NULL;
    }
    return status;
}

static void check_outcome(enum http1_status status, const struct http1_refusal *refusal,
                          unsigned want)
{
    if (want == OK) {
        assert_int_equal(status, HTTP1_COMPLETE);
        return;
    }
    assert_int_equal(status, HTTP1_REFUSED);
    assert_int_equal(refusal->status, want);
    assert_non_null(refusal->reason);
}

static const char *check_whole(const char *text, size_t len, unsigned want)
{
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};

    check_outcome(parse(text, len, &scan, &request, &refusal), &refusal, want);
    return want == OK ? NULL : refusal.reason;
}

/* In steps of `step` bytes, starting with `first`.  Every earlier call must say "incomplete", or
 * what the whole text gives. */
static const char *check_pieces(const char *text, size_t len, size_t first, size_t step,
                                unsigned want)
{
    enum http1_status status = HTTP1_INCOMPLETE;
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};

    for (size_t n = first; status == HTTP1_INCOMPLETE; n = n + step < len ? n + step : len) {
        status = parse(text, n, &scan, &request, &refusal);
        if (n == len)
            break;
    }
    check_outcome(status, &refusal, want);
    return want == OK ? NULL : refusal.reason;
}

/* Two good requests with a third behind them that has the outcome `want`: three outcomes. */
static void check_pipelined(const char *text, size_t len, unsigned want)
{
    static const char good[] = "GET /first HTTP/1.1\r\n" HOST "\r\n"
                               "POST /second HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na=b";
    static char all[sizeof(good) + 4 * HTTP1_HEAD_MAX];
    const char *const paths[] = {"/first", "/second"};
    size_t at = 0, all_len = sizeof(good) - 1 + len;
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};

    assert_true(all_len <= sizeof(all));
    memcpy(all, good, sizeof(good) - 1);
    memcpy(all + sizeof(good) - 1, text, len);
    for (size_t i = 0; i < 2; i++) {
        scan = (struct http1_scan){0};
        assert_int_equal(parse(all + at, all_len - at, &scan, &request, &refusal), HTTP1_COMPLETE);
        assert_true(slice_equal(request.path, slice_of(paths[i])));
        at += (size_t)request.head_len + request.content_length;
    }
    assert_int_equal(at, sizeof(good) - 1);
    check_whole(all + at, all_len - at, want);
}

static void check_case(const char *text, size_t len, unsigned want)
{
    const char *reason = check_whole(text, len, want);
    size_t step = len < 4096 ? 1 : 61; /* each cut of a long text would take half a minute */

    assert_ptr_equal(check_pieces(text, len, 1, 1, want), reason);
    for (size_t cut = 0; cut <= len; cut += step)
        assert_ptr_equal(check_pieces(text, len, cut, len, want), reason);
    check_pipelined(text, len, want);
}

static void check_cases(const struct head_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        print_message("%s\n", cases[i].name);
        check_case(cases[i].text, strlen(cases[i].text), cases[i].want);
    }
}

static void test_request_lines(void **state)
{
    (void)state;
    check_cases(request_lines, sizeof(request_lines) / sizeof(request_lines[0]));
}

static void test_field_lines(void **state)
{
    (void)state;
    check_cases(field_lines, sizeof(field_lines) / sizeof(field_lines[0]));
}

/* Text that is put together. */
struct text {
    size_t len;
    char bytes[3 * HTTP1_HEAD_MAX];
};

static void add(struct text *text, const char *part)
{
    size_t len = strlen(part);

    assert_true(text->len + len <= sizeof(text->bytes));
    memcpy(text->bytes + text->len, part, len);
    text->len += len;
}

static void add_times(struct text *text, const char *part, size_t n)
{
    while (n-- > 0)
        add(text, part);
}

/* A NUL can't stand in a C string: put in place of the `@`. */
static void test_nul(void **state)
{
    static const char *const texts[] = {
        "G@T /abc HTTP/1.1\r\n" HOST "\r\n",
        "GET /a@c HTTP/1.1\r\n" HOST "\r\n",
        "GET /abc HTTP/1.1@\r\n" HOST "\r\n",
        GET "Ho@t: go.acme.example\r\n\r\n",
        GET "Host: go.acme.example@\r\n\r\n",
        GET HOST "Accept: @\r\n\r\n",
        GET HOST "@\r\n",
        "@" GET HOST "\r\n",
        GET HOST "Accept: aaaaaaaaaaaaaa@aa\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t len = strlen(texts[i]);
        char text[128];

        memcpy(text, texts[i], len);
        *(char *)memchr(text, '@', len) = '\0';
        check_case(text, len, 400);
    }
}

/* A control byte is found wherever it stands in the words that are looked at together. */
static void test_control_at_every_place(void **state)
{
    char text[] = GET HOST "Accept: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
    size_t first = sizeof(GET HOST "Accept:") - 1, end = sizeof(text) - 1 - 4;

    (void)state;
    for (size_t at = first; at < end; at++) {
        for (unsigned c = 0; c < 256; c++) {
            char before = text[at];
            bool good = c == '\t' || (c >= 0x20 && c != 0x7f);

            text[at] = (char)c;
            check_whole(text, sizeof(text) - 1, good ? OK : 400);
            text[at] = before;
        }
    }
}

/* Which bytes may stand in a method, a target and a field name. */
static void test_every_byte(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char method[] = "G?T /abc HTTP/1.1\r\n" HOST "\r\n";
    char target[] = "GET /a?c HTTP/1.1\r\n" HOST "\r\n";
    char name[] = GET HOST "A?c: d\r\n\r\n";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_token = c && strchr(token, (int)c);

        *strchr(method, '?') = (char)c;
        check_whole(method, sizeof(method) - 1, !is_token ? 400 : c == 'E' ? OK : 501);
        method[1] = '?';
        target[6] = (char)c;
        check_whole(target, sizeof(target) - 1, c > 0x20 && c != 0x7f ? OK : 400);
        name[sizeof(GET HOST)] = (char)c;
        check_whole(name, sizeof(name) - 1, is_token || c == ':' ? OK : 400);
    }
}

static void make_line(struct text *text, size_t line_len, const char *end)
{
    text->len = 0;
    add(text, "GET /");
    add_times(text, "a", line_len - strlen("GET / HTTP/1.1"));
    add(text, " HTTP/1.1");
    add(text, end);
}

static void test_line_length(void **state)
{
    static struct text text;

    (void)state;
    make_line(&text, HTTP1_LINE_MAX, "\r\n" HOST "\r\n");
    check_case(text.bytes, text.len, OK);
    make_line(&text, HTTP1_LINE_MAX + 1, "\r\n" HOST "\r\n");
    check_case(text.bytes, text.len, 414);
    make_line(&text, 3 * HTTP1_LINE_MAX, "\r\n" HOST "\r\n");
    check_case(text.bytes, text.len, 414);
    print_message("empty lines before it are no part of the line\n");
    text.len = 0;
    add(&text, "\r\n\r\nGET /");
    add_times(&text, "a", HTTP1_LINE_MAX - strlen("GET / HTTP/1.1"));
    add(&text, " HTTP/1.1\r\n" HOST "\r\n");
    check_case(text.bytes, text.len, OK);
    print_message("a line without an end, and a fault far behind the limit\n");
    text.len = 0;
    add_times(&text, "a", HTTP1_LINE_MAX + 1000);
    add(&text, "\x01\r\n");
    check_case(text.bytes, text.len, 414);
}

/* A head of exactly `len` bytes. */
static void make_head(struct text *text, size_t len)
{
    text->len = 0;
    add(text, GET HOST "Cookie: ");
    add_times(text, "a", len - text->len - 4);
    add(text, "\r\n\r\n");
    assert_int_equal(text->len, len);
}

static void test_head_length(void **state)
{
    static struct text text;

    (void)state;
    make_head(&text, HTTP1_HEAD_MAX);
    check_case(text.bytes, text.len, OK);
    make_head(&text, HTTP1_HEAD_MAX + 1);
    check_case(text.bytes, text.len, 431);
    make_head(&text, 2 * HTTP1_HEAD_MAX);
    check_case(text.bytes, text.len, 431);
    print_message("a fault beyond the limit is not seen any more\n");
    text.bytes[HTTP1_HEAD_MAX + 10] = '\n';
    check_case(text.bytes, text.len, 431);
    print_message("one before it is\n");
    make_head(&text, 2 * HTTP1_HEAD_MAX);
    text.bytes[HTTP1_HEAD_MAX - 10] = '\n';
    check_case(text.bytes, text.len, 400);
}

static void test_number_of_fields(void **state)
{
    static struct text text;

    (void)state;
    add(&text, GET HOST);
    add_times(&text, "A: b\r\n", HTTP1_FIELDS_MAX - 1);
    add(&text, "\r\n");
    check_case(text.bytes, text.len, OK);
    text.len -= 2;
    add(&text, "A: b\r\n\r\n");
    check_case(text.bytes, text.len, 431);
}

static void test_length_of_host(void **state)
{
    static struct text text;

    (void)state;
    for (size_t len = HTTP1_HOST_MAX; len <= HTTP1_HOST_MAX + 1; len++) {
        text.len = 0;
        add(&text, GET "Host: ");
        add_times(&text, "a", len);
        add(&text, ":80\r\n\r\n");
        check_case(text.bytes, text.len, len == HTTP1_HOST_MAX ? OK : 400);
    }
}

static void assert_slice(struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of(want)) || !got.ptr != !want)
        fail_msg("got '%.*s' (%s), not '%s'", SLICE_ARG(got), got.ptr ? "there" : "absent",
                 want ? want : "absent");
}

static void test_targets(void **state)
{
    const struct {
        const char *name, *target, *path, *query, *authority, *host;
    } cases[] = {
        {"a path", "/abc", "/abc", NULL, "h.example:81", "h.example"},
        {"a path and a query", "/abc?d=e", "/abc", "d=e", "h.example:81", "h.example"},
        {"an empty query", "/abc?", "/abc", "", "h.example:81", "h.example"},
        {"a second question mark", "/?a?b", "/", "a?b", "h.example:81", "h.example"},
        {"two slashes", "//a.example/b", "//a.example/b", NULL, "h.example:81", "h.example"},
        {"absolute", "http://a.example/b?c", "/b", "c", "a.example", "a.example"},
        {"absolute with a port", "http://a.example:80/b", "/b", NULL, "a.example:80", "a.example"},
        {"absolute, no path", "https://a.example", "/", NULL, "a.example", "a.example"},
        {"absolute, no path but a query", "https://a.example?b/c", "/", "b/c", "a.example",
         "a.example"},
        {"absolute, IPv6", "http://[2001:db8::1]:8080/", "/", NULL, "[2001:db8::1]:8080",
         "[2001:db8::1]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        struct http1_request request;
        struct http1_refusal refusal;
        struct http1_scan scan = {0};

        print_message("%s\n", cases[i].name);
        add(&text, "GET ");
        add(&text, cases[i].target);
        add(&text, " HTTP/1.1\r\nHost: h.example:81\r\n\r\nmore");
        assert_int_equal(parse(text.bytes, text.len, &scan, &request, &refusal), HTTP1_COMPLETE);
        assert_slice(request.path, cases[i].path);
        assert_slice(request.query, cases[i].query);
        assert_slice(request.authority, cases[i].authority);
        assert_slice(request.host, cases[i].host);
        assert_int_equal(request.head_len, text.len - 4);
    }
}

static void test_no_host(void **state)
{
    static const char text[] = GET0 "\r\n";
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &scan, &request, &refusal), HTTP1_COMPLETE);
    assert_slice(request.host, NULL);
    assert_slice(request.authority, NULL);
}

static void test_keep_alive(void **state)
{
    const struct {
        const char *name, *text;
        bool want;
    } cases[] = {
        {"HTTP/1.1 keeps alive", GET HOST "\r\n", true},
        {"unless it says close", GET HOST "Connection: close\r\n\r\n", false},
        {"close in capitals", GET HOST "CONNECTION: CLOSE\r\n\r\n", false},
        {"close in a list", GET HOST "Connection: TE, close ,x\r\n\r\n", false},
        {"close in a second field", GET HOST "Connection: te\r\nConnection: close\r\n\r\n", false},
        {"close wins", GET HOST "Connection: close, keep-alive\r\n\r\n", false},
        {"a word that contains close", GET HOST "Connection: closed\r\n\r\n", true},
        {"an empty list", GET HOST "Connection: ,,\r\n\r\n", true},
        {"HTTP/1.0 does not", GET0 HOST "\r\n", false},
        {"unless it says keep-alive", GET0 HOST "Connection: Keep-Alive\r\n\r\n", true},
        {"HTTP/1.0 with both", GET0 HOST "Connection: keep-alive, close\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;
        struct http1_refusal refusal;
        struct http1_scan scan = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &scan, &request, &refusal),
                         HTTP1_COMPLETE);
        assert_int_equal(request.keep_alive, cases[i].want);
    }
}

static void test_body(void **state)
{
    const struct {
        const char *name, *text;
        unsigned content_length;
        int expect_continue, has_none; /* no Content-Length */
    } cases[] = {
        {"no body", GET HOST "\r\n", 0, 0, 1},
        {"a length of 0", POST "Content-Length: 0\r\n\r\n", 0, 0, 0},
        {"a POST without a length", POST "\r\n", 0, 0, 1},
        {"a form", POST "Content-Length: 17\r\n\r\n", 17, 0, 0},
        {"a client that waits", POST "Content-Length: 7\r\nExpect: 100-continue\r\n\r\n", 7, 1, 0},
        {"nothing to wait for", POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", 0, 0, 0},
        {"HTTP/1.0 does not wait",
         "POST / HTTP/1.0\r\n" HOST "Content-Length: 7\r\nExpect: 100-continue\r\n\r\n", 7, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;
        struct http1_refusal refusal;
        struct http1_scan scan = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &scan, &request, &refusal),
                         HTTP1_COMPLETE);
        assert_int_equal(request.content_length, cases[i].content_length);
        assert_int_equal(request.expect_continue, cases[i].expect_continue);
        assert_int_equal(request.has_content_length, !cases[i].has_none);
    }
}

/* Every field that is handed out, in three spellings; and none for a name that differs. */
static void test_field_values(void **state)
{
    static const char *const names[HTTP1_FIELDS] = {
        [HTTP1_ACCEPT_LANGUAGE] = "Accept-Language",
        [HTTP1_CONTENT_TYPE] = "Content-Type",
        [HTTP1_COOKIE] = "Cookie",
        [HTTP1_ORIGIN] = "Origin",
        [HTTP1_PURPOSE] = "Purpose",
        [HTTP1_REFERER] = "Referer",
        [HTTP1_SEC_FETCH_DEST] = "Sec-Fetch-Dest",
        [HTTP1_SEC_FETCH_MODE] = "Sec-Fetch-Mode",
        [HTTP1_SEC_FETCH_SITE] = "Sec-Fetch-Site",
        [HTTP1_SEC_FETCH_USER] = "Sec-Fetch-User",
        [HTTP1_SEC_GPC] = "Sec-GPC",
        [HTTP1_SEC_PURPOSE] = "Sec-Purpose",
        [HTTP1_USER_AGENT] = "User-Agent",
        [HTTP1_X_FORWARDED_HOST] = "X-Forwarded-Host",
        [HTTP1_X_MOZ] = "X-Moz",
        [HTTP1_X_PURPOSE] = "X-Purpose",
    };
    /* Of the second line, if there is one, nothing is taken. */
    static const char *const forms[] = {"%s:a b\r\n\r\n", "%s: \t a b \t\r\n\r\n",
                                        "%s: a b\r\n%s: second\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < HTTP1_FIELDS; i++) {
        for (size_t spelling = 0; spelling < 4; spelling++) {
            char name[32], line[128], text[256];
            struct http1_request request;
            struct http1_refusal refusal;
            struct http1_scan scan = {0};

            snprintf(name, sizeof(name), "%s", names[i]);
            for (char *c = name; *c; c++) {
                if (spelling == 1 && *c >= 'a' && *c <= 'z')
                    *c = (char)(*c - 32);
                if (spelling == 2 && *c >= 'A' && *c <= 'Z')
                    *c = (char)(*c + 32);
            }
            if (spelling == 3)
                name[i % strlen(name)] = '1'; /* now it is another one */
            snprintf(line, sizeof(line), forms[i % 3], name, name);
            snprintf(text, sizeof(text), GET HOST "%s", line);
            assert_int_equal(parse(text, strlen(text), &scan, &request, &refusal), HTTP1_COMPLETE);
            for (size_t j = 0; j < HTTP1_FIELDS; j++)
                assert_slice(request.field[j], i == j && spelling != 3 ? "a b" : NULL);
        }
    }
}

static void test_forwarded_lines(void **state)
{
    static struct text text;
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};

    (void)state;
    add(&text, GET HOST "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nForwarded: for=192.0.2.9\r\n"
                        "x-forwarded-for: 192.0.2.3 \r\nX-Forwarded-For:\r\n\r\n");
    assert_int_equal(parse(text.bytes, text.len, &scan, &request, &refusal), HTTP1_COMPLETE);
    assert_int_equal(request.n_forwarded_for, 3);
    assert_slice(request.forwarded_for[0], "192.0.2.1, 192.0.2.2");
    assert_slice(request.forwarded_for[1], "192.0.2.3");
    assert_slice(request.forwarded_for[2], "");
    assert_int_equal(request.n_forwarded, 1);
    assert_slice(request.forwarded[0], "for=192.0.2.9");

    text.len = 0;
    add(&text, GET0);
    add_times(&text, "X-Forwarded-For: ::1\r\n", HTTP1_FIELDS_MAX);
    add(&text, "\r\n");
    scan = (struct http1_scan){0};
    assert_int_equal(parse(text.bytes, text.len, &scan, &request, &refusal), HTTP1_COMPLETE);
    assert_int_equal(request.n_forwarded_for, HTTP1_FIELDS_MAX);
}

/* The reply to a refused HEAD has no body, as far as it was known to be one. */
static void test_refused_head(void **state)
{
    const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"HEAD / HTTP/1.1\r\nHost:\r\n\r\n", true},   {"HEAD / HTTP/1.1\r\n\r\n", true},
        {"HEAD * HTTP/1.1\r\n" HOST "\r\n", true},    {"GET / HTTP/1.1\r\n\r\n", false},
        {"DELETE / HTTP/1.1\r\n" HOST "\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;
        struct http1_refusal refusal;
        struct http1_scan scan = {0};

        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &scan, &request, &refusal),
                         HTTP1_REFUSED);
        assert_int_equal(refusal.is_head, cases[i].want);
    }
}

/* What can't become a request is refused before any line end: a TLS handshake holds none. */
static void test_first_byte(void **state)
{
    static const char handshake[] = "\x16\x03\x01\x02";

    (void)state;
    check_whole(handshake, 1, 400);
    check_whole(handshake, 4, 400);
    check_whole(" ", 1, 400);
    check_case("\x16\x03,\x01\r\n", 6, 400);
    check_case("\r\n\x16\x03", 4, 400);
}

/* A head that comes byte by byte is parsed as often as it has lines, not bytes. */
static void test_scan_state(void **state)
{
    static struct text text;
    struct http1_request request;
    struct http1_refusal refusal;
    struct http1_scan scan = {0};
    unsigned n_parsed = 0;

    (void)state;
    make_head(&text, HTTP1_HEAD_MAX);
    for (size_t n = 1; n < text.len; n++) {
        request.method = HTTP1_POST; /* a parse would set it anew */
        assert_int_equal(http1_parse(slice_make(text.bytes, n), &scan, &request, &refusal),
                         HTTP1_INCOMPLETE);
        assert_int_equal(scan.seen, n);
        n_parsed += request.method != HTTP1_POST;
    }
    assert_in_range(n_parsed, 3, 4);
    assert_int_equal(http1_parse(slice_make(text.bytes, text.len), &scan, &request, &refusal),
                     HTTP1_COMPLETE);
    assert_int_equal(request.head_len, text.len);
}

/* As the admin port has it. */
static void other_rules_allow_other_methods_and_longer_bodies(void **state)
{
    const struct http1_rules rules = {.all_methods = true, .body_max = 100000};
    const struct {
        const char *name, *head;
        unsigned status; /* 0 = complete */
        enum http1_method method;
        uint32_t content_length;
    } cases[] = {
        {"GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, HTTP1_GET, 0},
        {"PUT", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n", 0, HTTP1_PUT, 7},
        {"DELETE", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 0, HTTP1_DELETE, 0},
        {"OPTIONS of 1.0, as haproxy asks", "OPTIONS / HTTP/1.0\r\n\r\n", 0, HTTP1_OPTIONS, 0},
        {"a method nobody knows", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, HTTP1_GET, 0},
        {"the longest body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 0,
         HTTP1_POST, 100000},
        {"a byte more", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413,
         HTTP1_POST, 0},
        {"GET with a body", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", 400,
         HTTP1_GET, 0},
        {"a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400, HTTP1_GET, 0},
        {"a raw byte above ASCII", "GET /a\xe4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, HTTP1_GET, 0},
        {"two lengths",
         "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400,
         HTTP1_PUT, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_scan scan = {0};
        struct http1_refusal refusal;
        struct http1_request request;
        enum http1_status status =
            http1_parse_by(&rules, slice_of(cases[i].head), &scan, &request, &refusal);

        print_message("%s\n", cases[i].name);
        if (cases[i].status) {
            assert_int_equal(status, HTTP1_REFUSED);
            assert_int_equal(refusal.status, cases[i].status);
            continue;
        }
        assert_int_equal(status, HTTP1_COMPLETE);
        assert_int_equal(request.method, cases[i].method);
        assert_int_equal(request.content_length, cases[i].content_length);
    }
}

static void strays_end_the_path(void **state)
{
    const struct {
        const char *name, *target, *path, *query;
        bool is_cut;
    } cases[] = {
        {"none", "/a?b", "/a", "b", false},
        {"a fragment", "/a#b", "/a", NULL, true},
        {"a fragment behind a query", "/a?b#c", "/a", "b#c", false},
        {"bytes above ASCII",
         "/a\xc2\xa0"
         "b",
         "/a", NULL, true},
        {"several, and nothing before them", "/#\xe4#", "/", NULL, true},
        {"in a whole URL", "http://x.example/a#b", "/a", NULL, true},
        {"in the query of a whole URL without a path", "http://x.example?b#c", "/", "b#c", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_scan scan = {0};
        struct http1_refusal refusal;
        struct http1_request request;
        char head[256];

        print_message("%s\n", cases[i].name);
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
        assert_int_equal(http1_parse(slice_of(head), &scan, &request, &refusal), HTTP1_COMPLETE);
        assert_true(slice_equal(request.path, slice_of(cases[i].path)));
        assert_int_equal(request.path_is_cut, cases[i].is_cut);
        assert_int_equal(request.query.ptr != NULL, cases[i].query != NULL);
        assert_true(slice_equal(request.query, slice_of(cases[i].query)));
    }
}

static void a_value_is_found_by_the_name_of_its_field(void **state)
{
    static const char head[] = "GET /X-A:%20no HTTP/1.1\r\nHost: x\r\nX-A:  one \t\r\nx-b:\r\n"
                               "X-a: two\r\nX-Abc: three\r\n\r\n";
    const struct {
        const char *name, *want; /* NULL: absent */
    } cases[] = {
        {"host", "x"},  {"x-a", "one"},
        {"X-B", ""},    {"x-abc", "three"},
        {"x-ab", NULL}, {"", NULL},
        {"x", NULL},    {"a name that is longer than any of its lines", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice value = http1_find_value(slice_of(head), slice_of(cases[i].name));

        print_message("'%s'\n", cases[i].name);
        assert_int_equal(value.ptr != NULL, cases[i].want != NULL);
        if (cases[i].want)
            assert_true(slice_equal(value, slice_of(cases[i].want)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_rules_allow_other_methods_and_longer_bodies),
        cmocka_unit_test(a_value_is_found_by_the_name_of_its_field),
        cmocka_unit_test(strays_end_the_path),
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_field_lines),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_control_at_every_place),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_line_length),
        cmocka_unit_test(test_head_length),
        cmocka_unit_test(test_number_of_fields),
        cmocka_unit_test(test_length_of_host),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_no_host),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_field_values),
        cmocka_unit_test(test_forwarded_lines),
        cmocka_unit_test(test_refused_head),
        cmocka_unit_test(test_first_byte),
        cmocka_unit_test(test_scan_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
