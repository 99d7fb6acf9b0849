#include "service/admin/seal.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "proto/token.h"

/* The sealed text is base64url of: kid (1) | nonce (24) | secretbox of the plain bytes. */
enum {
    BOX_AT = 1 + crypto_secretbox_NONCEBYTES,
    SEALED_MAX = SEAL_PLAIN_MAX + SEAL_MORE,
};

_Static_assert((int)SEAL_MORE == (int)BOX_AT + (int)crypto_secretbox_MACBYTES,
               "SEAL_MORE isn't what is added");
_Static_assert((int)TOKEN_KEY_LEN == (int)crypto_secretbox_KEYBYTES,
               "a derived key doesn't fit the secretbox");

bool seal_write(const struct token_keyring *ring, const char *purpose, const uint8_t *plain,
                size_t len, char *out, size_t out_max)
{
    uint8_t sealed[SEALED_MAX], key[crypto_secretbox_KEYBYTES];

    assert(len <= SEAL_PLAIN_MAX && out_max > SEAL_TEXT_LEN(len));
    sealed[0] = token_deriving_kid(ring);
    if (!token_derive_key(ring, sealed[0], purpose, key))
        return false;
    randombytes_buf(sealed + 1, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + BOX_AT, plain, len, sealed + 1, key);
    sodium_bin2base64(out, out_max, sealed, len + SEAL_MORE,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(key, sizeof(key));
    return true;
}

bool seal_open(const struct token_keyring *ring, const char *purpose, struct slice text,
               uint8_t *plain, size_t max, size_t *len)
{
    uint8_t sealed[SEALED_MAX], key[crypto_secretbox_KEYBYTES];
    size_t sealed_len;
    bool is_ours;

    if (sodium_base642bin(sealed, sizeof(sealed), text.ptr, text.len, NULL, &sealed_len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        sealed_len < SEAL_MORE || sealed_len - SEAL_MORE > max ||
        !token_derive_key(ring, sealed[0], purpose, key))
        return false;
    is_ours = crypto_secretbox_open_easy(plain, sealed + BOX_AT, sealed_len - BOX_AT, sealed + 1,
                                         key) == 0;
    sodium_memzero(key, sizeof(key));
    *len = sealed_len - SEAL_MORE;
    return is_ours;
}
