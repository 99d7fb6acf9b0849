/* annotate: puts a note on the time axis of the dashboard's charts, lists notes, takes one away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/base/error.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"

enum { PATH_MAX_LEN = 512, DATE_MAX = 16, ID_LEN = 16 };

enum {
    ANNOTATE_BRAND,
    ANNOTATE_AT,
    ANNOTATE_LIST,
    ANNOTATE_REMOVE,
    ANNOTATE_JSON,
    ANNOTATE_URL,
    ANNOTATE_KEY_FILE,
    ANNOTATE_KEY,
    ANNOTATE_CONFIG,
};

static const struct cli_option options[] = {
    [ANNOTATE_BRAND] = {"brand", "NAME", "needed when there are several", CLI_BRANDS, 0},
    [ANNOTATE_AT] = {"at", "WHEN", "a date, or a time, of which the hour is kept (today)", NULL, 0},
    [ANNOTATE_LIST] = {"list", NULL, "print all notes of the brand", NULL, 0},
    [ANNOTATE_REMOVE] = {"remove", "ID", "take the note of that id away", NULL, 0},
    [ANNOTATE_JSON] = {"json", NULL, "with --list: the API's reply as it is", NULL, 0},
    [ANNOTATE_URL] = API_URL_OPTION,
    [ANNOTATE_KEY_FILE] = API_KEY_FILE_OPTION,
    [ANNOTATE_KEY] = API_KEY_OPTION,
    [ANNOTATE_CONFIG] = API_CONFIG_OPTION,
};

/* Brands are named with letters, digits and dashes: another name is no brand, which the API says,
 * but it must not change the path.  False: it might. */
static bool make_path(char out[static PATH_MAX_LEN], const char *id, const char *brand)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    int len = snprintf(out, PATH_MAX_LEN, "/v1/annotations%s%s%s%s", id ? "/" : "", id ? id : "",
                       brand ? "?brand=" : "", brand ? brand : "");

    return (!brand || brand[strspn(brand, plain)] == '\0') && len < PATH_MAX_LEN;
}

static int add(const struct api *api, const char *brand, const char *at, const char *text)
{
    json_t *form = json_pack("{ss* ss ss}", "brand", brand, "at", at, "text", text);
    char *body = form ? json_dumps(form, JSON_COMPACT) : NULL;
    const struct api_request request = {.method = "POST",
                                        .path = "/v1/annotations",
                                        .body = body,
                                        .purpose = "annotate",
                                        .scope = "links:write"};
    char at_local[RFC3339_TEXT_MAX];
    json_t *reply;

    json_decref(form);
    if (!body)
        return cli_fail("a value is not UTF-8");
    reply = api_ask_json(api, &request);
    free(body);
    if (!reply)
        return CLI_FAILED;
    printf("%s of %s: %s (%s)\n", local_time_of(api_text(reply, "at", "-"), at_local),
           api_text(reply, "brand", "-"), api_text(reply, "text", "-"), api_text(reply, "id", "-"));
    json_decref(reply);
    return CLI_OK;
}

static int remove_note(const struct api *api, const char *path, const char *id)
{
    const struct api_request request = {
        .method = "DELETE", .path = path, .purpose = "annotate", .scope = "links:write"};
    struct api_reply reply;
    int status = api_ask(api, &request, &reply);

    if (status != CLI_OK)
        return status;
    free(reply.body);
    printf("%s: removed\n", id);
    return CLI_OK;
}

static int list(const struct api *api, const char *path, bool as_json)
{
    const struct api_request request = {
        .path = path, .purpose = "list notes", .scope = "stats:read"};
    json_t *reply = api_ask_json(api, &request);
    const json_t *notes = json_object_get(reply, "annotations"), *note;
    char at[RFC3339_TEXT_MAX];
    size_t i;

    if (!reply)
        return CLI_FAILED;
    if (as_json)
        json_dumpf(reply, stdout, 0), putchar('\n');
    else if (json_array_size(notes) == 0)
        puts("there are no notes");
    json_array_foreach(notes, i, note)
    {
        if (!as_json)
            printf("%-25s  %s  %s  (%s)\n", local_time_of(api_text(note, "at", "-"), at),
                   api_text(note, "id", "-"), api_text(note, "text", "-"),
                   api_text(note, "by", "-"));
    }
    json_decref(reply);
    return CLI_OK;
}

/* CLI_OK when exactly one thing is asked for. */
static int check_words(const struct cli_args *args)
{
    bool is_list = args->value[ANNOTATE_LIST] != NULL;
    const char *id = args->value[ANNOTATE_REMOVE];

    if (is_list && id)
        return cli_usage(&cli_annotate, "--list or --remove, not both");
    if ((is_list || id) && (args->n_words > 0 || args->value[ANNOTATE_AT]))
        return cli_usage(&cli_annotate, "TEXT and --at are for a new note");
    if (!is_list && args->value[ANNOTATE_JSON])
        return cli_usage(&cli_annotate, "--json is for --list");
    if (id && (strlen(id) != ID_LEN || strspn(id, "0123456789abcdef") != ID_LEN))
        return cli_usage(&cli_annotate,
                         "'%s' is no ID: 16 digits and letters a to f, which --list prints", id);
    if (args->n_words > 1)
        return cli_usage(&cli_annotate, "'%s' is one word too many: put the text in quotes",
                         args->words[1]);
    if (!is_list && !id && args->n_words < 1)
        return cli_usage(&cli_annotate, "TEXT is needed, or --list, or --remove");
    return CLI_OK;
}

static int run_annotate(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[ANNOTATE_URL],
                                      .config = args->value[ANNOTATE_CONFIG],
                                      .key_file = args->value[ANNOTATE_KEY_FILE],
                                      .key = args->value[ANNOTATE_KEY]};
    const char *brand = args->value[ANNOTATE_BRAND], *at = args->value[ANNOTATE_AT];
    const char *id = args->value[ANNOTATE_REMOVE];
    char path[PATH_MAX_LEN], today[DATE_MAX];
    time_t now = time(NULL);
    struct tm local;
    struct error err = {0};
    struct api api;
    int status = check_words(args);

    if (status != CLI_OK)
        return status;
    if (!make_path(path, id, brand))
        return cli_usage(&cli_annotate, "'%s' is no brand's name", brand);
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    if (args->value[ANNOTATE_LIST])
        return list(&api, path, args->value[ANNOTATE_JSON] != NULL);
    if (id)
        return remove_note(&api, path, id);
    localtime_r(&now, &local);
    strftime(today, sizeof(today), "%Y-%m-%d", &local);
    return add(&api, brand, at ? at : today, args->words[0]);
}

const struct cli_command cli_annotate = {
    .name = "annotate",
    .usage = "TEXT --key-file FILE [--url URL | -c FILE] [--brand NAME] [--at WHEN]\n"
             "       hopcount annotate --list …\n"
             "       hopcount annotate --remove ID …",
    .summary = "puts a note on the time axis of the dashboard's charts",
    .notes =
        "TEXT says what happened, \"new template went out\", with up to 200 characters; WHEN is a\n"
        "date, 2026-11-22, or a time, 2026-11-22T12:00:00Z. All who may read the brand's "
        "statistics\n"
        "see it. The key needs the scope links:write, for --list stats:read; it may also stand in\n"
        "the variable " API_KEY_VARIABLE ".\n",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_annotate,
};
