/* An invoice's facts: what is kept of them, and what they add to the sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/click.h"
#include "proto/funnel.h"
#include "proto/funnel_weigh.h"
#include "proto/token.h"

enum { NOW_S = 1795348800, WINDOW_S = 30 * 86400 };

/* --- what happens to an invoice --- */

static bool add_records(struct funnel_invoice *invoice, const uint8_t *bytes, size_t len)
{
    struct funnel_record record;
    struct funnel_fact fact;
    size_t at = 0, to = 0, from = 0;
    bool all = true;

    assert_true(funnel_next_record(slice_make((const char *)bytes, len), &at, &record));
    for (; funnel_next_fact(record.facts, &to, &fact); from = to)
        all &= funnel_invoice_add(invoice, slice_make(record.facts.ptr + from, to - from));
    return all;
}

/* A click `ago` seconds before NOW_S on a link of the campaign and kind, issued a day before it. */
static struct click a_click(int64_t ago, uint16_t campaign, uint8_t kind)
{
    return (struct click){
        .time_ms = INT64_C(1000) * (NOW_S - ago),
        .object = 5,
        .client = 77,
        .campaign = campaign,
        .issued_min = (uint32_t)((NOW_S - ago - TOKEN_EPOCH_S) / 60 - 1440),
        .kind = kind,
        .channel = 1,
    };
}

static bool add_click(struct funnel_invoice *invoice, const struct click *click, bool is_taken_back)
{
    uint8_t bytes[FUNNEL_RECORD_MAX];

    return add_records(invoice, bytes, funnel_put_click(bytes, click, is_taken_back));
}

static bool add_event(struct funnel_invoice *invoice, enum event_type type, int64_t ago,
                      int64_t amount)
{
    uint8_t bytes[FUNNEL_RECORD_MAX];
    struct event event = {.type = type,
                          .object = 5,
                          .at_ms = INT64_C(1000) * (NOW_S - ago),
                          .campaign = 1,
                          .value = type == EVENT_MAIL_SENT ? 1 : 0,
                          .amount = amount};

    if (amount)
        memcpy(event.currency, "EUR", EVENT_CURRENCY_LEN);
    return add_records(invoice, bytes, funnel_put_event(bytes, &event));
}

static struct slice facts_of(const struct funnel_invoice *invoice)
{
    return slice_make((const char *)invoice->facts, invoice->len);
}

/* The sum of a metric, over all campaigns and values, without those by kind. */
static int64_t sum_of(const struct funnel_invoice *invoice, unsigned metric)
{
    struct funnel_sum sums[FUNNEL_SUMS_MAX];
    size_t n = funnel_weigh(facts_of(invoice), WINDOW_S, 1, sums);
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (sums[i].metric == metric && (sums[i].kind == 0 || metric == FUNNEL_AMOUNT))
            sum += sums[i].count;
    }
    return sum;
}

/* --- tests --- */

static void test_payments(void **state)
{
    enum { CLICK = 100 };
    const struct {
        const char *name;
        struct {
            int what; /* an event, or a click */
            int64_t ago, amount;
        } of[4];
        int64_t paid, amount;              /* credited */
        int64_t outcomes[FUNNEL_OUTCOMES]; /* in the order of enum funnel_outcome */
    } cases[] = {
        {"nothing", {{0}}, 0, 0, {0}},
        {"nobody clicked", {{EVENT_PAID, 60, 1999}}, 0, 0, {0, 1}},
        {"clicked, then paid", {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}}, 1, 1999, {1}},
        {"told the other way round", {{EVENT_PAID, 60, 1999}, {CLICK, 90, 0}}, 1, 1999, {1}},
        {"paid, then clicked", {{EVENT_PAID, 90, 1999}, {CLICK, 60, 0}}, 0, 0, {0, 0, 1}},
        {"too late", {{CLICK, 31 * 86400, 0}, {EVENT_PAID, 60, 1999}}, 0, 0, {0, 0, 0, 1}},
        {"just in time", {{CLICK, 30 * 86400 + 60, 0}, {EVENT_PAID, 60, 1999}}, 1, 1999, {1}},
        {"a paid takes the place of a paid",
         {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}, {EVENT_PAID, 50, 5}},
         1,
         5,
         {1, 0, 0, 0, 0, 1}},
        {"in two parts",
         {{CLICK, 90, 0}, {EVENT_PARTLY_PAID, 60, 1000}, {EVENT_PAID, 50, 999}},
         1,
         1999,
         {2}},
        {"a part is refunded",
         {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}, {EVENT_REFUNDED, 50, 999}},
         1,
         1000,
         {1}},
        {"all is refunded",
         {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}, {EVENT_REFUNDED, 50, 0}},
         0,
         0,
         {0, 0, 0, 0, 0, 0, 1}},
        {"a refund before the payment takes nothing back",
         {{CLICK, 90, 0}, {EVENT_REFUNDED, 70, 1999}, {EVENT_PAID, 60, 1999}},
         1,
         1999,
         {1}},
        {"unpaid and paid again",
         {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}, {EVENT_UNPAID, 50, 0}, {EVENT_PAID, 40, 1999}},
         1,
         1999,
         {1, 0, 0, 0, 0, 0, 1}},
        {"in one second: unpaid, then paid",
         {{CLICK, 90, 0}, {EVENT_PAID, 60, 1999}, {EVENT_UNPAID, 60, 0}},
         1,
         1999,
         {1}},
        {"without an amount", {{CLICK, 90, 0}, {EVENT_PAID, 60, 0}}, 1, 0, {1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct funnel_invoice invoice = {.len = 0};

        print_message("%s\n", cases[i].name);
        for (size_t k = 0; k < 4 && cases[i].of[k].what; k++) {
            struct click click = a_click(cases[i].of[k].ago, 3, 2);

            if (cases[i].of[k].what == CLICK)
                assert_true(add_click(&invoice, &click, false));
            else
                assert_true(add_event(&invoice, (enum event_type)cases[i].of[k].what,
                                      cases[i].of[k].ago, cases[i].of[k].amount));
        }
        assert_int_equal(sum_of(&invoice, FUNNEL_N_PAID), cases[i].paid);
        assert_int_equal(sum_of(&invoice, FUNNEL_AMOUNT), cases[i].amount);
        for (unsigned outcome = 0; outcome < FUNNEL_OUTCOMES; outcome++)
            assert_int_equal(sum_of(&invoice, FUNNEL_N_OUTCOME + outcome),
                             cases[i].outcomes[outcome]);
    }
}

static void test_the_last_click_earns(void **state)
{
    struct funnel_invoice invoice = {.len = 0};
    struct funnel_sum sums[FUNNEL_SUMS_MAX];
    struct click first = a_click(500, 3, 2), second = a_click(400, 4, 1), late = a_click(10, 5, 1);
    size_t n;

    (void)state;
    assert_true(add_click(&invoice, &late, false));
    assert_true(add_click(&invoice, &second, false));
    assert_true(add_click(&invoice, &first, false));
    assert_true(add_event(&invoice, EVENT_PAID, 100, 1999));
    n = funnel_weigh(facts_of(&invoice), WINDOW_S, 1, sums);
    for (size_t i = 0; i < n; i++) {
        if (sums[i].metric == FUNNEL_N_PAID || sums[i].metric == FUNNEL_AMOUNT)
            assert_int_equal(sums[i].campaign, 4);
        if (sums[i].metric == FUNNEL_PAY_DELAY)
            assert_int_equal(sums[i].value, funnel_delay(300));
    }
    assert_int_equal(sum_of(&invoice, FUNNEL_N_CLICKED), 3);
    print_message("it turns out to be a gateway's\n");
    assert_true(add_click(&invoice, &second, true));
    n = funnel_weigh(facts_of(&invoice), WINDOW_S, 1, sums);
    for (size_t i = 0; i < n; i++) {
        if (sums[i].metric == FUNNEL_N_PAID)
            assert_int_equal(sums[i].campaign, 3);
    }
    assert_int_equal(sum_of(&invoice, FUNNEL_N_CLICKED), 2);
}

static void test_taken_back_before_it_came(void **state)
{
    struct funnel_invoice invoice = {.len = 0};
    struct click click = a_click(500, 3, 2);

    (void)state;
    click.client = 0;
    assert_true(add_click(&invoice, &click, true));
    assert_int_equal(sum_of(&invoice, FUNNEL_N_CLICKED), 0);
    assert_int_equal(invoice.len, FUNNEL_CLICK_LEN);
    assert_true(add_click(&invoice, &click, false));
    assert_int_equal(invoice.len, 0);
}

static void test_no_more_is_kept_than_has_room(void **state)
{
    struct funnel_invoice invoice = {.len = 0};
    struct slice facts;
    struct funnel_fact fact;
    unsigned n_clicks = 0, n_sent = 0, n_of_one = 0;
    int64_t newest_s = 0;
    size_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct click click = a_click(1000 - i, i % 2 ? 1 : (uint16_t)(2 + i), 1);

        click.issued_min = 1000;
        assert_true(add_click(&invoice, &click, false));
        assert_true(add_event(&invoice, EVENT_MAIL_SENT, 1000 - i, 0));
        assert_int_equal(add_event(&invoice, EVENT_PARTLY_PAID, 900 - i, 1), i < FUNNEL_MONEY_MAX);
        assert_true(invoice.len <= sizeof(invoice.facts));
    }
    facts = facts_of(&invoice);
    while (funnel_next_fact(facts, &at, &fact)) {
        n_clicks += fact.type == FUNNEL_CLICK;
        n_sent += fact.type == FUNNEL_SENT;
        n_of_one += fact.type == FUNNEL_CLICK && fact.campaign == 1;
        newest_s = fact.type == FUNNEL_CLICK && fact.time_s > newest_s ? fact.time_s : newest_s;
    }
    assert_int_equal(at, facts.len);
    assert_int_equal(n_clicks, FUNNEL_CLICKS_MAX);
    assert_int_equal(n_sent, FUNNEL_SENT_MAX);
    assert_in_range(n_of_one, 1, 3); /* half of the clicks were on this link */
    assert_int_equal(newest_s, NOW_S - 901);
    print_message("it is read again as it was kept\n");
    {
        static struct funnel_invoice copy;

        assert_true(funnel_invoice_load(&copy, facts));
        assert_int_equal(copy.len, invoice.len);
        assert_memory_equal(copy.facts, invoice.facts, copy.len);
    }
}

static void test_garbage_is_no_invoice(void **state)
{
    static struct funnel_invoice invoice;
    static uint8_t many[FUNNEL_FACTS_MAX + 1];
    const struct {
        const char *name, *bytes;
        size_t len;
    } cases[] = {
        {"an unknown fact", "\xf0", 1},
        {"a client cut short", "\x10\0\0\0", 4},
        {"mails, which are no invoice's", "\x50\0\0\0\0\0\0\0\0\0\1", 11},
        {"a client that is not the first fact", "\x10\0\0\0\1\x10\0\0\0\2", 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        assert_false(funnel_invoice_load(&invoice, slice_make(cases[i].bytes, cases[i].len)));
        invoice.len = 0;
        if (i < 2)
            assert_false(funnel_invoice_add(&invoice, slice_make(cases[i].bytes, cases[i].len)));
        assert_int_equal(invoice.len, 0);
    }
    print_message("too many\n");
    for (size_t i = 0; i + FUNNEL_CLICK_LEN <= sizeof(many); i += FUNNEL_CLICK_LEN)
        many[i] = FUNNEL_CLICK << 4;
    assert_false(funnel_invoice_load(&invoice, slice_make((const char *)many, sizeof(many))));
    assert_false(
        funnel_invoice_load(&invoice, slice_make((const char *)many, 17 * FUNNEL_CLICK_LEN)));
    assert_true(
        funnel_invoice_load(&invoice, slice_make((const char *)many, 16 * FUNNEL_CLICK_LEN)));
}

static void test_the_month_of_a_mail(void **state)
{
    struct funnel_invoice invoice = {.len = 0};
    struct click click = a_click(0, 3, 1); /* issued on 2026-11-21 */

    (void)state;
    assert_false(funnel_is_mailed(facts_of(&invoice), 3, NOW_S));
    assert_true(add_click(&invoice, &click, false));
    assert_true(funnel_is_mailed(facts_of(&invoice), 3, NOW_S - 20 * 86400));
    assert_false(funnel_is_mailed(facts_of(&invoice), 3, NOW_S + 20 * 86400));
    assert_false(funnel_is_mailed(facts_of(&invoice), 4, NOW_S));
}

/* The differences of single changes add up to what all facts add. */
static void test_differences_add_up(void **state)
{
    static struct funnel_sum sums[FUNNEL_SUMS_MAX];
    const char *given = getenv("HOPCOUNT_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    (void)state;
    print_message("HOPCOUNT_SEED=%u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 200; round++) {
        struct funnel_invoice invoice = {.len = 0};
        int64_t metrics[64] = {0}, want[64] = {0};
        size_t n;

        for (unsigned step = 0; step < 100; step++) {
            struct click click =
                a_click(rand() % 5000000, (uint16_t)(rand() % 4), (uint8_t)(1 + rand() % 3));
            static const enum event_type types[] = {EVENT_PAID,     EVENT_PARTLY_PAID,
                                                    EVENT_UNPAID,   EVENT_REFUNDED,
                                                    EVENT_CREDITED, EVENT_MAIL_SENT};
            enum event_type type = types[rand() % 6];

            n = funnel_weigh(facts_of(&invoice), WINDOW_S, -1, sums);
            for (size_t i = 0; i < n; i++)
                metrics[sums[i].metric] += sums[i].count;
            if (rand() % 2)
                (void)add_click(&invoice, &click, rand() % 4 == 0);
            else
                (void)add_event(&invoice, type, rand() % 5000000,
                                type == EVENT_UNPAID || rand() % 8 == 0 ? 0 : rand() % 1000);
            n = funnel_weigh(facts_of(&invoice), WINDOW_S, 1, sums);
            for (size_t i = 0; i < n; i++)
                metrics[sums[i].metric] += sums[i].count;
        }
        n = funnel_weigh(facts_of(&invoice), WINDOW_S, 1, sums);
        for (size_t i = 0; i < n; i++) {
            assert_true(sums[i].count > 0);
            want[sums[i].metric] += sums[i].count;
        }
        assert_memory_equal(metrics, want, sizeof(want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payments),
        cmocka_unit_test(test_the_last_click_earns),
        cmocka_unit_test(test_taken_back_before_it_came),
        cmocka_unit_test(test_no_more_is_kept_than_has_room),
        cmocka_unit_test(test_garbage_is_no_invoice),
        cmocka_unit_test(test_the_month_of_a_mail),
        cmocka_unit_test(test_differences_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
