/* stats: the statistics API on a terminal. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "service/base/error.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"
#include "service/cli/stats_table.h"

enum {
    URL_MAX = 8192,
    COLUMNS_DEFAULT = 80,
    COLUMNS_MIN = 40,
};

/* The first ones are parameters of the API. */
enum {
    STATS_BRAND,
    STATS_CAMPAIGN,
    STATS_KIND,
    STATS_FROM,
    STATS_TO,
    STATS_INTERVAL,
    STATS_GROUP_BY,
    STATS_TZ,
    STATS_LIMIT,
    STATS_COUNTRY,
    STATS_DEVICE,
    STATS_BROWSER,
    STATS_SYSTEM,
    STATS_CHANNEL,
    STATS_VARIANT,
    STATS_REFERRER,
    STATS_LABEL,
    STATS_REASON,
    STATS_DELAY,
    STATS_PAGE,
    STATS_PARAMETERS,
    STATS_URL = STATS_PARAMETERS,
    STATS_KEY_FILE,
    STATS_KEY,
    STATS_CONFIG,
    STATS_CLIENTS,
    STATS_JSON,
    STATS_CSV,
};

static const struct cli_option options[] = {
    [STATS_BRAND] = {"brand", "NAME", "only this one", CLI_BRANDS, 0},
    [STATS_CAMPAIGN] = {"campaign", "N", "only this one", NULL, 0},
    [STATS_KIND] = {"kind", "KIND", "only this one", CLI_KINDS, 0},
    [STATS_FROM] = {"from", "TIME", "2026-11-01, 24h, 7d, 30d, 1y, mtd, ytd … (30d)",
                    "24h 7d 30d 90d 1y mtd ytd", 0},
    [STATS_TO] = {"to", "TIME", "a day, which is in, or a time, which is not (now)", NULL, 0},
    [STATS_INTERVAL] = {"interval", "NAME", "hour, day or month", "hour day month", 0},
    [STATS_GROUP_BY] = {"group-by", "NAME",
                        "time, kind, campaign, label, country, device …; time,campaign …",
                        "time kind campaign label country device variant channel reason browser "
                        "system referrer delay page",
                        0},
    [STATS_TZ] = {"tz", "ZONE", "of days and months, as Europe/Berlin (the one of this computer)",
                  NULL, 0},
    [STATS_LIMIT] = {"limit", "N", "at most so many rows", NULL, 0},
    [STATS_COUNTRY] = {"country", "CODES", "only clicks from there; DE,AT or unknown", NULL, 0},
    [STATS_DEVICE] = {"device", "NAMES", "only these, with commas between",
                      "phone tablet desktop other", 0},
    [STATS_BROWSER] = {"browser", "NAMES", "only these, with commas between",
                       "chrome safari firefox edge other", 0},
    [STATS_SYSTEM] = {"system", "NAMES", "only these, with commas between",
                      "windows macos ios android linux other", 0},
    [STATS_CHANNEL] = {"channel", "NAMES", "only these, with commas between",
                       "mail sms pdf qr portal chat other unknown", 0},
    [STATS_VARIANT] = {"variant", "NAMES", "only these, with commas between", "none A B C D E F G",
                       0},
    [STATS_REFERRER] = {"referrer", "NAMES", "only these, with commas between",
                        "none mail search social other", 0},
    [STATS_LABEL] = {"label", "NAMES", "only these, with commas between",
                     "human scanner bot prefetch probe", 0},
    [STATS_REASON] = {"reason", "NAMES", "only clicks that have their label for this", NULL, 0},
    [STATS_DELAY] = {"delay", "STEPS", "only so long after the mail: 1m 5m 15m 1h … 90d more",
                     "1m 5m 15m 1h 3h 6h 12h 1d 2d 3d 7d 14d 30d 90d more", 0},
    [STATS_PAGE] = {"page", "NAMES", "what led to these pages of ours; goes with no other", NULL,
                    0},
    [STATS_URL] = API_URL_OPTION,
    [STATS_KEY_FILE] = API_KEY_FILE_OPTION,
    [STATS_KEY] = API_KEY_OPTION,
    [STATS_CONFIG] = API_CONFIG_OPTION,
    [STATS_CLIENTS] = {"clients", NULL, "distinct clients and visitors too; by time only", NULL, 0},
    [STATS_JSON] = {"json", NULL, "the API's reply as it is", NULL, 0},
    [STATS_CSV] = {"csv", NULL, "as CSV; into a file, one that spreadsheets open right", NULL, 0},
};

/* --- the request --- */

static size_t add_encoded(char *out, size_t at, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,:";

    for (; *text && at + 4 < URL_MAX; text++) {
        if (strchr(plain, *text)) {
            out[at++] = *text;
        } else {
            out[at++] = '%';
            out[at++] = hex[(unsigned char)*text >> 4];
            out[at++] = hex[*text & 15];
        }
    }
    out[at] = '\0';
    return at;
}

/* "/v1/stats?brand=…" */
static void write_query(const struct cli_args *args, char url[static URL_MAX])
{
    char separator = '?', zone[LOCAL_ZONE_MAX];
    size_t at = 0;

    at += (size_t)snprintf(url + at, URL_MAX - at, "/v1/stats%s",
                           args->value[STATS_CSV] ? ".csv" : "");
    for (size_t i = 0; i < STATS_PARAMETERS && at + 32 < URL_MAX; i++) {
        const char *name = i == STATS_GROUP_BY ? "group_by" : options[i].name;
        const char *value = args->value[i];

        if (!value && i == STATS_TZ)
            value = local_zone_name(zone);
        if (!value)
            continue;
        at += (size_t)snprintf(url + at, URL_MAX - at, "%c%s=", separator, name);
        at = add_encoded(url, at, value);
        separator = '&';
    }
    if (args->value[STATS_CLIENTS])
        snprintf(url + at, URL_MAX - at, "%cclients=true", separator);
}

/* --- the reply --- */

static int print_reply(const struct cli_args *args, const struct api_reply *reply)
{
    struct stats_table_options table = {.is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                                        .columns = COLUMNS_DEFAULT};
    struct winsize terminal;
    struct stat at;
    struct error err = {0};
    json_t *json;
    int status = CLI_OK;

    if (args->value[STATS_JSON] || args->value[STATS_CSV]) {
        /* A file is for a spreadsheet, which takes it for UTF-8 only with a mark; programs at the
         * other end of a pipe would trip over it. */
        if (args->value[STATS_CSV] && fstat(STDOUT_FILENO, &at) == 0 && S_ISREG(at.st_mode) &&
            lseek(STDOUT_FILENO, 0, SEEK_CUR) == 0)
            fputs("\xef\xbb\xbf", stdout);
        fwrite(reply->body, 1, reply->body_len, stdout);
        if (args->value[STATS_JSON])
            putchar('\n');
        return CLI_OK;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &terminal) == 0 && terminal.ws_col >= COLUMNS_MIN)
        table.columns = terminal.ws_col;
    json = json_loadb(reply->body, reply->body_len, 0, NULL);
    if (!stats_table_print(json, &table, &err))
        status = cli_fail_error(&err);
    json_decref(json);
    return status;
}

static int ask(const struct cli_args *args, const struct api *api, const char *path)
{
    const struct api_request request = {
        .path = path,
        .accept = args->value[STATS_CSV] ? "text/csv" : NULL,
        .purpose = "read statistics",
        .scope = "stats:read",
    };
    struct api_reply reply;
    int status = api_ask(api, &request, &reply);

    if (status == CLI_OK) {
        status = print_reply(args, &reply);
        free(reply.body);
    }
    return status;
}

static int run_stats(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[STATS_URL],
                                      .config = args->value[STATS_CONFIG],
                                      .key_file = args->value[STATS_KEY_FILE],
                                      .key = args->value[STATS_KEY]};
    char path[URL_MAX];
    struct error err = {0};
    struct api api;

    if (args->n_words > 0)
        return cli_usage(&cli_stats, "'%s' is one word too many", args->words[0]);
    if (args->value[STATS_JSON] && args->value[STATS_CSV])
        return cli_usage(&cli_stats, "--json or --csv, not both");
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    setlocale(LC_CTYPE, "");
    write_query(args, path);
    return ask(args, &api, path);
}

const struct cli_command cli_stats = {
    .name = "stats",
    .usage = "--key-file FILE [--url URL | -c FILE] [OPTION…]",
    .summary = "shows the statistics on a terminal",
    .notes = "The API key may also stand in the variable " API_KEY_VARIABLE ".\n"
             "Grouped by time and something else, each of the latter gets a curve over time: of\n"
             "its clicks by people or, where there are none, of all.\n"
             "Several of --country, --device and so on must all hold.  They are counted together\n"
             "for some time only (retention.cells_days); what is missing is said.\n"
             "Clients are counted by the number in the links; visitors, by links without one, are\n"
             "told apart by address and agent for a day: one who comes on three days counts three\n"
             "times.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_stats,
};
