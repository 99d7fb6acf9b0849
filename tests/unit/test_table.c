/* Packed tables: what is put is found, sums add up, compaction changes no sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/table.h"

static struct slice slice_of_bytes(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

/* In place; returns the new length. */
static size_t compact(uint8_t *table, size_t len)
{
    uint8_t *out = malloc(len + TABLE_RECORD_LEN);
    uint32_t *scratch = calloc(table_scratch_len(len), sizeof(*scratch));
    size_t new_len;

    assert_non_null(out);
    assert_non_null(scratch);
    memset(scratch, 0xff, table_scratch_len(len) * sizeof(*scratch));
    new_len = table_compact(slice_of_bytes(table, len), out, scratch);
    memcpy(table, out, new_len);
    free(out);
    free(scratch);
    return new_len;
}

static void assert_link_equal(const struct table_link *a, const struct table_link *b)
{
    assert_int_equal(a->human, b->human);
    assert_int_equal(a->automated, b->automated);
    assert_int_equal(a->first_s, b->first_s);
    assert_int_equal(a->last_s, b->last_s);
}

static void test_put_and_find_link(void **state)
{
    const struct {
        const char *name;
        struct table_link link;
        size_t len;
    } cases[] = {
        {"one human click", {1, 0, 1700000000, 1700000000}, 16},
        {"one automated click", {0, 1, 1700000000, 1700000000}, 16},
        {"a relabelling takes one away and adds one", {-1, 1, 5, 5}, 16},
        {"the most that fits in a span", {15, 15, 7, 7 + 0xffffff}, 16},
        {"a span that is a second too long takes two", {15, 15, 7, 8 + 0xffffff}, 32},
        {"a human count that is one too many for a span takes two", {16, 0, 7, 8}, 32},
        {"an automated count that is one too many for a span takes two", {0, 16, 7, 8}, 32},
        {"negative counts take no span", {-1, 0, 7, 8}, 32},
        {"the largest count of a click record", {INT16_MAX, INT16_MIN, 9, 9}, 16},
        {"a human count beyond 16 bits", {INT16_MAX + 1, 0, 9, 9}, 32},
        {"an automated count below 16 bits", {0, INT16_MIN - 1, 9, 9}, 32},
        {"counts beyond 32 bits, and a span", {INT64_C(1) << 40, INT64_C(1) << 33, 9, 10}, 64},
        {"the largest of all", {TABLE_COUNT_MAX, -TABLE_COUNT_MAX, 0, UINT32_MAX}, 64},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t table[TABLE_LINK_MAX];
        struct table_link found;
        size_t len;

        print_message("%s\n", cases[i].name);
        len = table_put_link(table, UINT64_C(0x00123456789abcde), &cases[i].link);
        assert_int_equal(len, cases[i].len);
        assert_true(table_is_sound(slice_of_bytes(table, len)));
        assert_true(
            table_find_link(slice_of_bytes(table, len), UINT64_C(0x00123456789abcde), &found));
        assert_link_equal(&found, &cases[i].link);
        assert_false(
            table_find_link(slice_of_bytes(table, len), UINT64_C(0x00123456789abcdf), &found));
        assert_int_equal(found.human, 0);
    }
}

static void test_counts_saturate(void **state)
{
    uint8_t table[2 * TABLE_LINK_MAX];
    struct table_link link = {INT64_MAX, INT64_MIN, 1, 1}, found;
    size_t len;

    (void)state;
    len = table_put_link(table, 9, &link);
    len += table_put_link(table + len, 9, &link);
    assert_true(table_find_link(slice_of_bytes(table, len), 9, &found));
    assert_int_equal(found.human, TABLE_COUNT_MAX);
    assert_int_equal(found.automated, -TABLE_COUNT_MAX);
}

static void test_items_add_up_by_kind(void **state)
{
    const struct table_increment increments[] = {
        {0xaabbccdd, 1234, 2, false, 5},
        {0xaabbccdd, 1234, 2, true, 7},
        {0xaabbccdd, 1234, 15, false, 1},
        {0xaabbccdd, 1234, 2, false, -2},
        {0xaabbccdd, 1234, 3, true, (INT64_C(1) << 47) - 1},
        {0xaabbccdd, 1234, 3, false, 1 - (INT64_C(1) << 47)},
        {0xaabbccdd, 1235, 2, false, 100},
        {0xaabbccde, 1234, 2, false, 100},
    };
    uint8_t table[sizeof(increments) / sizeof(increments[0]) * TABLE_RECORD_LEN + TABLE_RECORD_LEN];
    size_t len = 0;
    struct table_item item;

    (void)state;
    for (size_t i = 0; i < sizeof(increments) / sizeof(increments[0]); i++) {
        table_put_item(table + len, &increments[i]);
        len += TABLE_RECORD_LEN;
    }
    for (int compacted = 0; compacted < 2; compacted++) {
        assert_true(table_is_sound(slice_of_bytes(table, len)));
        assert_true(table_find_item(slice_of_bytes(table, len), 0xaabbccdd, 1234, &item));
        assert_int_equal(item.human[2], 3);
        assert_int_equal(item.automated[2], 7);
        assert_int_equal(item.human[15], 1);
        assert_int_equal(item.automated[3], (INT64_C(1) << 47) - 1);
        assert_int_equal(item.human[3], 1 - (INT64_C(1) << 47));
        assert_int_equal(item.human[0], 0);
        assert_false(table_find_item(slice_of_bytes(table, len), 0xaabbccdd, 1233, &item));
        assert_int_equal(item.human[2], 0);
        len = compact(table, len);
        assert_int_equal(len, 8 * TABLE_RECORD_LEN); /* one of eight went, the head came */
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Many clicks of few links: sums are the same before and after, however often it is compacted. */
static void test_compaction_keeps_every_sum(void **state)
{
    enum { LINKS = 50, CLICKS = 3000 };
    static uint8_t table[CLICKS * TABLE_LINK_MAX + TABLE_RECORD_LEN];
    struct table_link want[LINKS], found;
    uint32_t seed = 7;
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < LINKS; i++)
        want[i] = (struct table_link){.first_s = UINT32_MAX};
    for (size_t i = 0; i < CLICKS; i++) {
        size_t k = next_random(&seed) % LINKS;
        uint32_t time_s = 1000 + next_random(&seed) % 100000;
        struct table_link one = {(int64_t)(next_random(&seed) % 70000) - 100,
                                 next_random(&seed) % 3, time_s, time_s};

        len += table_put_link(table + len, UINT64_C(0x00ffee0000000000) + k, &one);
        want[k].human += one.human;
        want[k].automated += one.automated;
        want[k].first_s = time_s < want[k].first_s ? time_s : want[k].first_s;
        want[k].last_s = time_s > want[k].last_s ? time_s : want[k].last_s;
        if (i % 700 == 699) {
            assert_true(table_is_sound(slice_of_bytes(table, len)));
            len = compact(table, len);
            assert_int_equal(table_base_len(slice_of_bytes(table, len)), len);
            assert_true(len <= (LINKS * 4 + 1) * TABLE_RECORD_LEN);
        }
    }
    for (size_t i = 0; i < LINKS; i++) {
        assert_true(
            table_find_link(slice_of_bytes(table, len), UINT64_C(0x00ffee0000000000) + i, &found));
        assert_link_equal(&found, &want[i]);
    }
}

static void test_what_is_sound(void **state)
{
    uint8_t table[2 * TABLE_LINK_MAX] = {0};
    struct table_link one = {1, 0, 1, 1};
    size_t len = table_put_link(table, 1, &one);

    (void)state;
    print_message("nothing at all is\n");
    assert_true(table_is_sound(slice_make("", 0)));
    print_message("part of a record is not\n");
    assert_false(table_is_sound(slice_of_bytes(table, len - 1)));
    print_message("an unknown kind of record is not\n");
    table[len] = 6;
    assert_false(table_is_sound(slice_of_bytes(table, 2 * len)));
    print_message("nor is one of all zero\n");
    table[len] = 0;
    assert_false(table_is_sound(slice_of_bytes(table, 2 * len)));
    print_message("a head that isn't the first record is not\n");
    memcpy(table + len, "HCT1", 4);
    assert_false(table_is_sound(slice_of_bytes(table, 2 * len)));
    print_message("a head that claims more than there is counts as none\n");
    len = table_put_link(table, 1, &one);
    len = compact(table, len);
    assert_int_equal(table_base_len(slice_of_bytes(table, len)), len);
    be64_store(table + 8, len + 1);
    assert_int_equal(table_base_len(slice_of_bytes(table, len)), 0);
    print_message("and compacting mends it\n");
    assert_int_equal(compact(table, len), len);
    assert_int_equal(table_base_len(slice_of_bytes(table, len)), len);
    assert_true(table_is_sound(slice_of_bytes(table, len)));
}

/* Appends a count of `number` of `brand`; returns the table's new length. */
static size_t append_item(uint8_t *table, size_t len, uint32_t brand, uint32_t number, uint8_t kind)
{
    const struct table_increment one = {
        .brand = brand, .number = number, .kind = kind, .automated = kind == 2, .count = 3};

    table_put_item(table + len, &one);
    return len + TABLE_RECORD_LEN;
}

static void test_an_erased_client_is_gone(void **state)
{
    enum { BRAND = 0x01020304, CLIENT = 77 };
    static const uint8_t name[] = {5, 0, 0, 0, CLIENT, 1, 2, 3, 4};
    uint8_t table[16 * TABLE_RECORD_LEN], before[sizeof(table)];
    struct table_item item;
    size_t len = 0, base_len, new_len;

    (void)state;
    len = append_item(table, len, BRAND, CLIENT, 1);
    len = append_item(table, len, BRAND, CLIENT + 1, 1);
    len = append_item(table, len, BRAND + 1, CLIENT, 1);
    len = append_item(table, len, BRAND, CLIENT, 2);
    print_message("of a table that was compacted and has grown since\n");
    base_len = len = compact(table, len);
    len = append_item(table, len, BRAND, CLIENT, 1);
    len = append_item(table, len, BRAND, CLIENT + 1, 2);
    memcpy(before, table, len);

    print_message("one who isn't there changes nothing\n");
    assert_int_equal(table_erase_item(table, len, BRAND, CLIENT + 2), len);
    assert_memory_equal(table, before, len);
    print_message("each record that names the client is taken out, and no other\n");
    new_len = table_erase_item(table, len, BRAND, CLIENT);
    assert_int_equal(new_len, len - 3 * TABLE_RECORD_LEN);
    assert_null(memmem(table, new_len, name, sizeof(name)));
    assert_true(table_is_sound(slice_of_bytes(table, new_len)));
    assert_int_equal(table_base_len(slice_of_bytes(table, new_len)),
                     base_len - 2 * TABLE_RECORD_LEN);
    assert_false(table_find_item(slice_of_bytes(table, new_len), BRAND, CLIENT, &item));
    print_message("the next client of the brand, and the same number of another, stay\n");
    assert_true(table_find_item(slice_of_bytes(table, new_len), BRAND, CLIENT + 1, &item));
    assert_int_equal(item.human[1], 3);
    assert_int_equal(item.automated[2], 3);
    assert_true(table_find_item(slice_of_bytes(table, new_len), BRAND + 1, CLIENT, &item));
    assert_int_equal(item.human[1], 3);

    print_message("a table of nobody else becomes empty\n");
    len = append_item(table, 0, BRAND, CLIENT, 1);
    assert_int_equal(table_erase_item(table, len, BRAND, CLIENT), 0);
    print_message("and so does none\n");
    assert_int_equal(table_erase_item(table, 0, BRAND, CLIENT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_find_link),
        cmocka_unit_test(test_counts_saturate),
        cmocka_unit_test(test_items_add_up_by_kind),
        cmocka_unit_test(test_compaction_keeps_every_sum),
        cmocka_unit_test(test_what_is_sound),
        cmocka_unit_test(test_an_erased_client_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
