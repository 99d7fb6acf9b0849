#include "service/clicklog/clickstore_structs.h"

#include <stdlib.h>
#include <string.h>

#include "service/base/clock.h"

struct clicklog *clicklog_alloc(struct clickstore *store)
{
    struct clicklog *log = aligned_alloc(CACHE_LINE, sizeof(*log));

    if (!log)
        return NULL;
    memset(log, 0, sizeof(*log));
    pthread_mutex_init(&log->list_lock, NULL);
    log->store = store;
    log->kept = &log->root;
    log->created_ms = clock_wall_ms();
    atomic_store(&log->drop_reason, CLICKLOG_DROP_NO_SEGMENT);
    return log;
}

void clicklog_free(struct clicklog *log)
{
    struct segment *seg, *next;

    if (!log)
        return;
    for (seg = segment_next(&log->root); seg; seg = next) {
        next = segment_next(seg);
        segment_free(seg);
    }
    for (int kind = SPARE_MEMORY; kind <= SPARE_DISK; kind++) {
        for (int i = 0; i < CLICKLOG_SPARES_MAX; i++)
            segment_free(atomic_load(&log->spares[kind].slot[i]));
    }
    pthread_mutex_destroy(&log->list_lock);
    free(log);
}

void clickstore_link_log(struct clickstore *store, struct clicklog *log)
{
    _Atomic(struct clicklog *) *end = &store->logs;
    struct clicklog *at;

    while ((at = atomic_load_explicit(end, memory_order_acquire)))
        end = &at->next;
    atomic_store_explicit(end, log, memory_order_release);
}
