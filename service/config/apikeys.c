#include "service/config/apikeys.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/base32.h"
#include "proto/number.h"
#include "service/base/error.h"
#include "service/config/brandlist.h"
#include "service/config/linefile.h"
#include "service/config/site.h"

enum { FORBIDDEN_MODE = 0022, SECRET_LEN = 32 };

static const char PREFIX[] = "hc_";

struct apikeys {
    unsigned n;
    struct apikey *key;
};

static const struct {
    const char *name;
    enum apikey_scope scope;
} scope_names[] = {
    {"stats:read", APIKEY_STATS_READ},
    {"links:write", APIKEY_LINKS_WRITE},
    {"events:write", APIKEY_EVENTS_WRITE},
    {"admin", APIKEY_ADMIN},
};

enum { N_SCOPES = sizeof(scope_names) / sizeof(scope_names[0]) };

unsigned apikeys_scopes_parse(struct slice text)
{
    struct slice name;
    unsigned scopes = 0;

    while (slice_next_part(&text, ',', &name)) {
        unsigned scope = 0;

        for (size_t i = 0; i < N_SCOPES; i++) {
            if (slice_equal(name, slice_of(scope_names[i].name)))
                scope = scope_names[i].scope;
        }
        if (scope == 0 || (scopes & scope) != 0)
            return 0;
        scopes |= scope;
    }
    return scopes;
}

unsigned apikeys_role_scopes(struct slice role)
{
    static const struct {
        const char *name;
        unsigned scopes;
    } roles[] = {
        {"read", APIKEY_STATS_READ},
        {"name", APIKEY_STATS_READ | APIKEY_LINKS_WRITE},
        {"admin", APIKEY_STATS_READ | APIKEY_LINKS_WRITE | APIKEY_EVENTS_WRITE | APIKEY_ADMIN},
    };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (slice_equal(role, slice_of(roles[i].name)))
            return roles[i].scopes;
    }
    return 0;
}

const char *apikeys_scopes_text(unsigned scopes, char out[static APIKEY_SCOPES_MAX])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < N_SCOPES; i++) {
        if (scopes & scope_names[i].scope) {
            if (len > 0)
                out[len++] = ',';
            memcpy(out + len, scope_names[i].name, strlen(scope_names[i].name) + 1);
            len += strlen(scope_names[i].name);
        }
    }
    assert(len < APIKEY_SCOPES_MAX);
    return out;
}

bool apikeys_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = slice_lower(name.ptr[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return name.len > 0 && name.len <= APIKEY_NAME_MAX;
}

static void hash_text(struct slice text, uint8_t hash[static APIKEY_HASH_LEN])
{
    crypto_generichash(hash, APIKEY_HASH_LEN, (const unsigned char *)text.ptr, text.len, NULL, 0);
}

void apikeys_generate(char text[static APIKEY_TEXT_LEN + 1], uint8_t hash[static APIKEY_HASH_LEN])
{
    uint8_t secret[SECRET_LEN];

    randombytes_buf(secret, sizeof(secret));
    memcpy(text, PREFIX, strlen(PREFIX));
    base32_encode(secret, sizeof(secret), text + strlen(PREFIX));
    text[APIKEY_TEXT_LEN] = '\0';
    hash_text(slice_make(text, APIKEY_TEXT_LEN), hash);
    sodium_memzero(secret, sizeof(secret));
}

const struct apikey *apikeys_find_name(const struct apikeys *keys, struct slice name)
{
    for (unsigned i = 0; i < apikeys_count(keys); i++) {
        if (slice_equal(slice_of(keys->key[i].name), name))
            return &keys->key[i];
    }
    return NULL;
}

static bool parse_line(const struct apikeys *keys, const struct linefile_line *line,
                       struct apikey *key, const char *path, struct error *err)
{
    struct slice name = line->field[0];
    char list[BRANDLIST_MAX];

    if (line->n_fields != 3 && line->n_fields != 4) {
        error_set(err,
                  "%s:%u: a line has three fields, name, scopes and hash, and may have a fourth, "
                  "the brands",
                  path, line->number);
        return false;
    }
    if (!apikeys_is_name(name)) {
        error_set(err, "%s:%u: a name is 1 to %d of A-Z, a-z, 0-9, '.', '_', '-'", path,
                  line->number, APIKEY_NAME_MAX);
        return false;
    }
    if (apikeys_find_name(keys, name)) {
        error_set(err, "%s:%u: the name '%.*s' is used twice: give each key its own name", path,
                  line->number, SLICE_ARG(name));
        return false;
    }
    if ((key->scopes = apikeys_scopes_parse(line->field[1])) == 0) {
        error_set(err,
                  "%s:%u: the scopes of '%.*s' are not a list of stats:read, links:write, "
                  "events:write, admin, separated by commas",
                  path, line->number, SLICE_ARG(name));
        return false;
    }
    if (!number_parse_hex(line->field[2], key->hash, sizeof(key->hash))) {
        error_set(err,
                  "%s:%u: the hash of '%.*s' is not of %d hexadecimal digits; make a key with: "
                  "hopcount apikey",
                  path, line->number, SLICE_ARG(name), 2 * APIKEY_HASH_LEN);
        return false;
    }
    memcpy(key->name, name.ptr, name.len);
    key->name[name.len] = '\0';
    key->line = line->number;
    if (line->n_fields == 3)
        return true;
    if (!brandlist_parse(line->field[3], list, err)) {
        error_prefix(err, "%s:%u", path, line->number);
        return false;
    }
    if (!(key->brands = strdup(list)))
        error_set(err, "%s: out of memory", path);
    return key->brands != NULL;
}

static bool add_line(struct apikeys *keys, const struct linefile_line *line, const char *path,
                     struct error *err)
{
    struct apikey *grown = realloc(keys->key, (keys->n + 1) * sizeof(*grown));

    if (!grown) {
        error_set(err, "%s: out of memory", path);
        return false;
    }
    keys->key = grown;
    grown[keys->n] = (struct apikey){.index = keys->n};
    if (!parse_line(keys, line, &grown[keys->n], path, err))
        return false;
    keys->n++;
    return true;
}

struct apikeys *apikeys_load(const char *path, struct error *err)
{
    struct linefile *file = linefile_load(path, FORBIDDEN_MODE, err);
    struct apikeys *keys = NULL;
    struct linefile_line line;
    bool ok = false;

    if (!file)
        goto out;
    if (!(keys = calloc(1, sizeof(*keys)))) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    while (linefile_next(file, &line)) {
        if (!add_line(keys, &line, path, err))
            goto out;
    }
    ok = true;
out:
    linefile_free(file);
    if (!ok) {
        apikeys_free(keys);
        keys = NULL;
    }
    return keys;
}

void apikeys_free(struct apikeys *keys)
{
    if (!keys)
        return;
    for (unsigned i = 0; i < keys->n; i++)
        free(keys->key[i].brands);
    free(keys->key);
    free(keys);
}

bool apikeys_check_brands(const struct apikeys *keys, const struct site *site, const char *path,
                          struct error *err)
{
    for (unsigned i = 0; i < apikeys_count(keys); i++) {
        const struct apikey *key = &keys->key[i];
        struct slice unknown = site_find_unknown_brand(site, key->brands);

        if (!unknown.ptr)
            continue;
        error_set(
            err,
            "%s:%u: the key '%s' is for the brand '%.*s', which the configuration doesn't have",
            path, key->line, key->name, SLICE_ARG(unknown));
        return false;
    }
    return true;
}

unsigned apikeys_count(const struct apikeys *keys)
{
    return keys ? keys->n : 0;
}

const struct apikey *apikeys_at(const struct apikeys *keys, unsigned index)
{
    return &keys->key[index];
}

const struct apikey *apikeys_find_hash(const struct apikeys *keys,
                                       const uint8_t hash[static APIKEY_HASH_LEN])
{
    const struct apikey *found = NULL;

    for (unsigned i = 0; i < apikeys_count(keys); i++) {
        if (sodium_memcmp(hash, keys->key[i].hash, APIKEY_HASH_LEN) == 0)
            found = &keys->key[i];
    }
    return found;
}

const struct apikey *apikeys_find(const struct apikeys *keys, struct slice text)
{
    uint8_t hash[APIKEY_HASH_LEN];

    hash_text(text, hash);
    return apikeys_find_hash(keys, hash);
}
