#include "service/gateway/beat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "pods_lua.h"
#include "proto/counter.h"
#include "service/label/salt.h"

enum {
    BEAT_MS = 1000, /* so soon do the others learn of a new process */
    ALIVE_S = 30,   /* a process that was silent for so long is gone */
    DAY_S = 86400,
    SALT_TTL_S = 2 * DAY_S,
    /* Yesterday's salt serves for so long: normally until the next beat brings a new one. */
    SALT_GRACE_S = 300,
    DECIMAL_MAX = 24,
};

struct beat {
    struct beat_options options;
    bool is_sent;
    int64_t next_ms; /* monotonic */
    int64_t sent_s;  /* Unix time of the one under way, whose day the salt is of */
    unsigned n_pods;
    uint8_t agreed[SALT_LEN]; /* zeros: workers use one of this process alone */
    int64_t day;              /* days since 1970 of the salt in use, agreed on or not */
};

struct beat *beat_new(const struct beat_options *options, int64_t wall_ms)
{
    struct beat *beat = calloc(1, sizeof(*beat));

    if (!beat)
        return NULL;
    beat->options = *options;
    beat->day = wall_ms / 1000 / DAY_S;
    return beat;
}

void beat_free(struct beat *beat)
{
    if (!beat)
        return;
    sodium_memzero(beat->agreed, sizeof(beat->agreed));
    free(beat);
}

unsigned beat_n_pods(const struct beat *beat)
{
    return beat->n_pods;
}

/* Proposes a salt; Redis keeps that of the first who did so today. */
static bool send_beat(struct beat *beat)
{
    const struct gateway_redis *redis = &beat->options.redis;
    struct counter_key alive, salt;
    char alive_s[DECIMAL_MAX], ttl_s[DECIMAL_MAX], fresh[2 * SALT_LEN + 1];
    uint8_t random[SALT_LEN];

    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(fresh, sizeof(fresh), random, sizeof(random));
    counter_key_alive(&alive);
    counter_key_salt(&salt, beat->sent_s);
    snprintf(alive_s, sizeof(alive_s), "%d", ALIVE_S);
    snprintf(ttl_s, sizeof(ttl_s), "%d", SALT_TTL_S);
    {
        const struct slice argv[] = {
            slice_of("EVAL"),
            slice_make(pods_lua, sizeof(pods_lua)),
            slice_of("2"),
            counter_key_slice(&alive),
            counter_key_slice(&salt),
            slice_make((const char *)beat->options.origin, GATEWAY_ORIGIN_LEN),
            slice_of(alive_s),
            slice_of(fresh),
            slice_of(ttl_s),
        };

        return redis->send(redis->owner, GATEWAY_BEAT, 0, argv, sizeof(argv) / sizeof(argv[0]));
    }
}

/* A day is over, and Redis has not told the new salt: the old one has had its time. */
static void drop_old_salt(struct beat *beat, int64_t now_s)
{
    if (now_s < (beat->day + 1) * DAY_S + SALT_GRACE_S)
        return;
    beat->day = now_s / DAY_S;
    sodium_memzero(beat->agreed, sizeof(beat->agreed));
    salt_forget(beat->options.salt);
    beat->options.on_salt(beat->options.owner);
}

void beat_serve(struct beat *beat, int64_t now_ms, int64_t wall_ms)
{
    drop_old_salt(beat, wall_ms / 1000);
    if (beat->is_sent || now_ms < beat->next_ms)
        return;
    beat->sent_s = wall_ms / 1000;
    beat->is_sent = send_beat(beat);
    if (beat->is_sent)
        beat->next_ms = now_ms + BEAT_MS;
}

/* What isn't a salt, of another version of this program say, is as good as none. */
static bool read_salt(const struct redisReply *text, uint8_t salt[static SALT_LEN])
{
    size_t len;

    return text->len == (size_t)2 * SALT_LEN &&
           sodium_hex2bin(salt, SALT_LEN, text->str, text->len, NULL, &len, NULL) == 0 &&
           len == SALT_LEN && !sodium_is_zero(salt, SALT_LEN);
}

static void use_salt(struct beat *beat, const uint8_t salt[static SALT_LEN], int64_t day)
{
    const struct beat_options *o = &beat->options;
    bool is_next_day = day > beat->day;

    beat->day = day;
    if (is_next_day)
        o->on_day(o->owner);
    if (memcmp(beat->agreed, salt, SALT_LEN) == 0)
        return;
    memcpy(beat->agreed, salt, SALT_LEN);
    salt_set(o->salt, salt);
    o->on_salt(o->owner);
}

void beat_on_reply(struct beat *beat, const struct redisReply *reply)
{
    uint8_t salt[SALT_LEN];

    beat->is_sent = false;
    beat->n_pods = 0;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return;
    beat->n_pods = (unsigned)reply->element[0]->integer;
    if (read_salt(reply->element[1], salt))
        use_salt(beat, salt, beat->sent_s / DAY_S);
}
