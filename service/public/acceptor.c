#include "service/public/acceptor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "service/base/log.h"
#include "service/base/turn.h"
#include "service/public/conns.h"
#include "service/public/listener.h"
#include "service/public/stats.h"

enum {
    ACCEPT_MAX = 64, /* per wake-up, so that a flood of connections can't starve replies */
    PAUSE_MS = 100,  /* when descriptors or memory ran out */
};

struct acceptor {
    struct acceptor_options options; /* its fds: a copy of our own */
    struct event **events;           /* one per socket; NULL once it is closed */
    struct event *resume;
    bool has_failed; /* since the last connection: is logged once */
};

static const struct timeval pause_time = {.tv_usec = PAUSE_MS * 1000L};

static void set_accepting(struct acceptor *a, bool on)
{
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        if (a->events[i] && on)
            event_add(a->events[i], NULL);
        else if (a->events[i])
            event_del(a->events[i]);
    }
}

/* Without descriptors the queue can't be emptied: the kernel would report it again at once. */
static void pause_accepting(struct acceptor *a, int error)
{
    if (!a->has_failed)
        log_warn("public.accept", "err=\"%s\" pause_ms=%d open=%u", strerror(error), PAUSE_MS,
                 conns_n_open(a->options.conns));
    a->has_failed = true;
    counter64_add(&a->options.stats->accept_pauses, 1);
    set_accepting(a, false);
    event_add(a->resume, &pause_time);
}

/* The pause after a lack of descriptors is over. */
static void on_resume(evutil_socket_t fd, short events, void *arg)
{
    struct acceptor *a = arg;

    (void)fd;
    (void)events;
    set_accepting(a, true);
}

/* One connection of the queue; false when there is none, or no descriptor for it. */
static bool accept_one(struct acceptor *a, evutil_socket_t listen_fd)
{
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    int fd = accept4(listen_fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int error = errno;

    if (fd >= 0) {
        a->has_failed = false;
        conns_accept(a->options.conns, fd, (const struct sockaddr *)&peer);
        return true;
    }
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        pause_accepting(a, error);
    /* Anything else but an empty queue is the fate of one connection (accept(2)). */
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* Connections wait in a listening socket's queue. */
static void on_acceptable(evutil_socket_t fd, short events, void *arg)
{
    struct acceptor *a = arg;

    (void)events;
    turn_begin(a->options.turn);
    for (int i = 0; i < ACCEPT_MAX && accept_one(a, fd); i++)
        continue;
}

void acceptor_drain(struct acceptor *a)
{
    listener_stop_deferring(a->options.fds, a->options.n_fds);
}

/* What waits in the queues was promised a reply: closing the socket would reset it. */
void acceptor_finish(struct acceptor *a)
{
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        while (accept_one(a, a->options.fds[i]))
            continue;
        event_free(a->events[i]);
        a->events[i] = NULL;
    }
    event_del(a->resume);
    listener_close(a->options.fds, a->options.n_fds);
}

static bool add_events(struct acceptor *a)
{
    a->resume = event_new(a->options.base, -1, 0, on_resume, a);
    if (!a->resume)
        return false;
    for (unsigned i = 0; i < a->options.n_fds; i++) {
        a->events[i] =
            event_new(a->options.base, a->options.fds[i], EV_READ | EV_PERSIST, on_acceptable, a);
        if (!a->events[i] || event_add(a->events[i], NULL) != 0)
            return false;
    }
    return true;
}

struct acceptor *acceptor_new(const struct acceptor_options *options)
{
    struct acceptor *a = calloc(1, sizeof(*a));
    bool ok = false;

    if (!a)
        goto out;
    a->options = *options;
    a->options.fds = calloc(options->n_fds, sizeof(int));
    a->events = calloc(options->n_fds, sizeof(struct event *));
    if (!a->options.fds || !a->events)
        goto out;
    memcpy(a->options.fds, options->fds, options->n_fds * sizeof(int));
    if (!add_events(a))
        goto out;
    for (unsigned i = 0; i < options->n_fds; i++)
        options->fds[i] = -1;
    ok = true;
out:
    if (!ok) {
        for (unsigned i = 0; a && a->options.fds && i < options->n_fds; i++)
            a->options.fds[i] = -1; /* still the caller's */
        acceptor_free(a);
        a = NULL;
    }
    return a;
}

void acceptor_free(struct acceptor *a)
{
    if (!a)
        return;
    for (unsigned i = 0; a->events && i < a->options.n_fds; i++) {
        if (a->events[i])
            event_free(a->events[i]);
    }
    if (a->resume)
        event_free(a->resume);
    if (a->options.fds)
        listener_close(a->options.fds, a->options.n_fds);
    free(a->options.fds);
    free(a->events);
    free(a);
}
