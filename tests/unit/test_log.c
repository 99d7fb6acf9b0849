/* The log: what repeats is counted, what differs is said, a flood is cut off. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/log.h"
#include "service/base/wake.h"

static int real_stderr, pipe_fds[2];

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Lines of one second are folded: what a test logs must not fall into two. */
static void wait_for_a_second_to_begin(void)
{
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        sleep_ms(1);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec == start.tv_sec);
}

static int begin(void **state)
{
    (void)state;
    real_stderr = dup(STDERR_FILENO);
    wait_for_a_second_to_begin();
    return real_stderr < 0 || pipe(pipe_fds) != 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0;
}

/* What has been logged, and stderr as it was. */
static const char *written(void)
{
    static char text[65536];
    ssize_t n;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], text, sizeof(text) - 1);
    close(pipe_fds[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_what_differs_is_said(void **state)
{
    (void)state;
    log_warn("test.differs", "file=country");
    log_warn("test.differs", "file=asn");
    assert_string_equal(written(), "level=warn at=test.differs file=country\n"
                                   "level=warn at=test.differs file=asn\n");
}

static void test_what_repeats_is_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        log_warn("test.repeats", "n=1");
        log_warn("test.repeats", "n=2");
    }
    log_flush(); /* not yet */
    sleep_ms(1000);
    log_flush();
    assert_string_equal(written(), "level=warn at=test.repeats n=1\n"
                                   "level=warn at=test.repeats n=2\n"
                                   "level=warn at=test.repeats repeated=18\n");
}

/* The process ends within the second in which lines were held back. */
static void test_what_is_held_back_is_written_at_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        log_warn("test.ends", "n=1");
        log_info("test.ends.too", "n=1");
    }
    log_error("test.once", "n=1");
    log_end();
    log_end(); /* nothing is left */
    assert_string_equal(written(), "level=warn at=test.ends n=1\n"
                                   "level=info at=test.ends.too n=1\n"
                                   "level=error at=test.once n=1\n"
                                   "level=warn at=test.ends repeated=2\n"
                                   "level=info at=test.ends.too repeated=2\n");
}

static void test_a_flood_is_cut_off(void **state)
{
    const char *text;
    unsigned n_lines = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        log_warn("test.flood", "n=%u", i);
    sleep_ms(1000);
    log_warn("test.flood", "n=0");
    text = written();
    assert_non_null(strstr(text, "n=7\nlevel=warn at=test.flood repeated=992\n"
                                 "level=warn at=test.flood n=0\n"));
    for (; *text; text++)
        n_lines += *text == '\n';
    assert_int_equal(n_lines, 10);
}

static bool is_awake(int fd)
{
    struct pollfd wake = {.fd = fd, .events = POLLIN};
    bool is_readable = poll(&wake, 1, 0) == 1;

    wake_take(fd);
    return is_readable;
}

/* Whoever writes what was held back sleeps until there is something, and again afterwards. */
static void test_what_is_held_back_wakes(void **state)
{
    bool first, second, third, again, left_now, left_later;
    int fd = wake_new();

    (void)state;
    log_set_wake(fd);
    log_warn("test.wakes", "n=1");
    first = is_awake(fd);
    log_warn("test.wakes", "n=1");
    second = is_awake(fd);
    log_warn("test.wakes", "n=1");
    third = is_awake(fd);
    left_now = log_flush();
    sleep_ms(1000);
    left_later = log_flush();
    log_warn("test.wakes", "n=1");
    log_warn("test.wakes", "n=1");
    again = is_awake(fd);
    log_set_wake(-1);
    close(fd);
    assert_string_equal(written(), "level=warn at=test.wakes n=1\n"
                                   "level=warn at=test.wakes repeated=2\n"
                                   "level=warn at=test.wakes n=1\n");
    assert_false(first);
    assert_true(second);
    assert_false(third); /* it knows */
    assert_true(left_now);
    assert_false(left_later);
    assert_true(again);
}

static void set_blocking(int fd, bool is_blocking)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    flags = is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

/* Writes what `fd` takes. */
static void fill(int fd)
{
    static const char junk[64];

    set_blocking(fd, false);
    while (write(fd, junk, sizeof(junk)) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    set_blocking(fd, true);
}

static void empty(int fd)
{
    char junk[4096];

    set_blocking(fd, false);
    while (read(fd, junk, sizeof(junk)) > 0)
        ;
    set_blocking(fd, true);
}

static void *log_three_lines(void *arg)
{
    for (unsigned i = 0; i < 3; i++)
        log_warn("test.full", "thread=%s n=%u", (const char *)arg, i);
    log_flush();
    return NULL;
}

/* Nobody reads: lines are dropped and counted, no thread waits, and the next line that is taken
 * comes behind one that says how many are missing. */
static void a_full_stderr_stops_nobody(int (*make)(int fds[2]))
{
    uint64_t n_before = log_dropped();
    pthread_t threads[2];
    char text[256] = "";
    int fds[2]; /* to read, to write */
    int wake = wake_new();
    bool was_woken;

    uint64_t n_full, n_after;

    log_set_wake(wake);
    assert_int_equal(make(fds), 0);
    fill(fds[1]);
    wait_for_a_second_to_begin();
    real_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    alarm(60); /* ends the test if a thread waits */
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_three_lines, i ? "b" : "a"), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    n_full = log_dropped() - n_before;
    was_woken = is_awake(wake);
    log_set_wake(-1);
    close(wake);
    empty(fds[0]);
    log_warn("test.after", "n=1");
    n_after = log_dropped() - n_before;
    /* What fails is told to stderr: to the real one. */
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    alarm(0);
    assert_string_equal(text, "level=warn at=log.dropped lines=6\n"
                              "level=warn at=test.after n=1\n");
    assert_int_equal(n_full, 6);
    assert_true(was_woken);
    assert_int_equal(n_after, 6);
    close(fds[0]);
    close(fds[1]);
}

static int make_pipe(int fds[2])
{
    return pipe(fds);
}

static int make_sockets(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static void test_a_full_pipe_stops_nobody(void **state)
{
    (void)state;
    a_full_stderr_stops_nobody(make_pipe);
}

static void test_a_full_socket_stops_nobody(void **state)
{
    (void)state;
    a_full_stderr_stops_nobody(make_sockets);
}

static void test_lines_as_json(void **state)
{
    const char *text;
    int year, month, day, len = 0;

    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    log_warn("test.json", "err=\"a \\\"b\\\"\" n=3");
    log_access("access", "link=0123456789abcdef");
    log_access("access", "link=0123456789abcdef"); /* repeats are not held back */
    log_set_format(LOG_FORMAT_TEXT);
    text = written();
    assert_int_equal(
        sscanf(text, "{\"time\":\"%d-%d-%dT%*d:%*d:%*d.%*dZ\",%n", &year, &month, &day, &len), 3);
    assert_true(len > 0 && year >= 2024);
    assert_string_equal(strtok((char *)text + len, "\n"),
                        "\"level\":\"warn\",\"at\":\"test.json\",\"err\":\"a \\\"b\\\"\",\"n\":3}");
    for (int i = 0; i < 2; i++)
        assert_non_null(
            strstr(strtok(NULL, "\n"), "\"at\":\"access\",\"link\":\"0123456789abcdef\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_pipe_stops_nobody),
        cmocka_unit_test(test_a_full_socket_stops_nobody),
        cmocka_unit_test_setup(test_what_differs_is_said, begin),
        cmocka_unit_test_setup(test_what_repeats_is_counted, begin),
        cmocka_unit_test_setup(test_what_is_held_back_is_written_at_the_end, begin),
        cmocka_unit_test_setup(test_a_flood_is_cut_off, begin),
        cmocka_unit_test_setup(test_what_is_held_back_wakes, begin),
        cmocka_unit_test_setup(test_lines_as_json, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
