#include "service/base/background.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/base/log.h"

/* struct sched_attr as of Linux 3.14; glibc has it since 2.41. */
struct slice_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};

void foreground_enter(const char *name)
{
    struct slice_attr attr = {
        .size = sizeof(attr),
        .policy = SCHED_OTHER,
        .nice = getpriority(PRIO_PROCESS, (id_t)gettid()),
        .slice_ns = UINT64_C(1000) * FOREGROUND_SLICE_US,
    };

    pthread_setname_np(pthread_self(), name);
    /* An operator may have given the process another policy, such as SCHED_FIFO: it stays. */
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)syscall(SYS_sched_setattr, 0, &attr, 0U);
}

void background_enter(const char *name)
{
    id_t tid = (id_t)gettid();
    int nice;

    pthread_setname_np(pthread_self(), name);
    errno = 0;
    nice = getpriority(PRIO_PROCESS, tid);
    if (errno != 0 || setpriority(PRIO_PROCESS, tid, nice + BACKGROUND_NICE) != 0)
        log_warn("thread.nice", "thread=%s err=\"%s\" effect=\"redirects may wait for it\"", name,
                 strerror(errno));
}

void background_yield(void)
{
    sched_yield();
}
