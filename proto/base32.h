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

/* The number of characters that encode `len` bytes. */
static inline size_t base32_text_len(size_t len)
{
    return (len * 8 + 4) / 5;
}

/* Writes base32_text_len(len) characters to `out`, without a NUL. */
void base32_encode(const uint8_t *bytes, size_t len, char *out);

/*
 * Decodes the digits at the start of `text`, up to the first other character or the end, and sets
 * `*n_digits` to their number.
 *
 * True: they are the encoding of `*len` bytes, 0…`max`, which are in `out`.  False: no encoding has
 * this length, the unused last bits are not zero, or the result has more than `max` bytes.  `*len`
 * and `out` are then unspecified.
 */
MUST_USE bool base32_decode(struct slice text, uint8_t *out, size_t max, size_t *len,
                            size_t *n_digits);

/* Whether `n_digits` digits, the last of them `last`, can encode whole bytes, judged by their
 * number and the unused last bits.  Cheaper than base32_decode(). */
bool base32_may_end(size_t n_digits, char last);

/* The lower-case digit that means the same as `c` ('O' gives '0'), or 0 if `c` is not a digit. */
char base32_canonical(char c);

#endif
