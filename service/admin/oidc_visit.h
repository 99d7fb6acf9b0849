/* oidc_visit.h - what a visit to an OpenID provider begins with and is held against when it ends: a
 * sealed text that only the browser holds.  No I/O and no clock. */
#ifndef ADMIN_OIDC_VISIT_H
#define ADMIN_OIDC_VISIT_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct token_keyring;

enum {
    OIDC_VISIT_SEED_LEN = 32,
    OIDC_VISIT_SECRET_LEN = 43, /* base64url of 32 bytes */
    OIDC_VISIT_VIEW_MAX = 512,  /* bytes of the view that the visit began at */
    OIDC_VISIT_TEXT_MAX = 800,  /* bytes of the sealed text, without a NUL */
};

struct oidc_visit {
    int64_t started_s; /* Unix */
    uint8_t seed[OIDC_VISIT_SEED_LEN];
    char view[OIDC_VISIT_VIEW_MAX + 1]; /* below the dashboard: "campaigns?from=7d" */
    /* All made from the seed. */
    char state[OIDC_VISIT_SECRET_LEN + 1];     /* comes back with the code */
    char nonce[OIDC_VISIT_SECRET_LEN + 1];     /* comes back in the ID token */
    char verifier[OIDC_VISIT_SECRET_LEN + 1];  /* goes with the code … */
    char challenge[OIDC_VISIT_SECRET_LEN + 1]; /* … and was announced by this (RFC 7636, S256) */
};

/* A view with other characters than those of the dashboard's addresses is left out. */
void oidc_visit_start(struct oidc_visit *visit, struct slice view, int64_t now_s);

/* False: the keyring has no key that is in use. */
MUST_USE bool oidc_visit_seal(const struct oidc_visit *visit, const struct token_keyring *ring,
                              char out[static OIDC_VISIT_TEXT_MAX + 1]);
/* False: the text isn't ours, was changed, or is older than `life_s`. */
MUST_USE bool oidc_visit_open(struct oidc_visit *visit, const struct token_keyring *ring,
                              struct slice text, int64_t now_s, int64_t life_s);

/* Whether the text is the visit's state. */
MUST_USE bool oidc_visit_has_state(const struct oidc_visit *visit, struct slice text);

#endif
