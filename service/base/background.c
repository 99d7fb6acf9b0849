#include "service/base/background.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "service/base/log.h"

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
