#include "service/public/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/proxy_header.h"
#include "service/config/config.h"
#include "service/public/answer.h"
#include "service/public/conns.h"

/* What a refused client may still send before we stop reading it. */
enum { DISCARD_MAX = 64 * 1024 };

/* The input being answered. */
struct intake {
    struct slice rest;   /* not answered yet */
    size_t made;         /* bytes of replies at conns->out + conns->out_len */
    enum conn_then then; /* READ: go on */
    bool may_have_more;  /* the buffer was filled: the socket may hold more */
};

static void on_ready(evutil_socket_t fd, short events, void *arg);

static evutil_socket_t conn_fd(const struct conn *c)
{
    return event_get_fd(&c->event);
}

static void release_held(struct conn *c)
{
    if (c->held)
        conns_put_block(c->conns, c->held);
    c->held = NULL;
    c->held_len = 0;
}

static void release_unsent(struct conn *c)
{
    counter64 *unsent_bytes = &c->conns->options.stats->unsent_bytes;

    if (c->unsent)
        counter64_set(unsent_bytes, counter64_get(unsent_bytes) - c->unsent_len);
    free(c->unsent);
    c->unsent = NULL;
    c->unsent_len = c->unsent_at = 0;
}

void conn_close(struct conn *c, enum conn_end end)
{
    assert(!c->is_queued);
    counter64_add(&c->conns->options.stats->ended[end], 1);
    if (c->is_watched)
        event_del(&c->event);
    close(conn_fd(c));
    deadline_remove(&c->deadline);
    release_held(c);
    release_unsent(c);
    conns_put(c->conns, c);
}

/* Should libevent find no memory, the deadline of the state still ends the connection. */
static void watch(struct conn *c, short events)
{
    events |= EV_PERSIST;
    if (c->is_watched && event_get_events(&c->event) == events)
        return;
    if (c->is_watched)
        event_del(&c->event);
    event_assign(&c->event, c->conns->options.base, conn_fd(c), events, on_ready, c);
    c->is_watched = event_add(&c->event, NULL) == 0;
}

static void enter_lingering(struct conn *c)
{
    release_held(c);
    c->n_discarded = 0;
    /* The reply is followed by a FIN; a plain close() with input unread would send a RST, which
     * may take the reply away from the client (RFC 9112, 9.6). */
    shutdown(conn_fd(c), SHUT_WR);
}

static void conn_set_state(struct conn *c, enum conn_state state)
{
    struct deadline_list *list = &c->conns->waiting[state];
    int64_t now_ms = c->conns->options.turn->mono_ms;

    if (state == CONN_IDLE && c->state == CONN_IDLE) {
        deadline_renew(list, &c->deadline, now_ms, CONNS_SLACK_MS);
    } else {
        if (state == CONN_LINGERING)
            enter_lingering(c);
        c->state = (uint8_t)state;
        deadline_append(list, &c->deadline, now_ms);
    }
    watch(c, state == CONN_SENDING ? EV_WRITE : EV_READ);
}

/* Keeps what the socket did not take. */
static bool keep_unsent(struct conn *c, const char *buf, size_t len)
{
    counter64 *unsent_bytes = &c->conns->options.stats->unsent_bytes;

    if (counter64_get(unsent_bytes) + len > CONNS_UNSENT_MAX || !(c->unsent = malloc(len)))
        return false;
    memcpy(c->unsent, buf, len);
    c->unsent_at = 0;
    c->unsent_len = (uint32_t)len;
    counter64_add(unsent_bytes, len);
    return true;
}

enum sent { SENT_ALL, SENT_PART, SENT_BROKEN };

/* SENT_PART: the rest is kept, `then` is for later.  SENT_BROKEN: the connection is gone. */
static enum sent transmit(struct conn *c, const char *buf, size_t len, enum conn_then then)
{
    ssize_t n = send(conn_fd(c), buf, len, MSG_NOSIGNAL);
    size_t n_sent = n > 0 ? (size_t)n : 0;

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c, CONN_END_CLIENT);
        return SENT_BROKEN;
    }
    counter64_add(&c->conns->options.stats->bytes_out, n_sent);
    if (n_sent == len)
        return SENT_ALL;
    if (!keep_unsent(c, buf + n_sent, len - n_sent)) {
        conn_close(c, CONN_END_BUFFERS);
        return SENT_BROKEN;
    }
    c->then = (uint8_t)then;
    conn_set_state(c, CONN_SENDING);
    return SENT_PART;
}

/* Waits for more input.  The time for a head counts from its first byte, so that a head which was
 * unfinished before goes on with the deadline it had. */
static void await_input(struct conn *c, bool answered)
{
    if (c->held_len == 0)
        conn_set_state(c, CONN_IDLE);
    else if (answered || c->state != CONN_HEAD)
        conn_set_state(c, CONN_HEAD);
}

/* All replies have been sent. */
static void follow(struct conn *c, enum conn_then then)
{
    switch (then) {
    case CONN_THEN_READ:
        await_input(c, true);
        break;
    case CONN_THEN_CLOSE:
        conn_close(c, c->end);
        break;
    case CONN_THEN_LINGER:
        conn_set_state(c, CONN_LINGERING);
        break;
    }
}

void conn_send(struct conn *c, const char *buf, size_t len, enum conn_then then)
{
    if (transmit(c, buf, len, then) == SENT_ALL)
        follow(c, then);
}

/* Keeps the input that could not be answered yet.  False: the connection is gone. */
static bool hold(struct conn *c, struct slice rest)
{
    if (rest.len == 0) {
        release_held(c);
        return true;
    }
    if (!c->held && !(c->held = conns_take_block(c->conns))) {
        conn_close(c, CONN_END_BUFFERS);
        return false;
    }
    memcpy(c->held->bytes, rest.ptr, rest.len);
    c->held_len = (uint16_t)rest.len;
    return true;
}

static enum proxy_status take_proxy_header(struct conn *c, struct intake *in)
{
    struct proxy_header header;
    enum proxy_status status = proxy_header_parse(in->rest, &header);

    if (status != PROXY_OK)
        return status;
    if (header.has_ip)
        memcpy(c->source.ip, header.ip, IP_LEN);
    c->awaits_proxy = false;
    in->rest = slice_make(in->rest.ptr + header.len, in->rest.len - header.len);
    return status;
}

/* Makes room for a reply in the output; what was made for this connection so far leaves if need be.
 * False: the client does not take it, or the connection is gone. */
static bool make_room(struct conn *c, struct intake *in)
{
    struct conns *conns = c->conns;
    char *made_at = conns->out + conns->out_len;
    enum sent sent;

    if (conns->out_len + in->made + REPLY_MAX <= CONNS_OUTPUT_MAX)
        return true;
    conns_flush(conns);
    if (in->made == 0)
        return true;
    conns_sync(conns);
    sent = transmit(c, made_at, in->made, CONN_THEN_READ);
    in->made = 0;
    if (sent == SENT_PART)
        (void)hold(c, in->rest);
    return sent == SENT_ALL;
}

/* Answers the request at the start of the rest; false if it is not complete. */
static bool answer_one(struct conn *c, struct intake *in)
{
    struct conns *conns = c->conns;
    struct answer answer;

    c->source.is_last =
        conns->is_draining || c->n_requests + 1 >= conns->options.config->requests_max;
    if (!answer_next(conns->options.answerer, in->rest, &c->source,
                     conns->out + conns->out_len + in->made, &answer))
        return false;
    c->n_requests++;
    in->made += answer.reply_len;
    in->rest = slice_make(in->rest.ptr + answer.request_len, in->rest.len - answer.request_len);
    switch (answer.end) {
    case ANSWER_KEEP:
        break;
    case ANSWER_CLOSE:
        c->end = CONN_END_REPLIED;
        in->then = in->rest.len || in->may_have_more ? CONN_THEN_LINGER : CONN_THEN_CLOSE;
        break;
    case ANSWER_REFUSED:
        c->end = CONN_END_REFUSED;
        in->then = CONN_THEN_LINGER;
        break;
    }
    return true;
}

/* Answers the complete requests among the `len` bytes of conns->in, holds the rest. */
static void answer_input(struct conn *c, size_t len)
{
    struct intake in = {.rest = slice_make(c->conns->in, len),
                        .then = CONN_THEN_READ,
                        .may_have_more = len == CONNS_INPUT_MAX};

    if (c->awaits_proxy && take_proxy_header(c, &in) == PROXY_BAD) {
        conn_close(c, CONN_END_PROXY);
        return;
    }
    while (!c->awaits_proxy && in.rest.len && in.then == CONN_THEN_READ) {
        if (!make_room(c, &in))
            return;
        if (!answer_one(c, &in))
            break;
    }
    if (!hold(c, in.then == CONN_THEN_READ ? in.rest : slice_make(NULL, 0)))
        return;
    if (in.made)
        conns_queue(c->conns, c, in.made, in.then);
    else
        await_input(c, false);
}

static void discard(struct conn *c, size_t len)
{
    c->n_discarded += (uint32_t)len;
    if (c->n_discarded > DISCARD_MAX)
        conn_close(c, c->end);
}

static void read_input(struct conn *c)
{
    char *in = c->conns->in;
    size_t have = c->held_len;
    ssize_t n;

    if (have)
        memcpy(in, c->held->bytes, have);
    n = recv(conn_fd(c), in + have, CONNS_INPUT_MAX - have, 0);
    if (n > 0) {
        counter64_add(&c->conns->options.stats->bytes_in, (size_t)n);
        if (c->state == CONN_LINGERING)
            discard(c, (size_t)n);
        else
            answer_input(c, have + (size_t)n);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (c->state == CONN_NEW)
            conn_set_state(c, CONN_IDLE);
    } else {
        conn_close(c, c->state == CONN_LINGERING ? c->end : CONN_END_CLIENT);
    }
}

/* The client takes replies again: sends what is unsent, then answers what was held meanwhile. */
static void resume(struct conn *c)
{
    ssize_t n =
        send(conn_fd(c), c->unsent + c->unsent_at, c->unsent_len - c->unsent_at, MSG_NOSIGNAL);
    size_t held_len = c->held_len;

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(c, CONN_END_CLIENT);
        return;
    }
    counter64_add(&c->conns->options.stats->bytes_out, (size_t)n);
    c->unsent_at += (uint32_t)n;
    if (c->unsent_at < c->unsent_len)
        return;
    release_unsent(c);
    if (c->then != CONN_THEN_READ || held_len == 0) {
        follow(c, c->then);
        return;
    }
    memcpy(c->conns->in, c->held->bytes, held_len);
    answer_input(c, held_len);
}

/* The socket can be read, or in SENDING be written. */
static void on_ready(evutil_socket_t fd, short events, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)events;
    turn_begin(c->conns->options.turn);
    if (c->state == CONN_SENDING)
        resume(c);
    else
        read_input(c);
}

void conn_start(struct conn *c, evutil_socket_t fd, const uint8_t ip[static IP_LEN],
                bool awaits_proxy)
{
    struct conns *conns = c->conns;

    *c = (struct conn){.conns = conns, .state = CONN_NEW, .awaits_proxy = awaits_proxy};
    memcpy(c->source.ip, ip, IP_LEN);
    event_assign(&c->event, conns->options.base, fd, EV_READ | EV_PERSIST, on_ready, c);
    read_input(c);
}

void conn_expire(struct conn *c)
{
    char reply[REPLY_HEAD_MAX];

    switch ((enum conn_state)c->state) {
    case CONN_IDLE:
        conn_close(c, CONN_END_IDLE);
        break;
    case CONN_HEAD:
        if (c->awaits_proxy) {
            conn_close(c, CONN_END_PROXY);
            break;
        }
        c->end = CONN_END_HEAD_TIMEOUT;
        conn_send(c, reply, answer_timeout(c->conns->options.answerer, reply), CONN_THEN_LINGER);
        break;
    case CONN_SENDING:
        conn_close(c, CONN_END_SEND_TIMEOUT);
        break;
    case CONN_LINGERING:
        conn_close(c, c->end);
        break;
    case CONN_NEW:
    case CONN_STATES:
        break;
    }
}
