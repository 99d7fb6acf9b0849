/* id_token.h - opens the ID token of an OpenID provider (OpenID Connect Core 1.0, 3.1.3.7): a JWT
 * signed with RS256 or ES256.
 *
 * Signatures are libcjose's affair (and OpenSSL's); which of them counts is decided here.  No I/O
 * and no clock. */
#ifndef ADMIN_ID_TOKEN_H
#define ADMIN_ID_TOKEN_H
#include <stdint.h>

#include <jansson.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct error;

enum {
    ID_TOKEN_MAX = 32768,   /* bytes of a token */
    ID_TOKEN_SKEW_S = 60,   /* by which the clocks may differ */
    ID_TOKEN_KEYS_MAX = 32, /* of a provider that are looked at */
    ID_TOKEN_RSA_MIN = 2048,
    ID_TOKEN_RSA_MAX = 8192, /* bits: a longer one would keep the thread busy */
};

struct id_token_expected {
    const char *issuer, *client_id, *nonce;
    int64_t now_s; /* Unix */
};

enum id_token_status {
    ID_TOKEN_OK,
    ID_TOKEN_UNKNOWN_KEY, /* the set has no key that it could be signed with: ask for a newer one */
    ID_TOKEN_REFUSED,
};

/* Opens `text`; `key_set` is the provider's set of keys (RFC 7517, 5).  ID_TOKEN_OK and a new
 * reference `*claims`; else `*err` says why not, without a part of the token. */
MUST_USE enum id_token_status id_token_open(struct slice text, const json_t *key_set,
                                            const struct id_token_expected *expected,
                                            json_t **claims, struct error *err);

/* Whether `json` can be a set of keys, with one at least that could sign: for looking at a provider
 * before anybody signs in. */
MUST_USE bool id_token_can_use(const json_t *key_set);

#endif
