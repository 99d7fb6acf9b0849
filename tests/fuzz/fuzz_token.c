#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/base32.h"
#include "proto/token.h"
#include "proto/token_text.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct token_keyring ring;
static const struct slice brand = {"acme", 4};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t key[TOKEN_KEY_LEN];

    (void)argc;
    (void)argv;
    if (sodium_init() < 0)
        abort();
    for (uint8_t i = 0; i < TOKEN_KEY_LEN; i++)
        key[i] = i;
    token_keyring_init(&ring);
    token_keyring_set(&ring, 1, TOKEN_KEY_MINT, key);
    token_keyring_set(&ring, 2, TOKEN_KEY_REVOKED, key);
    return 0;
}

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* A text that opens is the one that its fields seal to, but for spelling and what was left out. And
 * what is tried is made of as many digits as a token may have. */
static void check_text(struct slice text)
{
    char canonical[TOKEN_TEXT_MAX + 1], sealed[TOKEN_TEXT_MAX + 1];
    struct token_tries tries;
    struct token token;
    size_t len;

    token_text_find_tries(text, &tries);
    require(tries.n <= TOKEN_TEXT_TRIES);
    for (size_t i = 0; i < tries.n; i++) {
        struct slice digits = tries.digits[i];

        require(digits.len >= TOKEN_TEXT_MIN && digits.len <= TOKEN_TEXT_MAX);
        for (size_t j = 0; j < digits.len; j++)
            require(base32_canonical(digits.ptr[j]) != 0);
    }
    if (token_open(&ring, brand, text, &token) != TOKEN_OK)
        return;
    require(token.kid == 1 && token_text(&token, canonical) >= TOKEN_TEXT_MIN);
    require(token_seal(&ring, brand, &token, sealed, &len) == TOKEN_FAULT_NONE);
    require(strcmp(sealed, canonical) == 0);
}

/* What decodes encodes to the same digits. */
static void check_base32(struct slice text)
{
    uint8_t bytes[256];
    char again[512];
    size_t len, n_digits;

    if (!base32_decode(text, bytes, sizeof(bytes), &len, &n_digits))
        return;
    require(base32_text_len(len) == n_digits && n_digits <= text.len);
    base32_encode(bytes, len, again);
    for (size_t i = 0; i < n_digits; i++)
        require(again[i] == base32_canonical(text.ptr[i]));
}

/* Any fields either can't be sealed or come back as they were. */
static void check_fields(const uint8_t *data, size_t size)
{
    char text[TOKEN_TEXT_MAX + 1];
    struct token token = {0}, opened;
    size_t len;

    if (size < 16)
        return;
    token.kid = data[0] & 3;
    token.kind = data[1] & 31;
    token.ttl_code = data[2] & 31;
    token.channel = data[3] & 15;
    token.variant = data[4] & 15;
    token.silent = data[5] & 1;
    token.once = data[5] & 2;
    memcpy(&token.object, data + 6, 4);
    memcpy(&token.client, data + 10, 4);
    memcpy(&token.campaign, data + 14, 2);
    token.arg_len = (uint8_t)(size - 16 > TOKEN_ARG_MAX ? TOKEN_ARG_MAX : size - 16);
    memcpy(token.arg, data + 16, token.arg_len);
    if (token_seal(&ring, brand, &token, text, &len) != TOKEN_FAULT_NONE)
        return;
    require(token_open(&ring, brand, slice_make(text, len), &opened) == TOKEN_OK);
    require(opened.object == token.object && opened.client == token.client &&
            opened.campaign == token.campaign && opened.kind == token.kind &&
            opened.arg_len == token.arg_len && memcmp(opened.arg, token.arg, token.arg_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);

    check_text(text);
    check_base32(text);
    check_fields(data, size);
    return 0;
}
