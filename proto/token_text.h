/* token_text.h - the digits of a token in a text that was changed on its way (FORMATS.md "Token
 * text").  Pure: no I/O, no clock, no allocation.
 *
 * Mail programs, gateways and people wrap links, encode them and glue text to them.  Only the tag
 * tells which digits are the token's; here is which digits are worth a try, and in which order.
 */
#ifndef PROTO_TOKEN_TEXT_H
#define PROTO_TOKEN_TEXT_H
#include <stddef.h>

#include "proto/slice.h"

enum {
    TOKEN_TEXT_MIN = 45,  /* characters of a token without an argument */
    TOKEN_TEXT_MAX = 122, /* with the longest argument */
    /* Only this much of a longer text is looked at: the longest token, with each digit encoded
     * twice, and many line breaks. */
    TOKEN_TEXT_SEEN_MAX = 2048,
    /* How many lengths are tried after the digits that the text starts with.  More would make a
     * refusal dearer, as each costs all of them. */
    TOKEN_TEXT_TRIES = 5,
    TOKEN_TEXT_ROOM = TOKEN_TEXT_MAX + 5, /* with "https" behind it */
};

struct token_tries {
    size_t n;
    struct slice digits[TOKEN_TEXT_TRIES]; /* in `room`; each has the length of a token */
    char room[2][TOKEN_TEXT_ROOM];
};

/* Fills `*tries` with what to try when the digits that `text` starts with are no token: without
 * what stands before the token, and with what was broken joined. */
void token_text_find_tries(struct slice text, struct token_tries *tries);

#endif
