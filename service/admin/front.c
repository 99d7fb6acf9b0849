#include "service/admin/front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "service/admin/connections.h"
#include "service/admin/request.h"
#include "service/admin/server.h"
#include "service/base/background.h"
#include "service/base/error.h"
#include "service/base/event_loop.h"
#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/config/config.h"

enum {
    BACKLOG = 128,
    ACCEPT_MAX = 16, /* per wake-up, so that a flood of connections can't starve probes */
    ACCEPT_PAUSE_MS = 100,
    SPARES = 8,
};

struct listener {
    struct front *front;
    int fd;
    struct event *event;
};

struct front {
    struct server *server;
    struct event_base *base;
    struct listener *listeners;
    unsigned n_listeners;
    struct event *resume;     /* accept again after ACCEPT_PAUSE_MS */
    struct mailbox *to_front; /* parcels */
    struct mailbox *orders;   /* the one order to stop */
    struct connections *connections;
    int spare_fds[SPARES]; /* given up for connections when descriptors run out; the first n_spare
                            */
    unsigned n_spare;
    pthread_t thread;
    bool running;
    bool has_failed; /* to accept, since the last connection: is logged once */
};

/* --- accepting --- */

static void set_accepting(struct front *front, bool on)
{
    for (unsigned i = 0; i < front->n_listeners; i++) {
        if (on)
            event_add(front->listeners[i].event, NULL);
        else
            event_del(front->listeners[i].event);
    }
}

/* The pause after a failed accept is over. */
static void on_resume(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    set_accepting(arg, true);
}

static void fill_spare(struct front *front)
{
    int fd = 0;

    while (front->n_spare < SPARES && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        front->spare_fds[front->n_spare++] = fd;
}

static void pause_accepting(struct front *front, int error)
{
    const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

    if (!front->has_failed)
        log_warn("admin.accept", "err=\"%s\" pause_ms=%d", strerror(error), ACCEPT_PAUSE_MS);
    front->has_failed = true;
    set_accepting(front, false);
    event_add(front->resume, &pause);
}

static int accept_from(int listen_fd, struct sockaddr_storage *peer)
{
    socklen_t len = sizeof(*peer);

    return accept4(listen_fd, (struct sockaddr *)peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Accepts one connection; false when none is waiting, or when descriptors are so scarce that the
 * next must wait for a pass of the loop: otherwise it would get the descriptor of a connection that
 * was not served yet. */
static bool accept_one(struct front *front, int listen_fd)
{
    struct sockaddr_storage peer;
    int fd = accept_from(listen_fd, &peer), error = errno;
    bool is_scarce = fd < 0 && (error == EMFILE || error == ENFILE), is_free = false;

    /* Without a free descriptor accept(2) fails, and the kernel would report the waiting connection
     * again at once.  So a spare one is freed, or that of the connection that we have waited for
     * longest. */
    if (is_scarce && front->n_spare > 0)
        is_free = close(front->spare_fds[--front->n_spare]) == 0;
    else if (is_scarce)
        is_free = connections_evict(front->connections);
    if (is_free) {
        fd = accept_from(listen_fd, &peer);
        error = errno;
    }
    if (fd >= 0) {
        front->has_failed = false;
        connections_accept(front->connections, fd, (const struct sockaddr *)&peer);
        return !is_scarce;
    }
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        pause_accepting(front, error);
    /* All errors but an empty queue concern one connection only (accept(2)). */
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* Connections wait in a listening socket's queue. */
static void on_acceptable(evutil_socket_t fd, short events, void *arg)
{
    struct listener *listener = arg;

    (void)events;
    fill_spare(listener->front);
    for (int i = 0; i < ACCEPT_MAX && accept_one(listener->front, (int)fd); i++)
        continue;
}

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* A listening socket; or -1 and errno.  Accepted sockets inherit its options. */
static int listen_on(const struct address *address)
{
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    if ((address->addr.ss_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
        /* A connection that doesn't read, or isn't read, holds so many bytes in the kernel, not
         * megabytes. */
        set_option(fd, SOL_SOCKET, SO_SNDBUF, CONNECTIONS_SOCKET_BYTES) &&
        set_option(fd, SOL_SOCKET, SO_RCVBUF, CONNECTIONS_SOCKET_BYTES) &&
        bind(fd, (const struct sockaddr *)&address->addr, address->addr_len) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool open_listeners(struct front *front, const struct config_admin *config,
                           struct error *err)
{
    front->listeners = calloc(config->n_listen, sizeof(struct listener));
    for (unsigned i = 0; front->listeners && i < config->n_listen; i++) {
        struct listener *listener = &front->listeners[i];

        *listener = (struct listener){.front = front, .fd = listen_on(&config->addresses[i])};
        if (listener->fd < 0) {
            error_set(err, "admin.listen: cannot listen on %s: %s; choose a free address",
                      config->listen[i], strerror(errno));
            return false;
        }
        front->n_listeners++;
        listener->event =
            event_new(front->base, listener->fd, EV_READ | EV_PERSIST, on_acceptable, listener);
        if (!listener->event || event_add(listener->event, NULL) != 0)
            break;
    }
    if (front->n_listeners < config->n_listen)
        error_set(err, "admin: out of memory");
    return front->n_listeners == config->n_listen;
}

/* --- the thread --- */

/* A part of a reply, from the API thread or a probe. */
static void on_parcel(void *owner, struct letter *letter)
{
    struct front *front = owner;

    connections_take(front->connections, (struct parcel *)letter);
}

/* The order to stop. */
static void on_order(void *owner, struct letter *letter)
{
    struct front *front = owner;

    (void)letter;
    event_base_loopbreak(front->base);
}

static void *run(void *arg)
{
    struct front *front = arg;

    background_enter("admin-front");
    event_base_dispatch(front->base);
    return NULL;
}

struct front *front_new(const struct front_options *options, struct error *err)
{
    struct front *front = calloc(1, sizeof(*front));
    struct connections_options set = {.server = options->server,
                                      .public = options->public,
                                      .max = options->server->connections_max};
    bool ok = false;

    if (!front) {
        error_set(err, "admin: out of memory");
        return NULL;
    }
    front->server = options->server;
    if (!(front->base = event_base_new()) ||
        !(front->to_front = mailbox_new(front->base, on_parcel, front)) ||
        !(front->orders = mailbox_new(front->base, on_order, front)) ||
        !(front->resume = evtimer_new(front->base, on_resume, front))) {
        error_set(err, "admin: cannot set up the event loop: %s", strerror(errno));
        goto out;
    }
    set.base = front->base;
    front->connections = connections_new(&set);
    if (!front->connections) {
        error_set(err, "admin: out of memory");
        goto out;
    }
    fill_spare(front);
    options->server->to_front = front->to_front;
    ok = open_listeners(front, options->config, err);
out:
    if (!ok) {
        front_free(front);
        front = NULL;
    }
    return front;
}

bool front_start(struct front *front)
{
    front->running = thread_start(&front->thread, NULL, run, front) == 0;
    return front->running;
}

void front_free(struct front *front)
{
    struct letter stop, *letter;

    if (!front)
        return;
    if (front->running) {
        mailbox_post(front->orders, &stop);
        pthread_join(front->thread, NULL);
    }
    /* The requests and replies that are still in the mailboxes go back to their connections. */
    if (front->connections) {
        while ((letter = mailbox_take(front->to_front)))
            connections_take(front->connections, (struct parcel *)letter);
        connections_give_back(front->connections);
        while (front->server->to_api && (letter = mailbox_take(front->server->to_api)))
            connections_take(front->connections, &((struct request *)letter)->last);
    }
    connections_free(front->connections);
    for (unsigned i = 0; i < front->n_listeners; i++) {
        if (front->listeners[i].event)
            event_free(front->listeners[i].event);
        close(front->listeners[i].fd);
    }
    free(front->listeners);
    if (front->resume)
        event_free(front->resume);
    mailbox_free(front->orders);
    mailbox_free(front->to_front);
    event_loop_free(front->base);
    while (front->n_spare > 0)
        close(front->spare_fds[--front->n_spare]);
    free(front);
}
