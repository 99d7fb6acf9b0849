#include "service/public/acceptor.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "service/base/log.h"
#include "service/public/conns.h"
#include "service/public/counters.h"
#include "service/public/listener.h"
#include "service/public/loop_clock.h"

enum {
    ACCEPT_MAX = 64,  /* connections per wake-up, so that a flood of new ones can't delay replies */
    PAUSE_MS = 100,   /* how long accepting pauses after a failure */
    LOG_EVERY_S = 10, /* how often a lack of descriptors or memory is logged */
    QUEUE_UNKNOWN = 128, /* assumed length of a queue when the kernel doesn't report it */
};

/* A listening socket. */
struct door {
    struct acceptor *acceptor;
    struct event *event;
    int fd;          /* -1: closed */
    unsigned n_left; /* connections to accept before it is closed; UINT_MAX: not finishing */
};

struct acceptor {
    struct acceptor_options options; /* its `fds` is not used */
    struct door *doors;              /* n_fds */
    struct event *resume;
    int64_t logged_ms; /* when a shortage was last logged, monotonic; 0 = never */
};

enum accepted { ACCEPTED, QUEUE_IS_EMPTY, PAUSED };

static const struct timeval pause_time = {.tv_usec = PAUSE_MS * 1000L};

static void set_accepting(struct acceptor *a, bool on)
{
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        struct door *door = &a->doors[i];

        if (door->event && on)
            event_add(door->event, NULL);
        else if (door->event)
            event_del(door->event);
    }
}

static void log_shortage(struct acceptor *a, int error, const char *action)
{
    int64_t now_ms = a->options.clock->mono_ms;

    if (a->logged_ms && now_ms - a->logged_ms < LOG_EVERY_S * 1000)
        return;
    a->logged_ms = now_ms;
    log_warn("public.accept", "err=\"%s\" action=%s open=%u", strerror(error), action,
             conns_n_open(a->options.conns));
}

/* Pauses, because the queue can't be emptied and the event loop would report it again at once. */
static enum accepted pause_accepting(struct acceptor *a, int error)
{
    log_shortage(a, error, "pause");
    counter64_add(&a->options.counters->accept_pauses, 1);
    set_accepting(a, false);
    event_add(a->resume, &pause_time);
    return PAUSED;
}

/* The pause is over. */
static void on_resume(evutil_socket_t fd, short events, void *arg)
{
    struct acceptor *a = arg;

    (void)fd;
    (void)events;
    set_accepting(a, true);
}

static int accept_from(int listen_fd, struct sockaddr_storage *peer)
{
    socklen_t len = sizeof(*peer);

    return accept4(listen_fd, (struct sockaddr *)peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Tells whether connections wait in the queue: without a free descriptor accept() fails even when
 * none does. */
static bool is_somebody_waiting(int listen_fd)
{
    struct pollfd queue = {.fd = listen_fd, .events = POLLIN};

    return poll(&queue, 1, 0) > 0;
}

/* Accepts one connection of the queue. */
static enum accepted accept_one(struct acceptor *a, int listen_fd)
{
    struct sockaddr_storage peer;
    int fd = accept_from(listen_fd, &peer), error = errno;

    if (fd < 0 && (error == EMFILE || error == ENFILE)) {
        if (!is_somebody_waiting(listen_fd))
            return QUEUE_IS_EMPTY;
        if (conns_give_up_one(a->options.conns)) {
            log_shortage(a, error, "close_idle");
            fd = accept_from(listen_fd, &peer);
            error = errno;
        }
    }
    if (fd >= 0) {
        conns_accept(a->options.conns, fd, (const struct sockaddr *)&peer);
        return ACCEPTED;
    }
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        return pause_accepting(a, error);
    /* Any other error but an empty queue concerns only one connection (accept(2)). */
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM
               ? ACCEPTED
               : QUEUE_IS_EMPTY;
}

static void close_door(struct door *door)
{
    if (door->event)
        event_free(door->event);
    door->event = NULL;
    if (door->fd >= 0)
        close(door->fd);
    door->fd = -1;
}

static void accept_some(struct door *door)
{
    enum accepted accepted = ACCEPTED;

    for (int n = 0; n < ACCEPT_MAX && door->n_left > 0 && accepted == ACCEPTED; n++) {
        accepted = accept_one(door->acceptor, door->fd);
        if (door->n_left != UINT_MAX && accepted == ACCEPTED)
            door->n_left--;
    }
    if (door->n_left == 0 || (door->n_left != UINT_MAX && accepted == QUEUE_IS_EMPTY))
        close_door(door);
}

/* Connections wait in a listening socket's queue. */
static void on_acceptable(evutil_socket_t fd, short events, void *arg)
{
    struct door *door = arg;

    (void)fd;
    (void)events;
    loop_clock_read(door->acceptor->options.clock);
    accept_some(door);
}

void acceptor_drain(struct acceptor *a)
{
    for (unsigned i = 0; i < a->options.n_fds; i++)
        listener_stop_deferring(a->doors[i].fd);
}

/* Connections in the queue are established, and closing the socket would reset them.  Under a flood
 * the queue is never empty, so only those that wait now are counted and accepted.  Each pass of the
 * loop accepts some of them, so that deadlines and signals are handled in between. */
void acceptor_finish(struct acceptor *a)
{
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        struct tcp_info info;
        socklen_t len = sizeof(info);

        a->doors[i].n_left = getsockopt(a->doors[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0
                                 ? info.tcpi_unacked /* those that wait in the queue */
                                 : QUEUE_UNKNOWN;
        accept_some(&a->doors[i]);
    }
}

bool acceptor_is_done(const struct acceptor *a)
{
    unsigned n_open = 0;

    for (unsigned i = 0; i < a->options.n_fds; i++)
        n_open += a->doors[i].fd >= 0;
    return n_open == 0;
}

static bool open_doors(struct acceptor *a)
{
    a->resume = event_new(a->options.base, -1, 0, on_resume, a);
    a->doors = calloc(a->options.n_fds, sizeof(*a->doors));
    if (!a->resume || !a->doors)
        return false;
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        struct door *door = &a->doors[i];

        *door = (struct door){.acceptor = a, .fd = -1, .n_left = UINT_MAX};
        door->event = event_new(a->options.base, a->options.fds[i], EV_READ | EV_PERSIST,
                                on_acceptable, door);
        if (!door->event || event_add(door->event, NULL) != 0)
            return false;
    }
    return true;
}

struct acceptor *acceptor_new(const struct acceptor_options *options)
{
    struct acceptor *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->options = *options;
    if (!open_doors(a)) {
        acceptor_free(a);
        return NULL;
    }
    for (unsigned i = 0; i < options->n_fds; i++) {
        a->doors[i].fd = options->fds[i];
        options->fds[i] = -1;
    }
    return a;
}

void acceptor_free(struct acceptor *a)
{
    if (!a)
        return;
    for (unsigned i = 0; a->doors && i < a->options.n_fds; i++)
        close_door(&a->doors[i]);
    if (a->resume)
        event_free(a->resume);
    free(a->doors);
    free(a);
}
