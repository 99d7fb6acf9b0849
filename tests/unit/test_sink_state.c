/* What a sink's state says of records that are told, wait or are lost, and what of it is on disk.
 */
#include <unistd.h>

#include "service/base/error.h"
#include "service/sinks/sink_state.h"
#include "tests/unit/files.h"
#include "tests/unit/temp_dir.h"

enum { RANGES_MAX = 4 };

static const uint8_t log_a[CLICK_LOG_ID_LEN] = {0xaa}, log_b[CLICK_LOG_ID_LEN] = {0xbb},
                     log_c[CLICK_LOG_ID_LEN] = {0xcc};

static struct sink_range range_of(const uint8_t *log_id, uint64_t from, uint64_t to)
{
    struct sink_range range = {.from = from, .to = to, .at_ms = 1795611723045};

    memcpy(range.log_id, log_id, CLICK_LOG_ID_LEN);
    return range;
}

static void lost_ranges_are_merged(void **state)
{
    const struct {
        const char *name;
        uint64_t in[RANGES_MAX][2], out[RANGES_MAX][2];
    } cases[] = {
        {"apart", {{0, 2}, {3, 5}}, {{0, 2}, {3, 5}}},
        {"adjoining", {{0, 2}, {2, 5}}, {{0, 5}}},
        {"adjoining before", {{2, 5}, {0, 2}}, {{0, 5}}},
        {"overlapping", {{0, 4}, {2, 9}}, {{0, 9}}},
        {"one in the other", {{0, 9}, {2, 4}}, {{0, 9}}},
        {"one that joins two", {{0, 2}, {8, 9}, {4, 6}, {2, 4}}, {{8, 9}, {0, 6}}},
        {"the rest of a log", {{3, 5}, {5, INT64_MAX}}, {{3, INT64_MAX}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sink_state at = {.n_cursors = 0};
        struct sink_range other = range_of(log_b, 0, 100);
        size_t n = 0;

        print_message("%s\n", cases[i].name);
        sink_state_add_lost(&at, &other);
        for (size_t j = 0; j < RANGES_MAX && cases[i].in[j][1]; j++) {
            struct sink_range range = range_of(log_a, cases[i].in[j][0], cases[i].in[j][1]);

            sink_state_add_lost(&at, &range);
        }
        for (; n < RANGES_MAX && cases[i].out[n][1]; n++) {
            assert_memory_equal(at.lost[n + 1].log_id, log_a, CLICK_LOG_ID_LEN);
            assert_int_equal(at.lost[n + 1].from, cases[i].out[n][0]);
            assert_int_equal(at.lost[n + 1].to, cases[i].out[n][1]);
        }
        assert_int_equal(at.n_lost_ranges, n + 1);
        assert_memory_equal(&at.lost[0], &other, sizeof(other));
    }
}

static void the_oldest_lost_range_gives_way(void **state)
{
    struct sink_state at = {.n_cursors = 0};

    (void)state;
    for (uint64_t i = 0; i <= SINK_LOST_MAX; i++) {
        struct sink_range range = range_of(log_a, 10 * i, 10 * i + 1);

        sink_state_add_lost(&at, &range);
        assert_int_equal(at.n_lost_ranges, i < SINK_LOST_MAX ? i + 1 : SINK_LOST_MAX);
    }
    assert_false(sink_state_has_lost(&at, log_a, 0));
    assert_int_equal(sink_state_told(&at, log_a, 0, at.lost[0].at_ms), SINK_LOST);
    assert_int_equal(sink_state_told(&at, log_a, 0, at.lost[0].at_ms + 1), SINK_TOLD);
    for (uint64_t i = 1; i <= SINK_LOST_MAX; i++)
        assert_true(sink_state_has_lost(&at, log_a, 10 * i));
}

static void a_lost_range_is_forgotten_after_a_month(void **state)
{
    struct sink_range old = range_of(log_a, 0, 1), same = range_of(log_a, 1, 2),
                      other = range_of(log_b, 0, 1);
    struct sink_state at = {.n_cursors = 0};

    (void)state;
    other.at_ms += INT64_C(31) * 86400 * 1000;
    sink_state_add_lost(&at, &old);
    sink_state_add_lost(&at, &other);
    assert_int_equal(at.n_lost_ranges, 2);
    same.at_ms = other.at_ms + 1;
    sink_state_add_lost(&at, &same);
    assert_int_equal(at.n_lost_ranges, 2);
    assert_false(sink_state_has_lost(&at, log_a, 0));
    assert_true(sink_state_has_lost(&at, log_a, 1) && sink_state_has_lost(&at, log_b, 0));
}

static void what_a_state_says_of_a_record(void **state)
{
    const struct sink_range failed = range_of(log_a, 2, 4), lost = range_of(log_a, 5, 6),
                            gone = range_of(log_b, 7, INT64_MAX);
    const struct {
        const char *name;
        const uint8_t *log_id;
        uint64_t position;
        int64_t at_ms;
        enum sink_told want;
    } cases[] = {
        {"before all", log_a, 1, 500, SINK_TOLD},
        {"the first that failed", log_a, 2, 500, SINK_WAITS},
        {"the last that failed", log_a, 3, 500, SINK_WAITS},
        {"behind what failed", log_a, 4, 500, SINK_TOLD},
        {"lost", log_a, 5, 500, SINK_LOST},
        {"behind what is lost", log_a, 6, 500, SINK_TOLD},
        {"being sent again", log_a, 8, 500, SINK_WAITS},
        {"the last below the cursor", log_a, 9, 500, SINK_TOLD},
        {"at the cursor", log_a, 10, 500, SINK_WAITS},
        {"below the end of a log that is gone", log_b, 6, 500, SINK_TOLD},
        {"not sent of a log that is gone", log_b, 7, 500, SINK_LOST},
        {"of a log that nobody knows", log_c, 0, 500, SINK_TOLD},
        {"of one before all was listed", log_c, 0, 499, SINK_LOST},
        {"told before all was listed", log_a, 1, 499, SINK_TOLD},
    };
    struct sink_cursor cursor = {.at = 10};
    struct sink_state at = {
        .has_intent = true, .intent = range_of(log_a, 8, 9), .known_since_ms = 500};

    (void)state;
    memcpy(cursor.log_id, log_a, CLICK_LOG_ID_LEN);
    assert_true(sink_state_add(&at, &cursor) && sink_state_add_failed(&at, &failed));
    sink_state_add_lost(&at, &lost);
    sink_state_add_lost(&at, &gone);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(sink_state_told(&at, cases[i].log_id, cases[i].position, cases[i].at_ms),
                         cases[i].want);
    }
    sink_state_clear(&at);
}

static void what_is_saved_is_loaded(void **state)
{
    const struct sink_range lost = range_of(log_b, 7, INT64_MAX);
    struct sink_cursor cursors[] = {{.at = 10}, {.at = 3, .holds_events = true}};
    struct sink_state at = {.n_sent = 5, .n_lost = 2, .known_since_ms = 7},
                      again = {.n_cursors = 0};
    struct error err = {0};

    memcpy(cursors[0].log_id, log_a, CLICK_LOG_ID_LEN);
    memcpy(cursors[1].log_id, log_b, CLICK_LOG_ID_LEN);
    assert_true(sink_state_add(&at, &cursors[0]) && sink_state_add(&at, &cursors[1]));
    sink_state_add_lost(&at, &lost);
    assert_true(sink_state_make_folder(*state, "crm", &err));
    assert_int_equal(sink_state_save(*state, "crm", &at), 0);
    assert_true(sink_state_load(*state, "crm", &again, &err));
    assert_int_equal(again.n_cursors, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct sink_cursor *cursor = sink_state_find(&again, cursors[i].log_id);

        assert_int_equal(cursor->at, cursors[i].at);
        assert_int_equal(cursor->holds_events, cursors[i].holds_events);
    }
    assert_int_equal(again.n_lost_ranges, 1);
    assert_memory_equal(&again.lost[0], &lost, sizeof(lost));
    assert_int_equal(again.n_sent, 5);
    assert_int_equal(again.n_lost, 2);
    assert_int_equal(again.known_since_ms, 7);
    sink_state_clear(&at);
    sink_state_clear(&again);
}

/* It has no `events`, `lost_ranges` and `known_since_ms`. */
static void the_state_of_an_older_build_is_loaded(void **state)
{
    struct sink_state at = {.n_cursors = 0};
    struct error err = {0};

    write_file_in(*state, "sinks/old/state.json",
                  "{\"version\": 1, \"sent\": 5, \"lost\": 2, \"logs\": [{\"log\": "
                  "\"aa000000000000000000000000000000\", \"at\": 10}], \"failed\": []}");
    assert_true(sink_state_load(*state, "old", &at, &err));
    assert_int_equal(at.n_lost_ranges, 0);
    assert_int_equal(at.known_since_ms, 0);
    assert_int_equal(sink_state_told(&at, log_a, 9, 1), SINK_TOLD);
    assert_false(sink_state_find(&at, log_a)->holds_events);
    sink_state_clear(&at);
}

static void a_lost_range_that_is_none_is_no_state(void **state)
{
    struct sink_state at = {.n_cursors = 0};
    struct error err = {0};

    write_file_in(*state, "sinks/bad/state.json",
                  "{\"version\": 1, \"sent\": 5, \"lost\": 2, \"logs\": [], \"failed\": [], "
                  "\"lost_ranges\": [{\"log\": \"aa\", \"from\": 1, \"to\": 2, \"at_ms\": 3}]}");
    assert_false(sink_state_load(*state, "bad", &at, &err));
    assert_non_null(strstr(err.text, "is no state of a sink"));
    sink_state_clear(&at);
}

static int make_dir(void **state)
{
    *state = temp_dir_new();
    return *state ? 0 : -1;
}

static int remove_dir(void **state)
{
    temp_dir_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_ranges_are_merged),
        cmocka_unit_test(the_oldest_lost_range_gives_way),
        cmocka_unit_test(a_lost_range_is_forgotten_after_a_month),
        cmocka_unit_test(what_a_state_says_of_a_record),
        cmocka_unit_test_setup_teardown(what_is_saved_is_loaded, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_state_of_an_older_build_is_loaded, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_lost_range_that_is_none_is_no_state, make_dir,
                                        remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
