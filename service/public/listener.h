/* listener.h - listening sockets of the public port: one per address and worker, so that the kernel
 * distributes connections over the workers and no worker waits for another (SO_REUSEPORT,
 * socket(7)). */
#ifndef PUBLIC_LISTENER_H
#define PUBLIC_LISTENER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct config;
struct error;

/*
 * Opens n_workers sockets for each of config->public.addresses, non-blocking, close-on-exec, with
 * TCP_NODELAY and fixed buffer sizes, which accepted sockets inherit.  The sockets of worker i
 * begin at fds[i * n_listen], in the order of the addresses.  Port 0 means a free port, the same
 * for all workers.  Logs each address with its port.  Where the service manager has opened sockets
 * of an address (inherited.h), those are used.
 *
 * False and `*err` (file, line, key, remedy) on failure; all sockets are then closed.
 */
MUST_USE bool listener_open(const struct config *config, unsigned n_workers, int *fds,
                            struct error *err);

/* From now on connections are accepted before they have sent anything; until then the kernel holds
 * them back for a second. */
void listener_stop_deferring(int fd);

/* Closes n sockets; skips entries of -1. */
void listener_close(int *fds, unsigned n);

#endif
