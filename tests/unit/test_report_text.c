/* Unit tests for reports/report_text.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "service/reports/report_text.h"

/* A week of one brand with `machines` clicks by machines and the pages that are down. */
static json_t *report_of(int machines, const char *down)
{
    json_t *report = json_pack("{ss ss ss ss ss s{s{si si} s{si si}} so}", "brand", "acme", "every",
                               "week", "from", "2026-11-16", "to", "2026-11-22", "tz", "UTC",
                               "figures", "people", "now", 5, "before", 5, "machines", "now",
                               machines, "before", 0, "down", json_loads(down, 0, NULL));

    assert_non_null(report);
    return report;
}

static void test_sentences(void **state)
{
    static const char down[] = "[{\"target\": \"pay\", \"why\": \"it answers 404\"}]";
    static const char down_unsaid[] = "[{\"target\": \"pay\", \"why\": null}]";
    static const char why[] = "Die Seite pay ist gest\xc3\xb6rt. Den Grund nennt die Seite Ziele "
                              "im Dashboard.\n";
    const struct {
        enum report_language language;
        int machines;
        const char *down, *says;
    } cases[] = {
        {REPORT_ENGLISH, 0, "[]", "No click came from a machine."},
        {REPORT_ENGLISH, 1, "[]", "One more click came from a machine, such as a mail gateway."},
        {REPORT_ENGLISH, 1234, "[]", "Another 1,234 clicks came from machines"},
        {REPORT_ENGLISH, 0, "[]", "Nothing unusual.\n"},
        {REPORT_ENGLISH, 0, down, "The page pay is down: it answers 404.\n"},
        {REPORT_ENGLISH, 0, down_unsaid, "The page pay is down.\n"},
        {REPORT_GERMAN, 0, "[]", "Kein Klick stammt von einer Maschine."},
        {REPORT_GERMAN, 1, "[]", "Ein weiterer Klick stammt von einer Maschine, zum Beispiel"},
        {REPORT_GERMAN, 1234, "[]", "Weitere 1.234 Klicks stammen von Maschinen"},
        {REPORT_GERMAN, 0, down, why},
        {REPORT_GERMAN, 0, down_unsaid, why},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *report = report_of(cases[i].machines, cases[i].down);
        char *text = report_write(report, cases[i].language, REPORT_PLAIN);

        print_message("%s\n", cases[i].says);
        assert_non_null(text);
        if (!strstr(text, cases[i].says))
            fail_msg("it says: %s", text);
        json_decref(report);
        free(text);
    }
}

static void test_campaigns(void **state)
{
    const struct {
        const char *name;
        int now, clicked, sent;
        const char *english, *german;
    } cases[] = {
        {"several clicks", 3, 1, 3,
         "Campaign 12: people have stopped clicking: 3 clicks, 60 in the week before.",
         "Kampagne 12: Personen klicken nicht mehr: 3 Klicks, 60 in der Woche davor."},
        {"one click", 1, 1, 3,
         "Campaign 12: people have stopped clicking: 1 click, 60 in the week before.",
         "Kampagne 12: Personen klicken nicht mehr: 1 Klick, 60 in der Woche davor."},
        {"a rate is rounded as on the dashboard", 0, 2, 3, "66.7%", "66,7\xc2\xa0%"},
        {"half of a tenth is rounded up", 0, 1, 2000, "0.1%", "0,1\xc2\xa0%"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *report = report_of(0, "[]");
        const char *const says[] = {cases[i].english, cases[i].german};

        print_message("%s\n", cases[i].name);
        json_object_set_new(report, "unusual",
                            json_pack("[{ss sn ss si si}]", "campaign", "12", "name", "what",
                                      "stopped", "now", cases[i].now, "before", 60));
        json_object_set_new(report, "campaigns",
                            json_pack("[{ss sn si si si si}]", "campaign", "12", "name", "people",
                                      2, "sent", cases[i].sent, "clicked", cases[i].clicked, "paid",
                                      0));
        for (size_t k = 0; k < 2; k++) {
            char *text =
                report_write(report, k == 0 ? REPORT_ENGLISH : REPORT_GERMAN, REPORT_PLAIN);

            assert_non_null(text);
            if (!strstr(text, says[k]))
                fail_msg("it says: %s", text);
            free(text);
        }
        json_decref(report);
    }
}

/* Days of UTC stand for local ones where the hours of either period are not known. */
static void test_how_clients_are_counted(void **state)
{
    const struct {
        enum report_language language;
        const char *by, *says;
    } cases[] = {
        {REPORT_ENGLISH, "hours", "Clients are counted within 1%."},
        {REPORT_ENGLISH, "days", "Clients are counted by days of UTC, within 1%."},
        {REPORT_GERMAN, "hours", "Kunden sind auf 1 % genau gez\xc3\xa4hlt."},
        {REPORT_GERMAN, "days", "Kunden sind nach UTC-Tagen auf 1 % genau gez\xc3\xa4hlt."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *report = report_of(0, "[]");
        char *text;

        print_message("%s\n", cases[i].says);
        json_object_set_new(report, "clients_by", json_string(cases[i].by));
        text = report_write(report, cases[i].language, REPORT_PLAIN);
        assert_non_null(text);
        if (!strstr(text, cases[i].says))
            fail_msg("it says: %s", text);
        json_decref(report);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_campaigns),
        cmocka_unit_test(test_how_clients_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
