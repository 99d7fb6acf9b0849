/* view.h - the hidden field of a page with a button: it proves that a press comes from a page that
 * was shown for this very link, not long ago (FORMATS.md "Page view").
 *
 * Each view of a page has an id of its own, so that two presses of one page can be told from
 * presses of two.  The seal is made with the key of the link's token: every process that opens the
 * link accepts the pages of every other one.  Pure: no I/O, no clock, no allocation.
 */
#ifndef PROTO_VIEW_H
#define PROTO_VIEW_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"

struct token;
struct token_keyring;

enum {
    VIEW_ID_LEN = 8,
    VIEW_TEXT_LEN = 45,
    VIEW_VALID_MIN = 60, /* minutes that a page may stay open before its button is pressed */
};

enum view_status { VIEW_OK, VIEW_FOREIGN /* no view of this link */, VIEW_EXPIRED };

/* Writes the field for a page of `token` of `brand` that is shown at `now_s`; no NUL.  `id` is
 * random. */
void view_seal(const struct token_keyring *ring, struct slice brand, const struct token *token,
               int64_t now_s, const uint8_t id[static VIEW_ID_LEN], char out[static VIEW_TEXT_LEN]);

/* Opens a field that came back; `id` is set with VIEW_OK only.  The seal is compared in constant
 * time before the expiry is looked at. */
MUST_USE enum view_status view_open(const struct token_keyring *ring, struct slice brand,
                                    const struct token *token, int64_t now_s, struct slice text,
                                    uint8_t id[static VIEW_ID_LEN]);

#endif
