/* Tests service/base/huge.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/huge.h"

enum { HUGE_PAGE = 2 << 20 };

static void test_memory_is_zero_and_begins_with_a_page(void **state)
{
    static const size_t sizes[] = {1, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint8_t *memory = huge_new(sizes[i]);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % HUGE_PAGE, 0);
        for (size_t at = 0; at < sizes[i]; at += 511)
            assert_int_equal(memory[at], 0);
        memset(memory, 0xff, sizes[i]);
        huge_free(memory, sizes[i]);
    }
    huge_free(NULL, 4096);
}

/* In kB: what the process has of the address space. */
static unsigned long mapped(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long size = 0;
    char line[128];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) && sscanf(line, "VmSize: %lu", &size) != 1)
        ;
    fclose(file);
    assert_true(size > 0);
    return size;
}

static void test_nothing_stays_mapped(void **state)
{
    unsigned long before;

    (void)state;
    huge_free(huge_new(1), 1); /* whatever the first call of a library maps */
    before = mapped();
    for (int i = 0; i < 100; i++)
        huge_free(huge_new(3 * HUGE_PAGE + 1), 3 * HUGE_PAGE + 1);
    assert_in_range(mapped(), 0, before + 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zero_and_begins_with_a_page),
        cmocka_unit_test(test_nothing_stays_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
