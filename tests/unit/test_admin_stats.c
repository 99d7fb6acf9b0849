/* Parameters, rows and rendering of GET /v1/stats; what is read is test_admin_stats_plan.c's. */
#include "tests/unit/admin_stats_fixture.h"

/* --- parameters --- */

static void test_refused(void **state)
{
    const struct {
        const char *name, *query, *parameter;
        bool two_brands;
    } cases[] = {
        {"an unknown brand", "brand=nope", "brand", false},
        {"an empty brand", "brand=", "brand", false},
        {"an unknown kind", "kind=nope", "kind", false},
        {"a kind of another brand", "brand=acme&kind=book", "kind", true},
        {"an empty kind in a list", "kind=pay,", "kind", false},
        {"kind 0", "kind=0", "kind", false},
        {"kind 16", "kind=16", "kind", false},
        {"a campaign too high", "campaign=65536", "campaign", false},
        {"a negative campaign", "campaign=-1", "campaign", false},
        {"a campaign that is no number", "campaign=x", "campaign", false},
        {"a campaign twice", "campaign=1,2,1", "campaign", false},
        {"33 campaigns",
         "campaign=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
         "30,31,32,33",
         "campaign", false},
        {"a campaign of no brand", "campaign=1", "brand", true},
        {"grouped by campaign of no brand", "group_by=campaign", "brand", true},
        {"a zone that doesn't exist", "tz=Europe/Atlantis", "tz", false},
        {"an empty zone", "tz=", "tz", false},
        {"a date that doesn't exist", "from=2026-02-30", "from", false},
        {"an end that doesn't exist", "to=2026-13-01", "to", false},
        {"backwards", "from=2026-11-02&to=2026-11-01", "from", false},
        {"21 years", "from=21y", "from", false},
        {"an unknown interval", "interval=week", "interval", false},
        {"an empty interval", "interval=", "interval", false},
        {"an unknown group", "group_by=os", "group_by", false},
        {"an empty group", "group_by=", "group_by", false},
        {"three groups", "group_by=time,kind,label", "group_by", false},
        {"a group twice", "group_by=kind,kind", "group_by", false},
        {"pages by country", "group_by=page,country", "page", false},
        {"all campaigns by page", "group_by=campaign,page", "page", false},
        {"compared with something else", "compare=next", "compare", false},
        {"compared with a later time", "from=2026-11-01&to=2026-11-02&compare=2026-11-01",
         "compare", false},
        {"a device that is none", "device=fridge", "device", false},
        {"a country in small letters", "country=de", "country", false},
        {"an empty filter", "country=", "country", false},
        {"a page and a device", "device=phone&page=expired", "page", false},
        {"two filters, and by page", "country=DE&device=phone&group_by=page", "page", false},
        {"33 values",
         "country=AA,AB,AC,AD,AE,AF,AG,AH,AI,AJ,AK,AL,AM,AN,AO,AP,AQ,AR,AS,AT,AU,AV,AW,AX,AY,AZ,"
         "BA,BB,BC,BD,BE,BF,BG",
         "country", false},
        {"clients of a country", "clients=true&country=DE", "clients", false},
        {"payments of a device", "metric=amount&device=phone", "device", false},
        {"clients neither true nor false", "clients=yes", "clients", false},
        {"clients by kind", "clients=true&group_by=kind", "clients", false},
        {"clients of a kind", "clients=true&kind=pay", "clients", false},
        {"clients of two campaigns", "clients=true&campaign=1,2", "clients", false},
        {"no rows", "limit=0", "limit", false},
        {"too many rows", "limit=10001", "limit", false},
        {"a limit that is no number", "limit=1e3", "limit", false},
        {"a negative offset", "offset=-1", "offset", false},
        {"an offset of ten digits", "offset=1000000000", "offset", false},
        {"an offset of 2^64", "offset=18446744073709551616", "offset", false},
        {"a campaign of 2^32 + 1", "campaign=4294967297", "campaign", false},
        {"an unknown format", "format=xml", "format", false},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct stats_asker asker = {
            .site = cases[i].two_brands ? sites->two : sites->one,
            .now_s = at("2026-11-22T12:00:00Z"),
        };
        struct stats_fault fault;
        struct stats_query out;
        struct query query;
        struct slice bad;

        print_message("%s\n", cases[i].name);
        assert_int_equal(query_parse(slice_of(cases[i].query), &query, &bad), QUERY_OK);
        assert_false(stats_query_init(&out, &query, &asker, &fault));
        assert_int_equal(fault.n, 1);
        assert_false(fault.is_forbidden);
        assert_string_equal(fault.list[0].parameter, cases[i].parameter);
        assert_true(strlen(fault.list[0].detail) > 5);
        stats_query_clear(&out);
    }
}

static void test_taken(void **state)
{
    const struct {
        const char *name, *query;
        enum counter_dim dim;
        enum stats_group first, second; /* STATS_GROUPS = none */
        size_t limit;
    } cases[] = {
        {"nothing is by time", "", COUNTER_DIM_LABEL, STATS_TIME, STATS_GROUPS, STATS_LIMIT_MAX},
        {"by kind", "group_by=kind", COUNTER_DIM_LABEL, STATS_KIND, STATS_GROUPS,
         STATS_LIMIT_DEFAULT},
        {"by country", "group_by=country", COUNTER_DIM_COUNTRY, STATS_COUNTRY, STATS_GROUPS,
         STATS_LIMIT_DEFAULT},
        {"by delay", "group_by=delay", COUNTER_DIM_DELAY, STATS_DELAY, STATS_GROUPS,
         STATS_LIMIT_DEFAULT},
        {"by campaign", "group_by=campaign", COUNTER_DIM_CAMPAIGN, STATS_CAMPAIGN, STATS_GROUPS,
         STATS_LIMIT_DEFAULT},
        {"by campaign, of some", "group_by=campaign&campaign=1,2", COUNTER_DIM_LABEL,
         STATS_CAMPAIGN, STATS_GROUPS, STATS_LIMIT_DEFAULT},
        {"by campaign and variant, of some", "group_by=campaign,variant&campaign=1",
         COUNTER_DIM_VARIANT, STATS_CAMPAIGN, STATS_VARIANT, STATS_LIMIT_DEFAULT},
        {"by campaign and time", "group_by=campaign,time", COUNTER_DIM_CAMPAIGN, STATS_TIME,
         STATS_CAMPAIGN, STATS_LIMIT_DEFAULT},
        {"by kind and campaign", "group_by=kind,campaign", COUNTER_DIM_CAMPAIGN, STATS_KIND,
         STATS_CAMPAIGN, STATS_LIMIT_DEFAULT},
        {"time comes first", "group_by=label,time", COUNTER_DIM_LABEL, STATS_TIME, STATS_LABEL,
         STATS_LIMIT_DEFAULT},
        {"a limit", "limit=10000&offset=5", COUNTER_DIM_LABEL, STATS_TIME, STATS_GROUPS, 10000},
        {"32 campaigns",
         "campaign=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
         "30,31,32",
         COUNTER_DIM_LABEL, STATS_TIME, STATS_GROUPS, STATS_LIMIT_MAX},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats_query out;
        struct query query;

        print_message("%s\n", cases[i].name);
        take(&out, cases[i].query, sites->one, &query);
        assert_int_equal(out.dim, cases[i].dim);
        assert_int_equal(out.groups[0], cases[i].first);
        assert_int_equal(out.n_groups, cases[i].second == STATS_GROUPS ? 1 : 2);
        if (out.n_groups == 2)
            assert_int_equal(out.groups[1], cases[i].second);
        assert_int_equal(out.limit, cases[i].limit);
        assert_string_equal(out.zone_name, "UTC");
        assert_ptr_equal(out.brand, site_brand_at(sites->one, 0));
        stats_query_clear(&out);
    }
}

/* Series hold one dimension besides time and kind, and one campaign or all. */
static void test_what_is_combined(void **state)
{
    const struct {
        const char *name, *query;
        bool is_combined;
        enum counter_dim dim;
    } cases[] = {
        {"a filter", "country=DE", false, COUNTER_DIM_COUNTRY},
        {"a filter, and by itself", "country=DE&group_by=country", false, COUNTER_DIM_COUNTRY},
        {"a filter, by time and kind", "country=DE&group_by=time,kind", false, COUNTER_DIM_COUNTRY},
        {"a filter, by some campaigns", "country=DE&group_by=campaign&campaign=1", false,
         COUNTER_DIM_COUNTRY},
        {"two filters", "country=DE&device=phone", true, COUNTER_DIM_CAMPAIGN},
        {"two filters of a campaign", "country=DE&device=phone&campaign=1", true,
         COUNTER_DIM_LABEL},
        {"a filter, and by another", "country=DE&group_by=time,device", true, COUNTER_DIM_CAMPAIGN},
        {"a filter, and by all campaigns", "country=DE&group_by=campaign", true,
         COUNTER_DIM_CAMPAIGN},
        {"two dimensions", "group_by=label,country", true, COUNTER_DIM_CAMPAIGN},
        {"all campaigns by country", "group_by=campaign,country", true, COUNTER_DIM_CAMPAIGN},
        {"the other way round", "group_by=country,campaign", true, COUNTER_DIM_CAMPAIGN},
        {"all of them",
         "country=DE&device=phone&browser=safari&system=ios&channel=mail&variant=A&referrer=none&"
         "label=human&reason=none&delay=1m",
         true, COUNTER_DIM_CAMPAIGN},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats_query out;
        struct query query;

        print_message("%s\n", cases[i].name);
        take(&out, cases[i].query, sites->one, &query);
        assert_int_equal(out.is_combined, cases[i].is_combined);
        assert_int_equal(out.dim, cases[i].dim);
        stats_query_clear(&out);
    }
}

static void test_plus_that_came_as_a_blank(void **state)
{
    const struct {
        const char *name, *query, *from, *to, *zone;
    } cases[] = {
        {"escaped", "from=2026-11-22T00:00:00%2B01:00&to=2026-11-22T12:00:00%2B01:00",
         "2026-11-21T23:00:00Z", "2026-11-22T11:00:00Z", "UTC"},
        {"as it is", "from=2026-11-22T00:00:00+01:00&to=2026-11-22T12:00:00+05:30",
         "2026-11-21T23:00:00Z", "2026-11-22T07:00:00Z", "UTC"},
        {"a blank instead of the T, too", "from=2026-11-22+00:00:00+01:00&to=2026-11-22 12:00:00Z",
         "2026-11-21T23:00:00Z", "2026-11-22T12:00:00Z", "UTC"},
        {"behind parts of a second", "from=2026-11-22T00:00:00.000+01:00&to=2026-11-22",
         "2026-11-21T23:00:00Z", "2026-11-23T00:00:00Z", "UTC"},
        {"in a time zone", "from=2026-11-22&to=2026-11-22&tz=Etc/GMT+1", "2026-11-22T01:00:00Z",
         "2026-11-23T01:00:00Z", "Etc/GMT+1"},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats_query out;
        struct query query;

        print_message("%s\n", cases[i].name);
        take(&out, cases[i].query, sites->one, &query);
        assert_int_equal(out.period.from_s, at(cases[i].from));
        assert_int_equal(out.period.to_s, at(cases[i].to));
        assert_string_equal(out.zone_name, cases[i].zone);
        stats_query_clear(&out);
    }
}

/* Two queries share an answer if they ask for the same, however they are written. */
static void test_keys(void **state)
{
    const struct {
        const char *name, *a, *b;
        bool same;
    } cases[] = {
        {"the order of parameters", "brand=acme&kind=pay", "kind=pay&brand=acme", true},
        {"what is the default anyway", "from=30d&to=now&format=json&tz=UTC", "", true},
        {"an escaped letter", "brand=%61cme", "brand=acme", true},
        {"a time with another offset", "from=2026-11-01T00:00:00Z",
         "from=2026-11-01T01:00:00%2B01:00", true},
        {"brands", "brand=acme", "brand=globex", false},
        {"all brands", "brand=acme", "", false},
        {"campaigns", "brand=acme&campaign=1", "brand=acme&campaign=11", false},
        {"campaigns in two", "brand=acme&campaign=1,2", "brand=acme&campaign=12", false},
        {"kinds", "kind=pay", "kind=view", false},
        {"formats", "format=csv", "", false},
        {"limits", "limit=10&offset=1", "limit=1&offset=10", false},
        {"the rest as a row", "group_by=kind&limit=2", "group_by=kind&limit=2&offset=0", false},
        {"comparing", "compare=previous", "", false},
        {"comparing with others", "compare=previous", "compare=year", false},
        {"a filter", "country=DE", "", false},
        {"another filter", "country=DE", "country=DE&device=phone", false},
        {"another order of filters", "device=phone&country=DE", "country=DE&device=phone", true},
        {"its values", "country=DE", "country=AT", false},
        {"values of two dimensions", "device=phone", "label=scanner", false},
        {"groups", "group_by=time,kind", "group_by=kind", false},
        {"periods", "from=7d", "from=8d", false},
        {"zones", "tz=Europe/Berlin", "tz=Europe/Paris", false},
        {"intervals", "interval=day&from=7d", "interval=hour&from=7d", false},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats_query a, b;
        struct query query_a, query_b;
        char key_a[STATS_KEY_MAX], key_b[STATS_KEY_MAX];

        print_message("%s\n", cases[i].name);
        take(&a, cases[i].a, sites->two, &query_a);
        take(&b, cases[i].b, sites->two, &query_b);
        stats_query_key(&a, key_a);
        stats_query_key(&b, key_b);
        assert_int_equal(strcmp(key_a, key_b) == 0, cases[i].same);
        a.brands = "acme"; /* who sees one brand has other answers than who sees all */
        assert_string_not_equal(stats_query_key(&a, key_a), key_b);
        stats_query_clear(&a);
        stats_query_clear(&b);
    }
}

/* A key for some brands asks about these. */
static void test_brands_of_a_key(void **state)
{
    const struct {
        const char *name, *brands, *query;
        const char *brand; /* that is asked about; NULL = all that are seen */
        int status;        /* 0 = taken */
        unsigned n_brands; /* that the answer is of */
    } cases[] = {
        {"all brands", NULL, "", NULL, 0, 2},
        {"one is the default", "globex", "", "globex", 0, 1},
        {"one by name", "globex", "brand=globex", "globex", 0, 1},
        {"another", "globex", "brand=acme", NULL, 403, 0},
        {"one that isn't there", "globex", "brand=initech", NULL, 400, 0},
        {"a kind that only others have", "globex", "kind=renew", NULL, 400, 0},
        {"both", "acme,globex", "", NULL, 0, 2},
        {"campaigns need no brand where there is one", "acme", "group_by=campaign", "acme", 0, 1},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct stats_asker asker = {.site = sites->two,
                                          .brands = cases[i].brands,
                                          .whose = "this API key",
                                          .now_s = at("2026-11-22T12:00:00Z")};
        struct stats_fault fault;
        struct stats_query out;
        struct query query;
        struct slice bad;
        unsigned n = 0;

        print_message("%s\n", cases[i].name);
        assert_int_equal(query_parse(slice_of(cases[i].query), &query, &bad), QUERY_OK);
        assert_int_equal(stats_query_init(&out, &query, &asker, &fault), cases[i].status == 0);
        assert_int_equal(fault.is_forbidden ? 403 : fault.n > 0 ? 400 : 0, cases[i].status);
        for (unsigned b = 0; b < 2 && cases[i].status == 0; b++)
            n += stats_query_has(&out, site_brand_at(sites->two, b));
        assert_int_equal(n, cases[i].n_brands);
        if (cases[i].brand && cases[i].status == 0)
            assert_true(slice_equal(out.brand->name, slice_of(cases[i].brand)));
        stats_query_clear(&out);
    }
}

static void test_kinds(void **state)
{
    const struct sites *sites = *state;
    struct slice bad = {0};
    struct stats_query out;
    struct query query;

    take(&out, "kind=pay,renew", sites->two, &query);
    assert_int_equal(stats_query_kinds(&out, site_brand_at(sites->two, 0), &bad), 1 << 2 | 1 << 4);
    assert_int_equal(bad.len, 0);
    /* The other brand calls its kind 4 something else. */
    assert_int_equal(stats_query_kinds(&out, site_brand_at(sites->two, 1), &bad), 1 << 2);
    assert_true(slice_equal(bad, slice_of("renew")));
    stats_query_clear(&out);
    take(&out, "", sites->two, &query);
    assert_null(out.brand);
    assert_int_equal(stats_query_kinds(&out, site_brand_at(sites->two, 0), &bad), 0xfffe);
    stats_query_clear(&out);
}

/* --- rows --- */

static void test_rows(void **state)
{
    struct stats_rows rows;

    (void)state;
    stats_rows_init(&rows);
    for (uint32_t i = 0; i < 1000; i++)
        stats_rows_add(&rows, (const uint32_t[2]){i % 100, i % 7}, 2, i % 2 == 0);
    assert_int_equal(rows.n, 700);
    assert_int_equal(clicks_total(&rows.total), 2000);
    assert_int_equal(rows.total.automated, 1000);
    stats_rows_fill(&rows, 101, true);
    assert_int_equal(rows.n, 101 * 7);
    stats_rows_sort(&rows, true);
    for (size_t i = 0; i < rows.n; i++) {
        assert_int_equal(rows.rows[i].key[0], i / 7);
        assert_int_equal(rows.rows[i].key[1], i % 7);
        if (i / 7 == 100)
            assert_int_equal(clicks_total(&rows.rows[i].clicks), 0);
    }
    stats_rows_sort(&rows, false);
    for (size_t i = 1; i < rows.n; i++)
        assert_true(clicks_total(&rows.rows[i - 1].clicks) >= clicks_total(&rows.rows[i].clicks));
    assert_false(rows.failed);
    stats_rows_clear(&rows);
}

static void test_rows_limit(void **state)
{
    struct stats_rows rows;

    (void)state;
    stats_rows_init(&rows);
    for (uint32_t i = 0; i < STATS_ROWS_MAX; i++)
        stats_rows_add(&rows, (const uint32_t[2]){i, 0}, 1, false);
    assert_false(rows.failed);
    stats_rows_add(&rows, (const uint32_t[2]){0, 0}, 1, false);
    assert_false(rows.failed);
    stats_rows_add(&rows, (const uint32_t[2]){STATS_ROWS_MAX, 0}, 1, false);
    assert_true(rows.failed);
    stats_rows_clear(&rows);
    stats_rows_init(&rows);
    stats_rows_fill(&rows, 3, false);
    assert_int_equal(rows.n, 3);
    /* Too many to make them all: none. */
    for (uint32_t i = 0; i < 65536; i++)
        stats_rows_add(&rows, (const uint32_t[2]){0, i}, 1, false);
    stats_rows_fill(&rows, STATS_ROWS_MAX / 65536 + 1, true);
    assert_false(rows.failed);
    assert_int_equal(rows.n, 65536 + 2);
    stats_rows_sort(&rows, true);
    stats_rows_clear(&rows);
}

/* --- rendering --- */

static void fill_stats(struct stats *stats, struct query *query, const char *text,
                       const struct site *site)
{
    *stats = (struct stats){.site = site, .n_periods = 1, .lag_ms = -1};
    take(&stats->query, text, site, query);
    stats_rows_init(&stats->rows[0]);
    assert_true(buckets_init(&stats->buckets[0], &stats->query.period, stats->query.interval,
                             stats->query.zone));
}

static void clear_stats(struct stats *stats)
{
    json_decref(stats->names);
    stats_rows_clear(&stats->rows[0]);
    buckets_clear(&stats->buckets[0]);
    stats_query_clear(&stats->query);
}

static void test_csv(void **state)
{
    const struct {
        const char *name, *campaign, *want;
    } cases[] = {
        {"plain", "First reminder", "1,\"First reminder\",3,2,1\r\n"},
        {"a formula", "=1+1", "1,\"'=1+1\",3,2,1\r\n"},
        {"a plus", "+1", "1,\"'+1\",3,2,1\r\n"},
        {"a minus", "-1", "1,\"'-1\",3,2,1\r\n"},
        {"an at", "@x", "1,\"'@x\",3,2,1\r\n"},
        {"a tab", "\tx", "1,\"'\tx\",3,2,1\r\n"},
        {"a carriage return", "\rx", "1,\"'\rx\",3,2,1\r\n"},
        {"quotes, a comma and a new line", "a\"b,c\nd", "1,\"a\"\"b,c\nd\",3,2,1\r\n"},
        {"nothing", "", "1,\"\",3,2,1\r\n"},
        {"full-width signs", "＝1+1", "1,\"'＝1+1\",3,2,1\r\n"},
        {"a formula further in is text", "a=1", "1,\"a=1\",3,2,1\r\n"},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats stats;
        struct query query;
        char want[256], *text;
        size_t len;

        print_message("%s\n", cases[i].name);
        fill_stats(&stats, &query, "group_by=campaign", sites->one);
        stats.names = json_pack("{ss}", "1", cases[i].campaign);
        stats_rows_add(&stats.rows[0], (const uint32_t[2]){1, 0}, 2, false);
        stats_rows_add(&stats.rows[0], (const uint32_t[2]){1, 0}, 1, true);
        text = stats_csv(&stats, &len);
        snprintf(want, sizeof(want), "campaign,name,total,human,automated\r\n%s", cases[i].want);
        assert_string_equal(text, want);
        assert_int_equal(len, strlen(want));
        free(text);
        clear_stats(&stats);
    }
}

static void test_csv_kind(void **state)
{
    const struct sites *sites = *state;
    struct stats stats;
    struct query query;
    char *text;
    size_t len;

    fill_stats(&stats, &query, "group_by=time,kind&brand=globex&from=1d&interval=day&format=csv",
               sites->two);
    stats_rows_add(&stats.rows[0], (const uint32_t[2]){0, 4}, -1, false);
    text = stats_csv(&stats, &len);
    assert_string_equal(text, "\xef\xbb\xbftime,kind,total,human,automated\r\n"
                              "2026-11-22,book,-1,-1,0\r\n");
    free(text);
    clear_stats(&stats);
}

/* Each row has a name of its own. */
static void test_csv_rows_differ(void **state)
{
    const struct {
        const char *name, *query;
        uint32_t first, second; /* keys of two rows, by time or by kind */
        const char *want;       /* a row, or NULL */
    } cases[] = {
        {"the hour that comes twice",
         "from=2026-10-24T22:00:00Z&to=2026-10-25T04:00:00Z&interval=hour&tz=Europe/Berlin", 2, 3,
         "2026-10-25 02:00 +01:00,1,1,0"},
        {"the hour before it",
         "from=2026-10-24T22:00:00Z&to=2026-10-25T04:00:00Z&interval=hour&tz=Europe/Berlin", 1, 2,
         "2026-10-25 01:00,1,1,0"},
        {"two hours that come twice",
         "from=2026-10-24T22:00:00Z&to=2026-10-25T06:00:00Z&interval=hour&tz=Antarctica/Troll", 2,
         4, NULL},
        {"the hour that comes twice, half of it",
         "from=2026-04-04T12:00:00Z&to=2026-04-05T00:00:00Z&interval=hour&tz=Australia/Lord_Howe",
         2, 3, NULL},
        {"kinds that brands call the same", "group_by=kind", 4, 5, "4,1,1,0"},
    };
    const struct sites *sites = *state;
    const struct site *site = sites->same_names;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char names[2][STATS_NAME_MAX], text[256], *csv, *line, *save;
        struct stats stats;
        struct query query;
        size_t len, n = 0;

        print_message("%s\n", cases[i].name);
        snprintf(text, sizeof(text), "%s&format=csv", cases[i].query);
        fill_stats(&stats, &query, text, site);
        stats_rows_add(&stats.rows[0], (const uint32_t[2]){cases[i].first, 0}, 1, false);
        stats_rows_add(&stats.rows[0], (const uint32_t[2]){cases[i].second, 0}, 1, false);
        csv = stats_csv(&stats, &len);
        assert_true(!cases[i].want || strstr(csv, cases[i].want));
        strtok_r(csv, "\r\n", &save);
        for (; (line = strtok_r(NULL, "\r\n", &save)); n++)
            snprintf(names[n], STATS_NAME_MAX, "%.*s", (int)strcspn(line, ","), line);
        assert_int_equal(n, 2);
        assert_string_not_equal(names[0], names[1]);
        free(csv);
        clear_stats(&stats);
    }
}

/* `limit` without `offset`: the largest, and one row for the others. */
static void test_rest(void **state)
{
    const struct {
        const char *name, *query;
        const char *json, *csv; /* the last row; NULL = there is none of the rest */
    } cases[] = {
        {"the rest as a row", "group_by=campaign&limit=2",
         "{\"key\":\"(rest)\",\"total\":3,\"human\":2,\"automated\":1}]", "(rest),\"\",3,2,1\r\n"},
        {"two groups", "group_by=campaign,kind&limit=2",
         "{\"key\":\"(rest),(rest)\",\"campaign\":\"(rest)\",\"kind\":\"(rest)\",\"total\":3,"
         "\"human\":2,\"automated\":1}]",
         "(rest),(rest),\"\",3,2,1\r\n"},
        {"pages have no rest", "group_by=campaign&limit=2&offset=0", NULL, NULL},
        {"no limit, no rest", "group_by=campaign", NULL, NULL},
        {"as many as there are", "group_by=campaign&limit=4", NULL, NULL},
        {"rows of time go on", "group_by=time,campaign&limit=2", NULL, NULL},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats stats;
        struct query query;
        char *text;
        size_t len;

        print_message("%s\n", cases[i].name);
        fill_stats(&stats, &query, cases[i].query, sites->one);
        for (uint32_t n = 1; n <= 4; n++)
            stats_rows_add(&stats.rows[0], (const uint32_t[2]){n, 0}, n == 2 ? 1 : n, n == 2);
        stats_rows_add(&stats.rows[0], (const uint32_t[2]){1, 0}, 1, false);
        stats_rows_sort(&stats.rows[0], false);
        text = stats_json(&stats);
        assert_true(cases[i].json ? strstr(text, cases[i].json) != NULL
                                  : strstr(text, STATS_REST) == NULL);
        free(text);
        text = stats_csv(&stats, &len);
        assert_true(cases[i].csv ? strstr(text, cases[i].csv) != NULL
                                 : strstr(text, STATS_REST) == NULL);
        free(text);
        clear_stats(&stats);
    }
}

static void test_json(void **state)
{
    const struct sites *sites = *state;
    struct stats stats;
    struct query query;
    char *text, end[256];

    fill_stats(&stats, &query,
               "group_by=time,kind&from=2026-11-21&to=2026-11-22&interval=day&limit=1&offset=1",
               sites->two);
    stats_rows_add(&stats.rows[0], (const uint32_t[2]){0, 2}, 5, false);
    stats_rows_add(&stats.rows[0], (const uint32_t[2]){1, 4}, 7, true);
    stats_rows_add(&stats.rows[0], (const uint32_t[2]){1, 3}, 1, true);
    text = stats_json(&stats);
    assert_string_equal(
        text, "{\"brand\":null,\"from\":\"2026-11-21T00:00:00Z\",\"to\":\"2026-11-23T00:00:00Z\","
              "\"tz\":\"UTC\",\"interval\":\"day\",\"group_by\":\"time,kind\",\"rows\":[{\"key\":"
              "\"2026-11-22,4\",\"time\":\"2026-11-22\",\"kind\":\"4\",\"total\":7,\"human\":0,"
              "\"automated\":7}],\"total\":{\"total\":13,\"human\":5,\"automated\":8},\"n_rows\":3,"
              "\"next_offset\":2}");
    free(text);
    stats_json_end(&stats, end, sizeof(end));
    assert_string_equal(
        end, ",\"complete_from\":\"1970-01-01T00:00:00Z\",\"as_of\":null,\"lag_s\":null}");
    stats.as_of_ms = at("2026-11-22T12:00:00Z") * 1000 + 999;
    stats.lag_ms = 1500;
    stats_json_end(&stats, end, sizeof(end));
    assert_string_equal(end, ",\"complete_from\":\"1970-01-01T00:00:00Z\",\"as_of\":"
                             "\"2026-11-22T12:00:00Z\",\"lag_s\":1.500}");
    stats.query.clients = true;
    stats_json_end(&stats, end, sizeof(end));
    assert_non_null(strstr(end, ",\"lag_s\":1.500,\"clients_as_of\":null}"));
    stats.people_as_of_ms = at("2026-11-22T11:58:50Z") * 1000;
    stats_json_end(&stats, end, sizeof(end));
    assert_non_null(strstr(end, ",\"lag_s\":1.500,\"clients_as_of\":\"2026-11-22T11:58:50Z\"}"));
    stats.query.clients = false;
    /* Behind the last row there is nothing, and no next page. */
    stats.query.offset = 3;
    text = stats_json(&stats);
    assert_non_null(strstr(text, "\"rows\":[]"));
    assert_non_null(strstr(text, "\"next_offset\":null"));
    free(text);
    clear_stats(&stats);
}

static void test_names(void **state)
{
    const struct {
        const char *group;
        uint32_t value;
        const char *want;
    } cases[] = {
        {"kind", 2, "pay"},        {"kind", 4, "renew"},    {"kind", 9, "9"},
        {"label", 0, "human"},     {"label", 4, "probe"},   {"country", 0x4445, "DE"},
        {"country", 0, "unknown"}, {"device", 1, "phone"},  {"variant", 0, "none"},
        {"variant", 7, "G"},       {"channel", 1, "mail"},  {"channel", 99, "99"},
        {"campaign", 12, "12"},    {"referrer", 1, "mail"}, {"reason", 0, "none"},
        {"reason", 5, "crawler"},  {"reason", 255, "255"},  {"browser", 1, "chrome"},
        {"browser", 15, "15"},     {"system", 3, "ios"},    {"system", 15, "15"},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[STATS_NAME_MAX], text[64];
        struct stats stats;
        struct query query;

        snprintf(text, sizeof(text), "group_by=%s", cases[i].group);
        fill_stats(&stats, &query, text, sites->one);
        assert_string_equal(stats_value_name(&stats, &stats.buckets[0], 0, cases[i].value, out),
                            cases[i].want);
        clear_stats(&stats);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_what_is_combined),
        cmocka_unit_test(test_plus_that_came_as_a_blank),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_brands_of_a_key),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_limit),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_kind),
        cmocka_unit_test(test_csv_rows_differ),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
