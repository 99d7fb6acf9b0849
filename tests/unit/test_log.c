/* The log: what repeats is counted, what differs is said, a flood is cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/log.h"

static int real_stderr, pipe_fds[2];

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Lines of one second are folded: what a test logs must not fall into two. */
static void wait_for_a_second_to_begin(void)
{
    struct timespec now;

    do {
        sleep_ms(1);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_nsec > 100000000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_differs_is_said, begin),
        cmocka_unit_test_setup(test_what_repeats_is_counted, begin),
        cmocka_unit_test_setup(test_a_flood_is_cut_off, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
