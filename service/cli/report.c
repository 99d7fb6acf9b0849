/* report: the figures of a week or month, on a terminal or by mail, now. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/zone.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"
#include "service/config/config.h"
#include "service/config/config_check.h"
#include "service/reports/report.h"
#include "service/reports/report_send.h"
#include "service/reports/report_text.h"
#include "service/reports/report_when.h"

enum { ADDRESS_MAX = 256 };

enum {
    REPORT_CONFIG,
    REPORT_BRAND,
    REPORT_PERIOD,
    REPORT_TZ,
    REPORT_LANGUAGE,
    REPORT_TO,
    REPORT_PRINT,
    REPORT_URL,
    REPORT_KEY_FILE,
    REPORT_KEY,
};

static const struct cli_option options[] = {
    [REPORT_CONFIG] = {"config", "FILE", "take the admin address and the mail server from it",
                       CLI_FILES, 'c'},
    [REPORT_BRAND] = {"brand", "NAME", "the brand that it is about", CLI_BRANDS, 0},
    [REPORT_PERIOD] = {"period", "NAME", "last-week, last-month, 2026-W47, 2026-10 (last-week)",
                       "last-week last-month", 0},
    [REPORT_TZ] = {"tz", "ZONE", "of its days, as Europe/Berlin (the one of this computer)", NULL,
                   0},
    [REPORT_LANGUAGE] = {"language", "NAME", "en or de (en)", "en de", 0},
    [REPORT_TO] = {"to", "ADDRESSES", "send it to them by mail, with commas between them", NULL, 0},
    [REPORT_PRINT] = {"print", "FORM", "text, html, json, slack or teams (text)",
                      "text html json slack teams", 0},
    [REPORT_URL] = API_URL_OPTION,
    [REPORT_KEY_FILE] = API_KEY_FILE_OPTION,
    [REPORT_KEY] = API_KEY_OPTION,
};

static json_t *ask(void *owner, const char *path)
{
    const struct api_request request = {
        .path = path, .purpose = "read statistics", .scope = "stats:read"};

    return api_ask_json(owner, &request);
}

static int print(const json_t *report, enum report_language language, const char *form)
{
    static const struct {
        const char *name;
        enum report_form form;
    } forms[] = {{"text", REPORT_PLAIN},
                 {"html", REPORT_HTML},
                 {"slack", REPORT_SLACK},
                 {"teams", REPORT_TEAMS}};
    char *text = NULL;

    if (strcmp(form, "json") == 0)
        text = json_dumps(report, JSON_INDENT(2));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(form, forms[i].name) == 0)
            text = report_write(report, language, forms[i].form);
    }
    if (!text)
        return cli_fail("out of memory");
    fputs(text, stdout);
    if (text[0] && text[strlen(text) - 1] != '\n')
        putchar('\n');
    free(text);
    return CLI_OK;
}

static int send_all(const struct cli_args *args, const struct config *config,
                    struct report_mail mail, const struct report_period *period)
{
    struct slice left = slice_of(args->value[REPORT_TO]), part;
    struct report_mailer mailer;
    struct error err = {0};
    char id[REPORT_ID_MAX], why[REPORT_WHY_MAX], to[ADDRESS_MAX];
    int status = CLI_OK;

    if (!report_mailer_init(&mailer, &config->smtp, &err)) {
        report_mailer_clear(&mailer);
        return cli_fail_error(&err);
    }
    report_mail_id(&config->smtp, args->value[REPORT_BRAND], period, id);
    mail.id = id;
    mail.shown = args->value[REPORT_TO];
    mail.to = to;
    while (slice_next_part(&left, ',', &part)) {
        part = slice_trim(part);
        snprintf(to, sizeof(to), "%.*s", SLICE_ARG(part));
        if (report_send_mail(&mailer, &mail, why) == REPORT_SENT)
            printf("sent to %s\n", to);
        else
            status = cli_fail("%s: %s", to, why);
    }
    report_mailer_clear(&mailer);
    return status;
}

/* NULL, or what is wrong with one of the addresses. */
static const char *check_addresses(const char *list)
{
    struct slice left = slice_of(list), part;
    const char *wrong = NULL;
    char text[ADDRESS_MAX];

    while (!wrong && slice_next_part(&left, ',', &part)) {
        part = slice_trim(part);
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(part));
        wrong = part.len < sizeof(text) ? config_check_mail_address(text) : "is too long";
    }
    return wrong;
}

static bool is_form(const char *text)
{
    return strcmp(text, "text") == 0 || strcmp(text, "html") == 0 || strcmp(text, "json") == 0 ||
           strcmp(text, "slack") == 0 || strcmp(text, "teams") == 0;
}

static int make_and_give(const struct cli_args *args, const struct config *config,
                         struct report_options *what, enum report_language language)
{
    const char *form = args->value[REPORT_PRINT], *to = args->value[REPORT_TO];
    struct report_mail mail = {.language = language};
    json_t *report = report_make(what);
    int status;

    if (!report) /* it was said why */
        return CLI_FAILED;
    mail.report = report;
    status = to ? send_all(args, config, mail, what->period)
                : print(report, language, form ? form : "text");
    json_decref(report);
    return status;
}

/* The zone, the period and the API, which the options name. */
static int report_of_zone(const struct cli_args *args, const struct config *config, const char *tz,
                          const struct zone *zone)
{
    const struct api_options where = {.url = args->value[REPORT_URL],
                                      .config = args->value[REPORT_CONFIG],
                                      .key_file = args->value[REPORT_KEY_FILE],
                                      .key = args->value[REPORT_KEY]};
    const char *name = args->value[REPORT_PERIOD] ? args->value[REPORT_PERIOD] : "last-week";
    const char *language = args->value[REPORT_LANGUAGE];
    struct report_period period;
    struct error err = {0};
    struct api api;
    struct report_options what = {
        .brand = args->value[REPORT_BRAND],
        .tz = tz,
        .zone = zone,
        .period = &period,
        .dashboard = config ? config->admin.url : NULL,
        .ask = ask,
        .owner = &api,
    };
    const char *wrong = report_period_parse(slice_of(name), zone, clock_wall_ms() / 1000, &period);

    if (wrong)
        return cli_usage(&cli_report, "--period %s: %s", name, wrong);
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    return make_and_give(args, config, &what,
                         language && strcmp(language, "de") == 0 ? REPORT_GERMAN : REPORT_ENGLISH);
}

static int report_of_config(const struct cli_args *args, const struct config *config)
{
    const char *tz = args->value[REPORT_TZ];
    char local[LOCAL_ZONE_MAX];
    struct zone *zone;
    int status;

    if (args->value[REPORT_TO] && (!config || !config->smtp.url))
        return cli_usage(&cli_report, "--to needs a mail server: -c FILE, with smtp.url in it");
    if (!tz)
        tz = local_zone_name(local);
    zone = zone_load(slice_of(tz));
    if (!zone)
        return cli_usage(&cli_report, "--tz: '%s' is no time zone", tz ? tz : "");
    status = report_of_zone(args, config, tz ? tz : "UTC", zone);
    zone_free(zone);
    return status;
}

static int run_report(const struct cli_args *args)
{
    const char *language = args->value[REPORT_LANGUAGE], *to = args->value[REPORT_TO], *wrong;
    struct config *config = NULL;
    struct error err = {0};
    int status;

    if (args->n_words > 0)
        return cli_usage(&cli_report, "'%s' is one word too many", args->words[0]);
    if (!args->value[REPORT_BRAND])
        return cli_usage(&cli_report, "--brand is missing");
    if ((wrong = config_check_brand_name(args->value[REPORT_BRAND])) != NULL)
        return cli_usage(&cli_report, "--brand %s", wrong);
    if (args->value[REPORT_PRINT] && !is_form(args->value[REPORT_PRINT]))
        return cli_usage(&cli_report, "--print is text, html, json, slack or teams");
    if (language && strcmp(language, "en") != 0 && strcmp(language, "de") != 0)
        return cli_usage(&cli_report, "--language is en or de");
    if (to && args->value[REPORT_PRINT])
        return cli_usage(&cli_report, "--to or --print, not both");
    if (to && (wrong = check_addresses(to)) != NULL)
        return cli_usage(&cli_report, "--to %s", wrong);
    if (args->value[REPORT_CONFIG] && !(config = config_load(args->value[REPORT_CONFIG], &err)))
        return cli_fail_error(&err);
    status = report_of_config(args, config);
    config_free(config);
    return status;
}

const struct cli_command cli_report = {
    .name = "report",
    .usage = "--brand NAME [OPTION…]",
    .summary = "prints or mails the figures of a week or month, beside those of the one before",
    .notes = "hopcountd sends reports by itself, one for each entry of `reports` in its\n"
             "configuration.  A report that you send by hand does not count as one of these:\n"
             "the scheduled one still goes out. The figures are what GET /v1/stats and\n"
             "/v1/funnel say of the same days.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_report,
};
