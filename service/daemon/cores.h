/* cores.h - how many processor cores this process may use. */
#ifndef DAEMON_CORES_H
#define DAEMON_CORES_H

/* The cores in the affinity mask, limited by the cgroups' quota of processor time, rounded up.  At
 * least 1. */
unsigned cores_usable(void);

/* The quota of the cgroups (v1 and v2) in cores, rounded up; 0: none.  `root` is put before
 * /proc/self/cgroup and /sys/fs/cgroup; it is "" except in tests. */
unsigned cores_of_quota(const char *root);

#endif
