#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/proxy_header.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES "\300\0\2\1\300\0\2\2\1\2\3\4"
#define V6_ADDRESS "\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\1"
#define V6_ADDRESSES V6_ADDRESS V6_ADDRESS "\1\2\3\4"

static const uint8_t ipv4[IP_LEN] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t ipv6[IP_LEN] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

struct header_case {
    const char *name, *bytes;
    size_t len;
    enum proxy_status want;
    const uint8_t *ip; /* NULL: none is told */
};

#define BYTES(text) text, sizeof(text) - 1

static const struct header_case cases[] = {
    {"version 1, IPv4", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65535 80\r\n"), PROXY_OK, ipv4},
    {"version 1, IPv6", BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n"), PROXY_OK, ipv6},
    {"version 1, unknown", BYTES("PROXY UNKNOWN\r\n"), PROXY_OK, NULL},
    {"version 1, unknown with addresses", BYTES("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"),
     PROXY_OK, NULL},
    {"version 2, IPv4", BYTES(V2 "\x21\x11\0\x0c" V4_ADDRESSES), PROXY_OK, ipv4},
    {"version 2, IPv6", BYTES(V2 "\x21\x21\0\x24" V6_ADDRESSES), PROXY_OK, ipv6},
    {"version 2, IPv4 and an extension", BYTES(V2 "\x21\x11\0\x10" V4_ADDRESSES "\4\0\1x"),
     PROXY_OK, ipv4},
    {"version 2, the proxy's own check", BYTES(V2 "\x20\0\0\0"), PROXY_OK, NULL},
    {"version 2, unspecified family", BYTES(V2 "\x21\0\0\0"), PROXY_OK, NULL},
    {"version 2, the longest header that is taken needs its bytes", BYTES(V2 "\x21\x11\x07\xf0"),
     PROXY_INCOMPLETE, NULL},
    {"version 2, a byte longer than that", BYTES(V2 "\x21\x11\x07\xf1"), PROXY_BAD, NULL},
    {"version 2, too short for IPv4", BYTES(V2 "\x21\x11\0\x0b" V4_ADDRESSES), PROXY_BAD, NULL},
    {"version 2, too short for IPv6", BYTES(V2 "\x21\x21\0\x23" V6_ADDRESSES), PROXY_BAD, NULL},
    {"version 2, an unknown command", BYTES(V2 "\x22\x11\0\x0c" V4_ADDRESSES), PROXY_BAD, NULL},
    {"version 3", BYTES(V2 "\x31\x11\0\x0c" V4_ADDRESSES), PROXY_BAD, NULL},
    {"version 2, an unknown family", BYTES(V2 "\x21\x41\0\x0c" V4_ADDRESSES), PROXY_BAD, NULL},
    {"version 2, an unknown transport", BYTES(V2 "\x21\x13\0\x0c" V4_ADDRESSES), PROXY_BAD, NULL},
    {"a request instead", BYTES("GET / HTTP/1.1\r\n\r\n"), PROXY_BAD, NULL},
    {"version 1, an unknown family", BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_BAD,
     NULL},
    {"version 1, IPv6 addresses as TCP4", BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
     PROXY_BAD, NULL},
    {"version 1, IPv4 addresses as TCP6", BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
     PROXY_BAD, NULL},
    {"version 1, a port beyond 65535", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"),
     PROXY_BAD, NULL},
    {"version 1, no ports", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2\r\n"), PROXY_BAD, NULL},
    {"version 1, one word more", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), PROXY_BAD,
     NULL},
    {"version 1, two blanks", BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_BAD, NULL},
    {"version 1, a bare line feed", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), PROXY_BAD, NULL},
};

/* A copy of exactly `len` bytes, so that the sanitizer sees a read beyond them. */
static enum proxy_status parse(const char *bytes, size_t len, struct proxy_header *out)
{
    char *copy = malloc(len + (len == 0));
    enum proxy_status status;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    status = proxy_header_parse(slice_make(copy, len), out);
    free(copy);
    return status;
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct header_case *c = &cases[i];
        struct proxy_header header = {.len = 12345};

        print_message("%s\n", c->name);
        assert_int_equal(parse(c->bytes, c->len, &header), c->want);
        assert_int_equal(header.len, c->want == PROXY_OK ? c->len : 12345);
        assert_int_equal(header.has_ip, c->ip != NULL);
        if (c->ip)
            assert_memory_equal(header.ip, c->ip, IP_LEN);
    }
}

/* Whatever follows a header is not part of it; each shorter piece of a good one is incomplete. */
static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct header_case *c = &cases[i];
        struct proxy_header header;
        char longer[256];

        if (c->want != PROXY_OK)
            continue;
        print_message("%s\n", c->name);
        for (size_t len = 0; len < c->len; len++)
            assert_int_equal(parse(c->bytes, len, &header), PROXY_INCOMPLETE);
        memcpy(longer, c->bytes, c->len);
        memcpy(longer + c->len, "GET / HTTP/1.1\r\n", 16);
        assert_int_equal(parse(longer, c->len + 16, &header), PROXY_OK);
        assert_int_equal(header.len, c->len);
    }
}

static void test_line_length(void **state)
{
    char line[108];
    struct proxy_header header;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse(line, 106, &header), PROXY_INCOMPLETE);
    assert_int_equal(parse(line, 107, &header), PROXY_BAD);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(parse(line, 107, &header), PROXY_OK);
    line[105] = 'x';
    memcpy(line + 106, "\r\n", 2);
    assert_int_equal(parse(line, 108, &header), PROXY_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_line_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
