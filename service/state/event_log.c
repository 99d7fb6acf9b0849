#include "service/state/event_log.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/event.h"
#include "service/base/counter64.h"
#include "service/base/error.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore.h"

struct event_log {
    pthread_mutex_t mutex;
    struct clicklog *log;
    counter64 n_pages; /* written with the lock held */
    bool with_sync;
};

struct event_log *event_log_new(struct clickstore *store, bool with_sync, struct error *err)
{
    struct event_log *log = calloc(1, sizeof(*log));

    if (!log) {
        error_set(err, "events: out of memory");
        return NULL;
    }
    log->log = clickstore_new_relabel_log(store, err);
    if (!log->log) {
        free(log);
        return NULL;
    }
    log->with_sync = with_sync;
    pthread_mutex_init(&log->mutex, NULL);
    return log;
}

void event_log_free(struct event_log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

static bool add_at(struct event_log *log, const struct event *event, uint64_t *position)
{
    struct click record;
    bool ok;

    event_to_record(event, &record);
    pthread_mutex_lock(&log->mutex);
    *position = clicklog_tail(log->log);
    clicklog_append(log->log, &record);
    ok = clicklog_tail(log->log) != *position;
    pthread_mutex_unlock(&log->mutex);
    return ok;
}

bool event_log_add(struct event_log *log, const struct event *event)
{
    uint64_t position;

    return add_at(log, event, &position);
}

/* Whoever holds the lock while it waits for the disk, holds it as long as that takes: a page isn't
 * worth that a worker waits with it. */
void event_log_add_page(struct event_log *log, const struct click *page)
{
    uint64_t before;

    if (pthread_mutex_trylock(&log->mutex) != 0) {
        if (log->with_sync)
            return;
        pthread_mutex_lock(&log->mutex);
    }
    before = clicklog_tail(log->log);
    clicklog_append(log->log, page);
    counter64_add(&log->n_pages, clicklog_tail(log->log) - before);
    pthread_mutex_unlock(&log->mutex);
}

void event_log_sync(struct event_log *log)
{
    if (!log->with_sync)
        return;
    pthread_mutex_lock(&log->mutex);
    clicklog_sync(log->log);
    pthread_mutex_unlock(&log->mutex);
}

bool event_log_append_at(struct event_log *log, const struct event *event, uint64_t *position)
{
    bool ok = add_at(log, event, position);

    if (ok)
        event_log_sync(log);
    return ok;
}

bool event_log_append(struct event_log *log, const struct event *event)
{
    uint64_t position;

    return event_log_append_at(log, event, &position);
}

/* Reads the tail without the lock: whoever holds the lock may be waiting for the disk. */
uint64_t event_log_count(struct event_log *log)
{
    uint64_t n_pages = counter64_get(&log->n_pages);

    return clicklog_tail(log->log) - n_pages;
}

const uint8_t *event_log_id(const struct event_log *log)
{
    return clicklog_id(log->log);
}
