/* Who was counted already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/counter.h"
#include "service/ledger/met.h"

static void test_who_is_another(void **state)
{
    const struct met_person known = {.id = 7, .brand = 3, .campaign = 12, .day = 20000};
    const struct {
        const char *name;
        struct met_person person;
        bool is_met;
    } cases[] = {
        {"the same", {.id = 7, .brand = 3, .campaign = 12, .day = 20000}, true},
        {"another client", {.id = 8, .brand = 3, .campaign = 12, .day = 20000}, false},
        {"one that is far away",
         {.id = 7 + (UINT64_C(1) << 32), .brand = 3, .campaign = 12, .day = 20000},
         false},
        {"of another brand", {.id = 7, .brand = 4, .campaign = 12, .day = 20000}, false},
        {"of another campaign", {.id = 7, .brand = 3, .campaign = 0, .day = 20000}, false},
        {"of all campaigns",
         {.id = 7, .brand = 3, .campaign = COUNTER_ALL_CAMPAIGNS, .day = 20000},
         false},
        {"the day after", {.id = 7, .brand = 3, .campaign = 12, .day = 20001}, false},
        {"a visitor",
         {.id = 7, .brand = 3, .campaign = 12, .day = 20000, .is_visitor = true},
         false},
        {"all zero", {.id = 0}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct met *met = met_new();

        print_message("%s\n", cases[i].name);
        assert_non_null(met);
        assert_false(met_before(met, &known));
        assert_int_equal(met_before(met, &cases[i].person), cases[i].is_met);
        assert_true(met_before(met, &cases[i].person));
        met_forget(met);
        assert_false(met_before(met, &cases[i].person));
        met_free(met);
    }
    met_free(NULL);
}

/* A mailing's clients, twice: hardly any is told of twice, and none passes for another. */
static void test_many(void **state)
{
    enum { MANY = 20000 };
    struct met *met = met_new();
    struct met_person person = {.brand = 3, .campaign = 12, .day = 20000};
    unsigned n_met = 0;

    (void)state;
    assert_non_null(met);
    for (person.id = 1; person.id <= MANY; person.id++)
        assert_false(met_before(met, &person));
    for (person.id = 1; person.id <= MANY; person.id++)
        n_met += met_before(met, &person);
    print_message("%u of %d remembered\n", n_met, MANY);
    assert_true(n_met > MANY * 3 / 4 && n_met <= MANY);
    met_free(met);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_another),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
