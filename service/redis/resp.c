#include "service/redis/resp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <hiredis/hiredis.h>

#include "service/redis/answer_arena.h"

/* The cost of an element besides its bytes: its redisReply and its pointer in the array, aligned.
 */
enum { ELEMENT_COST = 96 };

struct resp_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions;
    struct resp_limits limits;
    struct answer_arena arena; /* holds the answer being read, or passed to the caller */
    size_t n_fed;              /* bytes read since the end of the last complete answer */
    size_t n_elements;         /* in the answer being read */
    bool is_too_large;
};

static size_t decimal_len(size_t n)
{
    size_t len = 1;

    for (; n >= 10; n /= 10)
        len++;
    return len;
}

/* Writes '*' or '$', a number, CR LF. */
static uint8_t *put_number(uint8_t *out, char mark, size_t n)
{
    size_t len = decimal_len(n);

    *out++ = (uint8_t)mark;
    for (size_t i = len; i > 0; i--, n /= 10)
        out[i - 1] = (uint8_t)('0' + n % 10);
    out += len;
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

bool resp_write_command(struct evbuffer *out, const struct slice *argv, size_t argc)
{
    size_t total = 3 + decimal_len(argc);
    struct evbuffer_iovec space;
    uint8_t *at;

    for (size_t i = 0; i < argc; i++)
        total += 5 + decimal_len(argv[i].len) + argv[i].len;
    if (evbuffer_reserve_space(out, (ev_ssize_t)total, &space, 1) != 1)
        return false;
    at = put_number(space.iov_base, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        at = put_number(at, '$', argv[i].len);
        if (argv[i].len)
            memcpy(at, argv[i].ptr, argv[i].len);
        at += argv[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    space.iov_len = total;
    return evbuffer_commit_space(out, &space, 1) == 0;
}

/* --- object functions for the hiredis reader; see hiredis.c for what each must do ---
 *
 * Returning NULL ends the reading.  All types of RESP3 are refused this way: we never enable RESP3,
 * hiredis 0.14 doesn't know it, and hiredis 1.0 and newer parse it even when it is not enabled. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_len;
#else
typedef int array_len;
#endif

/* Takes memory from the arena; NULL: the answer exceeds the limit. */
static void *take(struct resp_reader *reader, size_t len)
{
    void *taken = answer_arena_take(&reader->arena, len);

    if (!taken)
        reader->is_too_large = true;
    return taken;
}

/* Creates an answer and puts it into its parent array.  Refuses types that hiredis 0.14 doesn't
 * know.
 */
static redisReply *create_answer(const redisReadTask *task, int type)
{
    struct resp_reader *reader = task->privdata;
    redisReply *answer;

    if (type < REDIS_REPLY_STRING || type > REDIS_REPLY_ERROR)
        return NULL;
    answer = take(reader, sizeof(*answer));
    if (!answer)
        return NULL;
    *answer = (redisReply){.type = type};
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = answer;
    return answer;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct resp_reader *reader = task->privdata;
    redisReply *answer = create_answer(task, task->type); /* a string, status or error */

    if (!answer || !(answer->str = take(reader, len + 1)))
        return NULL;
    memcpy(answer->str, text, len);
    answer->str[len] = '\0';
    answer->len = len;
    return answer;
}

/* Whether the limits allow an array of `n` more elements.  The announced number counts, because
 * memory for all of them is reserved at once. */
static bool may_hold(struct resp_reader *reader, const redisReadTask *task, size_t n)
{
    unsigned depth = 1;

    for (; task->parent; task = task->parent)
        depth++;
    if (depth > RESP_DEPTH_MAX || n > reader->limits.elements - reader->n_elements) {
        reader->is_too_large = true;
        return false;
    }
    reader->n_elements += n;
    return true;
}

static void *create_array(const redisReadTask *task, array_len n)
{
    struct resp_reader *reader = task->privdata;
    size_t count = n > 0 ? (size_t)n : 0, len = count * sizeof(redisReply *);
    redisReply *answer = may_hold(reader, task, count) ? create_answer(task, task->type) : NULL;

    if (!answer || count == 0)
        return answer;
    answer->element = take(reader, len);
    if (!answer->element)
        return NULL;
    memset(answer->element, 0, len);
    answer->elements = count;
    return answer;
}

static void *create_integer(const redisReadTask *task, long long n)
{
    redisReply *answer = create_answer(task, REDIS_REPLY_INTEGER);

    if (answer)
        answer->integer = n;
    return answer;
}

static void *create_nil(const redisReadTask *task)
{
    /* the nil takes the place of the expected type */
    return create_answer(task, REDIS_REPLY_NIL);
}

#if HIREDIS_MAJOR >= 1
/* Without this function the reader would return a small number as a pointer. */
static void *refuse_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)task, (void)value, (void)text, (void)len;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

/* Does nothing: the arena frees all objects. */
static void free_object(void *object)
{
    (void)object;
}

struct resp_reader *resp_reader_new(const struct resp_limits *limits)
{
    struct resp_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->limits = *limits;
    reader->arena.max = 2 * limits->bytes + ELEMENT_COST * limits->elements;
    reader->functions = (redisReplyObjectFunctions)
    {
        .createString = create_string, .createArray = create_array, .createInteger = create_integer,
        .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = refuse_double, .createBool = refuse_bool,
#endif
        .freeObject = free_object,
    };
    reader->reader = redisReaderCreateWithFunctions(&reader->functions);
    if (!reader->reader) {
        free(reader);
        return NULL;
    }
    reader->reader->privdata = reader;
    return reader;
}

void resp_reader_free(struct resp_reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->reader);
    answer_arena_clear(&reader->arena);
    free(reader);
}

bool resp_reader_feed(struct resp_reader *reader, struct evbuffer *in)
{
    struct evbuffer_iovec chunk;

    /* Doesn't stop at an empty chunk, because others may follow it. */
    while (evbuffer_get_length(in) > 0 && evbuffer_peek(in, -1, NULL, &chunk, 1) > 0) {
        if (redisReaderFeed(reader->reader, chunk.iov_base, chunk.iov_len) != REDIS_OK)
            return false;
        reader->n_fed += chunk.iov_len;
        evbuffer_drain(in, chunk.iov_len);
    }
    return true;
}

static size_t unread_len(const struct resp_reader *reader)
{
    return reader->reader->len - reader->reader->pos;
}

enum resp_status resp_reader_next(struct resp_reader *reader, struct redisReply **answer)
{
    void *out = NULL;

    if (redisReaderGetReply(reader->reader, &out) != REDIS_OK)
        return reader->is_too_large ? RESP_TOO_LARGE : RESP_BROKEN;
    if (out) {
        *answer = out;
        reader->n_fed = unread_len(reader);
        reader->n_elements = 0;
        return RESP_ANSWER;
    }
    /* Counts bytes fed, not the bytes unread: an array may have been consumed up to its last
     * element. */
    if (reader->n_fed > reader->limits.bytes)
        return RESP_TOO_LARGE;
    /* hiredis searches a line from its start each time data arrives, so the length of a line is
     * limited.  Unread data begins with a line: also for a text, whose length comes first. */
    if (unread_len(reader) > RESP_LINE_MAX &&
        !memchr(reader->reader->buf + reader->reader->pos, '\n', RESP_LINE_MAX))
        return RESP_TOO_LARGE;
    return RESP_MORE;
}

void resp_answer_free(struct resp_reader *reader)
{
    if (reader)
        answer_arena_reset(&reader->arena);
}
