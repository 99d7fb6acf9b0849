#include "service/config/users.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/base/address.h"
#include "service/base/error.h"
#include "service/config/brandlist.h"
#include "service/config/config.h"
#include "service/config/linefile.h"

struct entry {
    char *user, *group; /* one of them is NULL */
    char *brands;       /* what role.brands points to */
    struct users_role role;
};

enum { TEXTS_MAX = 11, SECRET_FORBIDDEN = 0026 };

struct users {
    struct users_proxy proxy; /* no user_header = none */
    struct users_oidc oidc;   /* no issuer = none */
    char *texts[TEXTS_MAX];   /* what the two point to */
    unsigned n_texts;
    char *client_secret; /* sodium_malloc() */
    struct entry *entries;
    unsigned n;
};

/* --- the entries --- */

static void hash_text(crypto_generichash_state *hash, const char *text)
{
    /* With its NUL, so that two texts don't run together. */
    if (text)
        crypto_generichash_update(hash, (const unsigned char *)text, strlen(text) + 1);
    else
        crypto_generichash_update(hash, (const unsigned char *)"\xff", 1);
}

/* Of all that decides who a person is, which has to be the same for all entries. */
static void hash_sources(crypto_generichash_state *hash, const struct config_admin *admin)
{
    hash_text(hash, "hopcount users 2");
    hash_text(hash, admin->proxy.user_header);
    hash_text(hash, admin->proxy.groups_header);
    hash_text(hash, admin->oidc.issuer);
    hash_text(hash, admin->oidc.client_id);
    hash_text(hash, admin->oidc.user_claim);
    hash_text(hash, admin->oidc.groups_claim);
}

/*
 * Sessions and shares of a person hold the hash of the entry that let them in, and end with it; so
 * it changes with all that decides what these people may do, and with nothing else: with the entry
 * itself, and with the groups that the entries before it name, for nobody remembers in which groups
 * a person is who signed in.  Users that these entries name don't change it: users_find_hash()
 * compares them with the person's name.
 */
static void hash_entry(const struct config_admin *admin, unsigned at,
                       uint8_t out[static APIKEY_HASH_LEN])
{
    const struct config_user *user = &admin->users[at];
    crypto_generichash_state hash;

    crypto_generichash_init(&hash, NULL, 0, APIKEY_HASH_LEN);
    hash_sources(&hash, admin);
    hash_text(&hash, user->user);
    hash_text(&hash, user->group);
    hash_text(&hash, config_role_names[user->role]);
    for (unsigned i = 0; i < user->n_brands; i++)
        hash_text(&hash, user->brands[i]);
    hash_text(&hash, NULL);
    for (unsigned i = 0; i < at; i++) {
        if (admin->users[i].group)
            hash_text(&hash, admin->users[i].group);
    }
    crypto_generichash_final(&hash, out, APIKEY_HASH_LEN);
}

/* "acme,globex" of a list; true and NULL for an empty one. */
static bool join_brands(const struct config_user *user, char **out)
{
    size_t len = 1;

    *out = NULL;
    for (unsigned i = 0; i < user->n_brands; i++)
        len += strlen(user->brands[i]) + 1;
    if (user->n_brands == 0)
        return true;
    if (!(*out = calloc(1, len)))
        return false;
    for (unsigned i = 0; i < user->n_brands; i++) {
        if (i > 0)
            strcat(*out, ",");
        strcat(*out, user->brands[i]);
    }
    return true;
}

/* Copies a text that may be NULL; false: no memory. */
static bool copy(const char *text, char **out)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static bool add_entry(struct users *users, const struct config_user *from)
{
    struct entry *entry = &users->entries[users->n++];

    if (!copy(from->user, &entry->user) || !copy(from->group, &entry->group) ||
        !join_brands(from, &entry->brands))
        return false;
    entry->role.scopes = apikeys_role_scopes(slice_of(config_role_names[from->role]));
    entry->role.brands = entry->brands;
    return true;
}

/* --- is the configuration right? --- */

static bool check_user(const struct config *config, unsigned at, struct error *err)
{
    const struct config_user *user = &config->admin.users[at];
    char key[64];

    snprintf(key, sizeof(key), "admin.users[%u]", at);
    if (!user->user == !user->group) {
        config_fail(config, err, key, "an entry has a user or a group, and not both");
        return false;
    }
    for (unsigned i = 0; i < user->n_brands; i++) {
        snprintf(key, sizeof(key), "admin.users[%u].brands", at);
        if (!config_has_brand(config, user->brands[i])) {
            config_fail(config, err, key, "there is no brand '%s'", user->brands[i]);
            return false;
        }
    }
    return true;
}

/* Whether a network is wider than any that an operator can keep others out of.  The widest of those
 * are 10.0.0.0/8, of which pods and containers get their addresses, and, in IPv6, the private
 * fc00::/7.  Of public addresses nobody is given more than an IPv6 /16, and all that is wider is
 * shared by strangers. */
static bool is_of_strangers(const struct network *network)
{
    enum { V4_MAPPED_BITS = 96, V4_BITS_MIN = 8, V6_BITS_MIN = 16 };
    struct network v4 = {.prefix = {[10] = 0xff, [11] = 0xff}, .bits = V4_MAPPED_BITS};
    struct network private_v6 = {.prefix = {0xfc}, .bits = 7};

    if (network->bits >= v4.bits && network_contains(&v4, network->prefix))
        return network->bits < V4_MAPPED_BITS + V4_BITS_MIN;
    if (network_contains(network, v4.prefix)) /* such as ::/64, which holds all of IPv4 */
        return true;
    if (network->bits >= private_v6.bits && network_contains(&private_v6, network->prefix))
        return false;
    return network->bits < V6_BITS_MIN;
}

/* The first of them, as written; NULL: there is none. */
static const char *find_network_of_strangers(const struct config_public *public)
{
    for (unsigned i = 0; i < public->n_trusted_proxies; i++) {
        if (is_of_strangers(&public->trusted_networks[i]))
            return public->trusted_proxies[i];
    }
    return NULL;
}

/* Whoever connects from a trusted network can be anybody: so a proxy that names people may not be
 * "any address", though that may do for proxies which only tell the address of a client. */
static bool check_proxy_networks(const struct config *config, struct error *err)
{
    const char *network = find_network_of_strangers(&config->public);

    if (!config->admin.proxy.user_header || !network)
        return true;
    config_fail(config, err, "public.trusted_proxies",
                "with admin.proxy anybody in %s could sign in as admin; list your proxy's own "
                "address, or remove admin.proxy",
                network);
    return false;
}

bool users_check_running(const struct config *config, const struct config_public *running,
                         struct error *err)
{
    const char *network = find_network_of_strangers(running);

    if (!config->admin.proxy.user_header || !network)
        return true;
    config_fail(config, err, "admin.proxy.user_header",
                "with public.trusted_proxies as they still are anybody in %s could sign in as "
                "admin; restart hopcountd",
                network);
    return false;
}

/* What has no place without something else, or can let nobody in. */
static bool check(const struct config *config, struct error *err)
{
    const struct config_admin *admin = &config->admin;
    const struct config_proxy_users *proxy = &admin->proxy;
    const struct config_oidc *oidc = &admin->oidc;
    bool has_source = proxy->user_header || oidc->issuer;
    const struct {
        const char *key, *wrong;
        bool is_wrong;
    } rules[] = {
        {"admin.proxy", "user_header is missing; name the field in which the proxy says who it is",
         !proxy->user_header && (proxy->groups_header || proxy->sign_out_url)},
        {"admin.proxy.user_header",
         "no proxy is trusted to say who somebody is; list your proxy's own address in "
         "public.trusted_proxies",
         proxy->user_header && config->public.n_trusted_proxies == 0},
        {"admin.oidc", "issuer is missing; name the URL of the provider",
         !oidc->issuer && (oidc->name || oidc->client_id || oidc->client_secret_file)},
        {"admin.oidc", "client_id is missing; the provider gives one to hopcount",
         oidc->issuer && !oidc->client_id},
        {oidc->issuer ? "admin.oidc" : "admin.proxy",
         "nobody could sign in by it; list people or groups in admin.users",
         has_source && admin->n_users == 0},
        {"admin.users",
         "nothing says who these people are; set admin.proxy.user_header or admin.oidc.issuer",
         !has_source && admin->n_users > 0},
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].is_wrong) {
            config_fail(config, err, rules[i].key, "%s", rules[i].wrong);
            return false;
        }
    }
    for (unsigned i = 0; i < admin->n_users; i++) {
        if (!check_user(config, i, err))
            return false;
    }
    return check_proxy_networks(config, err);
}

/* --- the table --- */

/* Keeps a copy of a text, which may be NULL; false: no memory. */
static bool keep(struct users *users, const char *text, const char **out)
{
    assert(users->n_texts < TEXTS_MAX);
    if (!copy(text, &users->texts[users->n_texts]))
        return false;
    *out = users->texts[users->n_texts++];
    return true;
}

/* What people call a provider that has no name: the host of its URL. */
static bool keep_host(struct users *users, const char *issuer, const char **out)
{
    const char *host = strstr(issuer, "://") + 3;
    char *copied = strndup(host, strcspn(host, "/"));
    bool ok = copied && keep(users, copied, out);

    free(copied);
    return ok;
}

static bool keep_settings(struct users *users, const struct config_admin *admin)
{
    const struct config_oidc *oidc = &admin->oidc;

    return keep(users, admin->proxy.user_header, &users->proxy.user_header) &&
           keep(users, admin->proxy.groups_header, &users->proxy.groups_header) &&
           keep(users, admin->proxy.sign_out_url, &users->proxy.sign_out_url) &&
           keep(users, oidc->issuer, &users->oidc.issuer) &&
           (oidc->name || !oidc->issuer ? keep(users, oidc->name, &users->oidc.name)
                                        : keep_host(users, oidc->issuer, &users->oidc.name)) &&
           keep(users, oidc->client_id, &users->oidc.client_id) &&
           keep(users, oidc->scopes, &users->oidc.scopes) &&
           keep(users, oidc->user_claim, &users->oidc.user_claim) &&
           keep(users, oidc->groups_claim, &users->oidc.groups_claim) &&
           keep(users, oidc->tls_ca, &users->oidc.tls_ca) &&
           keep(users, admin->url, &users->oidc.url);
}

/* The first line of a file that others may not read. */
static bool load_secret(struct users *users, const struct config *config, struct error *err)
{
    const char *path = config->admin.oidc.client_secret_file;
    struct linefile *file = NULL;
    struct linefile_line line;
    bool ok = false;

    if (!path)
        return true;
    if (!(file = linefile_load(path, SECRET_FORBIDDEN, err)))
        goto out;
    if (!linefile_next(file, &line) || line.n_fields != 1) {
        error_set(err, "%s: its first line is not a secret without blanks", path);
        goto out;
    }
    users->client_secret = sodium_malloc(line.field[0].len + 1);
    if (!users->client_secret) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    memcpy(users->client_secret, line.field[0].ptr, line.field[0].len);
    users->client_secret[line.field[0].len] = '\0';
    users->oidc.client_secret = users->client_secret;
    ok = true;
out:
    linefile_free(file);
    if (!ok)
        config_fail_prefix(config, err, "admin.oidc.client_secret_file");
    return ok;
}

struct users *users_new(const struct config *config, struct error *err)
{
    const struct config_admin *admin = &config->admin;
    struct users *users = NULL;
    bool ok = false;

    if (!check(config, err))
        return NULL;
    if (!(users = calloc(1, sizeof(*users))) ||
        !(users->entries = calloc(admin->n_users + 1, sizeof(*users->entries))) ||
        !keep_settings(users, admin)) {
        error_set(err, "%s: out of memory", config->path);
        goto out;
    }
    if (!load_secret(users, config, err))
        goto out;
    for (unsigned i = 0; i < admin->n_users; i++) {
        if (!add_entry(users, &admin->users[i])) {
            error_set(err, "%s: out of memory", config->path);
            goto out;
        }
        hash_entry(admin, i, users->entries[i].role.hash);
    }
    ok = true;
out:
    if (!ok) {
        users_free(users);
        users = NULL;
    }
    return users;
}

void users_free(struct users *users)
{
    if (!users)
        return;
    for (unsigned i = 0; i < users->n; i++) {
        free(users->entries[i].user);
        free(users->entries[i].group);
        free(users->entries[i].brands);
    }
    free(users->entries);
    for (unsigned i = 0; i < users->n_texts; i++)
        free(users->texts[i]);
    sodium_free(users->client_secret);
    free(users);
}

const struct users_proxy *users_proxy(const struct users *users)
{
    return users && users->proxy.user_header ? &users->proxy : NULL;
}

const struct users_oidc *users_oidc(const struct users *users)
{
    return users && users->oidc.issuer ? &users->oidc : NULL;
}

/* `*` is anybody, `*@acme.example` anybody there. */
static bool is_user(const char *user, struct slice name)
{
    size_t len = strlen(user);

    if (user[0] != '*')
        return strchr(user, '@') ? slice_equal_nocase(slice_make(user, len), name)
                                 : slice_equal(slice_make(user, len), name);
    user++;
    len--;
    return name.len > len &&
           slice_equal_nocase(slice_make(user, len), slice_make(name.ptr + name.len - len, len));
}

const struct users_role *users_find(const struct users *users, struct slice name,
                                    const struct slice *groups, size_t n_groups)
{
    for (unsigned i = 0; users && i < users->n; i++) {
        const struct entry *entry = &users->entries[i];

        if (entry->user && is_user(entry->user, name))
            return &entry->role;
        for (size_t k = 0; entry->group && k < n_groups; k++) {
            if (slice_equal(slice_of(entry->group), groups[k]))
                return &entry->role;
        }
    }
    return NULL;
}

static bool allow_the_same(const struct users_role *a, const struct users_role *b)
{
    return a->scopes == b->scopes && !a->brands == !b->brands &&
           (!a->brands || strcmp(a->brands, b->brands) == 0);
}

const struct users_role *users_find_hash(const struct users *users,
                                         const uint8_t hash[static APIKEY_HASH_LEN],
                                         struct slice name)
{
    const struct users_role *first = NULL; /* of the first entry that names them as a user */

    for (unsigned i = 0; users && i < users->n; i++) {
        const struct entry *entry = &users->entries[i];

        if (!first && entry->user && is_user(entry->user, name))
            first = &entry->role;
        if (sodium_memcmp(hash, entry->role.hash, APIKEY_HASH_LEN) == 0)
            return !first || allow_the_same(first, &entry->role) ? &entry->role : NULL;
    }
    return NULL;
}

unsigned users_count(const struct users *users)
{
    return users ? users->n : 0;
}

const char *users_name_at(const struct users *users, unsigned at)
{
    const char *user = users->entries[at].user;

    return user && user[0] != '*' ? user : NULL;
}
