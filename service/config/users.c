#include "service/config/users.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/base/error.h"
#include "service/config/brandlist.h"
#include "service/config/config.h"

struct entry {
    char *user, *group; /* one of them is NULL */
    char *brands;       /* what role.brands points to */
    struct users_role role;
};

struct users {
    struct users_proxy proxy; /* points to the texts below; no user_header = none */
    char *user_header, *groups_header, *sign_out_url;
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

/* Of all that decides who a person is and what they may do. */
static void hash_config(const struct config_admin *admin, uint8_t out[static APIKEY_HASH_LEN])
{
    crypto_generichash_state hash;

    crypto_generichash_init(&hash, NULL, 0, APIKEY_HASH_LEN);
    hash_text(&hash, "hopcount users 1");
    hash_text(&hash, admin->proxy.user_header);
    hash_text(&hash, admin->proxy.groups_header);
    for (unsigned i = 0; i < admin->n_users; i++) {
        const struct config_user *user = &admin->users[i];

        hash_text(&hash, user->user);
        hash_text(&hash, user->group);
        hash_text(&hash, config_role_names[user->role]);
        for (unsigned k = 0; k < user->n_brands; k++)
            hash_text(&hash, user->brands[k]);
        hash_text(&hash, NULL);
    }
    crypto_generichash_final(&hash, out, APIKEY_HASH_LEN);
}

static void hash_entry(const uint8_t of[static APIKEY_HASH_LEN], unsigned at,
                       uint8_t out[static APIKEY_HASH_LEN])
{
    const uint8_t number[4] = {(uint8_t)(at >> 24), (uint8_t)(at >> 16), (uint8_t)(at >> 8),
                               (uint8_t)at};

    crypto_generichash(out, APIKEY_HASH_LEN, number, sizeof(number), of, APIKEY_HASH_LEN);
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

static bool has_brand(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->n_brands; i++) {
        if (strcmp(config->brands[i].name, name) == 0)
            return true;
    }
    return false;
}

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
        if (!has_brand(config, user->brands[i])) {
            config_fail(config, err, key, "there is no brand '%s'", user->brands[i]);
            return false;
        }
    }
    return true;
}

static bool check(const struct config *config, struct error *err)
{
    const struct config_admin *admin = &config->admin;
    bool has_source = admin->proxy.user_header != NULL;

    if (!has_source && (admin->proxy.groups_header || admin->proxy.sign_out_url)) {
        config_fail(config, err, "admin.proxy",
                    "user_header is missing; name the field in which the proxy says who it is");
        return false;
    }
    if (admin->proxy.user_header && config->public.n_trusted_proxies == 0) {
        config_fail(config, err, "admin.proxy.user_header",
                    "no proxy is trusted to say who somebody is; list the networks of your proxies "
                    "in public.trusted_proxies");
        return false;
    }
    if (has_source && admin->n_users == 0) {
        config_fail(config, err, "admin.proxy",
                    "nobody could sign in by it; list people or groups in admin.users");
        return false;
    }
    if (!has_source && admin->n_users > 0) {
        config_fail(config, err, "admin.users",
                    "nothing says who these people are; set admin.proxy.user_header");
        return false;
    }
    for (unsigned i = 0; i < admin->n_users; i++) {
        if (!check_user(config, i, err))
            return false;
    }
    return true;
}

/* --- the table --- */

struct users *users_new(const struct config *config, struct error *err)
{
    const struct config_admin *admin = &config->admin;
    struct users *users = NULL;
    uint8_t of[APIKEY_HASH_LEN];
    bool ok = false;

    if (!check(config, err))
        return NULL;
    if (!(users = calloc(1, sizeof(*users))) ||
        !(users->entries = calloc(admin->n_users + 1, sizeof(*users->entries))) ||
        !copy(admin->proxy.user_header, &users->user_header) ||
        !copy(admin->proxy.groups_header, &users->groups_header) ||
        !copy(admin->proxy.sign_out_url, &users->sign_out_url))
        goto out;
    users->proxy = (struct users_proxy){.user_header = users->user_header,
                                        .groups_header = users->groups_header,
                                        .sign_out_url = users->sign_out_url};
    hash_config(admin, of);
    for (unsigned i = 0; i < admin->n_users; i++) {
        if (!add_entry(users, &admin->users[i]))
            goto out;
        hash_entry(of, i, users->entries[i].role.hash);
    }
    ok = true;
out:
    if (!ok) {
        error_set(err, "%s: out of memory", config->path);
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
    free(users->user_header);
    free(users->groups_header);
    free(users->sign_out_url);
    free(users);
}

const struct users_proxy *users_proxy(const struct users *users)
{
    return users && users->proxy.user_header ? &users->proxy : NULL;
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

const struct users_role *users_find_hash(const struct users *users,
                                         const uint8_t hash[static APIKEY_HASH_LEN])
{
    for (unsigned i = 0; users && i < users->n; i++) {
        if (sodium_memcmp(hash, users->entries[i].role.hash, APIKEY_HASH_LEN) == 0)
            return &users->entries[i].role;
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
