#include "service/cli/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/redis/redis_link.h"

enum { WORD_MAX = 24, WHY_MAX = 400, ELEMENTS_MAX = 1 << 20, TICK_MS = 20, REACH_MS = 15000 };

struct waiting {
    bool is_waiting;
    talk_on_answer *on_answer;
    void *owner;
    char word[WORD_MAX]; /* the command, for errors */
};

struct talk {
    struct event_base *base;
    struct redis_link *link;
    struct event *tick;
    struct waiting ring[TALK_IN_FLIGHT_MAX]; /* by ticket */
    unsigned n_waiting;
    uint64_t last_ticket;
    bool failed;
    char why[WHY_MAX];
};

void talk_fail(struct talk *talk, const char *format, ...)
{
    va_list args;

    if (talk->failed)
        return;
    talk->failed = true;
    va_start(args, format);
    vsnprintf(talk->why, sizeof(talk->why), format, args);
    va_end(args);
}

const char *talk_why(const struct talk *talk)
{
    return talk->why;
}

/* An answer of Redis, or NULL: the connection was lost. */
static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct talk *talk = owner;
    struct waiting waiting = talk->ring[ticket % TALK_IN_FLIGHT_MAX];

    talk->ring[ticket % TALK_IN_FLIGHT_MAX].is_waiting = false;
    talk->n_waiting--;
    if (!answer)
        talk_fail(talk, "the connection to Redis was lost: %s", redis_link_cause(talk->link));
    else if (answer->type == REDIS_REPLY_ERROR)
        talk_fail(talk, "Redis refuses %s: %s", waiting.word, answer->str);
    else if (!talk->failed && waiting.on_answer)
        waiting.on_answer(waiting.owner, answer);
}

/* TICK_MS have passed: whoever waits looks at the clock. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
}

/* Lets the loop turn until something has happened. */
static void turn(struct talk *talk)
{
    event_base_loop(talk->base, EVLOOP_ONCE);
}

/* Waits until the node of the key can be reached. */
static bool reach(struct talk *talk, struct slice key)
{
    int64_t until_ms = clock_mono_ms() + REACH_MS;

    while (!talk->failed && redis_link_epoch(talk->link, key) == 0) {
        turn(talk);
        if (clock_mono_ms() > until_ms)
            talk_fail(talk, "Redis does not answer: %s",
                      redis_link_cause(talk->link)[0] ? redis_link_cause(talk->link)
                                                      : "no answer in time");
    }
    return !talk->failed;
}

uint64_t talk_node(struct talk *talk, struct slice key)
{
    return reach(talk, key) ? redis_link_epoch(talk->link, key) : 0;
}

bool talk_send(struct talk *talk, struct slice key, const struct slice *argv, size_t argc,
               talk_on_answer *on_answer_, void *owner)
{
    struct waiting *waiting;

    if (!reach(talk, key))
        return false;
    waiting = &talk->ring[++talk->last_ticket % TALK_IN_FLIGHT_MAX];
    while (!talk->failed && waiting->is_waiting)
        turn(talk);
    if (talk->failed)
        return false;
    *waiting = (struct waiting){.is_waiting = true, .on_answer = on_answer_, .owner = owner};
    snprintf(waiting->word, sizeof(waiting->word), "%.*s", (int)argv[0].len, argv[0].ptr);
    if (!redis_link_send(
            talk->link, &(struct redis_command){
                            .key = key, .argv = argv, .argc = argc, .ticket = talk->last_ticket})) {
        waiting->is_waiting = false;
        talk_fail(talk, "the connection to Redis was lost: %s", redis_link_cause(talk->link));
        return false;
    }
    talk->n_waiting++;
    return true;
}

bool talk_wait(struct talk *talk)
{
    while (!talk->failed && talk->n_waiting > 0)
        turn(talk);
    return !talk->failed;
}

struct talk *talk_new(const char *url, int64_t timeout_ms, struct error *err)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    struct talk *talk = calloc(1, sizeof(*talk));
    const struct redis_link_options options = {
        .url = url,
        .name = "hopcount-cli",
        .timeout_ms = timeout_ms,
        .limits = {.bytes = RESP_ANSWER_MAX, .elements = ELEMENTS_MAX},
        .owner = talk,
        .on_answer = on_answer,
    };

    bool ok = false;

    if (!talk || !(talk->base = event_base_new()) ||
        !(talk->tick = event_new(talk->base, -1, EV_PERSIST, on_tick, NULL)) ||
        event_add(talk->tick, &tick) != 0) {
        error_set(err, "out of memory");
        goto out;
    }
    talk->link = redis_link_new(talk->base, &options, err);
    ok = talk->link != NULL;
out:
    if (!ok) {
        talk_free(talk);
        talk = NULL;
    }
    return talk;
}

void talk_free(struct talk *talk)
{
    if (!talk)
        return;
    redis_link_free(talk->link);
    if (talk->tick)
        event_free(talk->tick);
    event_loop_free(talk->base);
    free(talk);
}
