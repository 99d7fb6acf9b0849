#include "service/admin/oidc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <event2/buffer.h>
#include <jansson.h>
#include <sodium.h>

#include "proto/ip.h"
#include "service/admin/asker.h"
#include "service/admin/attempts.h"
#include "service/admin/audit.h"
#include "service/admin/auth.h"
#include "service/admin/cookie.h"
#include "service/admin/handlers.h"
#include "service/admin/id_token.h"
#include "service/admin/oidc_provider.h"
#include "service/admin/oidc_visit.h"
#include "service/admin/origin.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/admin/session.h"
#include "service/admin/session_cookie.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/site.h"
#include "service/config/users.h"

enum { LOCATION_MAX = 1900, BASIC_MAX = 3072, CODE_MAX = 4096 };

_Static_assert((int)OIDC_VISIT_TEXT_MAX <= (int)COOKIE_VALUE_MAX, "a visit doesn't fit a cookie");

/* It must come along when the provider's page leads back here. */
static const struct cookie visit_cookie = {
    .secure_name = "__Host-hopcount_oidc", .plain_name = "hopcount_oidc", .is_lax = true};

/* How a sign-in ends, as the dashboard's page hears it. */
enum outcome {
    UNREACHABLE, /* the provider doesn't answer, or not as one */
    REFUSED,     /* it let nobody in */
    NO_ROLE,     /* nobody whom we know */
    LOST,        /* not begun here, or too long ago */
    INVALID,     /* what it said of the person can't be believed */
    BUSY,
};

/* What happens next to somebody who is let in. */
enum stage {
    STAGE_VISIT, /* to the provider */
    STAGE_CODE,  /* they are back, and the code is to be exchanged */
    STAGE_TOKEN, /* the ID token is there */
    STAGE_ASKED, /* the provider has been asked for more about them */
};

struct job {
    struct job *next;
    struct oidc *oidc;
    struct request *request;
    enum stage stage;
    bool is_waiting;  /* for the provider's metadata or keys */
    bool asked_again; /* for the keys */
    struct ask *ask;
    uint8_t address[IP_LEN]; /* what visitors are counted by */
    struct oidc_visit visit;
    char *code;
    json_t *tokens; /* what the code was exchanged for */
    json_t *claims;
};

enum load { LOAD_NONE, LOAD_METADATA, LOAD_KEYS };

struct oidc {
    struct server *server;
    struct asker *asker; /* NULL: nobody has signed in yet */
    struct job *jobs;
    unsigned n_jobs;
    struct attempts *attempts; /* codes that the provider didn't take */
    enum load load;            /* what is being asked for */
    struct ask *ask;
    struct oidc_provider provider;
    json_t *key_set;
    /* Monotonic; 0 = never: when all was loaded, and when keys were asked for again. */
    int64_t loaded_ms, again_ms;
};

static const struct users_oidc *settings_of(const struct oidc *oidc)
{
    return users_oidc(auth_users(oidc->server->auth));
}

/* --- replies --- */

static void redirect(struct request *request, const char *location)
{
    const struct reply reply = {.status = 302, .type = "text/plain"};

    request_add_header(request, "Location", location);
    request_add_header(request, "Referrer-Policy", "no-referrer");
    request_reply(request, &reply);
}

/* Takes the request: back to the dashboard, which says what came of it.  Relative, so that it holds
 * behind a proxy that serves us below a path. */
static void lead_back(struct request *request, bool is_callback, enum outcome outcome)
{
    static const char *const names[] = {[UNREACHABLE] = "unreachable", [REFUSED] = "refused",
                                        [NO_ROLE] = "no_role",         [LOST] = "lost",
                                        [INVALID] = "invalid",         [BUSY] = "busy"};
    char location[64];

    snprintf(location, sizeof(location), "%sdashboard/?sign_in=%s",
             is_callback ? "../../../" : "../../", names[outcome]);
    redirect(request, location);
}

static void note_refusal(struct request *request, const char *why)
{
    char quoted[LOG_QUOTE_MAX];

    log_warn("admin.sign_in", "by=oidc err=%s", log_quote(quoted, why));
    audit_note_request(request, AUDIT_SIGN_IN_REFUSED, NULL, 0, "OpenID provider: %s", why);
}

/* --- jobs --- */

static void free_job(struct job *job)
{
    struct job **at = &job->oidc->jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    job->oidc->n_jobs--;
    ask_forget(job->ask);
    json_decref(job->tokens);
    json_decref(job->claims);
    if (job->code)
        sodium_memzero(job->code, strlen(job->code));
    free(job->code);
    sodium_memzero(&job->visit, sizeof(job->visit));
    free(job);
}

/* Ends the job, and takes its request. */
static void fail(struct job *job, enum outcome outcome, const char *format, ...) PRINTF_LIKE(3, 4);

static void fail(struct job *job, enum outcome outcome, const char *format, ...)
{
    char why[256];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    note_refusal(job->request, why);
    lead_back(job->request, job->stage != STAGE_VISIT, outcome);
    free_job(job);
}

/* By what visitors are counted: an IPv4 address, or the 64 bits of an IPv6 address that its owner
 * can't choose. */
static void write_address(const struct request *request, uint8_t out[static IP_LEN])
{
    if (!ip_parse(slice_of(request->origin.client), out))
        memset(out, 0, IP_LEN);
    else if (strchr(request->origin.client, ':'))
        memset(out + IP_LEN / 2, 0, IP_LEN / 2);
}

static struct slice address_slice(const uint8_t address[static IP_LEN])
{
    return slice_make((const char *)address, IP_LEN);
}

/* Whose wrong codes are counted together: those of an address.  Where it may be that of a proxy,
 * all people may have it, and nobody shall make others wait: there it is one visit.  Whoever begins
 * another can try more codes, but only from a private network or by a trusted proxy. */
static struct slice counted_for(const struct request *request, const struct oidc_visit *visit,
                                const uint8_t address[static IP_LEN])
{
    return request->origin.is_client_known ? address_slice(address) : slice_of(visit->state);
}

static bool has_room(const struct oidc *oidc, const uint8_t address[static IP_LEN])
{
    unsigned n_of_address = 0;

    for (const struct job *job = oidc->jobs; job; job = job->next)
        n_of_address += memcmp(job->address, address, IP_LEN) == 0;
    return oidc->n_jobs < OIDC_JOBS_MAX && n_of_address < OIDC_JOBS_ADDRESS_MAX;
}

/* Takes the request; NULL: it was replied to. */
static struct job *start_job(struct oidc *oidc, struct request *request, enum stage stage)
{
    uint8_t address[IP_LEN];
    struct job *job;

    write_address(request, address);
    job = has_room(oidc, address) ? calloc(1, sizeof(*job)) : NULL;
    if (!oidc->asker)
        oidc->asker = asker_new(oidc->server->base);
    if (!job || !oidc->asker) {
        free(job);
        note_refusal(request, "too many sign in at once");
        lead_back(request, stage != STAGE_VISIT, BUSY);
        return NULL;
    }
    job->oidc = oidc;
    job->request = request;
    job->stage = stage;
    memcpy(job->address, address, sizeof(address));
    job->next = oidc->jobs;
    oidc->jobs = job;
    oidc->n_jobs++;
    return job;
}

/* Asks the provider something for a job. */
static void ask(struct job *job, struct ask_options *options)
{
    options->tls_ca = settings_of(job->oidc)->tls_ca;
    options->owner = job;
    job->ask = asker_ask(job->oidc->asker, options);
    if (!job->ask)
        fail(job, BUSY, "out of memory");
}

/* --- the provider's metadata and keys --- */

static void go_on(struct job *job);

/* Those who waited for them go on, or end with `why`. */
static void end_load(struct oidc *oidc, const char *why)
{
    struct job *waiting[OIDC_JOBS_MAX];
    unsigned n = 0;

    oidc->load = LOAD_NONE;
    for (struct job *job = oidc->jobs; job; job = job->next) {
        if (job->is_waiting)
            waiting[n++] = job;
        job->is_waiting = false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (why)
            fail(waiting[i], UNREACHABLE, "%s", why);
        else
            go_on(waiting[i]);
    }
}

/* What is wrong with an answer that should be a whole page; NULL: nothing. */
static const char *fault_of(const struct ask_answer *answer, const char *what, char out[static 256])
{
    if (answer->status == 200)
        return NULL;
    if (answer->status != 0)
        snprintf(out, 256, "%s answers %ld", what, answer->status);
    else
        snprintf(out, 256, "%s: %.200s", what, answer->error);
    return out;
}

static void on_keys(void *owner, const struct ask_answer *answer)
{
    struct oidc *oidc = owner;
    char why[256];
    const char *fault = fault_of(answer, "the provider's jwks_uri", why);
    json_t *key_set = NULL;

    oidc->ask = NULL;
    if (!fault && (!(key_set = json_loadb(answer->body.ptr, answer->body.len, 0, NULL)) ||
                   !json_is_array(json_object_get(key_set, "keys"))))
        fault = "the provider's jwks_uri answers with something that is no set of keys";
    if (fault) {
        json_decref(key_set);
    } else {
        json_decref(oidc->key_set);
        oidc->key_set = key_set;
        if (oidc->load == LOAD_KEYS && oidc->loaded_ms == 0)
            oidc->loaded_ms = clock_mono_ms();
    }
    end_load(oidc, fault);
}

static void load(struct oidc *oidc, enum load what, const char *url,
                 void (*on_answer)(void *owner, const struct ask_answer *answer))
{
    const struct ask_options options = {
        .url = url, .tls_ca = settings_of(oidc)->tls_ca, .on_answer = on_answer, .owner = oidc};

    oidc->load = what;
    oidc->ask = url ? asker_ask(oidc->asker, &options) : NULL;
    if (!oidc->ask)
        end_load(oidc, "out of memory");
}

static void load_keys(struct oidc *oidc)
{
    load(oidc, LOAD_KEYS, oidc->provider.jwks_uri, on_keys);
}

static void on_metadata(void *owner, const struct ask_answer *answer)
{
    struct oidc *oidc = owner;
    struct error err = {0};
    char why[256];
    const char *fault = fault_of(answer, "the provider's metadata", why);

    oidc->ask = NULL;
    /* An answer that is no good changes nothing: somebody may wait for their tokens, and is then to
     * be asked for at the userinfo_endpoint that was named when they came. */
    if (!fault &&
        !oidc_provider_read(&oidc->provider, answer->body, settings_of(oidc)->issuer, &err))
        fault = err.text;
    if (fault)
        end_load(oidc, fault);
    else
        load_keys(oidc);
}

/* Whether what is known of the provider is fresh.  If not, the job goes on when it is. */
static bool has_provider(struct job *job)
{
    struct oidc *oidc = job->oidc;
    char *url;

    if (oidc->load == LOAD_NONE && oidc->loaded_ms != 0 &&
        clock_mono_ms() - oidc->loaded_ms < OIDC_PROVIDER_MS)
        return true;
    job->is_waiting = true;
    if (oidc->load == LOAD_NONE) {
        oidc->loaded_ms = 0;
        url = oidc_metadata_url(settings_of(oidc)->issuer);
        load(oidc, LOAD_METADATA, url, on_metadata);
        free(url);
    }
    return false;
}

/* --- to the provider --- */

static void add_param(struct evbuffer *out, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);

    evbuffer_add_printf(out, "%s=%s&", name, escaped ? escaped : "");
    curl_free(escaped);
}

/* Where the provider sends people back to: below admin.url, or below what the request was for. */
static bool add_redirect_uri(const struct job *job, struct evbuffer *out)
{
    const char *base = settings_of(job->oidc)->url;
    char own[ORIGIN_URL_MAX], uri[ORIGIN_URL_MAX + 64];
    size_t len;

    if (!base && !origin_url(job->request, own))
        return false;
    base = base ? base : own;
    len = strlen(base);
    len -= len > 0 && base[len - 1] == '/';
    if (len >= ORIGIN_URL_MAX)
        return false;
    snprintf(uri, sizeof(uri), "%.*s/v1/session/oidc/callback", (int)len, base);
    add_param(out, "redirect_uri", uri);
    return true;
}

/* What was written as a text; NULL: no memory, or it is longer than `max`.  Takes `out`. */
static char *take_text(struct evbuffer *out, size_t max)
{
    size_t len = evbuffer_get_length(out);
    char *text = len <= max ? malloc(len + 1) : NULL;

    if (text) {
        evbuffer_remove(out, text, len);
        text[len] = '\0';
        if (len > 0 && text[len - 1] == '&')
            text[len - 1] = '\0';
    }
    evbuffer_free(out);
    return text;
}

static void send_to_provider(struct job *job)
{
    const struct users_oidc *settings = settings_of(job->oidc);
    const char *endpoint = job->oidc->provider.authorization_endpoint;
    char sealed[OIDC_VISIT_TEXT_MAX + 1], *location;
    struct evbuffer *out = evbuffer_new();

    if (!out) {
        fail(job, BUSY, "out of memory");
        return;
    }
    evbuffer_add_printf(out, "%s%c", endpoint, strchr(endpoint, '?') ? '&' : '?');
    add_param(out, "response_type", "code");
    add_param(out, "client_id", settings->client_id);
    add_param(out, "scope", settings->scopes);
    add_param(out, "state", job->visit.state);
    add_param(out, "nonce", job->visit.nonce);
    add_param(out, "code_challenge", job->visit.challenge);
    add_param(out, "code_challenge_method", "S256");
    if (!add_redirect_uri(job, out)) {
        evbuffer_free(out);
        fail(job, INVALID, "the request names no host that could be ours; set admin.url");
        return;
    }
    if (!(location = take_text(out, LOCATION_MAX))) {
        fail(job, INVALID, "the way to the provider is too long");
        return;
    }
    if (!oidc_visit_seal(&job->visit, site_keys(job->request->server->site), sealed)) {
        free(location);
        fail(job, INVALID, "no key of the key file is in use: a cookie can't be sealed");
        return;
    }
    cookie_set(job->request, &visit_cookie, job->request->is_secure, sealed, OIDC_SIGN_IN_S);
    redirect(job->request, location);
    free(location);
    free_job(job);
}

/* --- the person --- */

static void let_in(struct job *job)
{
    struct request *request = job->request;
    const struct users *users = auth_users(request->server->auth);
    const struct users_oidc *settings = settings_of(job->oidc);
    char sealed[SESSION_TEXT_MAX + 1], name[USERS_NAME_MAX + 1] = "";
    char location[OIDC_VISIT_VIEW_MAX + 32];
    const struct users_role *role;
    struct oidc_person person;
    struct session session;
    struct error err = {0};

    if (!oidc_person_read(&person, job->claims, settings, &err)) {
        fail(job, NO_ROLE, "%s", err.text);
        return;
    }
    memcpy(name, person.name.ptr, person.name.len);
    auth_write_who(request->who, AUTH_BY_OIDC, name);
    role = users_find(users, person.name, person.groups, person.n_groups);
    if (!role) {
        fail(job, NO_ROLE, "admin.users has no role for them");
        return;
    }
    session_start(&session, role->hash, name, clock_wall_ms() / 1000);
    if (!session_seal(&session, site_keys(request->server->site), sealed)) {
        fail(job, INVALID, "no key of the key file is in use: a session can't be sealed");
        return;
    }
    log_info("admin.sign_in", "key=%s", request->who);
    audit_note_request(request, AUDIT_SIGN_IN, NULL, 0, "%s", "");
    session_cookie_set(request, sealed, SESSION_LIFE_S);
    snprintf(location, sizeof(location), "../../../dashboard/%s", job->visit.view);
    redirect(request, location);
    free_job(job);
}

/* More about the person: what the ID token doesn't say. */
static void on_userinfo(void *owner, const struct ask_answer *answer)
{
    struct job *job = owner;
    const struct users_oidc *settings = settings_of(job->oidc);
    const char *const names[] = {settings->user_claim, settings->groups_claim, "email_verified"};
    char why[256];
    const char *fault = fault_of(answer, "the provider's userinfo_endpoint", why);
    json_t *info, *value;

    job->ask = NULL;
    if (fault) {
        fail(job, UNREACHABLE, "%s", fault);
        return;
    }
    info = json_loadb(answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    /* It must be about the same person (Core, 5.3.2). */
    if (!info || !json_equal(json_object_get(info, "sub"), json_object_get(job->claims, "sub"))) {
        json_decref(info);
        fail(job, INVALID, "the provider's userinfo_endpoint answers about somebody else");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((value = json_object_get(info, names[i])))
            json_object_set(job->claims, names[i], value);
    }
    json_decref(info);
    let_in(job);
}

static void ask_more(struct job *job)
{
    const char *token = json_string_value(json_object_get(job->tokens, "access_token"));
    struct ask_options options = {.url = job->oidc->provider.userinfo_endpoint,
                                  .on_answer = on_userinfo};
    char *bearer;
    size_t room;

    /* Without the groups that only the userinfo_endpoint tells, a later entry of admin.users could
     * be theirs, which allows more: whoever can't be asked for isn't let in. */
    for (const char *c = token; c && *c; c++) {
        if (*c <= ' ' || *c > '~')
            token = NULL; /* no token (RFC 6750, 2.1), but something that doesn't fit a field */
    }
    if (!token) {
        fail(job, INVALID, "the provider gives no access token for its userinfo_endpoint");
        return;
    }
    room = strlen(token) + sizeof("Bearer ");
    if (!(bearer = malloc(room))) {
        fail(job, BUSY, "out of memory");
        return;
    }
    snprintf(bearer, room, "Bearer %s", token);
    options.authorization = bearer;
    job->stage = STAGE_ASKED;
    ask(job, &options);
    sodium_memzero(bearer, room);
    free(bearer);
}

static bool may_ask_again(const struct oidc *oidc)
{
    return oidc->again_ms == 0 || clock_mono_ms() - oidc->again_ms >= OIDC_KEYS_AGAIN_MS;
}

static void open_id_token(struct job *job)
{
    struct oidc *oidc = job->oidc;
    const struct users_oidc *settings = settings_of(oidc);
    const json_t *id_token = json_object_get(job->tokens, "id_token");
    const struct id_token_expected expected = {.issuer = settings->issuer,
                                               .client_id = settings->client_id,
                                               .nonce = job->visit.nonce,
                                               .now_s = clock_wall_ms() / 1000};
    struct slice text = slice_make(json_string_value(id_token), json_string_length(id_token));
    struct error err = {0};

    switch (id_token_open(text, oidc->key_set, &expected, &job->claims, &err)) {
    case ID_TOKEN_OK:
        if (oidc->provider.userinfo_endpoint && oidc_claims_lack(job->claims, settings))
            ask_more(job);
        else
            let_in(job);
        return;
    case ID_TOKEN_UNKNOWN_KEY:
        /* It has new keys, perhaps; but a token can be made to look like that. */
        if (!job->asked_again && (oidc->load != LOAD_NONE || may_ask_again(oidc))) {
            job->asked_again = true;
            job->is_waiting = true;
            if (oidc->load == LOAD_NONE) {
                oidc->again_ms = clock_mono_ms();
                load_keys(oidc);
            }
            return;
        }
        break;
    case ID_TOKEN_REFUSED:
        break;
    }
    fail(job, INVALID, "%s", err.text);
}

/* --- the code --- */

static void on_tokens(void *owner, const struct ask_answer *answer)
{
    struct job *job = owner;
    char why[256];
    const char *fault;

    job->ask = NULL;
    if (answer->status >= 400 && answer->status < 500)
        attempts_note_failure(job->oidc->attempts,
                              counted_for(job->request, &job->visit, job->address),
                              clock_mono_ms());
    /* A code that is wrong, used or too old. */
    if (answer->status == 400 || answer->status == 401) {
        fail(job, INVALID, "the provider's token_endpoint answers %ld: %s", answer->status,
             answer->status == 400 ? "it doesn't take the code"
                                   : "it doesn't take our client_id or secret");
        return;
    }
    fault = fault_of(answer, "the provider's token_endpoint", why);
    if (fault) {
        fail(job, UNREACHABLE, "%s", fault);
        return;
    }
    job->tokens = json_loadb(answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_string(json_object_get(job->tokens, "id_token"))) {
        fail(job, INVALID, "the provider's token_endpoint gives no ID token");
        return;
    }
    job->stage = STAGE_TOKEN;
    open_id_token(job);
}

/* client_secret_basic (RFC 6749, 2.3.1): both are encoded as in a form, and then once more. */
static bool write_basic(const struct users_oidc *settings, char out[static BASIC_MAX])
{
    static const char scheme[] = "Basic ";
    char pair[BASIC_MAX / 2], *id = curl_easy_escape(NULL, settings->client_id, 0);
    char *secret = curl_easy_escape(NULL, settings->client_secret, 0);
    int len = id && secret ? snprintf(pair, sizeof(pair), "%s:%s", id, secret) : -1;
    bool ok = len > 0 && (size_t)len < sizeof(pair);

    if (ok) {
        memcpy(out, scheme, sizeof(scheme));
        sodium_bin2base64(out + strlen(scheme), BASIC_MAX - strlen(scheme),
                          (const unsigned char *)pair, (size_t)len, sodium_base64_VARIANT_ORIGINAL);
    }
    if (secret)
        sodium_memzero(secret, strlen(secret));
    sodium_memzero(pair, sizeof(pair));
    curl_free(id);
    curl_free(secret);
    return ok;
}

static void ask_for_tokens(struct job *job)
{
    const struct users_oidc *settings = settings_of(job->oidc);
    const struct oidc_provider *provider = &job->oidc->provider;
    bool by_body = settings->client_secret && provider->takes_secret_in_body;
    bool by_field = settings->client_secret && !provider->takes_secret_in_body;
    struct ask_options options = {.url = provider->token_endpoint, .on_answer = on_tokens};
    struct evbuffer *out = evbuffer_new();
    char basic[BASIC_MAX], *form;

    if (!out) {
        fail(job, BUSY, "out of memory");
        return;
    }
    add_param(out, "grant_type", "authorization_code");
    add_param(out, "code", job->code);
    add_param(out, "code_verifier", job->visit.verifier);
    if (!by_field)
        add_param(out, "client_id", settings->client_id);
    if (by_body)
        add_param(out, "client_secret", settings->client_secret);
    if (!add_redirect_uri(job, out) || (by_field && !write_basic(settings, basic))) {
        evbuffer_free(out);
        fail(job, INVALID, "the secret is too long, or the request names no host");
        return;
    }
    options.authorization = by_field ? basic : NULL;
    options.form = form = take_text(out, SIZE_MAX - 1);
    if (form)
        ask(job, &options);
    else
        fail(job, BUSY, "out of memory");
    sodium_memzero(basic, sizeof(basic));
    if (form)
        sodium_memzero(form, strlen(form));
    free(form);
}

/* The provider says who it is, if it can: a code of another one is not for this one (RFC 9207). */
static bool is_of_provider(const struct job *job)
{
    struct slice iss = query_find(&job->request->query, "iss");

    return iss.ptr ? slice_equal(iss, slice_of(settings_of(job->oidc)->issuer))
                   : !job->oidc->provider.says_issuer;
}

static void go_on(struct job *job)
{
    switch (job->stage) {
    case STAGE_VISIT:
        if (has_provider(job))
            send_to_provider(job);
        return;
    case STAGE_CODE:
        if (!has_provider(job))
            return;
        if (is_of_provider(job))
            ask_for_tokens(job);
        else
            fail(job, INVALID, "the code comes from another provider");
        return;
    case STAGE_TOKEN:
        open_id_token(job);
        return;
    case STAGE_ASKED:
        break;
    }
}

/* --- the routes --- */

/* False: there is no provider; replied to. */
static bool has_settings(struct request *request)
{
    if (settings_of(request->server->oidc))
        return true;
    request_fail(request, 404, NULL, "no OpenID provider is configured");
    return false;
}

void oidc_handle_start(struct request *request)
{
    struct job *job;

    if (!has_settings(request) || !(job = start_job(request->server->oidc, request, STAGE_VISIT)))
        return;
    oidc_visit_start(&job->visit, query_find(&request->query, "to"), clock_wall_ms() / 1000);
    go_on(job);
}

void oidc_handle_callback(struct request *request)
{
    const struct query *query = &request->query;
    struct slice code = query_find(query, "code"), error = query_find(query, "error");
    uint8_t address[IP_LEN];
    struct oidc_visit visit;
    bool is_secure, is_ours;
    struct job *job;

    if (!has_settings(request))
        return;
    is_ours = oidc_visit_open(&visit, site_keys(request->server->site),
                              cookie_find(request, &visit_cookie, &is_secure),
                              clock_wall_ms() / 1000, OIDC_SIGN_IN_S) &&
              oidc_visit_has_state(&visit, query_find(query, "state"));
    cookie_set(request, &visit_cookie, request->is_secure, "", 0);
    if (!is_ours) {
        note_refusal(request, "the sign-in was not begun in this browser, or too long ago");
        lead_back(request, true, LOST);
        return;
    }
    /* Anybody can begin a visit and come back with a made-up code, which costs the provider a
     * request with our secret. */
    write_address(request, address);
    if (attempts_own_wait_ms(request->server->oidc->attempts, counted_for(request, &visit, address),
                             clock_mono_ms()) > 0) {
        note_refusal(request, request->origin.is_client_known
                                  ? "too many wrong codes from this address"
                                  : "too many wrong codes in this sign-in");
        lead_back(request, true, BUSY);
        return;
    }
    if (!(job = start_job(request->server->oidc, request, STAGE_CODE)))
        return;
    job->visit = visit;
    sodium_memzero(&visit, sizeof(visit));
    if (error.ptr) {
        fail(job, REFUSED, "it says %.40s",
             slice_equal(error, slice_of("access_denied")) ? "access_denied" : "an error");
        return;
    }
    if (code.len == 0 || code.len > CODE_MAX || !(job->code = strndup(code.ptr, code.len))) {
        fail(job, INVALID, "the reply has no code");
        return;
    }
    go_on(job);
}

/* --- life --- */

struct oidc *oidc_new(struct server *server)
{
    struct oidc *oidc = calloc(1, sizeof(*oidc));

    if (!oidc || !(oidc->attempts = attempts_new())) {
        free(oidc);
        return NULL;
    }
    oidc->server = server;
    return oidc;
}

void oidc_reset(struct oidc *oidc)
{
    while (oidc->jobs)
        fail(oidc->jobs, BUSY, "the configuration was read anew");
    ask_forget(oidc->ask);
    oidc->ask = NULL;
    oidc->load = LOAD_NONE;
    oidc_provider_clear(&oidc->provider);
    json_decref(oidc->key_set);
    oidc->key_set = NULL;
    oidc->loaded_ms = oidc->again_ms = 0;
}

void oidc_free(struct oidc *oidc)
{
    if (!oidc)
        return;
    oidc_reset(oidc);
    asker_free(oidc->asker);
    attempts_free(oidc->attempts);
    free(oidc);
}
