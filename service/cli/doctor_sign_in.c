/* doctor: how people sign in: the OpenID provider, and whom a proxy's field is believed of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <jansson.h>

#include "service/admin/asker.h"
#include "service/admin/id_token.h"
#include "service/admin/oidc_provider.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/cli/doctor.h"
#include "service/config/config.h"
#include "service/config/users.h"

enum { HOST_BITS = 128 };

/* One question at a time. */
struct provider {
    struct doctor *doctor;
    const struct users_oidc *settings;
    struct event_base *base;
    struct asker *asker;
    long status; /* of the last answer; 0: `error` says why there was none */
    char error[256];
    int64_t clock_ms; /* 0 = it tells none */
    char *body;
    size_t body_len;
};

static void on_answer(void *owner, const struct ask_answer *answer)
{
    struct provider *p = owner;

    p->status = answer->status;
    snprintf(p->error, sizeof(p->error), "%.250s", answer->error);
    p->clock_ms = answer->clock_ms;
    p->body = strndup(answer->body.ptr, answer->body.len);
    p->body_len = p->body ? strlen(p->body) : 0;
    event_base_loopbreak(p->base);
}

/* Whether the page is there; else it was said. */
static bool fetch(struct provider *p, const char *what, const char *url)
{
    const struct ask_options options = {
        .url = url, .tls_ca = p->settings->tls_ca, .on_answer = on_answer, .owner = p};

    free(p->body);
    p->body = NULL;
    p->status = 0;
    if (!asker_ask(p->asker, &options)) {
        doctor_say(p->doctor, DOCTOR_NOTE, "sign-in", what, "out of memory");
        return false;
    }
    event_base_loop(p->base, EVLOOP_NO_EXIT_ON_EMPTY);
    if (p->status == 200 && p->body)
        return true;
    if (p->status != 0)
        doctor_say(p->doctor, DOCTOR_FIX, "sign-in", what, "%s answers %ld", url, p->status);
    else
        doctor_say(p->doctor, DOCTOR_FIX, "sign-in", what,
                   "%s: %s; nobody can sign in there until it answers", url, p->error);
    return false;
}

static void look_at_keys(struct provider *p, const char *url)
{
    json_t *keys;

    if (!fetch(p, "keys", url))
        return;
    keys = json_loadb(p->body, p->body_len, 0, NULL);
    if (id_token_can_use(keys))
        doctor_say(p->doctor, DOCTOR_GOOD, "sign-in", "keys",
                   "it signs with keys that hopcount knows");
    else
        doctor_say(p->doctor, DOCTOR_FIX, "sign-in", "keys",
                   "%s has no key for RS256 (2048 bits or more) or ES256; add one there", url);
    json_decref(keys);
}

static void look_at_provider(struct provider *p)
{
    char *url = oidc_metadata_url(p->settings->issuer);
    struct oidc_provider found = {.jwks_uri = NULL};
    struct error err = {0};
    size_t len = p->settings->url ? strlen(p->settings->url) : 0;

    if (url && fetch(p, "provider", url)) {
        doctor_say_clock(p->doctor, "sign-in", p->clock_ms);
        if (oidc_provider_read(&found, slice_make(p->body, p->body_len), p->settings->issuer,
                               &err)) {
            doctor_say(p->doctor, DOCTOR_GOOD, "sign-in", "provider",
                       "%s answers as an OpenID provider", p->settings->issuer);
            look_at_keys(p, found.jwks_uri);
        } else {
            doctor_say(p->doctor, DOCTOR_FIX, "sign-in", "provider", "%s: %s", url, err.text);
        }
    }
    if (len > 0)
        doctor_say(p->doctor, DOCTOR_GOOD, "sign-in", "redirect URI",
                   "%.*s/v1/session/oidc/callback is what the provider must know",
                   (int)(len - (p->settings->url[len - 1] == '/')), p->settings->url);
    else
        doctor_say(p->doctor, DOCTOR_NOTE, "sign-in", "redirect URI",
                   "it is made of the host that each request names; set admin.url, so that it is "
                   "always the one that the provider knows");
    oidc_provider_clear(&found);
    free(url);
}

/* 127.0.0.0/8 or ::1, or a part of it: where whatever runs on this machine can connect from. */
static bool is_of_this_machine(const struct network *network)
{
    struct network v4, v6;

    return network_parse("127.0.0.0/8", &v4) && network_parse("::1", &v6) &&
           ((network->bits >= v4.bits && network_contains(&v4, network->prefix)) ||
            (network->bits >= v6.bits && network_contains(&v6, network->prefix)));
}

/* Whoever can connect from there can be anybody. */
static void look_at_proxies(struct doctor *d)
{
    const struct config_public *public = &d->config->public;
    const char *field = d->config->admin.proxy.user_header;
    bool is_noted = false;

    for (unsigned i = 0; i < public->n_trusted_proxies; i++) {
        const struct network *network = &public->trusted_networks[i];

        if (is_of_this_machine(network))
            doctor_say(d, DOCTOR_NOTE, "sign-in", "trusted_proxies",
                       "every process and user of this machine connects from %s and can be "
                       "anybody, by %s; give the proxy an address of its own",
                       public->trusted_proxies[i], field);
        else if (network->bits != HOST_BITS)
            doctor_say(d, DOCTOR_NOTE, "sign-in", "trusted_proxies",
                       "whoever connects to admin.listen from %s can be anybody, by %s; name the "
                       "proxy's own address, or let nobody else there reach it",
                       public->trusted_proxies[i], field);
        else
            continue;
        is_noted = true;
    }
    if (!is_noted)
        doctor_say(d, DOCTOR_GOOD, "sign-in", "trusted_proxies", "single addresses only");
}

void doctor_look_at_sign_in(struct doctor *d)
{
    struct provider p = {.doctor = d};
    struct error err = {0};
    struct users *users = users_new(d->config, &err);

    if (!users) {
        doctor_say(d, DOCTOR_FIX, "sign-in", "admin.users", "%s", err.text);
        return;
    }
    if (users_proxy(users))
        look_at_proxies(d);
    p.settings = users_oidc(users);
    if (p.settings) {
        p.base = event_base_new();
        p.asker = p.base ? asker_new(p.base) : NULL;
        if (p.asker)
            look_at_provider(&p);
        else
            doctor_say(d, DOCTOR_NOTE, "sign-in", "provider", "out of memory");
        asker_free(p.asker);
        event_loop_free(p.base);
        free(p.body);
    }
    users_free(users);
}
