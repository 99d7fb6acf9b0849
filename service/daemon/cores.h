/* cores.h - how many processor cores this process may use. */
#ifndef DAEMON_CORES_H
#define DAEMON_CORES_H

/* Those of its affinity mask, and no more than the cgroups it is in give it time for; a part of a
 * core counts as one.  At least 1. */
unsigned cores_usable(void);

/* The limit of its cgroups (v1 and v2), rounded up; 0: none.  `root` stands before
 * /proc/self/cgroup and /sys/fs/cgroup; "" but in tests. */
unsigned cores_of_quota(const char *root);

#endif
