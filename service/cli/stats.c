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
#include "service/cli/command.h"
#include "service/cli/http.h"
#include "service/cli/stats_table.h"
#include "service/config/config.h"
#include "service/config/linefile.h"

enum {
    URL_MAX = 8192,
    TIMEOUT_MS = 30000,
    API_KEY_MAX = 256,
    COLUMNS_DEFAULT = 80,
    COLUMNS_MIN = 40,
};

#define URL_DEFAULT "http://127.0.0.1:8081"
#define KEY_VARIABLE "HOPCOUNT_API_KEY"

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
    [STATS_BRAND] = {"brand", "NAME", "only this one", NULL, 0},
    [STATS_CAMPAIGN] = {"campaign", "N", "only this one", NULL, 0},
    [STATS_KIND] = {"kind", "KIND", "only this one", "view pay login", 0},
    [STATS_FROM] = {"from", "TIME", "2026-11-01, 24h, 7d, 30d, 1y, mtd, ytd … (30d)",
                    "24h 7d 30d 90d 1y mtd ytd", 0},
    [STATS_TO] = {"to", "TIME", "a day, which is in, or a time, which is not (now)", NULL, 0},
    [STATS_INTERVAL] = {"interval", "NAME", "hour, day or month", "hour day month", 0},
    [STATS_GROUP_BY] = {"group-by", "NAME",
                        "time, kind, campaign, label, country, device …; time,campaign …",
                        "time kind campaign label country device variant channel", 0},
    [STATS_TZ] = {"tz", "ZONE", "of days and months, as Europe/Berlin (UTC)", NULL, 0},
    [STATS_LIMIT] = {"limit", "N", "at most so many rows", NULL, 0},
    [STATS_URL] = {"url", "URL", "hopcountd's admin address (" URL_DEFAULT ")", NULL, 0},
    [STATS_KEY_FILE] = {"key-file", "FILE", "file that holds an API key", "@file", 0},
    [STATS_KEY] = {"key", "KEY", "the API key; other users can see it: prefer --key-file", NULL, 0},
    [STATS_CONFIG] = {"config", "FILE", "take the admin address from this configuration", "@file",
                      'c'},
    [STATS_CLIENTS] = {"clients", NULL, "distinct clients and visitors too; by time only", NULL, 0},
    [STATS_JSON] = {"json", NULL, "the API's reply as it is", NULL, 0},
    [STATS_CSV] = {"csv", NULL, "as CSV; into a file, one that spreadsheets open right", NULL, 0},
};

/* --- where and with what --- */

/* "0.0.0.0:8081" is where it listens, not where it can be asked. */
static bool url_of_config(const char *path, char *out, size_t max, struct error *err)
{
    struct config *config = config_load(path, err);
    const char *listen, *port;

    if (!config)
        return false;
    listen = config->admin.listen[0];
    port = strrchr(listen, ':');
    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        snprintf(out, max, "http://127.0.0.1%s", port);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(out, max, "http://[::1]%s", port);
    else
        snprintf(out, max, "http://%s", listen);
    config_free(config);
    return true;
}

static bool find_url(const struct cli_args *args, char *out, size_t max, struct error *err)
{
    const char *url = args->value[STATS_URL];
    size_t len;

    if (!url && args->value[STATS_CONFIG])
        return url_of_config(args->value[STATS_CONFIG], out, max, err);
    url = url ? url : URL_DEFAULT;
    len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    snprintf(out, max, "%.*s", (int)len, url);
    return true;
}

/* The last word of the first line, so that what `hopcount apikey` printed will do. */
static bool read_key_file(const char *path, char out[static API_KEY_MAX], struct error *err)
{
    struct linefile *file = linefile_load(path, 0, err);
    struct linefile_line line;
    bool ok = false;

    if (!file)
        return false;
    if (!linefile_next(file, &line) || line.n_fields != 1 || line.field[0].len >= API_KEY_MAX) {
        error_set(err,
                  "%s: holds no API key; its first line is the key that `hopcount apikey` "
                  "printed",
                  path);
    } else {
        memcpy(out, line.field[0].ptr, line.field[0].len);
        out[line.field[0].len] = '\0';
        ok = true;
    }
    linefile_free(file);
    return ok;
}

static bool find_key(const struct cli_args *args, char out[static API_KEY_MAX], struct error *err)
{
    const char *key = args->value[STATS_KEY] ? args->value[STATS_KEY] : getenv(KEY_VARIABLE);

    if (args->value[STATS_KEY_FILE])
        return read_key_file(args->value[STATS_KEY_FILE], out, err);
    if (!key) {
        error_set(err, "an API key is needed: --key-file FILE, or the variable " KEY_VARIABLE
                       "; `hopcount apikey` makes one");
        return false;
    }
    snprintf(out, API_KEY_MAX, "%s", key);
    return true;
}

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

/* Adds "/v1/stats?brand=…" to the address in `url`. */
static void add_query(const struct cli_args *args, char url[static URL_MAX])
{
    size_t at = strlen(url);
    char separator = '?';

    at += (size_t)snprintf(url + at, URL_MAX - at, "/v1/stats");
    for (size_t i = 0; i < STATS_PARAMETERS && at + 32 < URL_MAX; i++) {
        const char *name = i == STATS_GROUP_BY ? "group_by" : options[i].name;

        if (!args->value[i])
            continue;
        at += (size_t)snprintf(url + at, URL_MAX - at, "%c%s=", separator, name);
        at = add_encoded(url, at, args->value[i]);
        separator = '&';
    }
    if (args->value[STATS_CLIENTS])
        snprintf(url + at, URL_MAX - at, "%cclients=true", separator);
}

/* --- the reply --- */

/* Of the terminal, or as many as any has. */
static size_t terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN)
        return size.ws_col;
    return COLUMNS_DEFAULT;
}

/* A file is for a spreadsheet, which takes it for UTF-8 only with a mark; programs at the other end
 * of a pipe would trip over it. */
static bool is_into_file(void)
{
    struct stat at;

    return fstat(STDOUT_FILENO, &at) == 0 && S_ISREG(at.st_mode) &&
           lseek(STDOUT_FILENO, 0, SEEK_CUR) == 0;
}

static int print_reply(const struct cli_args *args, const struct http_reply *reply)
{
    struct stats_table_options table = {.is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                                        .columns = terminal_columns()};
    struct error err = {0};
    json_t *json;
    int status = CLI_OK;

    if (args->value[STATS_JSON] || args->value[STATS_CSV]) {
        if (args->value[STATS_CSV] && is_into_file())
            fputs("\xef\xbb\xbf", stdout);
        fwrite(reply->body, 1, reply->body_len, stdout);
        if (args->value[STATS_JSON])
            putchar('\n');
        return CLI_OK;
    }
    json = json_loadb(reply->body, reply->body_len, 0, NULL);
    if (!stats_table_print(json, &table, &err))
        status = cli_fail_error(&err);
    json_decref(json);
    return status;
}

static int explain(const struct http_reply *reply, const char *url)
{
    json_t *problem = json_loadb(reply->body, reply->body_len, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *parameter = json_string_value(json_object_get(problem, "parameter"));

    if (reply->status == 401)
        cli_fail("hopcountd does not know this API key; `hopcount apikey --add` adds one, and "
                 "hopcountd reads it at its reload (SIGHUP)");
    else if (reply->status == 403 && !parameter) /* a brand is the only other thing refused so */
        cli_fail("this API key may not read statistics; make one with --scope stats:read");
    else
        cli_fail("%.*s answers %ld%s%s%s%s", (int)strcspn(url, "?"), url, reply->status,
                 parameter ? ": " : "", parameter ? parameter : "", detail ? ": " : "",
                 detail ? detail : "");
    json_decref(problem);
    return CLI_FAILED;
}

static int ask(const struct cli_args *args, const char *url, const char *key)
{
    const struct http_request request = {
        .url = url,
        .api_key = key,
        .accept = args->value[STATS_CSV] ? "text/csv" : "application/json",
        .timeout_ms = TIMEOUT_MS,
    };
    struct http_reply reply;
    struct error err = {0};
    int status;

    if (!http_get(&request, &reply, &err))
        return cli_fail("%s; is hopcountd running, and is that its admin address?", err.text);
    status = reply.status == 200 ? print_reply(args, &reply) : explain(&reply, url);
    free(reply.body);
    return status;
}

static int run_stats(const struct cli_args *args)
{
    char url[URL_MAX], key[API_KEY_MAX];
    struct error err = {0};

    if (args->n_words > 0)
        return cli_usage(&cli_stats, "'%s' is one word too many", args->words[0]);
    if (args->value[STATS_JSON] && args->value[STATS_CSV])
        return cli_usage(&cli_stats, "--json or --csv, not both");
    if (!find_url(args, url, sizeof(url), &err) || !find_key(args, key, &err))
        return cli_fail_error(&err);
    setlocale(LC_CTYPE, "");
    add_query(args, url);
    return ask(args, url, key);
}

const struct cli_command cli_stats = {
    .name = "stats",
    .usage = "--key-file FILE [--url URL | -c FILE] [OPTION…]",
    .summary = "shows the statistics on a terminal",
    .notes = "The API key may also stand in the variable " KEY_VARIABLE ".\n"
             "Grouped by time and something else, each of the latter gets a curve over time: of\n"
             "its clicks by people or, where there are none, of all.\n"
             "Clients are counted by the number in the links; visitors, by links without one, are\n"
             "told apart by address and agent for a day: one who comes on three days counts three\n"
             "times.\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_stats,
};
