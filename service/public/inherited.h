/* inherited.h - listening sockets that the service manager has opened and keeps (sd_listen_fds(3)).
 * While we restart, connections wait in their queues and none is refused. */
#ifndef PUBLIC_INHERITED_H
#define PUBLIC_INHERITED_H
#include "proto/compiler.h"
#include "service/base/address.h"

struct error;

enum { INHERITED_MAX = 1024 };

struct inherited {
    int fds[INHERITED_MAX]; /* -1: it was taken */
    unsigned n;
};

/* Takes the sockets that LISTEN_FDS and LISTEN_PID name, if they are for this process, and closes
 * them to the programs that we start.  False and `*err`: one of them is no listening TCP socket. */
MUST_USE bool inherited_take(struct inherited *out, struct error *err);

/* Moves the sockets bound to `address` to `fds`, at most `max`; returns how many there are. */
unsigned inherited_find(struct inherited *inherited, const struct address *address, unsigned max,
                        int *fds);

/* Closes what was not taken. */
void inherited_close(struct inherited *inherited);

#endif
