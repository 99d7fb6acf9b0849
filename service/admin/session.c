#include "service/admin/session.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { ID_BYTES = SESSION_ID_LEN / 2 };

struct sessions {
    struct session table[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
    return calloc(1, sizeof(struct sessions));
}

void sessions_free(struct sessions *sessions)
{
    if (sessions)
        sodium_memzero(sessions, sizeof(*sessions));
    free(sessions);
}

void session_close(struct session *session)
{
    sodium_memzero(session, sizeof(*session));
}

static void make_random_text(char out[static SESSION_ID_LEN + 1])
{
    unsigned char bytes[ID_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(out, SESSION_ID_LEN + 1, bytes, sizeof(bytes));
    sodium_memzero(bytes, sizeof(bytes));
}

static void hash_id(struct slice id, uint8_t out[static 32])
{
    crypto_generichash(out, 32, (const unsigned char *)id.ptr, id.len, NULL, 0);
}

static bool is_over(const struct session *session, int64_t now_ms)
{
    return session->started_ms == 0 || now_ms - session->used_ms >= SESSION_IDLE_MS ||
           now_ms - session->started_ms >= (int64_t)SESSION_LIFE_S * 1000;
}

/* A place that is free or over, or else the one unused the longest. */
static struct session *find_place(struct sessions *sessions, int64_t now_ms)
{
    struct session *oldest = &sessions->table[0];

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->table[i];

        if (is_over(session, now_ms))
            return session;
        if (session->used_ms < oldest->used_ms)
            oldest = session;
    }
    return oldest;
}

struct session *sessions_open(struct sessions *sessions, const struct apikey *key, int64_t now_ms,
                              char id[static SESSION_ID_LEN + 1])
{
    struct session *session = find_place(sessions, now_ms);

    *session = (struct session){.started_ms = now_ms ? now_ms : 1, .used_ms = now_ms};
    make_random_text(id);
    hash_id(slice_make(id, SESSION_ID_LEN), session->id_hash);
    make_random_text(session->csrf);
    memcpy(session->key_name, key->name, sizeof(session->key_name));
    memcpy(session->key_hash, key->hash, sizeof(session->key_hash));
    return session;
}

struct session *sessions_find(struct sessions *sessions, struct slice id, int64_t now_ms)
{
    uint8_t hash[32];

    if (id.len != SESSION_ID_LEN)
        return NULL;
    hash_id(id, hash);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->table[i];

        if (session->started_ms == 0 || sodium_memcmp(hash, session->id_hash, sizeof(hash)) != 0)
            continue;
        if (is_over(session, now_ms)) {
            session_close(session);
            return NULL;
        }
        session->used_ms = now_ms;
        return session;
    }
    return NULL;
}
