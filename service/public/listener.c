#include "service/public/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/config.h"
#include "service/public/inherited.h"

enum {
    BACKLOG = 4096, /* longer than a burst of a mailing; net.core.somaxconn may limit it */
    DEFER_S = 1,
    /* Size of the receive and the send buffer of each connection; the kernel adds as much again for
     * itself.  Without a fixed size the kernel lets them grow to 4 MB and 6 MB. */
    SOCKET_BUFFER = 32 * 1024,
    /* The kernel gives a connection up, also a closed one, when sent data is not acknowledged for
     * this long; its default is a quarter of an hour. */
    UNANSWERED_MS = 30 * 1000,
};

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* What accepted sockets inherit, which saves system calls per connection. */
static bool set_options(int fd)
{
    return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER) &&
           set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER) &&
           set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNANSWERED_MS) &&
           /* The kernel hands a connection over with its first bytes, so that one read at once
            * answers it: a connection of one request needs neither epoll_ctl nor a second wake-up,
            * a tenth of its cost.  One that says nothing for so long comes all the same, and so
            * does one that is closed, as probes of balancers are.  Until then it takes a place in
            * the kernel's queue and none of ours. */
           set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_S);
}

/* A bound socket that doesn't listen yet, or -1 and errno. */
static int bind_socket(const struct address *address, bool v6_only, bool reuse_port)
{
    const struct sockaddr *addr = (const struct sockaddr *)&address->addr;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        (!reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
        (addr->sa_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only)) &&
        set_options(fd) && bind(fd, addr, address->addr_len) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static unsigned port_of(const struct address *address)
{
    if (address->addr.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->addr)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->addr)->sin_port);
}

/* "[::]" serves IPv4 as well, unless an IPv4 address with the same port is configured. */
static bool is_v6_only(const struct config_public *public, const struct address *address)
{
    for (unsigned i = 0; i < public->n_listen; i++) {
        const struct address *other = &public->addresses[i];

        if (other->addr.ss_family == AF_INET && port_of(other) == port_of(address))
            return true;
    }
    return false;
}

/* With SO_REUSEPORT the bind would succeed beside another process of our user, and each would get
 * half of the connections.  A socket without it shows whether the port is free. */
static bool is_free(const struct address *address, bool v6_only)
{
    int fd;

    if (port_of(address) == 0)
        return true;
    fd = bind_socket(address, v6_only, false);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void fail(const struct config *config, unsigned i, int error, struct error *err)
{
    const char *text = config->public.listen[i];
    unsigned port = port_of(&config->public.addresses[i]);
    char key[32];

    snprintf(key, sizeof(key), "public.listen[%u]", i);
    if (error == EADDRINUSE)
        config_fail(config, err, key,
                    "port %u of %s is in use by another program; stop that one "
                    "(`ss -ltnp 'sport = :%u'` names it) or choose another port",
                    port, text, port);
    else if (error == EACCES)
        config_fail(config, err, key,
                    "not allowed to listen on %s; choose a port above 1023 or grant "
                    "CAP_NET_BIND_SERVICE",
                    text);
    else if (error == EADDRNOTAVAIL)
        config_fail(config, err, key,
                    "%s is no address of this machine; use one that `ip address` lists, or "
                    "0.0.0.0 or [::] for all",
                    text);
    else
        config_fail(config, err, key, "cannot listen on %s: %s", text, strerror(error));
}

/* For port 0 the other workers' sockets use the port that the kernel chose for the first. */
static bool open_address(const struct config *config, unsigned i, unsigned n_workers, int *fds)
{
    unsigned n_listen = config->public.n_listen;
    struct address address = config->public.addresses[i];
    bool v6_only = is_v6_only(&config->public, &address);

    if (!is_free(&address, v6_only))
        return false;
    for (unsigned worker = 0; worker < n_workers; worker++) {
        int fd = bind_socket(&address, v6_only, true);

        fds[worker * n_listen + i] = fd;
        if (fd < 0 || listen(fd, BACKLOG) != 0)
            return false;
        address.addr_len = sizeof(address.addr);
        if (getsockname(fd, (struct sockaddr *)&address.addr, &address.addr_len) != 0)
            return false;
    }
    log_info("public.listen", "address=%s port=%u workers=%u", config->public.listen[i],
             port_of(&address), n_workers);
    return true;
}

/* Takes the sockets of the address that the service manager has opened, if there are any.  Several
 * of one address (ReusePort=yes) are spread over the workers; one is shared by all.  False and
 * `*err` on failure. */
static bool take_address(const struct config *config, unsigned i, unsigned n_workers,
                         struct inherited *inherited, int *fds, struct error *err)
{
    int found[CONFIG_WORKERS_MAX];
    unsigned n_listen = config->public.n_listen;
    unsigned n = inherited_find(inherited, &config->public.addresses[i], n_workers, found);
    bool ok = n <= n_workers;
    char key[32];

    snprintf(key, sizeof(key), "public.listen[%u]", i);
    if (!ok)
        config_fail(config, err, key,
                    "the socket unit has %u sockets of %s for %u workers; connections of those "
                    "beyond would never be answered",
                    n, config->public.listen[i], n_workers);
    for (unsigned worker = 0; ok && n > 0 && worker < n_workers; worker++) {
        int fd = fcntl(found[worker % n], F_DUPFD_CLOEXEC, 0);

        fds[worker * n_listen + i] = fd;
        ok = fd >= 0 && set_options(fd);
        if (!ok)
            config_fail(config, err, key, "cannot use the socket of the socket unit: %s",
                        strerror(errno));
    }
    if (ok && n > 0)
        log_info("public.listen", "address=%s port=%u workers=%u sockets=%u from=systemd",
                 config->public.listen[i], port_of(&config->public.addresses[i]), n_workers, n);
    for (unsigned k = 0; k < n && k < n_workers; k++)
        close(found[k]);
    return ok;
}

static bool open_all(const struct config *config, unsigned n_workers, struct inherited *inherited,
                     int *fds, struct error *err)
{
    for (unsigned i = 0; i < config->public.n_listen; i++) {
        if (!take_address(config, i, n_workers, inherited, fds, err))
            return false;
        if (fds[i] >= 0)
            continue;
        if (!open_address(config, i, n_workers, fds)) {
            fail(config, i, errno, err);
            return false;
        }
    }
    for (unsigned i = 0; i < inherited->n; i++) {
        if (inherited->fds[i] >= 0) {
            config_fail(config, err, "public.listen",
                        "the socket unit has a socket of an address that is not named here; name "
                        "each ListenStream as it stands there");
            return false;
        }
    }
    return true;
}

bool listener_open(const struct config *config, unsigned n_workers, int *fds, struct error *err)
{
    unsigned n_fds = config->public.n_listen * n_workers;
    struct inherited inherited;
    bool ok;

    for (unsigned i = 0; i < n_fds; i++)
        fds[i] = -1;
    ok = inherited_take(&inherited, err) && open_all(config, n_workers, &inherited, fds, err);
    inherited_close(&inherited);
    if (!ok)
        listener_close(fds, n_fds);
    return ok;
}

/* A connection that the kernel holds back when the socket closes learns of it only when it sends
 * something.  Should this fail, some silent clients learn later that we are gone. */
void listener_stop_deferring(int fd)
{
    (void)set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
}

void listener_close(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}
