/* Who was counted already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/waiting.h"
#include "service/ledger/people_sent.h"

static void test_who_is_another(void **state)
{
    const struct people_sent_person known = {.id = 7, .brand = 3, .campaign = 12, .hour = 20000};
    const struct {
        const char *name;
        struct people_sent_person person;
        bool is_known;
    } cases[] = {
        {"the same", {.id = 7, .brand = 3, .campaign = 12, .hour = 20000}, true},
        {"another client", {.id = 8, .brand = 3, .campaign = 12, .hour = 20000}, false},
        {"one that is far away",
         {.id = 7 + (UINT64_C(1) << 32), .brand = 3, .campaign = 12, .hour = 20000},
         false},
        {"of another brand", {.id = 7, .brand = 4, .campaign = 12, .hour = 20000}, false},
        {"of another campaign", {.id = 7, .brand = 3, .campaign = 0, .hour = 20000}, false},
        {"for all campaigns",
         {.id = 7, .brand = 3, .campaign = 12, .hour = 20000, .scope = WAITING_ALL},
         false},
        {"the hour after", {.id = 7, .brand = 3, .campaign = 12, .hour = 20001}, false},
        {"a visitor",
         {.id = 7, .brand = 3, .campaign = 12, .hour = 20000, .is_visitor = true},
         false},
        {"all zero", {.id = 0}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct people_sent *people = people_sent_new();

        print_message("%s\n", cases[i].name);
        assert_non_null(people);
        assert_false(people_sent_has(people, &known));
        people_sent_add(people, &known);
        assert_int_equal(people_sent_has(people, &cases[i].person), cases[i].is_known);
        people_sent_expect(people, &cases[i].person);
        people_sent_add(people, &cases[i].person);
        assert_true(people_sent_has(people, &cases[i].person));
        people_sent_forget(people);
        assert_false(people_sent_has(people, &cases[i].person));
        people_sent_free(people);
    }
    people_sent_free(NULL);
}

static void test_clicks_on_an_invoice(void **state)
{
    const struct people_sent_click first = {
        .brand = 3, .object = 1234, .link_id = 7, .time_s = 1800000000};
    const struct {
        const char *name;
        struct people_sent_click click;
        bool is_known;
    } cases[] = {
        {"at once", {3, 1234, 7, 1800000000}, true},
        {"in the same minute", {3, 1234, 7, 1800000000 + PEOPLE_SENT_CLICKS_S - 1}, true},
        {"in the next", {3, 1234, 7, 1800000000 + PEOPLE_SENT_CLICKS_S}, false},
        {"in the one before", {3, 1234, 7, 1800000000 - 1}, false},
        {"another link of the invoice", {3, 1234, 8, 1800000000}, false},
        {"another invoice", {3, 1235, 7, 1800000000}, false},
        {"another brand's", {4, 1234, 7, 1800000000}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct people_sent *people = people_sent_new();

        print_message("%s\n", cases[i].name);
        assert_non_null(people);
        assert_false(people_sent_is_repetition(people, &first));
        assert_true(people_sent_add_click(people, &first));
        assert_int_equal(people_sent_is_repetition(people, &cases[i].click), cases[i].is_known);
        assert_int_equal(people_sent_add_click(people, &cases[i].click), !cases[i].is_known);
        assert_false(people_sent_add_click(people, &cases[i].click));
        people_sent_forget_clicks(people);
        assert_true(people_sent_add_click(people, &cases[i].click));
        people_sent_forget(people);
        assert_true(people_sent_add_click(people, &cases[i].click));
        people_sent_free(people);
    }
}

/* The newest click earns a payment: after one on another link, one on the first is told again. */
static void test_clicks_on_two_links_in_turn(void **state)
{
    struct people_sent *people = people_sent_new();
    const struct people_sent_person person = {.id = 7};
    const struct people_sent_click one = {3, 1234, 7, 1800000000}, other = {3, 1234, 8, 1800000000};

    (void)state;
    assert_non_null(people);
    people_sent_add(people, &person);
    for (int i = 0; i < 3; i++) {
        assert_true(people_sent_add_click(people, &one));
        assert_true(people_sent_add_click(people, &other));
    }
    /* In one batch, too: the first link's click of the batch before is no longer the newest. */
    assert_true(people_sent_is_repetition(people, &other));
    assert_false(people_sent_is_repetition(people, &one));
    assert_false(people_sent_is_repetition(people, &other));
    /* People aren't forgotten with the clicks. */
    people_sent_forget_clicks(people);
    assert_true(people_sent_has(people, &person));
    people_sent_free(people);
}

/* A mailing's clients: most are remembered, and none passes for another. */
static void test_many(void **state)
{
    enum { MANY = 20000 };
    struct people_sent *people = people_sent_new();
    struct people_sent_person person = {.brand = 3, .campaign = 12, .hour = 20000};
    unsigned n_known = 0;

    (void)state;
    assert_non_null(people);
    for (person.id = 1; person.id <= MANY; person.id++)
        people_sent_add(people, &person);
    for (person.id = 1; person.id <= MANY; person.id++)
        n_known += people_sent_has(people, &person);
    print_message("%u of %d remembered\n", n_known, MANY);
    assert_true(n_known > MANY * 3 / 4 && n_known <= MANY);
    for (n_known = 0; person.id <= 2 * MANY; person.id++)
        n_known += people_sent_has(people, &person);
    assert_int_equal(n_known, 0);
    people_sent_free(people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_another),
        cmocka_unit_test(test_clicks_on_an_invoice),
        cmocka_unit_test(test_clicks_on_two_links_in_turn),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
