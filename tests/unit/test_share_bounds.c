#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/admin/share_bounds.h"

enum { NOW_S = 1796083200 }; /* 2026-12-01T00:00:00Z */

static void a_query_asks_for_no_more_than_the_view_shows(void **state)
{
    static const char plain[] = "{\"tz\":\"UTC\",\"filters\":{\"from\":\"30d\"}}";
    static const char closed[] =
        "{\"tz\":\"UTC\",\"filters\":{\"from\":\"2026-11-01\",\"to\":\"2026-11-10\","
        "\"campaign\":\"2,3\",\"kind\":\"\",\"who\":\"total\",\"interval\":\"hour\","
        "\"compare\":\"year\"}}";
    static const char zoned[] =
        "{\"tz\":\"Europe/Berlin\",\"filters\":{\"from\":\"2026-11-01\",\"to\":\"2026-11-10\"}}";
    static const char bare[] = "{\"filters\":{}}";
    const struct {
        const char *name, *share, *query, *want; /* the parameter at fault; NULL = none */
    } cases[] = {
        {"all of it", plain, "from=30d", NULL},
        {"the last of its days", plain, "from=7d&group_by=kind&interval=hour", NULL},
        {"a part in its middle", plain, "from=2026-11-10&to=2026-11-12", NULL},
        {"a day more", plain, "from=31d", "from"},
        {"a day before", plain, "from=2026-11-01&to=2026-11-30", "from"},
        {"an end in the future", plain, "from=2026-11-10&to=2026-12-09", "from"},
        {"no beginning", plain, "group_by=kind", "from"},
        {"no beginning, and an end", plain, "to=2026-11-12", "from"},
        {"an empty beginning", plain, "from=&to=2026-11-12", "from"},
        {"a beginning that is none", plain, "from=yesterday", "from"},
        {"a beginning behind the end", plain, "from=2026-11-12&to=2026-11-10", "from"},
        {"the period before beside it", plain, "from=30d&compare=previous", NULL},
        {"another one beside it", plain, "from=30d&compare=year", "compare"},
        {"nothing named beside it", plain, "from=30d&compare=", "compare"},
        {"other days", plain, "from=7d&tz=Europe/Berlin", "tz"},
        {"days of UTC by name", plain, "from=7d&tz=UTC", NULL},
        {"one more filter", plain, "from=7d&country=DE", NULL},
        {"a view without anything is of 30 days", bare, "from=30d", NULL},
        {"and of no more", bare, "from=31d", "from"},
        {"its filter", closed, "from=2026-11-01&to=2026-11-10&campaign=2,3", NULL},
        {"the other way round", closed, "from=2026-11-01&to=2026-11-10&campaign=3,2", NULL},
        {"some of its values", closed, "from=2026-11-02&to=2026-11-09&campaign=3&kind=pay", NULL},
        {"as it is compared", closed, "from=2026-11-02&to=2026-11-09&campaign=3&compare=year",
         NULL},
        {"without its filter", closed, "from=2026-11-01&to=2026-11-10", "campaign"},
        {"its filter empty", closed, "from=2026-11-01&to=2026-11-10&campaign=", "campaign"},
        {"one value more", closed, "from=2026-11-01&to=2026-11-10&campaign=2,3,4", "campaign"},
        {"an empty one more", closed, "from=2026-11-01&to=2026-11-10&campaign=2,,3", "campaign"},
        {"a part of a value", closed, "from=2026-11-01&to=2026-11-10&campaign=23", "campaign"},
        {"a day later", closed, "from=2026-11-01&to=2026-11-11&campaign=2", "from"},
        {"up to now", closed, "from=2026-11-01&campaign=2", "from"},
        {"in its zone", zoned, "from=2026-11-01&to=2026-11-10&tz=Europe/Berlin", NULL},
        {"in another zone", zoned, "from=2026-11-01&to=2026-11-10&tz=Asia/Tokyo", "tz"},
        {"in none", zoned, "from=2026-11-01&to=2026-11-10", "tz"},
        {"by times, within", zoned,
         "from=2026-10-31T23:00:00Z&to=2026-11-10T23:00:00Z&tz=Europe/Berlin", NULL},
        {"by times, an hour early", zoned,
         "from=2026-10-31T22:00:00Z&to=2026-11-10T23:00:00Z&tz=Europe/Berlin", "from"},
        {"by times, a moment late", zoned,
         "from=2026-10-31T23:00:00Z&to=2026-11-10T23:00:01Z&tz=Europe/Berlin", "from"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *share = json_loads(cases[i].share, 0, NULL);
        struct share_fault fault = {NULL, NULL};
        struct query query;
        struct slice bad;

        print_message("%s\n", cases[i].name);
        assert_non_null(share);
        assert_int_equal(query_parse(slice_of(cases[i].query), &query, &bad), QUERY_OK);
        assert_int_equal(share_bounds_allow(share, &query, NOW_S, true, &fault),
                         cases[i].want == NULL);
        if (cases[i].want)
            assert_string_equal(fault.parameter, cases[i].want);
        json_decref(share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_asks_for_no_more_than_the_view_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
