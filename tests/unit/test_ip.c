#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ip.h"

#define V4(a, b, c, d)                                       \
    {                                                        \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d \
    }
#define V6_DOC                                                     \
    {                                                              \
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 \
    }

enum { PLAIN = 1, WITH_PORT = 2, BOTH = 3 };

static void test_parse(void **state)
{
    const struct {
        const char *name, *text;
        int accepted_by; /* which of the two parsers */
        uint8_t want[IP_LEN];
    } cases[] = {
        {"IPv4", "192.0.2.1", BOTH, V4(192, 0, 2, 1)},
        {"IPv6", "2001:db8::1", BOTH, V6_DOC},
        {"IPv4-mapped IPv6 equals its IPv4 form", "::ffff:192.0.2.1", BOTH, V4(192, 0, 2, 1)},
        {"IPv4 with a port", "192.0.2.1:65535", WITH_PORT, V4(192, 0, 2, 1)},
        {"IPv6 in brackets", "[2001:db8::1]", WITH_PORT, V6_DOC},
        {"IPv6 in brackets with a port", "[2001:db8::1]:80", WITH_PORT, V6_DOC},
        {"nothing", "", 0, {0}},
        {"three numbers", "192.0.2", 0, {0}},
        {"a number beyond 255", "192.0.2.256", 0, {0}},
        {"a blank before", " 192.0.2.1", 0, {0}},
        {"a port without digits", "192.0.2.1:", 0, {0}},
        {"a port of six digits", "192.0.2.1:123456", 0, {0}},
        {"a port that is a word", "192.0.2.1:http", 0, {0}},
        {"IPv4 in brackets", "[192.0.2.1]", 0, {0}},
        {"a bracket that is not closed", "[2001:db8::1", 0, {0}},
        {"something behind the bracket", "[2001:db8::1]80", 0, {0}},
        {"a zone", "fe80::1%eth0", 0, {0}},
        {"a name", "example.net", 0, {0}},
        {"longer than any address",
         "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
         0,
         {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t plain[IP_LEN] = {0}, with_port[IP_LEN] = {0};
        struct slice text = slice_of(cases[i].text);

        print_message("%s\n", cases[i].name);
        assert_int_equal(ip_parse(text, plain), (cases[i].accepted_by & PLAIN) != 0);
        assert_int_equal(ip_parse_with_port(text, with_port),
                         (cases[i].accepted_by & WITH_PORT) != 0);
        if (cases[i].accepted_by & PLAIN)
            assert_memory_equal(plain, cases[i].want, IP_LEN);
        assert_memory_equal(with_port, cases[i].want, IP_LEN);
    }
}

static void test_nul_inside(void **state)
{
    uint8_t out[IP_LEN];

    (void)state;
    assert_false(ip_parse(slice_make("192.0.2.1\0x", 11), out));
    assert_false(ip_parse(slice_make(NULL, 0), out));
}

static void test_private(void **state)
{
    static const char *const private[] = {
        "127.0.0.1",
        "127.255.255.255",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "fd00::1",
        "fc00::1",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "::192.168.0.1",
    };
    static const char *const public[] = {
        "192.0.2.1",   "9.255.255.255", "11.0.0.0",         "172.15.255.255", "172.32.0.0",
        "192.167.0.1", "192.169.0.1",   "100.128.0.0",      "128.0.0.1",      "2001:db8::1",
        "fec0::1",     "fbff::1",       "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
    };
    uint8_t ip[IP_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        print_message("%s\n", private[i]);
        assert_true(ip_parse(slice_of(private[i]), ip));
        assert_true(ip_is_private(ip));
    }
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
        print_message("%s\n", public[i]);
        assert_true(ip_parse(slice_of(public[i]), ip));
        assert_false(ip_is_private(ip));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_nul_inside),
        cmocka_unit_test(test_private),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
