/* Lone clicks: what is put is read, summing up changes no sum, and they count what series would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/lone.h"

static struct slice slice_of_bytes(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

static void test_a_record_has_the_bytes_of_the_format(void **state)
{
    const struct {
        const char *name;
        struct lone lone;
        uint8_t bytes[LONE_LEN];
    } cases[] = {
        {"a click by a person",
         {.day = 22, .hour = 12, .kind = 2, .count = 1, .country = 'D' << 8 | 'E', .campaign = 12},
         {0xd6, 0x60, 0x20, 0, 0, 12, 'D', 'E', 0, 0, 0, 1}},
        {"the highest of each",
         {31, 23, 15, 127, 7, 15, 7, 7, 255, 15, 15, 15, 15, 'Z' << 8 | 'Z', 65535},
         {0xdf, 0xbf, 0xff, 0x3f, 0xff, 0xff, 'Z', 'Z', 255, 0xff, 0xff, 127}},
        {"one that is taken away",
         {.day = 1,
          .kind = 1,
          .count = -1,
          .label = 1,
          .device = 2,
          .variant = 3,
          .channel = 4,
          .reason = 5,
          .browser = 6,
          .system = 7,
          .referrer = 8,
          .delay = 9},
         {0xc1, 0x01, 0x12, 0x1c, 0, 0, 0, 0, 5, 0x67, 0x89, 0xff}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t record[LONE_LEN], again[LONE_LEN];
        struct lone lone;
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        lone_put(record, &cases[i].lone);
        assert_memory_equal(record, cases[i].bytes, sizeof(record));
        assert_true(lone_next(slice_of_bytes(record, sizeof(record)), &at, &lone));
        assert_int_equal(lone.count, cases[i].lone.count);
        lone_put(again, &lone);
        assert_memory_equal(again, record, sizeof(record));
        assert_false(lone_next(slice_of_bytes(record, sizeof(record)), &at, &lone));
    }
}

static void test_it_counts_what_series_would(void **state)
{
    const struct lone lone = {
        .day = 22,
        .hour = 12,
        .kind = 2,
        .count = 1,
        .label = CLICK_SCANNER,
        .device = CLICK_DEVICE_PHONE,
        .variant = 3,
        .channel = 1,
        .reason = 9,
        .browser = 5,
        .system = 6,
        .referrer = CLICK_REFERRER_MAIL,
        .delay = 3,
        .country = 'D' << 8 | 'E',
        .campaign = 12,
    };
    const struct {
        enum counter_dim dim;
        unsigned value;
    } cases[] = {
        {COUNTER_DIM_LABEL, CLICK_SCANNER},
        {COUNTER_DIM_COUNTRY, 'D' << 8 | 'E'},
        {COUNTER_DIM_DEVICE, CLICK_DEVICE_PHONE},
        {COUNTER_DIM_VARIANT, 3},
        {COUNTER_DIM_CHANNEL, 1},
        {COUNTER_DIM_REASON, 9},
        {COUNTER_DIM_BROWSER, 5},
        {COUNTER_DIM_SYSTEM, 6},
        {COUNTER_DIM_REFERRER, CLICK_REFERRER_MAIL},
        {COUNTER_DIM_DELAY, 3},
        {COUNTER_DIM_CAMPAIGN, 12},
    };
    struct series_point point;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("dimension %d\n", (int)cases[i].dim);
        assert_true(lone_point(&lone, COUNTER_HOURS, cases[i].dim, &point));
        assert_int_equal(point.dim, cases[i].dim);
        assert_int_equal(point.value, cases[i].value);
        assert_int_equal(point.bucket, 12);
        assert_int_equal(point.kind, 2);
        assert_int_equal(point.count, 1);
        assert_true(point.automated);
    }
    assert_true(lone_point(&lone, COUNTER_DAYS, COUNTER_DIM_LABEL, &point));
    assert_int_equal(point.bucket, 22);
    assert_true(lone_point(&lone, COUNTER_MONTHS, COUNTER_DIM_LABEL, &point));
    assert_int_equal(point.bucket, 0);
    assert_false(lone_point(&lone, COUNTER_HOURS, COUNTER_DIM_PAGE, &point));
}

static void test_what_is_sound(void **state)
{
    const struct {
        const char *name;
        size_t len;
        uint8_t bytes[2 * LONE_LEN];
        bool is_sound;
        unsigned n;
    } cases[] = {
        {"nothing", 0, {0}, true, 0},
        {"a head", LONE_LEN, {'H', 'C', 'S', '1'}, true, 0},
        {"a record behind a head", 2 * LONE_LEN, {[0] = 'H', 'C', 'S', '1', [12] = 0xc1}, true, 1},
        {"a head behind a record", 2 * LONE_LEN, {[0] = 0xc1, [12] = 'H', 'C', 'S', '1'}, false, 1},
        {"a record of a series", LONE_LEN, {0x80, 2}, false, 0},
        {"half a record", 6, {0xc1}, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice text = slice_of_bytes(cases[i].bytes, cases[i].len);
        struct lone lone;
        size_t at = 0;
        unsigned n = 0;

        print_message("%s\n", cases[i].name);
        assert_int_equal(lone_is_sound(text), cases[i].is_sound);
        while (lone_next(text, &at, &lone))
            n++;
        assert_int_equal(n, cases[i].n);
    }
}

enum { DAYS = 4, LABELS = 3, N = 5000 };

static void add_up(struct slice records, int64_t sums[DAYS][LABELS])
{
    struct lone lone;
    size_t at = 0;

    memset(sums, 0, DAYS * sizeof(sums[0]));
    while (lone_next(records, &at, &lone))
        sums[lone.day][lone.label] += lone.count;
}

static void test_summing_up_changes_no_sum(void **state)
{
    static uint8_t records[N * LONE_LEN];
    int64_t before[DAYS][LABELS], after[DAYS][LABELS];
    unsigned seed = 1;
    size_t n;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        struct lone lone = {.kind = 1};

        seed = seed * 1103515245 + 12345;
        lone.day = (uint8_t)(1 + (seed >> 16) % (DAYS - 1));
        lone.label = (uint8_t)((seed >> 20) % LABELS);
        lone.count = (seed >> 24) % 4 ? 1 : -1;
        lone_put(records + i * LONE_LEN, &lone);
    }
    add_up(slice_of_bytes(records, sizeof(records)), before);
    n = lone_sum_up(records, N);
    add_up(slice_of_bytes(records, n * LONE_LEN), after);
    assert_memory_equal(before, after, sizeof(before));
    /* A count has 8 bits. */
    assert_in_range(n, (DAYS - 1) * LABELS, (DAYS - 1) * LABELS + N / 127);
    for (size_t i = 1; i < n; i++)
        assert_true(memcmp(records + (i - 1) * LONE_LEN, records + i * LONE_LEN, LONE_LEN) <= 0 ||
                    memcmp(records + (i - 1) * LONE_LEN, records + i * LONE_LEN, LONE_LEN - 1) ==
                        0);

    print_message("what comes to 0 is left out\n");
    for (int i = 0; i < 2; i++)
        lone_put(records + (size_t)i * LONE_LEN,
                 &(struct lone){.day = 1, .kind = 1, .count = (int8_t)(i ? -1 : 1)});
    assert_int_equal(lone_sum_up(records, 2), 0);
    assert_int_equal(lone_sum_up(records, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_has_the_bytes_of_the_format),
        cmocka_unit_test(test_it_counts_what_series_would),
        cmocka_unit_test(test_what_is_sound),
        cmocka_unit_test(test_summing_up_changes_no_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
