/* share_token.h - the sealed text in a link that shares a view.
 *
 * It is encrypted and authenticated with a key that is derived from the key file, so that every pod
 * with the same key file knows it.  What the link shows stands in Redis, under its id: no text
 * opens a link that was revoked.  No I/O and no clock.
 */
#ifndef ADMIN_SHARE_TOKEN_H
#define ADMIN_SHARE_TOKEN_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/admin/kept.h"
#include "service/config/apikeys.h"

struct token_keyring;

enum { SHARE_TEXT_MAX = 160 }; /* bytes of a sealed text, without a NUL */

#define SHARE_PREFIX "hcs_" /* of the text: API keys begin with "hc_" */

struct share_token {
    char id[KEPT_ID_LEN + 1];       /* of what is kept of it */
    uint32_t brand;                 /* struct brand.id */
    int64_t expires_s;              /* Unix seconds; from then on it no longer opens */
    uint8_t maker[APIKEY_HASH_LEN]; /* the hash of the API key, or role, that made it */
};

/* Whether a text is to be one. */
bool share_token_is(struct slice text);

/* Writes the sealed text and a NUL.  False: the keyring has no key that is in use. */
MUST_USE bool share_token_seal(const struct share_token *token, const struct token_keyring *ring,
                               char out[static SHARE_TEXT_MAX + 1]);

/* Opens a sealed text.  False: it isn't ours, was changed, has expired at `now_s`, or its key was
 * revoked. */
MUST_USE bool share_token_open(struct share_token *token, const struct token_keyring *ring,
                               struct slice text, int64_t now_s);

#endif
