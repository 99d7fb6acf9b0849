/* number.h - parses numbers, and bytes in hexadecimal, in text from outside the program. */
#ifndef PROTO_NUMBER_H
#define PROTO_NUMBER_H
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

/* Parses a whole number of decimal digits, without sign or blanks; leading zeros are allowed.
 * False for anything else and for numbers above `max`; `*out` is then left alone. */
MUST_USE static inline bool number_parse(struct slice text, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.ptr[i] - '0';

        if (digit > 9 || digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (text.len == 0)
        return false;
    *out = n;
    return true;
}

/* The same for numbers of at most 32 bits. */
MUST_USE static inline bool number_parse_u32(struct slice text, uint32_t max, uint32_t *out)
{
    uint64_t n;

    if (!number_parse(text, max, &n))
        return false;
    *out = (uint32_t)n;
    return true;
}

/* Whether a text is a port: one to five digits, 0 to 65535. */
MUST_USE static inline bool number_is_port(struct slice text)
{
    uint64_t port;

    return text.len <= 5 && number_parse(text, 65535, &port);
}

/* The value of a hexadecimal digit in either case, or -1. */
static inline int number_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = slice_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Parses a text of exactly 2 * `len` hexadecimal digits in either case.  False for anything else;
 * `out` may then hold a part.  Takes the same time for all texts of that length, as they may be
 * keys. */
MUST_USE static inline bool number_parse_hex(struct slice text, uint8_t *out, size_t len)
{
    size_t n;

    return text.len == 2 * len &&
           sodium_hex2bin(out, len, text.ptr, text.len, NULL, &n, NULL) == 0 && n == len;
}

#endif
