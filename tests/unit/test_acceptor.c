#include "tests/unit/public_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "service/public/acceptor.h"

#define GET "GET /" FIXTURE_LINK " HTTP/1.1\r\nHost: go.acme.example\r\n\r\n"

enum { CONNECTIONS_MAX = 512, TURNS_MAX = 1000 };

static char out[4096];

struct door_fixture {
    struct fixture *f;
    struct acceptor *acceptor;
    struct sockaddr_in address;
};

static struct door_fixture start(void)
{
    struct door_fixture d = {
        .f = fixture_new("workers: 1"),
        .address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    struct acceptor_options options;
    socklen_t len = sizeof(d.address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    fixture_start(d.f, CONNECTIONS_MAX, false);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&d.address, len), 0);
    assert_int_equal(listen(fd, CONNECTIONS_MAX), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&d.address, &len), 0);
    options = (struct acceptor_options){.base = d.f->base,
                                        .conns = d.f->conns,
                                        .clock = &d.f->clock,
                                        .counters = &d.f->counters,
                                        .fds = &fd,
                                        .n_fds = 1};
    d.acceptor = acceptor_new(&options);
    assert_non_null(d.acceptor);
    assert_int_equal(fd, -1);
    return d;
}

static void stop(struct door_fixture *d)
{
    acceptor_free(d->acceptor);
    fixture_free(d->f);
}

/* A client that has sent `text`; blocking, but for reads that would wait. */
static int dial(struct door_fixture *d, int fd, const char *text)
{
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&d->address, sizeof(d->address)), 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Until the client can read something, or its end. */
static ssize_t read_soon(struct door_fixture *d, int client)
{
    ssize_t n = -1;

    for (int i = 0; i < TURNS_MAX && n < 0; i++) {
        fixture_turn(d->f);
        n = fixture_read(client, out, sizeof(out));
        if (n < 0 && errno != EAGAIN)
            return -1;
    }
    return n;
}

static uint64_t n_accepted(const struct door_fixture *d)
{
    return counter64_get(&d->f->counters.accepted);
}

/* Clients that go on connecting must not keep it from ending, nor from seeing deadlines. */
static void test_finishing_takes_those_who_wait_and_no_more(void **state)
{
    enum { WAITING = 150, LATE = 50 };
    struct door_fixture d = start();
    int waiting[WAITING], late[LATE], n_turns = 0;

    (void)state;
    for (int i = 0; i < WAITING; i++)
        waiting[i] = dial(&d, -1, GET);
    acceptor_finish(d.acceptor);
    assert_in_range(n_accepted(&d), 1, WAITING - 1);
    assert_false(acceptor_is_done(d.acceptor));
    for (int i = 0; i < LATE; i++)
        late[i] = dial(&d, -1, GET);
    while (!acceptor_is_done(d.acceptor) && n_turns++ < TURNS_MAX)
        fixture_turn(d.f);
    assert_true(acceptor_is_done(d.acceptor));
    assert_int_equal(n_accepted(&d), WAITING);
    for (int i = 0; i < WAITING; i++) {
        assert_true(read_soon(&d, waiting[i]) > 0);
        close(waiting[i]);
    }
    for (int i = 0; i < LATE; i++) {
        assert_int_equal(read_soon(&d, late[i]), -1); /* reset */
        close(late[i]);
    }
    stop(&d);
}

static void test_finishing_with_nobody_waiting_ends_at_once(void **state)
{
    struct door_fixture d = start();

    (void)state;
    acceptor_finish(d.acceptor);
    assert_true(acceptor_is_done(d.acceptor));
    stop(&d);
}

/* All descriptors but `n_free` are used up. */
static void use_up_descriptors(int fds[static 1024], unsigned n_free)
{
    unsigned n = 0;

    while (n < 1024 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    assert_in_range(n, n_free, 1023);
    while (n_free-- > 0) {
        close(fds[--n]);
        fds[n] = -1;
    }
    fds[n] = -1;
}

static void give_descriptors_back(int fds[static 1024])
{
    for (unsigned n = 0; n < 1024 && fds[n] >= 0; n++)
        close(fds[n]);
}

static void test_without_descriptors_an_idle_connection_makes_room(void **state)
{
    struct door_fixture d = start();
    int idle = dial(&d, -1, GET), busy = dial(&d, -1, "GET / HT"), late, spare;
    static int fds[1024];

    (void)state;
    assert_true(read_soon(&d, idle) > 0);
    fixture_wait(d.f, CONNS_SLACK_MS);
    spare = socket(AF_INET, SOCK_STREAM, 0);
    use_up_descriptors(fds, 0);
    late = dial(&d, spare, GET);
    assert_true(read_soon(&d, late) > 0);
    assert_int_equal(strncmp(out, "HTTP/1.1 302", 12), 0);
    assert_int_equal(read_soon(&d, idle), 0);
    assert_int_equal(counter64_get(&d.f->counters.accept_pauses), 0);
    assert_int_equal(counter64_get(&d.f->counters.closed[CLOSE_EVICTED]), 1);
    give_descriptors_back(fds);
    assert_int_equal(write(busy, "TP/1.0\r\n\r\n", 10), 10);
    assert_true(read_soon(&d, busy) > 0);
    close(idle);
    close(busy);
    close(late);
    stop(&d);
}

static void test_without_anyone_to_give_up_accepting_pauses(void **state)
{
    struct door_fixture d = start();
    int busy = dial(&d, -1, "GET / HT"), late, spare;
    static int fds[1024];

    (void)state;
    while (n_accepted(&d) == 0)
        fixture_turn(d.f);
    spare = socket(AF_INET, SOCK_STREAM, 0);
    use_up_descriptors(fds, 0);
    late = dial(&d, spare, GET);
    for (int i = 0; i < 10; i++)
        fixture_turn(d.f);
    assert_int_equal(counter64_get(&d.f->counters.accept_pauses), 1);
    assert_int_equal(fixture_read(late, out, sizeof(out)), -1);
    give_descriptors_back(fds);
    while (n_accepted(&d) == 1) /* the pause is a tenth of a second */
        event_base_loop(d.f->base, EVLOOP_ONCE);
    assert_true(read_soon(&d, late) > 0);
    close(busy);
    close(late);
    stop(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finishing_takes_those_who_wait_and_no_more),
        cmocka_unit_test(test_finishing_with_nobody_waiting_ends_at_once),
        cmocka_unit_test(test_without_descriptors_an_idle_connection_makes_room),
        cmocka_unit_test(test_without_anyone_to_give_up_accepting_pauses),
    };
    const struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};

    log_set_level(LOG_LEVEL_ERROR);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
