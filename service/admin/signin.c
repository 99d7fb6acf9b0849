/* Signing in to the dashboard: an API key becomes a session in a cookie. */
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
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/admin/session_cookie.h"
#include "service/admin/signin.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/site.h"

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

/* The session as JSON, for the page. */
static json_t *session_json(const struct session *session, const struct apikey *key)
{
    char text[APIKEY_SCOPES_MAX], expires[RFC3339_TEXT_MAX];

    rfc3339_format(session->started_s + SESSION_LIFE_S, 0, expires);
    return json_pack("{sb ss ss ss ss ss}", "signed_in", 1, "name", key->name, "scopes",
                     apikeys_scopes_text(key->scopes, text), "csrf_token", session->csrf,
                     "expires_at", expires, "version", HOPCOUNT_VERSION);
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
    struct session session;

    if (!key) {
        refuse_key(request);
        return;
    }
    memcpy(request->key_name, key->name, sizeof(request->key_name));
    if (!(key->scopes & APIKEY_STATS_READ)) {
        audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0,
                           "the key lacks the scope stats:read");
        request_fail_as(request, PROBLEM_MISSING_SCOPE, "key", "lacks the scope stats:read");
        return;
    }
    session_start(&session, key, clock_wall_ms() / 1000);
    if (!session_seal(&session, site_keys(request->server->site), sealed)) {
        request_fail(request, 503, NULL,
                     "no key of the key file is in use: a session can't be sealed without one");
        return;
    }
    log_info("admin.sign_in", "key=%s", key->name);
    audit_note_request(request, AUDIT_SIGN_IN, NULL, 0, "%s", "");
    session_cookie_set(request, sealed, SESSION_LIFE_S);
    request_reply_json(request, 200, session_json(&session, key));
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

void signin_handle_show(struct request *request)
{
    struct session session;
    const struct apikey *key = session_cookie_find(request, &session)
                                   ? auth_find_session_key(request->server->auth, &session)
                                   : NULL;

    if (key)
        request_reply_json(request, 200, session_json(&session, key));
    else
        request_reply_json(request, 200, json_pack("{sb}", "signed_in", 0));
}

void signin_handle_close(struct request *request)
{
    struct reply reply = {.status = 204, .type = "application/json"};
    struct session session;
    const struct apikey *key;

    if (session_cookie_peek(request, &session)) {
        if (!session_cookie_may_change(request, &session)) {
            request_fail_as(request, PROBLEM_CROSS_SITE, NULL,
                            "the field X-CSRF-Token is missing or wrong");
            return;
        }
        key = auth_find_session_key(request->server->auth, &session);
        log_info("admin.sign_out", "key=%s", key ? key->name : "-");
        if (key)
            memcpy(request->key_name, key->name, sizeof(request->key_name));
        audit_note_request(request, AUDIT_SIGN_OUT, NULL, 0, "%s", "");
        sessions_sign_out(request->server->signed_out, &session, clock_wall_ms() / 1000);
    }
    session_cookie_set(request, "", 0);
    request_reply(request, &reply);
}
