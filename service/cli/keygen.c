/* keygen, apikey: makes keys, and adds them to their files. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "proto/token.h"
#include "service/base/error.h"
#include "service/cli/append.h"
#include "service/cli/command.h"
#include "service/config/apikeys.h"
#include "service/config/keys.h"

enum { LINE_MAX_LEN = 256 };

enum { KEYGEN_ADD };

static const struct cli_option keygen_options[] = {
    [KEYGEN_ADD] = {"add", "FILE", "add it to a key file, as `verify`", "@file", 0},
};

/* `kid state hex` of a new random key. */
static void make_line(char line[static LINE_MAX_LEN], unsigned kid, const char *state)
{
    uint8_t key[TOKEN_KEY_LEN];
    char hex[2 * TOKEN_KEY_LEN + 1];

    randombytes_buf(key, sizeof(key));
    sodium_bin2hex(hex, sizeof(hex), key, sizeof(key));
    snprintf(line, LINE_MAX_LEN, "%u %s %s", kid, state, hex);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(hex, sizeof(hex));
}

/* The number behind the highest, so that the order of the numbers is that of the keys; a gap when
 * 255 is taken; 0 = all are. */
static unsigned free_kid(const struct token_keyring *ring)
{
    unsigned last = 255, gap = 1;

    while (last > 0 && ring->state[last] == TOKEN_KEY_ABSENT)
        last--;
    if (last < 255)
        return last + 1;
    while (gap < 256 && ring->state[gap] != TOKEN_KEY_ABSENT)
        gap++;
    return gap < 256 ? gap : 0;
}

static bool add_key(struct append *append, const char *path, unsigned *kid, const char **state,
                    struct error *err)
{
    char line[LINE_MAX_LEN];
    bool ok;

    *kid = 1;
    *state = "mint";
    if (append_exists(append)) {
        struct token_keyring *ring = keys_load(path, err);

        if (!ring)
            return false;
        *kid = free_kid(ring);
        *state = "verify";
        keys_free(ring);
    }
    if (*kid == 0) {
        error_set(err, "%s: all 255 key numbers are taken; remove lines of revoked keys", path);
        return false;
    }
    make_line(line, *kid, *state);
    ok = append_commit(append, line, err);
    sodium_memzero(line, sizeof(line));
    return ok;
}

static int run_keygen(const struct cli_args *args)
{
    const char *path = args->value[KEYGEN_ADD];
    struct append *append;
    struct error err = {0};
    const char *state;
    unsigned kid;
    bool ok;

    if (args->n_words > 0)
        return cli_usage(&cli_keygen, "'%s' is one word too many", args->words[0]);
    if (!path) {
        char line[LINE_MAX_LEN];

        make_line(line, 1, "mint");
        puts(line);
        sodium_memzero(line, sizeof(line));
        return CLI_OK;
    }
    append = append_begin(path, &err);
    ok = append && add_key(append, path, &kid, &state, &err);
    append_end(append);
    if (!ok)
        return cli_fail_error(&err);
    fprintf(stderr, "added key %u to %s as %s\n", kid, path, state);
    return CLI_OK;
}

const struct cli_command cli_keygen = {
    .name = "keygen",
    .usage = "[--add FILE]",
    .summary = "makes a key that seals links",
    .notes = "Prints a line `1 mint KEY` for a new key file. With --add the key goes into FILE:\n"
             "as `mint` when there is no such file yet, else with the next number as `verify`.\n"
             "\n"
             "To change keys: add one, bring the file to all who open links (hopcountd) and\n"
             "reload them; then swap `mint` and `verify` in the file, and bring it to all who\n"
             "mint; when the last link of the old key has expired, set that to `revoked`.\n",
    .options = keygen_options,
    .n_options = sizeof(keygen_options) / sizeof(keygen_options[0]),
    .run = run_keygen,
};

/* --- apikey --- */

enum { APIKEY_NAME, APIKEY_SCOPE, APIKEY_ADD };

static const struct cli_option apikey_options[] = {
    [APIKEY_NAME] = {"name", "NAME", "who will use it", NULL, 0},
    [APIKEY_SCOPE] = {"scope", "LIST", "what it may do: stats:read, links:write, events:write",
                      "stats:read links:write events:write", 0},
    [APIKEY_ADD] = {"add", "FILE", "add its hash to an API-key file", "@file", 0},
};

static bool add_apikey(const char *path, const char *name, const char *line, struct error *err)
{
    struct append *append = append_begin(path, err);
    struct apikeys *keys = NULL;
    bool ok = false;

    if (!append)
        return false;
    if (append_exists(append) && !(keys = apikeys_load(path, err)))
        goto out;
    if (apikeys_find_name(keys, slice_of(name))) {
        error_set(err, "%s: there is a key '%s' already; choose another --name, or remove its line",
                  path, name);
        goto out;
    }
    ok = append_commit(append, line, err);
out:
    apikeys_free(keys);
    append_end(append);
    return ok;
}

static int run_apikey(const struct cli_args *args)
{
    const char *name = args->value[APIKEY_NAME], *path = args->value[APIKEY_ADD];
    char text[APIKEY_TEXT_LEN + 1], scopes_text[APIKEY_SCOPES_MAX], hex[2 * APIKEY_HASH_LEN + 1];
    char line[LINE_MAX_LEN];
    uint8_t hash[APIKEY_HASH_LEN];
    struct error err = {0};
    unsigned scopes;

    if (args->n_words > 0)
        return cli_usage(&cli_apikey, "'%s' is one word too many", args->words[0]);
    if (!name || !args->value[APIKEY_SCOPE])
        return cli_usage(&cli_apikey, "--name and --scope are needed");
    if (!apikeys_is_name(slice_of(name)))
        return cli_usage(&cli_apikey, "--name is 1 to %d of A-Z, a-z, 0-9, '.', '_', '-'",
                         APIKEY_NAME_MAX);
    if ((scopes = apikeys_scopes_parse(slice_of(args->value[APIKEY_SCOPE]))) == 0)
        return cli_usage(&cli_apikey, "--scope is a list of stats:read, links:write, events:write, "
                                      "separated by commas");
    apikeys_generate(text, hash);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    snprintf(line, sizeof(line), "%s %s %s", name, apikeys_scopes_text(scopes, scopes_text), hex);
    if (path && !add_apikey(path, name, line, &err))
        return cli_fail_error(&err);
    if (path) {
        fprintf(stderr, "added '%s' to %s; this is its key, which is shown only now:\n", name,
                path);
    } else {
        fputs("the line for the file that `admin.api_keys` names, then the key, which is shown "
              "only now:\n",
              stderr);
        puts(line);
    }
    puts(text);
    return CLI_OK;
}

const struct cli_command cli_apikey = {
    .name = "apikey",
    .usage = "--name NAME --scope LIST [--add FILE]",
    .summary = "makes a key for the API and the dashboard",
    .notes =
        "Prints the key once; only its hash is kept. Without --add the line for the file comes\n"
        "before it. hopcountd reads the file at start and reload (SIGHUP). To take a key\n"
        "back, remove its line.\n",
    .options = apikey_options,
    .n_options = sizeof(apikey_options) / sizeof(apikey_options[0]),
    .run = run_apikey,
};
