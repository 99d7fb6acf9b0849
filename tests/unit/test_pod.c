#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/gateway/pod.h"

enum { MONO_MS = 1000000 };

#define WALL_MS INT64_C(1700000000000)
#define WALL_S (WALL_MS / 1000)

static struct pod make_pod(const char *id, int64_t at_s)
{
    struct pod pod = {.at_s = at_s, .as_of_ms = at_s * 1000, .connected = true};

    snprintf(pod.id, sizeof(pod.id), "%s", id);
    snprintf(pod.host, sizeof(pod.host), "host-%s", id);
    snprintf(pod.version, sizeof(pod.version), "1.2.3");
    snprintf(pod.started_at, sizeof(pod.started_at), "2026-11-22T12:00:00Z");
    return pod;
}

static void a_line_is_read_as_it_was_written(void **state)
{
    struct pod pod = make_pod("0123456789abcdef", WALL_S), out = {.at_s = 0};
    char line[POD_LINE_MAX];
    size_t len;

    (void)state;
    pod.as_of_ms = WALL_MS - 4321;
    pod.lag_ms = 4321;
    pod.pending = 77;
    pod.n_shards = 16;
    pod.clicks_per_s = 12.5;
    len = pod_write_line(&pod, line);
    assert_true(len > 0);
    assert_true(pod_read_line(slice_of(pod.id), slice_make(line, len), &out));
    assert_memory_equal(&out, &pod, sizeof(pod));
}

static void what_is_no_line_is_passed_over(void **state)
{
#define LINE_HEAD "{\"host\":\"h\",\"version\":\"1\",\"started_at\":\"s\","
#define LINE_TAIL ",\"lag_s\":0.5,\"pending\":3,\"connected\":true"
    const struct {
        const char *name, *id, *line;
        bool want;
    } cases[] = {
        {"a line", "0123456789abcdef", LINE_HEAD "\"at\":1,\"as_of_ms\":1" LINE_TAIL "}", true},
        {"with a number of shards", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":1" LINE_TAIL ",\"shards\":16}", true},
        {"with shards that are no number", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":1" LINE_TAIL ",\"shards\":\"x\"}", false},
        {"a newer version's", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":1" LINE_TAIL ",\"more\":[]}", true},
        {"an id too short", "0123456789abcde", LINE_HEAD "\"at\":1,\"as_of_ms\":1" LINE_TAIL "}",
         false},
        {"no object", "0123456789abcdef", "[]", false},
        {"cut off", "0123456789abcdef", LINE_HEAD, false},
        {"without the time it is of", "0123456789abcdef", LINE_HEAD "\"at\":1" LINE_TAIL "}",
         false},
        {"before time began", "0123456789abcdef",
         LINE_HEAD "\"at\":-1,\"as_of_ms\":1" LINE_TAIL "}", false},
        {"after the year 9999", "0123456789abcdef",
         LINE_HEAD "\"at\":253402300800,\"as_of_ms\":1" LINE_TAIL "}", false},
        {"up to a time before time began", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":-1" LINE_TAIL "}", false},
        {"a lag of a text", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":1,\"lag_s\":\"1\",\"pending\":1,\"connected\":true}",
         false},
        {"clicks below none", "0123456789abcdef",
         LINE_HEAD "\"at\":1,\"as_of_ms\":1,\"lag_s\":1,\"pending\":-1,\"connected\":true}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pod out;

        print_message("%s\n", cases[i].name);
        assert_int_equal(pod_read_line(slice_of(cases[i].id), slice_of(cases[i].line), &out),
                         cases[i].want);
    }
}

static void texts_that_have_no_room_are_refused(void **state)
{
    const char *id = "0123456789abcdef";
    char host[POD_HOST_MAX + 1], line[POD_LINE_MAX];

    (void)state;
    for (size_t len = POD_HOST_MAX - 1; len <= POD_HOST_MAX; len++) {
        struct pod out;

        memset(host, 'h', len);
        host[len] = '\0';
        snprintf(line, sizeof(line),
                 "{\"host\":\"%s\",\"version\":\"1\",\"started_at\":\"s\",\"at\":1,\"as_of_ms\":1"
                 ",\"lag_s\":0.5,\"pending\":3,\"connected\":true}",
                 host);
        assert_int_equal(pod_read_line(slice_of(id), slice_of(line), &out),
                         len == POD_HOST_MAX - 1);
    }
}

static void of_two_lines_with_one_id_the_younger_stays(void **state)
{
    static struct pod_table table;
    struct pod young = make_pod("a", 20), old = make_pod("a", 10);

    (void)state;
    table = (struct pod_table){.n = 0};
    pod_table_add(&table, &young);
    pod_table_add(&table, &old);
    assert_int_equal(table.n, 1);
    assert_int_equal(table.pods[0].at_s, 20);
    for (unsigned i = 0; i < 2 * PODS_MAX; i++) {
        char id[POD_ID_LEN + 1];
        struct pod pod;

        snprintf(id, sizeof(id), "%u", i);
        pod = make_pod(id, 1);
        pod_table_add(&table, &pod);
    }
    assert_int_equal(table.n, PODS_MAX);
}

/* Another process, as it was found in two readings and is looked at some time after the second. */
struct other {
    const char *name;
    int64_t before_s, now_s; /* what its line said; 0 = there was none */
    int64_t later_ms;        /* since the second reading */
    int64_t want_silent_ms;
    bool want_alive;
};

static void a_process_is_alive_while_its_line_changes(void **state)
{
    const struct other cases[] = {
        {"its line changed", WALL_S - 2, WALL_S, 0, 0, true},
        {"its clock is a day behind, but its line changes", WALL_S - 86402, WALL_S - 86400, 0, 0,
         true},
        {"its line is as it was 2 s before", WALL_S, WALL_S, 0, 2000, true},
        {"met for the first time, and recent", 0, WALL_S - 1, 0, 1000, true},
        {"met for the first time, of the future", 0, WALL_S + 50, 0, 0, true},
        {"met for the first time, just young enough", 0, WALL_S - 29, 999, 29999, true},
        {"met for the first time, and too old", 0, WALL_S - 30, 0, 30000, false},
        {"nobody read for an hour, which is not its fault", WALL_S - 2, WALL_S, 3600000, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct pod_table before, now;
        const struct other *c = &cases[i];
        struct pod pod = make_pod("other", c->before_s);

        print_message("%s\n", c->name);
        before = now = (struct pod_table){.n = 0};
        if (c->before_s)
            pod_table_add(&before, &pod);
        pod_table_finish(&before, &now, MONO_MS - 2000, WALL_MS - 2000);
        if (c->before_s)
            before.pods[0].heard_ms = MONO_MS - 2000;
        pod.at_s = c->now_s;
        pod_table_add(&now, &pod);
        pod_table_finish(&now, &before, MONO_MS, WALL_MS);
        assert_int_equal(pod_silent_ms(&now, &now.pods[0], MONO_MS + c->later_ms),
                         c->want_silent_ms);
        assert_int_equal(pod_is_alive(&now, &now.pods[0], MONO_MS + c->later_ms), c->want_alive);
    }
}

/* Two processes, with 4 and 3 clicks pending. */
struct both {
    const char *name;
    int64_t as_of_ms, lag_ms;             /* this one */
    int64_t other_as_of_ms, other_lag_ms; /* the other */
    int64_t silent_ms;                    /* since the other was heard */
    int64_t later_ms;                     /* since Redis was read */
    struct pods_age want;
};

static void the_age_is_that_of_the_process_that_is_furthest_behind(void **state)
{
    const struct both cases[] = {
        {"its own is not known", 0, 0, WALL_MS, 0, 0, 0, {0, -1, 7, 2, 0}},
        {"both have counted all",
         WALL_MS,
         0,
         WALL_MS - 1500,
         0,
         1500,
         0,
         {WALL_MS - 1500, 0, 7, 2, 0}},
        {"the other is behind",
         WALL_MS,
         0,
         WALL_MS - 9000,
         8000,
         1500,
         0,
         {WALL_MS - 9000, 8000, 7, 2, 0}},
        {"this one is behind",
         WALL_MS - 9000,
         9000,
         WALL_MS - 1000,
         0,
         0,
         0,
         {WALL_MS - 9000, 9000, 7, 2, 0}},
        {"the other missed its beats",
         WALL_MS,
         0,
         WALL_MS - 9000,
         100,
         8000,
         0,
         {WALL_MS - 9000, 8100, 7, 2, 0}},
        {"the other is silent and given up",
         WALL_MS,
         500,
         WALL_MS - 40000,
         100,
         POD_ALIVE_MS,
         0,
         {WALL_MS, 500, 4, 1, 1}},
        {"Redis was not read for a minute",
         WALL_MS + 60000,
         0,
         WALL_MS - 1000,
         0,
         1000,
         60000,
         {WALL_MS - 1000, 61000, 7, 2, 0}},
        {"the same, and the other's clock goes ahead",
         WALL_MS + 60000,
         0,
         WALL_MS + 9000,
         0,
         1000,
         60000,
         {WALL_MS, 60000, 7, 2, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct pod_table table;
        struct pod self = make_pod("self", WALL_S), other = make_pod("other", WALL_S);
        struct pods_age age;

        print_message("%s\n", cases[i].name);
        self.as_of_ms = cases[i].as_of_ms;
        self.lag_ms = cases[i].lag_ms;
        self.pending = 4;
        other.as_of_ms = cases[i].other_as_of_ms;
        other.lag_ms = cases[i].other_lag_ms;
        other.pending = 3;
        other.heard_ms = MONO_MS - cases[i].silent_ms;
        table = (struct pod_table){.pods = {self, other},
                                   .n = 2,
                                   .read_ms = MONO_MS,
                                   .read_at_ms = WALL_MS,
                                   .is_read = true};
        age =
            pod_table_age(&table, &self, MONO_MS + cases[i].later_ms, WALL_MS + cases[i].later_ms);
        assert_int_equal(age.as_of_ms, cases[i].want.as_of_ms);
        assert_int_equal(age.lag_ms, cases[i].want.lag_ms);
        assert_int_equal(age.pending, cases[i].want.pending);
        assert_int_equal(age.n_alive, cases[i].want.n_alive);
        assert_int_equal(age.n_silent, cases[i].want.n_silent);
    }
}

static void before_redis_was_read_nothing_is_known(void **state)
{
    static const struct pod_table empty;
    struct pod self = make_pod("self", WALL_S);
    struct pods_age age = pod_table_age(&empty, &self, MONO_MS, WALL_MS);

    (void)state;
    assert_int_equal(age.as_of_ms, 0);
    assert_int_equal(age.lag_ms, -1);
    assert_int_equal(age.n_alive, 1);
}

static void lines_come_less_often_where_many_read_them(void **state)
{
    (void)state;
    assert_int_equal(pod_every_ms(0), POD_EVERY_MS);
    assert_int_equal(pod_every_ms(32), POD_EVERY_MS);
    assert_int_equal(pod_every_ms(64), 2 * POD_EVERY_MS);
    assert_int_equal(pod_every_ms(PODS_MAX), 8 * POD_EVERY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_line_is_passed_over),
        cmocka_unit_test(texts_that_have_no_room_are_refused),
        cmocka_unit_test(of_two_lines_with_one_id_the_younger_stays),
        cmocka_unit_test(a_process_is_alive_while_its_line_changes),
        cmocka_unit_test(the_age_is_that_of_the_process_that_is_furthest_behind),
        cmocka_unit_test(before_redis_was_read_nothing_is_known),
        cmocka_unit_test(lines_come_less_often_where_many_read_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
