#include "service/admin/auth.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/event.h"
#include "proto/token.h"
#include "service/admin/proxy_user.h"
#include "service/admin/server.h"
#include "service/admin/session_cookie.h"
#include "service/base/clock.h"
#include "service/config/access.h"
#include "service/config/brandlist.h"
#include "service/config/site.h"

enum {
    WINDOW_MS = 60000,
    PEOPLE_RATES = 512, /* places; two people on one share their rate */
    SHARE_RATES = 512,  /* the same for links to views, so that none takes the rate of a person */
};

/* How many requests came with a key, or from a person, in the current minute. */
struct rate {
    int64_t since_ms; /* monotonic */
    int64_t n;
    uint64_t seen; /* the hash of the person that was seen last, and when */
    int64_t seen_ms;
};

struct auth {
    pthread_mutex_t lock; /* taken to change `access`, and to read it in another thread */
    struct access *access;
    struct rate *rates; /* by apikey.index; behind them those of people, then of links to views */
    int64_t rate_per_min;
    char name[REQUEST_WHO_MAX + 1]; /* of auth_name_by_hash() */
};

static const char *const prefixes[] = {[AUTH_BY_KEY] = "",
                                       [AUTH_BY_PROXY] = "proxy:",
                                       [AUTH_BY_OIDC] = "oidc:",
                                       [AUTH_BY_SHARE] = "share:"};

enum { N_PREFIXES = sizeof(prefixes) / sizeof(prefixes[0]) };

void auth_write_who(char out[static REQUEST_WHO_MAX + 1], enum auth_by by, const char *name)
{
    snprintf(out, REQUEST_WHO_MAX + 1, "%s%s", prefixes[by], name);
}

const char *auth_whose(const char *who)
{
    const char *share = prefixes[AUTH_BY_SHARE];

    if (strncmp(who, share, strlen(share)) == 0)
        return "this link";
    return strchr(who, ':') ? "your role" : "this API key"; /* names of keys have no colon */
}

static const struct apikeys *keys_of(const struct auth *auth)
{
    return auth->access ? auth->access->keys : NULL;
}

const struct users *auth_users(const struct auth *auth)
{
    return auth->access ? auth->access->users : NULL;
}

struct auth *auth_new(struct access *access, int64_t rate_per_min)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (!auth) {
        access_free(access);
        return NULL;
    }
    pthread_mutex_init(&auth->lock, NULL);
    auth->rate_per_min = rate_per_min;
    auth_set_access(auth, access);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    access_free(auth->access);
    free(auth->rates);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

void auth_set_access(struct auth *auth, struct access *access)
{
    unsigned n = (access ? apikeys_count(access->keys) : 0) + PEOPLE_RATES + SHARE_RATES;

    pthread_mutex_lock(&auth->lock);
    access_free(auth->access);
    auth->access = access;
    pthread_mutex_unlock(&auth->lock);
    free(auth->rates);
    /* Without memory for the rates nobody has a limit, which is better than refusing them. */
    auth->rates = calloc(n, sizeof(struct rate));
}

/* The credentials of "Bearer KEY" (RFC 6750, 2.1), or an absent slice. */
struct slice auth_bearer(const struct request *request)
{
    const char *value = request_header(request, "Authorization");
    struct slice scheme = {.ptr = "bearer", .len = 6};

    if (!value || strlen(value) <= scheme.len ||
        !slice_equal_nocase(slice_make(value, scheme.len), scheme) || value[scheme.len] != ' ')
        return (struct slice){0};
    value += scheme.len;
    value += strspn(value, " ");
    return slice_of(value);
}

bool auth_knows_key(struct auth *auth, const struct request *request)
{
    struct slice text = auth_bearer(request);
    bool is_known;

    pthread_mutex_lock(&auth->lock);
    is_known = text.ptr && apikeys_find(keys_of(auth), text);
    pthread_mutex_unlock(&auth->lock);
    return is_known;
}

static void add_number(struct request *request, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    request_add_header(request, name, text);
}

/* Counts the request against its key or person, whether it came with a key or by a session.  False:
 * replied to. */
static bool check_rate(const struct auth *auth, struct request *request,
                       const struct auth_person *person)
{
    struct rate *rate = auth->rates ? &auth->rates[person->rate] : NULL;
    int64_t now_ms = clock_mono_ms(), left, reset_s;

    if (!rate || auth->rate_per_min == 0)
        return true;
    if (rate->n == 0 || now_ms - rate->since_ms >= WINDOW_MS) {
        rate->since_ms = now_ms;
        rate->n = 0;
    }
    left = auth->rate_per_min - rate->n;
    reset_s = (rate->since_ms + WINDOW_MS - now_ms + 999) / 1000;
    add_number(request, "X-RateLimit-Limit", auth->rate_per_min);
    add_number(request, "X-RateLimit-Remaining", left > 0 ? left - 1 : 0);
    add_number(request, "X-RateLimit-Reset", reset_s);
    if (left > 0) {
        rate->n++;
        return true;
    }
    add_number(request, "Retry-After", reset_s);
    request_fail(request, 429, NULL, "%s may ask %" PRId64 " times in a minute",
                 person->by == AUTH_BY_KEY     ? "this key"
                 : person->by == AUTH_BY_SHARE ? "a link to a view"
                                               : "each person",
                 auth->rate_per_min);
    return false;
}

const struct apikey *auth_find_key(const struct auth *auth, struct slice text)
{
    return apikeys_find(keys_of(auth), text);
}

/* --- by whom --- */

static void fill_key(struct auth_person *out, const struct apikey *key)
{
    *out = (struct auth_person){
        .by = AUTH_BY_KEY, .scopes = key->scopes, .brands = key->brands, .rate = key->index};
    memcpy(out->who, key->name, sizeof(key->name));
    memcpy(out->hash, key->hash, sizeof(out->hash));
    out->name = out->who;
}

/* The place of the rate of a person, or of a link to a view. */
static unsigned place_of(const struct auth *auth, enum auth_by by, const char *who)
{
    unsigned n_keys = apikeys_count(keys_of(auth));
    uint64_t hash = event_id_hash(slice_of(who));

    return by == AUTH_BY_SHARE ? n_keys + PEOPLE_RATES + (unsigned)(hash % SHARE_RATES)
                               : n_keys + (unsigned)(hash % PEOPLE_RATES);
}

/* `role` NULL: none. */
static void fill_user(const struct auth *auth, struct auth_person *out, enum auth_by by,
                      const char *name, const struct users_role *role)
{
    *out = (struct auth_person){.by = by};
    auth_write_who(out->who, by, name);
    out->name = out->who + strlen(prefixes[by]);
    out->rate = place_of(auth, by, out->who);
    if (role) {
        out->scopes = role->scopes;
        out->brands = role->brands;
        memcpy(out->hash, role->hash, sizeof(out->hash));
    }
}

/* Who comes by a proxy has no session of ours.  What their page must show to change something is
 * made from a key that nobody outside has, and from their name: every pod makes the same. */
static void make_csrf(const struct request *request, struct auth_person *person)
{
    const struct token_keyring *ring = site_keys(request->server->site);
    uint8_t key[TOKEN_KEY_LEN], hash[SESSION_CSRF_LEN / 2];

    if (!token_derive_key(ring, token_deriving_kid(ring), "hopcount proxy user 1", key))
        randombytes_buf(key, sizeof(key)); /* no key is in use: nothing can be shown */
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)person->who, strlen(person->who),
                       key, sizeof(key));
    sodium_bin2hex(person->csrf, sizeof(person->csrf), hash, sizeof(hash));
    sodium_memzero(key, sizeof(key));
}

static enum auth_status find_by_proxy(const struct auth *auth, const struct request *request,
                                      struct auth_person *out, const char **why)
{
    struct proxy_user user;

    switch (proxy_user_find(request, auth_users(auth), &user)) {
    case PROXY_USER_NONE:
        return AUTH_NOBODY;
    case PROXY_USER_BAD:
        *why = user.why;
        return AUTH_BAD_PROXY;
    case PROXY_USER_NO_ROLE:
        fill_user(auth, out, AUTH_BY_PROXY, user.name, NULL);
        return AUTH_NO_ROLE;
    case PROXY_USER_FOUND:
        break;
    }
    fill_user(auth, out, AUTH_BY_PROXY, user.name, user.role);
    make_csrf(request, out);
    return AUTH_FOUND;
}

static bool find_by_session(const struct auth *auth, const struct session *session,
                            struct auth_person *out)
{
    const struct apikey *key;
    const struct users_role *role;

    if (session->user[0]) {
        role = users_find_hash(auth_users(auth), session->key_hash, slice_of(session->user));
        if (!role)
            return false;
        fill_user(auth, out, AUTH_BY_OIDC, session->user, role);
    } else {
        key = apikeys_find_hash(keys_of(auth), session->key_hash);
        if (!key)
            return false;
        fill_key(out, key);
    }
    memcpy(out->csrf, session->csrf, sizeof(out->csrf));
    return true;
}

bool auth_is_by_session(const struct auth_person *person)
{
    return person->csrf[0] != '\0' && person->by != AUTH_BY_PROXY;
}

enum auth_status auth_find(const struct auth *auth, const struct request *request,
                           struct auth_person *out, const char **why)
{
    struct slice text = auth_bearer(request);
    const struct apikey *key = text.ptr ? auth_find_key(auth, text) : NULL;
    enum auth_status status;
    struct session session;

    *why = "";
    if (key) {
        fill_key(out, key);
        return AUTH_FOUND;
    }
    if (text.ptr)
        return AUTH_UNKNOWN_KEY;
    /* A session may be of somebody else, who used the browser before. */
    status = find_by_proxy(auth, request, out, why);
    if (status == AUTH_NOBODY && session_cookie_peek(request, &session) &&
        find_by_session(auth, &session, out))
        return AUTH_FOUND;
    return status;
}

/* Replies to who wasn't found. */
static void refuse(struct request *request, enum auth_status status,
                   const struct auth_person *person, const char *why)
{
    char quoted[REQUEST_QUOTE_MAX];

    request_add_header(request, "WWW-Authenticate",
                       status == AUTH_UNKNOWN_KEY
                           ? "Bearer realm=\"hopcount\", error=\"invalid_token\""
                           : "Bearer realm=\"hopcount\"");
    switch (status) {
    case AUTH_FOUND:
    case AUTH_NOBODY:
        request_fail(request, 401, NULL, "an API key is needed: Authorization: Bearer KEY");
        break;
    case AUTH_UNKNOWN_KEY:
        request_fail(request, 401, NULL, "there is no such API key");
        break;
    case AUTH_NO_ROLE:
        request_fail(request, 401, NULL, "the proxy names %s, for whom admin.users has no role",
                     request_quote(slice_of(person->name), quoted));
        break;
    case AUTH_BAD_PROXY:
        request_fail(request, 401, NULL, "the proxy in front can't be believed: %s", why);
        break;
    }
}

bool auth_check(struct auth *auth, struct request *request, unsigned scope)
{
    char scopes[APIKEY_SCOPES_MAX];
    struct auth_person person;
    struct session session;
    const char *why;
    enum auth_status status = auth_find(auth, request, &person, &why);

    if (status != AUTH_FOUND) {
        refuse(request, status, &person, why);
        return false;
    }
    /* The session is used now, and may get a new cookie. */
    if (auth_is_by_session(&person) && session_cookie_find(request, &session))
        sodium_memzero(&session, sizeof(session));
    if (person.csrf[0] && request->method != REQUEST_GET &&
        !session_cookie_may_change(request, person.csrf)) {
        request_fail_as(request, PROBLEM_CROSS_SITE, NULL,
                        "the field X-CSRF-Token is missing or wrong");
        return false;
    }
    if (!check_rate(auth, request, &person))
        return false;
    memcpy(request->who, person.who, sizeof(request->who));
    if ((person.scopes & scope) == scope) {
        if (!person.brands || (request->brands = strdup(person.brands)))
            return true;
        request_fail(request, 503, NULL, "out of memory");
        return false;
    }
    request_fail_as(request, PROBLEM_MISSING_SCOPE, NULL, "%s lacks the scope %s",
                    person.by == AUTH_BY_KEY ? "the API key" : "your role",
                    apikeys_scopes_text(scope, scopes));
    return false;
}

bool auth_maker(const struct auth *auth, const struct request *request,
                uint8_t out[static APIKEY_HASH_LEN])
{
    struct auth_person person;
    const char *why;

    if (auth_find(auth, request, &person, &why) != AUTH_FOUND)
        return false;
    memcpy(out, person.hash, sizeof(person.hash));
    return true;
}

bool auth_may_share(const struct auth *auth, const uint8_t maker[static APIKEY_HASH_LEN],
                    const char *who, struct slice brand)
{
    const unsigned needed = APIKEY_STATS_READ | APIKEY_LINKS_WRITE;
    const struct apikey *key = apikeys_find_hash(keys_of(auth), maker);
    const char *name = strchr(who, ':'); /* behind one of the prefixes */
    const struct users_role *role =
        key ? NULL : users_find_hash(auth_users(auth), maker, slice_of(name ? name + 1 : ""));

    if (key)
        return (key->scopes & needed) == needed && brandlist_has(key->brands, brand);
    return role && (role->scopes & needed) == needed && brandlist_has(role->brands, brand);
}

bool auth_check_share(struct auth *auth, struct request *request, const char *id)
{
    struct auth_person person;

    fill_user(auth, &person, AUTH_BY_SHARE, id, NULL);
    memcpy(request->who, person.who, sizeof(request->who));
    return check_rate(auth, request, &person);
}

bool auth_still_allows(const struct auth *auth, const struct request *request, unsigned scope)
{
    struct auth_person person;
    const char *why;
    struct slice brands;

    if (auth_find(auth, request, &person, &why) != AUTH_FOUND)
        return false;
    brands = slice_of(person.brands);
    return (person.scopes & scope) == scope && strcmp(person.who, request->who) == 0 &&
           (brands.ptr != NULL) == (request->brands != NULL) &&
           slice_equal(brands, slice_of(request->brands));
}

bool auth_note_seen(struct auth *auth, const struct auth_person *person)
{
    struct rate *rate = auth->rates ? &auth->rates[person->rate] : NULL;
    uint64_t hash = event_id_hash(slice_of(person->who));
    int64_t now_ms = clock_mono_ms();
    bool is_new;

    if (!rate)
        return true;
    is_new = rate->seen != hash || now_ms - rate->seen_ms >= SESSION_IDLE_S * INT64_C(1000);
    rate->seen = hash;
    rate->seen_ms = now_ms;
    return is_new;
}

static bool has_hash(const char *who, uint32_t hash)
{
    return (uint32_t)event_id_hash(slice_of(who)) == hash;
}

const char *auth_name_by_hash(struct auth *auth, uint32_t hash)
{
    const struct users *users = auth_users(auth);

    for (unsigned i = 0; i < apikeys_count(keys_of(auth)); i++) {
        const struct apikey *key = apikeys_at(keys_of(auth), i);

        if (has_hash(key->name, hash))
            return key->name;
    }
    for (unsigned i = 0; i < users_count(users); i++) {
        const char *name = users_name_at(users, i);

        for (unsigned by = AUTH_BY_PROXY; name && by < N_PREFIXES; by++) {
            auth_write_who(auth->name, by, name);
            if (has_hash(auth->name, hash))
                return auth->name;
        }
    }
    return NULL;
}
