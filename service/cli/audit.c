/* audit: who did what at the admin address, as the API tells it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/number.h"
#include "service/base/error.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"

enum { PATH_MAX_LEN = 1024, LIMIT_DEFAULT = 50, PAGE_ENTRIES = 1000, NAME_MAX_LEN = 127 };

enum {
    AUDIT_OF,
    AUDIT_WHO,
    AUDIT_LIMIT,
    AUDIT_JSON,
    AUDIT_CSV,
    AUDIT_URL,
    AUDIT_KEY_FILE,
    AUDIT_KEY,
    AUDIT_CONFIG,
};

static const struct cli_option options[] = {
    [AUDIT_OF] = {"action", "NAME", "only those",
                  "sign_in sign_in_refused sign_out name revoke unrevoke events export erase "
                  "reload annotate unannotate save_view delete_view share unshare",
                  0},
    [AUDIT_WHO] = {"who", "NAME", "only what this key or user did", NULL, 0},
    [AUDIT_LIMIT] = {"limit", "N", "how many, the newest first; all for every one (50)", NULL, 0},
    [AUDIT_JSON] = {"json", NULL, "a JSON object per line", NULL, 0},
    [AUDIT_CSV] = {"csv", NULL, "CSV, with a header line", NULL, 0},
    [AUDIT_URL] = API_URL_OPTION,
    [AUDIT_KEY_FILE] = API_KEY_FILE_OPTION,
    [AUDIT_KEY] = API_KEY_OPTION,
    [AUDIT_CONFIG] = API_CONFIG_OPTION,
};

/* What is printed, page by page. */
struct printing {
    const struct cli_args *args;
    size_t left; /* of --limit */
    bool has_begun;
};

/* A value in quotes if need be, and so that a spreadsheet takes it for a text. */
static void print_cell(const char *text, char end)
{
    bool has_quotes = strpbrk(text, ",\"\r\n") != NULL;

    if (has_quotes)
        putchar('"');
    if (text[0] && strchr("=+-@\t", text[0]))
        putchar('\'');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    if (has_quotes)
        putchar('"');
    putchar(end);
}

static void print_row(struct printing *p, const json_t *row)
{
    json_int_t client = json_integer_value(json_object_get(row, "client"));
    json_int_t n = json_integer_value(json_object_get(row, "n"));
    char number[24] = "", times[32] = "", at[RFC3339_TEXT_MAX];

    if (client)
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, client);
    if (p->args->value[AUDIT_JSON]) {
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (p->args->value[AUDIT_CSV]) {
        static const char *const names[] = {"at", "action", "who", "address", "brand", "what"};

        if (!p->has_begun)
            puts("at,action,who,address,brand,what,client,n");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            print_cell(api_text(row, names[i], ""), ',');
        printf("%s,%" JSON_INTEGER_FORMAT "\n", number, n);
    } else {
        if (!p->has_begun)
            printf("%-25s  %-15s  %-20s  %-15s  %s\n", "at", "action", "who", "address", "what");
        if (strcmp(api_text(row, "action", ""), "events") == 0)
            snprintf(times, sizeof(times), "%" JSON_INTEGER_FORMAT " %s", n,
                     cli_noun((uint64_t)n, "event", "events"));
        else if (n > 1)
            snprintf(times, sizeof(times), " (%" JSON_INTEGER_FORMAT " times)", n);
        printf("%-25s  %-15s  %-20s  %-15s  %s%s%s%s%s%s\n",
               local_time_of(api_text(row, "at", ""), at), api_text(row, "action", ""),
               api_text(row, "who", ""), api_text(row, "address", ""), api_text(row, "brand", ""),
               api_text(row, "brand", "")[0] ? ": " : "", api_text(row, "what", ""),
               number[0] ? " " : "", number, times);
    }
    p->has_begun = true;
}

/* A name as a part of a query. */
static void encode(const char *text, char out[static 3 * NAME_MAX_LEN + 1])
{
    for (; *text; text++)
        out += snprintf(out, 4, "%%%02X", (unsigned char)*text);
    *out = '\0';
}

static void make_path(const struct printing *p, const char *page, char out[static PATH_MAX_LEN])
{
    const char *of = p->args->value[AUDIT_OF], *who = p->args->value[AUDIT_WHO];
    char action[3 * NAME_MAX_LEN + 1] = "", name[3 * NAME_MAX_LEN + 1] = "";

    if (of)
        encode(of, action);
    if (who)
        encode(who, name);
    snprintf(out, PATH_MAX_LEN, "/v1/audit?limit=%zu%s%s%s%s%s%s",
             p->left < PAGE_ENTRIES ? p->left : (size_t)PAGE_ENTRIES, of ? "&action=" : "", action,
             who ? "&who=" : "", name, page[0] ? "&page=" : "", page);
}

static int print_all(struct printing *p, const struct api *api)
{
    char path[PATH_MAX_LEN], page[64] = "";
    const struct api_request request = {
        .path = path, .purpose = "read the audit log", .scope = "admin"};

    do {
        json_t *reply, *row;
        size_t i;

        make_path(p, page, path);
        if (!(reply = api_ask_json(api, &request)))
            return CLI_FAILED;
        json_array_foreach(json_object_get(reply, "entries"), i, row)
        {
            print_row(p, row);
            p->left--;
        }
        snprintf(page, sizeof(page), "%s", api_text(reply, "next_page", ""));
        json_decref(reply);
    } while (page[0] && p->left > 0);
    if (!p->has_begun && !p->args->value[AUDIT_JSON] && !p->args->value[AUDIT_CSV])
        puts("nothing is in the audit log");
    return CLI_OK;
}

static int run_audit(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[AUDIT_URL],
                                      .config = args->value[AUDIT_CONFIG],
                                      .key_file = args->value[AUDIT_KEY_FILE],
                                      .key = args->value[AUDIT_KEY]};
    const char *limit = args->value[AUDIT_LIMIT], *who = args->value[AUDIT_WHO];
    struct printing p = {.args = args, .left = LIMIT_DEFAULT};
    struct error err = {0};
    struct api api;
    uint32_t n;

    if (args->n_words > 0)
        return cli_usage(&cli_audit, "'%s' is one word too many", args->words[0]);
    if (args->value[AUDIT_JSON] && args->value[AUDIT_CSV])
        return cli_usage(&cli_audit, "--json or --csv, not both");
    if ((who && strlen(who) > NAME_MAX_LEN) ||
        (args->value[AUDIT_OF] && strlen(args->value[AUDIT_OF]) > NAME_MAX_LEN))
        return cli_usage(&cli_audit, "a name has at most %d bytes", (int)NAME_MAX_LEN);
    if (limit && strcmp(limit, "all") == 0)
        p.left = SIZE_MAX;
    else if (limit && number_parse_u32(slice_of(limit), UINT32_MAX, &n) && n > 0)
        p.left = n;
    else if (limit)
        return cli_usage(&cli_audit, "--limit: a number from 1 on is needed, or all");
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    return print_all(&p, &api);
}

const struct cli_command cli_audit = {
    .name = "audit",
    .usage = "--key-file FILE [--url URL | -c FILE] [--action NAME] [--who NAME] [--limit N]\n"
             "       [--csv | --json]",
    .summary = "says who signed in, named, revoked, exported or erased, and from where",
    .notes =
        "Prints the audit log, the newest entries first. It goes back admin.audit_days, at most\n"
        "50,000 entries. Events that are posted, and repetitions of one export or one refused\n"
        "sign-in, are counted together every ten minutes. The key needs the scope admin; it may\n"
        "also stand in the variable " API_KEY_VARIABLE ".\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_audit,
};
