#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/background.h"

struct seen {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};

struct entered {
    void (*enter)(const char *name);
    const char *name;
    struct seen attr;
    char name_seen[16];
    long status;
};

static void *run(void *arg)
{
    struct entered *e = arg;

    e->enter(e->name);
    pthread_getname_np(pthread_self(), e->name_seen, sizeof(e->name_seen));
    e->status = syscall(SYS_sched_getattr, 0, &e->attr, sizeof(e->attr), 0U);
    return NULL;
}

static void enter(struct entered *e)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, e), 0);
    pthread_join(thread, NULL);
    assert_string_equal(e->name_seen, e->name);
    assert_int_equal(e->status, 0);
    assert_int_equal(e->attr.policy, SCHED_OTHER);
}

static void test_workers_go_before_others(void **state)
{
    struct entered worker = {.enter = foreground_enter, .name = "worker-3"};
    struct entered other = {.enter = background_enter, .name = "ledger"};
    int nice = getpriority(PRIO_PROCESS, 0);
    struct utsname kernel;
    int major = 0, minor = 0;

    (void)state;
    enter(&worker);
    enter(&other);
    assert_int_equal(worker.attr.nice, nice);
    assert_int_equal(other.attr.nice, nice + BACKGROUND_NICE > 19 ? 19 : nice + BACKGROUND_NICE);

    assert_int_equal(uname(&kernel), 0);
    assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
    if (major * 1000 + minor < 6012) {
        print_message("Linux %s has no slices to ask for\n", kernel.release);
        return;
    }
    assert_int_equal(worker.attr.slice_ns, UINT64_C(1000) * FOREGROUND_SLICE_US);
    assert_true(other.attr.slice_ns > worker.attr.slice_ns);
}

static void test_a_policy_of_the_operator_stays(void **state)
{
    struct sched_param param = {0}, usual = {0};
    struct entered worker = {.enter = foreground_enter, .name = "worker-0"};
    pthread_t thread;

    (void)state;
    assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &param), 0);
    assert_int_equal(pthread_create(&thread, NULL, run, &worker), 0);
    pthread_join(thread, NULL);
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &usual), 0);
    assert_int_equal(worker.status, 0);
    assert_int_equal(worker.attr.policy, SCHED_BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_go_before_others),
        cmocka_unit_test(test_a_policy_of_the_operator_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
