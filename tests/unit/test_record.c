/* Records as JSON and CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/click_names.h"
#include "service/config/brand.h"
#include "service/sinks/record.h"

#define LOG "000102030405060708090a0b0c0d0e0f"

static const struct brand brand = {.name = {"acme", 4}};

static struct record click_record(void)
{
    return (struct record){
        .log = LOG,
        .position = 7,
        .what = RECORD_CLICK,
        .brand = &brand,
        .click = {.link_id = 0xabc,
                  .time_ms = 1795611723045,
                  .object = 1234,
                  .client = 77,
                  .campaign = 12,
                  .type = CLICK_TYPE_CLICK,
                  .kind = 2,
                  .channel = 1,
                  .variant = 2,
                  .country = {'D', 'E'},
                  .label = CLICK_HUMAN,
                  .device = CLICK_DEVICE_PHONE},
    };
}

static struct record relabel_record(void)
{
    struct record record = click_record();

    record.what = RECORD_RELABEL;
    record.brand = NULL;
    record.click.label = CLICK_SCANNER;
    record.click.reason = CLICK_REASON_MANY_LINKS;
    record.click.old_label = CLICK_HUMAN;
    record.click.kind = 5;
    record.click.campaign = 0;
    record.click.client = 0;
    record.click.country[0] = record.click.country[1] = 0;
    return record;
}

static struct record event_record(int64_t amount)
{
    struct record record = {.log = LOG, .position = UINT64_MAX >> 1, .what = RECORD_EVENT};

    record.brand = &brand;
    record.event = (struct event){
        .type = EVENT_REFUNDED, .object = 9, .amount = amount, .currency = {'E', 'U', 'R'}};
    record.click = (struct click){.type = CLICK_TYPE_EVENT, .object = 9, .time_ms = 999};
    return record;
}

static void records_are_written(void **state)
{
    const struct record click = click_record(), relabel = relabel_record(),
                        refund = event_record(-1250);
    const struct record omitted = {
        .log = LOG, .position = 8, .what = RECORD_OMITTED, .click = click.click};
    const struct {
        const char *name;
        const struct record *record;
        enum record_fields fields;
        const char *json, *csv;
    } cases[] = {
        {"a click", &click, RECORD_ALL,
         "{\"log\":\"" LOG
         "\",\"position\":7,\"type\":\"click\",\"time\":\"2026-11-25T13:02:03.045Z\","
         "\"brand\":\"acme\",\"kind\":\"pay\",\"link\":\"0000000000000abc\",\"object\":1234,"
         "\"client\":77,\"campaign\":12,\"channel\":\"mail\",\"variant\":\"B\",\"label\":\"human\","
         "\"reason\":\"none\",\"country\":\"DE\",\"device\":\"phone\",\"browser\":\"other\","
         "\"system\":\"other\",\"referrer\":\"none\"}\n",
         LOG ",7,click,2026-11-25T13:02:03.045Z,acme,pay,0000000000000abc,1234,77,12,mail,B,human,"
             "none,,,DE,phone,other,other,none,,,\n"},
        {"a click without names", &click, RECORD_COUNTS, NULL,
         LOG ",7,click,2026-11-25T13:02:03.045Z,acme,pay,,,,12,mail,B,human,none,,,DE,phone,other,"
             "other,none,,,\n"},
        {"a relabelling of a brand that is gone", &relabel, RECORD_ALL, NULL,
         LOG ",7,relabel,2026-11-25T13:02:03.045Z,,5,0000000000000abc,1234,,,mail,B,scanner,"
             "many_links,human,none,,phone,other,other,none,,,\n"},
        {"an event", &refund, RECORD_ALL, NULL,
         LOG
         ",9223372036854775807,invoice.refunded,1970-01-01T00:00:00.999Z,acme,,,9,,,,,,,,,,,,,,,"
         "-1250,EUR\n"},
        {"what is omitted", &omitted, RECORD_ALL,
         "{\"log\":\"" LOG "\",\"position\":8,\"type\":\"omitted\"}\n",
         LOG ",8,omitted,,,,,,,,,,,,,,,,,,,,,\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct record_form form = {.fields = cases[i].fields};
        char out[RECORD_TEXT_MAX + 1];

        print_message("%s\n", cases[i].name);
        out[record_csv(cases[i].record, &form, out)] = '\0';
        assert_string_equal(out, cases[i].csv);
        out[record_json(cases[i].record, &form, out)] = '\0';
        if (cases[i].json)
            assert_string_equal(out, cases[i].json);
    }
}

static void a_line_of_csv_has_as_many_columns_as_the_head(void **state)
{
    const struct record click = click_record();
    const struct record_form form = {.fields = RECORD_ALL};
    char out[RECORD_TEXT_MAX];
    size_t len = record_csv(&click, &form, out);
    int n = 0;

    (void)state;
    for (size_t i = 0; i < len; i++)
        n += out[i] == ',';
    for (const char *c = record_csv_head; *c; c++)
        n -= *c == ',';
    assert_int_equal(n, 0);
}

static void hashes_are_of_one_value_and_one_brand(void **state)
{
    struct record_form form = {.fields = RECORD_HASHED, .key = {1}};
    struct record a = click_record(), b = click_record();
    struct record_subject of_a, of_b;

    (void)state;
    record_subject(&a, &form, &of_a);
    record_subject(&b, &form, &of_b);
    assert_memory_equal(&of_a, &of_b, sizeof(of_a));
    assert_true(of_a.client != 77 && of_a.object != 1234 && of_a.link != 0xabc);
    b.click.brand = 1;
    record_subject(&b, &form, &of_b);
    assert_true(of_a.client != of_b.client && of_a.object != of_b.object);
    assert_true(of_a.link == of_b.link);
    form.key[0] = 2;
    record_subject(&a, &form, &of_b);
    assert_true(of_a.client != of_b.client && of_a.link != of_b.link);
    a.click.client = 0;
    record_subject(&a, &form, &of_a);
    assert_int_equal(of_a.client, 0); /* no client is no client */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_written),
        cmocka_unit_test(a_line_of_csv_has_as_many_columns_as_the_head),
        cmocka_unit_test(hashes_are_of_one_value_and_one_brand),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
