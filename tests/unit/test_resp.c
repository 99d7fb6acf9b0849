/* Replies of Redis, whole, in pieces, broken and without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <hiredis/hiredis.h>

#include "service/redis/answer_arena.h"
#include "service/redis/resp.h"

static const struct resp_limits limits = {.bytes = RESP_ANSWER_MAX, .elements = 1 << 20};

struct stream {
    struct resp_reader *reader;
    struct evbuffer *in;
};

static int make_stream(void **state)
{
    struct stream *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->reader = resp_reader_new(&limits);
    s->in = evbuffer_new();
    assert_true(s->reader && s->in);
    *state = s;
    return 0;
}

static int free_stream(void **state)
{
    struct stream *s = *state;

    resp_reader_free(s->reader);
    evbuffer_free(s->in);
    free(s);
    return 0;
}

static void feed(struct stream *s, const char *bytes, size_t len)
{
    assert_int_equal(evbuffer_add(s->in, bytes, len), 0);
    assert_true(resp_reader_feed(s->reader, s->in));
    assert_int_equal(evbuffer_get_length(s->in), 0);
}

/* The status of what comes next; an answer is freed. */
static enum resp_status next(struct stream *s)
{
    struct redisReply *answer = NULL;
    enum resp_status status = resp_reader_next(s->reader, &answer);

    if (status == RESP_ANSWER)
        resp_answer_free(s->reader);
    return status;
}

static void a_command_is_an_array_of_its_arguments(void **state)
{
    static const char want[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n";
    const struct slice argv[] = {slice_of("SET"), slice_of("k"), slice_make(NULL, 0)};
    struct evbuffer *out = evbuffer_new();

    (void)state;
    assert_true(resp_write_command(out, argv, 3));
    assert_int_equal(evbuffer_get_length(out), strlen(want));
    assert_memory_equal(evbuffer_pullup(out, -1), want, strlen(want));
    evbuffer_free(out);
}

static void a_answer_is_read_when_its_last_byte_is_there(void **state)
{
    static const char answer[] = "*2\r\n:1\r\n$5\r\nhello\r\n";
    struct stream *s = *state;

    for (size_t i = 0; i < strlen(answer); i++) {
        assert_int_equal(next(s), RESP_MORE);
        feed(s, answer + i, 1);
    }
    assert_int_equal(next(s), RESP_ANSWER);
    assert_int_equal(next(s), RESP_MORE);
}

static void what_is_not_the_protocol_is_refused(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"no type", "HTTP/1.1 400 Bad Request\r\n\r\n"},
        {"a length below -1", "$-5\r\n"},
        {"a length that is no number", "$1x\r\na\r\n"},
        {"RESP3: a map", "%1\r\n+a\r\n:1\r\n"},
        {"RESP3: a set", "~1\r\n:1\r\n"},
        {"RESP3: a push", ">1\r\n:1\r\n"},
        {"RESP3: a double", ",1.5\r\n"},
        {"RESP3: a double in an array", "*1\r\n,1.5\r\n"},
        {"RESP3: true", "#t\r\n"},
        {"RESP3: true in an array", "*2\r\n#t\r\n:1\r\n"},
        {"RESP3: a big number", "(12345678901234567890\r\n"},
        {"RESP3: a verbatim text", "=5\r\ntxt:a\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *made;

        print_message("%s\n", cases[i].name);
        make_stream(&made);
        feed(made, cases[i].text, strlen(cases[i].text));
        assert_int_equal(next(made), RESP_BROKEN);
        free_stream(&made);
    }
}

static void arrays_may_be_nested_up_to_the_limit(void **state)
{
    struct stream *s = *state;

    for (int i = 0; i < RESP_DEPTH_MAX; i++)
        feed(s, "*1\r\n", 4);
    assert_int_equal(next(s), RESP_MORE);
    feed(s, ":1\r\n", 4);
    assert_int_equal(next(s), RESP_ANSWER);
}

enum { PART = 1 << 20 };

/* An array of `n` texts of a mebibyte each, all but its last byte. */
static enum resp_status feed_parts(struct stream *s, unsigned n)
{
    static char part[PART];
    char head[32];
    enum resp_status status = RESP_MORE;

    snprintf(head, sizeof(head), "*%u\r\n", n + 1);
    feed(s, head, strlen(head));
    for (unsigned i = 0; i < n && status == RESP_MORE; i++) {
        snprintf(head, sizeof(head), "$%d\r\n", PART);
        feed(s, head, strlen(head));
        feed(s, part, sizeof(part));
        feed(s, "\r\n", 2);
        status = next(s);
    }
    return status;
}

static void an_array_without_end_is_given_up_at_the_limit_of_a_answer(void **state)
{
    assert_int_equal(feed_parts(*state, 2 * (RESP_ANSWER_MAX / PART)), RESP_TOO_LARGE);
}

static void replies_below_the_limit_may_follow_each_other_for_ever(void **state)
{
    struct stream *s = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(feed_parts(s, RESP_ANSWER_MAX / PART / 2), RESP_MORE);
        feed(s, ":1\r\n", 4);
        assert_int_equal(next(s), RESP_ANSWER);
    }
}

/* Ten numbers. */
#define TEN ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:0\r\n"

static void a_answer_holds_what_its_limits_allow(void **state)
{
    static const struct {
        const char *name, *text;
        size_t n_filler; /* bytes that follow */
        enum resp_status want;
    } cases[] = {
        {"the most elements", "*10\r\n", 0, RESP_MORE},
        {"one more", "*11\r\n", 0, RESP_TOO_LARGE},
        {"two arrays with the most together", "*2\r\n*3\r\n:1\r\n:2\r\n:3\r\n*5\r\n", 0, RESP_MORE},
        {"two arrays with one more", "*2\r\n*3\r\n:1\r\n:2\r\n:3\r\n*6\r\n", 0, RESP_TOO_LARGE},
        {"one more, announced in an array", "*2\r\n*9\r\n", 0, RESP_TOO_LARGE},
        {"an array that holds nothing", "*-1\r\n", 0, RESP_ANSWER},
        {"the next answer starts anew", "*10\r\n" TEN "*10\r\n", 0, RESP_ANSWER},
        {"the most arrays in one another", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 0, RESP_MORE},
        {"one more of them", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 0, RESP_TOO_LARGE},
        {"a text of the most bytes, unfinished", "$199990\r\n", 199991, RESP_MORE},
        {"a text of more bytes", "$300000\r\n", 200001, RESP_TOO_LARGE},
        {"a line of many bytes", "+", RESP_LINE_MAX, RESP_MORE},
        {"a line without end", "+", RESP_LINE_MAX + 2, RESP_TOO_LARGE},
        {"a length without end", "$", RESP_LINE_MAX + 2, RESP_TOO_LARGE},
        {"a line without end in an array", "*2\r\n:1\r\n-", RESP_LINE_MAX + 2, RESP_TOO_LARGE},
    };
    static const struct resp_limits small = {.bytes = 200000, .elements = 10};
    static char filler[300000];

    (void)state;
    memset(filler, '1', sizeof(filler));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stream s = {.reader = resp_reader_new(&small), .in = evbuffer_new()};

        print_message("%s\n", cases[i].name);
        assert_true(s.reader && s.in);
        feed(&s, cases[i].text, strlen(cases[i].text));
        feed(&s, filler, cases[i].n_filler);
        assert_int_equal(next(&s), cases[i].want);
        resp_reader_free(s.reader);
        evbuffer_free(s.in);
    }
}

/* Whatever an answer is made of, its memory has a bound of its own. */
static void an_arena_ends_at_its_limit(void **state)
{
    static const size_t pieces[] = {1, 64, 5000, 200000, 262144};

    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct answer_arena arena = {.max = 1000000};
        size_t taken = 0;

        while (answer_arena_take(&arena, pieces[i]))
            taken += pieces[i];
        print_message("%zu bytes at a time: %zu\n", pieces[i], taken);
        assert_in_range(taken, pieces[i] == 1 ? 1000000 / 20 : 600000, 1000000);
        assert_in_range(arena.size, 0, arena.max);
        answer_arena_reset(&arena);
        assert_non_null(answer_arena_take(&arena, 500000));
        answer_arena_clear(&arena);
    }
}

#define STREAM(test) cmocka_unit_test_setup_teardown(test, make_stream, free_stream)

static void a_answer_holds_what_was_sent(void **state)
{
    static const char bytes[] =
        "*6\r\n$5\r\na\0b\r\n\r\n:-7\r\n$-1\r\n*0\r\n*2\r\n+OK\r\n*1\r\n:9\r\n"
        "-ERR x\r\n";
    struct stream *s = *state;
    struct redisReply *answer, *inner;

    feed(s, bytes, sizeof(bytes) - 1);
    assert_int_equal(resp_reader_next(s->reader, &answer), RESP_ANSWER);
    assert_int_equal(answer->type, REDIS_REPLY_ARRAY);
    assert_int_equal(answer->elements, 6);
    assert_int_equal(answer->element[0]->len, 5);
    assert_memory_equal(answer->element[0]->str, "a\0b\r\n", 6); /* a NUL behind it */
    assert_int_equal(answer->element[1]->integer, -7);
    assert_int_equal(answer->element[2]->type, REDIS_REPLY_NIL);
    assert_int_equal(answer->element[3]->elements, 0);
    inner = answer->element[4];
    assert_int_equal(inner->element[0]->type, REDIS_REPLY_STATUS);
    assert_string_equal(inner->element[0]->str, "OK");
    assert_int_equal(inner->element[1]->element[0]->integer, 9);
    assert_int_equal(answer->element[5]->type, REDIS_REPLY_ERROR);
    assert_string_equal(answer->element[5]->str, "ERR x");
    resp_answer_free(s->reader);
    assert_int_equal(next(s), RESP_MORE);
}

/* Its memory comes in many blocks, and goes before the next. */
static void long_replies_follow_each_other(void **state)
{
    struct stream *s = *state;
    struct redisReply *answer;
    char text[32];

    for (int round = 0; round < 3; round++) {
        feed(s, "*30001\r\n", 8);
        for (int i = 0; i < 30000; i++) {
            int len = snprintf(text, sizeof(text), "$5\r\n%05d\r\n", i);

            feed(s, text, (size_t)len);
            if (i % 1000 == 0)
                assert_int_equal(next(s), RESP_MORE);
        }
        feed(s, ":1\r\n", 4);
        assert_int_equal(resp_reader_next(s->reader, &answer), RESP_ANSWER);
        assert_int_equal(answer->elements, 30001);
        for (int i = 0; i < 30000; i++) {
            snprintf(text, sizeof(text), "%05d", i);
            assert_string_equal(answer->element[i]->str, text);
        }
        resp_answer_free(s->reader);
    }
    resp_answer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_an_array_of_its_arguments),
        STREAM(arrays_may_be_nested_up_to_the_limit),
        STREAM(a_answer_is_read_when_its_last_byte_is_there),
        cmocka_unit_test(what_is_not_the_protocol_is_refused),
        STREAM(an_array_without_end_is_given_up_at_the_limit_of_a_answer),
        cmocka_unit_test(a_answer_holds_what_its_limits_allow),
        cmocka_unit_test(an_arena_ends_at_its_limit),
        STREAM(a_answer_holds_what_was_sent),
        STREAM(long_replies_follow_each_other),
        STREAM(replies_below_the_limit_may_follow_each_other_for_ever),
    };

    return cmocka_run_group_tests_name("resp", tests, NULL, NULL);
}
