/* load.c - drives an HTTP/1.1 server and says what it answered and how fast.
 *
 * Closed loop: every connection keeps `--depth` requests under way.  Open loop (`--rate`): requests
 * fall due at fixed moments, every 100 µs, whatever the server does, and a latency counts from the
 * moment the request was due, so that a stall shows in all requests that it delayed (coordinated
 * omission).
 * Each reply must have the expected status and, if asked for, the Location prefix.  One thread;
 * bounded by `--seconds` and `--requests`.  With `--window-ms` the p99 of the replies of every so
 * many milliseconds is printed, too: a machine that stalls now and then spoils a few of them only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "proto/compiler.h"

enum {
    DEPTH_MAX = 64,
    IN_LEN = 32768,
    REQUEST_MAX = 1024,
    PATH_MAX_LEN = 400,
    EVENTS = 256,
    TICK_NS = 100000,
    WINDOW_MAX = 65536, /* replies in a window; more are left out of its p99 */
    WINDOWS_MAX = 100000
};

struct options {
    const char *address, *host, *paths_file, *expect_status, *expect_location;
    unsigned port, connections, depth;
    double rate, seconds;
    uint64_t requests_max, window_ns; /* 0: no windows */
    bool close_each;
};

/* Replies of the last milliseconds, and what came of those before. */
struct windows {
    uint64_t begin_ns;
    size_t n, n_windows;
    uint64_t latency_ns[WINDOW_MAX];
    uint64_t p99_ns[WINDOWS_MAX];
};

struct peer {
    int fd;
    unsigned n_waiting; /* requests under way */
    unsigned first;     /* index of the oldest in `due_ns` */
    size_t in_len;
    uint64_t due_ns[DEPTH_MAX];
    char in[IN_LEN];
};

struct load {
    struct options opt;
    int epoll;
    struct sockaddr_in to;
    char *paths;       /* the file */
    uint64_t *path_at; /* n_paths + 1 offsets into it; a line's end belongs to no path */
    size_t n_paths, next_path;
    char before[32]; /* what stands around a path in a request */
    char after[REQUEST_MAX];
    /* Not on the stack: hardened builds fill that with zeros, 90 KB for each request. */
    char out[DEPTH_MAX * (REQUEST_MAX + PATH_MAX_LEN + 32)];
    size_t before_len, after_len;
    struct peer *peers;
    unsigned next_peer;
    uint64_t n_sent, n_done, n_bad, n_connects, n_reconnects, n_late;
    uint64_t start_ns, end_ns;
    struct histogram latency;
    struct windows windows;
};

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void usage(void)
{
    fputs(
        "usage: load --port N --paths FILE [--address A] [--host H] [--connections N] [--depth N]\n"
        "            [--rate R] [--seconds S] [--requests N] [--close] [--status 302]\n"
        "            [--location PREFIX] [--window-ms N]\n",
        stderr);
    exit(2);
}

static void read_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"address", 1, 0, 'a'},     {"port", 1, 0, 'p'},
        {"host", 1, 0, 'h'},        {"paths", 1, 0, 'f'},
        {"connections", 1, 0, 'c'}, {"depth", 1, 0, 'd'},
        {"rate", 1, 0, 'r'},        {"seconds", 1, 0, 's'},
        {"requests", 1, 0, 'n'},    {"close", 0, 0, 'k'},
        {"status", 1, 0, 'x'},      {"location", 1, 0, 'l'},
        {"window-ms", 1, 0, 'w'},   {0, 0, 0, 0},
    };
    int c;

    *o = (struct options){.address = "127.0.0.1",
                          .host = "localhost",
                          .connections = 64,
                          .depth = 1,
                          .seconds = 5,
                          .requests_max = UINT64_MAX,
                          .expect_status = "302"};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'a':
            o->address = optarg;
            break;
        case 'p':
            o->port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'h':
            o->host = optarg;
            break;
        case 'f':
            o->paths_file = optarg;
            break;
        case 'c':
            o->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            o->depth = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o->rate = strtod(optarg, NULL);
            break;
        case 's':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            o->requests_max = strtoull(optarg, NULL, 10);
            break;
        case 'k':
            o->close_each = true;
            break;
        case 'w':
            o->window_ns = strtoull(optarg, NULL, 10) * 1000000;
            break;
        case 'x':
            o->expect_status = optarg;
            break;
        case 'l':
            o->expect_location = optarg;
            break;
        default:
            usage();
        }
    }
    if (!o->port || !o->paths_file || !o->connections || !o->depth || o->depth > DEPTH_MAX)
        usage();
}

/* What a mail reader's browser sends; the same for every server. */
static void make_request(struct load *l)
{
    const struct options *o = &l->opt;
    int n = snprintf(l->after, sizeof(l->after),
                     " HTTP/1.1\r\nHost: %s\r\n"
                     "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
                     "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 "
                     "Safari/604.1\r\n"
                     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
                     "Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n"
                     "%s\r\n",
                     o->host, o->close_each ? "Connection: close\r\n" : "");

    if (n < 0 || (size_t)n >= sizeof(l->after))
        usage();
    l->after_len = (size_t)n;
    l->before_len = (size_t)snprintf(l->before, sizeof(l->before), "GET ");
}

static void add_path(struct load *l, size_t *room, size_t at)
{
    if (l->n_paths + 1 >= *room) {
        *room = *room ? *room * 2 : 1024;
        l->path_at = realloc(l->path_at, *room * sizeof(*l->path_at));
        if (!l->path_at)
            die("memory");
    }
    l->path_at[l->n_paths] = at;
}

/* One path per line, each line ended by one LF; mapped, since there may be ten million. */
static void read_paths(struct load *l)
{
    int fd = open(l->opt.paths_file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t room = 0, at = 0;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        die(l->opt.paths_file);
    l->paths = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (l->paths == MAP_FAILED)
        die(l->opt.paths_file);
    close(fd);
    while (at < (size_t)st.st_size) {
        char *end = memchr(l->paths + at, '\n', (size_t)st.st_size - at);

        add_path(l, &room, at);
        if (!end)
            break;
        l->n_paths++;
        at = (size_t)(end - l->paths) + 1;
    }
    add_path(l, &room, at);
    if (l->n_paths == 0) {
        fprintf(stderr, "load: %s holds no line\n", l->opt.paths_file);
        exit(1);
    }
}

static size_t put_request(struct load *l, char *out)
{
    size_t i = l->next_path++ % l->n_paths;
    size_t path_len = l->path_at[i + 1] - l->path_at[i] - 1;

    if (path_len > PATH_MAX_LEN) {
        fprintf(stderr, "load: path %zu is too long\n", i + 1);
        exit(1);
    }
    memcpy(out, l->before, l->before_len);
    memcpy(out + l->before_len, l->paths + l->path_at[i], path_len);
    memcpy(out + l->before_len + path_len, l->after, l->after_len);
    return l->before_len + path_len + l->after_len;
}

static void open_peer(struct load *l, struct peer *p)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    int one = 1;

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        die("socket");
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(p->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0)
        die("connect");
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, p->fd, &ev) < 0)
        die("epoll_ctl");
    p->n_waiting = 0;
    p->first = 0;
    p->in_len = 0;
    l->n_connects++;
}

static void close_peer(struct peer *p)
{
    close(p->fd);
    p->fd = -1;
}

static bool may_send(const struct load *l)
{
    return l->n_sent < l->opt.requests_max;
}

/* Sends `n` requests in one write, all due at `due_ns`. */
static void send_requests(struct load *l, struct peer *p, unsigned n, uint64_t due_ns)
{
    size_t len = 0;

    for (unsigned i = 0; i < n && may_send(l); i++) {
        len += put_request(l, l->out + len);
        p->due_ns[(p->first + p->n_waiting) % DEPTH_MAX] = due_ns;
        p->n_waiting++;
        l->n_sent++;
    }
    /* A loopback socket's buffer takes this whole; anything else is a broken run. */
    if (len && send(p->fd, l->out, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send");
}

static bool is_expected(const struct load *l, const char *head, size_t len)
{
    const char *location;
    size_t want;

    if (len < 12 || memcmp(head + 9, l->opt.expect_status, 3) != 0)
        return false;
    if (!l->opt.expect_location)
        return true;
    want = strlen(l->opt.expect_location);
    location = memmem(head, len, "\r\nLocation: ", 12);
    if (!location)
        location = memmem(head, len, "\r\nlocation: ", 12);
    return location && (size_t)(head + len - location - 12) >= want &&
           memcmp(location + 12, l->opt.expect_location, want) == 0;
}

/* Length of the body that the head announces. */
static size_t body_length(const char *head, size_t len)
{
    const char *field = memmem(head, len, "ontent-Length: ", 15);

    if (!field)
        field = memmem(head, len, "ontent-length: ", 15);
    return field ? strtoul(field + 15, NULL, 10) : 0;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void add_to_window(struct load *l, uint64_t now, uint64_t ns)
{
    struct windows *w = &l->windows;

    if (now - w->begin_ns >= l->opt.window_ns) {
        if (w->n > 0 && w->n_windows < WINDOWS_MAX) {
            qsort(w->latency_ns, w->n, sizeof(w->latency_ns[0]), compare_ns);
            w->p99_ns[w->n_windows++] = w->latency_ns[w->n * 99 / 100];
        }
        w->begin_ns = now;
        w->n = 0;
    }
    if (w->n < WINDOW_MAX)
        w->latency_ns[w->n++] = ns;
}

/* Takes one whole reply from the input; false when there is none. */
static bool take_reply(struct load *l, struct peer *p, size_t *at, uint64_t now)
{
    const char *head = p->in + *at;
    const char *end = memmem(head, p->in_len - *at, "\r\n\r\n", 4);
    size_t head_len, all;

    if (!end)
        return false;
    head_len = (size_t)(end - head) + 4;
    all = head_len + body_length(head, head_len);
    if (all > p->in_len - *at)
        return false;
    if (p->n_waiting == 0) {
        fprintf(stderr, "load: a reply nobody asked for\n");
        exit(1);
    }
    if (!is_expected(l, head, head_len))
        l->n_bad++;
    histogram_add(&l->latency, now - p->due_ns[p->first]);
    if (l->opt.window_ns)
        add_to_window(l, now, now - p->due_ns[p->first]);
    p->first = (p->first + 1) % DEPTH_MAX;
    p->n_waiting--;
    l->n_done++;
    *at += all;
    return true;
}

/* The server closed (its limit of requests per connection, or we asked for it). */
static void on_close(struct load *l, struct peer *p, uint64_t now)
{
    unsigned n_lost = p->n_waiting;

    close_peer(p);
    open_peer(l, p);
    l->n_reconnects++;
    /* What was sent behind the last reply is asked again; it was never answered. */
    l->n_sent -= n_lost;
    if (l->opt.rate <= 0)
        send_requests(l, p, l->opt.depth, now);
}

static void on_readable(struct load *l, struct peer *p)
{
    ssize_t n = recv(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, 0);
    uint64_t now = now_ns();
    size_t at = 0;
    unsigned n_done = 0;

    if (n <= 0) {
        on_close(l, p, now);
        return;
    }
    p->in_len += (size_t)n;
    while (take_reply(l, p, &at, now))
        n_done++;
    memmove(p->in, p->in + at, p->in_len - at);
    p->in_len -= at;
    if (l->opt.rate <= 0 && !l->opt.close_each && p->n_waiting == 0 && n_done)
        send_requests(l, p, l->opt.depth, now);
}

/* When the next request falls due; open loop.  All those of a tick at once: a timer for each would
 * take most of this core, and a store on it would have none. */
static uint64_t next_due_ns(const struct load *l)
{
    uint64_t after_ns = (uint64_t)((double)l->n_sent * 1e9 / l->opt.rate);

    return l->start_ns + after_ns / TICK_NS * TICK_NS;
}

/* Until something comes, or the next request falls due.  It sleeps meanwhile: the stores may want
 * the same core. */
static int wait_for_events(struct load *l, struct epoll_event events[static EVENTS])
{
    struct timespec wait = {.tv_nsec = 100000000};

    if (l->opt.rate > 0) {
        uint64_t now = now_ns(), due = next_due_ns(l);

        wait.tv_nsec = due > now && due - now < 100000000 ? (long)(due - now) : 0;
    }
    return epoll_pwait2(l->epoll, events, EVENTS, &wait, NULL);
}

/* Open loop: sends all that have fallen due, on the connections in turn. */
static void send_due(struct load *l, uint64_t now)
{
    while (may_send(l)) {
        uint64_t due = next_due_ns(l);
        unsigned tried = 0;

        if (due > now)
            return;
        while (tried < l->opt.connections &&
               l->peers[l->next_peer % l->opt.connections].n_waiting >= l->opt.depth) {
            l->next_peer++;
            tried++;
        }
        if (tried == l->opt.connections) {
            l->n_late++; /* all connections busy: it stays due and its latency grows */
            return;
        }
        send_requests(l, &l->peers[l->next_peer++ % l->opt.connections], 1, due);
    }
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    uint64_t stop_ns;

    for (unsigned i = 0; i < l->opt.connections; i++)
        open_peer(l, &l->peers[i]);
    l->start_ns = l->windows.begin_ns = now_ns();
    stop_ns = l->start_ns + (uint64_t)(l->opt.seconds * 1e9);
    if (l->opt.rate <= 0) {
        for (unsigned i = 0; i < l->opt.connections; i++)
            send_requests(l, &l->peers[i], l->opt.depth, now_ns());
    }
    while (now_ns() < stop_ns && l->n_done < l->opt.requests_max) {
        int n = wait_for_events(l, events);

        for (int i = 0; i < n; i++)
            on_readable(l, events[i].data.ptr);
        if (l->opt.rate > 0)
            send_due(l, now_ns());
    }
    l->end_ns = now_ns();
}

static void print_result(const struct load *l)
{
    double seconds = (double)(l->end_ns - l->start_ns) / 1e9;

    printf("{\"requests\": %llu, \"bad\": %llu, \"connects\": %llu, \"reconnects\": %llu, "
           "\"late\": %llu, \"seconds\": %.6f, \"rate\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, "
           "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"windows_p99_us\": [",
           (unsigned long long)l->n_done, (unsigned long long)l->n_bad,
           (unsigned long long)l->n_connects, (unsigned long long)l->n_reconnects,
           (unsigned long long)l->n_late, seconds, (double)l->n_done / seconds,
           (double)histogram_at(&l->latency, 500) / 1e3,
           (double)histogram_at(&l->latency, 900) / 1e3,
           (double)histogram_at(&l->latency, 990) / 1e3,
           (double)histogram_at(&l->latency, 999) / 1e3, (double)l->latency.max_ns / 1e3);
    for (size_t i = 0; i < l->windows.n_windows; i++)
        printf("%s%.1f", i ? ", " : "", (double)l->windows.p99_ns[i] / 1e3);
    puts("]}");
}

int main(int argc, char **argv)
{
    static struct load l;

    read_options(&l.opt, argc, argv);
    make_request(&l);
    read_paths(&l);
    l.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)l.opt.port)};
    if (inet_pton(AF_INET, l.opt.address, &l.to.sin_addr) != 1)
        usage();
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.peers = calloc(l.opt.connections, sizeof(*l.peers));
    if (l.epoll < 0 || !l.peers)
        die("start");
    run(&l);
    print_result(&l);
    return 0;
}
