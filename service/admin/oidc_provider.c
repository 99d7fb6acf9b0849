#include "service/admin/oidc_provider.h"

#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"
#include "service/config/config_check.h"

static const char well_known[] = "/.well-known/openid-configuration";

char *oidc_metadata_url(const char *issuer)
{
    size_t len = strlen(issuer);
    char *url = malloc(len + sizeof(well_known));

    if (!url)
        return NULL;
    /* The issuer may end with a slash, which is its own then, and not said twice. */
    len -= issuer[len - 1] == '/';
    memcpy(url, issuer, len);
    memcpy(url + len, well_known, sizeof(well_known));
    return url;
}

static bool has_text(const json_t *list, const char *text)
{
    const json_t *value;
    size_t at;

    json_array_foreach(list, at, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
            return true;
    }
    return false;
}

/* Copies a URL.  Names, codes and tokens go there: an issuer with https has no place without. */
static bool read_url(const json_t *metadata, const char *name, bool needs_tls, char **out,
                     struct error *err)
{
    const char *url = json_string_value(json_object_get(metadata, name));

    if (!url) {
        error_set(err, "the provider's metadata have no %s", name);
        return false;
    }
    if (!config_is_safe_url(url) || (needs_tls && strncmp(url, "https://", 8) != 0)) {
        error_set(err, "the provider's %s is no https URL", name);
        return false;
    }
    if (!(*out = strdup(url)))
        error_set(err, "out of memory");
    return *out != NULL;
}

bool oidc_provider_read(struct oidc_provider *out, struct slice text, const char *issuer,
                        struct error *err)
{
    json_t *metadata = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct oidc_provider found = {.jwks_uri = NULL};
    bool needs_tls = strncmp(issuer, "http://", 7) != 0, ok = false;
    const json_t *methods, *own;

    if (!metadata) {
        error_set(err, "the provider's metadata are no JSON");
        return false;
    }
    own = json_object_get(metadata, "issuer");
    if (!json_is_string(own) || strcmp(json_string_value(own), issuer) != 0) {
        error_set(err, "the provider's issuer differs from admin.oidc.issuer; copy it exactly, "
                       "also the slash at its end");
        goto out;
    }
    methods = json_object_get(metadata, "token_endpoint_auth_methods_supported");
    found.takes_secret_in_body =
        !has_text(methods, "client_secret_basic") && has_text(methods, "client_secret_post");
    found.says_issuer =
        json_is_true(json_object_get(metadata, "authorization_response_iss_parameter_supported"));
    ok = read_url(metadata, "authorization_endpoint", needs_tls, &found.authorization_endpoint,
                  err) &&
         read_url(metadata, "token_endpoint", needs_tls, &found.token_endpoint, err) &&
         read_url(metadata, "jwks_uri", needs_tls, &found.jwks_uri, err) &&
         (!json_object_get(metadata, "userinfo_endpoint") ||
          read_url(metadata, "userinfo_endpoint", needs_tls, &found.userinfo_endpoint, err));
    if (ok) {
        oidc_provider_clear(out);
        *out = found;
    } else {
        oidc_provider_clear(&found);
    }
out:
    json_decref(metadata);
    return ok;
}

void oidc_provider_clear(struct oidc_provider *provider)
{
    free(provider->authorization_endpoint);
    free(provider->token_endpoint);
    free(provider->jwks_uri);
    free(provider->userinfo_endpoint);
    *provider = (struct oidc_provider){.jwks_uri = NULL};
}

/* --- people --- */

static bool is_email(const struct users_oidc *settings)
{
    return strcmp(settings->user_claim, "email") == 0;
}

bool oidc_claims_lack(const json_t *claims, const struct users_oidc *settings)
{
    return !json_object_get(claims, settings->user_claim) ||
           !json_object_get(claims, settings->groups_claim) ||
           (is_email(settings) && !json_object_get(claims, "email_verified"));
}

static struct slice slice_of_json(const json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

bool oidc_person_read(struct oidc_person *out, const json_t *claims,
                      const struct users_oidc *settings, struct error *err)
{
    const json_t *name = json_object_get(claims, settings->user_claim), *group;
    const json_t *groups = json_object_get(claims, settings->groups_claim);
    const json_t *verified = json_object_get(claims, "email_verified");
    size_t at;

    *out = (struct oidc_person){.n_groups = 0};
    if (!json_is_string(name)) {
        error_set(err, "the provider doesn't tell the claim %s", settings->user_claim);
        return false;
    }
    out->name = slice_of_json(name);
    if (!config_is_person(out->name)) {
        error_set(err,
                  "the claim %s is empty, too long, or has blanks, commas or characters beyond "
                  "ASCII",
                  settings->user_claim);
        return false;
    }
    /* Who can register with any address could have any role.  Some providers say it as a text. */
    if (is_email(settings) && !json_is_true(verified) &&
        !(json_is_string(verified) && strcmp(json_string_value(verified), "true") == 0)) {
        error_set(err, "the provider doesn't say that the email was verified");
        return false;
    }
    if (json_is_string(groups))
        out->groups[out->n_groups++] = slice_of_json(groups);
    json_array_foreach(groups, at, group)
    {
        if (json_is_string(group) && out->n_groups < USERS_GROUPS_MAX)
            out->groups[out->n_groups++] = slice_of_json(group);
    }
    return true;
}
