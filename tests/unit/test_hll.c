/* Where an element is counted in a HyperLogLog: the vectors are what a redis-server 7.0 made of
 * PFADD; tests/integration/test_people_hours.py compares random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/hll.h"

static void test_elements_are_where_redis_puts_them(void **state)
{
    const struct {
        const char *bytes;
        size_t len;
        unsigned place, rank;
    } cases[] = {
        {"", 0, 5938, 2},
        {"\x52", 1, 10072, 1},
        {"\x4d\xa7\xf2", 3, 14956, 9},
        {"\x37\x0d\x9e\x26", 4, 11543, 8},
        {"\x0e\x27\x13\x65", 4, 8114, 1},
        {"\x50\xa4\xa3\xa6", 4, 3011, 1},
        {"\xd0\x7f\x5c\x0c", 4, 13003, 2},
        {"\x33\x2f\x8b\x12\xd2", 5, 3453, 1},
        {"\x2b\x90\x2f\x89\xe8\x18\x18", 7, 3424, 2},
        {"\xf8\xc9\x9d\x5d\x5d\x98\x31\x95", 8, 4143, 1},
        {"\x75\x04\xd9\x0e\x94\x5d\xe2\xe8", 8, 7186, 4},
        {"\xf5\x4e\xe7\x81\xcc\x75\xf6\x36", 8, 16014, 2},
        {"\xd8\x50\x99\x09\x5a\xa3\x00\x16", 8, 7938, 1},
        {"\x5a\x67\x03\x6f\x9b\x54\x0d\x6b\x11", 9, 7395, 1},
        {"\x24\x17\x9c\x3d\xd9\xf7\x38\x17\xce\x6e\x11\x8d\x4a\xad\x6c", 15, 11437, 1},
        {"\xb6\xdd\x21\x0f\xaf\x94\xac\xd3\xcf\x92\xc1\x90\x23\x7c\xb1\x1f", 16, 3762, 7},
        {"\x5d\x10\x8c\xf2\x59\x30\x26\x39\x38\xb3\x70\xa1\xb5\x76\x9f\xa0\x95", 17, 5920, 1},
        {"\xa9\x0d\x9d\xf2\xf1\x30\xd6\x0f\xcf\x04\xbd\x93\xf5\x0a\xe6\x95\x14\xda\x8c\x65\x9c\xe2"
         "\xb1\x0c\xcc\xda\xeb\xf9\xd1\x98\x38",
         31, 6756, 4},
        {"\xdd\xd6\xc9\xe9\x9d\x44\x64\x84", 8, 12377, 32},
        {"\x86\x1a\xbd\xb5\xfe\x6a\x8f\xdb", 8, 12378, 33},
        {"\xe6\x69\xb8\x23\xfc\x97\xaf\x95", 8, 12395, 50},
        {"\xa8\xb5\x32\x16\x22\x69\xd5\xa2", 8, 12396, 51},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t place = hll_place(slice_make(cases[i].bytes, cases[i].len));

        print_message("%zu bytes, register %u, rank %u\n", cases[i].len, cases[i].place,
                      cases[i].rank);
        assert_int_equal(place >> 6, cases[i].place);
        assert_int_equal(place & 63, cases[i].rank);
    }
}

static void test_a_record_is_sorted_by_its_hour(void **state)
{
    const struct slice element = slice_make("\x37\x0d\x9e\x26", 4); /* register 11543, rank 8 */

    (void)state;
    assert_int_equal(hll_record(0, element), 11543 << 6 | 8);
    assert_int_equal(hll_record(23, element), 23 << 20 | 11543 << 6 | 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_are_where_redis_puts_them),
        cmocka_unit_test(test_a_record_is_sorted_by_its_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
