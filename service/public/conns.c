#include "service/public/conns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "proto/ip.h"
#include "proto/proxy_header.h"
#include "service/base/address.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/config/config.h"
#include "service/public/answer.h"
#include "service/public/counters.h"
#include "service/public/deadline.h"
#include "service/public/held.h"
#include "service/public/loop_clock.h"
#include "service/public/reply.h"
#include "service/public/trusted_proxy.h"

/* Bytes that a refused client may still send, and the time, before we stop reading. */
enum { DISCARD_MAX = 64 * 1024, LINGER_WAIT_MS = 2 * 1000 };

enum conn_state {
    CONN_NEW,       /* nothing read yet; in no list */
    CONN_IDLE,      /* waits for the first byte of a request */
    CONN_HEAD,      /* waits for the rest of a head */
    CONN_PARKED,    /* waits for Redis; nothing is read */
    CONN_SENDING,   /* waits until the client has read the unsent replies */
    CONN_LINGERING, /* discards further input, so that the client can read the last reply */
    CONN_STATES
};

/* What follows when the present replies have been sent. */
enum conn_then {
    CONN_THEN_READ,
    CONN_THEN_PARK,
    CONN_THEN_CLOSE,  /* all input was read, so closing can't reset the reply away */
    CONN_THEN_LINGER, /* more input may come */
};

struct conn {
    struct event event;
    struct deadline deadline; /* in the list of its state */
    struct conns *conns;
    struct conn *next_free;
    struct held held; /* an unfinished head, or requests behind unsent replies */
    char *unsent;     /* bytes unsent_at…unsent_len are still to be sent; NULL = none */
    uint32_t unsent_at, unsent_len;
    int64_t sending_since_ms;    /* monotonic; SENDING only */
    uint32_t n_requests;         /* of this connection */
    uint32_t n_discarded;        /* bytes, while LINGERING */
    uint16_t late;               /* 1 + the number of its press that waits for Redis; 0 = none */
    uint8_t state;               /* enum conn_state */
    uint8_t then;                /* enum conn_then: what follows after `unsent` */
    uint8_t close_reason;        /* enum close_reason, set before it is closed */
    bool is_watched;             /* the event is added */
    bool is_queued;              /* its replies wait for the sync of the log */
    bool was_used;               /* IDLE: had a request since it was put into the list */
    bool awaits_proxy;           /* the PROXY header has not come yet */
    struct answer_source source; /* its ip: the peer's, then what a PROXY header says */
};

/* Replies in `out` that are ready to be sent. */
struct queued {
    struct conn *conn;
    size_t len;
    enum conn_then then;
};

/* The state that all connections of a worker share. */
struct conns {
    struct conns_options options;
    struct deadline_list waiting[CONN_STATES];
    struct conn *pool; /* connections_max entries; pages get memory when they are first used */
    struct conn *free_conns; /* the one freed last comes first */
    unsigned n_made;         /* entries used at least once */
    unsigned n_open;
    unsigned n_answered; /* requests since conns_take_n_answered() */
    struct held_pool held_pool;
    struct conn
        *parked[ANSWER_LATE_MAX]; /* whose press it is; NULL: none, or the client has gone */
    bool is_draining;             /* every reply says Connection: close */
    size_t n_queued, out_len; /* replies ready to leave: connections, bytes at the start of `out` */
    struct queued queue[CONNS_QUEUE_MAX];
    char in[CONNS_INPUT_MAX];
    char out[CONNS_OUTPUT_MAX];
};

/* The input that is being answered. */
struct intake {
    struct slice rest;   /* not answered yet */
    size_t made;         /* bytes of replies at conns->out + conns->out_len */
    enum conn_then then; /* CONN_THEN_READ: go on reading */
    bool may_have_more;  /* the buffer was filled, so the socket may hold more */
};

static void on_ready(evutil_socket_t fd, short events, void *arg);
static void conn_expire(struct conn *c);

static struct conn *conn_of_deadline(struct deadline *d)
{
    return (struct conn *)((char *)d - offsetof(struct conn, deadline));
}

static evutil_socket_t conn_fd(const struct conn *c)
{
    return event_get_fd(&c->event);
}

/* --- the pool, and what a connection holds --- */

static void set_open(struct conns *conns, unsigned n_open)
{
    conns->n_open = n_open;
    counter64_set(&conns->options.counters->open, n_open);
}

static struct conn *take_conn(struct conns *conns)
{
    struct conn *conn = conns->free_conns;

    if (conn)
        conns->free_conns = conn->next_free;
    else if (conns->n_made < conns->options.connections_max)
        conn = &conns->pool[conns->n_made++];
    if (conn)
        set_open(conns, conns->n_open + 1);
    return conn;
}

static void release_held(struct conn *c)
{
    counter64 *heads = &c->conns->options.counters->heads;

    if (c->held.len)
        counter64_set(heads, counter64_get(heads) - 1);
    held_clear(&c->conns->held_pool, &c->held);
}

static void release_unsent(struct conn *c)
{
    counter64 *unsent_bytes = &c->conns->options.counters->unsent_bytes;

    if (c->unsent)
        counter64_set(unsent_bytes, counter64_get(unsent_bytes) - c->unsent_len);
    free(c->unsent);
    c->unsent = NULL;
    c->unsent_len = c->unsent_at = 0;
}

/* Closes the socket and frees the connection; `c` is invalid afterwards.  Its replies must not be
 * queued. */
static void conn_close(struct conn *c, enum close_reason reason)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct conns *conns = c->conns;

    assert(!c->is_queued);
    counter64_add(&conns->options.counters->closed[reason], 1);
    if (c->is_watched)
        event_del(&c->event);
    if (c->late)
        conns->parked[c->late - 1] = NULL;
    c->late = 0;
    /* With a reset: else the kernel would try for minutes to send its buffer to a client that
     * doesn't read it. */
    if (c->unsent || reason == CLOSE_BUFFERS)
        (void)setsockopt(conn_fd(c), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(conn_fd(c));
    deadline_remove(&c->deadline);
    release_held(c);
    release_unsent(c);
    c->next_free = conns->free_conns;
    conns->free_conns = c;
    set_open(conns, conns->n_open - 1);
}

/* If libevent is out of memory, the deadline of the state still ends the connection. */
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
    /* Sends a FIN after the reply.  close() with unread input would send a RST, which may discard
     * the reply at the client (RFC 9112, 9.6). */
    shutdown(conn_fd(c), SHUT_WR);
}

static void conn_set_state(struct conn *c, enum conn_state state)
{
    struct deadline_list *list = &c->conns->waiting[state];
    int64_t now_ms = c->conns->options.clock->mono_ms;

    if (state == CONN_IDLE && c->state == CONN_IDLE) {
        c->was_used = !deadline_renew(list, &c->deadline, now_ms, CONNS_SLACK_MS);
    } else {
        if (state == CONN_LINGERING)
            enter_lingering(c);
        if (state == CONN_SENDING)
            c->sending_since_ms = now_ms;
        c->was_used = false;
        c->state = (uint8_t)state;
        deadline_append(list, &c->deadline, now_ms);
    }
    if (state != CONN_PARKED)
        watch(c, state == CONN_SENDING ? EV_WRITE : EV_READ);
    else if (c->is_watched)
        c->is_watched = event_del(&c->event) != 0;
}

/* The connection in `state` that has waited longest, of those without queued replies; NULL: none.
 * Skips `except`, which may be NULL. */
static struct conn *conn_find_oldest(struct conns *conns, enum conn_state state,
                                     const struct conn *except)
{
    struct deadline *ring = &conns->waiting[state].ring;

    for (struct deadline *d = ring->next; d != ring; d = d->next) {
        struct conn *c = conn_of_deadline(d);

        if (!c->is_queued && c != except)
            return c;
    }
    return NULL;
}

/* Keeps the bytes that the socket did not accept.  At the limit, connections that have not read
 * their replies for longer are closed first. */
static bool keep_unsent(struct conn *c, const char *buf, size_t len)
{
    counter64 *unsent_bytes = &c->conns->options.counters->unsent_bytes;

    while (counter64_get(unsent_bytes) + len > CONNS_UNSENT_MAX) {
        struct conn *oldest = conn_find_oldest(c->conns, CONN_SENDING, c);

        if (!oldest)
            return false;
        conn_close(oldest, CLOSE_BUFFERS);
    }
    c->unsent = malloc(len);
    if (!c->unsent)
        return false;
    memcpy(c->unsent, buf, len);
    c->unsent_at = 0;
    c->unsent_len = (uint32_t)len;
    counter64_add(unsent_bytes, len);
    return true;
}

enum sent { SENT_ALL, SENT_PART, SENT_BROKEN };

/* SENT_PART: the rest is kept, and `then` follows later.  SENT_BROKEN: the connection was closed.
 */
static enum sent transmit(struct conn *c, const char *buf, size_t len, enum conn_then then)
{
    ssize_t n = send(conn_fd(c), buf, len, MSG_NOSIGNAL);
    size_t n_sent = n > 0 ? (size_t)n : 0;

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c, CLOSE_CLIENT);
        return SENT_BROKEN;
    }
    counter64_add(&c->conns->options.counters->bytes_out, n_sent);
    if (n_sent == len)
        return SENT_ALL;
    if (!keep_unsent(c, buf + n_sent, len - n_sent)) {
        conn_close(c, CLOSE_BUFFERS);
        return SENT_BROKEN;
    }
    c->then = (uint8_t)then;
    conn_set_state(c, CONN_SENDING);
    return SENT_PART;
}

/* Waits for more input.  The time for a head counts from its first byte, so a head that was
 * unfinished before keeps its deadline. */
static void await_input(struct conn *c, bool answered)
{
    if (c->held.len == 0)
        conn_set_state(c, CONN_IDLE);
    else if (answered || c->state != CONN_HEAD)
        conn_set_state(c, CONN_HEAD);
}

/* Continues after all present replies have been sent. */
static void follow(struct conn *c, enum conn_then then)
{
    switch (then) {
    case CONN_THEN_READ:
        await_input(c, true);
        break;
    case CONN_THEN_PARK:
        conn_set_state(c, CONN_PARKED);
        break;
    case CONN_THEN_CLOSE:
        conn_close(c, c->close_reason);
        break;
    case CONN_THEN_LINGER:
        conn_set_state(c, CONN_LINGERING);
        break;
    }
}

/* Sends `len` bytes of replies, keeps what the socket doesn't accept, and continues as `then` says.
 * `c` may be closed afterwards. */
static void send_replies(struct conn *c, const char *buf, size_t len, enum conn_then then)
{
    if (transmit(c, buf, len, then) == SENT_ALL)
        follow(c, then);
}

/* --- the queue of replies that wait for the sync --- */

static void sync_clicks(struct conns *conns)
{
    if (conns->options.sync_log)
        clicklog_sync(conns->options.sync_log);
}

void conns_flush(struct conns *conns)
{
    const char *at = conns->out;

    if (conns->n_queued == 0)
        return;
    sync_clicks(conns);
    for (size_t i = 0; i < conns->n_queued; i++) {
        const struct queued *q = &conns->queue[i];

        q->conn->is_queued = false;
        send_replies(q->conn, at, q->len, q->then);
        at += q->len;
    }
    conns->n_queued = conns->out_len = 0;
}

/* Sends the `len` bytes of replies at out + out_len, or queues them until the sync. */
static void send_or_queue(struct conn *c, size_t len, enum conn_then then)
{
    struct conns *conns = c->conns;

    if (!conns->options.sync_log && conns->n_queued == 0) {
        send_replies(c, conns->out, len, then);
        return;
    }
    assert(conns->n_queued < CONNS_QUEUE_MAX);
    c->is_queued = true;
    conns->queue[conns->n_queued++] = (struct queued){.conn = c, .len = len, .then = then};
    conns->out_len += len;
    if (conns->n_queued == CONNS_QUEUE_MAX)
        conns_flush(conns);
}

/* --- input that can't be answered yet --- */

/* Frees blocks for `c` until `n_blocks` are free.  First closes connections that don't read their
 * replies, those waiting longest first; then answers the oldest unfinished heads with 408. */
static bool free_blocks(struct conn *c, size_t n_blocks)
{
    struct conns *conns = c->conns;

    while (conns->held_pool.n_free < n_blocks) {
        struct conn *sending = conn_find_oldest(conns, CONN_SENDING, c);
        struct conn *head = sending ? NULL : conn_find_oldest(conns, CONN_HEAD, c);

        if (sending)
            conn_close(sending, CLOSE_BUFFERS);
        else if (head)
            conn_expire(head);
        else
            return false;
    }
    return true;
}

/* Keeps `rest`, the end of the input.  If none of the input was answered, what was held before
 * stays as it is.  False: the connection was closed. */
static bool hold(struct conn *c, struct slice rest)
{
    struct conns *conns = c->conns;

    if (rest.len == 0 || rest.ptr != conns->in)
        release_held(c);
    if (rest.len <= c->held.len)
        return true;
    rest = slice_make(rest.ptr + c->held.len, rest.len - c->held.len);
    if (!free_blocks(c, held_blocks_needed(&c->held, rest.len))) {
        conn_close(c, CLOSE_BUFFERS);
        return false;
    }
    if (c->held.len == 0)
        counter64_add(&conns->options.counters->heads, 1);
    held_append(&conns->held_pool, &c->held, rest);
    return true;
}

/* --- reading and answering --- */

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

/* Makes room for a reply in the output; if needed, sends the replies made so far for this
 * connection.  False: the client does not read them, or the connection was closed. */
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
    sync_clicks(conns);
    sent = transmit(c, made_at, in->made, CONN_THEN_READ);
    in->made = 0;
    if (sent == SENT_PART)
        (void)hold(c, in->rest);
    return sent == SENT_ALL;
}

/* Answers the request at the start of the rest; false if the request is not complete. */
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
    conns->n_answered++;
    in->made += answer.reply_len;
    in->rest = slice_make(in->rest.ptr + answer.request_len, in->rest.len - answer.request_len);
    switch (answer.then) {
    case ANSWER_KEEP:
        break;
    case ANSWER_CLOSE:
        c->close_reason = CLOSE_REPLIED;
        in->then = in->rest.len || in->may_have_more ? CONN_THEN_LINGER : CONN_THEN_CLOSE;
        break;
    case ANSWER_REFUSED:
        c->close_reason = CLOSE_REFUSED;
        in->then = CONN_THEN_LINGER;
        break;
    case ANSWER_LATER:
        c->late = (uint16_t)(answer.late + 1);
        conns->parked[answer.late] = c;
        in->then = CONN_THEN_PARK;
        break;
    }
    return true;
}

/* Answers the complete requests among the `len` bytes of conns->in, and holds the rest. */
static void answer_input(struct conn *c, size_t len)
{
    struct intake in = {.rest = slice_make(c->conns->in, len),
                        .then = CONN_THEN_READ,
                        .may_have_more = len == CONNS_INPUT_MAX};

    if (c->awaits_proxy && take_proxy_header(c, &in) == PROXY_BAD) {
        conn_close(c, CLOSE_PROXY);
        return;
    }
    while (!c->awaits_proxy && in.rest.len && in.then == CONN_THEN_READ) {
        if (!make_room(c, &in))
            return;
        if (!answer_one(c, &in))
            break;
    }
    if (!hold(c, in.then == CONN_THEN_READ || in.then == CONN_THEN_PARK ? in.rest
                                                                        : slice_make(NULL, 0)))
        return;
    if (in.made)
        send_or_queue(c, in.made, in.then);
    else if (in.then == CONN_THEN_PARK)
        conn_set_state(c, CONN_PARKED);
    else
        await_input(c, false);
}

static void discard(struct conn *c, size_t len)
{
    c->n_discarded += (uint32_t)len;
    if (c->n_discarded > DISCARD_MAX)
        conn_close(c, c->close_reason);
}

static void read_input(struct conn *c)
{
    char *in = c->conns->in;
    size_t have = c->held.len;
    ssize_t n;

    held_copy(&c->held, in);
    n = recv(conn_fd(c), in + have, CONNS_INPUT_MAX - have, 0);
    if (n > 0) {
        counter64_add(&c->conns->options.counters->bytes_in, (size_t)n);
        if (c->state == CONN_LINGERING)
            discard(c, (size_t)n);
        else
            answer_input(c, have + (size_t)n);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (c->state == CONN_NEW)
            conn_set_state(c, CONN_IDLE);
    } else {
        conn_close(c, c->state == CONN_LINGERING ? c->close_reason : CLOSE_CLIENT);
    }
}

/* The client reads again: sends the unsent replies, then answers the held requests. */
static void resume(struct conn *c)
{
    ssize_t n =
        send(conn_fd(c), c->unsent + c->unsent_at, c->unsent_len - c->unsent_at, MSG_NOSIGNAL);
    size_t held_len = c->held.len;
    int64_t now_ms = c->conns->options.clock->mono_ms;

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(c, CLOSE_CLIENT);
        return;
    }
    counter64_add(&c->conns->options.counters->bytes_out, (size_t)n);
    c->unsent_at += (uint32_t)n;
    if (c->unsent_at < c->unsent_len) {
        if (now_ms - c->sending_since_ms >= CONNS_SEND_WAIT_MS)
            conn_close(c, CLOSE_SEND_TIMEOUT);
        else
            deadline_append(&c->conns->waiting[CONN_SENDING], &c->deadline, now_ms);
        return;
    }
    release_unsent(c);
    if (c->then != CONN_THEN_READ || held_len == 0) {
        follow(c, c->then);
        return;
    }
    held_copy(&c->held, c->conns->in);
    answer_input(c, held_len);
}

void conns_reply_late(struct conns *conns, unsigned late, enum one_use_outcome outcome)
{
    struct conn *c = conns->parked[late];
    struct answer answer;
    size_t held_len;

    conns->parked[late] = NULL;
    conns_flush(conns); /* makes room for the reply; and earlier replies of `c` leave before it */
    answer_late(conns->options.answerer, late, outcome, conns->out, &answer);
    /* conns_flush() may have closed it. */
    if (!c || c->late != late + 1)
        return;
    c->late = 0;
    if (c->state != CONN_PARKED) {
        /* It hasn't read the replies to requests that it sent before this one. */
        conn_close(c, CLOSE_BUFFERS);
        return;
    }
    sync_clicks(conns);
    held_len = c->held.len;
    if (answer.then == ANSWER_CLOSE) {
        c->close_reason = CLOSE_REPLIED;
        release_held(c);
        send_replies(c, conns->out, answer.reply_len, CONN_THEN_LINGER);
    } else if (transmit(c, conns->out, answer.reply_len, CONN_THEN_READ) == SENT_ALL) {
        if (held_len == 0) {
            await_input(c, true);
        } else {
            held_copy(&c->held, conns->in);
            answer_input(c, held_len);
        }
    }
}

/* The socket is readable, or in SENDING writable. */
static void on_ready(evutil_socket_t fd, short events, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)events;
    loop_clock_read(c->conns->options.clock);
    if (c->state == CONN_SENDING)
        resume(c);
    else
        read_input(c);
}

/* Starts a connection on a socket just accepted from `ip`.  Reads at once, because the first
 * request has often arrived, which saves a pass of the loop.  Owns the socket.  False: all of the
 * pool are in use, and the caller keeps the socket. */
static bool conn_start(struct conns *conns, evutil_socket_t fd, const uint8_t ip[static IP_LEN],
                       bool awaits_proxy)
{
    struct conn *c = take_conn(conns);

    if (!c)
        return false;
    counter64_add(&conns->options.counters->accepted, 1);
    *c = (struct conn){.conns = conns, .state = CONN_NEW, .awaits_proxy = awaits_proxy};
    memcpy(c->source.ip, ip, IP_LEN);
    event_assign(&c->event, conns->options.base, fd, EV_READ | EV_PERSIST, on_ready, c);
    read_input(c);
    return true;
}

/* The connection has waited too long in its state: closes or answers it.  Its replies must not be
 * queued. */
static void conn_expire(struct conn *c)
{
    char reply[REPLY_HEAD_MAX];

    switch ((enum conn_state)c->state) {
    case CONN_IDLE:
        conn_close(c, CLOSE_IDLE);
        break;
    case CONN_HEAD:
        if (c->awaits_proxy) {
            conn_close(c, CLOSE_PROXY);
            break;
        }
        c->close_reason = CLOSE_HEAD_TIMEOUT;
        release_held(c);
        send_replies(c, reply, answer_timeout(c->conns->options.answerer, reply), CONN_THEN_LINGER);
        break;
    case CONN_SENDING:
        conn_close(c, CLOSE_SEND_TIMEOUT);
        break;
    case CONN_LINGERING:
        conn_close(c, c->close_reason);
        break;
    case CONN_NEW:
    case CONN_PARKED:
    case CONN_STATES:
        break;
    }
}

/* --- all connections of a worker --- */

struct conns *conns_new(const struct conns_options *options, struct error *err)
{
    struct conns *conns = calloc(1, sizeof(*conns));
    bool ok = false;

    if (!conns)
        goto out;
    conns->options = *options;
    deadline_list_init(&conns->waiting[CONN_IDLE], options->config->idle_s * 1000 + CONNS_SLACK_MS);
    deadline_list_init(&conns->waiting[CONN_HEAD], options->config->head_s * 1000);
    deadline_list_init(&conns->waiting[CONN_SENDING], CONNS_TAKE_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_LINGERING], LINGER_WAIT_MS);
    deadline_list_init(&conns->waiting[CONN_NEW], INT64_MAX);
    deadline_list_init(&conns->waiting[CONN_PARKED], INT64_MAX);
    conns->pool = calloc(options->connections_max, sizeof(*conns->pool));
    if (!conns->pool || !held_pool_init(&conns->held_pool, CONNS_HELD_BLOCKS))
        goto out;
    counter64_set(&options->counters->open_max, options->connections_max);
    ok = true;
out:
    if (!ok) {
        error_set(err, "public: out of memory for %u connections", options->connections_max);
        conns_free(conns);
        conns = NULL;
    }
    return conns;
}

void conns_free(struct conns *conns)
{
    struct deadline *d;

    if (!conns)
        return;
    if (conns->pool) {
        conns_flush(conns);
        for (unsigned state = CONN_IDLE; state < CONN_STATES; state++) {
            while ((d = deadline_first(&conns->waiting[state])))
                conn_close(conn_of_deadline(d), CLOSE_DRAIN);
        }
    }
    held_pool_clear(&conns->held_pool);
    free(conns->pool);
    free(conns);
}

/* The connection that will be missed the least; NULL: there is none. */
static struct conn *find_least_missed(struct conns *conns)
{
    static const enum conn_state order[] = {CONN_LINGERING, CONN_SENDING, CONN_IDLE, CONN_HEAD};
    struct deadline_list *idle = &conns->waiting[CONN_IDLE];
    struct conn *conn = NULL;
    struct deadline *d;

    conns_flush(conns);
    /* Used connections go to the end of the idle list before the longest idle one is chosen,
     * because requests move them only once in CONNS_SLACK_MS. */
    while ((d = deadline_first(idle)) && conn_of_deadline(d)->was_used) {
        conn_of_deadline(d)->was_used = false;
        deadline_append(idle, d, conns->options.clock->mono_ms);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !conn; i++)
        conn = conn_find_oldest(conns, order[i], NULL);
    return conn;
}

bool conns_give_up_one(struct conns *conns)
{
    struct conn *conn = find_least_missed(conns);
    int64_t now_ms = conns->options.clock->mono_ms;

    if (!conn || conn->state == CONN_HEAD ||
        (conn->state == CONN_IDLE && now_ms - conn->deadline.since_ms < CONNS_SLACK_MS))
        return false;
    conn_close(conn, CLOSE_EVICTED);
    return true;
}

void conns_accept(struct conns *conns, evutil_socket_t fd, const struct sockaddr *peer)
{
    const struct config_public *config = conns->options.config;
    uint8_t ip[IP_LEN] = {0};

    if (conns->n_open >= conns->options.connections_max) {
        struct conn *conn = find_least_missed(conns);

        if (conn)
            conn_close(conn, CLOSE_EVICTED);
    }
    if (!address_ip(peer, ip) ||
        !conn_start(conns, fd, ip,
                    config->client_address == CONFIG_CLIENT_PROXY_PROTOCOL &&
                        trusted_proxy_is(config, ip)))
        close(fd);
}

void conns_tick(struct conns *conns)
{
    int64_t now_ms = conns->options.clock->mono_ms;
    struct deadline *d;

    conns_flush(conns);
    for (unsigned state = CONN_IDLE; state < CONN_STATES; state++) {
        while ((d = deadline_due(&conns->waiting[state], now_ms)))
            conn_expire(conn_of_deadline(d));
    }
}

void conns_drain(struct conns *conns)
{
    conns->is_draining = true;
}

void conns_close_idle(struct conns *conns, int64_t silent_ms)
{
    struct deadline *ring = &conns->waiting[CONN_IDLE].ring, *next;
    int64_t now_ms = conns->options.clock->mono_ms;

    conns_flush(conns);
    for (struct deadline *d = ring->next; d != ring; d = next) {
        struct conn *conn = conn_of_deadline(d);

        next = d->next;
        if (conn->n_requests > 0 || now_ms - d->since_ms >= silent_ms)
            conn_close(conn, CLOSE_DRAIN);
    }
}

size_t conns_n_held_blocks(const struct conns *conns)
{
    return conns->held_pool.n_blocks - conns->held_pool.n_free;
}

unsigned conns_n_open(const struct conns *conns)
{
    return conns->n_open;
}

unsigned conns_take_n_answered(struct conns *conns)
{
    unsigned n = conns->n_answered;

    conns->n_answered = 0;
    return n;
}
