/* Unit tests for reports/report.c, with an API that answers as a case wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/zone.h"
#include "service/reports/report.h"
#include "service/reports/report_when.h"

/* The rows of clicks by campaign, in the period and in the one before, and those of the funnel. */
struct api {
    const char *now, *before, *funnel;
};

static json_t *ask(void *owner, const char *path)
{
    const struct api *api = owner;
    const char *rows = "";
    char text[512];
    json_t *answer;

    if (strncmp(path, "/v1/funnel?", 11) == 0)
        rows = api->funnel;
    else if (strstr(path, "group_by=campaign"))
        rows = strstr(path, "from=2026-11-16") ? api->now : api->before;
    snprintf(text, sizeof(text), "{\"rows\":[%s],\"total\":{}}", rows);
    answer = json_loads(text, 0, NULL);
    assert_non_null(answer);
    return answer;
}

static void test_rows_that_are_no_campaign_are_not_shown_as_one(void **state)
{
    const struct {
        const char *name;
        struct api api;
        const char *campaigns, *unusual; /* keys, each with a blank behind it */
    } cases[] = {
        {"links without a campaign, and all beyond the limit",
         {"{\"key\":\"7\",\"human\":9},{\"key\":\"0\",\"human\":90},{\"key\":\"(rest)\",\"human\":"
          "50}",
          "", "{\"key\":\"0\",\"clicked\":3}"},
         "7 ",
         ""},
        {"what is missing has stopped",
         {"{\"key\":\"7\",\"human\":9}",
          "{\"key\":\"8\",\"human\":50},{\"key\":\"0\",\"human\":50}", ""},
         "7 ",
         "8 "},
        {"unless it may be among the rest",
         {"{\"key\":\"7\",\"human\":5},{\"key\":\"(rest)\",\"human\":80}",
          "{\"key\":\"8\",\"human\":50},{\"key\":\"7\",\"human\":50},{\"key\":\"(rest)\",\"human\":"
          "900}",
          ""},
         "7 ",
         "7 "},
        {"the rest itself doesn't stop",
         {"{\"key\":\"7\",\"human\":9}", "{\"key\":\"(rest)\",\"human\":900}", ""},
         "7 ",
         ""},
    };
    struct zone *zone = zone_load(slice_of("UTC"));
    const struct report_period period = {
        .every = REPORT_WEEK, .first = "2026-11-16", .last = "2026-11-22", .end_s = 1795392000};

    (void)state;
    assert_non_null(zone);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api api = cases[i].api;
        const struct report_options options = {.brand = "acme",
                                               .tz = "UTC",
                                               .zone = zone,
                                               .period = &period,
                                               .ask = ask,
                                               .owner = &api};
        const char *const lists[] = {"campaigns", "unusual"};
        const char *const wanted[] = {cases[i].campaigns, cases[i].unusual};
        json_t *report = report_make(&options), *row;
        size_t k;

        print_message("%s\n", cases[i].name);
        assert_non_null(report);
        for (size_t list = 0; list < 2; list++) {
            char found[64] = "";

            json_array_foreach(json_object_get(report, lists[list]), k, row)
            {
                strcat(found, json_string_value(json_object_get(row, "campaign")));
                strcat(found, " ");
            }
            assert_string_equal(found, wanted[list]);
        }
        json_decref(report);
    }
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_that_are_no_campaign_are_not_shown_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
