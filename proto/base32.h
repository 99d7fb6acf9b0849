/* base32.h - Crockford's base32 without padding or check digit, most significant bit first.
 *
 * Writes lower case; reads either case, `o` as 0 and `i` and `l` as 1, so that a text survives mail
 * gateways, telephones and people.  `u` is no digit.  Pure; one pass, no allocation.
 */
#ifndef PROTO_BASE32_H
#define PROTO_BASE32_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

/* Characters that `len` bytes take. */
static inline size_t base32_text_len(size_t len)
{
    return (len * 8 + 4) / 5;
}

/* Writes base32_text_len(len) characters to `out`, without a NUL. */
void base32_encode(const uint8_t *bytes, size_t len, char *out);

/*
 * Reads the digits that `text` starts with, up to the first other character or the end; puts their
 * number into `*n_digits`.
 *
 * True: they are the encoding of `*len` bytes, 0…`max`, which are in `out`.  False: no encoding is
 * that long, its unused last bits are not zero, or it is of more than `max` bytes; then `*len` is
 * unspecified, as are the bytes of `out`.
 */
MUST_USE bool base32_decode(struct slice text, uint8_t *out, size_t max, size_t *len,
                            size_t *n_digits);

/* Whether `n_digits` digits, the last of them `last`, can be the encoding of whole bytes: by their
 * number and the unused last bits.  Costs less than base32_decode(). */
bool base32_may_end(size_t n_digits, char last);

/* The lower-case character that encodes the same as `c` ('O' gives '0'), or 0: `c` is no digit. */
char base32_canonical(char c);

#endif
