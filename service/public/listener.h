/* listener.h - listening sockets of the public port: one per address and worker, so that the kernel
 * spreads connections over the workers and none waits for another (SO_REUSEPORT, socket(7)). */
#ifndef PUBLIC_LISTENER_H
#define PUBLIC_LISTENER_H
#include <stdbool.h>

#include "proto/compiler.h"

struct config;
struct error;

/*
 * Opens n_workers sockets for each of config->public.addresses, non-blocking, close-on-exec, with
 * TCP_NODELAY and buffers of a fixed size for what they accept.  Those of worker i are fds[i *
 * n_listen] and following, in the order of the addresses.  Port 0 takes a free one, the same for
 * all workers.  Logs each address with its port.
 *
 * False and `*err` (file, line, key, remedy) on failure; then all are closed.
 */
MUST_USE bool listener_open(const struct config *config, unsigned n_workers, int *fds,
                            struct error *err);

/* From now on a connection can be accepted before it has sent anything: until then the kernel holds
 * it back for a second. */
void listener_stop_deferring(int fd);

/* Closes n sockets; -1 is skipped. */
void listener_close(int *fds, unsigned n);

#endif
