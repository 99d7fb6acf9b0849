/* floor.c - the least a libevent server can cost: reads whatever comes, answers a constant 302 for
 * every blank line, parses nothing.  What is left is libevent and the kernel: the floor that no
 * server of this kind gets below. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

/* As long as hopcountd's reply to a pay link. */
static const char reply[] =
    "HTTP/1.1 302 Found\r\n"
    "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
    "Cache-Control: private, no-store\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Robots-Tag: noindex, nofollow\r\n"
    "Content-Length: 0\r\n"
    "Location: https://billing.acme.example/index.php?rp=/invoice/1234567/pay"
    "\r\n\r\n";

enum { IN_LEN = 65536, REPLIES_MAX = 256 };

struct floor_server {
    struct event_base *base;
    char in[IN_LEN];
    char out[REPLIES_MAX * sizeof(reply)];
};

struct floor_conn {
    struct floor_server *server;
    struct event event;
};

static size_t count_heads(const char *p, size_t len)
{
    size_t n = 0;
    const char *end = p + len;

    while ((p = memmem(p, (size_t)(end - p), "\r\n\r\n", 4)) != NULL) {
        n++;
        p += 4;
    }
    return n;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
    struct floor_conn *conn = arg;
    struct floor_server *s = conn->server;
    ssize_t n = recv(fd, s->in, sizeof(s->in), 0);
    size_t n_replies;

    (void)events;
    if (n < 0 && errno == EAGAIN)
        return;
    n_replies = n > 0 ? count_heads(s->in, (size_t)n) : 0;
    if (n_replies > REPLIES_MAX)
        n_replies = REPLIES_MAX;
    if (n <= 0 || send(fd, s->out, n_replies * (sizeof(reply) - 1), MSG_NOSIGNAL) < 0) {
        event_del(&conn->event);
        close(fd);
        free(conn);
    }
}

static void on_accept(evutil_socket_t fd, short events, void *arg)
{
    struct floor_server *s = arg;
    int one = 1, peer;

    (void)events;
    while ((peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct floor_conn *conn = calloc(1, sizeof(*conn));

        if (!conn) {
            close(peer);
            return;
        }
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        conn->server = s;
        event_assign(&conn->event, s->base, peer, EV_READ | EV_PERSIST, on_readable, conn);
        event_add(&conn->event, NULL);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct floor_server *s = calloc(1, sizeof(*s));
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct event *accept_event;

    if (argc != 2 || !s || fd < 0) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    for (size_t i = 0; i < REPLIES_MAX; i++)
        memcpy(s->out + i * (sizeof(reply) - 1), reply, sizeof(reply) - 1);
    at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        perror("floor: listen");
        return 1;
    }
    s->base = event_base_new();
    accept_event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_accept, s);
    event_add(accept_event, NULL);
    event_base_dispatch(s->base);
    return 0;
}
