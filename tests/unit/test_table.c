/* Packed tables: what is put is found, sums add up, compaction changes no sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/counter.h"
#include "proto/table.h"

static struct slice slice_of_bytes(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

enum { GENERATION = 0x7edcba98 };

static const struct slice none;

/* In place; returns the new length. */
static size_t compact(uint8_t *table, size_t len)
{
    uint8_t *out = malloc(len + TABLE_RECORD_LEN);
    uint32_t *scratch = calloc(table_scratch_len(len), sizeof(*scratch));
    size_t new_len;

    assert_non_null(out);
    assert_non_null(scratch);
    memset(scratch, 0xff, table_scratch_len(len) * sizeof(*scratch));
    new_len = table_compact(slice_of_bytes(table, len), GENERATION, out, scratch);
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
        assert_true(table_find_link(slice_of_bytes(table, len), none, UINT64_C(0x00123456789abcde),
                                    &found));
        assert_link_equal(&found, &cases[i].link);
        assert_false(table_find_link(slice_of_bytes(table, len), none, UINT64_C(0x00123456789abcdf),
                                     &found));
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
    assert_true(table_find_link(slice_of_bytes(table, len), none, 9, &found));
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
        assert_true(table_find_item(slice_of_bytes(table, len), none, 0xaabbccdd, 1234, &item));
        assert_int_equal(item.human[2], 3);
        assert_int_equal(item.automated[2], 7);
        assert_int_equal(item.human[15], 1);
        assert_int_equal(item.automated[3], (INT64_C(1) << 47) - 1);
        assert_int_equal(item.human[3], 1 - (INT64_C(1) << 47));
        assert_int_equal(item.human[0], 0);
        assert_false(table_find_item(slice_of_bytes(table, len), none, 0xaabbccdd, 1233, &item));
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
            assert_int_equal(table_generation(slice_of_bytes(table, len)), GENERATION);
            assert_true(len <= (LINKS * 4 + 1) * TABLE_RECORD_LEN);
        }
    }
    for (size_t i = 0; i < LINKS; i++) {
        assert_true(table_find_link(slice_of_bytes(table, len), none,
                                    UINT64_C(0x00ffee0000000000) + i, &found));
        assert_link_equal(&found, &want[i]);
    }
}

/* Each record that was added goes to one of the four tables, and to that of its bucket. */
static void test_what_was_added_goes_to_its_table(void **state)
{
    enum { N = 2000, BRAND = 0x01020304 };
    static uint8_t added[N * TABLE_RECORD_LEN], taken[N * TABLE_RECORD_LEN];
    size_t len = 0, taken_len = 0, at;
    uint32_t seed = 11;

    (void)state;
    print_message("links\n");
    for (size_t i = 0; i < N; i++) {
        const struct table_link one = {1, 0, 1, 1};
        uint64_t id = (uint64_t)next_random(&seed) << 40 | (uint64_t)next_random(&seed) << 16 | i;

        /* One quad: the highest byte is the same. */
        len += table_put_link(added + len, (id & UINT64_C(0xffffffffffffff)) | UINT64_C(7) << 56,
                              &one);
    }
    for (unsigned i = 0; i < COUNTER_QUAD; i++) {
        struct table_link link;
        uint64_t low;

        at = taken_len;
        taken_len = table_take_added(slice_of_bytes(added, len), i, taken, taken_len);
        assert_in_range(taken_len - at, N / 5 * TABLE_RECORD_LEN, N / 3 * TABLE_RECORD_LEN);
        while (table_next_link(slice_of_bytes(taken, taken_len), &at, &low, &link))
            assert_int_equal(counter_bucket_of_link(UINT64_C(7) << 56 | low), 4 * 7 + i);
    }
    assert_int_equal(taken_len, len);

    print_message("items\n");
    len = taken_len = 0;
    for (uint32_t number = 1; len < sizeof(added); number++) {
        const struct table_increment one = {BRAND, number, 1, false, 1};

        if (counter_bucket_of_item(BRAND, number) / COUNTER_QUAD != 9)
            continue;
        table_put_item(added + len, &one);
        len += TABLE_RECORD_LEN;
    }
    for (unsigned i = 0; i < COUNTER_QUAD; i++) {
        struct table_increment item;

        at = taken_len;
        taken_len = table_take_added(slice_of_bytes(added, len), i, taken, taken_len);
        assert_in_range(taken_len - at, N / 5 * TABLE_RECORD_LEN, N / 3 * TABLE_RECORD_LEN);
        while (table_next_item(slice_of_bytes(taken, taken_len), &at, &item))
            assert_int_equal(counter_bucket_of_item(item.brand, item.number), 4 * 9 + i);
    }
    assert_int_equal(taken_len, len);
}

/* A link is found in the table, in what was added, and in both. */
static void test_both_parts_are_summed_up(void **state)
{
    const struct table_link first = {3, 1, 500, 700}, second = {4, 0, 100, 600};
    const struct table_increment one = {1, 2, 3, false, 5};
    uint8_t table[2 * TABLE_LINK_MAX], added[TABLE_LINK_MAX];
    size_t len = table_put_link(table, 9, &first), added_len = table_put_link(added, 9, &second);
    struct slice both[2];
    struct table_link link;
    struct table_item item;

    (void)state;
    len = compact(table, len);
    both[0] = slice_of_bytes(table, len);
    both[1] = slice_of_bytes(added, added_len);
    assert_true(table_find_link(both[0], both[1], 9, &link));
    assert_link_equal(&link, &((struct table_link){7, 1, 100, 700}));
    assert_true(table_find_link(both[0], none, 9, &link));
    assert_link_equal(&link, &first);
    assert_true(table_find_link(none, both[1], 9, &link));
    assert_link_equal(&link, &second);
    assert_false(table_find_link(both[0], both[1], 8, &link));
    assert_link_equal(&link, &((struct table_link){0}));
    table_put_item(added, &one);
    both[1] = slice_of_bytes(added, TABLE_RECORD_LEN);
    assert_true(table_find_item(both[1], both[1], 1, 2, &item));
    assert_int_equal(item.human[3], 10);
    assert_false(table_find_item(both[0], none, 1, 2, &item));
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
    print_message("a table whose head claims another length has no generation\n");
    len = table_put_link(table, 1, &one);
    len = compact(table, len);
    assert_int_equal(table_generation(slice_of_bytes(table, len)), GENERATION);
    be64_store(table + 8, len + 1);
    assert_int_equal(table_generation(slice_of_bytes(table, len)), 0);
    print_message("nor has one that an older build has added to\n");
    be64_store(table + 8, len);
    assert_int_equal(table_put_link(table + len, 2, &one), TABLE_RECORD_LEN);
    assert_int_equal(table_generation(slice_of_bytes(table, len + TABLE_RECORD_LEN)), 0);
    print_message("and compacting mends it\n");
    len = compact(table, len + TABLE_RECORD_LEN);
    assert_int_equal(table_generation(slice_of_bytes(table, len)), GENERATION);
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
    size_t len = 0, new_len;

    (void)state;
    len = append_item(table, len, BRAND, CLIENT, 1);
    len = append_item(table, len, BRAND, CLIENT + 1, 1);
    len = append_item(table, len, BRAND + 1, CLIENT, 1);
    len = append_item(table, len, BRAND, CLIENT, 2);
    print_message("of a table that an older build has added to\n");
    len = compact(table, len);
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
    assert_false(table_find_item(slice_of_bytes(table, new_len), none, BRAND, CLIENT, &item));
    print_message("the next client of the brand, and the same number of another, stay\n");
    assert_true(table_find_item(slice_of_bytes(table, new_len), none, BRAND, CLIENT + 1, &item));
    assert_int_equal(item.human[1], 3);
    assert_int_equal(item.automated[2], 3);
    assert_true(table_find_item(slice_of_bytes(table, new_len), none, BRAND + 1, CLIENT, &item));
    assert_int_equal(item.human[1], 3);

    print_message("a table gets another generation, and a head that is right\n");
    len = compact(table, new_len);
    assert_int_equal(table_generation(slice_of_bytes(table, len)), GENERATION);
    new_len = table_erase_item(table, len, BRAND, CLIENT + 1);
    assert_int_equal(table_generation(slice_of_bytes(table, new_len)), GENERATION + 1);

    print_message("also when an older build has added as many records as go\n");
    len = append_item(table, 0, BRAND, CLIENT, 1);
    len = compact(table, len);
    new_len = append_item(table, len, BRAND, CLIENT + 1, 1);
    assert_int_equal(table_erase_item(table, new_len, BRAND, CLIENT), len);
    assert_int_not_equal(table_generation(slice_of_bytes(table, len)), GENERATION);

    print_message("a string of nobody else becomes empty\n");
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
        cmocka_unit_test(test_what_was_added_goes_to_its_table),
        cmocka_unit_test(test_both_parts_are_summed_up),
        cmocka_unit_test(test_what_is_sound),
        cmocka_unit_test(test_an_erased_client_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
