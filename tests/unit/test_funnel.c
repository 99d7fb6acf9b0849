/* What is kept of an invoice as bytes, and the sums as bytes: written, read, summed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/click.h"
#include "proto/funnel.h"
#include "proto/token.h"

enum { NOW_S = 1795348800 }; /* 2026-11-22T12:00:00Z */

static struct click a_click(void)
{
    return (struct click){
        .time_ms = INT64_C(1000) * NOW_S + 999,
        .object = 1234,
        .client = 77,
        .campaign = 12,
        .issued_min = (uint32_t)((NOW_S - TOKEN_EPOCH_S) / 60 - 90),
        .kind = 2,
        .variant = 5,
        .channel = 1,
    };
}

/* What a record holds of an invoice, as a block holds it. */
static size_t put_invoice(uint8_t *block, const uint8_t *entry, size_t len)
{
    struct funnel_record record;
    size_t at = 0;

    assert_true(funnel_next_record(slice_make((const char *)entry, len), &at, &record));
    assert_int_equal(at, len);
    return funnel_put_invoice(block, record.object % FUNNEL_BLOCK, record.facts);
}

static void test_a_click_is_read_as_written(void **state)
{
    uint8_t entry[FUNNEL_RECORD_MAX], block[64];
    struct click click = a_click();
    struct funnel_fact fact;
    struct slice facts;
    size_t at = 0, len;
    unsigned number;

    (void)state;
    len = funnel_put_click(entry, &click, false);
    assert_int_equal(len, FUNNEL_RECORD_HEAD + 5 + 11);
    len = put_invoice(block, entry, len);
    assert_true(funnel_next_invoice(slice_make((const char *)block, len), &at, &number, &facts));
    assert_int_equal(number, 1234 % FUNNEL_BLOCK);
    assert_int_equal(at, len);
    at = 0;
    assert_true(funnel_next_fact(facts, &at, &fact));
    assert_int_equal(fact.type, FUNNEL_CLIENT);
    assert_int_equal(fact.client, 77);
    assert_true(funnel_next_fact(facts, &at, &fact));
    assert_int_equal(fact.type, FUNNEL_CLICK);
    assert_int_equal(fact.campaign, 12);
    assert_int_equal(fact.kind, 2);
    assert_int_equal(fact.variant, 5);
    assert_int_equal(fact.channel, 1);
    assert_int_equal(fact.time_s, NOW_S);
    assert_int_equal(fact.sent_s, NOW_S - 90 * 60);
    assert_false(fact.is_taken_back);
    assert_false(funnel_next_fact(facts, &at, &fact));

    print_message("one that is taken back names no client, and is its opposite in one bit\n");
    assert_int_equal(funnel_put_click(block, &click, true), FUNNEL_RECORD_HEAD + 11);
    block[FUNNEL_RECORD_HEAD + 3] ^= 0x80;
    assert_memory_equal(block + FUNNEL_RECORD_HEAD, entry + FUNNEL_RECORD_HEAD + 5, 11);
}

static void test_events(void **state)
{
    const struct {
        const char *name;
        struct event event;
        size_t len;
        bool is_paid;
    } cases[] = {
        {"paid", {.type = EVENT_PAID, .object = 5, .amount = 1999, .currency = "EUR"}, 15, true},
        {"in part", {.type = EVENT_PARTLY_PAID, .object = 5, .amount = 1}, 15, false},
        {"the greatest amount",
         {.type = EVENT_PAID, .object = 5, .amount = EVENT_AMOUNT_MAX, .currency = "JPY"},
         15,
         true},
        {"of a client who must not be tracked",
         {.type = EVENT_PAID, .object = 5, .value = 1},
         15,
         true},
        {"refunded", {.type = EVENT_REFUNDED, .object = 5}, 15, false},
        {"cancelled is no money", {.type = EVENT_CANCELLED, .object = 5}, 0, false},
        {"opted out", {.type = EVENT_OPTED_OUT, .client = 5}, 0, false},
        {"mails of a campaign", {.type = EVENT_MAIL_SENT, .campaign = 5, .value = 100}, 11, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event event = cases[i].event;
        uint8_t entry[FUNNEL_RECORD_MAX];
        struct funnel_fact fact;
        struct slice facts;
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        event.at_ms = INT64_C(1000) * NOW_S;
        assert_int_equal(funnel_put_event(entry, &event),
                         cases[i].len ? FUNNEL_RECORD_HEAD + cases[i].len : 0);
        facts = slice_make((const char *)entry + FUNNEL_RECORD_HEAD, cases[i].len);
        assert_int_equal(funnel_is_paid(facts), cases[i].is_paid);
        if (cases[i].len != 15)
            continue;
        assert_true(funnel_next_fact(facts, &at, &fact));
        assert_int_equal(fact.event, event.type);
        assert_int_equal(fact.time_s, NOW_S);
        assert_true(fact.amount == event.amount);
        assert_memory_equal(fact.currency, event.currency, EVENT_CURRENCY_LEN);
        assert_int_equal(fact.is_opted_out, event.value);
    }
}

static void test_the_newest_event_says_whether_it_is_paid(void **state)
{
    const struct event events[] = {
        {.type = EVENT_UNPAID, .at_ms = INT64_C(1000) * (NOW_S + 10)},
        {.type = EVENT_PAID, .at_ms = INT64_C(1000) * NOW_S},
        {.type = EVENT_PAID, .at_ms = INT64_C(1000) * (NOW_S + 20)},
        {.type = EVENT_CREDITED,
         .at_ms = INT64_C(1000) * (NOW_S + 30),
         .amount = 5,
         .currency = "EUR"},
        {.type = EVENT_REFUNDED, .at_ms = INT64_C(1000) * (NOW_S + 40)},
    };
    const bool want[] = {false, false, true, true, false};
    uint8_t facts[16 * FUNNEL_RECORD_MAX], entry[FUNNEL_RECORD_MAX];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        struct event event = events[i];
        size_t n;

        event.object = 7;
        n = funnel_put_event(entry, &event);
        memcpy(facts + len, entry + FUNNEL_RECORD_HEAD, n - FUNNEL_RECORD_HEAD);
        len += n - FUNNEL_RECORD_HEAD;
        assert_int_equal(funnel_is_paid(slice_make((const char *)facts, len)), want[i]);
    }
}

static void test_garbage_is_no_invoice(void **state)
{
    const struct {
        const char *name, *bytes;
        size_t len;
    } cases[] = {
        {"nothing", "", 0},
        {"a head cut short", "\1\0", 2},
        {"facts cut short", "\1\0\5\x10\0\0\0", 7},
        {"a number that is in no block", "\x40\0\0", 3},
    };
    unsigned number;
    struct slice facts;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = 0;

        print_message("%s\n", cases[i].name);
        assert_false(
            funnel_next_invoice(slice_make(cases[i].bytes, cases[i].len), &at, &number, &facts));
    }
}

static void test_a_record_cut_short_is_none(void **state)
{
    uint8_t entry[FUNNEL_RECORD_MAX];
    struct click click = a_click();
    size_t len = funnel_put_click(entry, &click, false);
    struct funnel_record record;

    (void)state;
    for (size_t n = 0; n < len; n++) {
        size_t at = 0;

        assert_false(funnel_next_record(slice_make((const char *)entry, n), &at, &record));
        assert_int_equal(at, 0);
    }
}

static void test_an_erased_client_leaves_the_others(void **state)
{
    uint8_t block[256], entry[FUNNEL_RECORD_MAX];
    size_t len = 0, left;

    (void)state;
    for (uint32_t object = 1; object <= 6; object++) {
        struct click click = a_click();

        click.object = object;
        click.client = object % 2 ? 77 : 78;
        len += put_invoice(block + len, entry, funnel_put_click(entry, &click, false));
    }
    assert_int_equal(funnel_count_client(slice_make((const char *)block, len), 77), 3);
    left = funnel_erase_client(block, len, 77);
    assert_int_equal(left, len / 2);
    assert_int_equal(funnel_count_client(slice_make((const char *)block, left), 77), 0);
    assert_int_equal(funnel_count_client(slice_make((const char *)block, left), 78), 3);
}

static void test_cells_are_read_as_written_and_summed_up(void **state)
{
    enum { N = 200 };
    uint8_t series[N * FUNNEL_CELL_LEN], once[(N + 1) * FUNNEL_CELL_LEN];
    uint8_t twice[(N + 2) * FUNNEL_CELL_LEN];
    struct funnel_cell cell;
    size_t len, at = 0, n = 0;
    int64_t sum = 0;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        cell = (struct funnel_cell){
            .campaign = (uint16_t)(65535 - i % 7),
            .metric = FUNNEL_AMOUNT,
            .kind = 15,
            .variant = 7,
            .channel = 7,
            .hour = 23,
            .value = 0xffffff,
            .count = i % 7 == 3 ? (i / 7 % 2 ? -5 : 5) : INT64_C(1) << 40,
        };
        funnel_put_cell(series + (size_t)i * FUNNEL_CELL_LEN, &cell);
    }
    assert_true(funnel_is_sound(slice_make((const char *)series, sizeof(series))));
    len = funnel_compact(slice_make((const char *)series, sizeof(series)), once);
    assert_int_equal(funnel_base_len(slice_make((const char *)once, len)), len);
    while (funnel_next_cell(slice_make((const char *)once, len), &at, &cell)) {
        assert_int_equal(cell.metric, FUNNEL_AMOUNT);
        assert_int_equal(cell.kind, 15);
        assert_int_equal(cell.variant, 7);
        assert_int_equal(cell.channel, 7);
        assert_int_equal(cell.hour, 23);
        assert_int_equal(cell.value, 0xffffff);
        sum += cell.count;
        n++;
    }
    assert_in_range(n, 6, 7); /* of the cell of fives nothing or five is left */
    assert_int_equal(sum % (INT64_C(1) << 40), (N / 7 + 1) % 2 ? 5 : 0);
    print_message("summed up again it stays the same\n");
    assert_int_equal(funnel_compact(slice_make((const char *)once, len), twice), len);
    assert_memory_equal(once, twice, len);
}

/* Histograms as a month has them: 40 campaigns, each with its own counts. */
static void test_steps_are_put_together(void **state)
{
    enum { CAMPAIGNS = 40, N = CAMPAIGNS * FUNNEL_DELAYS };
    static uint8_t series[N * FUNNEL_CELL_LEN], once[2 * sizeof(series)],
        twice[10 * sizeof(series)];
    static int64_t want[CAMPAIGNS][FUNNEL_DELAYS], have[CAMPAIGNS][FUNNEL_DELAYS];
    struct funnel_cell cell;
    size_t len, again, at = 0;
    struct slice text;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        unsigned campaign = i % CAMPAIGNS, delay = i / CAMPAIGNS;

        /* Nothing, little, what fits into a byte and what doesn't, and what was taken back. */
        want[campaign][delay] =
            (const int64_t[]){0, 3, 255, 256, 7, -1, 1, 40}[(i * 7 + delay) % 8];
        cell = (struct funnel_cell){.campaign = (uint16_t)campaign,
                                    .metric = campaign % 2 ? FUNNEL_PAY_DELAY : FUNNEL_CLICK_DELAY,
                                    .variant = 2,
                                    .channel = 1,
                                    .value = delay,
                                    .count = want[campaign][delay]};
        funnel_put_cell(series + (size_t)i * FUNNEL_CELL_LEN, &cell);
    }
    text = slice_make((const char *)series, sizeof(series));
    assert_int_equal(funnel_compact_room(text), sizeof(series) + FUNNEL_CELL_LEN);
    len = funnel_compact(text, once);
    assert_true(len < sizeof(series) * 2 / 3);
    text = slice_make((const char *)once, len);
    assert_true(funnel_is_sound(text));
    while (funnel_next_cell(text, &at, &cell)) {
        assert_int_equal(cell.variant, 2);
        assert_int_equal(cell.channel, 1);
        for (unsigned i = 0; i < FUNNEL_STEPS && cell.steps; i++)
            have[cell.campaign][(cell.value + i) % FUNNEL_DELAYS] += cell.steps[i];
        if (!cell.steps)
            have[cell.campaign][cell.value] += cell.count;
    }
    assert_memory_equal(have, want, sizeof(want));
    print_message("summed up again it stays the same, with one more it is that one more\n");
    assert_true(funnel_compact_room(text) <= sizeof(twice));
    again = funnel_compact(text, twice);
    assert_int_equal(again, len);
    assert_memory_equal(twice, once, len);
    funnel_put_cell(once + len, &(struct funnel_cell){.campaign = 3,
                                                      .metric = FUNNEL_PAY_DELAY,
                                                      .variant = 2,
                                                      .channel = 1,
                                                      .value = 63,
                                                      .count = 1});
    again = funnel_compact(slice_make((const char *)once, len + FUNNEL_CELL_LEN), twice);
    text = slice_make((const char *)twice, again);
    memset(have, 0, sizeof(have));
    for (at = 0; funnel_next_cell(text, &at, &cell);) {
        for (unsigned i = 0; i < FUNNEL_STEPS && cell.steps; i++)
            have[cell.campaign][(cell.value + i) % FUNNEL_DELAYS] += cell.steps[i];
        if (!cell.steps)
            have[cell.campaign][cell.value] += cell.count;
    }
    want[3][63]++;
    assert_memory_equal(have, want, sizeof(want));
}

static void test_delays(void **state)
{
    (void)state;
    assert_int_equal(funnel_delay(-5), 0);
    assert_int_equal(funnel_delay(INT64_MAX / 2), FUNNEL_DELAYS - 1);
    for (unsigned delay = 0; delay < FUNNEL_DELAYS - 1; delay++) {
        assert_int_equal(funnel_delay(funnel_delay_begin(delay)), delay);
        assert_int_equal(funnel_delay(funnel_delay_begin(delay + 1) - 1), delay);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_click_is_read_as_written),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_the_newest_event_says_whether_it_is_paid),
        cmocka_unit_test(test_garbage_is_no_invoice),
        cmocka_unit_test(test_a_record_cut_short_is_none),
        cmocka_unit_test(test_an_erased_client_leaves_the_others),
        cmocka_unit_test(test_cells_are_read_as_written_and_summed_up),
        cmocka_unit_test(test_steps_are_put_together),
        cmocka_unit_test(test_delays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
