/* What the arguments of the batch script hold, whatever the clock says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/click_names.h"
#include "proto/number.h"
#include "proto/token.h"
#include "service/config/config.h"
#include "service/ledger/batch.h"
#include "service/ledger/fold.h"
#include "service/ledger/people_sent.h"
#include "service/ledger/use_limits.h"

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

static int64_t wall_s; /* 0: that of the system */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock != CLOCK_REALTIME || wall_s == 0)
        return __real_clock_gettime(clock, out);
    *out = (struct timespec){.tv_sec = (time_t)wall_s};
    return 0;
}

/* MessagePack: the first element of an array of numbers and texts. */
static uint32_t first_number(struct slice array)
{
    const uint8_t *at = (const uint8_t *)array.ptr;

    assert_true(array.len > 10 && at[0] == 0xdd);
    if (at[5] <= 127)
        return at[5];
    assert_int_equal(at[5], 0xce);
    return be32_load(at + 6);
}

/* The serial of a use only grows: one that had wrapped around would stay in the year 2106. */
static void test_uses_by_a_clock_that_is_off(void **state)
{
    enum { USES = 3 + 8 }; /* behind the keys, see FORMATS.md "Batch" */
    struct config_target target = {.kind = "4", .max_uses = 5};
    struct config_brand brand = {.name = "acme", .targets = &target, .n_targets = 1};
    const struct config config = {.brands = &brand, .n_brands = 1};
    static const struct {
        const char *name;
        int64_t wall_s;
        uint32_t want;
    } cases[] = {
        {"a clock that was never set", 1, 0},
        {"a second before 2024", TOKEN_EPOCH_S - 1, 0},
        {"2024", TOKEN_EPOCH_S, 0},
        {"a second later", TOKEN_EPOCH_S + 1, 1},
        {"2026", 1795348800, 1795348800 - TOKEN_EPOCH_S},
        {"the last second of 32 bits", TOKEN_EPOCH_S + UINT32_MAX, UINT32_MAX},
        {"the one behind it", TOKEN_EPOCH_S + UINT32_MAX + 1, UINT32_MAX},
    };
    const uint8_t log_id[CLICK_LOG_ID_LEN] = {1};
    const struct batch_range range = {.log_id = log_id, .to = 1};
    const struct batch_options options = {.records_max = 8,
                                          .n_shards = 1,
                                          .retention_hours_s = 86400,
                                          .retention_days_s = 86400,
                                          .people_sent = people_sent_new()};
    struct use_limits *limits = use_limits_new(&config);
    struct batch *batch = batch_new(&options);
    struct fold *fold = fold_new(8);
    struct click click = {
        .link_id = 7,
        .time_ms = INT64_C(1795348800000),
        .brand = click_brand_id(slice_of("acme")),
        .client = 77,
        .type = CLICK_TYPE_CLICK,
        .kind = 4,
        .label = CLICK_HUMAN,
    };

    (void)state;
    assert_true(options.people_sent && limits && batch && fold);
    fold->limits = limits;
    assert_true(fold_add(fold, &click));
    batch_begin(batch, fold);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct batch_command command;
        uint64_t n_keys = 0;

        print_message("%s\n", cases[i].name);
        wall_s = cases[i].wall_s;
        batch_build(batch, &range, &command);
        wall_s = 0;
        assert_true(number_parse(command.argv[2], UINT64_MAX, &n_keys));
        assert_int_equal(first_number(command.argv[USES + n_keys]), cases[i].want);
    }
    fold_free(fold);
    batch_free(batch);
    use_limits_free(limits);
    people_sent_free(options.people_sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uses_by_a_clock_that_is_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
