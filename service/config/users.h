/* users.h - people who come without an API key of their own: by a proxy in front that says who they
 * are, or by an OpenID provider.  What each of them may do stands in the configuration.
 *
 * The entries of admin.users are tried in their order, and the first that names the person, or a
 * group that the person is in, says role and brands.  Nobody else is let in.
 */
#ifndef CONFIG_USERS_H
#define CONFIG_USERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/config/apikeys.h"
#include "service/config/config_check.h"

struct config;
struct config_public;
struct error;
struct users;

enum {
    USERS_NAME_MAX = CONFIG_PERSON_MAX,
    USERS_GROUPS_MAX = 512, /* of one person that are looked at */
};

/* What an entry allows. */
struct users_role {
    unsigned scopes;               /* enum apikey_scope */
    const char *brands;            /* as in brandlist.h; NULL = all */
    uint8_t hash[APIKEY_HASH_LEN]; /* names the entry, the same in every pod; see users.c */
};

/* What the proxy in front sends. */
struct users_proxy {
    const char *user_header;
    const char *groups_header; /* NULL = none */
    const char *sign_out_url;  /* NULL = none */
};

/* The provider at which people sign in. */
struct users_oidc {
    const char *issuer;
    const char *name; /* for people */
    const char *client_id;
    const char *client_secret; /* in memory that is wiped; NULL = none */
    const char *scopes, *user_claim, *groups_claim;
    const char *tls_ca; /* NULL = the system's */
    const char *url;    /* of the admin address; NULL = as the request says */
};

/* Reads what `config` says of people.  NULL and `*err` naming file, line and key on failure. */
MUST_USE struct users *users_new(const struct config *config, struct error *err);
void users_free(struct users *users);

/* For a reload, which applies admin.proxy of `config`, but leaves the trusted_proxies that are
 * `running`: false and `*err` when those are too wide for a proxy that names people.  users_new()
 * has checked the ones of `config` itself. */
MUST_USE bool users_check_running(const struct config *config, const struct config_public *running,
                                  struct error *err);

/* NULL: no proxy says who people are.  Borrowed from `users`, which may be NULL. */
const struct users_proxy *users_proxy(const struct users *users);
/* NULL: there is no provider.  Borrowed likewise. */
const struct users_oidc *users_oidc(const struct users *users);

/* What the person may do who is in the `n_groups` groups; NULL: no entry names them.  Names with an
 * `@` are compared without regard to case.  Borrowed from `users`, which may be NULL. */
const struct users_role *users_find(const struct users *users, struct slice name,
                                    const struct slice *groups, size_t n_groups);

/*
 * The role of the entry with that hash, by which users_find() once let the person in whose name it
 * is.  NULL: there is no such entry any more, or users_find() might find one that allows them
 * something else.  Borrowed likewise.
 */
const struct users_role *users_find_hash(const struct users *users,
                                         const uint8_t hash[static APIKEY_HASH_LEN],
                                         struct slice name);

/* The names that entries spell out, by number; NULL: that entry has none.  For `at` 0 to
 * users_count() - 1. */
unsigned users_count(const struct users *users);
const char *users_name_at(const struct users *users, unsigned at);

#endif
