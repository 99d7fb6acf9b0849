/* http1_chars.h - which bytes may stand where in a head; for http1.c, inline, as each byte is
 * looked at.
 *
 * Most bytes are looked at sixteen at a time, with the vector types that gcc and clang have for
 * every processor; only the step from a vector to a number is faster where SSE2 is known.
 */
#ifndef PROTO_HTTP1_CHARS_H
#define PROTO_HTTP1_CHARS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "proto/bytes.h"

enum {
    HTTP1_CHAR_TOKEN = 1,  /* tchar (RFC 9110, 5.6.2) */
    HTTP1_CHAR_TARGET = 2, /* printable ASCII but '#': more than RFC 3986 has, as browsers and
                              linkifiers leave '|', '>' or '"' as they are */
    HTTP1_CHAR_HOST = 4,   /* of a host name; '_' is seen in the wild */
    HTTP1_CHAR_DIGIT = 8,
};

/* What each kind of printable byte may be part of. */
#define OTHER HTTP1_CHAR_TARGET
#define TOKEN (HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN)
#define ALPHA (HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN | HTTP1_CHAR_HOST)
#define DIGIT (HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN | HTTP1_CHAR_HOST | HTTP1_CHAR_DIGIT)

/* clang-format off */
static const uint8_t http1_chars[256] = {
    ['!'] = TOKEN, ['"'] = OTHER, ['#'] = HTTP1_CHAR_TOKEN, ['$'] = TOKEN, ['%'] = TOKEN,
    ['&'] = TOKEN, ['\''] = TOKEN, ['('] = OTHER, [')'] = OTHER, ['*'] = TOKEN,
    ['+'] = TOKEN, [','] = OTHER, ['-'] = ALPHA, ['.'] = ALPHA, ['/'] = OTHER,
    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT,
    ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT,
    [':'] = OTHER, [';'] = OTHER, ['<'] = OTHER, ['='] = OTHER, ['>'] = OTHER,
    ['?'] = OTHER, ['@'] = OTHER, ['A'] = ALPHA, ['B'] = ALPHA, ['C'] = ALPHA,
    ['D'] = ALPHA, ['E'] = ALPHA, ['F'] = ALPHA, ['G'] = ALPHA, ['H'] = ALPHA,
    ['I'] = ALPHA, ['J'] = ALPHA, ['K'] = ALPHA, ['L'] = ALPHA, ['M'] = ALPHA,
    ['N'] = ALPHA, ['O'] = ALPHA, ['P'] = ALPHA, ['Q'] = ALPHA, ['R'] = ALPHA,
    ['S'] = ALPHA, ['T'] = ALPHA, ['U'] = ALPHA, ['V'] = ALPHA, ['W'] = ALPHA,
    ['X'] = ALPHA, ['Y'] = ALPHA, ['Z'] = ALPHA, ['['] = OTHER, ['\\'] = OTHER,
    [']'] = OTHER, ['^'] = TOKEN, ['_'] = ALPHA, ['`'] = TOKEN, ['a'] = ALPHA,
    ['b'] = ALPHA, ['c'] = ALPHA, ['d'] = ALPHA, ['e'] = ALPHA, ['f'] = ALPHA,
    ['g'] = ALPHA, ['h'] = ALPHA, ['i'] = ALPHA, ['j'] = ALPHA, ['k'] = ALPHA,
    ['l'] = ALPHA, ['m'] = ALPHA, ['n'] = ALPHA, ['o'] = ALPHA, ['p'] = ALPHA,
    ['q'] = ALPHA, ['r'] = ALPHA, ['s'] = ALPHA, ['t'] = ALPHA, ['u'] = ALPHA,
    ['v'] = ALPHA, ['w'] = ALPHA, ['x'] = ALPHA, ['y'] = ALPHA, ['z'] = ALPHA,
    ['{'] = OTHER, ['|'] = TOKEN, ['}'] = OTHER, ['~'] = TOKEN,
};
/* clang-format on */
#undef OTHER
#undef TOKEN
#undef ALPHA
#undef DIGIT

static inline bool http1_char_is(char c, unsigned set)
{
    return http1_chars[(uint8_t)c] & set;
}

/* What a browser never sends in a target as it is, but programs that copy a link with text do. */
static inline bool http1_char_is_stray(char c)
{
    return c == '#' || (uint8_t)c >= 0x80;
}

/* The first of the bytes from `p` up to `end` that is not in `set`; `end` if there is none. */
static inline const char *http1_skip(const char *p, const char *end, unsigned set)
{
    while (p < end && http1_char_is(*p, set))
        p++;
    return p;
}

enum { HTTP1_VECTOR = 16 };

typedef uint8_t http1_vector __attribute__((vector_size(HTTP1_VECTOR)));

static inline http1_vector http1_load(const char *p)
{
    http1_vector v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Which byte of `found` is the first that is 0xff and not 0; HTTP1_VECTOR if all are 0. */
static inline unsigned http1_first(http1_vector found)
{
#ifdef __SSE2__
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)found) |
                                   1U << HTTP1_VECTOR);
#else
    uint8_t bytes[HTTP1_VECTOR];
    uint64_t low, high;

    memcpy(bytes, &found, sizeof(bytes));
    low = le64_load(bytes);
    high = le64_load(bytes + 8);
    if (low)
        return (unsigned)__builtin_ctzll(low) / 8;
    return high ? 8 + (unsigned)__builtin_ctzll(high) / 8 : HTTP1_VECTOR;
#endif
}

/* In the loops below the next vector's place must not be computed from what was found in this one:
 * then the processor looks at several at a time, which is twice as fast. */

/* The first control byte (below 0x20, or 0x7f) from `p` up to `end`; `end` if there is none. */
static inline const char *http1_find_control(const char *p, const char *end)
{
    while (end - p >= HTTP1_VECTOR) {
        http1_vector v = http1_load(p);
        unsigned n = http1_first((http1_vector)(v < 0x20) | (http1_vector)(v == 0x7f));

        if (n < HTTP1_VECTOR)
            return p + n;
        p += HTTP1_VECTOR;
    }
    while (p < end && (uint8_t)*p >= 0x20 && *p != 0x7f)
        p++;
    return p;
}

/* http1_skip() of HTTP1_CHAR_TARGET. */
static inline const char *http1_skip_target(const char *p, const char *end)
{
    while (end - p >= HTTP1_VECTOR) {
        http1_vector v = http1_load(p);
        unsigned n = http1_first((http1_vector)(v <= 0x20) | (http1_vector)(v >= 0x7f) |
                                 (http1_vector)(v == '#'));

        if (n < HTTP1_VECTOR)
            return p + n;
        p += HTTP1_VECTOR;
    }
    return http1_skip(p, end, HTTP1_CHAR_TARGET);
}

/* http1_skip() of HTTP1_CHAR_TOKEN: letters, digits and '-' at first, of which most names are. */
static inline const char *http1_skip_token(const char *p, const char *end)
{
    while (end - p >= HTTP1_VECTOR) {
        http1_vector v = http1_load(p);
        http1_vector letters = (http1_vector)((v | 0x20) - 'a' <= 'z' - 'a');
        http1_vector digits = (http1_vector)(v - '0' <= 9);
        unsigned n = http1_first(~(letters | digits | (http1_vector)(v == '-')));

        if (n < HTTP1_VECTOR)
            return http1_skip(p + n, end, HTTP1_CHAR_TOKEN);
        p += HTTP1_VECTOR;
    }
    return http1_skip(p, end, HTTP1_CHAR_TOKEN);
}

#endif
