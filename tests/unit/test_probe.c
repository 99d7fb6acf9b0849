/* Tests service/checks/probe.c: what is said of a page by what it answers, against a server of the
 * test's own on loopback. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "service/checks/probe.h"

enum { TEXT_MAX = 256, REDIRECTS = 3, WAIT_MS = 20000 };

/* The server answers by the path: /STATUS, /to/PATH (302), /says/TEXT, /late/TEXT (behind what is
 * read at most, in pieces). */
struct server {
    pthread_t thread;
    int fd;
    unsigned port;
};

static void put(int fd, const char *text)
{
    for (size_t at = 0, len = strlen(text); at < len;) {
        ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void answer(int fd, const char *path)
{
    char head[TEXT_MAX * 2];

    if (strncmp(path, "/to/", 4) == 0) {
        snprintf(head, sizeof(head),
                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 4\r\nConnection: close\r\n"
                 "\r\ngone",
                 path + 3);
        put(fd, head);
    } else if (strncmp(path, "/says/", 6) == 0) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<p>%s</p>",
                 path + 6);
        put(fd, head);
    } else if (strncmp(path, "/late/", 6) == 0 || strcmp(path, "/big") == 0) {
        bool is_redirect = path[1] == 'b';
        char filler[1025];

        memset(filler, 'x', sizeof(filler) - 1);
        filler[sizeof(filler) - 1] = '\0';
        put(fd, is_redirect ? "HTTP/1.1 302 Found\r\nLocation: /200\r\n" : "HTTP/1.1 200 OK\r\n");
        put(fd, "Connection: close\r\n\r\n");
        for (int i = 0; i < PROBE_BODY_MAX / 1024; i++)
            put(fd, filler);
        put(fd, is_redirect ? "y" : path + 6);
    } else {
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d Any\r\nContent-Length: 7\r\nConnection: close\r\n\r\nInvoice",
                 atoi(path + 1));
        put(fd, head);
    }
}

static void *serve(void *arg)
{
    struct server *server = arg;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        char in[2048], path[TEXT_MAX];
        size_t len = 0;
        ssize_t n;

        while ((n = recv(fd, in + len, sizeof(in) - 1 - len, 0)) > 0) {
            len += (size_t)n;
            in[len] = '\0';
            if (strstr(in, "\r\n\r\n"))
                break;
        }
        if (len > 0 && sscanf(in, "GET %255s ", path) == 1)
            answer(fd, path);
        shutdown(fd, SHUT_WR);
        while (recv(fd, in, sizeof(in), 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static int start_server(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct server *server = calloc(1, sizeof(*server));
    socklen_t len = sizeof(any);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->fd, (struct sockaddr *)&any, len) < 0 || listen(server->fd, 64) < 0 ||
        getsockname(server->fd, (struct sockaddr *)&any, &len) < 0)
        return -1;
    server->port = ntohs(any.sin_port);
    *state = server;
    return pthread_create(&server->thread, NULL, serve, server);
}

static int stop_server(void **state)
{
    struct server *server = *state;

    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
    curl_global_cleanup();
    return 0;
}

static void on_done(void *owner, struct probe *probe)
{
    unsigned *n_done = owner;

    (void)probe;
    ++*n_done;
}

/* Asks for the page; the caller clears the probe. */
static void ask(const struct server *server, const char *path, struct probe *probe)
{
    unsigned n_done = 0;
    const struct prober_options options = {.timeout_ms = WAIT_MS,
                                           .parallel = 4,
                                           .redirects_max = REDIRECTS,
                                           .owner = &n_done,
                                           .on_done = on_done};
    struct prober *prober = prober_new(&options);
    char url[TEXT_MAX];

    assert_non_null(prober);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server->port, path);
    probe->url = url;
    prober_add(prober, probe);
    while (!prober_is_idle(prober)) {
        prober_step(prober);
        if (!prober_is_idle(prober))
            prober_wait(prober, 100);
    }
    assert_int_equal(n_done, 1);
    prober_free(prober);
}

static void test_what_is_said_of_a_page(void **state)
{
    static const struct {
        const char *path, *must_contain;
        bool is_link, lands_on_page;
        enum probe_verdict verdict;
        unsigned n_hops;
        const char *why;
    } cases[] = {
        {"/200", NULL, false, false, PROBE_UP, 1, ""},
        {"/204", NULL, false, false, PROBE_UP, 1, ""},
        {"/401", NULL, false, false, PROBE_UP, 1, ""}, /* a page behind a login */
        {"/403", NULL, false, false, PROBE_LATER, 1, "it answers 403"},
        {"/429", NULL, false, false, PROBE_LATER, 1, "it answers 429"},
        {"/503", NULL, false, false, PROBE_LATER, 1, "it answers 503"},
        {"/400", NULL, false, false, PROBE_DOWN, 1, "it answers 400"},
        {"/404", NULL, false, false, PROBE_DOWN, 1, "it answers 404"},
        {"/500", NULL, false, false, PROBE_DOWN, 1, "it answers 500"},
        {"/502", NULL, false, false, PROBE_DOWN, 1, "it answers 502"},
        /* redirects */
        {"/to/200", NULL, false, false, PROBE_UP, 2, ""},
        {"/to/to/to/404", NULL, false, false, PROBE_DOWN, 4, "it answers 404"},
        {"/to/to/to/to/200", NULL, false, false, PROBE_DOWN, 4, "more than 3 redirects"},
        {"/big", NULL, false, false, PROBE_DOWN, 1,
         "it answers 302 with a page of more than 256 KiB"},
        {"/to/503", NULL, false, false, PROBE_LATER, 2, "it answers 503"},
        /* a link leads on, or asks for a press first */
        {"/200", NULL, true, false, PROBE_DOWN, 1,
         "it answers 200 where a link leads on; does base_url lead to hopcountd?"},
        {"/200", NULL, true, true, PROBE_UP, 1, ""},
        {"/401", NULL, true, true, PROBE_DOWN, 1,
         "it answers 401 where a link leads on; does base_url lead to hopcountd?"},
        {"/to/200", NULL, true, false, PROBE_UP, 2, ""},
        {"/404", NULL, true, false, PROBE_DOWN, 1, "it answers 404"},
        /* a text */
        {"/says/Invoice", "Invoice", false, false, PROBE_UP, 1, ""},
        {"/says/invoice", "Invoice", false, false, PROBE_DOWN, 1, "the page lacks 'Invoice'"},
        {"/to/says/Invoice", "gone", false, false, PROBE_DOWN, 2, "the page lacks 'gone'"},
        {"/to/says/Invoice", "Invoice", true, false, PROBE_UP, 2, ""},
        {"/late/Invoice", "Invoice", false, false, PROBE_DOWN, 1, "the page lacks 'Invoice'"},
        {"/401", "Payment", false, false, PROBE_UP, 1, ""}, /* nobody sees it without a login */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct probe probe = {.must_contain = cases[i].must_contain,
                              .is_link = cases[i].is_link,
                              .lands_on_page = cases[i].lands_on_page};

        print_message("%zu: %s\n", i, cases[i].path);
        ask(*state, cases[i].path, &probe);
        assert_string_equal(probe.why, cases[i].why);
        assert_int_equal(probe.verdict, cases[i].verdict);
        assert_int_equal(probe.n_hops, cases[i].n_hops);
        assert_false(probe.has_certificate);
        probe_clear(&probe);
    }
}

static void test_nobody_answers(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct server nobody = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    socklen_t len = sizeof(any);
    struct probe probe = {0};

    (void)state;
    /* Bound and not listening: nobody else can have the port. */
    assert_int_equal(bind(nobody.fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(getsockname(nobody.fd, (struct sockaddr *)&any, &len), 0);
    nobody.port = ntohs(any.sin_port);
    ask(&nobody, "/200", &probe);
    assert_int_equal(probe.verdict, PROBE_DOWN);
    assert_int_equal(probe.hops[0].status, 0);
    assert_string_not_equal(probe.why, "");
    probe_clear(&probe);
    close(nobody.fd);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_done(void *owner, struct probe *probe)
{
    (void)owner;
    *(bool *)probe->owner = true;
}

/* Asks for pages at once, until all or those at the index `enough` and before are there. */
static void ask_all(const char *const urls[], bool done[], unsigned n, unsigned enough,
                    int64_t pace_ms)
{
    const struct prober_options options = {.timeout_ms = WAIT_MS,
                                           .pace_ms = pace_ms,
                                           .parallel = 8,
                                           .redirects_max = REDIRECTS,
                                           .on_done = set_done};
    struct prober *prober = prober_new(&options);
    int64_t end_ms = now_ms() + WAIT_MS;
    struct probe probes[8] = {0};

    assert_non_null(prober);
    for (unsigned i = 0; i < n; i++) {
        probes[i].url = urls[i];
        probes[i].owner = &done[i];
        prober_add(prober, &probes[i]);
    }
    for (bool all = false; !all && now_ms() < end_ms;) {
        prober_step(prober);
        all = true;
        for (unsigned i = 0; i <= enough; i++)
            all = all && done[i];
        if (!all)
            prober_wait(prober, 100);
    }
    prober_free(prober);
    for (unsigned i = 0; i < n; i++)
        probe_clear(&probes[i]);
}

static void test_a_host_is_asked_at_its_pace(void **state)
{
    const struct server *server = *state;
    char page[TEXT_MAX], redirect[TEXT_MAX];
    const char *const urls[] = {page, redirect, page};
    bool done[3] = {false};
    int64_t begin_ms = now_ms();

    snprintf(page, sizeof(page), "http://127.0.0.1:%u/200", server->port);
    snprintf(redirect, sizeof(redirect), "http://127.0.0.1:%u/to/200", server->port);
    ask_all(urls, done, 3, 2, 100);
    assert_true(done[0] && done[1] && done[2]);
    assert_true(now_ms() - begin_ms >= 300); /* four requests, three pauses */
}

/* Two names of the other host: one may share its place in the table of paces with the first. */
static void test_a_host_does_not_wait_for_another(void **state)
{
    const struct server *server = *state;
    char page[TEXT_MAX], other[TEXT_MAX], third[TEXT_MAX];
    const char *const urls[] = {page, other, third, page};
    bool done[4] = {false};

    snprintf(page, sizeof(page), "http://127.0.0.1:%u/200", server->port);
    snprintf(other, sizeof(other), "http://127.1:%u/200", server->port);
    snprintf(third, sizeof(third), "http://127.0.1:%u/200", server->port);
    ask_all(urls, done, 4, 2, (int64_t)WAIT_MS * 10);
    assert_true(done[0] && (done[1] || done[2]));
    assert_false(done[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said_of_a_page),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_a_host_is_asked_at_its_pace),
        cmocka_unit_test(test_a_host_does_not_wait_for_another),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
