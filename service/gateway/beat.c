#include "service/gateway/beat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hiredis/hiredis.h>
#include <sodium.h>

#include "pods_lua.h"
#include "proto/counter.h"
#include "proto/number.h"
#include "proto/rfc3339.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/gateway/clock_gap.h"
#include "service/gateway/pod.h"
#include "service/label/salt.h"

enum {
    BEAT_MS = 1000, /* another process is noticed within this time */
    ALIVE_S = 30,   /* a process that was silent for this long counts as gone */
    DAY_S = 86400,
    HOUR_S = 3600,
    LINES_TTL_S = 2 * HOUR_S,
    SALT_TTL_S = 2 * DAY_S,
    /* How long yesterday's salt stays in use after midnight; normally the next beat brings a new
     * one. */
    SALT_GRACE_S = 300,
    DECIMAL_MAX = 24,
};

struct beat {
    struct beat_options options;
    unsigned n_sent; /* beats sent and not answered yet */
    bool is_leaving;
    struct pod self; /* this process, as in the last line sent */
    struct pod_table found, known;
    int64_t next_ms; /* when the next beat is due, monotonic */
    int64_t sent_ms; /* when the beat under way was sent, Unix; its salt is of that day */
    struct clock_gap clock_gap;
    unsigned n_pods;
    uint8_t
        agreed[SALT_LEN]; /* the salt agreed on; zeros: workers use a salt of this process alone */
    int64_t day;          /* days since 1970 of the salt in use, agreed on or not */
};

/* Makes the id from the state_dir, the same wherever it is mounted; without one, from this process.
 */
static void make_id(struct pod *self, const char *state_dir)
{
    unsigned char hash[crypto_generichash_BYTES];
    char text[POD_HOST_MAX + 64];
    struct stat at;

    randombytes_buf(hash, sizeof(hash));
    if (state_dir && stat(state_dir, &at) == 0) {
        snprintf(text, sizeof(text), "%s:%llu:%llu", self->host, (unsigned long long)at.st_dev,
                 (unsigned long long)at.st_ino);
        crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, strlen(text), NULL, 0);
    }
    sodium_bin2hex(self->id, sizeof(self->id), hash, POD_ID_LEN / 2);
}

struct beat *beat_new(const struct beat_options *options, int64_t wall_ms)
{
    struct beat *beat = calloc(1, sizeof(*beat));
    struct pod *self;

    if (!beat)
        return NULL;
    self = &beat->self;
    beat->options = *options;
    beat->options.state_dir = NULL; /* the caller's string, valid for the call only */
    if (gethostname(self->host, sizeof(self->host) - 1) != 0)
        self->host[0] = '\0';
    snprintf(self->version, sizeof(self->version), "%s", HOPCOUNT_VERSION);
    rfc3339_format(wall_ms / 1000, 0, self->started_at);
    make_id(self, options->state_dir);
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

const struct clock_gap *beat_clock_gap(const struct beat *beat)
{
    return &beat->clock_gap;
}

unsigned beat_n_pods(const struct beat *beat)
{
    return beat->n_pods;
}

const struct pod_table *beat_table(const struct beat *beat)
{
    return &beat->known;
}

const struct pod *beat_self(const struct beat *beat)
{
    return &beat->self;
}

/* Sends a beat with a proposed salt; Redis keeps the first proposal of the day. */
static bool send_beat(struct beat *beat, int64_t wall_ms)
{
    const struct gateway_redis *redis = &beat->options.redis;
    struct counter_key alive, salt, lines, lines_before;
    char alive_s[DECIMAL_MAX], ttl_s[DECIMAL_MAX], lines_s[DECIMAL_MAX], line[POD_LINE_MAX];
    char fresh[2 * SALT_LEN + 1];
    uint8_t random[SALT_LEN];
    size_t line_len = 0;

    beat->sent_ms = wall_ms;
    beat->self.at_s = wall_ms / 1000;
    beat->options.describe(beat->options.owner, &beat->self);
    if ((!beat->is_leaving || beat->self.pending > 0) &&
        (line_len = pod_write_line(&beat->self, line)) == 0)
        return false; /* out of memory: tried again at the next call */
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(fresh, sizeof(fresh), random, sizeof(random));
    counter_key_alive(&alive);
    counter_key_salt(&salt, beat->self.at_s);
    counter_key_pods(&lines, beat->self.at_s);
    counter_key_pods(&lines_before, beat->self.at_s - HOUR_S);
    snprintf(lines_s, sizeof(lines_s), "%d", LINES_TTL_S);
    snprintf(alive_s, sizeof(alive_s), "%d", ALIVE_S);
    snprintf(ttl_s, sizeof(ttl_s), "%d", SALT_TTL_S);
    {
        const struct slice argv[] = {
            slice_of("EVAL"),
            slice_make(pods_lua, sizeof(pods_lua)),
            slice_of("4"),
            counter_key_slice(&alive),
            counter_key_slice(&salt),
            counter_key_slice(&lines),
            counter_key_slice(&lines_before),
            slice_make((const char *)beat->options.origin, GATEWAY_ORIGIN_LEN),
            slice_of(alive_s),
            slice_of(fresh),
            slice_of(ttl_s),
            slice_of(beat->self.id),
            slice_make(line, line_len),
            slice_of(lines_s),
        };

        if (!redis->send(redis->owner, GATEWAY_BEAT, 0, argv, sizeof(argv) / sizeof(argv[0])))
            return false;
        beat->n_sent++;
        return true;
    }
}

void beat_serve(struct beat *beat, int64_t now_ms, int64_t wall_ms)
{
    /* Each process reads the lines of all others, so the interval grows with their number. */
    int64_t line_ms = pod_every_ms(beat->known.n), now_s = wall_ms / 1000;

    /* The salt of a day that is over goes, if Redis has not sent the new one by SALT_GRACE_S. */
    if (now_s >= (beat->day + 1) * DAY_S + SALT_GRACE_S) {
        beat->day = now_s / DAY_S;
        sodium_memzero(beat->agreed, sizeof(beat->agreed));
        salt_forget(beat->options.salt);
        beat->options.on_salt(beat->options.owner);
    }
    if (beat->n_sent == 0 && !beat->is_leaving && now_ms >= beat->next_ms &&
        send_beat(beat, wall_ms))
        beat->next_ms = now_ms + (line_ms > POD_EVERY_MS ? line_ms : BEAT_MS);
}

void beat_leave(struct beat *beat, int64_t wall_ms)
{
    beat->is_leaving = true;
    (void)send_beat(beat, wall_ms);
}

bool beat_is_quiet(const struct beat *beat)
{
    return beat->n_sent == 0;
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

/* Redis may hold anything: what isn't a line is skipped. */
static void read_lines(struct pod_table *table, const struct redisReply *answer)
{
    for (size_t i = 0; i + 1 < answer->elements; i += 2) {
        const struct redisReply *id = answer->element[i], *line = answer->element[i + 1];
        struct pod pod;

        if (id->type == REDIS_REPLY_STRING && line->type == REDIS_REPLY_STRING &&
            pod_read_line(slice_make(id->str, id->len), slice_make(line->str, line->len), &pod))
            pod_table_add(table, &pod);
    }
}

static void compare_clocks(struct beat *beat, int64_t redis_ms)
{
    struct clock_gap *gap = &beat->clock_gap;

    if (clock_gap_note(gap, beat->sent_ms, redis_ms, clock_wall_ms(), clock_mono_ms()))
        log_warn("ledger.clock",
                 "s=%" PRId64 " err=\"the clock of this process is %s that of Redis by so many "
                 "seconds\" effect=\"clicks are counted at wrong times, links expire early or "
                 "late\" hint=\"let NTP set the clocks of both hosts\"",
                 (gap->ahead_ms < 0 ? -gap->ahead_ms : gap->ahead_ms) / 1000,
                 gap->ahead_ms < 0 ? "behind" : "ahead of");
}

void beat_on_answer(struct beat *beat, const struct redisReply *answer)
{
    const struct redisReply *text;
    uint8_t salt[SALT_LEN];

    beat->n_sent--;
    beat->n_pods = 0;
    if (!answer || answer->type != REDIS_REPLY_ARRAY || answer->elements != 5 ||
        answer->element[0]->type != REDIS_REPLY_INTEGER ||
        answer->element[1]->type != REDIS_REPLY_STRING ||
        answer->element[2]->type != REDIS_REPLY_ARRAY ||
        answer->element[3]->type != REDIS_REPLY_ARRAY ||
        answer->element[4]->type != REDIS_REPLY_INTEGER)
        return;
    if (!beat->is_leaving) /* then `sent_ms` may be that of a later beat */
        compare_clocks(beat, answer->element[4]->integer);
    beat->found.n = 0;
    read_lines(&beat->found, answer->element[2]);
    read_lines(&beat->found, answer->element[3]);
    pod_table_finish(&beat->found, &beat->known, clock_mono_ms(), clock_wall_ms());
    beat->known = beat->found;
    beat->n_pods = (unsigned)answer->element[0]->integer;
    text = answer->element[1];
    /* A text that isn't a salt, for example of another version, is treated as absent. */
    if (number_parse_hex(slice_make(text->str, text->len), salt, SALT_LEN) &&
        !sodium_is_zero(salt, SALT_LEN))
        use_salt(beat, salt, beat->sent_ms / 1000 / DAY_S);
}
