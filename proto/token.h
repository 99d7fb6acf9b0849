/* token.h - the sealed token in a short link (FORMATS.md "Token").
 *
 * Pure: no I/O, no clock, no allocation.  The construction is SIV (Rogaway and Shrimpton, 2006)
 * from one pseudo-random function, keyed BLAKE2b (RFC 7693).
 */
#ifndef PROTO_TOKEN_H
#define PROTO_TOKEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/blake2b.h"
#include "proto/compiler.h"
#include "proto/slice.h"
#include "proto/token_text.h"

enum {
    TOKEN_KEY_LEN = 32,
    TOKEN_ARG_MAX = 48,
    TOKEN_BRAND_MAX = 63,
    TOKEN_BYTES_MAX = 76, /* what the longest text encodes */
    TOKEN_TTL_CODES = 16,
};

/* Unix seconds of minute 0 of the `issued` field: 2024-01-01T00:00:00Z. */
#define TOKEN_EPOCH_S INT64_C(1704067200)

enum token_kind { TOKEN_KIND_VIEW = 1, TOKEN_KIND_PAY = 2, TOKEN_KIND_LOGIN = 3 }; /* 4…15 own */

/* What a token holds. */
struct token {
    uint64_t link_id;    /* names the link in statistics and logs; set by seal and open */
    uint32_t object;     /* invoice, service, ticket … number */
    uint32_t client;     /* 0 = none */
    uint32_t issued_min; /* minutes since TOKEN_EPOCH_S, below 2^24 */
    uint16_t campaign;   /* 0 = none */
    uint8_t kid;         /* key id, 1…255; set by seal and open */
    uint8_t kind;        /* 1…15, enum token_kind or a brand's own */
    uint8_t ttl_code;    /* 0…15, see token_ttl_s() */
    uint8_t channel;     /* 0…7 */
    uint8_t variant;     /* 0 none, 1…7 = A…G */
    bool silent;         /* redirect, do not count */
    bool once;           /* one use only (login links) */
    uint8_t arg_len;     /* bytes of `arg`, 0…TOKEN_ARG_MAX */
    char arg[TOKEN_ARG_MAX];
    uint8_t n_bytes; /* of `bytes`: the sealed token, which token_text() writes; set like link_id */
    uint8_t bytes[TOKEN_BYTES_MAX];
};

enum token_key_state { TOKEN_KEY_ABSENT, TOKEN_KEY_MINT, TOKEN_KEY_VERIFY, TOKEN_KEY_REVOKED };

/* A key, prepared for both of its uses. */
struct token_key {
    struct blake2b_key tag; /* makes T */
    struct blake2b_key pad; /* makes what hides P */
};

/*
 * The keys by kid.  Secret: lives in sodium_malloc() memory (service/config/keys.h), is filled with
 * token_keyring_init() and token_keyring_set() and read-only afterwards.
 */
struct token_keyring {
    uint8_t state[256]; /* enum token_key_state */
    uint8_t mint_kid;   /* the kid that mints, 0 = none */
    struct token_key key[256];
};

enum token_status {
    TOKEN_OK,
    TOKEN_MALFORMED,   /* holds no text of a token, or one that token_seal() would not make */
    TOKEN_UNKNOWN_KEY, /* no such kid, or revoked */
    TOKEN_FORGED,      /* the tag does not match: changed, other key, other brand */
};

/* Makes an empty keyring.  Kid 0, which no token has, gets a random key as a decoy: a token without
 * a usable key is processed with it, so that a refusal takes the time of a forged token.  Needs
 * sodium_init(). */
void token_keyring_init(struct token_keyring *ring);

/* Adds a key; `kid` 1…255, `state` not ABSENT.  A MINT key becomes the one that mints; for a
 * REVOKED key only the state is stored. */
void token_keyring_set(struct token_keyring *ring, uint8_t kid, enum token_key_state state,
                       const uint8_t key[static TOKEN_KEY_LEN]);

/*
 * Derives a key for another `purpose` (a short text of its own, at most 64 bytes) from the token
 * key of `kid`: BLAKE2b-256(key, 0x04 | purpose).  All who have the key file derive the same; no
 * input of a token begins with 0x04.  False: the kid is absent or revoked.
 */
MUST_USE bool token_derive_key(const struct token_keyring *ring, uint8_t kid, const char *purpose,
                               uint8_t out[static TOKEN_KEY_LEN]);

/* The kid whose derived keys are to be used for something new: the one that mints, or else the
 * first that is in use; 0 = there is none. */
uint8_t token_deriving_kid(const struct token_keyring *ring);

/*
 * Opens the token that `text` starts with, for `brand`.  What stands behind it is passed over; what
 * mail programs put before and into it is left out (FORMATS.md "Token text").
 *
 * Returns TOKEN_OK and fills `*out`; on any other status `*out` is left alone.  The expiry is not
 * looked at: see token_is_expired().  The tag is compared in constant time before any field is
 * read.  A text as it was minted costs one try; every refusal of a text of token length costs the
 * same six.
 */
MUST_USE enum token_status token_open(const struct token_keyring *ring, struct slice brand,
                                      struct slice text, struct token *out);

/* Writes the canonical text of a token that was opened or sealed, and a NUL; returns its length. */
size_t token_text(const struct token *token, char out[static TOKEN_TEXT_MAX + 1]);

/* Why a token can't be sealed; in the order the fields are checked. */
enum token_fault {
    TOKEN_FAULT_NONE,
    TOKEN_FAULT_KEY, /* the kid is absent or revoked */
    TOKEN_FAULT_BRAND,
    TOKEN_FAULT_KIND,
    TOKEN_FAULT_TTL,
    TOKEN_FAULT_ISSUED,
    TOKEN_FAULT_CHANNEL,
    TOKEN_FAULT_VARIANT,
    TOKEN_FAULT_ARG, /* too long, or a byte outside [A-Za-z0-9._~-] */
};

/*
 * Seals the fields of `*token` with key `token->kid` for `brand`; writes the text and a NUL to
 * `out`, its length to `*out_len`, and sets link_id and bytes of `*token`.  The same fields give
 * the same text.
 *
 * Returns TOKEN_FAULT_NONE, or the first bad field; then nothing was written.
 */
MUST_USE enum token_fault token_seal(const struct token_keyring *ring, struct slice brand,
                                     struct token *token, char out[static TOKEN_TEXT_MAX + 1],
                                     size_t *out_len);

/* Seconds a link of `ttl_code` (0…15) is valid; 0 = for ever. */
int64_t token_ttl_s(uint8_t ttl_code);

/* Unix second from which on the token no longer opens; INT64_MAX = never. */
int64_t token_expires_s(const struct token *token);

static inline bool token_is_expired(const struct token *token, int64_t now_s)
{
    return now_s >= token_expires_s(token);
}

/* Unix second of the `issued` field. */
static inline int64_t token_issued_s(const struct token *token)
{
    return TOKEN_EPOCH_S + (int64_t)token->issued_min * 60;
}

/* The code of the shortest time that is at least `ttl_s` (0 or more); 0, for ever, when no other is
 * as long. */
uint8_t token_ttl_code_for(int64_t ttl_s);
/* "never", "15m", "1h", … for a ttl code; the code of such a text, or -1. */
const char *token_ttl_name(uint8_t ttl_code);
int token_ttl_find(struct slice name);

/* "mail", "sms", … for a channel; the channel of such a text, or -1. */
const char *token_channel_name(uint8_t channel);
int token_channel_find(struct slice name);

#endif
