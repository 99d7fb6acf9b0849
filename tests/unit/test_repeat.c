#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/click_names.h"
#include "service/gateway/repeat.h"

#define START_MS INT64_C(1795348800000)

enum { CLICKS = 16, MAX = 3 };

/* A click: when (ms), of which link, from which network; the rest where it matters. */
struct step {
    int64_t at_ms;
    unsigned link, network;
    unsigned label, visitor;
    bool has_no_client;
};

#define GET(ms, l, n)                              \
    {                                              \
        .at_ms = (ms), .link = (l), .network = (n) \
    }

static struct gateway_click click_of(const struct step *step, unsigned number)
{
    return (struct gateway_click){.number = number,
                                  .click = {
                                      .type = CLICK_TYPE_CLICK,
                                      .kind = 1,
                                      .link_id = step->link,
                                      .time_ms = START_MS + step->at_ms,
                                      .client = step->has_no_client ? 0 : 77,
                                      .visitor = step->visitor,
                                      .network = (uint16_t)step->network,
                                      .label = (uint8_t)step->label,
                                  }};
}

static void test_what_is_a_repeat(void **state)
{
    const struct {
        const char *name;
        unsigned max;
        struct step steps[CLICKS];
        const char *want; /* R: a repeat */
    } cases[] = {
        {"one more than a person makes",
         MAX,
         {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(3, 1, 1), GET(4, 1, 1)},
         "...RR"},
        {"in one millisecond",
         MAX,
         {GET(0, 1, 1), GET(0, 1, 1), GET(0, 1, 1), GET(0, 1, 1)},
         "...R"},
        {"at the end of the minute",
         MAX,
         {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(59999, 1, 1)},
         "...R"},
        {"when it is over",
         MAX,
         {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(60000, 1, 1), GET(60000, 1, 1)},
         "....R"},
        {"another link", MAX, {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(3, 2, 1)}, "...."},
        {"another network", MAX, {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(3, 1, 2)}, "...."},
        {"networks that aren't known",
         MAX,
         {GET(0, 1, 0), GET(1, 1, 0), GET(2, 1, 0), GET(3, 1, 0)},
         "...."},
        {"told in another order",
         MAX,
         {GET(9, 1, 1), GET(0, 1, 1), GET(5, 1, 1), GET(10, 1, 1), GET(4, 1, 1)},
         "...RR"},
        {"no limit", 0, {GET(0, 1, 1), GET(1, 1, 1), GET(2, 1, 1), GET(3, 1, 1)}, "...."},
        {"one is all", 1, {GET(0, 1, 1), GET(1, 1, 1)}, ".R"},
        {"what says itself that it is a machine",
         MAX,
         {{1, 1, 1, .label = CLICK_BOT},
          {2, 1, 1, .label = CLICK_PROBE},
          {3, 1, 1, .label = CLICK_BOT},
          GET(4, 1, 1),
          GET(5, 1, 1)},
         "....."},
        {"everyone's link, by four people of one network",
         MAX,
         {{0, 1, 1, .visitor = 1, .has_no_client = true},
          {1, 1, 1, .visitor = 2, .has_no_client = true},
          {2, 1, 1, .visitor = 3, .has_no_client = true},
          {3, 1, 1, .visitor = 4, .has_no_client = true}},
         "...."},
        {"everyone's link, by one",
         MAX,
         {{0, 1, 0, .visitor = 8, .has_no_client = true},
          {1, 1, 0, .visitor = 8, .has_no_client = true},
          {2, 1, 0, .visitor = 8, .has_no_client = true},
          {3, 1, 0, .visitor = 8, .has_no_client = true}},
         "...R"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct repeat *repeat = repeat_new(cases[i].max);
        char got[CLICKS + 1] = {0};

        print_message("%s\n", cases[i].name);
        for (unsigned j = 0; cases[i].steps[j].link; j++) {
            struct gateway_click click = click_of(&cases[i].steps[j], j);

            got[j] = repeat_add_own(repeat, &click) ? 'R' : '.';
        }
        assert_string_equal(got, cases[i].want);
        repeat_free(repeat);
    }
}

/* Pods that know the same clicks find the same ones, in whatever order they were told. */
static void test_what_other_pods_know(void **state)
{
    enum { N = 9 };
    char want[N + 1] = {0};

    (void)state;
    for (unsigned order = 0; order < 5; order++) {
        struct repeat *repeat = repeat_new(MAX);
        char got[N + 1] = {0};

        print_message("beginning with click %u\n", order);
        for (unsigned i = 0; i < 2 * N; i++) { /* each twice */
            unsigned n = (i * 2 + order) % N;
            struct gateway_click other = click_of(&(struct step)GET(n / 5, 1, 1), n);

            repeat_add_other(repeat, &other);
        }
        for (unsigned n = 0; n < N; n++) {
            struct gateway_click click = click_of(&(struct step)GET(n / 5, 1, 1), n);

            got[n] = repeat_is(repeat, &click) ? 'R' : '.';
        }
        repeat_free(repeat);
        if (order == 0)
            memcpy(want, got, sizeof(want));
        assert_string_equal(got, want);
    }
    assert_string_equal(want + 5, "RRRR"); /* after five in the millisecond before */
    assert_int_equal(strspn(want, ".R"), N);
    assert_int_equal(MAX, (want[0] == '.') + (want[1] == '.') + (want[2] == '.') +
                              (want[3] == '.') + (want[4] == '.'));
}

/* A click that was none may be one when earlier clicks at other pods become known. */
static void test_what_comes_late(void **state)
{
    struct repeat *repeat = repeat_new(MAX);
    struct gateway_click click = click_of(&(struct step)GET(60000, 1, 1), 99);

    (void)state;
    assert_false(repeat_add_own(repeat, &click));
    for (unsigned i = 0; i <= MAX; i++) {
        struct gateway_click earlier = click_of(&(struct step)GET((int64_t)i, 1, 1), i);

        assert_false(repeat_is(repeat, &click)); /* the first is a minute older */
        repeat_add_other(repeat, &earlier);
    }
    assert_true(repeat_is(repeat, &click));
    repeat_free(repeat);
}

/* Whoever floods keeps its place, however many others come. */
static void test_a_flood_among_many(void **state)
{
    struct repeat *repeat = repeat_new(MAX);
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 500000; i++) {
        struct gateway_click other =
            click_of(&(struct step)GET(i / 100, 1000 + i, 1 + i % 16000), 2 * i);
        struct gateway_click flood = click_of(&(struct step)GET(i / 100, 1, 1), 2 * i + 1);

        (void)repeat_add_own(repeat, &other);
        n += i % 10 == 0 && !repeat_add_own(repeat, &flood);
    }
    assert_int_equal(n, MAX);
    repeat_free(repeat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_repeat),
        cmocka_unit_test(test_what_other_pods_know),
        cmocka_unit_test(test_what_comes_late),
        cmocka_unit_test(test_a_flood_among_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
