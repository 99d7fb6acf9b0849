#include "service/public/access_log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/click.h"
#include "proto/rfc3339.h"
#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/thread.h"

enum {
    RING_LEN = 1024, /* a power of two: 0.1 s at 10,000 lines per second of each worker */
    PERIOD_MS = 50,  /* between two looks at the rings */
    LINE_LEN = 512,
};

struct access_ring {
    struct access_record records[RING_LEN];
    int64_t sample;
    uint64_t n_seen;       /* the worker's alone */
    _Atomic uint64_t head; /* records added; the worker writes it */
    _Atomic uint64_t tail; /* records taken; the log's thread writes it */
    counter64 dropped;     /* the ring was full; the worker writes it */
    unsigned worker;
};

struct access_log {
    struct access_log_options options;
    struct access_ring **rings; /* n_workers */
    counter64 over_limit;       /* the thread writes it */
    int64_t second;             /* that n_lines counts, monotonic */
    int64_t n_lines;
    pthread_t thread;
    pthread_mutex_t lock; /* of `ends` */
    pthread_cond_t wake;
    bool has_thread, ends;
};

/* --- of the workers --- */

struct access_ring *access_log_ring(struct access_log *log, unsigned worker)
{
    return log ? log->rings[worker] : NULL;
}

bool access_ring_wants(struct access_ring *ring)
{
    return ++ring->n_seen % (uint64_t)ring->sample == 0;
}

void access_ring_add(struct access_ring *ring, const struct access_record *record)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == RING_LEN) {
        counter64_add(&ring->dropped, 1);
        return;
    }
    ring->records[head % RING_LEN] = *record;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* --- of the thread --- */

static void write_record(unsigned worker, const struct access_record *r)
{
    char line[LINE_LEN], time[RFC3339_TEXT_MAX];
    size_t len;

    rfc3339_format(r->time_ms / 1000, 0, time);
    time[strlen(time) - 1] = '\0'; /* the Z comes behind the milliseconds */
    len = (size_t)snprintf(line, sizeof(line),
                           "time=%s.%03dZ worker=%u method=%s status=%u outcome=%s", time,
                           (int)(r->time_ms % 1000), worker, r->method, outcome_status(r->outcome),
                           outcome_name(r->outcome));
    if (r->brand[0])
        len += (size_t)snprintf(line + len, sizeof(line) - len, " brand=%s", r->brand);
    if (r->kind[0])
        len += (size_t)snprintf(line + len, sizeof(line) - len, " kind=%s", r->kind);
    if (r->campaign)
        len += (size_t)snprintf(line + len, sizeof(line) - len, " campaign=%u", r->campaign);
    if (r->link_id)
        len += (size_t)snprintf(line + len, sizeof(line) - len, " link=%016" PRIx64, r->link_id);
    if (r->is_click)
        len += (size_t)snprintf(line + len, sizeof(line) - len, " label=%s reason=%s",
                                click_label_name(click_reason_label(r->reason)),
                                click_reason_name(r->reason));
    if (r->has_trace)
        snprintf(line + len, sizeof(line) - len, " trace=%s span=%s sampled=%s", r->trace.trace,
                 r->trace.span, r->trace.is_sampled ? "true" : "false");
    log_access("access", line);
}

static bool is_over_limit(struct access_log *log)
{
    int64_t second = clock_mono_ms() / 1000;

    if (second != log->second) {
        log->second = second;
        log->n_lines = 0;
    }
    return log->n_lines++ >= log->options.lines_max_per_s;
}

static void take_records(struct access_log *log)
{
    for (unsigned i = 0; i < log->options.n_workers; i++) {
        struct access_ring *ring = log->rings[i];
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

        for (; tail < head; tail++) {
            const struct access_record record = ring->records[tail % RING_LEN];

            atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
            if (is_over_limit(log))
                counter64_add(&log->over_limit, 1);
            else
                write_record(ring->worker, &record);
        }
    }
}

static void *run(void *arg)
{
    struct access_log *log = arg;
    bool ends = false;

    background_enter("access");
    while (!ends) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PERIOD_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_mutex_lock(&log->lock);
        if (!log->ends)
            pthread_cond_timedwait(&log->wake, &log->lock, &until);
        ends = log->ends;
        pthread_mutex_unlock(&log->lock);
        take_records(log);
    }
    return NULL;
}

/* --- begin and end --- */

struct access_log *access_log_new(const struct access_log_options *options, struct error *err)
{
    struct access_log *log = calloc(1, sizeof(*log));
    pthread_condattr_t monotonic;
    int error;

    if (log) {
        log->options = *options;
        pthread_mutex_init(&log->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&log->wake, &monotonic);
        pthread_condattr_destroy(&monotonic);
        log->rings = calloc(options->n_workers, sizeof(*log->rings));
    }
    for (unsigned i = 0; log && log->rings && i < options->n_workers; i++) {
        struct access_ring *ring = calloc(1, sizeof(*ring));

        if (!ring)
            break;
        ring->sample = options->sample;
        ring->worker = i;
        log->rings[i] = ring;
    }
    if (!log || !log->rings || !log->rings[options->n_workers - 1]) {
        error_set(err, "access log: out of memory");
        access_log_free(log);
        return NULL;
    }
    error = thread_start(&log->thread, NULL, run, log);
    log->has_thread = error == 0;
    if (error) {
        error_set(err, "access log: cannot start a thread: %s; raise the limit of tasks",
                  strerror(error));
        access_log_free(log);
        return NULL;
    }
    return log;
}

void access_log_free(struct access_log *log)
{
    if (!log)
        return;
    if (log->has_thread) {
        pthread_mutex_lock(&log->lock);
        log->ends = true;
        pthread_cond_signal(&log->wake);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->thread, NULL);
    }
    for (unsigned i = 0; log->rings && i < log->options.n_workers; i++)
        free(log->rings[i]);
    free(log->rings);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

uint64_t access_log_dropped(struct access_log *log)
{
    uint64_t n = log ? counter64_get(&log->over_limit) : 0;

    for (unsigned i = 0; log && i < log->options.n_workers; i++)
        n += counter64_get(&log->rings[i]->dropped);
    return n;
}
