#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "service/base/address.h"

static void test_address(void **state)
{
    const struct {
        const char *name, *text;
        int family; /* 0 = refused */
        int port;
    } cases[] = {
        {"IPv4", "127.0.0.1:8080", AF_INET, 8080},
        {"all of IPv6", "[::]:80", AF_INET6, 80},
        {"any free port", "0.0.0.0:0", AF_INET, 0},
        {"the last port", "[2001:db8::1]:65535", AF_INET6, 65535},
        {"a port too high", "0.0.0.0:65536", 0, 0},
        {"no port", "0.0.0.0", 0, 0},
        {"an empty port", "0.0.0.0:", 0, 0},
        {"a leading zero in the port", "0.0.0.0:080", 0, 0},
        {"a blank in the port", "0.0.0.0: 80", 0, 0},
        {"a sign in the port", "0.0.0.0:+80", 0, 0},
        {"no host", ":80", 0, 0},
        {"a name", "localhost:80", 0, 0},
        {"IPv6 without brackets", "::1:80", 0, 0},
        {"IPv6 without port", "[::1]", 0, 0},
        {"nothing in brackets", "[]:80", 0, 0},
        {"an open bracket", "[::1:80", 0, 0},
        {"a bracket alone", "[:80", 0, 0},
        {"IPv4 in brackets", "[127.0.0.1]:80", 0, 0},
        {"a part of an address", "127.0.1:80", 0, 0},
        {"nothing", "", 0, 0},
        {"far too long", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        bool good = address_parse(cases[i].text, &address);

        print_message("%s\n", cases[i].name);
        assert_int_equal(good, cases[i].family != 0);
        if (!good)
            continue;
        assert_int_equal(address.addr.ss_family, cases[i].family);
        assert_int_equal(ntohs(cases[i].family == AF_INET
                                   ? ((struct sockaddr_in *)&address.addr)->sin_port
                                   : ((struct sockaddr_in6 *)&address.addr)->sin6_port),
                         cases[i].port);
    }
}

static void test_network(void **state)
{
    const struct {
        const char *name, *text, *ip;
        bool good, inside;
    } cases[] = {
        {"the first of a network", "10.0.0.0/8", "10.0.0.0", true, true},
        {"the last of a network", "10.0.0.0/8", "10.255.255.255", true, true},
        {"just behind a network", "10.0.0.0/8", "11.0.0.0", true, false},
        {"just before a network", "10.0.0.0/8", "9.255.255.255", true, false},
        {"a prefix inside a byte", "192.168.128.0/17", "192.168.200.1", true, true},
        {"the other half", "192.168.128.0/17", "192.168.127.1", true, false},
        {"one address", "192.0.2.1", "192.0.2.1", true, true},
        {"another address", "192.0.2.1/32", "192.0.2.2", true, false},
        {"all of IPv4", "0.0.0.0/0", "203.0.113.9", true, true},
        {"all of IPv4 is nothing of IPv6", "0.0.0.0/0", "2001:db8::1", true, false},
        {"all of IPv6 has IPv4 too", "::/0", "203.0.113.9", true, true},
        {"IPv6", "2001:db8::/33", "2001:db8:7fff::1", true, true},
        {"IPv6, behind", "2001:db8::/33", "2001:db8:8000::1", true, false},
        {"an IPv4-mapped network", "::ffff:10.0.0.0/104", "10.1.2.3", true, true},
        {"bits behind the prefix", "10.0.0.1/8", "", false, false},
        {"33 bits of IPv4", "10.0.0.0/33", "", false, false},
        {"129 bits of IPv6", "::/129", "", false, false},
        {"no length", "10.0.0.0/", "", false, false},
        {"a negative length", "10.0.0.0/-1", "", false, false},
        {"two lengths", "10.0.0.0/8/8", "", false, false},
        {"a name", "proxy.example", "", false, false},
        {"nothing", "", "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        struct sockaddr *addr = (struct sockaddr *)&in6;
        struct network network;
        uint8_t ip[16];

        print_message("%s\n", cases[i].name);
        assert_int_equal(network_parse(cases[i].text, &network), cases[i].good);
        if (!cases[i].good)
            continue;
        if (inet_pton(AF_INET, cases[i].ip, &in4.sin_addr) == 1)
            addr = (struct sockaddr *)&in4;
        else
            assert_int_equal(inet_pton(AF_INET6, cases[i].ip, &in6.sin6_addr), 1);
        assert_true(address_ip(addr, ip));
        assert_int_equal(network_contains(&network, ip), cases[i].inside);
    }
}

static void test_other_families(void **state)
{
    struct sockaddr addr = {.sa_family = AF_UNIX};
    uint8_t ip[16];

    (void)state;
    assert_false(address_ip(&addr, ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_other_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
