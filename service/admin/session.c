#include "service/admin/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/admin/seal.h"

/*
 * What is sealed: version (1) | id (32) | hash of the API key (32) | started (8) | used (8);
 * seconds, big-endian.  Version 2, of a person, has their name behind it, and the hash is of their
 * entry.
 */
enum {
    VERSION_KEY = 1,
    VERSION_USER = 2,
    PLAIN_LEN = 1 + SESSION_ID_LEN + APIKEY_HASH_LEN + 8 + 8, /* and the name */
    PLAIN_MAX = PLAIN_LEN + USERS_NAME_MAX,
};

_Static_assert(SEAL_TEXT_LEN(PLAIN_MAX) <= SESSION_TEXT_MAX,
               "a sealed session is longer than SESSION_TEXT_MAX");

static const char purpose[] = "hopcount session 1";

/* Another pod needs the same: so it is made from the id, which nobody outside can know. */
static void make_csrf(struct session *session)
{
    unsigned char hash[SESSION_CSRF_LEN / 2];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)"csrf", 4, session->id,
                       sizeof(session->id));
    sodium_bin2hex(session->csrf, sizeof(session->csrf), hash, sizeof(hash));
}

static uint8_t *put64(uint8_t *at, int64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
    return at + 8;
}

static int64_t get64(const uint8_t *at)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

void session_start(struct session *session, const uint8_t hash[static APIKEY_HASH_LEN],
                   const char *user, int64_t now_s)
{
    *session = (struct session){.started_s = now_s, .used_s = now_s};
    randombytes_buf(session->id, sizeof(session->id));
    memcpy(session->key_hash, hash, sizeof(session->key_hash));
    snprintf(session->user, sizeof(session->user), "%s", user);
    make_csrf(session);
}

bool session_seal(const struct session *session, const struct token_keyring *ring,
                  char out[static SESSION_TEXT_MAX + 1])
{
    size_t user_len = strlen(session->user);
    uint8_t plain[PLAIN_MAX], *at = plain;
    bool ok;

    *at++ = user_len > 0 ? VERSION_USER : VERSION_KEY;
    memcpy(at, session->id, sizeof(session->id));
    at += sizeof(session->id);
    memcpy(at, session->key_hash, sizeof(session->key_hash));
    at += sizeof(session->key_hash);
    at = put64(put64(at, session->started_s), session->used_s);
    memcpy(at, session->user, user_len);
    ok = seal_write(ring, purpose, plain, PLAIN_LEN + user_len, out, SESSION_TEXT_MAX + 1);
    sodium_memzero(plain, sizeof(plain));
    return ok;
}

static bool is_over(const struct session *session, int64_t now_s)
{
    return session->started_s > now_s + SESSION_AHEAD_S ||
           session->used_s > now_s + SESSION_AHEAD_S || now_s - session->used_s >= SESSION_IDLE_S ||
           now_s - session->started_s >= SESSION_LIFE_S;
}

bool session_open(struct session *session, const struct token_keyring *ring, struct slice text,
                  int64_t now_s)
{
    uint8_t plain[PLAIN_MAX];
    const uint8_t *at = plain + 1;
    size_t len, user_len;

    if (!seal_open(ring, purpose, text, plain, sizeof(plain), &len) || len < PLAIN_LEN)
        return false;
    user_len = len - PLAIN_LEN;
    if (plain[0] != (user_len > 0 ? VERSION_USER : VERSION_KEY))
        return false;
    memcpy(session->id, at, sizeof(session->id));
    at += sizeof(session->id);
    memcpy(session->key_hash, at, sizeof(session->key_hash));
    at += sizeof(session->key_hash);
    session->started_s = get64(at);
    session->used_s = get64(at + 8);
    memcpy(session->user, at + 16, user_len);
    session->user[user_len] = '\0';
    make_csrf(session);
    sodium_memzero(plain, sizeof(plain));
    return !is_over(session, now_s);
}

/* --- sessions that were signed out --- */

struct sessions_signed_out {
    struct {
        uint8_t id[SESSION_ID_LEN];
        int64_t until_s; /* 0 = a free place */
    } table[SESSIONS_SIGNED_OUT_MAX];
};

struct sessions_signed_out *sessions_signed_out_new(void)
{
    return calloc(1, sizeof(struct sessions_signed_out));
}

void sessions_signed_out_free(struct sessions_signed_out *out)
{
    free(out);
}

void sessions_sign_out(struct sessions_signed_out *out, const struct session *session,
                       int64_t now_s)
{
    size_t place = 0;

    for (size_t i = 1; i < SESSIONS_SIGNED_OUT_MAX; i++) {
        if (out->table[i].until_s < out->table[place].until_s)
            place = i;
    }
    memcpy(out->table[place].id, session->id, sizeof(session->id));
    /* No copy of the cookie opens after that, whenever it was sealed. */
    out->table[place].until_s = now_s + SESSION_IDLE_S + SESSION_AHEAD_S;
}

bool sessions_is_signed_out(const struct sessions_signed_out *out, const struct session *session)
{
    for (size_t i = 0; i < SESSIONS_SIGNED_OUT_MAX; i++) {
        if (out->table[i].until_s != 0 &&
            sodium_memcmp(out->table[i].id, session->id, sizeof(session->id)) == 0)
            return true;
    }
    return false;
}
