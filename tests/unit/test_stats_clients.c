/* Which keys of people a query counts: months, days, and hours at both ends. */
#include "tests/unit/admin_stats_fixture.h"

#include "service/admin/stats/stats_clients.h"

enum { N_CHECKS_MAX = 1000 };

static int64_t time_of(const char *digits)
{
    struct civil civil = {.day = 1};

    sscanf(digits, "%4d%2u%2u%2u", &civil.year, &civil.month, &civil.day, &civil.hour);
    return civil_to_s(&civil);
}

/* Looks whether the hours that a script takes from days' strings are those of its `n` keys, and
 * returns where in its arguments these begin. */
static size_t check_script(const struct fetch_command *command, size_t *end)
{
    const struct slice *argv = command->argv;
    size_t n_keys = strtoul(argv[2].ptr, NULL, 10), n_hours = 0, n = 0;
    size_t n_days = (command->argc - 3 - n_keys) / 2, first = 4 + n_days;

    *end = 3 + n_keys;
    assert_memory_equal(argv[0].ptr, "EVAL", 4);
    assert_string_equal(argv[3].ptr, "hc:{s00}:moment");
    assert_int_equal(command->argc, *end + 2 * n_days);
    assert_in_range(n_days, 1, 2);
    for (size_t i = 0; i < n_days; i++) {
        const char *day = strrchr(argv[4 + i].ptr, ':') + 1;
        unsigned from = (unsigned)strtoul(argv[*end + 2 * i].ptr, NULL, 10);
        unsigned to = (unsigned)strtoul(argv[*end + 2 * i + 1].ptr, NULL, 10);

        assert_memory_equal(argv[4 + i].ptr + 10, "h:", 2);
        assert_int_equal(strlen(day), 8);
        assert_true(from < to && to <= 24);
        n_hours += to - from;
        for (size_t k = first; k < *end; k++) {
            const char *hour = strrchr(argv[k].ptr, ':') + 1;
            unsigned number = (unsigned)strtoul(hour + 8, NULL, 10);

            if (strlen(hour) == 10 && strncmp(hour, day, 8) == 0) {
                assert_true(number >= from && number < to);
                n++;
            }
        }
    }
    assert_int_equal(n, n_hours);
    return first;
}

/* Writes the keys of HyperLogLogs, those of one sort that follow one another as the first and their
 * number. */
static void keys_text(const struct fetch_command *command, char *out, size_t out_len)
{
    static const char letters[] = {[6] = 'm', [8] = 'd', [10] = 'h'};
    const struct slice *argv = command->argv;
    size_t n = strlen(out), end = command->argc, i = 1;
    bool has_hours = false;

    if (argv[0].len != 7 || memcmp(argv[0].ptr, "PFCOUNT", 7) != 0)
        i = check_script(command, &end);
    assert_true(end > i);
    for (size_t k = i; k < end; k++)
        has_hours |= strlen(strrchr(argv[k].ptr, ':')) == 11;
    assert_int_equal(has_hours, i > 1);
    for (size_t next; i < end; i = next) {
        const char *first = strrchr(argv[i].ptr, ':') + 1;
        size_t len = strlen(first);
        int64_t next_s = time_of(first);

        for (next = i; next < end; next++) {
            const char *digits = strrchr(argv[next].ptr, ':') + 1;

            if (strlen(digits) != len)
                break;
            assert_int_equal(time_of(digits), next_s);
            next_s = counter_people_next_s(len == 10  ? COUNTER_PEOPLE_OF_HOUR
                                           : len == 8 ? COUNTER_PEOPLE_OF_DAY
                                                      : COUNTER_PEOPLE_OF_MONTH,
                                           next_s);
        }
        n += (size_t)snprintf(out + n, out_len - n, "%s%c%s*%zu", n && out[n - 1] != ' ' ? " " : "",
                              letters[len], first, next - i);
    }
}

/* Answers the checks: all but the hours of the day `missing` have everybody. */
static void answer_checks(struct stats_clients *clients, const char *missing)
{
    struct fetch_command command;

    for (size_t i = 0; i < clients->n_checks; i++) {
        char text[256] = "";

        stats_clients_check(clients, i, &command);
        keys_text(&command, text, sizeof(text));
        assert_int_equal(command.argc, i % 2 ? 3 + 2 + 24 + 2 : 2);
        stats_clients_take_check(clients, i, i % 2 && missing && strstr(text, missing) ? 6 : 7);
    }
}

/* Writes the keys of clients of the whole period, and of each row that has some. */
static void plan_text(struct stats_clients *clients, char *out, size_t out_len)
{
    struct fetch_command command;
    char other[1024];

    out[0] = '\0';
    for (size_t i = 0; i < clients->n_commands; i += 2) {
        size_t before = strlen(out);

        if (before > 0)
            snprintf(out + before, out_len - before, " | ");
        before = strlen(out);
        stats_clients_command(clients, i, &command);
        assert_non_null(strstr(command.key.ptr, "}:u:"));
        keys_text(&command, out, out_len);
        stats_clients_command(clients, i + 1, &command);
        assert_non_null(strstr(command.key.ptr, "}:v:"));
        other[0] = '\0';
        keys_text(&command, other, sizeof(other));
        assert_string_equal(out + before, other);
    }
}

static void plan(const struct site *site, const char *text, const char *missing,
                 struct stats_clients_options options, const char *want)
{
    struct stats_clients clients = {0};
    struct stats stats = {.site = site, .n_periods = 1};
    struct query query;
    char got[1024], whole[1100];

    take(&stats.query, text, site, &query);
    assert_true(buckets_init(&stats.buckets[0], &stats.query.period, stats.query.interval,
                             stats.query.zone));
    assert_true(stats_clients_init(&clients, &stats, &options));
    answer_checks(&clients, missing);
    assert_true(stats_clients_plan(&clients, &stats));
    plan_text(&clients, got, sizeof(got));
    snprintf(whole, sizeof(whole), "%s: %s", stats.clients_by_hours[0] ? "hours" : "days", got);
    assert_string_equal(whole, want);
    stats_clients_clear(&clients);
    buckets_clear(&stats.buckets[0]);
    stats_query_clear(&stats.query);
}

/* As of 2026-11-22T12:00:00Z. */
static void test_keys(void **state)
{
    static const char two_days[] =
        "from=2026-11-10&to=2026-11-11&interval=day&tz=Europe/Berlin&clients=true";
    const struct {
        const char *name, *query, *missing, *want;
    } cases[] = {
        {"days of UTC", "from=2026-11-10&to=2026-11-11&interval=day&clients=true", NULL,
         "hours: d20261110*2 | d20261110*1 | d20261111*1"},
        {"months of UTC, the last not over", "from=2026-10-01&interval=month&clients=true", NULL,
         "hours: m202610*1 d20261101*22 | m202610*1 | d20261101*22"},
        {"two days of Berlin", two_days, NULL,
         "hours: h2026110923*1 d20261110*1 h2026111100*23 | h2026110923*24 | "
         "h2026111023*24"},
        {"hours in the middle are not known: only the sum is", two_days, "20261110",
         "hours: h2026110923*1 d20261110*1 h2026111100*23"},
        {"those of the beginning are not: days of UTC, and the second row", two_days, "20261109",
         "days: d20261110*2 | h2026111023*24"},
        {"those of the end are not", two_days, "20261111", "days: d20261110*2 | h2026110923*24"},
        {"a day of 23 hours in Berlin",
         "from=2026-03-29&to=2026-03-29&tz=Europe/Berlin&clients=true", NULL,
         "hours: h2026032823*23"},
        {"a day of 25 hours in Berlin",
         "from=2026-10-25&to=2026-10-25&tz=Europe/Berlin&clients=true", NULL,
         "hours: h2026102422*25"},
        {"a day of 23 hours in New York",
         "from=2026-03-08&to=2026-03-08&tz=America/New_York&clients=true", NULL,
         "hours: h2026030805*23"},
        {"a day of 25 hours in New York",
         "from=2026-11-01&to=2026-11-01&tz=America/New_York&clients=true", NULL,
         "hours: h2026110104*25"},
        {"New York without hours: the day that shares most",
         "from=2026-11-01&to=2026-11-01&tz=America/New_York&clients=true", "20261102",
         "days: d20261101*1"},
        {"a month of New York",
         "from=2026-10-01&to=2026-10-31&interval=month&tz=America/New_York&clients=true", NULL,
         "hours: h2026100104*20 d20261002*30 h2026110100*4 | "
         "h2026100104*20 d20261002*30 h2026110100*4"},
        {"half an hour off: the hours that begin in it",
         "from=2026-11-10&to=2026-11-10&tz=Asia/Kolkata&clients=true", NULL,
         "hours: h2026110919*24"},
        {"today in Berlin, of which all hours to come stand",
         "from=1d&tz=Europe/Berlin&clients=true", NULL, "hours: h2026112123*1 d20261122*1"},
        {"a day to come has nobody", "from=2026-11-25&to=2026-11-25&tz=Europe/Berlin&clients=true",
         NULL, "hours: h2026112423*1 d20261125*1"},
        {"24 hours", "from=24h&clients=true", NULL, "hours: h2026112113*11 d20261122*1"},
        {"24 hours that are not known: all days that they touch", "from=24h&clients=true",
         "20261121", "days: d20261121*2"},
        {"hours of one day", "from=2026-11-10T10:00:00Z&to=2026-11-10T12:00:00Z&clients=true", NULL,
         "hours: h2026111010*2"},
    };
    const struct sites *sites = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct stats_clients_options options = {
            .n_shards = 1,
            .now_s = at("2026-11-22T12:00:00Z"),
            .kept_s = INT64_C(365) * 86400,
            .n_checks_max = N_CHECKS_MAX,
        };

        print_message("%s\n", cases[i].name);
        plan(sites->one, cases[i].query, cases[i].missing, options, cases[i].want);
    }
}

static void test_hours_that_are_not_asked_for(void **state)
{
    static const char day[] = "from=2026-11-10&to=2026-11-10&tz=Europe/Berlin&clients=true";
    static const char by_hours[] = "hours: h2026110923*24", by_days[] = "days: d20261110*1";
    struct stats_clients_options options = {
        .n_shards = 1, .now_s = at("2026-11-22T12:00:00Z"), .kept_s = 0, .n_checks_max = 8};
    const struct sites *sites = *state;

    print_message("people are kept by days only\n");
    plan(sites->one, day, NULL, options, by_days);
    print_message("the day before is kept just so\n");
    options.kept_s = options.now_s - at("2026-11-09T00:00:00Z");
    plan(sites->one, day, NULL, options, by_hours);
    print_message("and no more\n");
    options.kept_s--;
    plan(sites->one, day, NULL, options, by_days);
    print_message("one command too many\n");
    options.kept_s++;
    options.n_checks_max = 7;
    plan(sites->one, day, NULL, options, by_days);
}

static void test_all_brands(void **state)
{
    static const char text[] = "from=2026-11-10&to=2026-11-10&tz=Europe/Berlin&clients=true";
    const struct stats_clients_options options = {.n_shards = 1,
                                                  .now_s = at("2026-11-22T12:00:00Z"),
                                                  .kept_s = 86400 * 35,
                                                  .n_checks_max = 99};
    const struct sites *sites = *state;

    for (int is_missing = 0; is_missing < 2; is_missing++) {
        struct stats_clients clients = {0};
        struct stats stats = {.site = sites->two, .n_periods = 1};
        struct fetch_command command;
        struct query query;

        print_message(is_missing ? "the hours of one brand's visitors are missing\n"
                                 : "none are\n");
        take(&stats.query, text, sites->two, &query);
        assert_true(
            buckets_init(&stats.buckets[0], &stats.query.period, PERIOD_HOUR, stats.query.zone));
        assert_true(stats_clients_init(&clients, &stats, &options));
        assert_int_equal(clients.n_checks, 2 * 2 * 4);
        for (size_t i = 0; i < clients.n_checks; i++) {
            stats_clients_check(&clients, i, &command);
            assert_non_null(strstr(command.key.ptr, ":*:"));
            stats_clients_take_check(&clients, i, is_missing && i == 15 ? 0 : 3);
        }
        assert_true(stats_clients_plan(&clients, &stats));
        assert_int_equal(clients.n_commands, 2 * 2);
        assert_int_equal(stats.clients_by_hours[0], !is_missing);
        stats_rows_init(&stats.rows[0]);
        stats.rows[0].total.human = 6;
        for (size_t i = 0; i < clients.n_commands; i++)
            stats_clients_take(&clients, i, i % 2 ? 4 : 2);
        stats_clients_store(&clients, 0, &stats.rows[0]);
        assert_int_equal(stats.rows[0].people.clients, 4);
        assert_int_equal(stats.rows[0].people.visitors, 6); /* not more than clicks */
        stats_rows_clear(&stats.rows[0]);
        stats_clients_clear(&clients);
        buckets_clear(&stats.buckets[0]);
        stats_query_clear(&stats.query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hours_that_are_not_asked_for),
        cmocka_unit_test(test_all_brands),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
