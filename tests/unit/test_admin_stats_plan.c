/* Which series of which hours, days and months a query reads. */
#include "tests/unit/admin_stats_fixture.h"

/* Days that follow one another are written as one. */
static void plan_text(const struct stats_plan *plan, char *out, size_t out_len)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0, next; i < plan->n; i = next) {
        const struct stats_read *read = &plan->reads[i];
        char text[RFC3339_TEXT_MAX];
        unsigned days = 0;

        rfc3339_format(read->time_s, 0, text);
        text[10] = '\0';
        for (unsigned d = 0; d < 32; d++)
            days += read->days >> d & 1;
        next = i + 1;
        while (read->campaign == COUNTER_ALL_CAMPAIGNS && read->interval == COUNTER_DAYS &&
               next < plan->n && plan->reads[next].interval == COUNTER_DAYS &&
               plan->reads[next].time_s == read->time_s + (int64_t)days * 86400) {
            next++;
            days++;
        }
        if (read->interval == COUNTER_DAYS)
            n += (size_t)snprintf(out + n, out_len - n, "d%s*%u ", text, days);
        else
            n += (size_t)snprintf(out + n, out_len - n, "%c%s ",
                                  read->interval == COUNTER_HOURS ? 'h' : 'm', text);
    }
}

static void check_plan(const struct sites *sites, const char *text, int32_t campaign,
                       const char *want)
{
    const struct stats_read like = {.campaign = campaign};
    struct stats_plan plan = {0};
    struct stats_query out;
    struct query query;
    struct buckets buckets;
    char got[512];

    take(&out, text, sites->one, &query);
    assert_true(buckets_init(&buckets, &out.period, out.interval, out.zone));
    assert_true(
        stats_plan_add(&plan, &like, &out.period, out.groups[0] == STATS_TIME ? &buckets : NULL));
    plan_text(&plan, got, sizeof(got));
    assert_string_equal(got, want);
    stats_plan_clear(&plan);
    buckets_clear(&buckets);
    stats_query_clear(&out);
}

static void test_plan(void **state)
{
    const struct {
        const char *name, *query, *of_campaign, *of_all;
    } cases[] = {
        {"two days of UTC", "from=2026-11-01&to=2026-11-02&interval=day", "d2026-11-01*2 ",
         "d2026-11-01*2 "},
        {"two days by the hour", "from=2026-11-01&to=2026-11-02&interval=hour",
         "h2026-11-01 h2026-11-02 ", "h2026-11-01 h2026-11-02 "},
        {"two days by the hour, but not grouped by time",
         "from=2026-11-01&to=2026-11-02&interval=hour&group_by=kind", "d2026-11-01*2 ",
         "d2026-11-01*2 "},
        {"days over the end of a month", "from=2026-10-30&to=2026-11-02&interval=day",
         "d2026-10-01*2 d2026-11-01*2 ", "d2026-10-30*4 "},
        {"days in Berlin are hours", "from=2026-11-01&to=2026-11-02&interval=day&tz=Europe/Berlin",
         "h2026-10-31 h2026-11-01 h2026-11-02 ", "h2026-10-31 h2026-11-01 h2026-11-02 "},
        {"a sum in Berlin is days with ends of hours",
         "from=2026-11-01&to=2026-11-05&group_by=kind&tz=Europe/Berlin",
         "h2026-10-31 d2026-11-01*4 h2026-11-05 ", "h2026-10-31 d2026-11-01*4 h2026-11-05 "},
        {"months in Berlin are days with ends of hours",
         "from=2026-10-01&to=2026-11-30&interval=month&tz=Europe/Berlin",
         "h2026-09-30 d2026-10-01*30 h2026-10-31 d2026-11-01*29 h2026-11-30 ",
         "h2026-09-30 d2026-10-01*30 h2026-10-31 d2026-11-01*29 h2026-11-30 "},
        {"from noon to noon", "from=2026-11-01T12:00:00Z&to=2026-11-03T12:00:00Z&interval=day",
         "h2026-11-01 d2026-11-01*1 h2026-11-03 ", "h2026-11-01 d2026-11-02*1 h2026-11-03 "},
        {"an hour", "from=2026-11-01T12:00:00Z&to=2026-11-01T13:00:00Z&group_by=kind",
         "h2026-11-01 ", "h2026-11-01 "},
        {"whole months", "from=2026-01-01&to=2026-02-28&interval=month",
         "d2026-01-01*31 d2026-02-01*28 ", "m2026-01-01 m2026-02-01 "},
        {"a month and a day at either end", "from=2025-11-30&to=2026-01-01&group_by=kind",
         "d2025-11-01*1 d2025-12-01*31 d2026-01-01*1 ", "d2025-11-30*1 m2025-12-01 d2026-01-01*1 "},
        {"a month but for its last day", "from=2026-02-01&to=2026-02-27&group_by=kind",
         "d2026-02-01*27 ", "d2026-02-01*27 "},
        {"a month by the day", "from=2026-02-01&to=2026-02-28&interval=day", "d2026-02-01*28 ",
         "d2026-02-01*28 "},
        {"months of a sum in Berlin are of UTC within",
         "from=2026-01-01&to=2026-03-31&group_by=kind&tz=Europe/Berlin",
         "h2025-12-31 d2026-01-01*31 d2026-02-01*28 d2026-03-01*30 h2026-03-31 ",
         "h2025-12-31 m2026-01-01 m2026-02-01 d2026-03-01*30 h2026-03-31 "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        check_plan(*state, cases[i].query, 7, cases[i].of_campaign);
        check_plan(*state, cases[i].query, COUNTER_ALL_CAMPAIGNS, cases[i].of_all);
    }
}

/* Hours that a bucket of a read stands for. */
static int hours_of(const struct stats_read *read)
{
    struct civil civil;

    if (read->interval == COUNTER_HOURS)
        return 1;
    if (read->interval == COUNTER_DAYS)
        return 24;
    civil_from_s(read->time_s, &civil);
    return 24 * (int)civil_days_in_month(civil.year, civil.month);
}

static void check_cover(const struct sites *sites, const char *text, int32_t campaign)
{
    const struct stats_read like = {.campaign = campaign};
    struct stats_plan plan = {0};
    struct stats_query out;
    struct query query;
    struct buckets buckets;
    uint8_t *seen;
    size_t n_hours;

    take(&out, text, sites->one, &query);
    assert_true(buckets_init(&buckets, &out.period, out.interval, out.zone));
    assert_true(stats_plan_add(&plan, &like, &out.period, &buckets));
    n_hours = (size_t)(out.period.to_s - out.period.from_s) / 3600;
    seen = calloc(n_hours, 1);
    for (size_t i = 0; i < plan.n * 40; i++) {
        const struct stats_read *read = &plan.reads[i / 40];
        int64_t time_s;

        if (!stats_read_time(read, &out.period, (unsigned)(i % 40), &time_s))
            continue;
        for (int h = 0; h < hours_of(read); h++) {
            size_t hour = (size_t)(time_s - out.period.from_s) / 3600 + (size_t)h;

            assert_true(hour < n_hours);
            assert_int_equal(seen[hour]++, 0);
            assert_int_equal(buckets_find(&buckets, time_s),
                             buckets_find(&buckets, time_s + h * 3600));
        }
    }
    assert_null(memchr(seen, 0, n_hours));
    free(seen);
    stats_plan_clear(&plan);
    buckets_clear(&buckets);
    stats_query_clear(&out);
}

/* Whatever the zone and the interval: each hour of the period is read once, in its own bucket. */
static void test_plan_covers(void **state)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/Los_Angeles",
                                        "Asia/Kolkata", "Pacific/Apia"};

    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]) * 3; z++) {
        char text[256];

        snprintf(text, sizeof(text), "from=2026-03-05T05:00:00Z&to=2026-11-20&tz=%s&interval=%s",
                 zones[z / 3], period_interval_name((enum period_interval)(z % 3)));
        print_message("%s\n", text);
        check_cover(*state, text, 7);
        check_cover(*state, text, COUNTER_ALL_CAMPAIGNS);
    }
}

/* A command reads keys of one campaign of one brand, and no more than there is room for. */
static void test_plan_in_commands(void **state)
{
    const struct stats_read likes[] = {{.campaign = COUNTER_ALL_CAMPAIGNS},
                                       {.campaign = 7},
                                       {.campaign = 7, .brand = 1},
                                       {.campaign = COUNTER_ALL_CAMPAIGNS, .brand = 1}};
    const unsigned of_command[] = {0, 0, 1, 2, 3, 3};
    int64_t start_s[] = {3600, 3600 + 400 * 86400};
    struct period period = {.from_s = start_s[0], .to_s = start_s[1]};
    struct buckets whole = {.n = 1, .start_s = start_s};
    struct stats_plan plan = {0};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(stats_plan_add(&plan, &likes[i], &period, &whole));
    assert_true(stats_plan_close(&plan, false));
    assert_int_equal(plan.n_commands, 6); /* two for all campaigns: they have a key per day */
    assert_int_equal(plan.starts[0], 0);
    for (size_t i = 0; i < plan.n_commands; i++) {
        assert_in_range(plan.starts[i + 1] - plan.starts[i], 1, STATS_KEYS_MAX);
        for (size_t k = plan.starts[i]; k < plan.starts[i + 1]; k++) {
            assert_int_equal(plan.reads[k].brand, likes[of_command[i]].brand);
            assert_int_equal(plan.reads[k].campaign, likes[of_command[i]].campaign);
        }
    }
    assert_int_equal(plan.starts[plan.n_commands], plan.n);
    stats_plan_clear(&plan);

    for (int i = 0; i < 4; i++) {
        const bool by_hour = i & 1, are_long = i & 2;
        /* As many as STATS_KEYS_MAX keys weigh, with those of lone clicks: of January and February
         * if they are days. */
        const unsigned n_first[] = {31 + 28, 62 / 4, 62 / 4, 62 / 16};
        size_t months[STATS_KEYS_MAX];
        struct buckets hours;
        struct period days = {.from_s = 0, .to_s = 100 * 86400};
        struct zone *utc = zone_load(slice_of("UTC"));

        print_message("%s series of %s\n", are_long ? "long" : "short", by_hour ? "hours" : "days");
        assert_true(buckets_init(&hours, &days, by_hour ? PERIOD_HOUR : PERIOD_DAY, utc));
        assert_true(stats_plan_add(&plan, &likes[0], &days, &hours));
        assert_int_equal(plan.n, 100);
        assert_true(stats_plan_close(&plan, are_long));
        assert_int_equal(plan.starts[1], n_first[i]);
        assert_int_equal(stats_plan_months(&plan, 0, months), i == 0 ? 2 : 1);
        assert_int_equal(months[0], 0);
        assert_true(i > 0 || months[1] == 31);
        assert_int_equal(plan.starts[plan.n_commands], 100);
        stats_plan_clear(&plan);
        buckets_clear(&hours);
        zone_free(utc);
    }
}

static void test_plan_limit(void **state)
{
    const struct {
        const char *name;
        enum period_interval interval;
        size_t n_max;
    } cases[] = {
        {"days", PERIOD_DAY, STATS_READS_MAX},
        {"hours", PERIOD_HOUR, STATS_READS_MAX / 16},
    };
    const struct stats_read like = {.campaign = COUNTER_ALL_CAMPAIGNS};
    struct zone *utc = zone_load(slice_of("UTC"));

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct period period = {.from_s = 0, .to_s = 16 * 86400};
        struct buckets buckets;
        struct stats_plan plan = {0};

        print_message("%s\n", cases[i].name);
        assert_true(buckets_init(&buckets, &period, cases[i].interval, utc));
        while (plan.n < cases[i].n_max)
            assert_true(stats_plan_add(&plan, &like, &period, &buckets));
        assert_int_equal(plan.n, cases[i].n_max);
        assert_false(stats_plan_add(&plan, &like, &period, &buckets));
        assert_true(stats_plan_close(&plan, false));
        stats_plan_clear(&plan);
        buckets_clear(&buckets);
    }
    zone_free(utc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_covers),
        cmocka_unit_test(test_plan_limit),
        cmocka_unit_test(test_plan_in_commands),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
