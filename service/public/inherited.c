#include "service/public/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/error.h"

enum { FIRST_FD = 3 };

/* The number that a variable holds; 0: it is unset or holds none. */
static long number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    return text && *text && *end == '\0' && n > 0 ? n : 0;
}

static bool is_listening(int fd)
{
    int listens = 0, type = 0;
    socklen_t len = sizeof(listens), type_len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

bool inherited_take(struct inherited *out, struct error *err)
{
    long n = number_in("LISTEN_PID") == (long)getpid() ? number_in("LISTEN_FDS") : 0;

    out->n = 0;
    if (n > INHERITED_MAX) {
        error_set(err, "LISTEN_FDS: %ld sockets are too many, at most %d", n, INHERITED_MAX);
        return false;
    }
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)n; fd++) {
        int flags = fcntl(fd, F_GETFL);

        if (!is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
            fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            error_set(err,
                      "LISTEN_FDS: descriptor %d is no listening TCP socket; a socket unit for "
                      "hopcountd has ListenStream=ADDRESS:PORT and Accept=no",
                      fd);
            return false;
        }
        out->fds[out->n++] = fd;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return true;
}

static bool is_bound_to(int fd, const struct address *address)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);

    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0 ||
        bound.ss_family != address->addr.ss_family)
        return false;
    if (bound.ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)&bound;
        const struct sockaddr_in *b = (const struct sockaddr_in *)&address->addr;

        return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    if (bound.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&bound;
        const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)&address->addr;

        return a->sin6_port == b->sin6_port &&
               memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
    }
    return false;
}

unsigned inherited_find(struct inherited *inherited, const struct address *address, unsigned max,
                        int *fds)
{
    unsigned n = 0;

    for (unsigned i = 0; i < inherited->n; i++) {
        if (inherited->fds[i] < 0 || !is_bound_to(inherited->fds[i], address))
            continue;
        if (n < max) {
            fds[n] = inherited->fds[i];
            inherited->fds[i] = -1;
        }
        n++;
    }
    return n;
}

void inherited_close(struct inherited *inherited)
{
    for (unsigned i = 0; i < inherited->n; i++) {
        if (inherited->fds[i] >= 0)
            close(inherited->fds[i]);
    }
    inherited->n = 0;
}
