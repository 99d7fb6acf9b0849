/* Networks and autonomous systems from the configuration: which addresses and numbers are in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ip.h"
#include "proto/slice.h"
#include "service/base/address.h"
#include "service/base/error.h"
#include "service/label/known.h"

enum { NETWORKS_MAX = 8, ASNS_MAX = 8 };

static void parse_ip(const char *text, uint8_t ip[static IP_LEN])
{
    assert_true(ip_parse(slice_of(text), ip));
}

/* Of networks as in labels.ranges, up to the first NULL. */
static struct known *known_of(const char *const texts[NETWORKS_MAX])
{
    struct network networks[NETWORKS_MAX];
    struct known_options options = {.networks = networks};
    struct error err = {0};
    struct known *known;

    for (; options.n_networks < NETWORKS_MAX && texts[options.n_networks]; options.n_networks++) {
        assert_true(network_parse(texts[options.n_networks], &networks[options.n_networks]));
    }
    known = known_new(&options, &err);
    assert_non_null(known);
    return known;
}

static void test_addresses(void **state)
{
    const struct {
        const char *name, *networks[NETWORKS_MAX], *ip;
        bool want;
    } cases[] = {
        {"no networks", {NULL}, "198.51.100.7", false},
        {"the first of a network", {"198.51.100.0/24"}, "198.51.100.0", true},
        {"the last of it", {"198.51.100.0/24"}, "198.51.100.255", true},
        {"just before", {"198.51.100.0/24"}, "198.51.99.255", false},
        {"just behind", {"198.51.100.0/24"}, "198.51.101.0", false},
        {"written as IPv4-mapped", {"198.51.100.0/24"}, "::ffff:198.51.100.7", true},
        {"an odd length, last", {"40.92.0.0/15"}, "40.93.255.255", true},
        {"an odd length, behind", {"40.92.0.0/15"}, "40.94.0.0", false},
        {"bits of an address behind the length", {"198.51.100.0/31"}, "198.51.100.1", true},
        {"one address", {"198.51.100.7/32"}, "198.51.100.7", true},
        {"its neighbours: before", {"198.51.100.7/32"}, "198.51.100.6", false},
        {"its neighbours: behind", {"198.51.100.7/32"}, "198.51.100.8", false},
        {"all of IPv4, last", {"0.0.0.0/0"}, "255.255.255.255", true},
        {"all of IPv4 holds no IPv6", {"0.0.0.0/0"}, "::1:0:0:0", false},
        {"all there is", {"::/0"}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"all there is holds IPv4", {"::/0"}, "198.51.100.7", true},
        {"IPv6, first", {"2a01:111:f400::/48"}, "2a01:111:f400::", true},
        {"IPv6, last", {"2a01:111:f400::/48"}, "2a01:111:f400:ffff:ffff:ffff:ffff:ffff", true},
        {"IPv6, before", {"2a01:111:f400::/48"}, "2a01:111:f3ff:ffff::", false},
        {"IPv6, behind", {"2a01:111:f400::/48"}, "2a01:111:f401::", false},
        {"the second of three", {"10.2.0.0/16", "10.1.0.0/16", "10.3.0.0/16"}, "10.2.9.9", true},
        {"between two", {"10.3.0.0/16", "10.1.0.0/16"}, "10.2.0.0", false},
        {"below all", {"10.3.0.0/16", "10.1.0.0/16"}, "9.0.0.1", false},
        {"above all", {"10.3.0.0/16", "10.1.0.0/16"}, "11.0.0.1", false},
        {"a network within another, in it", {"10.1.2.0/24", "10.0.0.0/8"}, "10.1.2.3", true},
        {"behind the inner, within the outer", {"10.1.2.0/24", "10.0.0.0/8"}, "10.200.0.1", true},
        {"two that begin alike", {"10.0.0.0/24", "10.0.0.0/8"}, "10.0.1.0", true},
        {"the same twice", {"10.0.0.0/8", "10.0.0.0/8"}, "10.9.9.9", true},
        {"behind the same twice", {"10.0.0.0/8", "10.0.0.0/8"}, "11.0.0.0", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct known *known = known_of(cases[i].networks);
        uint8_t ip[IP_LEN];

        print_message("%s\n", cases[i].name);
        parse_ip(cases[i].ip, ip);
        assert_int_equal(known_has_address(known, ip), cases[i].want);
        assert_false(known_has_asns(known));
        known_free(known);
    }
}

static void test_numbers(void **state)
{
    const struct {
        const char *name;
        uint32_t asns[ASNS_MAX];
        unsigned n;
        uint32_t asn;
        bool want;
    } cases[] = {
        {"none", {0}, 0, 22843, false},
        {"the only one", {22843}, 1, 22843, true},
        {"one less", {22843}, 1, 22842, false},
        {"one more", {22843}, 1, 22844, false},
        {"the first of several, unsorted", {52129, 22843, 26211}, 3, 22843, true},
        {"the last", {52129, 22843, 26211}, 3, 52129, true},
        {"between them", {52129, 22843, 26211}, 3, 30031, false},
        {"the largest there is", {4294967295, 1}, 2, 4294967295, true},
        {"the smallest", {4294967295, 1}, 2, 1, true},
        {"not known, of whatever list", {4294967295, 1}, 2, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct known_options options = {.asns = cases[i].asns, .n_asns = cases[i].n};
        struct error err = {0};
        struct known *known = known_new(&options, &err);

        print_message("%s\n", cases[i].name);
        assert_non_null(known);
        assert_int_equal(known_has_asns(known), cases[i].n > 0);
        assert_int_equal(known_has_asn(known, cases[i].asn), cases[i].want);
        known_free(known);
    }
    known_free(NULL);
}

/* Against asking each network in turn. */
static void test_many(void **state)
{
    enum { N = 500 };
    static struct network networks[N];
    struct known_options options = {.networks = networks, .n_networks = N};
    struct error err = {0};
    struct known *known;
    uint32_t random = 1;
    unsigned n_in = 0;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        random = random * 1664525 + 1013904223;
        networks[i].bits = (uint8_t)(96 + 14 + i % 17); /* /14 … /30: some within others */
        networks[i].prefix[10] = networks[i].prefix[11] = 0xff;
        networks[i].prefix[12] = (uint8_t)(random >> 24 & 15);
        networks[i].prefix[13] = (uint8_t)(random >> 16);
        networks[i].prefix[14] = (uint8_t)(random >> 8);
    }
    known = known_new(&options, &err);
    assert_non_null(known);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t ip[IP_LEN] = {[10] = 0xff, [11] = 0xff};
        bool want = false;

        random = random * 1664525 + 1013904223;
        ip[12] = (uint8_t)(random >> 24 & 15);
        ip[13] = (uint8_t)(random >> 16);
        ip[14] = (uint8_t)(random >> 8);
        for (unsigned k = 0; k < N && !want; k++) {
            struct network network = {.bits = networks[k].bits};

            memcpy(network.prefix, networks[k].prefix, IP_LEN);
            for (unsigned bit = network.bits; bit < 8 * IP_LEN; bit++)
                network.prefix[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
            want = network_contains(&network, ip);
        }
        n_in += want;
        assert_int_equal(known_has_address(known, ip), want);
    }
    assert_in_range(n_in, 500, 19500);
    known_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
