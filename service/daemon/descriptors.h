/* descriptors.h - as many file descriptors as the configured connections need. */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H

struct config_public;

/* Raises RLIMIT_NOFILE as far as needed and allowed.  Returns how many connections each of
 * `n_workers` may have: config->connections_max, or fewer (logged) when the limit is too low. */
unsigned descriptors_reserve(const struct config_public *config, unsigned n_workers);

#endif
