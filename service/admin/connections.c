#include "service/admin/connections.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "proto/http1.h"
#include "proto/ip.h"
#include "service/admin/origin.h"
#include "service/admin/request.h"
#include "service/admin/router.h"
#include "service/admin/server.h"
#include "service/base/address.h"
#include "service/config/config.h"
#include "service/public/trusted_proxy.h"

enum {
    LINGER_S = 2,
    READ_MAX = HTTP1_HEAD_MAX + 2, /* unread bytes kept; more while a body arrives */
};

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_ANSWERED_BY_API,
    CONNECTION_STREAMING,
    CONNECTION_SENDING,
    CONNECTION_LINGERING,
    CONNECTION_GONE, /* closed; kept until its request comes back */
};

struct connection {
    TAILQ_ENTRY(connection) link; /* in the order of the last change of state */
    struct connections *all;
    enum connection_state state;
    struct bufferevent *bev; /* NULL when GONE */
    struct event *deadline;
    struct request *request; /* whose body is being read, or whose reply is awaited */
    size_t body_len;         /* of the request whose body is being read */
    size_t long_body_len;    /* its share of connections.long_bodies */
    size_t unsent;           /* at the last check whether the client reads its reply */
    struct http1_scan scan;
    bool keep_alive; /* after the reply that is being sent */
    bool has_ended;  /* the client will send nothing more */
    bool owes_room;  /* the API thread waits until the client has taken a piece of its reply */
    bool is_peer_trusted;
    bool is_client_known; /* see struct request_origin */
    char peer[REQUEST_PEER_MAX];
    uint8_t ip[IP_LEN];
};

struct connections {
    struct connections_options options;
    TAILQ_HEAD(connection_list, connection) list; /* all but those that are GONE */
    unsigned n_requests;                          /* under way, also of connections that are GONE */
    size_t long_bodies;                           /* bytes, being read or with the API thread */
    struct http1_request http;                    /* of the head that is being looked at */
};

static void set_deadline(struct connection *conn, int seconds)
{
    const struct timeval wait = {.tv_sec = seconds};

    if (seconds > 0)
        event_add(conn->deadline, &wait);
    else
        event_del(conn->deadline);
}

static size_t unsent_of(const struct connection *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

static void set_state(struct connection *conn, enum connection_state state)
{
    struct connections *all = conn->all;

    conn->state = state;
    TAILQ_REMOVE(&all->list, conn, link);
    TAILQ_INSERT_TAIL(&all->list, conn, link);
    switch (state) {
    case CONNECTION_IDLE:
        conn->scan = (struct http1_scan){0};
        set_deadline(conn, CONNECTIONS_IDLE_S);
        break;
    case CONNECTION_HEAD:
        set_deadline(conn, CONNECTIONS_HEAD_S);
        break;
    case CONNECTION_BODY:
        set_deadline(conn, conn->long_body_len ? CONNECTIONS_LONG_BODY_S : CONNECTIONS_BODY_S);
        break;
    case CONNECTION_ANSWERED_BY_API: /* the API thread has time limits of its own */
    case CONNECTION_STREAMING:
        set_deadline(conn, 0);
        break;
    case CONNECTION_SENDING:
        conn->unsent = unsent_of(conn);
        set_deadline(conn, CONNECTIONS_SEND_S);
        break;
    case CONNECTION_LINGERING:
        /* Closing with bytes unread would reset the connection, and the reply with it. */
        shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
        set_deadline(conn, LINGER_S);
        break;
    case CONNECTION_GONE:
        break;
    }
}

/* The request has come back from the API thread, or was never sent there. */
static void drop_request(struct connection *conn)
{
    request_free(conn->request);
    conn->request = NULL;
    conn->all->long_bodies -= conn->long_body_len;
    conn->long_body_len = 0;
}

static bool is_with_api(const struct connection *conn)
{
    return conn->state == CONNECTION_ANSWERED_BY_API || conn->state == CONNECTION_STREAMING;
}

/* The client has taken what was sent, or never will: the API thread makes the next piece, or ends.
 */
static void give_room(struct connection *conn)
{
    if (!conn->owes_room)
        return;
    conn->owes_room = false;
    mailbox_post(conn->all->options.server->to_api, &conn->request->letter);
}

static void close_connection(struct connection *conn)
{
    struct connections *all = conn->all;
    int fd;

    TAILQ_REMOVE(&all->list, conn, link);
    counter64_set(&all->options.server->n_connections,
                  counter64_get(&all->options.server->n_connections) - 1);
    /* Closes the descriptor now: bufferevent_free() would do it in the loop's next pass, and a new
     * connection may be waiting for a descriptor. */
    fd = bufferevent_getfd(conn->bev);
    (void)bufferevent_setfd(conn->bev, -1);
    close(fd);
    bufferevent_free(conn->bev);
    conn->bev = NULL;
    event_free(conn->deadline);
    conn->deadline = NULL;
    if (is_with_api(conn)) {
        conn->state = CONNECTION_GONE;
        atomic_store(&conn->request->gone, true);
        give_room(conn);
    } else {
        drop_request(conn);
        free(conn);
    }
}

/* Whether the kernel holds bytes that the client has not taken. */
static bool is_unsent(const struct connection *conn)
{
    int n = 0;

    return ioctl(bufferevent_getfd(conn->bev), SIOCOUTQ, &n) == 0 && n > 0;
}

static void reset_connection(struct connection *conn)
{
    const struct linger none = {.l_onoff = 1};

    (void)setsockopt(bufferevent_getfd(conn->bev), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close_connection(conn);
}

/* Closes without waiting until the client has read the rest: otherwise the kernel would keep the
 * bytes and retransmit them for minutes. */
static void abort_connection(struct connection *conn)
{
    if (is_unsent(conn))
        reset_connection(conn);
    else
        close_connection(conn);
}

static bool evict(struct connections *all, const uint8_t *of_ip)
{
    struct connection *conn;

    TAILQ_FOREACH(conn, &all->list, link)
    {
        if (!is_with_api(conn) && (!of_ip || memcmp(conn->ip, of_ip, IP_LEN) == 0)) {
            counter64_add(&all->options.server->n_evicted, 1);
            abort_connection(conn);
            return true;
        }
    }
    return false;
}

bool connections_evict(struct connections *connections)
{
    return evict(connections, NULL);
}

/* --- replies --- */

static void end_reply(struct connection *conn);

/* When clients leave too many bytes of replies unread, closes the connection that has been sending
 * for the longest time. */
static void limit_unsent(struct connections *all)
{
    struct connection *conn;
    size_t unsent = 0;

    TAILQ_FOREACH(conn, &all->list, link)
    {
        unsent += unsent_of(conn);
    }
    while (unsent > CONNECTIONS_UNSENT_MAX) {
        TAILQ_FOREACH(conn, &all->list, link)
        {
            if (conn->state == CONNECTION_SENDING)
                break;
        }
        if (!conn)
            return;
        unsent -= unsent_of(conn);
        abort_connection(conn);
    }
}

/* The connection may be closed by it. */
static void send_reply(struct connection *conn, struct evbuffer *bytes)
{
    bufferevent_write_buffer(conn->bev, bytes);
    set_state(conn, CONNECTION_SENDING);
    if (conn->unsent == 0)
        end_reply(conn);
    else
        limit_unsent(conn->all);
}

/* The front replies itself: the request was not handed to the API thread. */
static void refuse(struct connection *conn, unsigned status, const char *reason, bool is_head)
{
    struct evbuffer *out = evbuffer_new();

    conn->keep_alive = false;
    drop_request(conn);
    if (!out) {
        close_connection(conn);
        return;
    }
    request_write_refusal(conn->all->options.server, out, (int)status, reason, is_head);
    send_reply(conn, out);
    evbuffer_free(out);
}

static void read_head(struct connection *conn);

/* The reply has left. */
static void end_reply(struct connection *conn)
{
    if (conn->keep_alive) {
        set_state(conn, CONNECTION_IDLE);
        read_head(conn);
    } else if (conn->has_ended && !is_unsent(conn)) {
        close_connection(conn);
    } else {
        set_state(conn, CONNECTION_LINGERING);
        evbuffer_drain(bufferevent_get_input(conn->bev), SIZE_MAX);
    }
}

static void take_last(struct connection *conn, struct parcel *parcel)
{
    struct request *request = parcel->request;

    conn->all->n_requests--;
    conn->request = NULL;
    drop_request(conn);
    if (conn->state == CONNECTION_GONE) {
        free(conn);
    } else if (parcel->is_cut) {
        set_state(conn, CONNECTION_SENDING);
        reset_connection(conn);
    } else {
        conn->keep_alive = request->origin.keep_alive;
        send_reply(conn, parcel->bytes);
    }
    request_free(request);
}

void connections_take(struct connections *connections, struct parcel *parcel)
{
    struct connection *conn = parcel->request->origin.connection;

    (void)connections;
    if (parcel->is_last) {
        take_last(conn, parcel);
        return;
    }
    conn->owes_room = parcel->wants_room;
    if (conn->state == CONNECTION_GONE) {
        give_room(conn);
    } else {
        set_state(conn, CONNECTION_STREAMING);
        bufferevent_write_buffer(conn->bev, parcel->bytes);
        conn->unsent = unsent_of(conn);
        if (conn->has_ended || (!conn->owes_room && conn->unsent > CONNECTIONS_STREAM_MAX))
            abort_connection(conn);
        else if (conn->owes_room)
            set_deadline(conn, CONNECTIONS_SEND_S);
    }
    evbuffer_free(parcel->bytes);
    free(parcel);
}

/* --- requests --- */

/* At most three quarters of all connections, and of those of an address, wait for the API thread,
 * so that one of the others can be closed when a probe arrives. */
static bool api_has_room(const struct connections *all, const struct connection *conn)
{
    unsigned max = all->options.max / 4 * 3, n_of_address = 0;
    const struct connection *other;

    TAILQ_FOREACH(other, &all->list, link)
    {
        n_of_address += is_with_api(other) && memcmp(other->ip, conn->ip, IP_LEN) == 0;
    }
    return all->n_requests < max && (n_of_address < max / 2 || conn->is_peer_trusted);
}

static void hand_over(struct connection *conn)
{
    struct connections *all = conn->all;
    struct request *request = conn->request;

    if (!router_is_for_front(request) && !api_has_room(all, conn)) {
        refuse(conn, 503, "too many requests at once", request->is_head);
        return;
    }
    all->n_requests++;
    set_state(conn, CONNECTION_ANSWERED_BY_API);
    if (router_is_for_front(request))
        router_handle(request);
    else
        mailbox_post(all->options.server->to_api, &request->letter);
}

/* More of a body has come. */
static void read_body(struct connection *conn)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);

    if (evbuffer_get_length(in) < conn->body_len)
        return;
    evbuffer_remove_buffer(in, conn->request->body, conn->body_len);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_MAX);
    hand_over(conn);
}

/* What the route takes of a body that long: 0, or the status that says why it takes none. */
static int refused_body(struct connections *all, const struct request *request, size_t len)
{
    if (len > router_body_max(request))
        return 413;
    if (len > ROUTER_BODY_MAX && all->long_bodies + len > CONNECTIONS_BODIES_MAX)
        return 503;
    return 0;
}

static void await_body(struct connection *conn, const struct http1_request *http)
{
    conn->body_len = http->content_length;
    if (conn->body_len > ROUTER_BODY_MAX) {
        conn->long_body_len = conn->body_len;
        conn->all->long_bodies += conn->body_len;
    }
    if (http->expect_continue)
        bufferevent_write(conn->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    if (conn->body_len > READ_MAX)
        bufferevent_setwatermark(conn->bev, EV_READ, 0, conn->body_len);
    set_state(conn, CONNECTION_BODY);
    read_body(conn);
}

static bool is_v4(const uint8_t ip[static IP_LEN])
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

static void write_address(const uint8_t ip[static IP_LEN], char out[static REQUEST_PEER_MAX])
{
    if (is_v4(ip))
        inet_ntop(AF_INET, ip + 12, out, REQUEST_PEER_MAX);
    else
        inet_ntop(AF_INET6, ip, out, REQUEST_PEER_MAX);
}

/* A whole head is there. */
static void take_head(struct connection *conn, struct slice head, const struct http1_request *http)
{
    struct request_origin origin = {.connection = conn,
                                    .is_peer_trusted = conn->is_peer_trusted,
                                    .is_client_known = conn->is_client_known,
                                    .keep_alive = http->keep_alive};
    struct request *request;
    uint8_t ip[IP_LEN];

    memcpy(origin.peer, conn->peer, sizeof(origin.peer));
    memcpy(origin.client, conn->peer, sizeof(origin.client));
    if (conn->is_peer_trusted && ip_parse(slice_of(conn->peer), ip)) {
        trusted_proxy_find_client(conn->all->options.public, http, ip, ip);
        write_address(ip, origin.client);
    }
    request = request_new(conn->all->options.server, http, head, &origin);
    conn->request = request;
    if (!request) {
        refuse(conn, 503, "out of memory", http->method == HTTP1_HEAD);
        return;
    }
    request->is_secure = origin_is_secure(request);
    evbuffer_drain(bufferevent_get_input(conn->bev), head.len);
    request->origin.refused_body = refused_body(conn->all, request, http->content_length);
    if (request->origin.refused_body) {
        request->origin.keep_alive = false;
        hand_over(conn);
    } else if (http->content_length > 0) {
        await_body(conn, http);
    } else {
        hand_over(conn);
    }
}

/* Reads a head, as strictly as the public port does. */
static void read_head(struct connection *conn)
{
    static const struct http1_rules rules = {.all_methods = true, .body_max = ROUTER_LONG_BODY_MAX};
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    struct http1_request *http = &conn->all->http;
    size_t len = evbuffer_get_length(in);
    struct http1_refusal refusal;
    struct slice bytes;

    if (len == 0) {
        if (conn->has_ended)
            close_connection(conn);
        return;
    }
    if (conn->state == CONNECTION_IDLE)
        set_state(conn, CONNECTION_HEAD);
    bytes = slice_make((const char *)evbuffer_pullup(in, len < READ_MAX ? (ssize_t)len : READ_MAX),
                       len < READ_MAX ? len : READ_MAX);
    if (!bytes.ptr) {
        refuse(conn, 503, "out of memory", false);
        return;
    }
    switch (http1_parse_by(&rules, bytes, &conn->scan, http, &refusal)) {
    case HTTP1_COMPLETE:
        take_head(conn, slice_make(bytes.ptr, http->head_len), http);
        break;
    case HTTP1_INCOMPLETE:
        if (conn->has_ended)
            close_connection(conn);
        break;
    case HTTP1_REFUSED:
        refuse(conn, refusal.status, refusal.reason, refusal.is_head);
        break;
    }
}

/* --- events --- */

/* Bytes have come. */
static void on_read(struct bufferevent *bev, void *arg)
{
    struct connection *conn = arg;

    switch (conn->state) {
    case CONNECTION_IDLE:
    case CONNECTION_HEAD:
        read_head(conn);
        break;
    case CONNECTION_BODY:
        read_body(conn);
        break;
    case CONNECTION_LINGERING:
        evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
        break;
    case CONNECTION_ANSWERED_BY_API:
    case CONNECTION_STREAMING:
    case CONNECTION_SENDING: /* the next request waits */
    case CONNECTION_GONE:
        break;
    }
}

/* All that there was to send has been sent. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct connection *conn = arg;

    (void)bev;
    if (conn->state == CONNECTION_SENDING) {
        end_reply(conn);
    } else if (conn->owes_room) {
        set_deadline(conn, 0);
        give_room(conn);
    }
}

/* The client has closed the connection or its sending side: requests that arrived are answered. */
static void on_event(struct bufferevent *bev, short events, void *arg)
{
    struct connection *conn = arg;

    (void)bev;
    conn->has_ended = true;
    if (!(events & BEV_EVENT_EOF) ||
        (conn->state != CONNECTION_ANSWERED_BY_API && conn->state != CONNECTION_SENDING))
        close_connection(conn);
}

/* The client has taken too long. */
static void on_deadline(evutil_socket_t fd, short events, void *arg)
{
    struct connection *conn = arg;
    size_t unsent;

    (void)fd;
    (void)events;
    switch (conn->state) {
    case CONNECTION_HEAD:
        refuse(conn, 408, "the head took too long", false);
        break;
    case CONNECTION_BODY:
        refuse(conn, 408, "the body took too long", false);
        break;
    case CONNECTION_STREAMING: /* a piece of a long reply */
    case CONNECTION_SENDING:
        unsent = unsent_of(conn);
        if (unsent + CONNECTIONS_SEND_MIN > conn->unsent) {
            abort_connection(conn);
        } else {
            conn->unsent = unsent;
            set_deadline(conn, CONNECTIONS_SEND_S);
        }
        break;
    case CONNECTION_IDLE:
    case CONNECTION_LINGERING:
        abort_connection(conn);
        break;
    case CONNECTION_ANSWERED_BY_API:
    case CONNECTION_GONE:
        break;
    }
}

/* --- the set --- */

/* By what connections are counted: an IPv4 address, or the 64 bits of an IPv6 address that its
 * owner can't choose. */
static void write_ip(const struct sockaddr *peer, struct connection *conn)
{
    uint8_t ip[IP_LEN] = {0};

    if (!address_ip(peer, ip))
        memset(ip, 0, sizeof(ip));
    conn->is_peer_trusted = trusted_proxy_is(conn->all->options.public, ip);
    conn->is_client_known = trusted_proxy_knows_client(conn->all->options.public, ip);
    write_address(ip, conn->peer);
    if (!is_v4(ip))
        memset(ip + 8, 0, 8);
    memcpy(conn->ip, ip, sizeof(ip));
}

/* Whether one more connection of this address is allowed; trusted proxies may have any number,
 * because they pass on the requests of many. */
static bool make_room(struct connections *all, const struct connection *conn)
{
    unsigned n = 0, n_of_address = 0;
    struct connection *other;

    TAILQ_FOREACH(other, &all->list, link)
    {
        n++;
        n_of_address += memcmp(other->ip, conn->ip, IP_LEN) == 0;
    }
    if (n_of_address >= all->options.max / 2 && !conn->is_peer_trusted)
        return evict(all, conn->ip);
    return n < all->options.max || evict(all, NULL);
}

void connections_accept(struct connections *connections, int fd, const struct sockaddr *peer)
{
    struct connection *conn = calloc(1, sizeof(*conn));
    struct event_base *base = connections->options.base;

    if (!conn)
        goto fail;
    conn->all = connections;
    write_ip(peer, conn);
    if (!make_room(connections, conn) || !(conn->deadline = evtimer_new(base, on_deadline, conn)) ||
        !(conn->bev = bufferevent_socket_new(base, fd, 0)))
        goto fail;
    counter64_add(&connections->options.server->n_connections, 1);
    TAILQ_INSERT_TAIL(&connections->list, conn, link);
    bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_MAX);
    bufferevent_enable(conn->bev, EV_READ);
    set_state(conn, CONNECTION_IDLE);
    return;
fail:
    if (conn && conn->deadline)
        event_free(conn->deadline);
    free(conn);
    close(fd);
}

struct connections *connections_new(const struct connections_options *options)
{
    struct connections *connections = calloc(1, sizeof(*connections));

    if (!connections)
        return NULL;
    connections->options = *options;
    TAILQ_INIT(&connections->list);
    return connections;
}

void connections_give_back(struct connections *connections)
{
    struct connection *conn;

    TAILQ_FOREACH(conn, &connections->list, link)
    {
        give_room(conn);
    }
}

void connections_free(struct connections *connections)
{
    struct connection *conn;

    if (!connections)
        return;
    while ((conn = TAILQ_FIRST(&connections->list)))
        close_connection(conn);
    free(connections);
}
