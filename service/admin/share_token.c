#include "service/admin/share_token.h"

#include <string.h>

#include <sodium.h>

#include "proto/bytes.h"
#include "proto/token.h"

/*
 * The sealed text is "hcs_" and base64url of
 *     kid (1) | nonce (24) | secretbox of: version (1) | id (16, as text) | brand (4) | expires (8)
 * | hash of the API key or role (32); big-endian
 */
enum {
    VERSION = 1,
    PREFIX_LEN = sizeof(SHARE_PREFIX) - 1,
    ID_AT = 1,
    BRAND_AT = ID_AT + KEPT_ID_LEN,
    EXPIRES_AT = BRAND_AT + 4,
    HASH_AT = EXPIRES_AT + 8,
    PLAIN_LEN = HASH_AT + APIKEY_HASH_LEN,
    BOX_AT = 1 + crypto_secretbox_NONCEBYTES,
    SEALED_LEN = BOX_AT + crypto_secretbox_MACBYTES + PLAIN_LEN,
};

_Static_assert(PREFIX_LEN + sodium_base64_ENCODED_LEN(SEALED_LEN,
                                                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                   SHARE_TEXT_MAX + 1,
               "a sealed share is longer than SHARE_TEXT_MAX");

static const char purpose[] = "hopcount share 1";

bool share_token_is(struct slice text)
{
    return text.len > PREFIX_LEN && memcmp(text.ptr, SHARE_PREFIX, PREFIX_LEN) == 0;
}

bool share_token_seal(const struct share_token *token, const struct token_keyring *ring,
                      char out[static SHARE_TEXT_MAX + 1])
{
    uint8_t plain[PLAIN_LEN] = {VERSION}, sealed[SEALED_LEN], key[crypto_secretbox_KEYBYTES];

    sealed[0] = token_deriving_kid(ring);
    if (!token_derive_key(ring, sealed[0], purpose, key))
        return false;
    memcpy(plain + ID_AT, token->id, KEPT_ID_LEN);
    be32_store(plain + BRAND_AT, token->brand);
    be64_store(plain + EXPIRES_AT, (uint64_t)token->expires_s);
    memcpy(plain + HASH_AT, token->maker, APIKEY_HASH_LEN);
    randombytes_buf(sealed + 1, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + BOX_AT, plain, sizeof(plain), sealed + 1, key);
    memcpy(out, SHARE_PREFIX, PREFIX_LEN);
    sodium_bin2base64(out + PREFIX_LEN, SHARE_TEXT_MAX + 1 - PREFIX_LEN, sealed, sizeof(sealed),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(key, sizeof(key));
    return true;
}

bool share_token_open(struct share_token *token, const struct token_keyring *ring,
                      struct slice text, int64_t now_s)
{
    uint8_t sealed[SEALED_LEN], plain[PLAIN_LEN], key[crypto_secretbox_KEYBYTES];
    bool is_ours;
    size_t len;

    if (!share_token_is(text) ||
        sodium_base642bin(sealed, sizeof(sealed), text.ptr + PREFIX_LEN, text.len - PREFIX_LEN,
                          NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof(sealed) || !token_derive_key(ring, sealed[0], purpose, key))
        return false;
    is_ours = crypto_secretbox_open_easy(plain, sealed + BOX_AT, sizeof(sealed) - BOX_AT,
                                         sealed + 1, key) == 0 &&
              plain[0] == VERSION;
    sodium_memzero(key, sizeof(key));
    if (!is_ours)
        return false;
    *token = (struct share_token){.brand = be32_load(plain + BRAND_AT),
                                  .expires_s = (int64_t)be64_load(plain + EXPIRES_AT)};
    memcpy(token->id, plain + ID_AT, KEPT_ID_LEN);
    memcpy(token->maker, plain + HASH_AT, APIKEY_HASH_LEN);
    return now_s < token->expires_s;
}
