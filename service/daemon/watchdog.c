#include "service/daemon/watchdog.h"

#include <stdlib.h>
#include <unistd.h>

static long long number_in(const char *variable)
{
    const char *text = getenv(variable);

    return text ? strtoll(text, NULL, 10) : 0;
}

void watchdog_init(struct watchdog *watchdog)
{
    const char *pid = getenv("WATCHDOG_PID");

    *watchdog = (struct watchdog){.is_on = number_in("WATCHDOG_USEC") > 0 &&
                                           (!pid || number_in("WATCHDOG_PID") == getpid())};
}

bool watchdog_turned(struct watchdog *watchdog, unsigned worker, uint64_t passes)
{
    bool turned = passes == UINT64_MAX || passes != watchdog->passes[worker];

    watchdog->passes[worker] = passes;
    return turned;
}
