#include "service/public/held.h"
#include "tests/unit/public_fixture.h"

#define GET "GET /" FIXTURE_LINK " HTTP/1.1\r\nHost: go.acme.example\r\n\r\n"
#define HALF "GET /" FIXTURE_LINK " HTTP/1.1\r\nHost: go.ac"
#define REST "me.example\r\n\r\n"

enum { OUT_MAX = 1 << 20 };

static char out[OUT_MAX];

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
        n++;
    return n;
}

static uint64_t ended(const struct fixture *f, enum close_reason end)
{
    return counter64_get(&f->counters.closed[end]);
}

static uint64_t appended(const struct fixture *f)
{
    return clicklog_tail(f->log);
}

static struct fixture *start(const char *public, unsigned connections_max)
{
    struct fixture *f = fixture_new(public);

    fixture_start(f, connections_max, false);
    return f;
}

static void test_a_click_is_answered_and_logged(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, GET);
    struct click click;
    size_t n_clicks;

    (void)state;
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_non_null(strstr(out, "HTTP/1.1 302 Found\r\n"));
    assert_non_null(strstr(out, "Location: " FIXTURE_TARGET "\r\n"));
    assert_null(strstr(out, "Connection:"));
    assert_int_equal(clicklog_read(f->log, 0, 1, &click, &n_clicks), 1);
    assert_int_equal(click.object, 1234);
    assert_int_equal(click.client, 77);
    assert_int_equal(click.campaign, 12);
    assert_int_equal(click.kind, TOKEN_KIND_PAY);
    assert_int_equal(click.time_ms, FIXTURE_NOW_S * 1000);
    assert_int_equal(click.brand, click_brand_id(slice_of("acme")));
    assert_int_equal(counter64_get(&f->counters.requests[OUTCOME_REDIRECT]), 1);
    close(client);
    fixture_free(f);
}

static void test_byte_by_byte(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, "");

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i + 1 < strlen(GET); i++) {
            char byte[2] = {GET[i], '\0'};

            fixture_send(f, client, byte);
            assert_int_equal(fixture_read(client, out, sizeof(out)), -1);
            assert_int_equal(counter64_get(&f->counters.heads), 1);
        }
        fixture_send(f, client, "\n");
        assert_true(fixture_read(client, out, sizeof(out)) > 0);
        assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
        assert_int_equal(counter64_get(&f->counters.heads), 0);
    }
    assert_int_equal(appended(f), 3);
    close(client);
    fixture_free(f);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, GET "GET /robots.txt HTTP/1.1\r\nHost: go.acme.example\r\n\r\n"
                                        "GET /none HTTP/1.1\r\nHost: go.acme.example\r\n\r\n" HALF);
    const char *first, *second, *third;

    (void)state;
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    first = strstr(out, "HTTP/1.1 302");
    second = strstr(out, "HTTP/1.1 200");
    third = strstr(out, "HTTP/1.1 404");
    assert_true(first == out && second > first && third > second);
    assert_int_equal(count_of(out, "HTTP/1.1 "), 3);
    fixture_send(f, client, REST);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
    close(client);
    fixture_free(f);
}

static void test_a_refusal_ends_the_connection_after_its_reply(void **state)
{
    static const struct {
        const char *name, *request, *status;
    } cases[] = {
        {"a bare line feed", "GET / HTTP/1.1\nHost: go.acme.example\n\n", "400"},
        {"an unknown host", "GET / HTTP/1.1\r\nHost: go.example\r\n\r\n", "404"},
        {"a POST", "POST /x HTTP/1.1\r\nHost: go.acme.example\r\nContent-Length: 0\r\n\r\n", "405"},
        {"an unknown method", "BREW / HTTP/1.1\r\nHost: go.acme.example\r\n\r\n", "501"},
        {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = start("workers: 1", 4);
        char request[512], want[32];
        int client;

        print_message("%s\n", cases[i].name);
        snprintf(request, sizeof(request), "%s" GET, cases[i].request);
        snprintf(want, sizeof(want), "HTTP/1.1 %s ", cases[i].status);
        client = fixture_connect(f, request);
        assert_true(fixture_read(client, out, sizeof(out)) > 0);
        assert_int_equal(strncmp(out, want, strlen(want)), 0);
        assert_int_equal(count_of(out, "HTTP/1.1 "), 1);
        assert_int_equal(count_of(out, "\r\nConnection: close\r\n"), 1);
        assert_int_equal(fixture_read(client, out, sizeof(out)), 0); /* half-closed */
        assert_int_equal(conns_n_open(f->conns), 1);
        fixture_send(f, client, GET); /* is read and discarded */
        assert_int_equal(conns_n_open(f->conns), 1);
        close(client);
        fixture_turn(f);
        assert_int_equal(conns_n_open(f->conns), 0);
        assert_int_equal(ended(f, CLOSE_REFUSED), 1);
        assert_int_equal(appended(f), 0);
        fixture_free(f);
    }
}

static void test_lingering_is_bounded_in_time_and_bytes(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int slow = fixture_connect(f, "BREW / HTTP/1.1\r\n\r\n");
    int chatty = fixture_connect(f, "BREW / HTTP/1.1\r\n\r\n");
    static char chunk[16 * 1024 + 1];

    (void)state;
    memset(chunk, 'x', sizeof(chunk) - 1);
    for (int i = 0; i < 4; i++)
        fixture_send(f, chatty, chunk);
    assert_int_equal(conns_n_open(f->conns), 2);
    fixture_send(f, chatty, "x");
    assert_int_equal(conns_n_open(f->conns), 1);
    fixture_wait(f, 1999);
    assert_int_equal(conns_n_open(f->conns), 1);
    fixture_wait(f, 1);
    assert_int_equal(conns_n_open(f->conns), 0);
    close(slow);
    close(chatty);
    fixture_free(f);
}

static void test_idle_connections_are_closed(void **state)
{
    struct fixture *f = start("workers: 1, idle_s: 30", 4);
    int quiet = fixture_connect(f, ""), used = fixture_connect(f, GET);

    (void)state;
    fixture_wait(f, 20000);
    fixture_send(f, used, GET);
    fixture_wait(f, 10000 - 1);
    assert_int_equal(conns_n_open(f->conns), 2);
    fixture_wait(f, CONNS_SLACK_MS + 1);
    assert_int_equal(conns_n_open(f->conns), 1);
    assert_int_equal(fixture_read(quiet, out, sizeof(out)), 0);
    fixture_wait(f, 20000);
    assert_int_equal(conns_n_open(f->conns), 0);
    assert_int_equal(ended(f, CLOSE_IDLE), 2);
    close(quiet);
    close(used);
    fixture_free(f);
}

static void test_a_head_has_its_time_from_the_first_byte_on(void **state)
{
    struct fixture *f = start("workers: 1, head_s: 5", 4);
    int client = fixture_connect(f, "G");

    (void)state;
    fixture_wait(f, 3000);
    fixture_send(f, client, "ET / HTTP/1.1\r\n");
    fixture_wait(f, 1999);
    assert_int_equal(fixture_read(client, out, sizeof(out)), -1);
    fixture_wait(f, 1);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(strncmp(out, "HTTP/1.1 408 ", 13), 0);
    assert_int_equal(fixture_read(client, out, sizeof(out)), 0);
    fixture_wait(f, 2000);
    assert_int_equal(conns_n_open(f->conns), 0);
    assert_int_equal(ended(f, CLOSE_HEAD_TIMEOUT), 1);
    close(client);
    fixture_free(f);
}

static void test_the_next_head_has_its_own_time(void **state)
{
    struct fixture *f = start("workers: 1, head_s: 5", 4);
    int client = fixture_connect(f, HALF);

    (void)state;
    fixture_wait(f, 4000);
    fixture_send(f, client, REST HALF);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    fixture_wait(f, 4999);
    assert_int_equal(fixture_read(client, out, sizeof(out)), -1);
    fixture_send(f, client, REST);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
    close(client);
    fixture_free(f);
}

static void test_the_longest_idle_makes_room(void **state)
{
    struct fixture *f = start("workers: 1", 16);
    int clients[16], late;

    (void)state;
    for (int i = 0; i < 16; i++) {
        clients[i] = fixture_connect(f, GET);
        assert_true(fixture_read(clients[i], out, sizeof(out)) > 0);
        fixture_wait(f, 10);
    }
    fixture_wait(f, CONNS_SLACK_MS);
    fixture_send(f, clients[0], GET); /* now clients[1] is idle the longest */
    assert_true(fixture_read(clients[0], out, sizeof(out)) > 0);
    late = fixture_connect(f, GET);
    assert_true(fixture_read(late, out, sizeof(out)) > 0);
    assert_int_equal(fixture_read(clients[1], out, sizeof(out)), 0);
    assert_int_equal(fixture_read(clients[0], out, sizeof(out)), -1);
    assert_int_equal(conns_n_open(f->conns), 16);
    assert_int_equal(ended(f, CLOSE_EVICTED), 1);
    for (int i = 0; i < 16; i++)
        close(clients[i]);
    close(late);
    fixture_free(f);
}

/* A connection keeps its place among the idle ones for a second after it was used. */
static void test_who_has_just_asked_is_not_the_longest_idle(void **state)
{
    struct fixture *f = start("workers: 1", 16);
    int used = fixture_connect(f, GET), silent[15], late;

    (void)state;
    for (int i = 0; i < 15; i++)
        silent[i] = fixture_connect(f, "");
    assert_true(fixture_read(used, out, sizeof(out)) > 0);
    fixture_wait(f, CONNS_SLACK_MS / 2);
    fixture_send(f, used, GET);
    assert_true(fixture_read(used, out, sizeof(out)) > 0);
    late = fixture_connect(f, GET);
    assert_int_equal(fixture_read(used, out, sizeof(out)), -1);
    assert_int_equal(fixture_read(silent[0], out, sizeof(out)), 0);
    for (int i = 0; i < 15; i++)
        close(silent[i]);
    close(used);
    close(late);
    fixture_free(f);
}

/* Sends requests, many at once, until the replies are not taken any more. */
static void stall(struct fixture *f, int client)
{
    static char many[256 * sizeof(GET)];

    for (size_t i = 0; i < 256; i++)
        memcpy(many + i * strlen(GET), GET, strlen(GET));
    while (write(client, many, strlen(many)) > 0)
        fixture_turn(f);
}

static void test_who_makes_room(void **state)
{
    enum { LINGERS, STALLS, IDLES, HALVES, N };
    static const struct {
        const char *name;
        bool has[N]; /* which kinds of connection there are */
        int goes;
    } cases[] = {
        {"one that lingers, first of all", {true, true, true, true}, LINGERS},
        {"one that doesn't take its replies, before idle ones", {false, true, true, true}, STALLS},
        {"an idle one, before unfinished heads", {false, false, true, true}, IDLES},
        {"an unfinished head, if there is nothing else", {false, false, false, true}, HALVES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = start("workers: 1", 16);
        int clients[16], n = 0, first[N] = {0};

        print_message("%s\n", cases[i].name);
        for (int kind = N - 1; kind >= 0; kind--) {
            int n_kind = kind == HALVES
                             ? 16 - n - cases[i].has[0] - cases[i].has[1] - cases[i].has[2]
                             : cases[i].has[kind];

            first[kind] = n;
            for (int k = 0; k < n_kind; k++) {
                clients[n] = fixture_connect(f, kind == HALVES    ? HALF
                                                : kind == LINGERS ? "BREW / HTTP/1.1\r\n\r\n"
                                                                  : "");
                if (kind == STALLS)
                    stall(f, clients[n]);
                n++;
            }
        }
        assert_int_equal(n, 16);
        assert_int_equal(conns_n_open(f->conns), 16);
        close(fixture_connect(f, GET));
        assert_int_equal(conns_n_open(f->conns), 16);
        assert_int_equal(ended(f, CLOSE_EVICTED), 1);
        while (fixture_read(clients[first[cases[i].goes]], out, sizeof(out)) > 0)
            continue;
        assert_int_equal(send(clients[first[cases[i].goes]], "x", 1, MSG_NOSIGNAL), -1);
        for (int k = 0; k < 16; k++)
            close(clients[k]);
        fixture_free(f);
    }
}

static void test_who_is_given_up_for_want_of_descriptors(void **state)
{
    struct fixture *f = start("workers: 1", 16);
    int half = fixture_connect(f, HALF), idle = fixture_connect(f, GET);

    (void)state;
    fixture_wait(f, CONNS_SLACK_MS - 1);
    assert_false(conns_give_up_one(f->conns));
    fixture_wait(f, 1);
    assert_true(conns_give_up_one(f->conns));
    assert_true(fixture_read(idle, out, sizeof(out)) > 0);
    assert_int_equal(fixture_read(idle, out, sizeof(out)), 0);
    assert_false(conns_give_up_one(f->conns));
    fixture_send(f, half, REST);
    assert_true(fixture_read(half, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
    close(half);
    close(idle);
    fixture_free(f);
}

static void test_the_last_allowed_request_says_close(void **state)
{
    struct fixture *f = start("workers: 1, requests_max: 3", 4);
    int client = fixture_connect(f, GET GET);

    (void)state;
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "Connection: close"), 0);
    fixture_send(f, client, GET);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "Connection: close"), 1);
    assert_int_equal(fixture_read(client, out, sizeof(out)), 0);
    assert_int_equal(ended(f, CLOSE_REPLIED), 1);
    close(client);
    fixture_free(f);
}

static void test_keep_alive_follows_the_version(void **state)
{
    static const struct {
        const char *name, *request, *field;
        bool stays;
    } cases[] = {
        {"HTTP/1.1", "GET / HTTP/1.1\r\nHost: go.acme.example\r\n\r\n", NULL, true},
        {"HTTP/1.1, close", "GET / HTTP/1.1\r\nHost: go.acme.example\r\nConnection: close\r\n\r\n",
         "Connection: close", false},
        {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: go.acme.example\r\n\r\n", "Connection: close", false},
        {"HTTP/1.0, keep-alive",
         "GET / HTTP/1.0\r\nHost: go.acme.example\r\nConnection: keep-alive\r\n\r\n",
         "Connection: keep-alive", true},
    };
    struct fixture *f = start("workers: 1", 4);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int client = fixture_connect(f, cases[i].request);

        print_message("%s\n", cases[i].name);
        assert_true(fixture_read(client, out, sizeof(out)) > 0);
        assert_int_equal(count_of(out, "Connection: "), cases[i].field != NULL);
        assert_true(!cases[i].field || strstr(out, cases[i].field));
        assert_int_equal(fixture_read(client, out, sizeof(out)), cases[i].stays ? -1 : 0);
        close(client);
    }
    fixture_free(f);
}

/* Small socket buffers, and a client that pipelines without reading. */
static void test_a_client_that_does_not_read_is_not_read_either(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, ""), size = 4096;
    unsigned n_sent = 0, n_got = 0;

    (void)state;
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    while (n_sent < 100000 && write(client, GET, strlen(GET)) == (ssize_t)strlen(GET)) {
        n_sent++;
        fixture_turn(f);
    }
    assert_true(n_sent < 100000);
    assert_true(counter64_get(&f->counters.unsent_bytes) > 0);
    assert_true(counter64_get(&f->counters.unsent_bytes) <= CONNS_OUTPUT_MAX);
    for (int quiet = 0; quiet < 3;) {
        quiet = fixture_read(client, out, sizeof(out)) > 0 ? 0 : quiet + 1;
        n_got += count_of(out, "HTTP/1.1 302");
        fixture_turn(f);
    }
    assert_int_equal(n_got, n_sent);
    assert_int_equal(appended(f), n_sent);
    assert_int_equal(counter64_get(&f->counters.unsent_bytes), 0);
    close(client);
    fixture_free(f);
}

static void test_a_client_that_never_reads_is_closed(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, "");

    (void)state;
    stall(f, client);
    fixture_wait(f, CONNS_TAKE_WAIT_MS - 1);
    assert_int_equal(conns_n_open(f->conns), 1);
    fixture_wait(f, 1);
    assert_int_equal(conns_n_open(f->conns), 0);
    assert_int_equal(ended(f, CLOSE_SEND_TIMEOUT), 1);
    assert_int_equal(counter64_get(&f->counters.unsent_bytes), 0);
    assert_int_equal(counter64_get(&f->counters.heads), 0);
    close(client);
    fixture_free(f);
}

static void test_a_client_that_takes_a_little_has_half_a_minute(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int client = fixture_connect(f, "");
    int64_t waited_ms = 0;
    int size = 1; /* the least there is */

    (void)state;
    assert_int_equal(setsockopt(f->accepted_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    stall(f, client);
    while (conns_n_open(f->conns) > 0 && waited_ms < 60000) {
        fixture_wait(f, CONNS_TAKE_WAIT_MS - 1);
        waited_ms += CONNS_TAKE_WAIT_MS - 1;
        (void)fixture_read(client, out, sizeof(out)); /* few KB: the buffer is small */
        fixture_turn(f);
    }
    assert_in_range(waited_ms, CONNS_SEND_WAIT_MS, CONNS_SEND_WAIT_MS + CONNS_TAKE_WAIT_MS);
    assert_int_equal(ended(f, CLOSE_SEND_TIMEOUT), 1);
    close(client);
    fixture_free(f);
}

/* All but the longest head, and all blocks of the pool held by such. */
static void test_unfinished_heads_beyond_the_limit_push_out_the_oldest(void **state)
{
    enum { BLOCKS = HTTP1_HEAD_MAX / 4096, N = CONNS_HELD_BLOCKS / BLOCKS + 1 };
    struct fixture *f = start("workers: 1", N);
    static char head[BLOCKS * HELD_BLOCK_BYTES + 1] = "GET / HTTP/1.1\r\nCookie: ";
    static int clients[N];

    (void)state;
    memset(head + strlen(head), 'c', sizeof(head) - 1 - strlen(head));
    for (int i = 0; i < N - 1; i++)
        clients[i] = fixture_connect(f, head);
    assert_int_equal(counter64_get(&f->counters.heads), N - 1);
    assert_int_equal(fixture_read(clients[0], out, sizeof(out)), -1);
    clients[N - 1] = fixture_connect(f, "G");
    assert_true(fixture_read(clients[0], out, sizeof(out)) > 0);
    assert_int_equal(strncmp(out, "HTTP/1.1 408 ", 13), 0);
    assert_int_equal(fixture_read(clients[1], out, sizeof(out)), -1);
    assert_int_equal(counter64_get(&f->counters.heads), N - 1);
    for (int i = 0; i < N; i++)
        close(clients[i]);
    fixture_free(f);
}

/* What one has asked for behind replies that he does not take is not kept at the cost of a head. */
static void test_held_requests_make_room_before_heads(void **state)
{
    enum { BLOCKS = HTTP1_HEAD_MAX / 4096, N = CONNS_HELD_BLOCKS / BLOCKS };
    struct fixture *f = start("workers: 1", N + 2);
    static char head[BLOCKS * HELD_BLOCK_BYTES + 1] = "GET / HTTP/1.1\r\nCookie: ";
    static int clients[N + 2];

    (void)state;
    memset(head + strlen(head), 'c', sizeof(head) - 1 - strlen(head));
    for (int i = 0; i < N - 1; i++)
        clients[i] = fixture_connect(f, head);
    clients[N - 1] = fixture_connect(f, "");
    stall(f, clients[N - 1]);
    assert_true(counter64_get(&f->counters.heads) == N);
    clients[N] = fixture_connect(f, head);
    clients[N + 1] = fixture_connect(f, "");
    assert_int_equal(ended(f, CLOSE_BUFFERS), 1);
    assert_int_equal(ended(f, CLOSE_HEAD_TIMEOUT), 0);
    assert_int_equal(fixture_read(clients[0], out, sizeof(out)), -1);
    for (int i = 0; i < N + 2; i++)
        close(clients[i]);
    fixture_free(f);
}

/* A head of the greatest length, in pieces that end anywhere in a block. */
static void test_the_longest_head_in_pieces(void **state)
{
    static const size_t pieces[] = {1000, HELD_BLOCK_BYTES, HELD_BLOCK_BYTES + 1, 4096, 20000};
    static char head[HTTP1_HEAD_MAX + 1];
    int len = snprintf(head, sizeof(head),
                       "GET /" FIXTURE_LINK " HTTP/1.1\r\nHost: go.acme.example\r\n"
                       "Cookie: ");

    (void)state;
    memset(head + len, 'c', sizeof(head) - 1 - (size_t)len);
    memcpy(head + sizeof(head) - 5, "\r\n\r\n", 4);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct fixture *f = start("workers: 1", 4);
        int client = fixture_connect(f, GET);

        print_message("%zu bytes\n", pieces[i]);
        for (size_t at = 0; at < strlen(head); at += pieces[i]) {
            char piece[20001];

            snprintf(piece, pieces[i] + 1, "%s", head + at);
            fixture_send(f, client, piece);
        }
        assert_true(fixture_read(client, out, sizeof(out)) > 0);
        assert_int_equal(count_of(out, "Location: " FIXTURE_TARGET), 2);
        assert_int_equal(counter64_get(&f->counters.heads), 0);
        assert_int_equal(conns_n_held_blocks(f->conns), 0);
        close(client);
        fixture_free(f);
    }
}

static void test_replies_wait_for_one_sync_of_the_turn(void **state)
{
    struct fixture *f = fixture_new("workers: 1");
    int a, b;

    (void)state;
    fixture_start(f, 4, true);
    a = fixture_connect(f, GET GET);
    b = fixture_connect(f, GET);
    assert_int_equal(appended(f), 3);
    assert_int_equal(fixture_read(a, out, sizeof(out)), -1);
    assert_int_equal(fixture_read(b, out, sizeof(out)), -1);
    conns_flush(f->conns);
    assert_true(fixture_read(a, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 2);
    assert_true(fixture_read(b, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
    fixture_send(f, a, "GET / HTTP/1.0\r\nHost: go.acme.example\r\n\r\n");
    assert_true(fixture_read(a, out, sizeof(out)) > 0);
    assert_int_equal(fixture_read(a, out, sizeof(out)), 0);
    close(a);
    close(b);
    fixture_free(f);
}

static void test_more_replies_than_the_buffer_holds(void **state)
{
    enum { N = 300 };
    struct fixture *f = fixture_new("workers: 1");
    int clients[N];

    (void)state;
    fixture_start(f, N, true);
    for (int i = 0; i < N; i++)
        clients[i] = fixture_connect(f, GET GET GET GET);
    conns_flush(f->conns);
    for (int i = 0; i < N; i++) {
        assert_true(fixture_read(clients[i], out, sizeof(out)) > 0);
        assert_int_equal(count_of(out, "HTTP/1.1 302"), 4);
        close(clients[i]);
    }
    assert_int_equal(appended(f), 4 * N);
    fixture_free(f);
}

static void test_draining_says_close_and_ends_idle_connections(void **state)
{
    struct fixture *f = start("workers: 1", 4);
    int idle = fixture_connect(f, GET), busy = fixture_connect(f, HALF);

    (void)state;
    assert_true(fixture_read(idle, out, sizeof(out)) > 0);
    conns_drain(f->conns);
    fixture_send(f, idle, GET);
    assert_true(fixture_read(idle, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "Connection: close"), 1);
    close(idle);
    idle = fixture_connect(f, "");
    f->clock.mono_ms += 499;
    conns_close_idle(f->conns, 500);
    assert_int_equal(conns_n_open(f->conns), 2);
    f->clock.mono_ms += 1;
    conns_close_idle(f->conns, 500);
    assert_int_equal(fixture_read(idle, out, sizeof(out)), 0);
    assert_int_equal(conns_n_open(f->conns), 1);
    fixture_send(f, busy, REST);
    assert_true(fixture_read(busy, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 1);
    assert_int_equal(conns_n_open(f->conns), 0);
    close(idle);
    close(busy);
    fixture_free(f);
}

static void test_a_trusted_proxy_must_send_its_header(void **state)
{
    static const struct {
        const char *name, *trusted, *bytes, *status; /* NULL: closed without a reply */
    } cases[] = {
        {"version 1", "192.0.2.0/24", "PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n" GET, "302"},
        {"none", "192.0.2.0/24", GET, NULL},
        {"a malformed one", "192.0.2.0/24", "PROXY TCP4 example\r\n" GET, NULL},
        {"none, from an untrusted peer", "10.0.0.0/8", GET, "302"},
        {"one from an untrusted peer", "10.0.0.0/8",
         "PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n" GET, "400"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f;
        char public[128];
        int client;

        print_message("%s\n", cases[i].name);
        snprintf(public, sizeof(public), "client_address: proxy_protocol, trusted_proxies: ['%s']",
                 cases[i].trusted);
        f = start(public, 4);
        client = fixture_connect(f, cases[i].bytes);
        if (cases[i].status) {
            assert_true(fixture_read(client, out, sizeof(out)) > 0);
            assert_int_equal(strncmp(out + 9, cases[i].status, 3), 0);
        } else {
            assert_true(fixture_read(client, out, sizeof(out)) <= 0);
            assert_int_equal(ended(f, CLOSE_PROXY), 1);
        }
        close(client);
        fixture_free(f);
    }
}

static void test_a_proxy_header_may_come_in_pieces(void **state)
{
    struct fixture *f =
        start("client_address: proxy_protocol, trusted_proxies: ['192.0.2.0/24']", 4);
    int client = fixture_connect(f, "PROXY TCP4 198.51.1");

    (void)state;
    fixture_send(f, client, "00.7 192.0.2.1 4711 80\r\n" HALF);
    assert_int_equal(fixture_read(client, out, sizeof(out)), -1);
    fixture_send(f, client, REST GET);
    assert_true(fixture_read(client, out, sizeof(out)) > 0);
    assert_int_equal(count_of(out, "HTTP/1.1 302"), 2);
    close(client);
    client = fixture_connect(f, "PROXY TCP4 198.51.1");
    fixture_wait(f, 5000);
    assert_int_equal(fixture_read(client, out, sizeof(out)), 0);
    assert_int_equal(ended(f, CLOSE_PROXY), 1);
    close(client);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_click_is_answered_and_logged),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_a_refusal_ends_the_connection_after_its_reply),
        cmocka_unit_test(test_lingering_is_bounded_in_time_and_bytes),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_a_head_has_its_time_from_the_first_byte_on),
        cmocka_unit_test(test_the_next_head_has_its_own_time),
        cmocka_unit_test(test_the_longest_idle_makes_room),
        cmocka_unit_test(test_who_has_just_asked_is_not_the_longest_idle),
        cmocka_unit_test(test_who_makes_room),
        cmocka_unit_test(test_who_is_given_up_for_want_of_descriptors),
        cmocka_unit_test(test_the_last_allowed_request_says_close),
        cmocka_unit_test(test_keep_alive_follows_the_version),
        cmocka_unit_test(test_a_client_that_does_not_read_is_not_read_either),
        cmocka_unit_test(test_a_client_that_never_reads_is_closed),
        cmocka_unit_test(test_a_client_that_takes_a_little_has_half_a_minute),
        cmocka_unit_test(test_held_requests_make_room_before_heads),
        cmocka_unit_test(test_the_longest_head_in_pieces),
        cmocka_unit_test(test_unfinished_heads_beyond_the_limit_push_out_the_oldest),
        cmocka_unit_test(test_replies_wait_for_one_sync_of_the_turn),
        cmocka_unit_test(test_more_replies_than_the_buffer_holds),
        cmocka_unit_test(test_draining_says_close_and_ends_idle_connections),
        cmocka_unit_test(test_a_trusted_proxy_must_send_its_header),
        cmocka_unit_test(test_a_proxy_header_may_come_in_pieces),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
