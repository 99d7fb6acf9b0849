#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/public/deadline.h"

enum { WAIT_MS = 100, SLACK_MS = 10 };

static void test_the_first_is_due_when_its_time_has_come(void **state)
{
    struct deadline_list list;
    struct deadline a = {0}, b = {0};

    (void)state;
    deadline_list_init(&list, WAIT_MS);
    assert_null(deadline_first(&list));
    assert_null(deadline_due(&list, INT64_MAX));
    deadline_append(&list, &a, 1000);
    deadline_append(&list, &b, 1001);
    assert_ptr_equal(deadline_first(&list), &a);
    assert_null(deadline_due(&list, 1099));
    assert_ptr_equal(deadline_due(&list, 1100), &a);
    deadline_remove(&a);
    assert_null(deadline_due(&list, 1100));
    assert_ptr_equal(deadline_due(&list, 1101), &b);
    deadline_remove(&b);
    assert_null(deadline_first(&list));
}

static void test_appending_again_starts_the_wait_again(void **state)
{
    struct deadline_list list;
    struct deadline a = {0}, b = {0};

    (void)state;
    deadline_list_init(&list, WAIT_MS);
    deadline_append(&list, &a, 1000);
    deadline_append(&list, &b, 1001);
    deadline_append(&list, &a, 1002);
    assert_ptr_equal(deadline_first(&list), &b);
    assert_ptr_equal(deadline_due(&list, 1101), &b);
    deadline_remove(&b);
    assert_null(deadline_due(&list, 1101));
    assert_ptr_equal(deadline_due(&list, 1102), &a);
}

static void test_renewing_moves_once_the_slack_has_passed(void **state)
{
    struct deadline_list list;
    struct deadline a = {0}, b = {0};

    (void)state;
    deadline_list_init(&list, WAIT_MS);
    deadline_append(&list, &a, 1000);
    deadline_append(&list, &b, 1000);
    deadline_renew(&list, &a, 1000 + SLACK_MS - 1, SLACK_MS);
    assert_ptr_equal(deadline_first(&list), &a);
    deadline_renew(&list, &a, 1000 + SLACK_MS, SLACK_MS);
    assert_ptr_equal(deadline_first(&list), &b);
}

static void test_moving_to_another_list(void **state)
{
    struct deadline_list one, two;
    struct deadline a = {0};

    (void)state;
    deadline_list_init(&one, WAIT_MS);
    deadline_list_init(&two, WAIT_MS);
    deadline_append(&one, &a, 1000);
    deadline_append(&two, &a, 1000);
    assert_null(deadline_first(&one));
    assert_ptr_equal(deadline_first(&two), &a);
    deadline_remove(&a);
    deadline_remove(&a);
    assert_null(deadline_first(&two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_is_due_when_its_time_has_come),
        cmocka_unit_test(test_appending_again_starts_the_wait_again),
        cmocka_unit_test(test_renewing_moves_once_the_slack_has_passed),
        cmocka_unit_test(test_moving_to_another_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
