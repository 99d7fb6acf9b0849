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

/* Four digits at `p` as twenty bits; NONE is set in `*seen` when one of them is none. */
static inline uint32_t read_four(const char *p, unsigned *seen)
{
    unsigned a = value_of(p[0]), b = value_of(p[1]), c = value_of(p[2]), d = value_of(p[3]);

    *seen |= a | b | c | d;
    return a << 15 | b << 10 | c << 5 | d;
}

/* Eight digits at `p` as forty bits; false when one of them is none. */
static inline bool read_group(const char *p, uint64_t *group)
{
    unsigned seen = 0;

    *group = (uint64_t)read_four(p, &seen) << 20;
    *group |= read_four(p + 4, &seen);
    return !(seen & NONE);
}

bool base32_may_end(size_t n_digits, char last)
{
    size_t unused = n_digits * 5 % 8;

    return unused < 5 && (value_of(last) & ((1U << unused) - 1)) == 0;
}

bool base32_decode(struct slice text, uint8_t *out, size_t max, size_t *len, size_t *n_digits)
{
    const char *p = text.ptr, *rest, *end = text.ptr + text.len;
    uint64_t group = 0;
    size_t n = 0, n_last;
    unsigned unused, value;

    for (; end - p >= 8 && max - n >= 5 && read_group(p, &group); p += 8, n += 5) {
        be32_store(out + n, (uint32_t)(group >> 8));
        out[n + 4] = (uint8_t)group;
    }
    /* What is left are less than eight digits; or more than there is room for, whose first bits
     * are lost. */
    group = 0;
    for (rest = p; p < end && !((value = value_of(*p)) & NONE); p++)
        group = group << 5 | value;
    *n_digits = (size_t)(p - text.ptr);
    n_last = (size_t)(p - rest) * 5 / 8;
    unused = (unsigned)(p - rest) * 5 % 8;
    *len = n + n_last;
    /* Five unused bits or more would be a digit too many. */
    if (n_last > max - n || unused >= 5 || (group & ((1U << unused) - 1)) != 0)
        return false;
    group >>= unused;
    for (size_t i = n + n_last; i > n; group >>= 8)
        out[--i] = (uint8_t)group;
    return true;
}
