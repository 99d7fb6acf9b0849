#include "service/clicklog/sleepers.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/base/wake.h"
#include "service/clicklog/clickstore_structs.h"

/* glibc has no function for it. */
static bool membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0U, 0) == 0;
}

bool sleepers_init(struct clickstore *store)
{
    bool ok = true;

    for (int who = 0; who < SLEEPERS; who++)
        ok = (store->wake_fds[who] = wake_new()) >= 0 && ok;
    store->has_barrier = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    return ok;
}

void sleepers_clear(struct clickstore *store)
{
    for (int who = 0; who < SLEEPERS; who++) {
        if (store->wake_fds[who] >= 0)
            close(store->wake_fds[who]);
    }
}

bool sleepers_add(struct clickstore *store, enum sleeper who)
{
    for (struct clicklog *log = atomic_load(&store->logs); log; log = atomic_load(&log->next)) {
        if (log->live)
            atomic_fetch_or(&log->sleepers, 1U << who);
    }
    return store->has_barrier && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

int sleepers_fd(const struct clickstore *store, enum sleeper who)
{
    return store->wake_fds[who];
}
