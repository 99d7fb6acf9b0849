/* session.h - who is signed in to the dashboard: a sealed text that only the browser holds.
 *
 * A session stands for an API key, or for a person and the entry of admin.users that lets them in.
 * Its cookie is encrypted and authenticated with a key that is derived from the key file, so that
 * every pod with the same key file knows it, also after a restart.  A session ends when its API key
 * is taken from the file or the person has another role by now (users.h), when it was not used for
 * SESSION_IDLE_S, SESSION_LIFE_S after it began, and when it is signed out.  Only the pod that was
 * asked remembers a sign-out, and only until it restarts; the browser forgets the cookie at once.
 * No I/O and no clock.
 */
#ifndef ADMIN_SESSION_H
#define ADMIN_SESSION_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/config/apikeys.h"
#include "service/config/users.h"

struct token_keyring;

enum {
    SESSION_ID_LEN = 32,
    SESSION_CSRF_LEN = 64,
    SESSION_TEXT_MAX = 340,         /* bytes of a sealed session, without a NUL */
    SESSION_IDLE_S = 8 * 3600,      /* unused for so long: signed out */
    SESSION_RENEW_S = 300,          /* older uses are sealed anew */
    SESSION_LIFE_S = 7 * 86400,     /* signed out in any case */
    SESSION_AHEAD_S = 300,          /* a pod's clock may be so much ahead of ours */
    SESSIONS_SIGNED_OUT_MAX = 1024, /* that are remembered; the one that would end first goes */
};

struct session {
    uint8_t id[SESSION_ID_LEN];        /* random; known to us alone */
    uint8_t key_hash[APIKEY_HASH_LEN]; /* of the API key, or of the entry (users.h) */
    char user[USERS_NAME_MAX + 1];     /* the person; "" = it stands for an API key */
    int64_t started_s, used_s;         /* Unix seconds */
    char csrf[SESSION_CSRF_LEN + 1];   /* what a request that changes something must show */
};

/* Starts a session for the API key or the entry with that hash; `user` "": it is a key. */
void session_start(struct session *session, const uint8_t hash[static APIKEY_HASH_LEN],
                   const char *user, int64_t now_s);

/* Writes the sealed text and a NUL.  False: the keyring has no key that is in use. */
MUST_USE bool session_seal(const struct session *session, const struct token_keyring *ring,
                           char out[static SESSION_TEXT_MAX + 1]);

/* Opens a sealed text.  False: it isn't ours, was changed, or is over. */
MUST_USE bool session_open(struct session *session, const struct token_keyring *ring,
                           struct slice text, int64_t now_s);

/* The sessions that were signed out here. */
struct sessions_signed_out;

/* NULL: no memory. */
MUST_USE struct sessions_signed_out *sessions_signed_out_new(void);
void sessions_signed_out_free(struct sessions_signed_out *out);
void sessions_sign_out(struct sessions_signed_out *out, const struct session *session,
                       int64_t now_s);
bool sessions_is_signed_out(const struct sessions_signed_out *out, const struct session *session);

#endif
