#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "files.h"
#include "service/daemon/cores.h"
#include "tests/unit/temp_dir.h"

struct file {
    const char *path, *text;
};

static const struct {
    const char *name;
    struct file files[6];
    unsigned want;
} cases[] = {
    {"no cgroups at all", {{NULL, NULL}}, 0},
    {"version 2, in a container: its cgroup is the top",
     {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "100000 100000\n"}},
     1},
    {"version 2, no limit",
     {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "max 100000\n"}},
     0},
    {"a core and a half are two",
     {{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}},
     2},
    {"a tenth of a core is one",
     {{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "5000 50000\n"}},
     1},
    {"the least of a cgroup and those around it",
     {{"proc/self/cgroup", "0::/kubepods/pod1/main\n"},
      {"sys/fs/cgroup/kubepods/cpu.max", "800000 100000\n"},
      {"sys/fs/cgroup/kubepods/pod1/cpu.max", "300000 100000\n"},
      {"sys/fs/cgroup/kubepods/pod1/main/cpu.max", "max 100000\n"}},
     3},
    {"a path of the host that the container doesn't see",
     {{"proc/self/cgroup", "0::/../../kubepods/pod1\n"},
      {"sys/fs/cgroup/cpu.max", "200000 100000\n"}},
     2},
    {"version 1",
     {{"proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n3:cpuset:/\n"},
      {"sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "250000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n"}},
     3},
    {"version 1, in a container that sees the host's path",
     {{"proc/self/cgroup", "2:cpuacct:/docker/x\n1:cpu:/docker/x\n0::/\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
     1},
    {"version 1, no limit",
     {{"proc/self/cgroup", "1:cpu:/\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 2 beside version 1",
     {{"proc/self/cgroup", "1:name=systemd:/\n0::/a\n"},
      {"sys/fs/cgroup/unified/a/cpu.max", "400000 100000\n"}},
     4},
    {"controllers that only begin like cpu",
     {{"proc/self/cgroup", "3:cpuset:/\n"},
      {"sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "100000\n"},
      {"sys/fs/cgroup/cpuset/cpu.cfs_period_us", "100000\n"}},
     0},
    {"files that hold something else",
     {{"proc/self/cgroup", "0::/\nnonsense\n\n"}, {"sys/fs/cgroup/cpu.max", "many\n"}},
     0},
    {"a period of nothing",
     {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "100000 0\n"}},
     0},
};

static void test_quota(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *root = temp_dir_new();

        print_message("%s\n", cases[i].name);
        assert_non_null(root);
        for (size_t j = 0; j < 6 && cases[i].files[j].path; j++)
            write_file_in(root, cases[i].files[j].path, cases[i].files[j].text);
        assert_int_equal(cores_of_quota(root), cases[i].want);
        temp_dir_free(root);
    }
}

static void test_affinity(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    assert_in_range(cores_usable(), 1, CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(cores_usable(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_affinity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
