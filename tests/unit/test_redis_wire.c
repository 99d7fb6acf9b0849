/* What goes to and comes from Redis: commands as bytes, answers within limits, slots, causes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <hiredis/hiredis.h>

#include "service/redis/redis_cause.h"
#include "service/redis/redis_url.h"
#include "service/redis/resp.h"
#include "service/redis/slot_map.h"

static void test_commands(void **state)
{
    const struct slice argv[] = {slice_of("SET"), slice_of(""), slice_make("a\0\r\n", 4),
                                 slice_of("0123456789")};
    static const char want[] =
        "*4\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n$10\r\n0123456789\r\n";
    struct evbuffer *out = evbuffer_new();

    (void)state;
    assert_true(resp_write_command(out, argv, 4));
    assert_int_equal(evbuffer_get_length(out), sizeof(want) - 1);
    assert_memory_equal(evbuffer_pullup(out, -1), want, sizeof(want) - 1);
    evbuffer_free(out);
}

static const struct resp_limits limits = {.bytes = RESP_ANSWER_MAX, .elements = 1 << 20};

/* How many answers come before the end, and how it ends, whatever pieces the bytes come in. */
static void read_all(const char *bytes, size_t len, size_t piece, int *n, enum resp_status *end)
{
    struct resp_reader *reader = resp_reader_new(&limits);
    struct evbuffer *in = evbuffer_new();
    struct redisReply *answer;

    *n = 0;
    *end = RESP_MORE;
    for (size_t at = 0; at < len && *end == RESP_MORE; at += piece) {
        evbuffer_add(in, bytes + at, len - at < piece ? len - at : piece);
        assert_true(resp_reader_feed(reader, in));
        while ((*end = resp_reader_next(reader, &answer)) == RESP_ANSWER) {
            ++*n;
            resp_answer_free(reader);
        }
    }
    resp_reader_free(reader);
    evbuffer_free(in);
}

static void test_replies(void **state)
{
    const struct {
        const char *name, *bytes;
        int n;
        enum resp_status end;
    } cases[] = {
        {"one of each type", "+OK\r\n-ERR x\r\n:7\r\n$3\r\nabc\r\n$-1\r\n*2\r\n:1\r\n*0\r\n", 6,
         RESP_MORE},
        {"half an answer", "*2\r\n:1\r\n", 0, RESP_MORE},
        {"not the protocol", "HTTP/1.1 200 OK\r\n", 0, RESP_BROKEN},
        {"a length that no memory has", "$9999999999999999999\r\n", 0, RESP_BROKEN},
        {"an array of the most elements, unfinished", "*1048576\r\n", 0, RESP_MORE},
        {"an array of one more", "*1048577\r\n", 0, RESP_TOO_LARGE},
        {"an array of 2^31 - 1", "*2147483647\r\n", 0, RESP_TOO_LARGE},
        {"arrays nested without end",
         "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 0, RESP_TOO_LARGE},
        {"a good one, then garbage", "+OK\r\n\x01\x02\r\n", 1, RESP_BROKEN},
    };
    static const size_t pieces[] = {1, 3, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].name);
        for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            enum resp_status end;
            int n;

            read_all(cases[i].bytes, strlen(cases[i].bytes), pieces[p], &n, &end);
            assert_int_equal(n, cases[i].n);
            assert_int_equal(end, cases[i].end);
        }
    }
}

static void test_slots(void **state)
{
    const struct {
        const char *name, *key;
        unsigned slot;
    } cases[] = {
        {"the check value of CRC16/XMODEM", "123456789", 12739},
        {"the tag alone counts", "hc:{s00}:l:3ff", 0},
        {"another key of the tag", "hc:{s00}:rejected", 0},
        {"an empty tag is no tag", "foo{}{bar}", 8363},
        {"the first tag counts", "foo{{bar}}zap", 4015},
        {"a brace that isn't closed is no tag", "foo{bar", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned want = cases[i].slot;

        print_message("%s\n", cases[i].name);
        if (strstr(cases[i].key, "{s00}"))
            want = slot_of_key(slice_of("s00"));
        else if (strcmp(cases[i].key, "foo{bar") == 0)
            want = slot_of_key(slice_of("foo{bar"));
        assert_int_equal(slot_of_key(slice_of(cases[i].key)), want);
    }
}

static void test_redirections(void **state)
{
    const struct {
        const char *name, *text;
        bool ok;
        struct slot_redirection want;
    } cases[] = {
        {"moved", "MOVED 3999 127.0.0.1:6381", true, {false, 3999, {"127.0.0.1", 6381}}},
        {"ask", "ASK 0 host.example:1", true, {true, 0, {"host.example", 1}}},
        {"IPv6 has no brackets",
         "MOVED 16383 2001:db8::1:6379",
         true,
         {false, 16383, {"2001:db8::1", 6379}}},
        {"the host of who answers", "MOVED 1 :6381", true, {false, 1, {"", 6381}}},
        {"a slot too high", "MOVED 16384 h:1", false, {0}},
        {"no port", "MOVED 1 h", false, {0}},
        {"port 0", "MOVED 1 h:0", false, {0}},
        {"no slot", "MOVED h:1", false, {0}},
        {"another error", "ERR MOVED 1 h:1", false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slot_redirection out = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(slot_parse_redirection(cases[i].text, &out), cases[i].ok);
        assert_memory_equal(&out, &cases[i].want, sizeof(out));
    }
}

static void test_causes(void **state)
{
    const struct {
        const char *error, *name;
        enum redis_remedy remedy;
    } cases[] = {
        {"OOM command not allowed when used memory > 'maxmemory'.", "oom", REDIS_WAIT},
        {"READONLY You can't write against a read only replica.", "readonly", REDIS_RECONNECT},
        {"NOSCRIPT No matching script.", "noscript", REDIS_SEND_SCRIPT},
        {"NOPERM", "noperm", REDIS_WAIT},
        {"ERR unknown command", "error", REDIS_WAIT},
        {"OOMPH is another word", "error", REDIS_WAIT},
        {"", "error", REDIS_WAIT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct redis_cause cause = redis_cause_of(cases[i].error);

        print_message("'%s'\n", cases[i].error);
        assert_string_equal(cause.name, cases[i].name);
        assert_int_equal(cause.remedy, cases[i].remedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands), cmocka_unit_test(test_replies),
        cmocka_unit_test(test_slots),    cmocka_unit_test(test_redirections),
        cmocka_unit_test(test_causes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
