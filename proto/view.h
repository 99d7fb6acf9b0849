/* view.h - the hidden field of a page with a button.  The field proves that we showed the page for
 * this link within the last hour, so no other site can press the button (FORMATS.md "Page view").
 *
 * A view is one showing of a page.  Each has an id of its own, so that a second press of one page
 * can be told from a press of another.  The key of the link's token seals the field, so every
 * process that opens the link accepts the pages of every other process.  Pure: no I/O, no clock, no
 * allocation.
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

enum view_status { VIEW_OK, VIEW_FOREIGN /* not a field of this link */, VIEW_EXPIRED };

/* Writes the field for a page that is shown at `now_s` for `token` of `brand`, without a NUL.  The
 * caller chooses `id` at random. */
void view_seal(const struct token_keyring *ring, struct slice brand, const struct token *token,
               int64_t now_s, const uint8_t id[static VIEW_ID_LEN], char out[static VIEW_TEXT_LEN]);

/* Opens the field of a press.  Sets `id` on VIEW_OK only.  Compares the seal, in constant time,
 * before it looks at the expiry. */
MUST_USE enum view_status view_open(const struct token_keyring *ring, struct slice brand,
                                    const struct token *token, int64_t now_s, struct slice text,
                                    uint8_t id[static VIEW_ID_LEN]);

#endif
