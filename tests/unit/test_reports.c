/* Unit tests for reports/reports.c: a Redis and a mail server that the test plays itself, whose
 * clock it turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/rfc3339.h"
#include "service/config/config.h"
#include "service/redis/redis_link.h"
#include "service/reports/report.h"
#include "service/reports/report_send.h"
#include "service/reports/report_when.h"
#include "service/reports/reports.h"

/* --- Redis: one delivery's record --- */

struct redis_link {
    struct event_base *base;
    struct redis_link_options options;
};

static struct server {
    struct redis_link link;
    char name[128], record[512]; /* the field of the hash; "" = it isn't there */
    int64_t now_ms;
    bool is_away;
    uint64_t ticket; /* of the command that waits for its answer … */
    bool is_read;    /* … and whether it is report_read.lua … */
    bool is_kept;    /* … or what report_keep.lua says */
} server;

struct redis_link *redis_link_new(struct event_base *base, const struct redis_link_options *options,
                                  struct error *err)
{
    (void)err;
    server.link = (struct redis_link){.base = base, .options = *options};
    return &server.link;
}

void redis_link_free(struct redis_link *link)
{
    (void)link;
}

static void on_time(evutil_socket_t fd, short events, void *arg)
{
    redisReply now = {.type = REDIS_REPLY_INTEGER, .integer = server.now_ms};
    redisReply name = {.type = REDIS_REPLY_STRING, .str = server.name};
    redisReply record = {.type = REDIS_REPLY_STRING, .str = server.record};
    redisReply *list[] = {&now, &name, &record};
    redisReply all = {.type = REDIS_REPLY_ARRAY, .element = list};
    redisReply kept = {.type = REDIS_REPLY_INTEGER, .integer = server.is_kept};

    (void)fd;
    (void)events;
    (void)arg;
    all.elements = server.record[0] ? 3 : 1;
    server.link.options.on_answer(server.link.options.owner, server.ticket,
                                  server.is_read ? &all : &kept);
}

static bool is_record(const struct redis_command *command)
{
    return server.record[0] == '\0' || slice_equal(command->argv[4], slice_of(server.name));
}

bool redis_link_send(struct redis_link *link, const struct redis_command *command)
{
    static const struct timeval at_once = {0};

    if (server.is_away)
        return false;
    server.ticket = command->ticket;
    server.is_read = command->argc == 4;
    if (!server.is_read) {
        /* A delivery of another name has no record. */
        const char *record = is_record(command) ? server.record : "";

        server.is_kept = slice_equal(command->argv[5], slice_of(record));
        if (server.is_kept) {
            snprintf(server.name, sizeof(server.name), "%.*s", SLICE_ARG(command->argv[4]));
            snprintf(server.record, sizeof(server.record), "%.*s", SLICE_ARG(command->argv[6]));
        }
    }
    event_base_once(link->base, -1, EV_TIMEOUT, on_time, NULL, &at_once);
    return true;
}

/* --- mails --- */

static struct mails {
    enum report_outcome outcome;
    bool takes_redis_away;
    unsigned n;
    char first[REPORT_DATE_MAX]; /* of the period of the newest */
} mails;

json_t *report_make(const struct report_options *options)
{
    snprintf(mails.first, sizeof(mails.first), "%s", options->period->first);
    return json_pack("{sb}", "is_complete", 1);
}

enum report_outcome report_send_mail(const struct report_mailer *mailer,
                                     const struct report_mail *mail,
                                     char why[static REPORT_WHY_MAX])
{
    (void)mailer;
    assert_string_equal(mail->to, "boss@example.com");
    snprintf(why, REPORT_WHY_MAX, "%s", mails.outcome == REPORT_SENT ? "" : "no answer");
    mails.n++;
    server.is_away = mails.takes_redis_away;
    return mails.outcome;
}

enum report_outcome report_send_post(const struct report_post *post,
                                     char why[static REPORT_WHY_MAX])
{
    (void)post;
    (void)why;
    fail();
    return REPORT_LATER;
}

void report_mail_id(const struct config_smtp *smtp, const char *name,
                    const struct report_period *period, char out[static REPORT_ID_MAX])
{
    (void)smtp;
    (void)name;
    (void)period;
    out[0] = '\0';
}

bool report_url_load(const char *path, char out[static REPORT_URL_MAX], struct error *err)
{
    (void)path;
    (void)out;
    (void)err;
    return false;
}

bool report_mailer_init(struct report_mailer *mailer, const struct config_smtp *smtp,
                        struct error *err)
{
    (void)smtp;
    (void)err;
    *mailer = (struct report_mailer){0};
    return true;
}

void report_mailer_clear(struct report_mailer *mailer)
{
    (void)mailer;
}

/* --- a process --- */

static void set_time(const char *text)
{
    int64_t time_s = 0;

    assert_true(rfc3339_parse(slice_of(text), &time_s));
    server.now_ms = time_s * 1000;
}

static struct reports *start(enum report_every every)
{
    static char *to[] = {"boss@example.com"};
    static struct config_report report;
    static struct config config;
    struct reports *reports;

    report = (struct config_report){.name = "r",
                                    .brand = "acme",
                                    .every = every,
                                    .tz = "UTC",
                                    .at_hour = 7,
                                    .to = to,
                                    .n_to = 1};
    config = (struct config){.smtp = {.timeout_ms = 60000},
                             .redis = {.timeout_ms = 1000},
                             .reports = &report,
                             .n_reports = 1};
    reports = reports_new(&config, "redis://x", NULL);
    assert_non_null(reports);
    return reports;
}

static void keep_delivery(void *owner, const struct report_delivery *delivery)
{
    *(struct report_delivery *)owner = *delivery;
}

/* Its texts are good until the next turn. */
static struct report_delivery delivery_of(struct reports *reports)
{
    struct report_delivery delivery;

    reports_visit(reports, keep_delivery, &delivery);
    return delivery;
}

/* A process with a delivery that is about to go out. */
static struct reports *start_due(enum report_outcome outcome)
{
    struct reports *reports = start(REPORT_WEEK);

    mails = (struct mails){.outcome = outcome};
    server = (struct server){.link = server.link};
    set_time("2026-11-28T12:00:00Z");
    reports_turn(reports);
    assert_string_equal(delivery_of(reports).state, "new");
    assert_int_equal(mails.n, 0);
    set_time("2026-11-30T07:00:00Z");
    return reports;
}

static void test_a_result_that_redis_missed_is_written_later(void **state)
{
    struct reports *reports = start_due(REPORT_LATER);

    (void)state;
    mails.takes_redis_away = true;
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    assert_non_null(strstr(server.record, "\"sending\""));
    server.is_away = false;
    reports_turn(reports);
    assert_non_null(strstr(server.record, "\"later\""));
    assert_int_equal(mails.n, 1);
    mails = (struct mails){.outcome = REPORT_SENT};
    server.now_ms += 61000;
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    assert_string_equal(delivery_of(reports).state, "sent");
    reports_free(reports);
}

/* Its claim had ended, and another process has sent the report. */
static void test_a_result_that_is_outdated_is_not_written(void **state)
{
    static const char sent[] = "{\"state\":\"sent\",\"period\":\"2026-11-23\",\"why\":\"\","
                               "\"tries\":2,\"at\":1796022200000,\"next\":0}";
    struct reports *reports = start_due(REPORT_LATER);

    (void)state;
    mails.takes_redis_away = true;
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    snprintf(server.record, sizeof(server.record), "%s", sent);
    server.now_ms += 200000;
    server.is_away = false;
    for (int i = 0; i < 3; i++) {
        reports_turn(reports);
        assert_string_equal(server.record, sent);
        assert_string_equal(delivery_of(reports).state, "sent");
        server.now_ms += 200000;
    }
    assert_int_equal(mails.n, 1);
    reports_free(reports);
}

static void test_a_record_that_redis_lost_begins_with_the_next_period(void **state)
{
    struct reports *reports = start_due(REPORT_SENT);

    (void)state;
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    server.record[0] = '\0';
    reports_turn(reports);
    assert_non_null(strstr(server.record, "\"new\""));
    assert_string_equal(delivery_of(reports).period, "2026-11-23");
    assert_int_equal(mails.n, 1);
    set_time("2026-12-07T07:00:00Z");
    reports_turn(reports);
    assert_int_equal(mails.n, 2);
    assert_string_equal(mails.first, "2026-11-30");
    reports_free(reports);
}

/* The last week begins behind the month. */
static void test_a_month_after_weeks_is_not_left_out(void **state)
{
    struct reports *reports = start_due(REPORT_SENT);

    (void)state;
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    assert_string_equal(mails.first, "2026-11-23");
    reports_free(reports);
    reports = start(REPORT_MONTH);
    reports_turn(reports);
    assert_int_equal(mails.n, 1);
    mails.outcome = REPORT_REFUSED;
    set_time("2026-12-01T08:00:00Z");
    reports_turn(reports);
    assert_int_equal(mails.n, 2);
    assert_string_equal(mails.first, "2026-11-01");
    assert_int_equal(delivery_of(reports).overdue_s, 3600);
    reports_free(reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_result_that_redis_missed_is_written_later),
        cmocka_unit_test(test_a_result_that_is_outdated_is_not_written),
        cmocka_unit_test(test_a_record_that_redis_lost_begins_with_the_next_period),
        cmocka_unit_test(test_a_month_after_weeks_is_not_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
