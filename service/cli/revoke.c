/* revoke: makes links void, says which are, and takes it back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/unwrap.h"
#include "service/base/error.h"
#include "service/cli/api.h"
#include "service/cli/command.h"
#include "service/cli/local_time.h"

enum { PATH_MAX_LEN = 1024, ID_MAX = 256 };

enum {
    REVOKE_BRAND,
    REVOKE_ISSUED_BEFORE,
    REVOKE_LIST,
    REVOKE_UNDO,
    REVOKE_JSON,
    REVOKE_URL,
    REVOKE_KEY_FILE,
    REVOKE_KEY,
    REVOKE_CONFIG,
};

static const struct cli_option options[] = {
    [REVOKE_BRAND] = {"brand", "NAME", "needed when there are several", CLI_BRANDS, 0},
    [REVOKE_ISSUED_BEFORE] = {"issued-before", "TIME", "only links older than that (now)", NULL, 0},
    [REVOKE_LIST] = {"list", NULL, "print what is revoked, since when and by whom", NULL, 0},
    [REVOKE_UNDO] = {"undo", NULL, "make the links valid again", NULL, 0},
    [REVOKE_JSON] = {"json", NULL, "with --list: the API's reply as it is", NULL, 0},
    [REVOKE_URL] = API_URL_OPTION,
    [REVOKE_KEY_FILE] = API_KEY_FILE_OPTION,
    [REVOKE_KEY] = API_KEY_OPTION,
    [REVOKE_CONFIG] = API_CONFIG_OPTION,
};

/* What is asked for the revocation of `scope` and `id`. */
struct revoking {
    const struct api *api;
    const char *scope;
    char id[ID_MAX];
    const char *brand; /* NULL = the only one that the key is for */
};

static struct api_request make_request(const char *method, const char *path, const char *body)
{
    return (struct api_request){.method = method,
                                .path = path,
                                .body = body,
                                .purpose = "revoke links",
                                .scope = "links:write"};
}

/* --- the list --- */

static void print_table(const json_t *list)
{
    const json_t *rows = json_object_get(list, "revocations"), *row;
    char before[RFC3339_TEXT_MAX], at[RFC3339_TEXT_MAX];
    size_t i;

    if (json_array_size(rows) == 0) {
        puts("nothing is revoked");
        return;
    }
    printf("%-9s %-16s %-16s %-25s  %-25s  %s\n", "scope", "brand", "id", "issued before",
           "revoked at", "by");
    json_array_foreach(rows, i, row)
    {
        printf("%-9s %-16s %-16s %-25s  %-25s  %s\n", api_text(row, "scope", "-"),
               api_text(row, "brand", "-"), api_text(row, "id", "-"),
               local_time_of(api_text(row, "issued_before", "-"), before),
               local_time_of(api_text(row, "at", "-"), at), api_text(row, "by", "-"));
    }
}

static int list(const struct api *api, bool as_json)
{
    const struct api_request request = {
        .path = "/v1/revocations", .purpose = "list revocations", .scope = "links:write"};
    json_t *reply = api_ask_json(api, &request);

    if (!reply)
        return CLI_FAILED;
    if (as_json)
        json_dumpf(reply, stdout, 0), putchar('\n');
    else
        print_table(reply);
    if (json_is_true(json_object_get(reply, "is_cut")))
        fputs("hopcount: there are more; these are the first the service found\n", stderr);
    json_decref(reply);
    return CLI_OK;
}

/* --- one revocation --- */

/* Links are pasted whole, too, with what mail gateways have put around them: of these the token is
 * asked for. */
static bool take_id(struct revoking *r, const char *text)
{
    struct unwrapped unwrapped;
    size_t len;

    if (strcmp(r->scope, "link") == 0) {
        const char *slash;

        if (unwrap_all(slice_of(text), &unwrapped) && unwrapped.n > 0)
            text = unwrapped.url;
        slash = strrchr(text, '/');
        text = slash ? slash + 1 : text;
    }
    len = strcspn(text, "?#");
    if (len == 0 || len >= ID_MAX ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789-") < len)
        return false;
    memcpy(r->id, text, len);
    r->id[len] = '\0';
    return true;
}

static int undo(const struct revoking *r)
{
    char path[PATH_MAX_LEN];
    struct api_request request = make_request("DELETE", path, NULL);
    json_t *reply;

    snprintf(path, sizeof(path), "/v1/revocations/%s/%s/%s", r->scope, r->brand ? r->brand : "-",
             r->id);
    if (!(reply = api_ask_json(r->api, &request)))
        return CLI_FAILED;
    json_decref(reply);
    printf("%s %s: not revoked any more\n", r->scope, r->id);
    return CLI_OK;
}

static int revoke(const struct revoking *r, const char *issued_before)
{
    json_t *form = json_pack("{ss ss* ss}", "scope", r->scope, "brand", r->brand, "id", r->id);
    struct api_request request = make_request("POST", "/v1/revocations", NULL);
    char *body, before[RFC3339_TEXT_MAX];
    json_t *reply;

    if (issued_before)
        json_object_set_new(form, "issued_before", json_string(issued_before));
    request.body = body = json_dumps(form, JSON_COMPACT);
    json_decref(form);
    if (!body)
        return cli_fail("a value is not UTF-8");
    reply = api_ask_json(r->api, &request);
    free(body);
    if (!reply)
        return CLI_FAILED;
    printf("%s %s of %s: revoked, links issued before %s\n", r->scope, r->id,
           api_text(reply, "brand", "-"),
           local_time_of(api_text(reply, "issued_before", "-"), before));
    json_decref(reply);
    return CLI_OK;
}

static int check_words(const struct cli_args *args)
{
    static const char *const scopes[] = {"link", "object", "client", "campaign"};
    bool is_list = args->value[REVOKE_LIST] != NULL, is_undo = args->value[REVOKE_UNDO] != NULL;

    if (is_list && is_undo)
        return cli_usage(&cli_revoke, "--list or --undo, not both");
    if (is_list && (args->n_words > 0 || args->value[REVOKE_BRAND]))
        return cli_usage(&cli_revoke, "--list prints all; leave the rest away");
    if (!is_list && args->value[REVOKE_JSON])
        return cli_usage(&cli_revoke, "--json is for --list");
    if (args->value[REVOKE_ISSUED_BEFORE] && (is_list || is_undo))
        return cli_usage(&cli_revoke, "--issued-before is for revoking");
    if (is_list)
        return CLI_OK;
    if (args->n_words > 2)
        return cli_usage(&cli_revoke, "'%s' is one word too many", args->words[2]);
    if (args->n_words < 2)
        return cli_usage(&cli_revoke, "SCOPE and ID are needed, or --list");
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (strcmp(args->words[0], scopes[i]) == 0)
            return CLI_OK;
    }
    return cli_usage(&cli_revoke, "'%s' is no SCOPE: link, object, client or campaign",
                     args->words[0]);
}

static int run_revoke(const struct cli_args *args)
{
    const struct api_options where = {.url = args->value[REVOKE_URL],
                                      .config = args->value[REVOKE_CONFIG],
                                      .key_file = args->value[REVOKE_KEY_FILE],
                                      .key = args->value[REVOKE_KEY]};
    struct revoking r = {.brand = args->value[REVOKE_BRAND]};
    struct error err = {0};
    struct api api;
    int status = check_words(args);

    if (status != CLI_OK)
        return status;
    if (!api_find(&where, &api, &err))
        return cli_fail_error(&err);
    if (args->value[REVOKE_LIST])
        return list(&api, args->value[REVOKE_JSON] != NULL);
    r.api = &api;
    r.scope = args->words[0];
    if (!take_id(&r, args->words[1]))
        return cli_usage(&cli_revoke, "'%s' is no ID: a number, or a link", args->words[1]);
    return args->value[REVOKE_UNDO] ? undo(&r) : revoke(&r, args->value[REVOKE_ISSUED_BEFORE]);
}

const struct cli_command cli_revoke = {
    .name = "revoke",
    .usage = "SCOPE ID --key-file FILE [--url URL | -c FILE] [--issued-before TIME]\n"
             "       hopcount revoke --undo SCOPE ID …\n"
             "       hopcount revoke --list …",
    .summary = "makes links void: one, or those of an object, a client or a campaign",
    .notes =
        "SCOPE is link, object, client or campaign; ID its number, of a link the link itself, its\n"
        "token or its id. Links that were issued before TIME, which is now if it is not said, no\n"
        "longer lead anywhere; those minted later do. All pods know of it within a second. The\n"
        "key needs the scope links:write; it may also stand in the variable " API_KEY_VARIABLE
        ".\n",
    .words = "link object client campaign",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_revoke,
};
