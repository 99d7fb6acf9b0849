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

#include "proto/logline.h"
#include "proto/rfc3339.h"
#include "service/base/wake.h"

/* Up to DIFFERENT_MAX different lines per `at` and second are written, so that two unreadable
 * files, or all bad keys of a mapping, are reported; the rest of a flood is held back. */
enum { LINE_MAX_LEN = 1024, REPEAT_SLOTS = 32, DIFFERENT_MAX = 8 };

/* Of a line that goes out; the pairs of a longer one are cut at its end.  Less than PIPE_BUF. */
enum { OUT_MAX_LEN = 3072 };

/* The lines that one `at` wrote in its last second, and how many have been held back since. */
struct repeat {
    const char *at;
    enum log_level level;
    int64_t written_s;
    unsigned n_held, n_written;
    uint64_t written[DIFFERENT_MAX]; /* hashes of these lines */
};

/* State at file scope, because stderr belongs to the whole process: level and format, the lines
 * held back and the lines dropped, and whom to wake for these. */
static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_format out_format = LOG_FORMAT_TEXT;
static pthread_mutex_t repeat_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS];
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int wake_fd = -1;
static _Atomic uint64_t n_dropped;
static uint64_t n_told; /* how many of the dropped lines have been reported; under write_lock */
static bool is_cut_off; /* the last line was written only in part; under write_lock */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    max_level = level;
}

void log_set_format(enum log_format format)
{
    out_format = format;
}

void log_set_wake(int fd)
{
    atomic_store(&wake_fd, fd);
}

/* Something waits for log_flush(). */
static void wake_flusher(void)
{
    int fd = atomic_load(&wake_fd);

    if (fd >= 0)
        wake_send(fd);
}

static int64_t monotonic_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/*
 * Writes without waiting, because the reader of stderr may have stopped reading.  O_NONBLOCK would
 * be simpler, but it would also apply to other processes with the same pipe or terminal.  A pipe
 * that poll(2) reports as writable has room for PIPE_BUF bytes, which is more than a line, and only
 * one thread of ours writes at a time.
 */
static ssize_t write_now(const char *text, size_t len)
{
    ssize_t n = send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (n >= 0 || errno != ENOTSOCK)
        return n;
    return poll(&out, 1, 0) == 1 ? write(STDERR_FILENO, text, len) : -1;
}

/* `text` has a line without its end; `says_time`: one of its pairs is the time.  Writes it as it
 * goes out, at most OUT_MAX_LEN bytes; returns the length. */
static size_t format_line(const char *text, bool says_time, char out[static OUT_MAX_LEN])
{
    char time[RFC3339_TEXT_MAX], line[LINE_MAX_LEN + 48];
    struct timespec now;
    size_t len;

    if (out_format == LOG_FORMAT_TEXT)
        return (size_t)snprintf(out, OUT_MAX_LEN, "%.*s\n", LINE_MAX_LEN, text);
    if (!says_time) {
        clock_gettime(CLOCK_REALTIME, &now);
        rfc3339_format(now.tv_sec, 0, time);
        time[strlen(time) - 1] = '\0'; /* the Z comes behind the milliseconds */
        snprintf(line, sizeof(line), "time=%s.%03dZ %.*s", time, (int)(now.tv_nsec / 1000000),
                 LINE_MAX_LEN, text);
        text = line;
    }
    len = logline_to_json(slice_of(text), out, OUT_MAX_LEN - 1);
    out[len++] = '\n';
    return len;
}

/* Call with write_lock held.  False: nothing of the line was written. */
static bool write_whole(const char *text, bool says_time)
{
    char line[OUT_MAX_LEN];
    size_t len = format_line(text, says_time, line);
    ssize_t n;

    if (is_cut_off && write_now("\n", 1) != 1)
        return false;
    is_cut_off = false;
    n = write_now(line, len);
    is_cut_off = n > 0 && n < (ssize_t)len;
    return n > 0;
}

/* Writes how many lines were dropped since the last report, if stderr accepts it.  Call with
 * write_lock held. */
static void tell_dropped(void)
{
    uint64_t n = atomic_load(&n_dropped) - n_told;
    char line[64];

    if (n == 0)
        return;
    snprintf(line, sizeof(line), "level=warn at=log.dropped lines=%llu", (unsigned long long)n);
    if (write_whole(line, false))
        n_told += n;
}

static void write_line(const char *line, bool says_time)
{
    pthread_mutex_lock(&write_lock);
    tell_dropped();
    if (!write_whole(line, says_time) && atomic_fetch_add(&n_dropped, 1) == n_told)
        wake_flusher();
    pthread_mutex_unlock(&write_lock);
}

static void write_held(struct repeat *r)
{
    char line[LINE_MAX_LEN];

    if (r->n_held == 0)
        return;
    snprintf(line, sizeof(line), "level=%s at=%s repeated=%u", level_names[r->level], r->at,
             r->n_held);
    r->n_held = 0;
    write_line(line, false);
}

/* The slot of `at`: its own, or a free one, or the one used least recently. */
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

/* Notes that the line with `hash` is being written; false: it was written before, or the limit is
 * reached. */
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
    uint64_t hash = 14695981039346656037U;
    struct repeat *r;
    bool held;

    /* FNV-1a.  If two different lines of one second collide, the second is held back as a repeat.
     */
    for (; *line; line++)
        hash = (hash ^ (unsigned char)*line) * 1099511628211U;
    pthread_mutex_lock(&repeat_lock);
    r = find_repeat(at);
    if (r->written_s != now_s) {
        write_held(r);
        r->written_s = now_s;
        r->n_written = 0;
    }
    held = !note_written(r, hash);
    if (held && r->n_held++ == 0)
        wake_flusher();
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
    vsnprintf(line + len, sizeof(line) - len, format, args);
    if (!hold_back(level, at, line))
        write_line(line, false);
}

void log_access(const char *at, const char *fields)
{
    char line[LINE_MAX_LEN];

    snprintf(line, sizeof(line), "level=info at=%s %s", at, fields);
    write_line(line, true);
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

/* Writes the counts of lines held back before the second `until_s`, and dropped.  False: nothing is
 * left. */
static bool flush(int64_t until_s)
{
    bool is_left = false;

    pthread_mutex_lock(&repeat_lock);
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        if (repeats[i].at && repeats[i].written_s < until_s)
            write_held(&repeats[i]);
        is_left = is_left || repeats[i].n_held > 0;
    }
    pthread_mutex_unlock(&repeat_lock);
    pthread_mutex_lock(&write_lock);
    tell_dropped();
    is_left = is_left || atomic_load(&n_dropped) != n_told;
    pthread_mutex_unlock(&write_lock);
    return is_left;
}

bool log_flush(void)
{
    return flush(monotonic_s());
}

void log_end(void)
{
    (void)flush(INT64_MAX);
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
    /* An escape takes at most 4 bytes; the closing quote and the NUL must still fit. */
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
