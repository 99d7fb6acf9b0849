#include "service/daemon/cores.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096 + 256 };

static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(line, (int)size, file);

    if (file)
        fclose(file);
    return ok;
}

/* Converts microseconds of processor time per period to cores, rounded up; 0: no limit. */
static unsigned cores_of(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0)
        return 0;
    return (unsigned)((quota_us + period_us - 1) / period_us);
}

/* Parses cpu.max: "150000 100000", or "max 100000". */
static unsigned read_v2(const char *folder)
{
    char path[PATH_LEN + 32], line[64];
    long long quota_us = 0, period_us = 0;

    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (!read_line(path, line, sizeof(line)) ||
        sscanf(line, "%lld %lld", &quota_us, &period_us) != 2)
        return 0;
    return cores_of(quota_us, period_us);
}

/* Reads quota and period from a file each; a quota of -1 means no limit. */
static unsigned read_v1(const char *folder)
{
    static const char *const names[] = {"cpu.cfs_quota_us", "cpu.cfs_period_us"};
    long long values[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        char path[PATH_LEN + 32], line[64];

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (!read_line(path, line, sizeof(line)) || sscanf(line, "%lld", &values[i]) != 1)
            return 0;
    }
    return cores_of(values[0], values[1]);
}

/* The lowest limit of a cgroup and its ancestors.  In a container /proc/self/cgroup may show the
 * path on the host while the container's cgroup is mounted at the top, so folders that don't exist
 * count as having no limit. */
static unsigned least_of(const char *mount, const char *cgroup, unsigned (*read)(const char *))
{
    char folder[PATH_LEN];
    size_t mount_len = strlen(mount);
    unsigned least = 0;

    if ((size_t)snprintf(folder, sizeof(folder), "%s%s", mount, cgroup) >= sizeof(folder))
        return 0;
    for (;;) {
        unsigned cores = read(folder);
        char *slash = strrchr(folder + mount_len, '/');

        if (cores && (!least || cores < least))
            least = cores;
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static bool has_cpu(const char *controllers)
{
    const char *at = controllers;

    while ((at = strstr(at, "cpu"))) {
        if ((at == controllers || at[-1] == ',') && (at[3] == ',' || at[3] == '\0'))
            return true;
        at++;
    }
    return false;
}

/* Parses a line of /proc/self/cgroup: "0::/path" (version 2) or "4:cpu,cpuacct:/path" (version 1).
 */
static unsigned read_cgroup(const char *root, char *line)
{
    char mount[256], *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    unsigned cores;

    if (!path)
        return 0;
    *controllers++ = '\0';
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (*controllers) {
        snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, controllers);
        return has_cpu(controllers) ? least_of(mount, path, read_v1) : 0;
    }
    snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
    cores = least_of(mount, path, read_v2);
    snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/unified", root);
    return cores ? cores : least_of(mount, path, read_v2);
}

unsigned cores_of_quota(const char *root)
{
    char line[PATH_LEN];
    unsigned least = 0;
    FILE *file;

    snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
    file = fopen(line, "re");
    while (file && fgets(line, sizeof(line), file)) {
        unsigned cores = read_cgroup(root, line);

        if (cores && (!least || cores < least))
            least = cores;
    }
    if (file)
        fclose(file);
    return least;
}

unsigned cores_usable(void)
{
    unsigned quota = cores_of_quota(""), affinity;
    cpu_set_t set;
    long n;

    /* Counts the calling thread's affinity mask, which at the start is that of the process.  The
     * call fails on a machine with more cores than a cpu_set_t holds; then all cores online
     * count. */
    n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                     : sysconf(_SC_NPROCESSORS_ONLN);
    affinity = n > 0 ? (unsigned)n : 1;
    return quota && quota < affinity ? quota : affinity;
}
