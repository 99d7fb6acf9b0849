#include "service/redis/redis_conn.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "service/base/clock.h"
#include "service/redis/redis_hello.h"
#include "service/redis/redis_stream.h"
#include "service/redis/resolver.h"
#include "service/redis/resp.h"

enum { IN_FLIGHT_MAX = 4096 };

/* Commands that wait for answers; answers come in the order of the commands. */
struct in_flight {
    struct {
        uint64_t ticket;
        int64_t deadline_ms;
    } ring[IN_FLIGHT_MAX];
    size_t first, n;
};

struct redis_conn {
    struct event_base *base;
    struct redis_conn_options options;
    enum redis_conn_state state;
    struct redis_address address;
    char cause[REDIS_CONN_CAUSE_MAX];
    struct resolver *resolver; /* a lookup may go on after its attempt has been given up */
    unsigned address_index; /* the index of the address that is tried, of those that a name has */
    struct bufferevent *bev;
    struct resp_reader *reader;
    struct redis_hello hello;
    bool is_closing, is_first_greeting;
    unsigned n_greetings;  /* answers to HELLO and SELECT that are still missing */
    struct event *timer;   /* deadline of the attempt, or of the oldest command */
    struct event *closing; /* runs on_closing() from the loop after redis_conn_close() */
    struct in_flight in_flight;
};

static void set_cause(struct redis_conn *conn, const char *format, ...) PRINTF_LIKE(2, 3);

static void set_cause(struct redis_conn *conn, const char *format, ...)
{
    char why[REDIS_HELLO_WHY_MAX], where[REDIS_ADDRESS_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    for (char *p = why; *p; p++) {
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    }
    redis_address_describe(&conn->address, where);
    snprintf(conn->cause, sizeof(conn->cause), "%s: %s", where, why);
}

static void arm(struct redis_conn *conn, int64_t wait_ms)
{
    struct timeval tv;

    if (wait_ms < 1)
        wait_ms = 1;
    tv = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    event_add(conn->timer, &tv);
}

static void release_stream(struct redis_conn *conn)
{
    redis_stream_free(conn->bev);
    conn->bev = NULL;
    resp_reader_free(conn->reader);
    conn->reader = NULL;
}

/* Removes the oldest command; returns its ticket. */
static uint64_t pop_in_flight(struct redis_conn *conn)
{
    struct in_flight *queue = &conn->in_flight;
    uint64_t ticket = queue->ring[queue->first].ticket;

    assert(queue->n > 0);
    queue->first = (queue->first + 1) % IN_FLIGHT_MAX;
    queue->n--;
    return ticket;
}

/* The deadline of the oldest command; there must be one. */
static int64_t oldest_deadline(const struct redis_conn *conn)
{
    return conn->in_flight.ring[conn->in_flight.first].deadline_ms;
}

static void fail_in_flight(struct redis_conn *conn)
{
    while (conn->in_flight.n > 0)
        conn->options.on_answer(conn->options.owner, conn, pop_in_flight(conn), NULL);
}

static void set_state(struct redis_conn *conn, enum redis_conn_state state)
{
    conn->state = state;
    switch (state) {
    case REDIS_CONN_DOWN:
        event_del(conn->timer);
        event_del(conn->closing);
        conn->is_closing = false;
        release_stream(conn);
        fail_in_flight(conn);
        conn->options.on_state(conn->options.owner, conn);
        break;
    case REDIS_CONN_RESOLVING:
        arm(conn, conn->options.timeout_ms);
        break;
    case REDIS_CONN_CONNECTING: /* the timer of the attempt goes on */
    case REDIS_CONN_GREETING:
        break;
    case REDIS_CONN_READY:
        event_del(conn->timer);
        conn->cause[0] = '\0';
        conn->options.on_state(conn->options.owner, conn);
        break;
    }
}

static void drop(struct redis_conn *conn, const char *why)
{
    set_cause(conn, "%s", why);
    set_state(conn, REDIS_CONN_DOWN);
}

/* The attempt to connect, or the oldest command, took too long. */
static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct redis_conn *conn = arg;

    (void)fd;
    (void)events;
    switch (conn->state) {
    case REDIS_CONN_DOWN:
        break;
    case REDIS_CONN_RESOLVING:
        drop(conn, "the name was not resolved in time");
        break;
    case REDIS_CONN_CONNECTING:
        conn->address_index++;
        drop(conn, conn->options.tls ? "no TLS connection in time; is that a port that speaks TLS?"
                                     : "no connection in time");
        break;
    case REDIS_CONN_GREETING:
        drop(conn, "connected, but no answer in time");
        break;
    case REDIS_CONN_READY: {
        int64_t now_ms = clock_mono_ms();

        if (conn->in_flight.n == 0)
            break;
        if (oldest_deadline(conn) > now_ms) {
            arm(conn, oldest_deadline(conn) - now_ms);
            break;
        }
        drop(conn, "no answer in time");
        break;
    }
    }
}

/* redis_conn_close() was called, by the user or because an attempt failed at once. */
static void on_closing(evutil_socket_t fd, short events, void *arg)
{
    struct redis_conn *conn = arg;

    (void)fd;
    (void)events;
    if (conn->state != REDIS_CONN_DOWN)
        set_state(conn, REDIS_CONN_DOWN);
}

void redis_conn_close(struct redis_conn *conn, const char *cause)
{
    if (conn->state == REDIS_CONN_DOWN)
        return;
    set_cause(conn, "%s", cause);
    conn->is_closing = true;
    event_active(conn->closing, EV_TIMEOUT, 1);
}

static void take_answer(struct redis_conn *conn, const struct redisReply *answer)
{
    char why[REDIS_HELLO_WHY_MAX];
    uint64_t ticket;

    if (conn->n_greetings > 0) {
        if (!redis_hello_check(&conn->hello, answer, conn->is_first_greeting, why)) {
            drop(conn, why);
            return;
        }
        conn->is_first_greeting = false;
        if (--conn->n_greetings == 0)
            set_state(conn, REDIS_CONN_READY);
        return;
    }
    if (conn->in_flight.n == 0) {
        drop(conn, "an answer without a command");
        return;
    }
    ticket = pop_in_flight(conn);
    if (conn->in_flight.n == 0)
        event_del(conn->timer);
    conn->options.on_answer(conn->options.owner, conn, ticket, answer);
}

static void read_replies(struct redis_conn *conn)
{
    struct redisReply *answer;

    if (!resp_reader_feed(conn->reader, bufferevent_get_input(conn->bev))) {
        drop(conn, "out of memory");
        return;
    }
    while (conn->state >= REDIS_CONN_GREETING) {
        enum resp_status status = resp_reader_next(conn->reader, &answer);

        if (status == RESP_MORE)
            return;
        if (status != RESP_ANSWER) {
            drop(conn, status == RESP_TOO_LARGE ? "an answer larger than the limit"
                                                : "an answer that is not of the Redis protocol");
            return;
        }
        take_answer(conn, answer);
        resp_answer_free(conn->reader);
    }
}

/* The socket has data. */
static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    read_replies(arg);
}

/* The stream has connected, ended or failed. */
static void on_event(struct bufferevent *bev, short events, void *arg)
{
    struct redis_conn *conn = arg;
    bool is_connecting = conn->state == REDIS_CONN_CONNECTING;
    char why[REDIS_HELLO_WHY_MAX];

    if (events & BEV_EVENT_CONNECTED) {
        redis_stream_tune(bev);
        conn->n_greetings = redis_hello_write(&conn->hello, bufferevent_get_output(bev));
        conn->is_first_greeting = true;
        if (conn->n_greetings == 0)
            drop(conn, "out of memory");
        else
            set_state(conn, REDIS_CONN_GREETING);
    } else if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        if (is_connecting)
            conn->address_index++;
        redis_stream_describe_failure(bev, (events & BEV_EVENT_EOF) != 0, is_connecting, why);
        drop(conn, why);
    }
}

static void connect_to(struct redis_conn *conn, const struct resolver_result *to)
{
    set_state(conn, REDIS_CONN_CONNECTING);
    conn->reader = resp_reader_new(&conn->options.limits);
    conn->bev = redis_stream_new(conn->base, conn->options.tls, conn->options.url, &conn->address);
    if (!conn->reader || !conn->bev) {
        redis_conn_close(conn, "out of memory");
        return;
    }
    bufferevent_setcb(conn->bev, on_read, NULL, on_event, conn);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    /* connect() of a Unix socket may fail at once.  libevent calls on_event for that too, but by
     * then the connection is closed. */
    if (bufferevent_socket_connect(conn->bev, (const struct sockaddr *)&to->address,
                                   (int)to->len) != 0)
        redis_conn_close(conn, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

/* A lookup has ended; its attempt may have been given up meanwhile. */
static void on_result(void *owner, const struct resolver_result *result, const char *error)
{
    struct redis_conn *conn = owner;
    struct resolver_result to = *result;
    bool is_wanted = conn->state == REDIS_CONN_RESOLVING;

    if (is_wanted && error)
        set_cause(conn, "cannot resolve: %s", error);
    resolver_free(conn->resolver);
    conn->resolver = NULL;
    if (!is_wanted)
        return;
    if (to.len == 0)
        set_state(conn, REDIS_CONN_DOWN);
    else
        connect_to(conn, &to);
}

void redis_conn_connect(struct redis_conn *conn, const struct redis_address *address)
{
    struct resolver_options options = {.address = &conn->address,
                                       .address_index = conn->address_index,
                                       .owner = conn,
                                       .on_result = on_result};
    struct resolver_result to;

    assert(conn->state == REDIS_CONN_DOWN);
    /* A lookup under way can be used only if it is for the same host and port. */
    if (conn->resolver &&
        (strcmp(conn->address.host, address->host) != 0 || conn->address.port != address->port)) {
        resolver_free(conn->resolver);
        conn->resolver = NULL;
    }
    conn->address = *address;
    set_state(conn, REDIS_CONN_RESOLVING);
    if (resolver_numeric(address, &to))
        connect_to(conn, &to);
    else if (address->port == 0)
        redis_conn_close(conn, "the path is too long for a socket");
    else if (!conn->resolver && !(conn->resolver = resolver_new(conn->base, &options)))
        redis_conn_close(conn, "no thread to resolve the name");
}

static bool can_send(const struct redis_conn *conn)
{
    return conn->state == REDIS_CONN_READY && !conn->is_closing &&
           conn->in_flight.n < IN_FLIGHT_MAX;
}

static void push_in_flight(struct redis_conn *conn, uint64_t ticket)
{
    struct in_flight *queue = &conn->in_flight;
    size_t at = (queue->first + queue->n) % IN_FLIGHT_MAX;

    queue->ring[at].ticket = ticket;
    queue->ring[at].deadline_ms = clock_mono_ms() + conn->options.timeout_ms;
    if (++queue->n == 1)
        arm(conn, conn->options.timeout_ms);
}

bool redis_conn_send(struct redis_conn *conn, const struct slice *argv, size_t argc,
                     uint64_t ticket)
{
    if (!can_send(conn) || !resp_write_command(bufferevent_get_output(conn->bev), argv, argc))
        return false;
    push_in_flight(conn, ticket);
    return true;
}

bool redis_conn_send_bytes(struct redis_conn *conn, struct evbuffer *bytes, uint64_t ticket)
{
    if (!can_send(conn) ||
        evbuffer_add_buffer_reference(bufferevent_get_output(conn->bev), bytes) != 0)
        return false;
    push_in_flight(conn, ticket);
    return true;
}

enum redis_conn_state redis_conn_state(const struct redis_conn *conn)
{
    return conn->state;
}

const char *redis_conn_cause(const struct redis_conn *conn)
{
    return conn->cause;
}

struct redis_conn *redis_conn_new(struct event_base *base, const struct redis_conn_options *options)
{
    struct redis_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->base = base;
    conn->options = *options;
    conn->hello = (struct redis_hello){
        .url = options->url,
        .name = options->name,
        .is_sentinel = options->is_sentinel,
        .must_be_master = options->must_be_master,
    };
    conn->timer = evtimer_new(base, on_timer, conn);
    conn->closing = evtimer_new(base, on_closing, conn);
    if (!conn->timer || !conn->closing) {
        redis_conn_free(conn);
        return NULL;
    }
    return conn;
}

void redis_conn_free(struct redis_conn *conn)
{
    if (!conn)
        return;
    conn->state = REDIS_CONN_DOWN;
    release_stream(conn);
    fail_in_flight(conn);
    resolver_free(conn->resolver);
    if (conn->timer)
        event_free(conn->timer);
    if (conn->closing)
        event_free(conn->closing);
    free(conn);
}
