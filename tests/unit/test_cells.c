/* Cells: a click's record has the bytes of the format, each field is found again, summing up
 * changes no sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/cells.h"
#include "proto/token.h"

/* 2026-11-22T12:00:00Z */
enum { NOON_S = 1795348800, MANY = 3000 };

static struct slice slice_of_bytes(const uint8_t *bytes, size_t len)
{
    return slice_make((const char *)bytes, len);
}

static struct click a_click(void)
{
    return (struct click){
        .time_ms = INT64_C(1000) * NOON_S,
        .issued_min = (NOON_S - TOKEN_EPOCH_S) / 60,
        .country = {'D', 'E'},
        .kind = 2,
        .channel = 1,
        .variant = 3,
        .device = CLICK_DEVICE_PHONE,
        .browser = 5,
        .system = 6,
        .referrer = CLICK_REFERRER_MAIL,
    };
}

/* The cell of a click more (1) or less (-1) of that label. */
static uint64_t cell_of(const struct click *click, unsigned label, unsigned reason, int count)
{
    struct lone lone = lone_of_click(click, label, reason, count);

    return cells_of_lone(&lone);
}

static void test_a_record_has_the_bytes_of_the_format(void **state)
{
    struct click most = {.time_ms = (NOON_S + 11 * 3600) * INT64_C(1000),
                         .country = {'Z', 'Z'},
                         .kind = 15,
                         .channel = 7,
                         .variant = 7,
                         .device = 3,
                         .browser = 15,
                         .system = 15,
                         .referrer = 7},
                 none = {.time_ms = -1, .kind = 1}, usual = a_click();
    const struct {
        const char *name;
        const struct click *click;
        unsigned label, reason;
        int delta;
        uint8_t bytes[CELLS_RECORD_LEN];
        uint16_t fields[CELLS_FIELDS]; /* hour, kind, country … */
    } cases[] = {
        {"a usual one",
         &usual,
         CLICK_HUMAN,
         0,
         1,
         {0x98, 0x42, 0x9a, 0xac, 0x59, 0x00, 0x00, 0x01},
         {12, 2, 1 + 3 * 26 + 4, 1, 5, 6, 1, 3, 1, 0, 0, 0}},
        {"the highest numbers",
         &most,
         7,
         63,
         -1,
         {0xaf, 0xf5, 0x27, 0xff, 0xff, 0xff, 0xf7, 0xff},
         {23, 15, 676, 3, 15, 15, 7, 7, 7, 7, 63, 14}},
        {"a reason that is not told apart",
         &usual,
         CLICK_BOT,
         200,
         1,
         {0x98, 0x42, 0x9a, 0xac, 0x59, 0x5f, 0x80, 0x01},
         {12, 2, 1 + 3 * 26 + 4, 1, 5, 6, 1, 3, 1, CLICK_BOT, 63, 0}},
        {"nothing is known, before 1970",
         &none,
         CLICK_HUMAN,
         0,
         1,
         {0x80, 0x20, 0, 0, 0, 0, 0, 1},
         {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t record = cell_of(cases[i].click, cases[i].label, cases[i].reason, cases[i].delta);
        uint8_t bytes[CELLS_RECORD_LEN];
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        cells_put(bytes, record);
        assert_memory_equal(bytes, cases[i].bytes, sizeof(bytes));
        assert_true(cells_next(slice_of_bytes(bytes, sizeof(bytes)), &at, &record));
        assert_int_equal(cells_count(record), cases[i].delta);
        for (unsigned field = 0; field < CELLS_FIELDS; field++)
            assert_int_equal(cells_value(record, (enum cells_field)field), cases[i].fields[field]);
        assert_false(cells_next(slice_of_bytes(bytes, sizeof(bytes)), &at, &record));
    }
}

static void test_each_country_is_read_back(void **state)
{
    (void)state;
    for (unsigned field = 0; field <= 26 * 26; field++)
        assert_int_equal(cells_country(cells_country_of_series(field)), field);
    assert_int_equal(cells_country_of_series(1 + 3 * 26 + 4), 'D' << 8 | 'E');
}

/* A dimension that is added to the series needs a place in cells too, or to be left out by intent.
 */
static void test_which_dimensions_there_are(void **state)
{
    bool seen[CELLS_FIELDS + 1] = {false};
    unsigned n = 0;

    (void)state;
    for (unsigned dim = 0; dim < COUNTER_DIMS; dim++) {
        enum cells_field field = cells_field_of((enum counter_dim)dim);

        if (field == CELLS_FIELDS)
            continue;
        assert_false(seen[field]);
        seen[field] = true;
        n++;
    }
    assert_int_equal(n, COUNTER_DIMS - 2);
}

static void test_what_is_sound(void **state)
{
    static const uint8_t good[CELLS_RECORD_LEN] = {0x80, 0x20, 0, 0, 0, 0, 0, 1};
    static const uint8_t head[CELLS_RECORD_LEN] = {'H', 'C', 'X', '1', 0, 0, 0, 16};
    static const uint8_t series[CELLS_RECORD_LEN] = {'H', 'C', 'S', '1', 0, 0, 0, 16};
    static const uint8_t zero[CELLS_RECORD_LEN];
    const struct {
        const char *name;
        const uint8_t *first, *second;
        size_t len, n_read, base_len;
        bool sound;
    } cases[] = {
        {"nothing", zero, zero, 0, 0, 0, true},
        {"two records", good, good, 16, 2, 0, true},
        {"a record and a half", good, good, 12, 1, 0, false},
        {"a head and a record", head, good, 16, 1, 16, true},
        {"a head that says too much", head, good, 8, 0, 0, true},
        {"a head that isn't at the beginning", good, head, 16, 1, 0, false},
        {"the head of a series", series, good, 16, 1, 0, false},
        {"zeros", good, zero, 16, 1, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[2 * CELLS_RECORD_LEN];
        struct slice cells = slice_of_bytes(bytes, cases[i].len);
        uint64_t record;
        size_t at = 0, n = 0;

        print_message("%s\n", cases[i].name);
        memcpy(bytes, cases[i].first, CELLS_RECORD_LEN);
        memcpy(bytes + CELLS_RECORD_LEN, cases[i].second, CELLS_RECORD_LEN);
        assert_int_equal(cells_are_sound(cells), cases[i].sound);
        assert_int_equal(cells_base_len(cells), cases[i].base_len);
        while (cells_next(cells, &at, &record))
            n++;
        assert_int_equal(n, cases[i].n_read);
    }
}

/* Sums the counts of records with one value of a field; all of them with CELLS_FIELDS. */
static int64_t sum_of(struct slice cells, enum cells_field field, unsigned value)
{
    int64_t sum = 0;
    uint64_t record;
    size_t at = 0;

    while (cells_next(cells, &at, &record)) {
        if (field == CELLS_FIELDS || cells_value(record, field) == value)
            sum += cells_count(record);
    }
    return sum;
}

static size_t sum_up(struct slice cells, uint8_t *out)
{
    uint64_t *work = malloc(2 * cells.len + 1);
    size_t len = cells_compact(cells, work, out);

    free(work);
    assert_true(len <= cells.len + CELLS_RECORD_LEN);
    assert_true(cells_are_sound(slice_of_bytes(out, len)));
    assert_int_equal(cells_base_len(slice_of_bytes(out, len)), len);
    return len;
}

static void test_summing_up(void **state)
{
    const struct {
        const char *name;
        size_t n;
        int count; /* of each record, all of one cell */
        size_t n_left;
    } cases[] = {
        {"nothing", 0, 1, 0},
        {"one", 1, 1, 1},
        {"as many as a record holds", CELLS_COUNT_MAX, 1, 1},
        {"one more", CELLS_COUNT_MAX + 1, 1, 2},
        {"as few as a record holds", -CELLS_COUNT_MIN, -1, 1},
        {"one less", 1 - CELLS_COUNT_MIN, -1, 2},
        {"records that are full", 7, CELLS_COUNT_MIN, 7},
        {"records that are full, the other way", 7, CELLS_COUNT_MAX, 7},
    };
    struct click click = a_click();
    uint64_t cell = cell_of(&click, CLICK_HUMAN, 0, 0);
    uint8_t *bytes = malloc(MANY * CELLS_RECORD_LEN), *out = malloc((MANY + 1) * CELLS_RECORD_LEN);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice cells = slice_of_bytes(bytes, cases[i].n * CELLS_RECORD_LEN);
        size_t len;

        print_message("%s\n", cases[i].name);
        for (size_t n = 0; n < cases[i].n; n++)
            cells_put(bytes + n * CELLS_RECORD_LEN, cell | ((unsigned)cases[i].count & 0x7ff));
        len = sum_up(cells, out);
        assert_int_equal(len, (cases[i].n_left + 1) * CELLS_RECORD_LEN);
        assert_int_equal(sum_of(slice_of_bytes(out, len), CELLS_FIELDS, 0),
                         (int64_t)cases[i].n * cases[i].count);
    }

    print_message("random clicks, and those that are relabelled\n");
    for (size_t i = 0; i < MANY; i++) {
        click.country[1] = (char)('A' + rand() % 3);
        click.device = (uint8_t)(rand() % 4);
        click.kind = (uint8_t)(1 + rand() % 3);
        cells_put(bytes + i * CELLS_RECORD_LEN,
                  cell_of(&click, (unsigned)rand() % 2, 0, rand() % 4 ? 1 : -1));
    }
    for (size_t done = 0; done < 2; done++) { /* the second time with a head before them */
        struct slice cells = slice_of_bytes(bytes, (MANY - done) * CELLS_RECORD_LEN);
        struct slice summed = slice_of_bytes(out, sum_up(cells, out));

        assert_true(summed.len <= (3 * 4 * 3 * 2 + 1) * CELLS_RECORD_LEN);
        for (unsigned field = 0; field < CELLS_FIELDS; field++) {
            for (unsigned value = 0; value < 1 << CELLS_VALUE_BITS; value++)
                assert_int_equal(sum_of(summed, (enum cells_field)field, value),
                                 sum_of(cells, (enum cells_field)field, value));
        }
        memcpy(bytes, out, summed.len);
    }
    free(bytes);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_has_the_bytes_of_the_format),
        cmocka_unit_test(test_each_country_is_read_back),
        cmocka_unit_test(test_which_dimensions_there_are),
        cmocka_unit_test(test_what_is_sound),
        cmocka_unit_test(test_summing_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
