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

/* A place that is free or over; or the one unused the longest, of this key if it has too many. */
static struct session *find_place(struct sessions *sessions, const struct apikey *key,
                                  int64_t now_ms)
{
    struct session *free_place = NULL, *oldest = &sessions->table[0], *own_oldest = NULL;
    unsigned n_own = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->table[i];

        if (is_over(session, now_ms)) {
            free_place = session;
            continue;
        }
        if (session->used_ms < oldest->used_ms)
            oldest = session;
        if (memcmp(session->key_hash, key->hash, sizeof(key->hash)) != 0)
            continue;
        n_own++;
        if (!own_oldest || session->used_ms < own_oldest->used_ms)
            own_oldest = session;
    }
    if (n_own >= SESSIONS_PER_KEY_MAX)
        return own_oldest;
    return free_place ? free_place : oldest;
}

struct session *sessions_open(struct sessions *sessions, const struct apikey *key, int64_t now_ms,
                              char id[static SESSION_ID_LEN + 1])
{
    struct session *session = find_place(sessions, key, now_ms);

    *session = (struct session){.started_ms = now_ms ? now_ms : 1, .used_ms = now_ms};
    make_random_text(id);
    hash_id(slice_make(id, SESSION_ID_LEN), session->id_hash);
    make_random_text(session->csrf);
    memcpy(session->key_name, key->name, sizeof(session->key_name));
    memcpy(session->key_hash, key->hash, sizeof(session->key_hash));
    return session;
}

/* The session of that id, be it over or not. */
static const struct session *find(const struct sessions *sessions, struct slice id)
{
    uint8_t hash[32];

    if (id.len != SESSION_ID_LEN)
        return NULL;
    hash_id(id, hash);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = &sessions->table[i];

        if (session->started_ms != 0 && sodium_memcmp(hash, session->id_hash, sizeof(hash)) == 0)
            return session;
    }
    return NULL;
}

const struct session *sessions_peek(const struct sessions *sessions, struct slice id,
                                    int64_t now_ms)
{
    const struct session *session = find(sessions, id);

    return session && !is_over(session, now_ms) ? session : NULL;
}

struct session *sessions_find(struct sessions *sessions, struct slice id, int64_t now_ms)
{
    struct session *session = (struct session *)find(sessions, id);

    if (session && is_over(session, now_ms)) {
        session_close(session);
        session = NULL;
    }
    if (session)
        session->used_ms = now_ms;
    return session;
}
