/* What is hashed with the salt of the day: networks that tell apart, visitors that can't be traced
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sodium.h>

#include "proto/click.h"
#include "service/label/salt.h"

static const uint8_t today[SALT_LEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t tomorrow[SALT_LEN] = {15};

static void parse_ip(const char *text, uint8_t ip[static IP_LEN])
{
    char mapped[64];

    if (!strchr(text, ':')) {
        snprintf(mapped, sizeof(mapped), "::ffff:%s", text);
        text = mapped;
    }
    assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
}

static void test_networks(void **state)
{
    const struct {
        const char *name, *a, *b;
        bool same;
    } cases[] = {
        {"a /24, first and last", "198.51.100.0", "198.51.100.255", true},
        {"the next /24", "198.51.100.255", "198.51.101.0", false},
        {"IPv4-mapped or not", "198.51.100.7", "::ffff:198.51.100.9", true},
        {"a /48, first and last", "2001:db8:9::", "2001:db8:9:ffff:ffff:ffff:ffff:ffff", true},
        {"the next /48", "2001:db8:9:ffff::1", "2001:db8:a::", false},
        {"the same bytes as IPv4 and as IPv6", "6.1.2.3", "102:300::", false},
    };
    struct salt salt;

    (void)state;
    salt_init(&salt);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t a[IP_LEN], b[IP_LEN];

        print_message("%s\n", cases[i].name);
        parse_ip(cases[i].a, a);
        parse_ip(cases[i].b, b);
        salt_set(&salt, today);
        assert_in_range(salt_network(&salt, a), 1, CLICK_NETWORK_MAX);
        assert_int_equal(salt_network(&salt, a) == salt_network(&salt, b), cases[i].same);
    }
}

static void test_visitors(void **state)
{
    const struct {
        const char *name, *a, *b;
        uint32_t agent_a, agent_b;
        bool same;
    } cases[] = {
        {"the same address and agent", "198.51.100.7", "198.51.100.7", 1, 1, true},
        {"IPv4-mapped or not", "198.51.100.7", "::ffff:198.51.100.7", 1, 1, true},
        {"another agent", "198.51.100.7", "198.51.100.7", 1, 2, false},
        {"the last bit of the agent", "198.51.100.7", "198.51.100.7", 1, 0x80000001, false},
        {"a neighbour", "198.51.100.7", "198.51.100.8", 1, 1, false},
        {"a neighbour by IPv6", "2001:db8::1", "2001:db8::2", 1, 1, false},
    };
    struct salt salt, other;

    (void)state;
    salt_init(&salt);
    salt_init(&other);
    salt_set(&salt, today);
    salt_set(&other, today);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t a[IP_LEN], b[IP_LEN];

        print_message("%s, in two processes\n", cases[i].name);
        parse_ip(cases[i].a, a);
        parse_ip(cases[i].b, b);
        assert_int_equal(salt_visitor(&salt, a, cases[i].agent_a) ==
                             salt_visitor(&other, b, cases[i].agent_b),
                         cases[i].same);
    }
}

/* As FORMATS.md has it, computed anew: SipHash-2-4 of 20 bytes, keyed with the salt. */
static void test_a_visitor_by_the_book(void **state)
{
    const uint8_t text[] = {0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0xff,
                            0xff,
                            198,
                            51,
                            100,
                            7,
                            /* agent, little-endian */ 0x44,
                            0x33,
                            0x22,
                            0x11};
    uint8_t hash[crypto_shorthash_BYTES], ip[IP_LEN];
    struct salt salt;
    uint64_t want = 0;

    (void)state;
    crypto_shorthash(hash, text, sizeof(text), today);
    for (int i = 7; i >= 0; i--)
        want = want << 8 | hash[i];
    salt_init(&salt);
    salt_set(&salt, today);
    parse_ip("198.51.100.7", ip);
    assert_true(salt_visitor(&salt, ip, 0x11223344) == want);
}

static void test_days(void **state)
{
    struct salt salt;
    uint8_t ip[IP_LEN];
    uint64_t before;
    uint16_t network;

    (void)state;
    parse_ip("198.51.100.7", ip);
    salt_init(&salt);
    print_message("before the pods have agreed: no visitors, and networks of one's own\n");
    assert_true(salt_visitor(&salt, ip, 1) == 0);
    assert_in_range(salt_network(&salt, ip), 1, CLICK_NETWORK_MAX);
    print_message("agreed\n");
    salt_set(&salt, today);
    before = salt_visitor(&salt, ip, 1);
    network = salt_network(&salt, ip);
    assert_true(before != 0);
    print_message("the next day: the same person is another\n");
    salt_set(&salt, tomorrow);
    assert_true(salt_visitor(&salt, ip, 1) != 0);
    assert_true(salt_visitor(&salt, ip, 1) != before);
    print_message("a process that comes back to the first day\n");
    salt_set(&salt, today);
    assert_true(salt_visitor(&salt, ip, 1) == before);
    assert_int_equal(salt_network(&salt, ip), network);
    print_message("forgotten: none again, and networks by another salt than at the start\n");
    salt_forget(&salt);
    assert_true(salt_visitor(&salt, ip, 1) == 0);
}

/* A salt of this process alone is another each time it is made; 64 networks say which it was. */
static void test_own_salts_differ(void **state)
{
    struct salt salts[2];
    unsigned n_same = 0, n_kept = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        salt_init(&salts[i]);
    for (uint8_t i = 0; i < 64; i++) {
        const uint8_t ip[IP_LEN] = {[10] = 0xff, 0xff, 198, 51, i, 1};

        n_same += salt_network(&salts[0], ip) == salt_network(&salts[1], ip);
    }
    assert_true(n_same < 8);
    salts[1] = salts[0];
    salt_forget(&salts[1]);
    for (uint8_t i = 0; i < 64; i++) {
        const uint8_t ip[IP_LEN] = {[10] = 0xff, 0xff, 198, 51, i, 1};

        n_kept += salt_network(&salts[0], ip) == salt_network(&salts[1], ip);
    }
    assert_true(n_kept < 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_visitors),
        cmocka_unit_test(test_a_visitor_by_the_book),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_own_salts_differ),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
