/* oidc_provider.h - what an OpenID provider says of itself (OpenID Connect Discovery 1.0), and what
 * it says of a person.  No I/O and no clock. */
#ifndef ADMIN_OIDC_PROVIDER_H
#define ADMIN_OIDC_PROVIDER_H
#include <stdbool.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/config/users.h"

struct error;

struct oidc_provider {
    char *authorization_endpoint, *token_endpoint, *jwks_uri;
    char *userinfo_endpoint;   /* NULL = none */
    bool takes_secret_in_body; /* it doesn't take it in Authorization */
    bool says_issuer;          /* in the reply that comes by the browser (RFC 9207) */
};

/* Writes the address of an issuer's metadata; NULL: no memory. */
MUST_USE char *oidc_metadata_url(const char *issuer);

/* Reads the metadata into `*out`, in place of what was read before, or of {0}; free it by
 * oidc_provider_clear().  False and `*err`: they aren't those of `issuer`, or lead to a place that
 * isn't safe, and `*out` is left alone. */
MUST_USE bool oidc_provider_read(struct oidc_provider *out, struct slice text, const char *issuer,
                                 struct error *err);
/* {0} is allowed. */
void oidc_provider_clear(struct oidc_provider *provider);

/* A person, as claims name them. */
struct oidc_person {
    struct slice name; /* all borrowed from the claims */
    size_t n_groups;
    struct slice groups[USERS_GROUPS_MAX];
};

/* Whether the claims lack what the settings look for: then they may stand at the provider's
 * userinfo_endpoint. */
bool oidc_claims_lack(const json_t *claims, const struct users_oidc *settings);

/* False and `*err`: the claims name nobody whom we could believe in. */
MUST_USE bool oidc_person_read(struct oidc_person *out, const json_t *claims,
                               const struct users_oidc *settings, struct error *err);

#endif
