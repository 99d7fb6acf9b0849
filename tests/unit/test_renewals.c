#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/slice.h"
#include "service/public/renewals.h"

#define NOW_S INT64_C(1795348800)

static bool take(struct renewals *r, const char *address, uint64_t link_id, int64_t after_s)
{
    uint8_t ip[IP_LEN];

    assert_true(ip_parse(slice_of(address), ip));
    return renewals_take(r, ip, link_id, NOW_S + after_s);
}

static void test_a_link_once_an_hour(void **state)
{
    struct renewals r;

    (void)state;
    renewals_init(&r);
    assert_true(take(&r, "192.0.2.1", 7, 0));
    assert_false(take(&r, "192.0.2.1", 7, 0));
    assert_false(take(&r, "2001:db8::1", 7, 3599));
    assert_true(take(&r, "192.0.2.1", 7, 3600));
}

static void test_a_network_so_many_an_hour(void **state)
{
    const struct {
        const char *name, *first, *other;
        bool is_same;
    } cases[] = {
        {"an address", "192.0.2.1", "192.0.2.1", true},
        {"another of the /24", "192.0.2.1", "192.0.2.254", true},
        {"the next /24", "192.0.2.1", "192.0.3.1", false},
        {"another of the /48", "2001:db8:1:2::3", "2001:db8:1:ffff::4", true},
        {"the next /48", "2001:db8:1::", "2001:db8:2::", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned n = 0;
        struct renewals r;

        print_message("%s\n", cases[i].name);
        /* Two may share a place by chance, which resets it: another key then. */
        do {
            renewals_init(&r);
            for (n = 0; n < RENEWALS_OF_NETWORK && take(&r, cases[i].first, n, 0);)
                n++;
        } while (n < RENEWALS_OF_NETWORK || take(&r, cases[i].first, 1000, 0));
        assert_int_equal(take(&r, cases[i].other, 2000, 0), !cases[i].is_same);
        assert_true(take(&r, cases[i].first, 3000, 3600));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_link_once_an_hour),
        cmocka_unit_test(test_a_network_so_many_an_hour),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
