/* The click log when things break: the process killed, the disk full, gone or pulled away. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/clicklog_fixture.h"

static void wait_for_degraded(struct clickstore *store, bool want)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;

    while (stats_of(store).degraded != want) {
        assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(5);
    }
}

/* --- kill -9 --- */

/* Appends for ever, a click or so per microsecond; `*n_acked` are in the log. */
static void write_for_ever(const char *dir, _Atomic uint64_t *n_acked)
{
    struct clickstore_options options = options_of(dir);
    struct error err = {0};
    struct clickstore *store;
    struct clicklog *log;

    options.segment_bytes = 256 << 10;
    store = clickstore_open(&options, &err);
    log = store ? clickstore_new_log(store, &err) : NULL;
    if (!log)
        _exit(2);
    for (uint64_t i = 0;; i++) {
        struct click click = click_of(i);

        clicklog_append(log, &click);
        if (clicklog_tail(log) != i + 1)
            _exit(3);
        atomic_store(n_acked, i + 1);
        if (i % 64 == 63)
            sleep_ms(1);
    }
}

/* Row 1: each start finds what the one before had taken, to the click. */
static void kill_9_loses_nothing(void **state)
{
    struct clickstore_options options = options_of(*state);
    _Atomic uint64_t *n_acked =
        mmap(NULL, sizeof(*n_acked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t n_total = 0;

    assert_ptr_not_equal(n_acked, MAP_FAILED);
    options.mode = CLICKSTORE_DRAIN;
    for (int round = 0; round < 8; round++) {
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
        struct clickstore *store;
        uint64_t n;
        pid_t pid;
        int status;

        *n_acked = 0;
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            write_for_ever(*state, n_acked);
        while (*n_acked < 1500 && waitpid(pid, &status, WNOHANG) == 0)
            assert_true(clock_mono_ms() < deadline_ms);
        sleep_ms(round * 7);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        store = open_store(&options);
        n = read_all(store) - n_total;
        /* The last one may be in the log but not yet told. */
        assert_true(n == *n_acked || n == *n_acked + 1);
        assert_int_equal(stats_of(store).n_set_aside, 0);
        /* Each kill may have cut one short, and this start reads what all of them left. */
        assert_true(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED] <= (uint64_t)round + 1);
        n_total += n;
        clickstore_close(store);
    }
    print_message("%llu clicks through 8 kills\n", (unsigned long long)n_total);
    munmap((void *)n_acked, sizeof(*n_acked));
}

/* --- the disk takes nothing --- */

/* A file where the directory of logs must be: as good as a broken disk, and works as root. */
static void block_logs(const char *dir, char path[static 128])
{
    int fd;

    snprintf(path, 128, "%s/logs", dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* The disk takes nothing, and `n` clicks are in memory. */
static struct clickstore *open_in_memory_mode(const char *dir, uint64_t n, struct clicklog **log)
{
    struct clickstore_options options = options_of(dir);
    struct clickstore *store;
    char path[128];

    block_logs(dir, path);
    store = open_store(&options);
    *log = new_log(store);
    assert_true(stats_of(store).degraded);
    append_range(*log, 0, n);
    assert_int_equal(stats_of(store).disk_bytes, 0);
    return store;
}

/* Lets the disk work again and waits until it is used. */
static void unblock_logs(const char *dir, struct clickstore *store)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/logs", dir);
    assert_int_equal(unlink(path), 0);
    while (stats_of(store).disk_bytes == 0)
        sleep_ms(5);
}

/* Row 14: clicks go on in memory, and to disk once it works; none is lost. */
static void a_broken_disk_means_memory_until_it_works_again(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clicklog *log;
    struct clickstore *store = open_in_memory_mode(*state, 1500, &log);

    assert_true(stats_of(store).memory_bytes > 0);
    assert_int_equal(stats_of(store).last_errno, ENOTDIR);
    assert_int_equal(read_from(log, 0), 1500);
    unblock_logs(*state, store);
    assert_true(stats_of(store).degraded); /* what is in memory is not in Redis either */
    append_range(log, 1500, 1501);         /* leaves the segment in memory */
    wait_for_degraded(store, false);
    append_range(log, 1501, 2000);
    assert_int_equal(read_from(log, 0), 2000);
    clickstore_close(store);
    store = open_store(&options);
    assert_int_equal(read_all(store), 2000);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    clickstore_close(store);
}

static void a_worker_without_clicks_is_not_degraded_for_ever(void **state)
{
    struct clicklog *log;
    struct clickstore *store = open_in_memory_mode(*state, 10, &log);

    unblock_logs(*state, store);
    sleep_ms(300); /* some ticks of the keeper: it stays so while clicks are in memory only */
    assert_true(stats_of(store).degraded);
    clicklog_set_applied(log, 10);
    wait_for_degraded(store, false);
    append_range(log, 10, 11);
    assert_true(stats_of(store).disk_bytes > 0);
    assert_int_equal(read_from(log, 0), 11);
    clickstore_close(store);
}

/* The disk came back, but the keeper has not tried again yet. */
static void a_stop_in_memory_mode_makes_a_last_try(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    char path[128];

    block_logs(*state, path);
    store = open_store(&options);
    append_range(new_log(store), 0, 1500);
    assert_int_equal(unlink(path), 0);
    clickstore_close(store);
    store = open_store(&options);
    assert_int_equal(stats_of(store).recovered, 1500);
    assert_int_equal(read_all(store), 1500);
    clickstore_close(store);
}

static uint64_t append_hard(struct clicklog *log, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct click click = click_of(i);

        clicklog_append(log, &click);
        if (i % 200 == 199)
            sleep_ms(2);
    }
    return clicklog_tail(log);
}

static void full_memory_drops_and_counts(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;
    uint64_t n;
    char path[128];

    block_logs(*state, path);
    options.memory_max = 2 * options.segment_bytes + 1;
    store = open_store(&options);
    log = new_log(store);
    n = append_hard(log, 5000);
    assert_int_equal(n, 2000);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_MEMORY_CAP], 3000);
    assert_int_equal(stats_of(store).appended, 2000);
    assert_int_equal(read_from(log, 0), 2000);
    clickstore_close(store);
}

/* Rows 10 and 20: drops begin at the cap, are counted, and end when the reader catches up. */
static void a_full_log_drops_counts_and_goes_on_when_drained(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;
    struct clickstore_stats stats;
    uint64_t n;

    options.disk_max = 3 * options.segment_bytes;
    options.memory_max = options.segment_bytes;
    store = open_store(&options);
    log = new_log(store);
    n = append_hard(log, 9000);
    stats = stats_of(store);
    assert_int_equal(n, 4000);
    assert_int_equal(stats.appended + stats.dropped[CLICKLOG_DROP_DISK_CAP] +
                         stats.dropped[CLICKLOG_DROP_NO_SEGMENT],
                     9000);
    assert_true(stats.dropped[CLICKLOG_DROP_DISK_CAP] > 0);
    assert_true(stats.disk_bytes <= options.disk_max);
    assert_int_equal(read_from(log, 0), 4000);
    clicklog_set_applied(log, 3000);
    append_range(log, 9000, 9500);
    assert_int_equal(read_from(log, clicklog_first(log)), clicklog_tail(log) - clicklog_first(log));
    assert_true(clicklog_first(log) <= 3000);
    clickstore_close(store);
}

/* --- the file behind a mapping vanishes --- */

static void truncate_all(const char *dir)
{
    char command[256];

    snprintf(command, sizeof(command), "find %s/logs -name '*.seg' -exec truncate -s 0 {} +", dir);
    assert_int_equal(system(command), 0);
}

static void a_truncated_live_segment_does_not_kill(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore_stats stats;
    struct clickstore *store;
    struct clicklog *log;
    uint64_t n;

    options.segment_bytes = 256 << 10; /* many pages */
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, 1000);
    truncate_all(*state);
    append_range(log, 1000, 3000);
    n = read_from(log, 0);
    stats = stats_of(store);
    print_message("%llu of 3000 read, %llu damaged\n", (unsigned long long)n,
                  (unsigned long long)stats.dropped[CLICKLOG_DROP_DAMAGED]);
    assert_true(n >= 2000 - 64); /* at most what was appended before and their page */
    assert_int_equal(n + stats.dropped[CLICKLOG_DROP_DAMAGED], 3000);
    /* New clicks go to a new file, and what was in memory follows. */
    n = 3000;
    do {
        assert_true(n < 200000);
        append_range(log, n, n + 10);
        n += 10;
        sleep_ms(5);
    } while (stats_of(store).degraded);
    clickstore_close(store);
    store = open_store(&options);
    assert_true(read_all(store) >= n - 1064);
    clickstore_close(store);
}

/* Opens a store, so that the handler is there, and faults in a mapping that is none of it. */
static void fault_elsewhere(const char *dir)
{
    struct clickstore_options options = options_of(dir);
    struct error err = {0};
    char path[128];
    char *map;
    int fd;

    signal(SIGBUS, SIG_DFL); /* the test runner has a handler of its own */
    if (!clickstore_open(&options, &err))
        _exit(0);
    snprintf(path, sizeof(path), "%s/empty", dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *(volatile char *)map = 1;
    _exit(0);
}

static void a_fault_elsewhere_still_ends_the_process(void **state)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        fault_elsewhere(*state);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* --- a disk that is really full --- */

static void a_full_disk_means_memory_until_there_is_room(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;
    char mount_point[128], ballast[160];

    snprintf(mount_point, sizeof(mount_point), "%s/disk", (char *)*state);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=512k,mode=700") != 0) {
        print_message("skipped: mounting a small tmpfs needs root: %s\n", strerror(errno));
        skip();
    }
    snprintf(ballast, sizeof(ballast), "%s/ballast", mount_point);
    options.state_dir = mount_point;
    options.segment_bytes = 100 << 10;
    store = open_store(&options);
    log = new_log(store);
    append_range(log, 0, 15000); /* some 940 KiB */
    for (int64_t until_ms = clock_mono_ms() + WAIT_MS; !stats_of(store).degraded; sleep_ms(1))
        assert_true(clock_mono_ms() < until_ms); /* the keeper may be a segment behind */
    assert_int_equal(stats_of(store).last_errno, ENOSPC);
    assert_int_equal(read_from(log, 0), 15000);
    assert_true(stats_of(store).disk_bytes <= 512 << 10);
    assert_int_equal(mount("tmpfs", mount_point, "tmpfs", MS_REMOUNT, "size=16m"), 0);
    for (uint64_t i = 15000; stats_of(store).degraded || stats_of(store).memory_bytes > 0; i++) {
        assert_true(i < 40000);
        append_range(log, i, i + 1);
        sleep_ms(1);
    }
    clickstore_close(store);
    store = open_store(&options);
    assert_true(read_all(store) > 15000);
    assert_int_equal(stats_of(store).dropped[CLICKLOG_DROP_DAMAGED], 0);
    clickstore_close(store);
    assert_int_equal(umount(mount_point), 0);
}

/* Retained segments fill the disk: they give way, and no click is in memory only. */
static void what_was_applied_gives_way_on_a_full_disk(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct clickstore *store;
    struct clicklog *log;
    char mount_point[128];

    snprintf(mount_point, sizeof(mount_point), "%s/disk", (char *)*state);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=1m,mode=700") != 0) {
        print_message("skipped: mounting a small tmpfs needs root: %s\n", strerror(errno));
        skip();
    }
    options.state_dir = mount_point;
    store = open_store(&options);
    log = new_log(store);
    for (uint64_t n = 0; n < 40000; n += 500) { /* some 2.5 MiB */
        append_range(log, n, n + 500);
        clicklog_set_applied(log, n + 500);
        sleep_ms(2);
    }
    for (int64_t until_ms = clock_mono_ms() + WAIT_MS; stats_of(store).degraded; sleep_ms(5))
        assert_true(clock_mono_ms() < until_ms);
    assert_true(clicklog_first(log) > 0);
    assert_true(stats_of(store).disk_bytes <= 1 << 20);
    clickstore_close(store);
    assert_int_equal(umount(mount_point), 0);
}

/* What was there is read, new clicks stay in memory, a second process is still refused. */
static void a_read_only_directory_is_read_and_served_from_memory(void **state)
{
    struct clickstore_options options = options_of(*state);
    struct error err = {0};
    struct clickstore *store;
    struct clicklog *log;
    char mount_point[128];

    snprintf(mount_point, sizeof(mount_point), "%s/disk", (char *)*state);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=4m,mode=700") != 0) {
        print_message("skipped: mounting a small tmpfs needs root: %s\n", strerror(errno));
        skip();
    }
    options.state_dir = mount_point;
    for (int had_clicks = 0; had_clicks < 2; had_clicks++) {
        assert_int_equal(mount("tmpfs", mount_point, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
        store = open_store(&options);
        assert_int_equal(stats_of(store).recovered, had_clicks * 1500);
        log = new_log(store);
        append_range(log, 0, 1200);
        assert_true(stats_of(store).degraded);
        assert_int_equal(stats_of(store).last_errno, EROFS);
        assert_int_equal(read_from(log, 0), 1200);
        assert_null(clickstore_open(&options, &err));
        assert_non_null(strstr(err.text, "in use by"));
        clicklog_set_applied(log, 1200);
        clickstore_close(store);
        assert_int_equal(mount("tmpfs", mount_point, "tmpfs", MS_REMOUNT, NULL), 0);
        if (!had_clicks) {
            store = open_store(&options);
            append_range(new_log(store), 0, 1500);
            clickstore_close(store);
        }
    }
    assert_int_equal(umount(mount_point), 0);
}

int main(void)
{
#define FAULT(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        FAULT(kill_9_loses_nothing),
        FAULT(a_broken_disk_means_memory_until_it_works_again),
        FAULT(a_worker_without_clicks_is_not_degraded_for_ever),
        FAULT(a_stop_in_memory_mode_makes_a_last_try),
        FAULT(full_memory_drops_and_counts),
        FAULT(a_full_log_drops_counts_and_goes_on_when_drained),
        FAULT(a_truncated_live_segment_does_not_kill),
        FAULT(a_fault_elsewhere_still_ends_the_process),
        FAULT(a_full_disk_means_memory_until_there_is_room),
        FAULT(what_was_applied_gives_way_on_a_full_disk),
        FAULT(a_read_only_directory_is_read_and_served_from_memory),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
