#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/config/config.h"
#include "service/daemon/descriptors.h"

static void test_share(void **state)
{
    static const struct {
        const char *name;
        uint64_t limit;
        unsigned n_workers, n_listen;
        int64_t connections_max;
        unsigned want;
    } cases[] = {
        {"all that is wanted", 20000, 1, 1, 16384, 16384},
        {"just all: 96 + 9 + 512 beside them", 16384 + 617, 1, 1, 16384, 16384},
        {"one descriptor less", 16384 + 616, 1, 1, 16384, 16383},
        {"each worker and each address takes its own", 4 * 1000 + 96 + 4 * 10 + 512, 4, 2, 16384,
         1000},
        {"the usual limit of a shell", 1024, 1, 1, 16384, 1024 - 96 - 9 - 128},
        {"a very low one", 256, 1, 1, 16384, 256 - 96 - 9 - 32},
        {"workers that the limit has no room for", 256, 64, 1, 16384, 8},
        {"none at all", 0, 1, 1, 16384, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_public config = {.n_listen = cases[i].n_listen,
                                       .connections_max = cases[i].connections_max};

        print_message("%s\n", cases[i].name);
        assert_int_equal(descriptors_share(&config, cases[i].n_workers, cases[i].limit),
                         cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_share)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
