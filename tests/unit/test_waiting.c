/* Clicks whose people are not counted yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/counter.h"
#include "proto/waiting.h"

enum { BOTH = WAITING_CAMPAIGN | WAITING_ALL };

static void test_a_record_is_read_as_it_was_written(void **state)
{
    const struct {
        const char *name;
        struct waiting who;
        unsigned scope;
        int n, n_campaign, n_all;
    } cases[] = {
        {"a client's click", {.id = 77, .brand = 7, .campaign = 12}, BOTH, 1, 1, 1},
        {"one that is taken back", {.id = 77, .brand = 7, .campaign = 12}, BOTH, -1, -1, -1},
        {"the campaign's alone", {.id = 77, .brand = 7, .campaign = 12}, WAITING_CAMPAIGN, 1, 1, 0},
        {"that of all alone", {.id = 77, .brand = 7, .campaign = 12}, WAITING_ALL, 1, 0, 1},
        {"the largest of all",
         {.id = UINT64_MAX, .brand = UINT32_MAX, .campaign = UINT16_MAX, .is_visitor = true},
         BOTH,
         WAITING_CHANGE_MAX,
         WAITING_CHANGE_MAX,
         WAITING_CHANGE_MAX},
        {"the least",
         {.id = 0},
         BOTH,
         -WAITING_CHANGE_MAX,
         -WAITING_CHANGE_MAX,
         -WAITING_CHANGE_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t record[WAITING_LEN + 1] = {0};
        struct waiting out;
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        waiting_put(record, &cases[i].who, cases[i].scope, cases[i].n);
        assert_true(waiting_next(slice_make((const char *)record, sizeof(record)), &at, &out));
        assert_int_equal(at, WAITING_LEN);
        assert_true(out.id == cases[i].who.id);
        assert_int_equal(out.brand, cases[i].who.brand);
        assert_int_equal(out.campaign, cases[i].who.campaign);
        assert_int_equal(out.is_visitor, cases[i].who.is_visitor);
        assert_int_equal(out.n_campaign, cases[i].n_campaign);
        assert_int_equal(out.n_all, cases[i].n_all);
        /* The byte behind it is no record. */
        assert_false(waiting_next(slice_make((const char *)record, sizeof(record)), &at, &out));
    }
}

static void test_who_is_left(void **state)
{
    struct waiting all[] = {
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1},
        {.id = 1, .brand = 7, .campaign = 1, .n_campaign = -1, .n_all = -1},
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1},
        {.id = 1, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1},
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = -1, .n_all = -1},
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1, .is_visitor = true},
        {.id = 2, .brand = 8, .campaign = 1, .n_campaign = -1, .n_all = -1},
        {.id = 2, .brand = 7, .campaign = 2, .n_campaign = 1},
    };
    const struct waiting want[] = {
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1},
        {.id = 2, .brand = 7, .campaign = 1, .n_campaign = 1, .n_all = 1, .is_visitor = true},
        {.id = 2, .brand = 7, .campaign = 2, .n_campaign = 1},
        {.id = 2, .brand = 8, .campaign = 1, .n_campaign = -1, .n_all = -1},
    };

    (void)state;
    assert_int_equal(waiting_sum(all, sizeof(all) / sizeof(all[0])), 4);
    for (size_t i = 0; i < 4; i++) {
        print_message("number %zu of those who are left\n", i);
        assert_true(all[i].id == want[i].id);
        assert_int_equal(all[i].brand, want[i].brand);
        assert_int_equal(all[i].campaign, want[i].campaign);
        assert_int_equal(all[i].is_visitor, want[i].is_visitor);
        assert_int_equal(all[i].n_campaign, want[i].n_campaign);
        assert_int_equal(all[i].n_all, want[i].n_all);
    }
    assert_int_equal(waiting_sum(all, 0), 0);
}

/* However a shard is split, each record is kept once for its campaign and once for all of them. */
static void test_parts_of_a_shard_keep_their_own(void **state)
{
    enum { N = 200, SHARDS = 16 };
    uint8_t records[N * WAITING_LEN];
    unsigned n_campaign = 0, n_all = 0;

    (void)state;
    for (unsigned s = 0; s < SHARDS; s++) {
        struct waiting who = {.brand = 7};
        struct slice kept;

        for (who.id = 0; who.id < N; who.id++) {
            who.campaign = (uint16_t)who.id;
            waiting_put(records + who.id * WAITING_LEN, &who, waiting_scope(7, who.campaign, 0, 1),
                        1);
        }
        kept = slice_make((const char *)records,
                          waiting_keep_shard(records, sizeof(records), s, SHARDS));
        for (size_t at = 0; waiting_next(kept, &at, &who);) {
            if (who.n_campaign)
                assert_int_equal(counter_shard_of_series(7, who.campaign, SHARDS), s);
            if (who.n_all)
                assert_int_equal(counter_shard_of_series(7, COUNTER_ALL_CAMPAIGNS, SHARDS), s);
            n_campaign += who.n_campaign == 1;
            n_all += who.n_all == 1;
        }
    }
    assert_int_equal(n_campaign, N);
    assert_int_equal(n_all, N);
}

static void test_slots(void **state)
{
    const struct {
        int64_t time_s;
        uint32_t want;
    } cases[] = {
        {-1, 0}, {0, 0}, {9, 0}, {10, 1}, {42949672959, UINT32_MAX}, {INT64_MAX, UINT32_MAX}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(waiting_slot(cases[i].time_s), cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_is_read_as_it_was_written),
        cmocka_unit_test(test_who_is_left),
        cmocka_unit_test(test_parts_of_a_shard_keep_their_own),
        cmocka_unit_test(test_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
