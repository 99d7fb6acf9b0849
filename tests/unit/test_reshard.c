/* Where keys go when there are other shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/reshard.h"

static void test_each_key_has_a_place(void **state)
{
    const struct {
        const char *name, *key;
        enum reshard_what what;
        unsigned shard, from, to;
    } cases[] = {
        {"the last table of links", "hc:{s03}:l:3ff", RESHARD_WHOLE, 3, 3, 15},
        {"the first table of objects", "hc:{s00}:o:000", RESHARD_WHOLE, 0, 0, 0},
        {"a table of clients in the middle", "hc:{s02}:c:200", RESHARD_WHOLE, 2, 2, 8},
        {"what was added to the last four", "hc:{s03}:la:ff", RESHARD_WHOLE, 3, 3, 15},
        {"and to tables in the middle", "hc:{s02}:ca:80", RESHARD_WHOLE, 2, 2, 8},
        {"a table of states", "hc:{s01}:e:1ff", RESHARD_WHOLE, 1, 1, 7},
        {"uses of a link", "hc:{s03}:n:ffc0000000000000", RESHARD_WHOLE, 3, 3, 15},
        {"a one-time link", "hc:{s03}:once:ffc0000000000000", RESHARD_WHOLE, 3, 3, 15},
        {"one that is in another shard than it should be", "hc:{s05}:l:3ff", RESHARD_WHOLE, 5, 3,
         15},
        {"names of campaigns", "hc:{s00}:names:00001234", RESHARD_WHOLE, 0, 0, 0},
        {"annotations", "hc:{s00}:notes:00001234", RESHARD_WHOLE, 0, 0, 0},
        {"saved views", "hc:{s00}:views:00001234", RESHARD_WHOLE, 0, 0, 0},
        {"links that share a view", "hc:{s00}:shares:00001234", RESHARD_WHOLE, 0, 0, 0},
        {"what was found at a page", "hc:{s00}:check:0123456789abcdef", RESHARD_WHOLE, 0, 0, 0},
        {"what was sent", "hc:{s00}:reports", RESHARD_WHOLE, 0, 0, 0},
        {"who looks at pages", "hc:{s00}:checker", RESHARD_ALONE, 0, 0, 0},
        {"a cursor", "hc:{s02}:cur:000102030405060708090a0b0c0d0eff", RESHARD_CURSOR, 2, 0, 0},
        {"an event", "hc:{s02}:ev:0123456789abcdef", RESHARD_EVENT, 2, 0, 0},
        {"a list of blocks", "hc:{s02}:fb:aabbccdd", RESHARD_BLOCKS, 2, 0, 0},
        {"one of a campaign", "hc:{s02}:fi:aabbccdd:12:202611", RESHARD_BLOCKS, 2, 0, 0},
        {"people who wait", "hc:{s02}:w:179584750", RESHARD_WAITING, 2, 0, 0},
        {"the slots of those", "hc:{s02}:ws", RESHARD_SLOTS, 2, 0, 0},
        {"the slots of those by older versions", "hc:{s02}:wq", RESHARD_LIST, 2, 0, 0},
        {"sums", "hc:{s02}:fs:aabbccdd:20261122", RESHARD_SUMS, 2, 0, 0},
        {"payments", "hc:{s02}:payments", RESHARD_TALLY, 2, 0, 0},
        {"what clients ask for", "hc:{s02}:told", RESHARD_TOLD, 2, 0, 0},
        {"links that clients used up", "hc:{s02}:used", RESHARD_TOLD, 2, 0, 0},
        {"how far an erasure is", "hc:{s00}:erasure:00000000000000ff", RESHARD_WHOLE, 0, 0, 0},
        {"a HyperLogLog for a moment", "hc:{s02}:moment", RESHARD_DROPPED, 2, 0, 0},
        {"the stream of states", "hc:{s02}:state", RESHARD_DROPPED, 2, 0, 0},
        {"what is staged", "hc:{s02}:new:payments", RESHARD_STAGED, 2, 0, 0},
        {"the number of shards stays", "hc:{s02}:shards", RESHARD_ALONE, 2, 0, 0},
        {"and the move itself", "hc:{s00}:reshard", RESHARD_ALONE, 0, 0, 0},
        {"and the audit log", "hc:{s00}:audit", RESHARD_ALONE, 0, 0, 0},
        {"and processes", "hc:{s00}:pods:498842", RESHARD_ALONE, 0, 0, 0},
        {"a table that can't be", "hc:{s00}:l:400", RESHARD_ALONE, 0, 0, 0},
        {"no such four", "hc:{s00}:la:100", RESHARD_ALONE, 0, 0, 0},
        {"a longer name", "hc:{s00}:payments2", RESHARD_ALONE, 0, 0, 0},
        {"another program's", "session:12", RESHARD_ALONE, 0, 0, 0},
        {"a sink's", "hc:{stream}:live", RESHARD_ALONE, 0, 0, 0},
    };
    const struct reshard_numbers n = {.from = 4, .to = 16};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reshard_key key;

        print_message("%s\n", cases[i].name);
        reshard_look_at(slice_of(cases[i].key), &n, &key);
        assert_int_equal(key.what, cases[i].what);
        assert_int_equal(key.shard, cases[i].shard);
        if (key.what == RESHARD_WHOLE) {
            assert_int_equal(key.from, cases[i].from);
            assert_int_equal(key.to, cases[i].to);
        }
    }
}

/* As counter.c makes the keys, so reshard.c finds their shards. */
static void test_keys_are_found_where_they_are_made(void **state)
{
    const struct reshard_numbers n = {.from = 16, .to = 64};

    (void)state;
    for (uint32_t i = 0; i < 500; i++) {
        struct counter_series series = {.brand = 0xaabbccdd,
                                        .campaign = i % 7 ? (int32_t)i : COUNTER_ALL_CAMPAIGNS};
        struct counter_people people = {.brand = 0xaabbccdd, .campaign = (int32_t)i};
        struct counter_cells cells = {.brand = 0xaabbccdd, .campaign = (uint16_t)i};
        struct counter_key keys[2][8];

        for (unsigned k = 0; k < 2; k++) {
            unsigned n_shards = k == 0 ? n.from : n.to;

            counter_key_series(&keys[k][0], &series, 1795348800, n_shards);
            counter_key_people(&keys[k][1], &people, 1795348800, n_shards);
            counter_key_block(&keys[k][2], 0xaabbccdd, i, n_shards);
            counter_key_claims(&keys[k][3], 0xaabbccdd, i, n_shards);
            counter_key_siblings(&keys[k][4], 0xaabbccdd, i, n_shards);
            counter_key_uses(&keys[k][5], (uint64_t)i << 50, n_shards);
            counter_key_cells(&keys[k][6], &cells, 1795348800, n_shards);
            counter_key_people_hours(&keys[k][7], &people, 1795348800, n_shards);
        }
        for (unsigned k = 0; k < 8; k++) {
            struct reshard_key key;
            struct counter_key to;

            reshard_look_at(counter_key_slice(&keys[0][k]), &n, &key);
            assert_int_equal(key.what, RESHARD_WHOLE);
            assert_int_equal(key.shard, key.from);
            assert_true(reshard_make_key(&to, key.to, key.name, false));
            assert_string_equal(to.text, keys[1][k].text);
        }
    }
}

static void test_shards_have_parts(void **state)
{
    const struct {
        struct reshard_numbers n;
        unsigned shard, first, n_parts;
    } cases[] = {
        {{1, 16}, 0, 0, 16}, {{4, 16}, 3, 12, 4}, {{16, 4}, 15, 3, 1},
        {{16, 4}, 3, 0, 1},  {{8, 8}, 5, 5, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned n_parts;

        assert_int_equal(reshard_parts(cases[i].shard, &cases[i].n, &n_parts), cases[i].first);
        assert_int_equal(n_parts, cases[i].n_parts);
    }
}

static void test_values(void **state)
{
    uint8_t blocks[4 * 100], sums[3 * 16] = {0};
    size_t kept = 0;
    unsigned shard = 99;

    (void)state;
    for (unsigned s = 0; s < 4; s++) { /* each block is kept by one shard */
        for (uint32_t i = 0; i < 100; i++)
            be32_store(blocks + 4 * (size_t)i, i);
        kept += reshard_keep_blocks(blocks, sizeof(blocks), 7, s, 4);
    }
    assert_int_equal(kept, sizeof(blocks));
    sums[2] = 0xff;
    sums[16 + 2] = 1;
    sums[32 + 2] = 2;
    assert_int_equal(reshard_drop_heads(sums, sizeof(sums)), 32);
    assert_int_equal(sums[2], 1);
    assert_int_equal(sums[16 + 2], 2);
    assert_true(reshard_event_shard(slice_of("3ff"), 16, &shard));
    assert_int_equal(shard, 15);
    assert_false(reshard_event_shard(slice_of(""), 16, &shard));
    assert_false(reshard_event_shard(slice_of("400"), 16, &shard));
    assert_false(reshard_event_shard(slice_of("3ff0"), 16, &shard));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_has_a_place),
        cmocka_unit_test(test_keys_are_found_where_they_are_made),
        cmocka_unit_test(test_shards_have_parts),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
