/* descriptors.h - reserves file descriptors for the configured number of connections. */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H
#include <stdint.h>

struct config_public;

/* Raises RLIMIT_NOFILE as far as needed and allowed.  Returns how many connections each of
 * `n_workers` may have: config->connections_max, or fewer (logged) when the limit is too low. */
unsigned descriptors_reserve(const struct config_public *config, unsigned n_workers);

/* How many connections each worker may have if the process may have `limit` descriptors, after
 * those needed for other purposes. */
unsigned descriptors_share(const struct config_public *config, unsigned n_workers, uint64_t limit);

#endif
