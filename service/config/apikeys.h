/* apikeys.h - who may use the admin API: a file with a line `name scopes hash [brands]` per key.
 *
 * A key is a random text that only its holder has; the file keeps its BLAKE2b-256 hash.  A plain
 * hash is enough: the text has 256 random bits, which can't be guessed (FORMATS.md
 * "API-key file").
 */
#ifndef CONFIG_APIKEYS_H
#define CONFIG_APIKEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct apikeys;
struct error;
struct site;

enum {
    APIKEY_NAME_MAX = 63,
    APIKEY_TEXT_LEN = 55, /* "hc_" and 52 characters of base32 */
    APIKEY_HASH_LEN = 32,
    APIKEY_SCOPES_MAX = 64, /* bytes of all scopes in text, with a NUL */
};

/* What a key may do; a set of bits. */
enum apikey_scope {
    APIKEY_STATS_READ = 1,   /* "stats:read" */
    APIKEY_LINKS_WRITE = 2,  /* "links:write" */
    APIKEY_EVENTS_WRITE = 4, /* "events:write" */
    APIKEY_ADMIN = 8,        /* "admin": the audit log */
};

struct apikey {
    char name[APIKEY_NAME_MAX + 1]; /* [A-Za-z0-9._-], unique in its file */
    unsigned index;                 /* 0…apikeys_count() - 1: for tables by key */
    unsigned scopes;                /* enum apikey_scope, at least one */
    uint8_t hash[APIKEY_HASH_LEN];
    char *brands;  /* that it is for, as in brandlist.h; NULL = all */
    unsigned line; /* of the file */
};

/* Reads a file.  Blank lines and lines that start with `#` are skipped; a file without keys is
 * fine.  NULL and `*err` naming file, line and remedy on failure; a file that others may write is
 * refused. */
MUST_USE struct apikeys *apikeys_load(const char *path, struct error *err);
void apikeys_free(struct apikeys *keys);

unsigned apikeys_count(const struct apikeys *keys);
/* By struct apikey.index; borrowed from `keys`. */
const struct apikey *apikeys_at(const struct apikeys *keys, unsigned index);

/* False, and `*err` names the line of `path`, where a key is for a brand that the site has not. */
MUST_USE bool apikeys_check_brands(const struct apikeys *keys, const struct site *site,
                                   const char *path, struct error *err);

/* The key whose text this is, or NULL; borrowed from `keys`, which may be NULL.  Its time depends
 * on the number of keys and the length of `text`, never on how much of a hash is right. */
const struct apikey *apikeys_find(const struct apikeys *keys, struct slice text);

/* The key with that hash, or NULL; borrowed likewise. */
const struct apikey *apikeys_find_hash(const struct apikeys *keys,
                                       const uint8_t hash[static APIKEY_HASH_LEN]);

/* The key of that name, or NULL; borrowed likewise. */
const struct apikey *apikeys_find_name(const struct apikeys *keys, struct slice name);

/* Makes a new key: its text, with a NUL, and the hash to keep.  Needs sodium_init(). */
void apikeys_generate(char text[static APIKEY_TEXT_LEN + 1], uint8_t hash[static APIKEY_HASH_LEN]);

/* Reads "stats:read,links:write"; 0 = empty, unknown or double. */
unsigned apikeys_scopes_parse(struct slice text);
/* The scopes of a role: "read" may read, "name" also mint, name and revoke, "admin" do all.  0:
 * there is no such role. */
unsigned apikeys_role_scopes(struct slice role);
/* Writes the scopes as apikeys_scopes_parse() reads them; returns `out`. */
const char *apikeys_scopes_text(unsigned scopes, char out[static APIKEY_SCOPES_MAX]);

/* Whether `name` can be a key's name. */
bool apikeys_is_name(struct slice name);

#endif
