#include "service/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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

/* The one level, and the lines held back; STYLE allows state at file scope only here. */
static enum log_level max_level = LOG_LEVEL_INFO;
static pthread_mutex_t repeat_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS];

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

static void write_line(const char *line, size_t len)
{
    /* A full or closed stderr must not stop the service: nothing to do about a failure. */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
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
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

void log_flush(void)
{
    int64_t now_s = monotonic_s();

    pthread_mutex_lock(&repeat_lock);
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        if (repeats[i].at && repeats[i].written_s < now_s)
            write_held(&repeats[i]);
    }
    pthread_mutex_unlock(&repeat_lock);
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
