#include "proto/view.h"

#include <string.h>

#include <sodium.h>

#include "proto/base32.h"
#include "proto/bytes.h"
#include "proto/token.h"

/* expiry(4) | id(8) | seal(16), 28 bytes. */
enum {
    EXPIRY_LEN = 4,
    SEAL_LEN = 16,
    BYTES_LEN = EXPIRY_LEN + VIEW_ID_LEN + SEAL_LEN,
    HASH_LEN = 32,
    USE_VIEW = 3, /* a token's tag and pad are uses 1 and 2 of the same key */
};

/* The seal of the expiry and the id at the start of `bytes`. */
static void make_seal(const struct token_keyring *ring, struct slice brand,
                      const struct token *token, const uint8_t bytes[static BYTES_LEN],
                      uint8_t seal[static HASH_LEN])
{
    uint8_t message[3 + TOKEN_BRAND_MAX + 8 + EXPIRY_LEN + VIEW_ID_LEN];
    size_t len = 3;

    message[0] = USE_VIEW;
    message[1] = token->kid;
    message[2] = (uint8_t)brand.len;
    memcpy(message + len, brand.ptr, brand.len);
    len += brand.len;
    be64_store(message + len, token->link_id);
    len += 8;
    memcpy(message + len, bytes, EXPIRY_LEN + VIEW_ID_LEN);
    len += EXPIRY_LEN + VIEW_ID_LEN;
    blake2b_hash(&ring->key[token->kid].tag, message, len, seal);
}

void view_seal(const struct token_keyring *ring, struct slice brand, const struct token *token,
               int64_t now_s, const uint8_t id[static VIEW_ID_LEN], char out[static VIEW_TEXT_LEN])
{
    uint8_t bytes[BYTES_LEN], seal[HASH_LEN];

    be32_store(bytes, (uint32_t)(now_s / 60 + VIEW_VALID_MIN));
    memcpy(bytes + EXPIRY_LEN, id, VIEW_ID_LEN);
    make_seal(ring, brand, token, bytes, seal);
    memcpy(bytes + EXPIRY_LEN + VIEW_ID_LEN, seal, SEAL_LEN);
    base32_encode(bytes, sizeof(bytes), out);
}

enum view_status view_open(const struct token_keyring *ring, struct slice brand,
                           const struct token *token, int64_t now_s, struct slice text,
                           uint8_t id[static VIEW_ID_LEN])
{
    uint8_t bytes[BYTES_LEN], seal[HASH_LEN];
    size_t len, n_digits;

    if (text.len != VIEW_TEXT_LEN || !base32_decode(text, bytes, sizeof(bytes), &len, &n_digits) ||
        n_digits != VIEW_TEXT_LEN || len != BYTES_LEN)
        return VIEW_FOREIGN;
    make_seal(ring, brand, token, bytes, seal);
    if (sodium_memcmp(seal, bytes + EXPIRY_LEN + VIEW_ID_LEN, SEAL_LEN) != 0)
        return VIEW_FOREIGN;
    if (now_s / 60 >= (int64_t)be32_load(bytes))
        return VIEW_EXPIRED;
    memcpy(id, bytes + EXPIRY_LEN, VIEW_ID_LEN);
    return VIEW_OK;
}
