/* A stream in the Redis of the counters: an entry for each record.
 *
 * The cursor lies beside the stream and moves in the same script.  So nothing is there twice, and a
 * Redis that has lost its newest writes has lost entries and cursor together: it says from where on
 * the log is to be read again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <sodium.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/config/config.h"
#include "service/redis/redis_link.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "stream_lua.h"

enum {
    ROWS_MAX = 1000, /* 3 ms of Redis' time */
    LINGER_MS = 200,
    TICK_MS = 20,
    FIXED_ARGS = 10, /* EVAL, the script, 2, two keys, and what comes before the records */
    POSITION_MAX = 21,
    KEY_MAX = 160,
    TTL_S = 90 * 86400, /* a log that is quiet for longer is added again from its first record */
};

enum step { STEP_IDLE, STEP_SENT, STEP_APPLIED, STEP_ASKED, STEP_ELSEWHERE, STEP_FAILED };

struct stream {
    struct sink_options options;
    struct event_base *base;
    struct redis_link *link;
    struct event *tick;
    enum step step;
    bool has_cursor; /* ELSEWHERE: Redis has one … */
    uint64_t cursor; /* … which stands here */
    char why[SINK_RESULT_WHY_MAX];

    char stream_key[KEY_MAX], cursor_key[KEY_MAX];
    char *text; /* of ROWS_MAX records */
    char (*positions)[POSITION_MAX];
    struct slice *argv;
    size_t argc;
};

/* --- the connection --- */

static void set_why(char why[static SINK_RESULT_WHY_MAX], const char *text)
{
    snprintf(why, SINK_RESULT_WHY_MAX, "%.150s", text);
}

static void read_answer(struct stream *s, const struct redisReply *answer)
{
    const struct redisReply *const *element = (const struct redisReply *const *)answer->element;

    s->step = STEP_FAILED;
    if (answer->type == REDIS_REPLY_ERROR) {
        set_why(s->why, answer->str);
    } else if (answer->type == REDIS_REPLY_STRING || answer->type == REDIS_REPLY_NIL) {
        s->step = STEP_ASKED;
        s->cursor = answer->type == REDIS_REPLY_NIL ? 0 : strtoull(answer->str, NULL, 10);
    } else if (answer->type != REDIS_REPLY_ARRAY || answer->elements == 0 ||
               element[0]->type != REDIS_REPLY_INTEGER) {
        set_why(s->why, "Redis gives an answer that none of its scripts has");
    } else if (element[0]->integer == 1) {
        s->step = STEP_APPLIED;
    } else if (answer->elements == 2 && element[1]->type == REDIS_REPLY_STRING) {
        s->step = STEP_ELSEWHERE;
        s->has_cursor = element[1]->len > 0;
        s->cursor = strtoull(element[1]->str, NULL, 10);
    }
}

static void on_answer(void *owner, uint64_t ticket, const struct redisReply *answer)
{
    struct stream *s = owner;

    (void)ticket;
    if (answer) {
        read_answer(s, answer);
    } else {
        s->step = STEP_FAILED; /* it may have run: the cursor tells when it is sent again */
        set_why(s->why, "the connection to Redis was lost");
    }
    event_base_loopbreak(s->base);
}

/* It is time to look whether we are to stop, or whether the link is there by now. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    (void)events;
    event_base_loopbreak(s->base);
}

static bool connect_redis(struct stream *s)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    const struct redis_link_options options = {
        .url = s->options.redis_url,
        .name = "hopcount-sink",
        .timeout_ms = s->options.redis_timeout_ms,
        .limits = {.bytes = 64 << 10, .elements = 64},
        .owner = s,
        .on_answer = on_answer,
    };
    struct error err = {0};

    if (s->link)
        return true;
    s->base = event_base_new();
    if (s->base)
        s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
    if (s->tick && event_add(s->tick, &tick) == 0)
        s->link = redis_link_new(s->base, &options, &err);
    set_why(s->why, err.text[0] ? err.text : "out of memory");
    return s->link != NULL;
}

/* Sends what is in argv and waits for the answer, as long as a connect and a command may take. */
static void run_command(struct stream *s)
{
    int64_t until_ms = clock_mono_ms() + 2 * s->options.redis_timeout_ms;
    const struct redis_command command = {
        .key = slice_of(s->stream_key), .argv = s->argv, .argc = s->argc};

    s->step = STEP_IDLE;
    do {
        if (s->step == STEP_IDLE && redis_link_send(s->link, &command))
            s->step = STEP_SENT;
        event_base_dispatch(s->base);
        if (s->step > STEP_SENT)
            return;
    } while (!atomic_load(s->options.stopping) &&
             (s->step == STEP_SENT || clock_mono_ms() < until_ms));
    set_why(s->why,
            redis_link_cause(s->link)[0] ? redis_link_cause(s->link) : "Redis does not answer");
    s->step = STEP_FAILED;
}

/* --- a range --- */

static void name_cursor(struct stream *s, const char *log_hex)
{
    snprintf(s->cursor_key, sizeof(s->cursor_key), "%.90s:%s", s->stream_key, log_hex);
}

static void add_arg(struct stream *s, const char *text, size_t len)
{
    s->argv[s->argc++] = slice_make(text, len);
}

static size_t build(struct stream *s, struct sink_batch *batch,
                    char numbers[static 4][POSITION_MAX])
{
    struct record record;
    char *text = s->text;
    size_t n = 0;

    name_cursor(s, batch->log_hex);
    snprintf(numbers[0], POSITION_MAX, "%" PRIu64, batch->from);
    snprintf(numbers[1], POSITION_MAX, "%" PRIu64, batch->to);
    snprintf(numbers[2], POSITION_MAX, "%" PRId64, s->options.config->max_len);
    snprintf(numbers[3], POSITION_MAX, "%d", TTL_S);
    s->argc = 0;
    add_arg(s, "EVAL", 4);
    add_arg(s, stream_lua, sizeof(stream_lua));
    add_arg(s, "2", 1);
    add_arg(s, s->stream_key, strlen(s->stream_key));
    add_arg(s, s->cursor_key, strlen(s->cursor_key));
    for (int i = 0; i < 3; i++)
        add_arg(s, numbers[i], strlen(numbers[i]));
    add_arg(s, batch->log_hex, strlen(batch->log_hex));
    add_arg(s, numbers[3], strlen(numbers[3]));
    while (n < ROWS_MAX && sink_batch_next(batch, &record)) {
        size_t len = record_json(&record, &s->options.form, text) - 1; /* without its line feed */

        snprintf(s->positions[n], POSITION_MAX, "%" PRIu64, record.position);
        add_arg(s, s->positions[n], strlen(s->positions[n]));
        add_arg(s, text, len);
        text += RECORD_TEXT_MAX;
        n++;
    }
    return n;
}

/* Redis stands elsewhere than the range begins: goes on from there.  True: all is there. */
static bool follow_cursor(struct stream *s, struct sink_batch *batch, uint64_t to)
{
    uint64_t first = clicklog_first(batch->log);

    if (s->has_cursor && s->cursor >= to)
        return true;
    /* It has none: the sink is new, or the stream was deleted. */
    batch->from = s->has_cursor ? s->cursor : first;
    batch->to = to - batch->from > ROWS_MAX ? batch->from + ROWS_MAX : to;
    return false;
}

static enum sink_outcome put(void *self, struct sink_batch *batch, struct sink_result *result)
{
    struct stream *s = self;
    uint64_t to = batch->to;
    char numbers[4][POSITION_MAX];

    if (!connect_redis(s)) {
        sink_result_why(result, "%s", s->why);
        return SINK_LATER;
    }
    for (;;) {
        size_t n = build(s, batch, numbers);

        /* Nobody has written the cursor of a log of which the sink begins in the middle. */
        if (s->step == STEP_ELSEWHERE && !s->has_cursor)
            s->argv[5] = slice_of("0");
        run_command(s);
        if (s->step == STEP_FAILED || s->step == STEP_ASKED) {
            sink_result_why(result, "%s", s->why);
            return SINK_LATER;
        }
        if (s->step == STEP_APPLIED) {
            result->n_sent += n;
            if (batch->to == to)
                return SINK_DONE;
            batch->from = batch->to;
            batch->to = to - batch->from > ROWS_MAX ? batch->from + ROWS_MAX : to;
        } else if (follow_cursor(s, batch, to)) {
            return SINK_DONE;
        }
        sink_batch_start(batch);
    }
}

static bool ask(void *self, const uint8_t *log_id, uint64_t *cursor)
{
    char hex[2 * CLICK_LOG_ID_LEN + 1];
    struct stream *s = self;

    if (!connect_redis(s))
        return false;
    sodium_bin2hex(hex, sizeof(hex), log_id, CLICK_LOG_ID_LEN);
    name_cursor(s, hex);
    s->argv[0] = slice_of("GET");
    s->argv[1] = slice_of(s->cursor_key);
    s->argc = 2;
    run_command(s);
    *cursor = s->cursor;
    return s->step == STEP_ASKED;
}

/* --- open and close --- */

static void stream_close(void *self)
{
    struct stream *s = self;

    if (!s)
        return;
    redis_link_free(s->link);
    if (s->tick)
        event_free(s->tick);
    event_loop_free(s->base);
    free(s->text);
    free(s->positions);
    free(s->argv);
    free(s);
}

static void *stream_open(const struct sink_options *options, struct error *err)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (s) {
        s->options = *options;
        snprintf(s->stream_key, sizeof(s->stream_key), "hc:{stream}:%s", options->config->name);
        s->text = malloc((size_t)ROWS_MAX * RECORD_TEXT_MAX);
        s->positions = calloc(ROWS_MAX, sizeof(*s->positions));
        s->argv = calloc(FIXED_ARGS + 2 * ROWS_MAX, sizeof(*s->argv));
    }
    if (!s || !s->text || !s->positions || !s->argv) {
        error_set(err, "out of memory");
        stream_close(s);
        s = NULL;
    }
    return s;
}

const struct sink_type sink_type_stream = {
    .has_intents = false,
    .rows_max = ROWS_MAX,
    .linger_ms = LINGER_MS,
    .open = stream_open,
    .put = put,
    .ask = ask,
    .close = stream_close,
};
