/* Clicks that wait until it is known whether a person made them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/click_names.h"
#include "service/sinks/sink_hold.h"

enum { HOLD_MS = 90000, LATER_MS = 5000 };

static const int64_t now_ms = 1795611723045;

static struct click click_at(uint64_t link_id, int64_t time_ms)
{
    return (struct click){.type = CLICK_TYPE_CLICK, .link_id = link_id, .time_ms = time_ms};
}

static struct click relabel_at(uint64_t link_id, int64_t time_ms)
{
    return (struct click){.type = CLICK_TYPE_RELABEL,
                          .link_id = link_id,
                          .time_ms = time_ms,
                          .label = CLICK_SCANNER,
                          .reason = CLICK_REASON_MANY_LINKS};
}

static void only_people_wait(void **state)
{
    const struct {
        const char *name;
        enum click_type type;
        enum click_label label;
        int64_t age_ms;
        bool is_ripe;
    } cases[] = {
        {"a person's click before its time", CLICK_TYPE_CLICK, CLICK_HUMAN, HOLD_MS - 1, false},
        {"a person's click in time", CLICK_TYPE_CLICK, CLICK_HUMAN, HOLD_MS, true},
        {"a machine's click", CLICK_TYPE_CLICK, CLICK_BOT, 0, true},
        {"an event", CLICK_TYPE_EVENT, CLICK_HUMAN, 0, true},
        {"a relabelling with its click", CLICK_TYPE_RELABEL, CLICK_SCANNER, HOLD_MS, false},
        {"a relabelling after it", CLICK_TYPE_RELABEL, CLICK_SCANNER, HOLD_MS + LATER_MS, true},
    };
    struct sink_hold *hold = sink_hold_new(HOLD_MS);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct click click = click_at(1, now_ms - cases[i].age_ms);

        print_message("%s\n", cases[i].name);
        click.type = (uint8_t)cases[i].type;
        click.label = (uint8_t)cases[i].label;
        assert_int_equal(sink_hold_is_ripe(hold, &click, now_ms), cases[i].is_ripe);
    }
    sink_hold_free(hold);
}

static void a_click_gets_the_label_of_its_relabelling_and_no_other(void **state)
{
    struct sink_hold *hold = sink_hold_new(HOLD_MS);
    struct click relabel = relabel_at(1, now_ms);
    struct click same = click_at(1, now_ms), later = click_at(1, now_ms + 1),
                 other = click_at(2, now_ms);

    (void)state;
    sink_hold_note(hold, &relabel, now_ms);
    sink_hold_note(hold, &relabel, now_ms); /* read twice */
    assert_false(sink_hold_is_known(hold, &relabel));
    sink_hold_amend(hold, &later);
    sink_hold_amend(hold, &other);
    assert_int_equal(later.label, CLICK_HUMAN);
    assert_int_equal(other.label, CLICK_HUMAN);
    assert_false(sink_hold_is_known(hold, &relabel)); /* its click wasn't sent yet */
    sink_hold_amend(hold, &same);
    assert_int_equal(same.label, CLICK_SCANNER);
    assert_int_equal(same.reason, CLICK_REASON_MANY_LINKS);
    assert_true(sink_hold_is_known(hold, &relabel));
    sink_hold_free(hold);
}

static void many_are_remembered_for_a_day(void **state)
{
    enum { N = 20000, DAY_MS = 86400000 };
    struct sink_hold *hold = sink_hold_new(HOLD_MS);

    (void)state;
    for (uint64_t i = 1; i <= N; i++) {
        struct click relabel = relabel_at(i, now_ms + (int64_t)i);

        sink_hold_note(hold, &relabel, now_ms + (int64_t)i);
    }
    for (uint64_t i = 1; i <= N; i++) {
        struct click click = click_at(i, now_ms + (int64_t)i);

        sink_hold_amend(hold, &click);
        assert_int_equal(click.label, CLICK_SCANNER);
    }
    for (uint64_t i = 1; i <= 2 * N; i++) { /* two days later they make room */
        struct click relabel = relabel_at(i, now_ms + 2 * (int64_t)DAY_MS);

        sink_hold_note(hold, &relabel, now_ms + 2 * (int64_t)DAY_MS);
    }
    {
        struct click old = click_at(1, now_ms + 1);

        sink_hold_amend(hold, &old);
        assert_int_equal(old.label, CLICK_HUMAN);
    }
    sink_hold_free(hold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_people_wait),
        cmocka_unit_test(a_click_gets_the_label_of_its_relabelling_and_no_other),
        cmocka_unit_test(many_are_remembered_for_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
