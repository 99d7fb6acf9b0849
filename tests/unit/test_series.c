/* Packed series: what is put is read, summing up changes no sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/series.h"

static struct slice slice_of_bytes(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

static void test_a_record_has_the_bytes_of_the_format(void **state)
{
    const struct {
        const char *name;
        struct series_point point;
        uint8_t bytes[SERIES_RECORD_LEN];
    } cases[] = {
        {"a click of a person",
         {COUNTER_DIM_LABEL, 0, 1, 0, false, 1},
         {0x80, 0x02, 0, 0, 0, 0, 0, 1}},
        {"the last hour, the highest kind and value, automated, the highest count",
         {COUNTER_DIM_CAMPAIGN, 23, 15, 65535, true, INT32_MAX},
         {0xaa, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}},
        {"the last day of a month, a country, one less",
         {COUNTER_DIM_COUNTRY, 31, 2, 'D' << 8 | 'E', false, -1},
         {0x87, 0xe4, 'D', 'E', 0xff, 0xff, 0xff, 0xff}},
        {"the lowest count",
         {COUNTER_DIM_DELAY, 1, 4, 14, true, INT32_MIN},
         {0xa4, 0x29, 0, 14, 0x80, 0, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t record[SERIES_RECORD_LEN];
        struct series_point point = {.count = 0};
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        series_put(record, &cases[i].point);
        assert_memory_equal(record, cases[i].bytes, sizeof(record));
        assert_true(series_next(slice_of_bytes(record, sizeof(record)), &at, &point));
        assert_int_equal(at, sizeof(record));
        assert_int_equal(point.dim, cases[i].point.dim);
        assert_int_equal(point.bucket, cases[i].point.bucket);
        assert_int_equal(point.kind, cases[i].point.kind);
        assert_int_equal(point.value, cases[i].point.value);
        assert_int_equal(point.automated, cases[i].point.automated);
        assert_int_equal(point.count, cases[i].point.count);
        assert_false(series_next(slice_of_bytes(record, sizeof(record)), &at, &point));
    }
}

static void test_what_is_sound(void **state)
{
    static const uint8_t good[SERIES_RECORD_LEN] = {0x80, 0x02, 0, 0, 0, 0, 0, 1};
    static const uint8_t head[SERIES_RECORD_LEN] = {'H', 'C', 'S', '1', 0, 0, 0, 16};
    static const uint8_t no_dim[SERIES_RECORD_LEN] = {
        0x80 | COUNTER_DIMS << 2, 0x02, 0, 0, 0, 0, 0, 1};
    static const uint8_t zero[SERIES_RECORD_LEN];
    const struct {
        const char *name;
        const uint8_t *first, *second;
        size_t len, n_read;
        bool sound;
    } cases[] = {
        {"nothing", zero, zero, 0, 0, true},
        {"two records", good, good, 16, 2, true},
        {"a record and a half", good, good, 12, 1, false},
        {"a head and a record", head, good, 16, 1, true},
        {"a head that isn't at the beginning", good, head, 16, 1, false},
        {"a dimension that there is not", good, no_dim, 16, 1, false},
        {"zeros", good, zero, 16, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[2 * SERIES_RECORD_LEN];
        struct series_point point;
        size_t at = 0, n = 0;

        print_message("%s\n", cases[i].name);
        memcpy(bytes, cases[i].first, SERIES_RECORD_LEN);
        memcpy(bytes + SERIES_RECORD_LEN, cases[i].second, SERIES_RECORD_LEN);
        assert_int_equal(series_is_sound(slice_of_bytes(bytes, cases[i].len)), cases[i].sound);
        while (series_next(slice_of_bytes(bytes, cases[i].len), &at, &point))
            n++;
        assert_int_equal(n, cases[i].n_read);
    }
}

static void test_a_head_that_claims_too_much_is_replaced(void **state)
{
    static const uint8_t series[16] = {'H', 'C', 'S', '1', 10, 0, 0, 0, 0x80, 2, 0, 0, 0, 0, 0, 1};
    uint64_t work[4];
    uint8_t out[24];
    size_t len;

    (void)state;
    for (size_t n = 8; n <= 16; n += 8) {
        len = series_compact(slice_of_bytes(series, n), work, out);
        assert_int_equal(len, n);
        assert_int_equal(series_base_len(slice_of_bytes(out, len)), len);
        assert_true(series_is_sound(slice_of_bytes(out, len)));
    }
}

static void test_the_base_is_what_the_head_says(void **state)
{
    const struct {
        const char *name;
        uint8_t bytes[16];
        size_t len, base_len;
    } cases[] = {
        {"no head", {0x80, 2, 0, 0, 0, 0, 0, 1, 0x80, 2, 0, 0, 0, 0, 0, 1}, 16, 0},
        {"all of it", {'H', 'C', 'S', '1', 0, 0, 0, 16, 0x80, 2, 0, 0, 0, 0, 0, 1}, 16, 16},
        {"the head alone", {'H', 'C', 'S', '1', 0, 0, 0, 8, 0x80, 2, 0, 0, 0, 0, 0, 1}, 16, 8},
        {"more than there is", {'H', 'C', 'S', '1', 0, 0, 0, 24, 0x80, 2}, 16, 0},
        {"half a head", {'H', 'C', 'S', '1'}, 4, 0},
        {"nothing", {0}, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(series_base_len(slice_of_bytes(cases[i].bytes, cases[i].len)),
                         cases[i].base_len);
    }
}

enum { N = 5000, KINDS = 3, BUCKETS = 24, VALUES = 40 };

static void add_up(struct slice series, int64_t sums[KINDS][BUCKETS][VALUES][2])
{
    struct series_point p;
    size_t at = 0;

    memset(sums, 0, KINDS * sizeof(*sums));
    while (series_next(series, &at, &p))
        sums[p.kind - 1][p.bucket][p.value][p.automated] += p.count;
}

static void test_summing_up_changes_no_sum(void **state)
{
    static int64_t before[KINDS][BUCKETS][VALUES][2], after[KINDS][BUCKETS][VALUES][2];
    static uint8_t series[N * SERIES_RECORD_LEN], out[sizeof(series) + SERIES_RECORD_LEN],
        again[sizeof(out)];
    static uint64_t work[2 * (N + 1)];
    uint32_t random = 20261122;
    size_t len, len_again, tail;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        struct series_point point = {.dim = COUNTER_DIM_CAMPAIGN};

        random = random * 1664525 + 1013904223;
        point.kind = 1 + (random >> 8) % KINDS;
        point.bucket = (random >> 12) % BUCKETS;
        point.value = (random >> 17) % VALUES;
        point.automated = random >> 30 & 1;
        point.count = (int32_t)(random >> 4 & 7) - 2;
        series_put(series + i * SERIES_RECORD_LEN, &point);
    }
    add_up(slice_of_bytes(series, sizeof(series)), before);
    len = series_compact(slice_of_bytes(series, sizeof(series)), work, out);
    add_up(slice_of_bytes(out, len), after);
    assert_memory_equal(before, after, sizeof(before));
    assert_true(series_is_sound(slice_of_bytes(out, len)));
    assert_int_equal(series_base_len(slice_of_bytes(out, len)), len);
    for (size_t at = 2 * SERIES_RECORD_LEN; at < len; at += SERIES_RECORD_LEN)
        assert_true(memcmp(out + at - SERIES_RECORD_LEN, out + at, 4) < 0);

    print_message("what was summed up and appended to is, too\n");
    tail = sizeof(series) - len;
    memcpy(out + len, series, tail);
    add_up(slice_of_bytes(out, len + tail), before);
    len_again = series_compact(slice_of_bytes(out, len + tail), work, again);
    add_up(slice_of_bytes(again, len_again), after);
    assert_memory_equal(before, after, sizeof(before));

    print_message("once more changes nothing\n");
    len = series_compact(slice_of_bytes(again, len_again), work, out);
    assert_int_equal(len, len_again);
    assert_memory_equal(out, again, len);
}

static void test_limits_of_summing_up(void **state)
{
    const struct {
        const char *name;
        int32_t counts[4];
        size_t n, n_after;
    } cases[] = {
        {"nothing", {0}, 0, 0},
        {"one", {5}, 1, 1},
        {"a click that was taken away leaves nothing", {1, -1}, 2, 0},
        {"the highest sum of one record", {INT32_MAX - 1, 1}, 2, 1},
        {"one more takes two", {INT32_MAX, 1}, 2, 2},
        {"the lowest sum of one record", {INT32_MIN + 1, -1}, 2, 1},
        {"one less takes two", {INT32_MIN, -1}, 2, 2},
        {"three of the highest", {INT32_MAX, INT32_MAX, INT32_MAX}, 3, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t series[4 * SERIES_RECORD_LEN], out[sizeof(series) + SERIES_RECORD_LEN];
        uint64_t work[8];
        struct series_point point = {COUNTER_DIM_LABEL, 3, 2, 1, true, 0};
        int64_t before = 0, after = 0;
        size_t len, at = 0, n = 0;

        print_message("%s\n", cases[i].name);
        for (size_t k = 0; k < cases[i].n; k++) {
            point.count = cases[i].counts[k];
            before += point.count;
            series_put(series + k * SERIES_RECORD_LEN, &point);
        }
        len = series_compact(slice_of_bytes(series, cases[i].n * SERIES_RECORD_LEN), work, out);
        while (series_next(slice_of_bytes(out, len), &at, &point)) {
            after += point.count;
            n++;
        }
        assert_int_equal(n, cases[i].n_after);
        assert_int_equal(after, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_has_the_bytes_of_the_format),
        cmocka_unit_test(test_what_is_sound),
        cmocka_unit_test(test_a_head_that_claims_too_much_is_replaced),
        cmocka_unit_test(test_the_base_is_what_the_head_says),
        cmocka_unit_test(test_summing_up_changes_no_sum),
        cmocka_unit_test(test_limits_of_summing_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
