/* Signing in to the dashboard: an API key becomes a session in a cookie. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <event2/http.h>
#include <sodium.h>

#include "proto/rfc3339.h"
#include "service/admin/attempts.h"
#include "service/admin/auth.h"
#include "service/admin/handlers.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/admin/signin.h"
#include "service/base/clock.h"
#include "service/base/log.h"

enum { COOKIE_MAX = 192 };

static const char cookie_name[] = "hopcount_session";

static struct slice peer_address(const struct request *request)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(request->http);
    char *address = NULL;
    ev_uint16_t port;

    if (conn)
        evhttp_connection_get_peer(conn, &address, &port);
    return slice_of(address ? address : "");
}

/* Over TLS, as far as a proxy in front says; who lies about it only harms his own cookie. */
static bool is_secure(const struct request *request)
{
    const char *proto = request_header(request, "X-Forwarded-Proto");

    return proto && strcasecmp(proto, "https") == 0;
}

static void set_cookie(struct request *request, const char *id, int max_age_s)
{
    char cookie[COOKIE_MAX];

    snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
             cookie_name, id, max_age_s, is_secure(request) ? "; Secure" : "");
    request_add_header(request, "Set-Cookie", cookie);
}

/* A page of another site can make a browser send this request, but not with these fields. */
static bool is_from_here(const struct request *request)
{
    const char *site = request_header(request, "Sec-Fetch-Site");
    const char *origin = request_header(request, "Origin");
    const char *host = request_header(request, "Host");
    const char *of_origin = origin ? strstr(origin, "://") : NULL;

    if (site)
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    return !origin || (of_origin && host && strcasecmp(of_origin + 3, host) == 0);
}

static bool is_json(const struct request *request)
{
    const char *type = request_header(request, "Content-Type");
    static const char json[] = "application/json";

    return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
           (type[sizeof(json) - 1] == '\0' || strchr("; ", type[sizeof(json) - 1]));
}

/* What the page has to know of its session. */
static json_t *session_json(const struct session *session, unsigned scopes)
{
    char text[APIKEY_SCOPES_MAX], expires[RFC3339_TEXT_MAX];
    int64_t left_ms = (int64_t)SESSION_LIFE_S * 1000 - (clock_mono_ms() - session->started_ms);

    rfc3339_format((clock_wall_ms() + left_ms) / 1000, 0, expires);
    return json_pack("{sb ss ss ss ss ss}", "signed_in", 1, "name", session->key_name, "scopes",
                     apikeys_scopes_text(scopes, text), "csrf_token", session->csrf, "expires_at",
                     expires, "version", HOPCOUNT_VERSION);
}

static void fail_attempt(struct request *request, struct slice address)
{
    attempts_note_failure(request->server->attempts, address, clock_mono_ms());
    log_warn("admin.sign_in", "err=\"no such API key\"");
    request_add_header(request, "WWW-Authenticate", "Bearer realm=\"hopcount\"");
    request_fail(request, 401, "key", "there is no such API key");
}

static void sign_in(struct request *request, struct slice text)
{
    struct slice address = peer_address(request);
    int64_t wait_ms = attempts_wait_ms(request->server->attempts, address, clock_mono_ms());
    const struct apikey *key;
    struct session *session;
    char id[SESSION_ID_LEN + 1], wait_s[24];

    if (wait_ms > 0) {
        snprintf(wait_s, sizeof(wait_s), "%" PRId64, (wait_ms + 999) / 1000);
        request_add_header(request, "Retry-After", wait_s);
        request_fail(request, 429, NULL, "too many wrong keys; try again in %s seconds", wait_s);
        return;
    }
    key = auth_find_key(request->server->auth, text);
    if (!key) {
        fail_attempt(request, address);
        return;
    }
    if (!(key->scopes & APIKEY_STATS_READ)) {
        request_fail(request, 403, "key", "this key lacks the scope stats:read");
        return;
    }
    session = sessions_open(request->server->sessions, key, clock_mono_ms(), id);
    set_cookie(request, id, SESSION_LIFE_S);
    request_reply_json(request, 200, session_json(session, key->scopes));
}

void signin_handle_open(struct request *request)
{
    const char *key;
    json_t *body;

    if (!is_from_here(request)) {
        request_fail(request, 403, NULL, "sign in from the dashboard itself");
        return;
    }
    if (!is_json(request)) {
        request_fail(request, 415, NULL, "the body must be application/json");
        return;
    }
    body = request_read_json(request);
    if (!body)
        return;
    key = json_string_value(json_object_get(body, "key"));
    if (!key)
        request_fail(request, 400, "key", "must be the text of an API key");
    else if (json_object_size(body) > 1)
        request_fail(request, 400, NULL, "the body takes key and nothing else");
    else
        sign_in(request, slice_of(key));
    json_decref(body);
}

/* The value of the session cookie (RFC 6265, 4.2.1), or an absent slice. */
static struct slice cookie_of(const struct request *request)
{
    const char *at = request_header(request, "Cookie");

    while (at && *at) {
        size_t len = strcspn(at, ";");
        struct slice pair = slice_make(at, len);

        if (slice_starts_with(pair, slice_of(cookie_name)) && len >= sizeof(cookie_name) &&
            at[sizeof(cookie_name) - 1] == '=')
            return slice_make(at + sizeof(cookie_name), len - sizeof(cookie_name));
        at += len + (at[len] == ';');
        at += strspn(at, " ");
    }
    return (struct slice){0};
}

struct session *signin_find(struct request *request)
{
    struct slice id = cookie_of(request);

    return id.ptr ? sessions_find(request->server->sessions, id, clock_mono_ms()) : NULL;
}

bool signin_may_change(const struct request *request, const struct session *session)
{
    const char *csrf = request_header(request, "X-CSRF-Token");

    return csrf && strlen(csrf) == SESSION_ID_LEN && is_from_here(request) &&
           sodium_memcmp(csrf, session->csrf, SESSION_ID_LEN) == 0;
}

void signin_handle_show(struct request *request)
{
    struct session *session = signin_find(request);
    const struct apikey *key =
        session ? auth_find_session_key(request->server->auth, session) : NULL;

    if (key)
        request_reply_json(request, 200, session_json(session, key->scopes));
    else
        request_reply_json(request, 200, json_pack("{sb}", "signed_in", 0));
}

void signin_handle_close(struct request *request)
{
    struct session *session = signin_find(request);
    struct reply reply = {.status = 204, .type = "application/json"};

    if (session && !signin_may_change(request, session)) {
        request_fail(request, 403, NULL, "the field X-CSRF-Token is missing or wrong");
        return;
    }
    if (session)
        session_close(session);
    set_cookie(request, "", 0);
    request_reply(request, &reply);
}
