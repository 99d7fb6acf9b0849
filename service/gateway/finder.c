#include "service/gateway/finder.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "service/gateway/beat.h"
#include "service/gateway/gateway.h"
#include "service/gateway/siblings.h"

struct finder {
    struct finder_options options;
    struct gateway *gateway;
    struct siblings *siblings;
    struct beat *beat;
    /* What judge() found last.  Kept here, because as a local variable its 3 kB are zeroed for each
     * click in a hardened build. */
    struct gateway_click found[GATEWAY_FOUND_MAX];
    uint8_t origin[GATEWAY_ORIGIN_LEN]; /* names this process to the others */
    uint64_t n_clicks; /* clicks looked at, which is also the number of the next one */
    int64_t now_ms;
};

/* --- callbacks of the parts --- */

static void on_claimed(void *owner, const struct gateway_click *click)
{
    const struct finder *finder = owner;

    finder->options.on_found(finder->options.owner, &click->click);
}

/* Judges a click, of this process or of another, after the other pods' clicks are known. */
static void judge(void *owner, const struct gateway_click *click)
{
    struct finder *finder = owner;
    unsigned n = gateway_add(finder->gateway, click, finder->found);

    for (unsigned i = 0; i < n; i++) {
        const struct gateway_click *found = &finder->found[i];

        if (found->is_shared)
            siblings_claim(finder->siblings, found, finder->now_ms);
        else
            finder->options.on_found(finder->options.owner, &found->click);
    }
}

/* Network numbers made with the old salt can't be compared with those of the new one. */
static void on_salt(void *owner)
{
    struct finder *finder = owner;

    gateway_forget_networks(finder->gateway);
}

static void describe(void *owner, struct pod *self)
{
    const struct finder *finder = owner;

    finder->options.describe(finder->options.owner, self);
}

static void on_day(void *owner)
{
    const struct finder *finder = owner;

    finder->options.on_day(finder->options.owner);
}

/* --- new and free --- */

static struct siblings *make_siblings(struct finder *finder)
{
    struct siblings_options options = {
        .n_shards = finder->options.n_shards,
        .window_ms = gateway_window_ms(finder->gateway),
        .redis = finder->options.redis,
        .owner = finder,
        .on_click = judge,
        .on_claimed = on_claimed,
    };

    memcpy(options.origin, finder->origin, sizeof(options.origin));
    return siblings_new(&options);
}

static struct beat *make_beat(struct finder *finder, int64_t wall_ms)
{
    struct beat_options options = {
        .salt = finder->options.salt,
        .state_dir = finder->options.state_dir,
        .redis = finder->options.redis,
        .owner = finder,
        .describe = describe,
        .on_salt = on_salt,
        .on_day = on_day,
    };

    memcpy(options.origin, finder->origin, sizeof(options.origin));
    return beat_new(&options, wall_ms);
}

struct finder *finder_new(const struct finder_options *options, int64_t wall_ms)
{
    struct finder *finder = calloc(1, sizeof(*finder));

    if (!finder)
        return NULL;
    finder->options = *options;
    finder->options.gateway = NULL; /* the caller's, for the call only */
    randombytes_buf(finder->origin, sizeof(finder->origin));
    if (!(finder->gateway = gateway_new(options->gateway)) ||
        !(finder->siblings = make_siblings(finder)) ||
        !(finder->beat = make_beat(finder, wall_ms))) {
        finder_free(finder);
        return NULL;
    }
    finder->options.state_dir = NULL; /* the caller's, for the call only */
    return finder;
}

void finder_free(struct finder *finder)
{
    if (!finder)
        return;
    gateway_free(finder->gateway);
    siblings_free(finder->siblings);
    beat_free(finder->beat);
    free(finder);
}

/* --- the clicks of this process --- */

void finder_look_at(struct finder *finder, const struct click *click)
{
    struct gateway_click own = {.click = *click, .is_own = true}, found;

    if (!gateway_wants(click))
        return;
    own.number = finder->n_clicks++;
    memcpy(own.origin, finder->origin, sizeof(own.origin));
    if (gateway_find_repeat(finder->gateway, &own, &found)) {
        finder->options.on_found(finder->options.owner, &found.click);
        return;
    }
    if (click->client != 0 && beat_n_pods(finder->beat) > 1) {
        own.is_shared = true;
        if (siblings_hold(finder->siblings, &own))
            return;
        own.is_shared = false;
    }
    judge(finder, &own);
}

void finder_expect(struct finder *finder, const struct click *click, enum gateway_step step)
{
    gateway_expect(finder->gateway, click, step);
}

void finder_serve(struct finder *finder, int64_t now_ms, int64_t wall_ms)
{
    finder->now_ms = now_ms;
    beat_serve(finder->beat, now_ms, wall_ms);
    siblings_serve(finder->siblings, now_ms);
}

void finder_on_answer(struct finder *finder, enum gateway_command what, unsigned shard,
                      const struct redisReply *answer)
{
    if (what == GATEWAY_BEAT)
        beat_on_answer(finder->beat, answer);
    else
        siblings_on_answer(finder->siblings, what, shard, answer);
}

int64_t finder_window_ms(const struct finder *finder)
{
    return gateway_window_ms(finder->gateway);
}

struct beat *finder_beat(const struct finder *finder)
{
    return finder->beat;
}
