#include "service/admin/auth.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/event.h"
#include "service/admin/request.h"
#include "service/admin/session.h"
#include "service/admin/session_cookie.h"
#include "service/base/clock.h"
#include "service/config/apikeys.h"

enum { WINDOW_MS = 60000 };

/* How many requests came with a key in the current minute. */
struct rate {
    int64_t since_ms; /* monotonic */
    int64_t n;
};

struct auth {
    pthread_mutex_t lock; /* taken to change `keys`, and to read them in another thread */
    struct apikeys *keys;
    struct rate *rates; /* by apikey.index */
    int64_t rate_per_min;
};

struct auth *auth_new(struct apikeys *keys, int64_t rate_per_min)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (!auth) {
        apikeys_free(keys);
        return NULL;
    }
    pthread_mutex_init(&auth->lock, NULL);
    auth->rate_per_min = rate_per_min;
    auth_set_keys(auth, keys);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    apikeys_free(auth->keys);
    free(auth->rates);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

void auth_set_keys(struct auth *auth, struct apikeys *keys)
{
    unsigned n = keys ? apikeys_count(keys) : 0;

    pthread_mutex_lock(&auth->lock);
    apikeys_free(auth->keys);
    auth->keys = keys;
    pthread_mutex_unlock(&auth->lock);
    free(auth->rates);
    /* Without memory for the rates keys have no limit, which is better than refusing them. */
    auth->rates = n > 0 ? calloc(n, sizeof(struct rate)) : NULL;
}

/* The credentials of "Bearer KEY" (RFC 6750, 2.1), or an absent slice. */
static struct slice bearer(const struct request *request)
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
    struct slice text = bearer(request);
    bool is_known;

    pthread_mutex_lock(&auth->lock);
    is_known = text.ptr && apikeys_find(auth->keys, text);
    pthread_mutex_unlock(&auth->lock);
    return is_known;
}

static void add_number(struct request *request, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    request_add_header(request, name, text);
}

/* Counts the request against its key, whether it came with it or by a session.  False: replied to.
 */
static bool check_rate(const struct auth *auth, struct request *request, const struct apikey *key)
{
    struct rate *rate = auth->rates ? &auth->rates[key->index] : NULL;
    int64_t now_ms = clock_mono_ms(), left, reset_s;

    if (!rate || auth->rate_per_min == 0)
        return true;
    if (rate->n == 0 || now_ms - rate->since_ms >= WINDOW_MS)
        *rate = (struct rate){.since_ms = now_ms};
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
    request_fail(request, 429, NULL, "this key may ask %" PRId64 " times in a minute",
                 auth->rate_per_min);
    return false;
}

const struct apikey *auth_find_key(const struct auth *auth, struct slice text)
{
    return apikeys_find(auth->keys, text);
}

const struct apikey *auth_find_session_key(const struct auth *auth, const struct session *session)
{
    return apikeys_find_hash(auth->keys, session->key_hash);
}

/* The key by whose authority the request comes, or NULL. */
static const struct apikey *find_key(const struct auth *auth, const struct request *request,
                                     const struct session *session)
{
    struct slice text = bearer(request);

    if (text.ptr)
        return auth_find_key(auth, text);
    return session ? auth_find_session_key(auth, session) : NULL;
}

bool auth_check(struct auth *auth, struct request *request, unsigned scope)
{
    struct session session;
    bool has_session = session_cookie_find(request, &session);
    const struct apikey *key = find_key(auth, request, has_session ? &session : NULL);
    char scopes[APIKEY_SCOPES_MAX];

    if (!key && bearer(request).ptr) {
        request_add_header(request, "WWW-Authenticate",
                           "Bearer realm=\"hopcount\", error=\"invalid_token\"");
        request_fail(request, 401, NULL, "there is no such API key");
        return false;
    }
    if (!key) {
        request_add_header(request, "WWW-Authenticate", "Bearer realm=\"hopcount\"");
        request_fail(request, 401, NULL, "an API key is needed: Authorization: Bearer KEY");
        return false;
    }
    if (!bearer(request).ptr && request->method != REQUEST_GET &&
        !session_cookie_may_change(request, &session)) {
        request_fail_as(request, PROBLEM_CROSS_SITE, NULL,
                        "the field X-CSRF-Token is missing or wrong");
        return false;
    }
    if (!check_rate(auth, request, key))
        return false;
    memcpy(request->key_name, key->name, sizeof(request->key_name));
    if ((key->scopes & scope) == scope) {
        if (!key->brands || (request->brands = strdup(key->brands)))
            return true;
        request_fail(request, 503, NULL, "out of memory");
        return false;
    }
    request_fail_as(request, PROBLEM_MISSING_SCOPE, NULL, "the API key lacks the scope %s",
                    apikeys_scopes_text(scope, scopes));
    return false;
}

bool auth_still_allows(const struct auth *auth, const struct request *request, unsigned scope)
{
    struct session session;
    const struct apikey *key =
        find_key(auth, request, session_cookie_peek(request, &session) ? &session : NULL);
    struct slice brands = slice_of(key ? key->brands : NULL);

    return key && (key->scopes & scope) == scope &&
           (brands.ptr != NULL) == (request->brands != NULL) &&
           slice_equal(brands, slice_of(request->brands));
}

const char *auth_key_name_by_hash(const struct auth *auth, uint32_t hash)
{
    for (unsigned i = 0; auth->keys && i < apikeys_count(auth->keys); i++) {
        const struct apikey *key = apikeys_at(auth->keys, i);

        if ((uint32_t)event_id_hash(slice_of(key->name)) == hash)
            return key->name;
    }
    return NULL;
}
