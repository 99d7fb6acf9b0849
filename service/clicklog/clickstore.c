#include "service/clicklog/clickstore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/base/wake.h"
#include "service/clicklog/clicklog.h"
#include "service/clicklog/clickstore_structs.h"
#include "service/clicklog/keeper.h"
#include "service/clicklog/recover.h"
#include "service/clicklog/sleepers.h"
#include "service/clicklog/spares.h"

static struct clickstore *store_alloc(const struct clickstore_options *options)
{
    struct clickstore *store = calloc(1, sizeof(*store));

    if (!store)
        return NULL;
    store->options = *options;
    store->capacity = (uint32_t)((options->segment_bytes - SEGMENT_HEADER_LEN) / CLICK_RECORD_LEN);
    store->dir = STATEDIR_INIT;
    store->state_dir = strdup(options->state_dir);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, NULL);
    if (!sleepers_init(store) || !store->state_dir) {
        clickstore_close(store);
        return NULL;
    }
    store->options.state_dir = store->state_dir;
    return store;
}

/* Opens logs/.  If it is missing (nothing was ever logged) or can't be made (the keeper tries
 * again), that is no error.  If it exists but can't be opened the start fails, because it may hold
 * clicks. */
static bool open_logs(struct clickstore *store, enum own_folder_use use, struct error *err)
{
    bool make = store->options.mode == CLICKSTORE_SERVE;
    int errnum = statedir_open_logs(&store->dir, make);
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/logs", store->state_dir);
    if (store->dir.logs_fd < 0 && statedir_may_have_logs(&store->dir)) {
        error_set(err, "ledger: cannot open %s: %s; it must be a folder that this user can read",
                  path, strerror(errnum));
        return false;
    }
    if (errnum && (make || errnum != ENOENT)) {
        log_warn("ledger.logs", "dir=logs err=\"%s\"", strerror(errnum));
        counter64_set(&store->last_errno, (uint64_t)errnum);
    }
    return store->dir.logs_fd < 0 || own_folder_check(store->dir.logs_fd, path, use, err);
}

static bool open_dir(struct clickstore *store, struct error *err)
{
    static const enum own_folder_use uses[] = {
        [CLICKSTORE_SERVE] = OWN_FOLDER_KEEP,
        [CLICKSTORE_DRAIN] = OWN_FOLDER_VISIT,
        [CLICKSTORE_INSPECT] = OWN_FOLDER_LOOK,
    };
    enum own_folder_use use = uses[store->options.mode];

    if (!statedir_open(&store->dir, store->state_dir, use, err))
        return false;
    if (use != OWN_FOLDER_LOOK && !statedir_lock(&store->dir, store->state_dir, err))
        return false;
    return open_logs(store, use, err);
}

struct clickstore *clickstore_open(const struct clickstore_options *options, struct error *err)
{
    uint64_t min = SEGMENT_HEADER_LEN + CLICK_RECORD_LEN;
    struct clickstore *store = NULL;
    bool ok = false;

    if (options->segment_bytes < min || options->segment_bytes > UINT32_MAX) {
        error_set(err, "ledger: a segment of %zu bytes; use %llu to %u", options->segment_bytes,
                  (unsigned long long)min, UINT32_MAX);
        return NULL;
    }
    if (sodium_init() < 0 || !segment_guard_install()) {
        error_set(err, "ledger: cannot start: no randomness or no signal handler");
        return NULL;
    }
    store = store_alloc(options);
    if (!store) {
        error_set(err, "ledger: out of memory or descriptors");
        return NULL;
    }
    if (!open_dir(store, err) || !clickstore_recover(store, err))
        goto out;
    ok = options->mode == CLICKSTORE_INSPECT || keeper_start(store, err);
out:
    if (!ok) {
        clickstore_close(store);
        store = NULL;
    }
    return store;
}

/* Deletes the log's spares, which hold nothing; cuts the segment in use after its last record. */
static void leave_log(struct clicklog *log, int logs_fd)
{
    char name[SEGMENT_LOG_NAME_LEN + 1];

    for (int i = 0; i < CLICKLOG_SPARES_MAX; i++) {
        struct segment *spare = atomic_load(&log->spares[SPARE_DISK].slot[i]);

        if (spare)
            segment_unlink(spare, logs_fd);
    }
    if (log->active) {
        segment_trim(log->active, logs_fd, log->position - log->active->header.first);
    } else {
        segment_log_name(log->id, name);
        unlinkat(logs_fd, name, AT_REMOVEDIR);
    }
}

void clickstore_close(struct clickstore *store)
{
    struct clicklog *log, *next;

    if (!store)
        return;
    keeper_stop(store);
    for (log = atomic_load(&store->logs); log; log = next) {
        next = atomic_load(&log->next);
        if (log->live)
            leave_log(log, store->dir.logs_fd);
        clicklog_free(log);
    }
    statedir_clear(&store->dir);
    sleepers_clear(store);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    free(store->state_dir);
    free(store);
}

static struct clicklog *new_log(struct clickstore *store, bool holds_relabels, struct error *err)
{
    struct clicklog *log;

    if (!store->has_keeper || store->options.mode != CLICKSTORE_SERVE) {
        error_set(err, "ledger: %s is not open for new clicks", store->state_dir);
        return NULL;
    }
    log = clicklog_alloc(store);
    if (!log) {
        error_set(err, "ledger: out of memory for a log");
        return NULL;
    }
    randombytes_buf(log->id, sizeof(log->id));
    log->live = true;
    log->holds_relabels = holds_relabels;
    pthread_mutex_lock(&store->lock);
    clickstore_link_log(store, log);
    keeper_wake(store);
    wake_send(store->wake_fds[SLEEPER_LEDGER]);
    while (!atomic_load(&log->ready))
        pthread_cond_wait(&store->changed, &store->lock);
    pthread_mutex_unlock(&store->lock);
    return log;
}

struct clicklog *clickstore_new_log(struct clickstore *store, struct error *err)
{
    return new_log(store, false, err);
}

struct clicklog *clickstore_new_relabel_log(struct clickstore *store, struct error *err)
{
    return new_log(store, true, err);
}

void clickstore_stats(struct clickstore *store, struct clickstore_stats *out)
{
    uint64_t spares = 0; /* bytes of those in memory */

    *out = (struct clickstore_stats){
        .disk_bytes = counter64_get(&store->disk_bytes),
        .memory_bytes = counter64_get(&store->memory_bytes),
        .n_segments = counter64_get(&store->n_segments),
        .n_set_aside = counter64_get(&store->n_set_aside),
        .degraded = atomic_load_explicit(&store->degraded, memory_order_relaxed),
        .last_errno = (int)counter64_get(&store->last_errno),
    };
    for (struct clicklog *log = atomic_load_explicit(&store->logs, memory_order_acquire); log;
         log = atomic_load_explicit(&log->next, memory_order_acquire)) {
        if (log->live) {
            out->appended += log->holds_relabels ? 0 : clicklog_tail(log);
            spares += spares_memory(log);
        }
        out->recovered += log->holds_relabels ? 0 : log->recovered;
        for (int i = 0; i < CLICKLOG_DROPS; i++) {
            uint64_t n = counter64_get(&log->dropped[i]);

            if (log->holds_relabels)
                out->n_relabels_dropped += n;
            else
                out->dropped[i] += n;
        }
    }
    /* They count against memory_max but hold no clicks. */
    out->memory_bytes -= spares < out->memory_bytes ? spares : out->memory_bytes;
}

bool clickstore_holds(struct clickstore *store, int64_t at_ms)
{
    bool holds = false;

    for (struct clicklog *log = clicklog_next(store, NULL); log && !holds;
         log = clicklog_next(store, log)) {
        const struct segment *oldest;

        pthread_mutex_lock(&log->list_lock);
        oldest = segment_next(&log->root);
        holds = oldest && oldest->began_ms <= at_ms;
        pthread_mutex_unlock(&log->list_lock);
    }
    return holds;
}
