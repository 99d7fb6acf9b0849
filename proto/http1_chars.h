/* http1_chars.h - which bytes may stand where in a head; inline, as each byte is looked at. */
#ifndef PROTO_HTTP1_CHARS_H
#define PROTO_HTTP1_CHARS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"

enum {
    HTTP1_CHAR_TOKEN = 1,  /* tchar (RFC 9110, 5.6.2) */
    HTTP1_CHAR_TARGET = 2, /* printable ASCII but '#': more than RFC 3986 has, as browsers and
                              linkifiers leave '|', '>' or '"' as they are */
    HTTP1_CHAR_HOST = 4,   /* of a host name; '_' is seen in the wild */
    HTTP1_CHAR_DIGIT = 8,
};

extern const uint8_t http1_chars[256];

static inline bool http1_char_is(char c, unsigned set)
{
    return http1_chars[(uint8_t)c] & set;
}

/* The first of the bytes from `p` up to `end` that is not in `set`; `end` if there is none. */
static inline const char *http1_skip(const char *p, const char *end, unsigned set)
{
    while (p < end && http1_char_is(*p, set))
        p++;
    return p;
}

/* Sets the high bit of the lowest byte of `x` that is below 0x20 or 0x7f, and perhaps of bytes
 * above that one; 0 if there is none ("Bit Twiddling Hacks", Anderson: hasless, haszero). */
static inline uint64_t http1_controls(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t del = x ^ ones * 0x7f;

    return (((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & ones * 0x80;
}

/* The first control byte (below 0x20, or 0x7f) from `p` up to `end`; `end` if there is none.  Most
 * bytes of a head are looked at here, so it takes eight at a time. */
static inline const char *http1_find_control(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t found = http1_controls(le64_load((const uint8_t *)p));

        if (found)
            return p + __builtin_ctzll(found) / 8;
    }
    while (p < end && (uint8_t)*p >= 0x20 && *p != 0x7f)
        p++;
    return p;
}

#endif
