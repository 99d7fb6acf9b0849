#include "proto/http1_chars.h"

/* What each kind of printable byte may be part of. */
enum {
    OTHER = HTTP1_CHAR_TARGET,
    TOKEN = HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN,
    ALPHA = HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN | HTTP1_CHAR_HOST,
    DIGIT = HTTP1_CHAR_TARGET | HTTP1_CHAR_TOKEN | HTTP1_CHAR_HOST | HTTP1_CHAR_DIGIT,
};

/* clang-format off */
const uint8_t http1_chars[256] = {
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
