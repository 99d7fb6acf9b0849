#include "service/daemon/descriptors.h"

#include <sys/resource.h>

#include "service/admin/admin.h"
#include "service/base/log.h"
#include "service/config/config.h"

enum {
    /* Listeners, epoll, Redis, geo files; of the click log the folders, the lock
     * and the file that is being made: segments are mapped, and keep no descriptor. */
    OTHERS = 192,
    OTHERS_SCARCE = 96,  /* what must be left when the limit is very low */
    CONNECTIONS_MIN = 8, /* per worker, whatever the limit: beyond it accept(2) says no */
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
    /* Only root may raise the hard limit; anybody may go up to it. */
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return wanted;
    more = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
}

unsigned descriptors_reserve(const struct config_public *config, unsigned n_workers)
{
    rlim_t each = (rlim_t)config->connections_max;
    rlim_t wanted = each * n_workers + OTHERS + ADMIN_CONNECTIONS_MAX;
    rlim_t limit = raise_limit(wanted);
    rlim_t others = (limit > 2UL * OTHERS ? OTHERS : OTHERS_SCARCE) + admin_connections_max(limit);

    if (limit >= wanted)
        return (unsigned)each;
    each = limit > others ? (limit - others) / n_workers : 0;
    if (each < CONNECTIONS_MIN)
        each = CONNECTIONS_MIN;
    log_warn("start.descriptors",
             "limit=%llu wanted=%llu connections_max=%llu remedy=\"raise LimitNOFILE or ulimit -n, "
             "or lower public.connections_max\"",
             (unsigned long long)limit, (unsigned long long)wanted, (unsigned long long)each);
    return (unsigned)each;
}
