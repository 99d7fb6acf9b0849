#include "service/admin/auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/admin/rate.h"
#include "service/admin/request.h"
#include "service/admin/session.h"
#include "service/admin/signin.h"
#include "service/base/clock.h"
#include "service/config/apikeys.h"

enum { WINDOW_MS = 60000 };

struct auth {
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
    free(auth);
}

void auth_set_keys(struct auth *auth, struct apikeys *keys)
{
    unsigned n = keys ? apikeys_count(keys) : 0;

    apikeys_free(auth->keys);
    free(auth->rates);
    auth->keys = keys;
    /* Without memory for the rates, keys go unlimited: better than refusing them. */
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

static void add_number(struct request *request, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    request_add_header(request, name, text);
}

/* Counts the request against its key or session; `rate` NULL: without limit.  False: replied to. */
static bool check_rate(const struct auth *auth, struct request *request, struct rate *rate)
{
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
    const struct apikey *key = apikeys_find_name(auth->keys, slice_of(session->key_name));

    /* A new key may have an old one's name. */
    return key && sodium_memcmp(key->hash, session->key_hash, sizeof(key->hash)) == 0 ? key : NULL;
}

/* By whose authority the request comes: a key, and the rate it counts against.  NULL: replied to.
 */
static const struct apikey *find_bearer(struct auth *auth, struct request *request,
                                        struct slice text, struct rate **rate)
{
    const struct apikey *key = auth_find_key(auth, text);

    if (!key) {
        request_add_header(request, "WWW-Authenticate",
                           "Bearer realm=\"hopcount\", error=\"invalid_token\"");
        request_fail(request, 401, NULL, "there is no such API key");
        return NULL;
    }
    *rate = auth->rates ? &auth->rates[key->index] : NULL;
    return key;
}

/* The same, by cookie. */
static const struct apikey *find_session(const struct auth *auth, struct request *request,
                                         struct rate **rate)
{
    struct session *session = signin_find(request);
    const struct apikey *key = session ? auth_find_session_key(auth, session) : NULL;

    if (!key) {
        request_add_header(request, "WWW-Authenticate", "Bearer realm=\"hopcount\"");
        request_fail(request, 401, NULL, "an API key is needed: Authorization: Bearer KEY");
        return NULL;
    }
    if (request->method != REQUEST_GET && !signin_may_change(request, session)) {
        request_fail(request, 403, NULL, "the field X-CSRF-Token is missing or wrong");
        return NULL;
    }
    *rate = &session->rate;
    return key;
}

bool auth_check(struct auth *auth, struct request *request, unsigned scope)
{
    struct slice text = bearer(request);
    const struct apikey *key;
    char scopes[APIKEY_SCOPES_MAX];
    struct rate *rate;

    key = text.ptr ? find_bearer(auth, request, text, &rate) : find_session(auth, request, &rate);
    if (!key || !check_rate(auth, request, rate))
        return false;
    if ((key->scopes & scope) == scope) {
        if (!key->brands || (request->brands = strdup(key->brands)))
            return true;
        request_fail(request, 503, NULL, "out of memory");
        return false;
    }
    request_fail(request, 403, NULL, "the API key lacks the scope %s",
                 apikeys_scopes_text(scope, scopes));
    return false;
}
