#include "service/state/one_use.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "one_use_lua.h"
#include "proto/counter.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/redis/redis_cause.h"
#include "service/redis/redis_link.h"

enum {
    TICK_MS = 50,          /* a time-out may be noticed this much late */
    CONFIRM_SPARE_MS = 50, /* WAIT ends this much before the request does */
    AFTER_END_S = 3600,    /* Redis keeps a use this much longer than its link: clocks differ */
    ANSWER_BYTES_MAX = 1 << 16,
    ANSWER_ELEMENTS_MAX = 1 << 10,
    VIEW_HEX = 2 * ONE_USE_VIEW_LEN,
    DECIMAL_MAX = 24,
};

/* What the script answers. */
enum said { SAID_USED, SAID_FIRST, SAID_REPEATED, SAID_UNSURE };

enum step { STEP_FREE, STEP_ASKED, STEP_CONFIRMING };

struct place {
    enum step step;
    enum one_use_outcome outcome; /* CONFIRMING: the outcome if the replicas confirm it */
    uint32_t number;              /* of the request; an answer to an earlier one is ignored */
    int64_t n_confirm;            /* replicas that have to confirm the use */
    uint64_t epoch;               /* CONFIRMING: of the connection that ran the script */
    uint64_t ticket;
    int64_t due_ms; /* monotonic */
    struct counter_key key;
    struct place *next_free;
};

struct one_use {
    struct one_use_options options;
    struct redis_link *link;
    struct event *tick; /* pending while requests are under way */
    struct place *free_places;
    unsigned n_busy;
    uint32_t last_number;
    int64_t warned_ms;
    struct place places[ONE_USE_MAX];
};

static void finish(struct one_use *uses, struct place *place, enum one_use_outcome outcome)
{
    uint64_t ticket = place->ticket;

    place->step = STEP_FREE;
    place->next_free = uses->free_places;
    uses->free_places = place;
    if (--uses->n_busy == 0)
        evtimer_del(uses->tick);
    uses->options.on_use(uses->options.owner, ticket, outcome);
}

static uint64_t pack_ticket(const struct one_use *uses, const struct place *place)
{
    return (uint64_t)place->number << 32 | (uint64_t)(place - uses->places);
}

/* Warns once a minute at most, because people press again while something is wrong. */
static void warn(struct one_use *uses, const char *why)
{
    int64_t now_ms = clock_mono_ms();
    char quoted[LOG_QUOTE_MAX];

    if (uses->warned_ms != 0 && now_ms - uses->warned_ms < 60000)
        return;
    uses->warned_ms = now_ms;
    log_warn("uses.redis", "err=%s effect=\"one-time links answer 503\"", log_quote(quoted, why));
}

/* Redis answered with an error, or with something that the script never answers. */
static void on_fault(struct one_use *uses, struct place *place, const struct redisReply *answer)
{
    bool is_error = answer->type == REDIS_REPLY_ERROR;

    warn(uses, is_error ? answer->str : "Redis gave an answer that the script never gives");
    if (is_error && redis_cause_of(answer->str).remedy == REDIS_RECONNECT)
        redis_link_reconnect(uses->link, counter_key_slice(&place->key));
    finish(uses, place, ONE_USE_UNSURE);
}

/* Sends WAIT: Redis answers when the replicas have all that this connection wrote so far. */
static void confirm(struct one_use *uses, struct place *place)
{
    int64_t left_ms = place->due_ms - clock_mono_ms() - CONFIRM_SPARE_MS;
    char n_text[DECIMAL_MAX], ms_text[DECIMAL_MAX];
    const struct slice argv[3] = {slice_of("WAIT"), {n_text, 0}, {ms_text, 0}};
    struct slice args[3];

    memcpy(args, argv, sizeof(args));
    args[1].len = (size_t)snprintf(n_text, sizeof(n_text), "%" PRId64, place->n_confirm);
    /* With 0, WAIT would wait for ever. */
    args[2].len = (size_t)snprintf(ms_text, sizeof(ms_text), "%" PRId64, left_ms > 1 ? left_ms : 1);
    place->step = STEP_CONFIRMING;
    place->epoch = redis_link_epoch(uses->link, counter_key_slice(&place->key));
    if (!redis_link_send(uses->link, &(struct redis_command){
                                         .key = counter_key_slice(&place->key),
                                         .argv = args,
                                         .argc = 3,
                                         .ticket = pack_ticket(uses, place),
                                     }))
        finish(uses, place, ONE_USE_UNSURE);
}

static void on_said(struct one_use *uses, struct place *place, const struct redisReply *answer)
{
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2 ||
        answer->element[0]->type != REDIS_REPLY_INTEGER ||
        answer->element[1]->type != REDIS_REPLY_INTEGER) {
        on_fault(uses, place, answer);
        return;
    }
    place->n_confirm = answer->element[1]->integer;
    switch (answer->element[0]->integer) {
    case SAID_USED:
        finish(uses, place, ONE_USE_USED);
        return;
    case SAID_FIRST:
        place->outcome = ONE_USE_FIRST;
        break;
    case SAID_REPEATED:
        place->outcome = ONE_USE_REPEATED;
        break;
    default:
        finish(uses, place, ONE_USE_UNSURE);
        return;
    }
    if (place->n_confirm > 0)
        confirm(uses, place);
    else
        finish(uses, place, place->outcome);
}

/* Redis has answered; NULL: it won't, because the connection was lost. */
static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct one_use *uses = owner;
    struct place *place = &uses->places[ticket & UINT32_MAX];

    if (place->step == STEP_FREE || place->number != ticket >> 32)
        return;
    if (!answer)
        finish(uses, place, ONE_USE_UNSURE);
    else if (place->step == STEP_ASKED)
        on_said(uses, place, answer);
    else if (answer->type != REDIS_REPLY_INTEGER)
        on_fault(uses, place, answer);
    /* WAIT is about the writes of its own connection.  If the script ran on an earlier connection,
     * this answer doesn't confirm the use. */
    else if (redis_link_epoch(uses->link, counter_key_slice(&place->key)) != place->epoch ||
             answer->integer < place->n_confirm)
        finish(uses, place, ONE_USE_UNSURE);
    else
        finish(uses, place, place->outcome);
}

static void start_tick(struct one_use *uses)
{
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000L};

    evtimer_add(uses->tick, &tick);
}

/* TICK_MS have passed while requests were under way: ends those that took too long. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct one_use *uses = arg;
    int64_t now_ms = clock_mono_ms();

    (void)fd;
    (void)events;
    for (unsigned i = 0; i < ONE_USE_MAX && uses->n_busy > 0; i++) {
        struct place *place = &uses->places[i];

        if (place->step != STEP_FREE && now_ms >= place->due_ms)
            finish(uses, place, ONE_USE_UNSURE);
    }
    if (uses->n_busy > 0)
        start_tick(uses);
}

static bool send_script(struct one_use *uses, struct place *place,
                        const struct one_use_request *request)
{
    char view[VIEW_HEX + 1] = "", again[DECIMAL_MAX], keep[DECIMAL_MAX], settle[DECIMAL_MAX];
    char n_shards[DECIMAL_MAX];
    unsigned shard =
        counter_shard_of_bucket(counter_bucket_of_link(request->link_id), uses->options.n_shards);
    int64_t keep_s = 0;
    struct counter_key server, shards;
    struct slice argv[11] = {slice_of("EVAL"), slice_make(one_use_lua, sizeof(one_use_lua)),
                             slice_of("3")};

    if (request->ends_s != INT64_MAX) {
        keep_s = request->ends_s - clock_wall_ms() / 1000 + AFTER_END_S;
        if (keep_s < 1)
            keep_s = 1;
    }
    for (unsigned i = 0; i < ONE_USE_VIEW_LEN; i++)
        snprintf(view + 2 * (size_t)i, 3, "%02x", request->view[i]);
    snprintf(again, sizeof(again), "%d", ONE_USE_AGAIN_MS);
    snprintf(keep, sizeof(keep), "%" PRId64, keep_s);
    snprintf(settle, sizeof(settle), "%d", ONE_USE_SETTLE_MS);
    counter_key_one_use(&place->key, request->link_id, uses->options.n_shards);
    counter_key_server(&server, shard);
    counter_key_shards(&shards, shard);
    snprintf(n_shards, sizeof(n_shards), "%u", uses->options.n_shards);
    argv[3] = counter_key_slice(&server);
    argv[4] = counter_key_slice(&place->key);
    argv[5] = counter_key_slice(&shards);
    argv[6] = slice_of(view);
    argv[7] = slice_of(again);
    argv[8] = slice_of(keep);
    argv[9] = slice_of(settle);
    argv[10] = slice_of(n_shards);
    return redis_link_send(uses->link, &(struct redis_command){.key = argv[4],
                                                               .argv = argv,
                                                               .argc = 11,
                                                               .ticket = pack_ticket(uses, place)});
}

bool one_use_ask(struct one_use *uses, const struct one_use_request *request)
{
    struct place *place = uses->free_places;

    if (!place)
        return false;
    place->number = ++uses->last_number;
    if (!send_script(uses, place, request))
        return false;
    uses->free_places = place->next_free;
    place->step = STEP_ASKED;
    place->ticket = request->ticket;
    place->due_ms = clock_mono_ms() + ONE_USE_WAIT_MS;
    if (uses->n_busy++ == 0)
        start_tick(uses);
    return true;
}

bool one_use_note_replicas(struct redis_link *link, unsigned shard, uint64_t ticket)
{
    struct counter_key server;
    struct slice argv[4] = {slice_of("EVAL"), slice_make(one_use_lua, sizeof(one_use_lua)),
                            slice_of("1")};

    counter_key_server(&server, shard);
    argv[3] = counter_key_slice(&server);
    return redis_link_send(
        link, &(struct redis_command){.key = argv[3], .argv = argv, .argc = 4, .ticket = ticket});
}

struct one_use *one_use_new(struct event_base *base, const struct one_use_options *options,
                            struct error *err)
{
    struct one_use *uses = calloc(1, sizeof(*uses));
    struct redis_link_options link = {
        .url = options->redis_url,
        .name = options->name,
        .timeout_ms = ONE_USE_WAIT_MS + TICK_MS,
        .limits = {.bytes = ANSWER_BYTES_MAX, .elements = ANSWER_ELEMENTS_MAX},
        .owner = uses,
        .on_answer = on_answer,
    };

    if (!uses || !(uses->tick = evtimer_new(base, on_tick, uses))) {
        error_set(err, "uses: out of memory");
        one_use_free(uses);
        return NULL;
    }
    uses->options = *options;
    uses->options.redis_url = NULL;
    for (unsigned i = ONE_USE_MAX; i > 0; i--) {
        uses->places[i - 1].next_free = uses->free_places;
        uses->free_places = &uses->places[i - 1];
    }
    uses->link = redis_link_new(base, &link, err);
    if (!uses->link) {
        one_use_free(uses);
        uses = NULL;
    }
    return uses;
}

void one_use_free(struct one_use *uses)
{
    if (!uses)
        return;
    for (unsigned i = 0; i < ONE_USE_MAX; i++)
        uses->places[i].step = STEP_FREE;
    redis_link_free(uses->link);
    if (uses->tick)
        event_free(uses->tick);
    free(uses);
}
