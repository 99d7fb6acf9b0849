/* Records in the words of web analytics. */
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
#include "service/sinks/webhook_preset.h"

static const struct brand brand = {.name = {"acme", 4}, .base_url = "https://go.acme.example:8443"};
static const struct record_form form = {.fields = RECORD_ALL};

static struct record click_record(void)
{
    return (struct record){
        .log = "000102030405060708090a0b0c0d0e0f",
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
                  .label = CLICK_HUMAN},
    };
}

static struct record paid_record(const char currency[static 3], int64_t amount)
{
    struct record record = {.what = RECORD_EVENT, .brand = &brand};

    record.event = (struct event){
        .type = EVENT_PAID, .at_ms = 1795611723045, .object = 9, .client = 77, .amount = amount};
    memcpy(record.event.currency, currency, 3);
    record.click = (struct click){
        .type = CLICK_TYPE_EVENT, .object = 9, .client = 77, .time_ms = 1795611723045};
    return record;
}

static void clicks_are_written(void **state)
{
    struct record click = click_record(), bare = click_record();
    char text[WEBHOOK_PRESET_MAX];
    size_t len;

    (void)state;
    len = webhook_preset_ga4(&click, &form, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(
        text, "{\"client_id\":\"000000000000004d\",\"timestamp_micros\":1795611723045000,"
              "\"consent\":{\"ad_user_data\":\"DENIED\",\"ad_personalization\":\"DENIED\"},"
              "\"user_location\":{\"country_id\":\"DE\"},\"events\":[{\"name\":"
              "\"billing_link_click\",\"params\":{\"session_id\":\"1795611723\","
              "\"engagement_time_msec\":1,\"link_kind\":\"pay\",\"channel\":\"mail\",\"label\":"
              "\"human\",\"brand\":\"acme\",\"campaign_id\":\"12\",\"variant\":\"B\"}}]}");
    len = webhook_preset_matomo(&click, &form, 5, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(
        text, "?idsite=5&rec=1&apiv=1&send_image=0&cid=000000000000004d&cdt=1795611723&_rcn=12"
              "&country=de&url=https%3A%2F%2Fgo.acme.example%3A8443%2Fpay%3Fmtm_source%3Dhopcount"
              "%26mtm_medium%3Dmail%26mtm_campaign%3D12%26mtm_content%3DB&ca=1&e_c=acme"
              "&e_a=click_pay&e_n=campaign_12");
    bare.brand = NULL;
    bare.click.client = bare.click.campaign = bare.click.variant = 0;
    bare.click.country[0] = bare.click.country[1] = 0;
    webhook_preset_matomo(&bare, &form, 5, text);
    assert_string_equal(text, "?idsite=5&rec=1&apiv=1&send_image=0&cid=0000000000000abc"
                              "&cdt=1795611723&ca=1&e_c=hopcount&e_a=click_pay");
}

static void amounts_have_the_digits_of_their_currency(void **state)
{
    const struct {
        const char *name, *currency;
        int64_t amount;
        const char *want;
    } cases[] = {
        {"two digits", "EUR", 11905, "119.05"},
        {"less than one", "USD", 7, "0.07"},
        {"none", "JPY", 500, "500"},
        {"three", "KWD", 1234, "1.234"},
        {"taken back", "EUR", -1250, "-12.50"},
        {"the largest", "EUR", EVENT_AMOUNT_MAX, "90071992547409.91"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record paid = paid_record(cases[i].currency, cases[i].amount);
        char text[WEBHOOK_PRESET_MAX], want[64];

        print_message("%s\n", cases[i].name);
        webhook_preset_ga4(&paid, &form, text);
        snprintf(want, sizeof(want), "\"currency\":\"%s\",\"value\":%s,", cases[i].currency,
                 cases[i].want);
        assert_non_null(strstr(text, want));
        webhook_preset_matomo(&paid, &form, 1, text);
        snprintf(want, sizeof(want), "&idgoal=0&ec_id=0000000000000009&revenue=%s", cases[i].want);
        assert_non_null(strstr(text, want));
    }
}

static void what_has_a_place(void **state)
{
    struct record click = click_record(), paid = paid_record("EUR", 1),
                  none = paid_record("EUR", 1);

    (void)state;
    assert_true(webhook_preset_has(&click));
    assert_true(webhook_preset_has(&paid));
    none.event.currency[0] = '\0';
    assert_false(webhook_preset_has(&none));
    paid.event.type = EVENT_ERASED;
    assert_false(webhook_preset_has(&paid));
    click.what = RECORD_RELABEL;
    assert_false(webhook_preset_has(&click));
    click.what = RECORD_OMITTED;
    assert_false(webhook_preset_has(&click));
}

static void the_longest_fits(void **state)
{
    char base_url[256] = "https://", name[64], text[WEBHOOK_PRESET_MAX];
    struct brand longest = {.name = {name, 63}, .base_url = base_url};
    struct record click = click_record();
    size_t len;

    (void)state;
    memset(base_url + 8, '/', sizeof(base_url) - 9); /* three characters each */
    base_url[sizeof(base_url) - 1] = '\0';
    memset(name, 'x', sizeof(name));
    click.brand = &longest;
    click.click.campaign = UINT16_MAX;
    len = webhook_preset_matomo(&click, &form, 1000000000, text);
    assert_int_equal(len, strlen(text));
    assert_non_null(strstr(text, "&e_n=campaign_65535"));
    assert_true(len < WEBHOOK_PRESET_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clicks_are_written),
        cmocka_unit_test(amounts_have_the_digits_of_their_currency),
        cmocka_unit_test(what_has_a_place),
        cmocka_unit_test(the_longest_fits),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
