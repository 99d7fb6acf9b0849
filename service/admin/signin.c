/* Signing in to the dashboard: an API key becomes a session in a cookie; who comes by a proxy is
 * signed in by that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "proto/rfc3339.h"
#include "service/admin/attempts.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/handlers.h"
#include "service/admin/origin.h"
#include "service/admin/proxy_user.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/admin/session_cookie.h"
#include "service/admin/signin.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/site.h"
#include "service/config/users.h"

enum {
    HOLD_MS = 2000, /* how long the refusal of a wrong key is held back, after too many of them */
};

static bool is_json(const struct request *request)
{
    const char *type = request_header(request, "Content-Type");
    static const char json[] = "application/json";

    return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
           (type[sizeof(json) - 1] == '\0' || strchr("; ", type[sizeof(json) - 1]));
}

/* Who is signed in as JSON, for the page.  `expires_s` 0: that is the proxy's affair. */
static json_t *person_json(const struct auth *auth, const struct auth_person *person,
                           int64_t expires_s)
{
    static const char *const by[] = {
        [AUTH_BY_KEY] = "key", [AUTH_BY_PROXY] = "proxy", [AUTH_BY_OIDC] = "oidc"};
    char text[APIKEY_SCOPES_MAX], expires[RFC3339_TEXT_MAX];
    const struct users_proxy *proxy =
        person->by == AUTH_BY_PROXY ? users_proxy(auth_users(auth)) : NULL;

    rfc3339_format(expires_s, 0, expires);
    return json_pack("{sb ss ss ss ss ss* ss* ss}", "signed_in", 1, "by", by[person->by], "name",
                     person->name, "scopes", apikeys_scopes_text(person->scopes, text),
                     "csrf_token", person->csrf, "expires_at", expires_s ? expires : NULL,
                     "sign_out_url", proxy ? proxy->sign_out_url : NULL, "version",
                     HOPCOUNT_VERSION);
}

/* --- wrong keys --- */

struct signins {
    struct event *timer;
    struct request *first, **end; /* refusals held back, the oldest first */
    unsigned n;
};

static void answer_first(struct signins *signins)
{
    struct request *request = signins->first;

    signins->first = request->next;
    if (!signins->first)
        signins->end = &signins->first;
    signins->n--;
    request_fail(request, 429, "key",
                 "is none of the API keys here, and too many wrong ones were tried in this minute");
}

static void set_timer(struct signins *signins)
{
    int64_t wait_ms = signins->first ? signins->first->due_ms - clock_mono_ms() : 0;
    const struct timeval wait = {.tv_usec = wait_ms > 0 ? wait_ms % 1000 * 1000 : 0,
                                 .tv_sec = wait_ms > 0 ? wait_ms / 1000 : 0};

    if (signins->first)
        evtimer_add(signins->timer, &wait);
}

/* The oldest refusal is due. */
static void on_due(evutil_socket_t fd, short events, void *arg)
{
    struct signins *signins = arg;

    (void)fd;
    (void)events;
    while (signins->first && signins->first->due_ms <= clock_mono_ms())
        answer_first(signins);
    set_timer(signins);
}

struct signins *signins_new(struct event_base *base)
{
    struct signins *signins = calloc(1, sizeof(*signins));

    if (!signins || !(signins->timer = evtimer_new(base, on_due, signins))) {
        free(signins);
        return NULL;
    }
    signins->end = &signins->first;
    return signins;
}

void signins_free(struct signins *signins)
{
    if (!signins)
        return;
    while (signins->first)
        answer_first(signins);
    event_free(signins->timer);
    free(signins);
}

/* Takes the request.  Delays the refusal, so that guessing is slow.  A right key is never delayed,
 * however many wrong ones come from the same address. */
static void hold_back(struct request *request)
{
    struct signins *signins = request->server->signins;

    /* Refusals waiting here hold connections, so at most an eighth of those. */
    if (signins->n > request->server->connections_max / 8)
        answer_first(signins);
    request->due_ms = clock_mono_ms() + HOLD_MS;
    request->next = NULL;
    *signins->end = request;
    signins->end = &request->next;
    signins->n++;
    if (signins->first == request)
        set_timer(signins);
}

static void refuse_key(struct request *request)
{
    struct attempts *attempts = request->server->attempts;
    struct slice address = slice_of(request->origin.peer);
    int64_t wait_ms = attempts_wait_ms(attempts, address, clock_mono_ms());
    char wait_s[24];

    attempts_note_failure(attempts, address, clock_mono_ms());
    log_warn("admin.sign_in", "err=\"no such API key\"");
    audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0, "no such API key");
    if (wait_ms == 0) {
        request_add_header(request, "WWW-Authenticate", "Bearer realm=\"hopcount\"");
        request_fail(request, 401, "key", "is none of the API keys here");
        return;
    }
    snprintf(wait_s, sizeof(wait_s), "%" PRId64, (wait_ms + 999) / 1000);
    request_add_header(request, "Retry-After", wait_s);
    hold_back(request);
}

/* --- the routes --- */

static void sign_in(struct request *request, struct slice text)
{
    const struct apikey *key = auth_find_key(request->server->auth, text);
    char sealed[SESSION_TEXT_MAX + 1];
    struct auth_person person = {.by = AUTH_BY_KEY};
    struct proxy_user proxy_user;
    struct session session;

    if (proxy_user_find(request, auth_users(request->server->auth), &proxy_user) !=
        PROXY_USER_NONE) {
        request_fail_as(request, PROBLEM_FORBIDDEN, NULL,
                        "the proxy in front says who you are here, and that counts before a "
                        "session: an API key is for programs, in Authorization");
        return;
    }
    if (!key) {
        refuse_key(request);
        return;
    }
    memcpy(request->who, key->name, sizeof(key->name));
    if (!(key->scopes & APIKEY_STATS_READ)) {
        audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0,
                           "the key lacks the scope stats:read");
        request_fail_as(request, PROBLEM_MISSING_SCOPE, "key", "lacks the scope stats:read");
        return;
    }
    session_start(&session, key->hash, "", clock_wall_ms() / 1000);
    if (!session_seal(&session, site_keys(request->server->site), sealed)) {
        request_fail(request, 503, NULL,
                     "no key of the key file is in use: a session can't be sealed without one");
        return;
    }
    log_info("admin.sign_in", "key=%s", key->name);
    audit_note_request(request, AUDIT_SIGN_IN, NULL, 0, "%s", "");
    session_cookie_set(request, sealed, SESSION_LIFE_S);
    person.name = key->name;
    person.scopes = key->scopes;
    memcpy(person.csrf, session.csrf, sizeof(person.csrf));
    request_reply_json(
        request, 200,
        person_json(request->server->auth, &person, session.started_s + SESSION_LIFE_S));
}

void signin_handle_open(struct request *request)
{
    const char *key;
    json_t *body;

    if (!origin_is_own_page(request)) {
        request_fail_as(request, PROBLEM_CROSS_SITE, NULL, "sign in from the dashboard itself");
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
        request_fail_as(request, PROBLEM_INVALID_FIELDS, "key", "must be the text of an API key");
    else if (json_object_size(body) > 1)
        request_fail_as(request, PROBLEM_INVALID_FIELDS, NULL,
                        "the body takes key and nothing else");
    else
        sign_in(request, slice_of(key));
    json_decref(body);
}

/* Nobody is signed in; `refused` says of whom the proxy names why not. */
static void reply_nobody(struct request *request, const char *refused, const char *name,
                         const char *detail)
{
    const struct users_oidc *oidc = users_oidc(auth_users(request->server->auth));

    request_reply_json(request, 200,
                       json_pack("{sb ss* ss* ss* ss*}", "signed_in", 0, "refused", refused, "name",
                                 name, "detail", detail, "sign_in_with", oidc ? oidc->name : NULL));
}

void signin_handle_show(struct request *request)
{
    struct auth *auth = request->server->auth;
    int64_t expires_s = 0;
    struct session session;
    struct auth_person person;
    const char *why;

    switch (auth_find(auth, request, &person, &why)) {
    case AUTH_FOUND:
        if (person.by == AUTH_BY_PROXY) {
            memcpy(request->who, person.who, sizeof(request->who));
            if (auth_note_seen(auth, &person)) {
                log_info("admin.sign_in", "key=%s", person.who);
                audit_note_request(request, AUDIT_SIGN_IN, NULL, 0, "%s", "");
            }
        }
        if (auth_is_by_session(&person) && session_cookie_find(request, &session))
            expires_s = session.started_s + SESSION_LIFE_S;
        if (person.csrf[0])
            request_reply_json(request, 200, person_json(auth, &person, expires_s));
        else
            reply_nobody(request, NULL, NULL, NULL); /* a key is no session */
        return;
    case AUTH_NO_ROLE:
        memcpy(request->who, person.who, sizeof(request->who));
        audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0,
                           "admin.users has no role for them");
        reply_nobody(request, "no_role", person.name, NULL);
        return;
    case AUTH_BAD_PROXY:
        log_warn("admin.sign_in", "err=\"%s\" by=proxy", why);
        audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0, "%s", why);
        reply_nobody(request, "bad_proxy", NULL, why);
        return;
    case AUTH_NOBODY:
    case AUTH_UNKNOWN_KEY:
        break;
    }
    reply_nobody(request, NULL, NULL, NULL);
}

void signin_handle_close(struct request *request)
{
    struct reply reply = {.status = 204, .type = "application/json"};
    bool has_session;
    struct session session;
    struct auth_person person;
    const char *why;

    has_session = session_cookie_peek(request, &session);
    if (auth_find(request->server->auth, request, &person, &why) != AUTH_FOUND)
        person = (struct auth_person){.who = ""};
    if (has_session || person.by == AUTH_BY_PROXY) {
        /* The page has the token of whom it shows, and that may be another one than the session's:
         * the proxy names somebody, or the session's key has been taken away. */
        if (!session_cookie_may_change(request, person.csrf[0] ? person.csrf : session.csrf)) {
            request_fail_as(request, PROBLEM_CROSS_SITE, NULL,
                            "the field X-CSRF-Token is missing or wrong");
            return;
        }
        log_info("admin.sign_out", "key=%s", person.who[0] ? person.who : "-");
        memcpy(request->who, person.who, sizeof(request->who));
        audit_note_request(request, AUDIT_SIGN_OUT, NULL, 0, "%s", "");
    }
    if (has_session)
        sessions_sign_out(request->server->signed_out, &session, clock_wall_ms() / 1000);
    session_cookie_set(request, "", 0);
    request_reply(request, &reply);
}
