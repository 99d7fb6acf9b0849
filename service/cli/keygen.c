/* keygen, apikey: makes keys, and adds them to their files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/token.h"
#include "service/base/error.h"
#include "service/cli/append.h"
#include "service/cli/command.h"
#include "service/config/apikeys.h"
#include "service/config/brandlist.h"
#include "service/config/keys.h"

enum { LINE_MAX_LEN = BRANDLIST_MAX + 256 };

/* A list of brands, checked and with a blank before it, or "". */
static bool read_brands(const char *value, char out[static BRANDLIST_MAX + 1], struct error *err)
{
    out[0] = '\0';
    if (!value)
        return true;
    out[0] = ' ';
    return brandlist_parse(slice_of(value), out + 1, err);
}

/* A shell makes the file that an output goes to readable to others, and such a key file is refused
 * at start.  A new one is closed to them before the key goes into it.  `instead` is another way
 * out, for the message. */
static bool close_output(const char *instead, struct error *err)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0077))
        return true;
    if (st.st_size == 0 && fchmod(STDOUT_FILENO, 0600) == 0)
        return true;
    error_set(err,
              "others have access to the file that the key would be printed to; %srun first: chmod "
              "go= FILE",
              instead);
    return false;
}

enum { KEYGEN_ADD, KEYGEN_BRANDS };

static const struct cli_option keygen_options[] = {
    [KEYGEN_ADD] = {"add", "FILE", "add it to a key file, as `verify`; makes the file if need be",
                    CLI_FILES, 0},
    [KEYGEN_BRANDS] = {"brands", "LIST", "the brands it is for, as acme,globex (all)", NULL, 0},
};

/* `kid state hex brands` of a new random key. */
static void make_line(char line[static LINE_MAX_LEN], unsigned kid, const char *state,
                      const char *brands)
{
    uint8_t key[TOKEN_KEY_LEN];
    char hex[2 * TOKEN_KEY_LEN + 1];

    randombytes_buf(key, sizeof(key));
    sodium_bin2hex(hex, sizeof(hex), key, sizeof(key));
    snprintf(line, LINE_MAX_LEN, "%u %s %s%s", kid, state, hex, brands);
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

/* A key that is to be added. */
struct new_key {
    const char *path;   /* of the key file */
    const char *brands; /* read_brands() */
    unsigned kid;
    const char *state;
};

/* Picks its number and state, by what is in the file already. */
static bool place_key(struct new_key *key, bool file_exists, struct error *err)
{
    struct keys_brands brands;
    struct token_keyring *ring;

    key->kid = 1;
    key->state = "mint";
    if (!file_exists)
        return true;
    ring = keys_load(key->path, &brands, err);
    keys_brands_clear(&brands);
    if (!ring)
        return false;
    key->kid = free_kid(ring);
    key->state = "verify";
    keys_free(ring);
    if (key->kid == 0)
        error_set(err, "%s: all 255 key numbers are taken; remove lines of revoked keys",
                  key->path);
    return key->kid != 0;
}

static bool add_key(struct new_key *key, struct error *err)
{
    struct append *append = append_begin(key->path, err);
    char line[LINE_MAX_LEN];
    bool ok = append && place_key(key, append_exists(append), err);

    if (ok) {
        make_line(line, key->kid, key->state, key->brands);
        ok = append_commit(append, line, err);
        sodium_memzero(line, sizeof(line));
    }
    append_end(append);
    return ok;
}

static int run_keygen(const struct cli_args *args)
{
    char brands[BRANDLIST_MAX + 1];
    struct new_key key = {.path = args->value[KEYGEN_ADD], .brands = brands};
    struct error err = {0};

    if (args->n_words > 0)
        return cli_usage(&cli_keygen, "'%s' is one word too many", args->words[0]);
    if (!read_brands(args->value[KEYGEN_BRANDS], brands, &err))
        return cli_usage(&cli_keygen, "--brands: %s", err.text);
    if (!key.path) {
        char line[LINE_MAX_LEN];

        if (!close_output("add it with --add FILE, or ", &err))
            return cli_fail_error(&err);
        make_line(line, 1, "mint", brands);
        puts(line);
        sodium_memzero(line, sizeof(line));
        return CLI_OK;
    }
    if (!add_key(&key, &err))
        return cli_fail_error(&err);
    fprintf(stderr, "added key %u to %s as %s\n", key.kid, key.path, key.state);
    return CLI_OK;
}

const struct cli_command cli_keygen = {
    .name = "keygen",
    .usage = "[--add FILE] [--brands LIST]",
    .summary = "makes a key that seals links",
    .notes = "With --add the key goes into FILE: as `mint` when there is no such file yet, which\n"
             "then only its owner can read, else with the next number as `verify`. Without, the\n"
             "line `1 mint KEY` of a new key file is printed; a new file that it goes to is\n"
             "closed to others.\n"
             "\n"
             "With --brands the key makes and opens links of these brands only.\n"
             "\n"
             "To change keys: add one, bring the file to all who open links (hopcountd) and\n"
             "reload them; then swap `mint` and `verify` in the file, and bring it to all who\n"
             "mint; when the last link of the old key has expired, set that to `revoked`.\n",
    .options = keygen_options,
    .n_options = sizeof(keygen_options) / sizeof(keygen_options[0]),
    .run = run_keygen,
};

/* --- apikey --- */

enum { APIKEY_NAME, APIKEY_SCOPE, APIKEY_ROLE, APIKEY_BRANDS, APIKEY_ADD };

static const struct cli_option apikey_options[] = {
    [APIKEY_NAME] = {"name", "NAME", "who will use it", NULL, 0},
    [APIKEY_SCOPE] = {"scope", "LIST",
                      "what it may do: stats:read, links:write, events:write, admin",
                      "stats:read links:write events:write admin", 0},
    [APIKEY_ROLE] = {"role", "NAME", "instead of --scope: read, name or admin", "read name admin",
                     0},
    [APIKEY_BRANDS] = {"brands", "LIST", "the brands it is for, as acme,globex (all)", NULL, 0},
    [APIKEY_ADD] = {"add", "FILE", "add its hash to an API-key file", CLI_FILES, 0},
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
    char line[LINE_MAX_LEN], brands[BRANDLIST_MAX + 1];
    uint8_t hash[APIKEY_HASH_LEN];
    struct error err = {0};
    unsigned scopes;

    if (args->n_words > 0)
        return cli_usage(&cli_apikey, "'%s' is one word too many", args->words[0]);
    if (!name || !args->value[APIKEY_SCOPE] == !args->value[APIKEY_ROLE])
        return cli_usage(&cli_apikey, "--name is needed, and --scope or --role");
    if (!apikeys_is_name(slice_of(name)))
        return cli_usage(&cli_apikey, "--name is 1 to %d of A-Z, a-z, 0-9, '.', '_', '-'",
                         APIKEY_NAME_MAX);
    scopes = args->value[APIKEY_ROLE] ? apikeys_role_scopes(slice_of(args->value[APIKEY_ROLE]))
                                      : apikeys_scopes_parse(slice_of(args->value[APIKEY_SCOPE]));
    if (scopes == 0 && args->value[APIKEY_ROLE])
        return cli_usage(&cli_apikey, "--role is read, name or admin");
    if (scopes == 0)
        return cli_usage(&cli_apikey, "--scope is a list of stats:read, links:write, events:write, "
                                      "admin, separated by commas");
    if (!read_brands(args->value[APIKEY_BRANDS], brands, &err))
        return cli_usage(&cli_apikey, "--brands: %s", err.text);
    if (!close_output("", &err))
        return cli_fail_error(&err);
    apikeys_generate(text, hash);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    snprintf(line, sizeof(line), "%s %s %s%s", name, apikeys_scopes_text(scopes, scopes_text), hex,
             brands);
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
    .usage = "--name NAME {--scope LIST | --role NAME} [--brands LIST] [--add FILE]",
    .summary = "makes a key for the API and the dashboard",
    .notes =
        "Prints the key once; only its hash is kept. Without --add the line for the file comes\n"
        "before it. hopcountd reads the file at start and reload (SIGHUP). To take a key\n"
        "back, remove its line. With --brands it sees these brands only, and makes links of\n"
        "no others.\n"
        "\n"
        "A role stands for scopes: read for stats:read, name for that and links:write (minting,\n"
        "names, revocations, notes, saved views and links to them), admin for all.\n",
    .options = apikey_options,
    .n_options = sizeof(apikey_options) / sizeof(apikey_options[0]),
    .run = run_apikey,
};
