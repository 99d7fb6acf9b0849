/* session.h - who is signed in to the dashboard: a bounded table in memory.
 *
 * A session stands for an API key.  Its id is 256 random bits that only the browser holds, in a
 * cookie; the table keeps the hash.  No I/O and no clock.
 */
#ifndef ADMIN_SESSION_H
#define ADMIN_SESSION_H
#include <stdint.h>

#include "proto/compiler.h"
#include "proto/slice.h"
#include "service/config/apikeys.h"

enum {
    SESSIONS_MAX = 256,        /* the one unused the longest gives way to the next */
    SESSIONS_PER_KEY_MAX = 32, /* likewise; so that the sessions of one key end no other's */
    SESSION_ID_LEN = 64,
    SESSION_IDLE_MS = 8 * 3600 * 1000, /* unused for so long: signed out */
    SESSION_LIFE_S = 7 * 86400,        /* signed out in any case */
};

struct session {
    uint8_t id_hash[32];
    char csrf[SESSION_ID_LEN + 1]; /* what a request that changes something must show */
    char key_name[APIKEY_NAME_MAX + 1];
    uint8_t key_hash[APIKEY_HASH_LEN];
    int64_t started_ms, used_ms; /* monotonic; started 0 = a free place */
};

struct sessions;

/* NULL: no memory. */
MUST_USE struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);

/* Starts a session for `key` and writes its id, with a NUL.  A full table, or a key with too many
 * sessions, loses the one unused the longest. */
struct session *sessions_open(struct sessions *sessions, const struct apikey *key, int64_t now_ms,
                              char id[static SESSION_ID_LEN + 1]);

/* The session of that id, which is now used, or NULL; borrowed until the next call. */
struct session *sessions_find(struct sessions *sessions, struct slice id, int64_t now_ms);

/* Whether there is a session of that id; it isn't used by that. */
const struct session *sessions_peek(const struct sessions *sessions, struct slice id,
                                    int64_t now_ms);

void session_close(struct session *session);

#endif
