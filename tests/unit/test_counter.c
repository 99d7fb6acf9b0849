/* Keys and fields of counters: spelled as FORMATS.md says, and read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/counter.h"
#include "proto/token.h"

enum { NOON = 1795348800 }; /* 2026-11-22T12:00:00Z */

static void test_keys(void **state)
{
    static const uint8_t log_id[CLICK_LOG_ID_LEN] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                     8, 9, 10, 11, 12, 13, 14, 255};
    struct counter_series series = {0xaabbccdd, 12, COUNTER_HOURS, COUNTER_DIM_LABEL};
    struct counter_key key;
    struct counter_people people;

    (void)state;
    counter_key_cursor(&key, 0, log_id);
    assert_string_equal(key.text, "hc:{s00}:cur:000102030405060708090a0b0c0d0eff");
    counter_key_cursor(&key, 255, log_id);
    assert_string_equal(key.text, "hc:{sff}:cur:000102030405060708090a0b0c0d0eff");
    assert_int_equal(key.len, strlen(key.text));
    counter_key_rejected(&key, 7);
    assert_string_equal(key.text, "hc:{s07}:rejected");
    counter_key_audit(&key);
    assert_string_equal(key.text, "hc:{s00}:audit");
    counter_key_names(&key, 0x1234);
    assert_string_equal(key.text, "hc:{s00}:names:00001234");
    counter_key_kept(&key, COUNTER_ANNOTATIONS, 0x1234);
    assert_string_equal(key.text, "hc:{s00}:notes:00001234");
    counter_key_pods(&key, 7200);
    assert_string_equal(key.text, "hc:{s00}:pods:2");
    counter_key_table(&key, COUNTER_LINKS, 1023, 1);
    assert_string_equal(key.text, "hc:{s00}:l:3ff");
    counter_key_table(&key, COUNTER_OBJECTS, 1023, 256);
    assert_string_equal(key.text, "hc:{sff}:o:3ff");
    counter_key_table(&key, COUNTER_CLIENTS, 4, 256);
    assert_string_equal(key.text, "hc:{s01}:c:004");
    counter_key_added(&key, COUNTER_LINKS, 255, 1);
    assert_string_equal(key.text, "hc:{s00}:la:ff");
    counter_key_added(&key, COUNTER_CLIENTS, 255, 256);
    assert_string_equal(key.text, "hc:{sff}:ca:ff");
    counter_key_series(&key, &series, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:t:aabbccdd:12:h:20261122");
    series.interval = COUNTER_DAYS;
    counter_key_series(&key, &series, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:t:aabbccdd:12:d:202611");
    series.campaign = COUNTER_ALL_CAMPAIGNS;
    series.dim = COUNTER_DIM_CAMPAIGN;
    counter_key_series(&key, &series, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:t:aabbccdd:*:d:p:20261122");
    series.interval = COUNTER_MONTHS;
    counter_key_series(&key, &series, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:t:aabbccdd:*:m:p:202611");
    series.interval = COUNTER_HOURS;
    counter_key_series(&key, &series, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:t:aabbccdd:*:h:p:20261122");
    people = (struct counter_people){0xaabbccdd, 65535, COUNTER_PEOPLE_OF_DAY, false};
    counter_key_people(&key, &people, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:u:aabbccdd:65535:20261122");
    people =
        (struct counter_people){0xaabbccdd, COUNTER_ALL_CAMPAIGNS, COUNTER_PEOPLE_OF_MONTH, false};
    counter_key_people(&key, &people, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:u:aabbccdd:*:202611");
    people.are_visitors = true;
    counter_key_people(&key, &people, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:v:aabbccdd:*:202611");
    counter_key_people_hours(&key, &people, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:vh:aabbccdd:*:20261122");
    counter_key_moment(&key, 7);
    assert_string_equal(key.text, "hc:{s07}:moment");
    people.of = COUNTER_PEOPLE_OF_HOUR;
    counter_key_people(&key, &people, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:v:aabbccdd:*:2026112212");
    counter_key_people(&key, &people, NOON - 1 - 11 * 3600, 1);
    assert_string_equal(key.text, "hc:{s00}:v:aabbccdd:*:2026112200");
    assert_int_equal(counter_people_next_s(COUNTER_PEOPLE_OF_HOUR, NOON + 3599), NOON + 3600);
}

static void test_shards(void **state)
{
    unsigned hits[4] = {0};

    (void)state;
    assert_false(counter_n_shards_ok(0));
    assert_true(counter_n_shards_ok(1));
    assert_false(counter_n_shards_ok(3));
    assert_true(counter_n_shards_ok(256));
    assert_false(counter_n_shards_ok(512));
    assert_int_equal(counter_bucket_of_link(UINT64_MAX), COUNTER_BUCKETS - 1);
    assert_int_equal(counter_bucket_of_link(0), 0);
    assert_int_equal(counter_shard_of_bucket(COUNTER_BUCKETS - 1, 256), 255);
    assert_int_equal(counter_shard_of_bucket(COUNTER_BUCKETS - 1, 1), 0);
    /* Consecutive invoices are spread evenly. */
    for (uint32_t number = 1; number <= 4000; number++)
        hits[counter_shard_of_bucket(counter_bucket_of_item(0x1234, number), 4)]++;
    for (size_t i = 0; i < 4; i++)
        assert_in_range(hits[i], 900, 1100);
    for (int32_t campaign = -1; campaign < 1000; campaign++) {
        assert_in_range(counter_shard_of_series(0xffffffff, campaign, 16), 0, 15);
        assert_int_equal(counter_shard_of_series(0xffffffff, campaign, 1), 0);
    }
}

static void test_table_key_is_read_back(void **state)
{
    const char *bad[] = {"",
                         "hc:{s00}:l:3f",
                         "hc:{s00}:l:3fff",
                         "hc:{s00}:l:400",
                         "hc:{s00}:l:3FF",
                         "hc:{s00}:x:3ff",
                         "hx:{s00}:l:3ff",
                         "hc:{s00]:l:3ff",
                         "hc:{s00}:l-3ff"};
    enum counter_table table;
    unsigned bucket;

    (void)state;
    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned b = 0; b < COUNTER_BUCKETS; b += 31) {
            struct counter_key key;

            counter_key_table(&key, (enum counter_table)t, b, 16);
            assert_true(counter_table_parse(counter_key_slice(&key), &table, &bucket));
            assert_int_equal(table, t);
            assert_int_equal(bucket, b);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("not a table: '%s'\n", bad[i]);
        assert_false(counter_table_parse(slice_of(bad[i]), &table, &bucket));
    }
}

static void test_key_of_what_was_added_is_read_back(void **state)
{
    const char *bad[] = {"",
                         "hc:{s00}:la:f",
                         "hc:{s00}:la:fff",
                         "hc:{s00}:la:FF",
                         "hc:{s00}:ea:ff",
                         "hc:{s00}:l:3ff",
                         "hx:{s00}:la:ff",
                         "hc:{s00}:la-ff"};
    enum counter_table table;
    unsigned n;

    (void)state;
    for (unsigned t = 0; t < COUNTER_TABLES; t++) {
        for (unsigned q = 0; q < COUNTER_QUADS; q++) {
            struct counter_key added, key;

            counter_key_added(&added, (enum counter_table)t, q, 256);
            assert_true(counter_added_parse(counter_key_slice(&added), &table, &n));
            assert_int_equal(table, t);
            assert_int_equal(n, q);
            /* The four tables are of the same shard, however many there are. */
            for (unsigned i = 0; i < COUNTER_QUAD; i++) {
                counter_key_table(&key, (enum counter_table)t, COUNTER_QUAD * q + i, 256);
                assert_memory_equal(key.text, added.text, 9);
            }
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("not such a key: '%s'\n", bad[i]);
        assert_false(counter_added_parse(slice_of(bad[i]), &table, &n));
    }
}

static void test_periods(void **state)
{
    const struct {
        const char *name;
        int64_t time_s;
        const char *day, *month;
        unsigned hour, day_of_month;
        int64_t next_day_s, next_month_s;
    } cases[] = {
        {"the first second", 0, "19700101", "197001", 0, 1, 86400, 31 * 86400},
        {"a clock before 1970 counts as the first second", -1, "19700101", "197001", 0, 1, 0, 0},
        {"the last second of a day", NOON + 43199, "20261122", "202611", 23, 22, NOON + 43200,
         1796083200},
        {"the first second of the next", NOON + 43200, "20261123", "202611", 0, 23,
         NOON + 43200 + 86400, 1796083200},
        {"29 February", 1709164800, "20240229", "202402", 0, 29, 1709251200, 1709251200},
        {"28 February of a year without 29", 1677542400, "20230228", "202302", 0, 28, 1677628800,
         1677628800},
        {"1900 rules do not bite in 2000", 951782400, "20000229", "200002", 0, 29, 951868800,
         951868800},
        {"31 December", 1798675200, "20261231", "202612", 0, 31, 1798761600, 1798761600},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct counter_series series = {1, 0, COUNTER_HOURS, COUNTER_DIM_LABEL};
        struct counter_key key;

        print_message("%s\n", cases[i].name);
        counter_key_series(&key, &series, cases[i].time_s, 1);
        assert_string_equal(strrchr(key.text, ':') + 1, cases[i].day);
        series.interval = COUNTER_DAYS;
        counter_key_series(&key, &series, cases[i].time_s, 1);
        assert_string_equal(strrchr(key.text, ':') + 1, cases[i].month);
        assert_int_equal(counter_bucket_of_time(COUNTER_HOURS, cases[i].time_s), cases[i].hour);
        assert_int_equal(counter_bucket_of_time(COUNTER_DAYS, cases[i].time_s),
                         cases[i].day_of_month);
        assert_int_equal(counter_people_next_s(COUNTER_PEOPLE_OF_DAY, cases[i].time_s),
                         cases[i].next_day_s);
        assert_int_equal(counter_people_next_s(COUNTER_PEOPLE_OF_MONTH, cases[i].time_s),
                         cases[i].next_month_s);
    }
}

static void test_series_key_is_read_back(void **state)
{
    const int64_t times[] = {0, 1709164800, NOON, 1798761599, 253402300799};
    const int32_t campaigns[] = {COUNTER_ALL_CAMPAIGNS, 0, 7, 65535};
    struct counter_series out;
    struct counter_key key, again;
    unsigned shard;
    int64_t time_s;

    (void)state;
    for (size_t i = 0; i < 5 * 4 * 4 * COUNTER_DIMS; i++) {
        struct counter_series series = {
            .brand = 0xaabbccdd,
            .campaign = campaigns[i / 5 % 4],
            .interval = (enum counter_interval)(i / 20 % 4),
            .dim = (enum counter_dim)(i / 80),
        };
        int64_t at = times[i % 5];
        bool all = series.campaign == COUNTER_ALL_CAMPAIGNS;

        if (!all && series.interval == COUNTER_MONTHS)
            continue;
        counter_key_series(&key, &series, at, 16);
        assert_true(counter_series_parse(counter_key_slice(&key), &out, &shard, &time_s));
        assert_int_equal(out.brand, series.brand);
        assert_int_equal(out.campaign, series.campaign);
        assert_int_equal(out.interval, series.interval);
        assert_int_equal(out.dim,
                         all && series.interval != COUNTER_ALONE ? series.dim : COUNTER_DIM_LABEL);
        assert_int_equal(shard, counter_shard_of_series(series.brand, series.campaign, 16));
        assert_int_equal(time_s, counter_series_period(&series, at));
        assert_in_range(at - time_s, 0, 31 * 86400 - 1);
        counter_key_series(&again, &series, time_s, 16);
        assert_string_equal(again.text, key.text);
    }
}

static void test_what_is_no_series_key(void **state)
{
    static const char *const bad[] = {"",
                                      "hc:{s00}:t:",
                                      "hc:{s00}:t:aabbccdd",
                                      "hc:{s00}:t:aabbccdd:*:h:20261122",
                                      "hc:{s00}:t:aabbccdd:*:h:x:20261122",
                                      "hc:{s00}:t:aabbccdd:*:h:l:202611",
                                      "hc:{s00}:t:aabbccdd:*:d:l:202611",
                                      "hc:{s00}:t:aabbccdd:*:m:l:20261122",
                                      "hc:{s00}:t:aabbccdd:*:y:l:20261122",
                                      "hc:{s00}:t:aabbccdd:7:h:l:20261122",
                                      "hc:{s00}:t:aabbccdd:7:m:202611",
                                      "hc:{s00}:t:aabbccdd:7:a:20261122",
                                      "hc:{s00}:t:aabbccdd:*:a:l:202611",
                                      "hc:{s00}:t:aabbccdd:7:d:20261122",
                                      "hc:{s00}:t:aabbccdd:7:h:20261322",
                                      "hc:{s00}:t:aabbccdd:7:h:20260230",
                                      "hc:{s00}:t:aabbccdd:7:h:20261100",
                                      "hc:{s00}:t:aabbccdd:7:h:19691231",
                                      "hc:{s00}:t:aabbccdd:7:h:202611221",
                                      "hc:{s00}:t:aabbccdd:7:h:2026112x",
                                      "hc:{s00}:t:aabbccdd:65536:h:20261122",
                                      "hc:{s00}:t:aabbccdd::h:20261122",
                                      "hc:{s00}:t:aabbccdg:7:h:20261122",
                                      "hc:{s0g}:t:aabbccdd:7:h:20261122",
                                      "hc:{s00}:u:aabbccdd:7:20261122"};
    struct counter_series out;
    unsigned shard;
    int64_t time_s;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("no series: '%s'\n", bad[i]);
        assert_false(counter_series_parse(slice_of(bad[i]), &out, &shard, &time_s));
    }
}

static void test_keys_of_cells(void **state)
{
    static const char *const bad[] = {"",
                                      "hc:{s00}:x:",
                                      "hc:{s00}:x:aabbccdd:*:20261122",
                                      "hc:{s00}:x:aabbccdd:7:202611",
                                      "hc:{s00}:x:aabbccdd:65536:20261122",
                                      "hc:{s00}:x:aabbccdd:7:20260230",
                                      "hc:{s00}:x:aabbccdd:7:20261122:",
                                      "hc:{s00}:t:aabbccdd:7:20261122"};
    const struct counter_cells cells = {.brand = 0xaabbccdd, .campaign = 65535};
    struct counter_cells out;
    struct counter_key key;
    unsigned shard;
    int64_t time_s;

    (void)state;
    counter_key_cells(&key, &cells, NOON, 1);
    assert_string_equal(key.text, "hc:{s00}:x:aabbccdd:65535:20261122");
    counter_key_cells(&key, &cells, NOON, 16);
    assert_true(counter_cells_parse(counter_key_slice(&key), &out, &shard, &time_s));
    assert_int_equal(out.brand, cells.brand);
    assert_int_equal(out.campaign, cells.campaign);
    assert_int_equal(shard, counter_shard_of_series(cells.brand, cells.campaign, 16));
    assert_int_equal(time_s, NOON - 43200);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("no cells: '%s'\n", bad[i]);
        assert_false(counter_cells_parse(slice_of(bad[i]), &out, &shard, &time_s));
    }
}

static void test_delays(void **state)
{
    const struct {
        const char *name;
        int64_t delay_s;
        const char *want;
    } cases[] = {
        {"before the link was made, by clocks that disagree", -3600, "1m"},
        {"at once", 0, "1m"},
        {"a second short of a minute", 59, "1m"},
        {"a minute", 60, "5m"},
        {"a second short of an hour", 3599, "1h"},
        {"an hour", 3600, "3h"},
        {"a day", 86400, "2d"},
        {"a second short of 90 days", 90 * 86400 - 1, "90d"},
        {"90 days", 90 * 86400, "more"},
        {"ten years", 3650 * INT64_C(86400), "more"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct click click = {.issued_min = (NOON - TOKEN_EPOCH_S) / 60,
                              .time_ms = (NOON + cases[i].delay_s) * 1000};

        print_message("%s\n", cases[i].name);
        assert_string_equal(counter_delay_name(counter_delay_value(&click)), cases[i].want);
    }
    assert_null(counter_delay_name(COUNTER_DELAYS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_keys_of_cells),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_table_key_is_read_back),
        cmocka_unit_test(test_key_of_what_was_added_is_read_back),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_series_key_is_read_back),
        cmocka_unit_test(test_what_is_no_series_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
