#include "proto/base32.h"

#include "proto/bytes.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { NONE = 0x80 }; /* survives an OR over several values */

/* clang-format off */
static const uint8_t values[256] = {
#define X NONE
#define XXXXXXXXXXXXXXXX X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X
    XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, X, X, X, X, X, X,
    /* @  A   B   C   D   E   F   G   H  I   J   K  L   M   N  O */
    X, 10, 11, 12, 13, 14, 15, 16, 17, 1, 18, 19, 1, 20, 21, 0,
    /* P  Q   R   S   T  U   V   W   X   Y   Z */
    22, 23, 24, 25, 26, X, 27, 28, 29, 30, 31, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, 16, 17, 1, 18, 19, 1, 20, 21, 0,
    22, 23, 24, 25, 26, X, 27, 28, 29, 30, 31, X, X, X, X, X,
    XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX,
    XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX,
#undef XXXXXXXXXXXXXXXX
#undef X
};
/* clang-format on */

static inline unsigned value_of(char c)
{
    return values[(uint8_t)c];
}

char base32_canonical(char c)
{
    unsigned value = value_of(c);

    return value & NONE ? 0 : digits[value];
}

void base32_encode(const uint8_t *bytes, size_t len, char *out)
{
    uint32_t bits = 0; /* the low n_bits of it are still to be written */
    unsigned n_bits = 0;

    for (; len >= 5; len -= 5, bytes += 5, out += 8) {
        uint64_t group = (uint64_t)be32_load(bytes) << 8 | bytes[4];

        for (int i = 0; i < 8; i++)
            out[i] = digits[group >> (35 - 5 * i) & 31];
    }
    for (; len > 0; len--) {
        bits = bits << 8 | *bytes++;
        for (n_bits += 8; n_bits >= 5; n_bits -= 5)
            *out++ = digits[bits >> (n_bits - 5) & 31];
    }
    if (n_bits > 0)
        *out = digits[bits << (5 - n_bits) & 31];
}

/* Eight digits at `p` as five bytes; false when one of them is none. */
static inline bool decode_group(const char *p, uint8_t *out)
{
    unsigned seen = 0;
    uint64_t group = 0;

    for (int i = 0; i < 8; i++) {
        unsigned value = value_of(p[i]);

        seen |= value;
        group = group << 5 | value;
    }
    if (seen & NONE)
        return false;
    be32_store(out, (uint32_t)(group >> 8));
    out[4] = (uint8_t)group;
    return true;
}

bool base32_decode(struct slice text, uint8_t *out, size_t max, size_t *len, size_t *n_digits)
{
    size_t at = 0, n = 0;
    uint32_t bits = 0;
    unsigned n_bits = 0;

    while (text.len - at >= 8 && max - n >= 5 && decode_group(text.ptr + at, out + n)) {
        at += 8;
        n += 5;
    }
    for (; at < text.len; at++) {
        unsigned value = value_of(text.ptr[at]);

        if (value & NONE)
            break;
        bits = bits << 5 | value;
        n_bits += 5;
        if (n_bits >= 8) {
            n_bits -= 8;
            if (n < max)
                out[n] = (uint8_t)(bits >> n_bits);
            n++;
        }
    }
    *n_digits = at;
    *len = n;
    /* Five unused bits or more would be a digit too many. */
    return n <= max && n_bits < 5 && (bits & ((1U << n_bits) - 1)) == 0;
}
