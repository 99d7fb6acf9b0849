/* seal.h - texts that only we can read and write, for cookies: any pod with the same key file opens
 * what another one sealed.  No I/O and no clock. */
#ifndef ADMIN_SEAL_H
#define ADMIN_SEAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct token_keyring;

enum {
    SEAL_PLAIN_MAX = 1024,
    SEAL_MORE = 41, /* bytes that sealing adds, before base64 */
};

/* The length of a sealed text, without its NUL. */
#define SEAL_TEXT_LEN(plain_len) (((plain_len) + SEAL_MORE + 2) / 3 * 4)

/* Writes a sealed text and a NUL; `out_max` must be over SEAL_TEXT_LEN() of the length.  What is
 * sealed for another `purpose` doesn't open.  False: the keyring has no key that is in use. */
MUST_USE bool seal_write(const struct token_keyring *ring, const char *purpose,
                         const uint8_t *plain, size_t len, char *out, size_t out_max);

/* Opens a sealed text of at most `max` bytes.  False: it isn't ours, was changed, or is longer. */
MUST_USE bool seal_open(const struct token_keyring *ring, const char *purpose, struct slice text,
                        uint8_t *plain, size_t max, size_t *len);

#endif
