#include "service/admin/auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/admin/request.h"
#include "service/base/clock.h"
#include "service/config/apikeys.h"

enum { WINDOW_MS = 60000 };

/* What a key has asked for in the minute that runs. */
struct rate {
    int64_t since_ms; /* monotonic */
    int64_t n;
};

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

/* Counts the request against its key; false: replied to. */
static bool check_rate(struct auth *auth, struct request *request, const struct apikey *key)
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

bool auth_check(struct auth *auth, struct request *request, unsigned scope)
{
    struct slice text = bearer(request);
    const struct apikey *key = text.ptr ? apikeys_find(auth->keys, text) : NULL;
    char scopes[APIKEY_SCOPES_MAX];

    if (!key) {
        request_add_header(request, "WWW-Authenticate",
                           text.ptr ? "Bearer realm=\"hopcount\", error=\"invalid_token\""
                                    : "Bearer realm=\"hopcount\"");
        request_fail(request, 401, NULL,
                     text.ptr ? "there is no such API key"
                              : "an API key is needed: Authorization: Bearer KEY");
        return false;
    }
    if (!check_rate(auth, request, key))
        return false;
    if ((key->scopes & scope) == scope)
        return true;
    request_fail(request, 403, NULL, "the API key lacks the scope %s",
                 apikeys_scopes_text(scope, scopes));
    return false;
}
