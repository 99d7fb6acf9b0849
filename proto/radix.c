#include "proto/radix.h"

#include <stdbool.h>

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* One pass, stable.  False: all digits are the same, and nothing was moved. */
static bool sort_by_digit(const uint64_t *from, uint64_t *to, size_t n, unsigned shift)
{
    size_t ends[DIGITS] = {0}, at = 0;

    for (size_t i = 0; i < n; i++)
        ends[from[i] >> shift & (DIGITS - 1)]++;
    if (n == 0 || ends[from[0] >> shift & (DIGITS - 1)] == n)
        return false;
    for (size_t d = 0; d < DIGITS; d++) {
        size_t n_here = ends[d];

        ends[d] = at;
        at += n_here;
    }
    for (size_t i = 0; i < n; i++)
        to[ends[from[i] >> shift & (DIGITS - 1)]++] = from[i];
    return true;
}

const uint64_t *radix_sort(uint64_t *numbers, uint64_t *other, size_t n, unsigned from_bit)
{
    for (unsigned shift = from_bit; shift < 64; shift += DIGIT_BITS) {
        if (sort_by_digit(numbers, other, n, shift)) {
            uint64_t *swap = numbers;

            numbers = other;
            other = swap;
        }
    }
    return numbers;
}
