#include "service/daemon/descriptors.h"

#include <sys/resource.h>

#include "service/admin/admin.h"
#include "service/base/log.h"
#include "service/config/config.h"

enum {
    /* About 35 are in use at rest: folders and locks, event loops and their wake-ups, Redis.  The
     * rest is for the nodes of a cluster, and for geo files and segments while they are read or
     * made; the click log keeps no descriptor of a segment. */
    OF_PROCESS = 96,
    OF_WORKER = 8,       /* event loop and wake-up; its listening sockets are counted separately */
    CONNECTIONS_MIN = 8, /* per worker, however low the limit is; beyond it accept(2) fails */
};

static rlim_t raise_limit(rlim_t wanted)
{
    struct rlimit limit, more;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    more = (struct rlimit){.rlim_cur = wanted,
                           .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
    /* Only root may raise the hard limit; any user may raise the soft limit up to it. */
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return wanted;
    more = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
}

/* Descriptors needed for anything but connections of the public port. */
static rlim_t count_others(const struct config_public *config, unsigned n_workers,
                           unsigned n_admin_connections)
{
    return OF_PROCESS + (rlim_t)n_workers * (OF_WORKER + config->n_listen) + n_admin_connections;
}

unsigned descriptors_share(const struct config_public *config, unsigned n_workers, uint64_t limit)
{
    rlim_t others = count_others(config, n_workers, admin_connections_max(limit));
    rlim_t share = limit > others ? (limit - others) / n_workers : 0;

    if (share > (rlim_t)config->connections_max)
        return (unsigned)config->connections_max;
    return share > CONNECTIONS_MIN ? (unsigned)share : CONNECTIONS_MIN;
}

unsigned descriptors_reserve(const struct config_public *config, unsigned n_workers)
{
    rlim_t wanted = (rlim_t)config->connections_max * n_workers +
                    count_others(config, n_workers, ADMIN_CONNECTIONS_MAX);
    rlim_t limit = raise_limit(wanted);
    unsigned share = descriptors_share(config, n_workers, limit);

    if (share < config->connections_max)
        log_warn(
            "start.descriptors",
            "limit=%llu wanted=%llu connections_max=%u remedy=\"raise LimitNOFILE or ulimit -n, "
            "or lower public.connections_max\"",
            (unsigned long long)limit, (unsigned long long)wanted, share);
    return share;
}
