/* watchdog.h - the service manager's watchdog (sd_watchdog_enabled(3)): it restarts us when it
 * hears nothing for too long.  It is fed only while each worker's loop turns: one worker that hangs
 * is reason enough, for the kernel goes on giving it connections. */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H
#include <stdbool.h>
#include <stdint.h>

enum { WATCHDOG_WORKERS_MAX = 256 };

struct watchdog {
    bool is_on;                            /* WATCHDOG_USEC is set, for this process */
    uint64_t passes[WATCHDOG_WORKERS_MAX]; /* of each worker's loop, when it was last looked at */
    bool is_stuck;                         /* a worker hung when they were last looked at */
};

/* Looks at the environment. */
void watchdog_init(struct watchdog *watchdog);

/* Notes how many passes a worker's loop has made (UINT64_MAX: its thread has ended, which is no
 * fault).  Whether it turned since the call before. */
bool watchdog_turned(struct watchdog *watchdog, unsigned worker, uint64_t passes);

#endif
