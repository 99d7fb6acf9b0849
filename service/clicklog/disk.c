#include "service/clicklog/disk.h"

#include <string.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/clicklog/clickstore_structs.h"

enum { BACKOFF_MIN_MS = 250, BACKOFF_MAX_MS = 10000 };

void disk_failed(struct clickstore *store, int errnum, int64_t now_ms)
{
    int64_t delay_ms = store->disk_errno ? 2 * store->backoff_ms : BACKOFF_MIN_MS;

    store->backoff_ms = delay_ms < BACKOFF_MAX_MS ? delay_ms : BACKOFF_MAX_MS;
    store->retry_ms = now_ms + store->backoff_ms;
    if (store->disk_errno != errnum)
        log_warn("ledger.disk_failed", "err=\"%s\" mode=memory", strerror(errnum));
    store->disk_errno = errnum;
    counter64_set(&store->last_errno, (uint64_t)errnum);
    atomic_store_explicit(&store->degraded, true, memory_order_relaxed);
}

void disk_works(struct clickstore *store)
{
    if (store->disk_errno)
        log_info("ledger.disk_back", "mode=disk");
    store->disk_errno = 0;
}

void disk_segment_failed(struct clickstore *store, struct segment *seg, int errnum)
{
    if (segment_is_safe(seg))
        disk_failed(store, errnum, clock_mono_ms());
    atomic_store_explicit(&seg->sync_errno, errnum, memory_order_relaxed);
}

void disk_sync(struct clickstore *store, struct segment *seg)
{
    bool is_new = !seg->settled;
    int errnum = is_new ? segment_settle(seg, store->dir.logs_fd) : segment_sync(seg);

    if (errnum)
        disk_segment_failed(store, seg, errnum);
    else if (is_new && seg->on_disk)
        disk_works(store);
}

void disk_set_capped(struct clickstore *store, bool capped)
{
    if (capped && !store->disk_capped)
        log_warn("ledger.disk_cap", "disk_max=%llu mode=memory",
                 (unsigned long long)store->options.disk_max);
    if (!capped && store->disk_capped)
        log_info("ledger.disk_cap_over", "mode=disk");
    store->disk_capped = capped;
}
