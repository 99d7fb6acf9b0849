#include "service/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* So many different lines of one `at` a second: two files that can't be read, all keys of one
 * mapping; a flood is cut off all the same. */
enum { LINE_MAX_LEN = 1024, REPEAT_SLOTS = 32, DIFFERENT_MAX = 8 };

/* What one `at` said in the second of its last line, and how often it was held back since. */
struct repeat {
    const char *at;
    enum log_level level;
    int64_t written_s;
    unsigned n_held, n_written;
    uint64_t written[DIFFERENT_MAX]; /* hashes of lines */
};

/* The one level, the lines held back and those dropped: stderr is the process's own, and so is what
 * is known of it. */
static enum log_level max_level = LOG_LEVEL_INFO;
static pthread_mutex_t repeat_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS];
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t n_dropped;
static uint64_t n_told; /* of them, in a line that was written; under write_lock */
static bool is_cut_off; /* the last line was written in part; under write_lock */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    max_level = level;
}

static int64_t monotonic_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/*
 * Writes without waiting: whoever reads stderr may have stopped reading.  O_NONBLOCK would be
 * simpler, but is shared with other processes that have the same pipe or terminal.  A pipe that
 * poll(2) calls writable has room for PIPE_BUF bytes, more than a line; only we write to it, one
 * thread at a time.
 */
static ssize_t write_now(const char *text, size_t len)
{
    ssize_t n = send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (n >= 0 || errno != ENOTSOCK)
        return n;
    return poll(&out, 1, 0) == 1 ? write(STDERR_FILENO, text, len) : -1;
}

/* Under write_lock.  False: nothing of it was written. */
static bool write_whole(const char *line, size_t len)
{
    ssize_t n;

    if (is_cut_off && write_now("\n", 1) != 1)
        return false;
    is_cut_off = false;
    n = write_now(line, len);
    is_cut_off = n > 0 && n < (ssize_t)len;
    return n > 0;
}

/* Tells how many lines were dropped since the last time, if stderr takes it.  Under write_lock. */
static void tell_dropped(void)
{
    uint64_t n = atomic_load(&n_dropped) - n_told;
    char line[64];
    int len;

    if (n == 0)
        return;
    len = snprintf(line, sizeof(line), "level=warn at=log.dropped lines=%llu\n",
                   (unsigned long long)n);
    if (write_whole(line, (size_t)len))
        n_told += n;
}

static void write_line(const char *line, size_t len)
{
    pthread_mutex_lock(&write_lock);
    tell_dropped();
    if (!write_whole(line, len))
        atomic_fetch_add(&n_dropped, 1);
    pthread_mutex_unlock(&write_lock);
}

static void write_held(struct repeat *r)
{
    char line[LINE_MAX_LEN];
    int len;

    if (r->n_held == 0)
        return;
    len = snprintf(line, sizeof(line), "level=%s at=%s repeated=%u\n", level_names[r->level], r->at,
                   r->n_held);
    r->n_held = 0;
    if (len > 0)
        write_line(line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

/* The slot of `at`: its own, a free one, or the one longest silent. */
static struct repeat *find_repeat(const char *at)
{
    struct repeat *oldest = &repeats[0];

    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        if (repeats[i].at && strcmp(repeats[i].at, at) == 0)
            return &repeats[i];
        if (repeats[i].written_s < oldest->written_s)
            oldest = &repeats[i];
    }
    write_held(oldest);
    *oldest = (struct repeat){.at = at, .written_s = INT64_MIN};
    return oldest;
}

/* FNV-1a: two lines of one second that collide cost a line, nothing else. */
static uint64_t hash_line(const char *line)
{
    uint64_t hash = 14695981039346656037U;

    for (; *line; line++)
        hash = (hash ^ (unsigned char)*line) * 1099511628211U;
    return hash;
}

/* Notes that `hash` is written; false: it was, or enough was. */
static bool note_written(struct repeat *r, uint64_t hash)
{
    for (unsigned i = 0; i < r->n_written; i++) {
        if (r->written[i] == hash)
            return false;
    }
    if (r->n_written == DIFFERENT_MAX)
        return false;
    r->written[r->n_written++] = hash;
    return true;
}

static bool hold_back(enum log_level level, const char *at, const char *line)
{
    int64_t now_s = monotonic_s();
    struct repeat *r;
    bool held;

    pthread_mutex_lock(&repeat_lock);
    r = find_repeat(at);
    if (r->written_s != now_s) {
        write_held(r);
        r->written_s = now_s;
        r->n_written = 0;
    }
    held = !note_written(r, hash_line(line));
    if (held)
        r->n_held++;
    r->level = level;
    pthread_mutex_unlock(&repeat_lock);
    return held;
}

static void log_line(enum log_level level, const char *at, const char *format, va_list args)
{
    char line[LINE_MAX_LEN];
    size_t len;

    if (level > max_level)
        return;
    len = (size_t)snprintf(line, sizeof(line), "level=%s at=%s ", level_names[level], at);
    if (len >= sizeof(line))
        return;
    vsnprintf(line + len, sizeof(line) - len - 1, format, args);
    if (hold_back(level, at, line))
        return;
    len = strlen(line);
    line[len++] = '\n';
    write_line(line, len);
}

#define DEFINE_LOG(name, level)                        \
    void name(const char *at, const char *format, ...) \
    {                                                  \
        va_list args;                                  \
        va_start(args, format);                        \
        log_line(level, at, format, args);             \
        va_end(args);                                  \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)

void log_flush(void)
{
    int64_t now_s = monotonic_s();

    pthread_mutex_lock(&repeat_lock);
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        if (repeats[i].at && repeats[i].written_s < now_s)
            write_held(&repeats[i]);
    }
    pthread_mutex_unlock(&repeat_lock);
    pthread_mutex_lock(&write_lock);
    tell_dropped();
    pthread_mutex_unlock(&write_lock);
}

uint64_t log_dropped(void)
{
    return atomic_load(&n_dropped);
}

const char *log_quote(char out[static LOG_QUOTE_MAX], const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    out[n++] = '"';
    /* 4 bytes is the longest escape; one quote and the NUL must still fit. */
    for (const unsigned char *p = (const unsigned char *)text; *p && n + 6 < LOG_QUOTE_MAX; p++) {
        if (*p == '"' || *p == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*p;
        } else if (*p < 0x20 || *p == 0x7f) {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[*p >> 4];
            out[n++] = hex[*p & 15];
        } else {
            out[n++] = (char)*p;
        }
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}
